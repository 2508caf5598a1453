// SPDX-License-Identifier: GPL-2.0-or-later
#define PCRE2_CODE_UNIT_WIDTH 8
#include "source/textregex.h"

#include <errno.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line is at most 64 KiB; a regex without nested repeats needs far fewer steps than this. */
#define STEPS_MAX    200000u
#define HEAP_MAX_KIB 8192u

enum group { STAMP, CPU, TASK, PID, EVENT, MESSAGE, N_GROUPS };
static const char *const group_names[N_GROUPS] = {"stamp", "cpu",   "task",
						  "pid",   "event", "message"};

struct textregex {
	pcre2_code *code;
	pcre2_match_context *limits;
	int groups[N_GROUPS]; /* numbers; 0: not named */
};

struct textregex_state {
	pcre2_match_data *match;
};

static int find_groups(struct textregex *x, char *why, size_t why_n)
{
	uint32_t n, entry_n;
	PCRE2_SPTR entry;

	pcre2_pattern_info(x->code, PCRE2_INFO_NAMECOUNT, &n);
	pcre2_pattern_info(x->code, PCRE2_INFO_NAMEENTRYSIZE, &entry_n);
	pcre2_pattern_info(x->code, PCRE2_INFO_NAMETABLE, &entry);
	for (uint32_t i = 0; i < n; i++, entry += entry_n) {
		const char *name = (const char *)entry + 2;
		size_t g = 0;

		while (g < N_GROUPS && strcmp(group_names[g], name))
			g++;
		if (g == N_GROUPS) {
			snprintf(why, why_n, "it names a group \"%s\"; there are " TEXTREGEX_GROUPS,
				 name);
			return -EINVAL;
		}
		x->groups[g] = entry[0] << 8 | entry[1];
	}
	if (x->groups[STAMP])
		return 0;
	snprintf(why, why_n, "no group is named (?<stamp>…)");
	return -EINVAL;
}

int textregex_new(const char *pattern, struct textregex **ret, char *why, size_t why_n, int *ret_at)
{
	struct textregex *x = calloc(1, sizeof(*x));
	PCRE2_SIZE at;
	int code, r;

	*ret_at = -1;
	if (!x)
		return -ENOMEM;
	x->limits = pcre2_match_context_create(NULL);
	x->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
				PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C, &code,
				&at, NULL);
	if (!x->code) {
		pcre2_get_error_message(code, (PCRE2_UCHAR *)why, why_n);
		*ret_at = (int)at;
		r = -EINVAL;
	} else {
		r = x->limits ? find_groups(x, why, why_n) : -ENOMEM;
	}
	if (r) {
		textregex_free(x);
		return r;
	}
	pcre2_set_match_limit(x->limits, STEPS_MAX);
	pcre2_set_heap_limit(x->limits, HEAP_MAX_KIB);
	/* only faster: where the kernel forbids it the interpreter matches */
	(void)pcre2_jit_compile(x->code, PCRE2_JIT_COMPLETE);
	*ret = x;
	return 0;
}

void textregex_free(struct textregex *x)
{
	if (!x)
		return;
	pcre2_code_free(x->code);
	pcre2_match_context_free(x->limits);
	free(x);
}

struct textregex_state *textregex_state_new(const struct textregex *x)
{
	struct textregex_state *st = calloc(1, sizeof(*st));

	if (!st)
		return NULL;
	st->match = pcre2_match_data_create_from_pattern(x->code, NULL);
	if (st->match)
		return st;
	free(st);
	return NULL;
}

void textregex_state_free(struct textregex_state *st)
{
	if (st)
		pcre2_match_data_free(st->match);
	free(st);
}

struct groups {
	const char *line;
	const PCRE2_SIZE *at; /* pairs: start, end */
	const struct textregex *x;
};

static struct textline_str group(const struct groups *m, enum group g)
{
	const PCRE2_SIZE *at = m->at + 2 * (size_t)m->x->groups[g];

	/* \K can put a start behind its end */
	if (!m->x->groups[g] || at[0] == PCRE2_UNSET || at[0] > at[1])
		return (struct textline_str){0};
	return (struct textline_str){m->line + at[0], at[1] - at[0]};
}

/* A small number that may be missing; *ret stays then. */
static bool take_small(const struct groups *m, enum group g, uint64_t max, int *ret,
		       struct textline *l)
{
	struct textline_str t = group(m, g);
	uint64_t v;

	if (!t.n)
		return true;
	while (t.n && (*t.s == ' ' || *t.s == '\t')) {
		t.s++;
		t.n--;
	}
	if (textline_number(t.s, t.n, 0, &v) || v > max)
		return false;
	*ret = (int)v;
	if (t.s + t.n > l->numbers_end)
		l->numbers_end = t.s + t.n;
	return true;
}

static enum textline_status fill(const struct groups *m, size_t n, unsigned base,
				 struct textline *l)
{
	struct textline_str stamp = group(m, STAMP);
	enum textline_status status;

	*l = (struct textline){.cpu = -1, .pid = -1, .message = {m->line, n}};
	if (!stamp.n)
		return TEXTLINE_NO_STAMP;
	status = textline_number(stamp.s, stamp.n, base, &l->stamp);
	if (status)
		return status;
	l->numbers_end = stamp.s + stamp.n;
	if (!take_small(m, CPU, TEXTLINE_CPU_MAX, &l->cpu, l))
		return TEXTLINE_BAD_CPU;
	if (!take_small(m, PID, INT32_MAX, &l->pid, l))
		return TEXTLINE_BAD_PID;
	l->task = group(m, TASK);
	l->event = group(m, EVENT);
	if (m->x->groups[MESSAGE])
		l->message = group(m, MESSAGE);
	if (!l->message.s)
		l->message.s = m->line;
	return TEXTLINE_EVENT;
}

enum textline_status textregex_match(const struct textregex *x, struct textregex_state *st,
				     const char *s, size_t n, unsigned base, struct textline *ret)
{
	int r = pcre2_match(x->code, (PCRE2_SPTR)s, n, 0, 0, st->match, x->limits);
	struct groups m = {s, pcre2_get_ovector_pointer(st->match), x};

	if (r == PCRE2_ERROR_NOMATCH)
		return TEXTLINE_NO_MATCH;
	return r < 0 ? TEXTLINE_COSTLY : fill(&m, n, base, ret);
}
