// SPDX-License-Identifier: GPL-2.0-or-later
/* From bytes of the file to a parsed line, and which shape the file's lines have. */
#include "source/qemulog.h"
#include "source/textlog_parts.h"

#define PROBE_LINES 1000u
#define PROBE_BYTES (1u << 20)

int textlog_matcher_init(const struct textlog *t, struct textlog_matcher *ret)
{
	*ret = (struct textlog_matcher){0};
	if (t->spec.regex) {
		ret->regex = textregex_state_new(t->spec.regex);
		if (!ret->regex)
			return -ENOMEM;
	}
	return 0;
}

void textlog_matcher_free(struct textlog_matcher *m)
{
	textregex_state_free(m->regex);
	m->regex = NULL;
}

const char *textlog_line_end(const struct textlog *t, const char *p)
{
	const char *end = t->p + t->n;

	return memchr(p, '\n', (size_t)(end - p)) ?: end;
}

static enum textline_status parse(const struct textlog *t, const struct textlog_matcher *m,
				  const char *s, size_t n, struct textline *ret)
{
	enum textline_status status, plain;

	if (t->shape == TEXTLOG_QEMU) {
		status = qemulog_line(s, n, ret);
		if (ret->pid < 0 && t->spec.pid)
			ret->pid = t->spec.pid;
		/* the mark is ours: a log's own line cannot be one */
		return status == TEXTLINE_LOST && !t->is_simple ? TEXTLINE_BAD_TIME : status;
	}
	if (t->shape == TEXTLOG_REGEX) {
		status = textregex_match(t->spec.regex, m->regex, s, n, t->spec.base, ret);
		if (status != TEXTLINE_NO_MATCH)
			return status;
		plain = textline_plain(s, n, ret);
		return plain == TEXTLINE_NO_STAMP ? status : plain;
	}
	plain = textline_plain(s, n, ret);
	if (plain != TEXTLINE_NO_STAMP)
		return plain;
	return t->shape == TEXTLOG_FTRACE ? textline_ftrace(s, n, t->spec.base, ret)
					  : textline_stamped(s, n, t->spec.base, ret);
}

enum textline_status textlog_line(const struct textlog *t, const struct textlog_matcher *m,
				  const char *s, size_t *n, struct textline *ret)
{
	bool ends = s + *n < t->p + t->n;
	enum textline_status status;

	if (*n && s[*n - 1] == '\r')
		--*n;
	if (*n > TEXTLOG_LINE_BYTES)
		*n = TEXTLOG_LINE_BYTES;
	status = parse(t, m, s, *n, ret);
	if (status)
		return status;
	/* digits may be missing, and the stamp be anywhere */
	if (!ends && ret->numbers_end == t->p + t->n)
		return TEXTLINE_CUT;
	if (t->spec.cpu >= 0)
		ret->cpu = t->spec.cpu;
	return TEXTLINE_EVENT;
}

/* A clock that cannot be used does not make it another shape. */
static bool is_shape(enum textline_status status)
{
	return status == TEXTLINE_EVENT || status == TEXTLINE_SECONDS;
}

void textlog_find_shape(struct textlog *t)
{
	const char *p = t->p, *stop = t->p + (t->n < PROBE_BYTES ? t->n : PROBE_BYTES);
	unsigned stamped = 0, ftrace = 0;
	struct textline l;

	for (unsigned i = 0; i < PROBE_LINES && p < stop; i++) {
		const char *end = textlog_line_end(t, p);
		size_t n = (size_t)(end - p);

		if (n > TEXTLOG_LINE_BYTES)
			n = TEXTLOG_LINE_BYTES;
		stamped += is_shape(textline_stamped(p, n, t->spec.base, &l));
		ftrace += is_shape(textline_ftrace(p, n, t->spec.base, &l));
		p = end < stop ? end + 1 : stop;
	}
	t->shape = t->spec.is_qemu    ? TEXTLOG_QEMU
		   : t->spec.regex    ? TEXTLOG_REGEX
		   : ftrace > stamped ? TEXTLOG_FTRACE
				      : TEXTLOG_STAMPED;
}
