// SPDX-License-Identifier: GPL-2.0-or-later
/* The argument of --text. */
#include "source/textlog.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "source/textline.h"
#include "source/textregex.h"

struct part {		  /* one value and where it came from */
	const char *text; /* the whole argument */
	const char *value;
};

#define spec_err(p, fmt, ...) \
	log_err_r(-EINVAL, "--text \"%s\": " fmt, (p)->text __VA_OPT__(, ) __VA_ARGS__)

static int set_machine(struct textlog_spec *spec, const struct part *p)
{
	const char *name = strchr(p->value, ':');

	free(spec->machine);
	spec->machine = NULL;
	if (!strcmp(p->value, "host"))
		return 0;
	if (strncmp(p->value, "guest:", 6) || !name[1])
		return spec_err(p, "machine is host or guest:NAME, not \"%s\"", p->value);
	spec->machine = strdup(name + 1);
	return spec->machine ? 0 : -ENOMEM;
}

static int set_clock(struct textlog_spec *spec, const struct part *p)
{
	if (strcmp(p->value, "tsc"))
		return spec_err(p,
				"clock \"%s\" cannot be read; only tsc can, raw TSC ticks of "
				"the machine",
				p->value);
	return 0;
}

static int set_cpu(struct textlog_spec *spec, const struct part *p)
{
	uint64_t cpu;

	if (text_to_u64(p->value, &cpu) || cpu > TEXTLINE_CPU_MAX)
		return spec_err(p, "cpu is a number up to %u, not \"%s\"", TEXTLINE_CPU_MAX,
				p->value);
	spec->cpu = (int)cpu;
	return 0;
}

static int set_base(struct textlog_spec *spec, const struct part *p)
{
	if (strcmp(p->value, "10") && strcmp(p->value, "16"))
		return spec_err(p, "base is 10 or 16, not \"%s\"", p->value);
	spec->base = p->value[1] == '6' ? 16 : 10;
	return 0;
}

static int set_order(struct textlog_spec *spec, const struct part *p)
{
	if (strcmp(p->value, "stamp") && strcmp(p->value, "file"))
		return spec_err(p, "order is stamp or file, not \"%s\"", p->value);
	spec->file_order = *p->value == 'f';
	return 0;
}

static int set_regex(struct textlog_spec *spec, const struct part *p)
{
	char why[200];
	int at, r;

	textregex_free(spec->regex);
	spec->regex = NULL;
	r = textregex_new(p->value, &spec->regex, why, sizeof(why), &at);
	if (r == -EINVAL && at >= 0)
		return spec_err(p, "the regex is wrong at \"%s\": %s", p->value + at, why);
	return r == -EINVAL ? spec_err(p, "the regex cannot be used: %s", why) : r;
}

static int set_kind(struct textlog_spec *spec, const struct part *p)
{
	if (strcmp(p->value, "tsc") && strcmp(p->value, "qemu"))
		return spec_err(p, "kind is tsc (lines with TSC stamps) or qemu, not \"%s\"",
				p->value);
	spec->is_qemu = *p->value == 'q';
	return 0;
}

static int set_string(char **to, const struct part *p, const char *name)
{
	if (!*p->value)
		return spec_err(p, "%s= names nothing", name);
	free(*to);
	*to = strdup(p->value);
	return *to ? 0 : -ENOMEM;
}

static int set_vm(struct textlog_spec *spec, const struct part *p)
{
	return set_string(&spec->vm, p, "vm");
}

static int set_events(struct textlog_spec *spec, const struct part *p)
{
	return set_string(&spec->events, p, "events");
}

static int set_time(struct textlog_spec *spec, const struct part *p)
{
	if (strcmp(p->value, "recording") && strcmp(p->value, "all"))
		return spec_err(p, "time is recording or all, not \"%s\"", p->value);
	spec->all_times = *p->value == 'a';
	return 0;
}

static const struct key {
	const char *name; /* with '=' */
	int (*set)(struct textlog_spec *spec, const struct part *p);
	bool takes_rest;
	enum { KEY_BOTH, KEY_TSC, KEY_QEMU } of;
} keys[] = {
	{"kind=", set_kind, false, KEY_BOTH},	  {"machine=", set_machine, false, KEY_TSC},
	{"clock=", set_clock, false, KEY_TSC},	  {"cpu=", set_cpu, false, KEY_TSC},
	{"base=", set_base, false, KEY_TSC},	  {"order=", set_order, false, KEY_TSC},
	{"regex=", set_regex, true, KEY_TSC},	  {"vm=", set_vm, false, KEY_QEMU},
	{"events=", set_events, false, KEY_QEMU}, {"time=", set_time, false, KEY_QEMU},
};

struct given { /* which keys there were: the last of each sort */
	const struct key *tsc, *qemu;
};

/* A comma ends the file's name only when a word and '=' follow. */
static const char *end_of_path(const char *text)
{
	const char *p = text;

	while ((p = strchr(p, ','))) {
		size_t n = strspn(p + 1, "abcdefghijklmnopqrstuvwxyz");

		if (n && p[1 + n] == '=')
			return p;
		p++;
	}
	return text + strlen(text);
}

/* Applies the first key=value of *rest and goes behind it. */
static int set_one(struct textlog_spec *spec, const char *text, const char **rest,
		   struct given *given)
{
	_cleanup_free_ char *value = NULL;
	struct part part = {.text = text};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t n = strlen(keys[i].name);

		if (strncmp(*rest, keys[i].name, n))
			continue;
		*rest += n;
		n = keys[i].takes_rest ? strlen(*rest) : strcspn(*rest, ",");
		value = strndup(*rest, n);
		if (!value)
			return -ENOMEM;
		part.value = value;
		*rest += n + ((*rest)[n] == ',');
		if (keys[i].of)
			*(keys[i].of == KEY_TSC ? &given->tsc : &given->qemu) = &keys[i];
		return keys[i].set(spec, &part);
	}
	return spec_err(&part,
			"\"%s\" is not known; there are machine=, clock=, cpu=, base=, "
			"order=, regex=, and for QEMU's traces kind=qemu, vm=, events=, time=",
			*rest);
}

static int check_given(const struct textlog_spec *spec, const char *text, const struct given *g)
{
	const struct part part = {.text = text};

	if (spec->is_qemu && g->tsc)
		return spec_err(&part, "%s does not go with kind=qemu", g->tsc->name);
	if (!spec->is_qemu && g->qemu)
		return spec_err(&part, "%s goes with kind=qemu only", g->qemu->name);
	return 0;
}

int textlog_spec_parse(const char *text, struct textlog_spec *ret)
{
	_cleanup_textlog_spec_ struct textlog_spec spec = {.cpu = -1};
	const char *rest = end_of_path(text);
	struct given given = {0};
	int r = 0;

	if (rest == text)
		return log_err_r(-EINVAL, "--text \"%s\": no file is named", text);
	spec.path = strndup(text, (size_t)(rest - text));
	rest += *rest == ',';
	if (!spec.path)
		r = -ENOMEM;
	while (!r && *rest)
		r = set_one(&spec, text, &rest, &given);
	if (!r)
		r = check_given(&spec, text, &given);
	if (r == -ENOMEM)
		log_errno(r, "--text \"%s\": %m", text);
	if (r)
		return r;
	*ret = spec;
	spec = (struct textlog_spec){0};
	return 0;
}

void textlog_spec_free(struct textlog_spec *spec)
{
	free(spec->path);
	free(spec->machine);
	free(spec->vm);
	free(spec->events);
	textregex_free(spec->regex);
	*spec = (struct textlog_spec){0};
}
