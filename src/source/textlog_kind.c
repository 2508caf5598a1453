// SPDX-License-Identifier: GPL-2.0-or-later
/* Records of a text log look like the kernel's: a common header, then comm[16] and message[]. So
 * whatever prints, filters or exports trace events does the same with lines. */
#include "source/textlog_parts.h"

#include <event-parse.h>
#include <stdio.h>
#include <stdlib.h>

#include "source/symbols.h"

static const struct source_field fields[] = {
	{"common_type", 0, 2, FIELD_UINT, .is_common = true},
	{"common_flags", 2, 1, FIELD_UINT, .is_common = true},
	{"common_preempt_count", 3, 1, FIELD_UINT, .is_common = true},
	{"common_pid", 4, 4, FIELD_INT, .is_common = true},
	{"comm", 8, TEXTLOG_COMM_BYTES, FIELD_STRING},
	{"message", TEXTLOG_MESSAGE_AT, 0, FIELD_STRING},
};

static const char format[] =
	"name: %s\n"
	"ID: %u\n"
	"format:\n"
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
	"\n"
	"\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;\n"
	"\tfield:char message[];\toffset:24;\tsize:0;\tsigned:0;\n"
	"\n"
	"print fmt: \"%%s\", REC->message\n";

/* libtraceevent reads only identifiers as names: it parses another name, and gets the right one. */
static struct tep_event *add_format(struct textlog *t, const struct source_kind *k)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	char name[16], *copy;
	struct tep_event *e;

	snprintf(name, sizeof(name), "text_%u", k->id);
	strbuf_printf(&b, format, name, k->id);
	if (b.failed || tep_parse_event(t->tep, b.s, b.n, k->system))
		return NULL;
	e = tep_find_event(t->tep, (int)k->id);
	copy = e ? strdup(k->name) : NULL;
	if (!copy)
		return NULL;
	free(e->name);
	e->name = copy;
	return e;
}

struct source_format textlog_format(const struct source *s, const struct source_kind *k)
{
	return (struct source_format){tep_find_event(((const struct textlog *)s)->tep, (int)k->id),
				      true};
}

/* key is "name" or "system:name"; both live as long as the key. */
static int add_kind(struct textlog *t, struct textlog_name *key)
{
	const struct source_kind **slot = array_add(&t->kinds);
	struct source_kind *k = slot ? calloc(1, sizeof(*k)) : NULL;
	char *colon = strchr(key->key, ':');

	if (!k)
		return -ENOMEM;
	*slot = k;
	if (colon)
		*colon = 0;
	k->system = colon ? key->key : t->spec.is_qemu ? "qemu" : "text";
	k->name = colon ? colon + 1 : key->key;
	k->index = (uint32_t)t->kinds.n - 1;
	k->id = k->index + 1;
	k->min_bytes = TEXTLOG_MESSAGE_AT;
	k->pid_at = 4;
	k->fields = fields;
	k->n_fields = ARRAY_SIZE(fields);
	return add_format(t, k) ? 0 : -ENOMEM;
}

int textlog_kinds_build(struct textlog *t)
{
	t->tep = tep_alloc();
	if (!t->tep)
		return -ENOMEM;
	tep_set_long_size(t->tep, 8);
	tep_set_page_size(t->tep, 4096);
	tep_set_file_bigendian(t->tep, TEP_LITTLE_ENDIAN);
	tep_set_local_bigendian(t->tep, TEP_LITTLE_ENDIAN);
	for (size_t i = 0; i < t->kind_names.list.n; i++) {
		int r = add_kind(t, &t->kind_names.list.v[i]);

		if (r)
			return r;
	}
	t->s.facts.kinds = t->kinds.v;
	t->s.facts.n_kinds = t->kinds.n;
	return 0;
}

void textlog_kinds_free(struct textlog *t)
{
	array_for_each(k, &t->kinds)
		free((void *)*k);
	array_free(&t->kinds);
	if (t->tep)
		tep_free(t->tep);
}

int textlog_pid(const struct textlog *t, const struct textline *l)
{
	size_t i;

	if (l->pid >= 0 || !l->task.n)
		return l->pid;
	i = textlog_names_find(&t->tasks, l->task.s, l->task.n);
	return i == SIZE_MAX ? -1 : -2 - (int)i;
}
