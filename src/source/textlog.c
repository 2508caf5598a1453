// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/textlog_parts.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

static void textlog_free(struct source *s)
{
	struct textlog *t = (struct textlog *)s;

	textlog_kinds_free(t);
	textlog_names_free(&t->kind_names);
	textlog_names_free(&t->pids);
	textlog_names_free(&t->tasks);
	array_for_each(l, &t->lanes)
		array_free(&l->entries);
	array_free(&t->lanes);
	array_free(&t->fact_lanes);
	free(t->lane_of_cpu);
	strbuf_free(&t->examples);
	mapped_free(t->mapped);
	textlog_spec_free(&t->spec);
	free(t);
}

static const char *textlog_comm(const struct source *s, int pid)
{
	const struct textlog *t = (const struct textlog *)s;
	const struct textlog_names *names = pid < -1 ? &t->tasks : &t->pids;
	size_t i = pid < -1 ? (size_t)(-2 - (int64_t)pid)
			    : textlog_names_find(names, &pid, sizeof(pid));

	return i < names->list.n ? names->list.v[i].comm : NULL;
}

/* The lines name their tasks themselves; QEMU's do not. */
static void textlog_comm_learn(struct source *s, int pid, const char *name, size_t n)
{
}

void textlog_take_comms(struct source *s, const struct source *host)
{
	struct textlog *t = (struct textlog *)s;

	array_for_each(e, &t->pids.list) {
		const char *comm;
		int pid;

		memcpy(&pid, e->key, sizeof(pid));
		comm = source_comm(host, pid);
		if (comm)
			snprintf(e->comm, sizeof(e->comm), "%s", comm);
	}
}

static const struct symtab *textlog_symbols(const struct source *s, enum source_symbols which)
{
	return NULL;
}

static struct tep_handle *textlog_tep(const struct source *s, bool symbols)
{
	return ((const struct textlog *)s)->tep;
}

static const struct source_ops ops = {
	.name = "text",
	.free = textlog_free,
	.cursor_new = textlog_cursor_new,
	.cursor_free = textlog_cursor_free,
	.cursor_read = textlog_cursor_read,
	.comm = textlog_comm,
	.comm_learn = textlog_comm_learn,
	.tep = textlog_tep,
	.format = textlog_format,
	.symbols = textlog_symbols,
};

int textlog_check(struct textlog *t)
{
	size_t lost = !t->mapped   ? SIZE_MAX
		      : t->is_copy ? mapped_lost(t->mapped)
				   : mapped_lost_now(t->mapped, t->spec.path);

	if (lost == SIZE_MAX)
		return 0;
	if (!t->told_cut)
		log_err("\"%s\": byte %zu: cannot be read any more; somebody cut the file, which "
			"had %zu bytes, or its disk fails",
			t->spec.path, lost, t->n);
	t->told_cut = true;
	return -EIO;
}

static void set_clock(struct textlog *t)
{
	if (!t->spec.is_qemu)
		return;
	t->s.facts.clock = t->is_simple ? "monotonic" : "realtime";
	t->s.facts.quantum_ns = t->is_simple ? 1 : 1000;
}

int textlog_open(struct textlog_spec *spec, struct source **ret)
{
	struct textlog *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return log_err_r(-ENOMEM, "cannot open \"%s\": %m", spec->path);
	t->s.ops = &ops;
	t->spec = *spec;
	*spec = (struct textlog_spec){0};
	t->s.facts = (struct source_facts){.path = t->spec.path, .uname = "", .clock = "x86-tsc"};
	r = textlog_map(t);
	if (!r) {
		set_clock(t);
		textlog_find_shape(t);
		r = textlog_index(t);
	}
	if (!r)
		r = textlog_kinds_build(t);
	if (!r)
		r = textlog_check(t);
	if (r == -ENOMEM)
		log_errno(r, "cannot read \"%s\": %m", t->spec.path);
	if (r) {
		textlog_free(&t->s);
		return r;
	}
	*ret = &t->s;
	return 0;
}
