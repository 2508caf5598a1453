// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/textline.h"

#include <string.h>
#include <strings.h>

#define COMM_MAX 15 /* TASK_COMM_LEN without the NUL */
/* Where kernel addresses begin (x86-64, 4 levels): a line of a stack trace, not a stamp. */
#define KERNEL_ADDRESS 0xffff800000000000u

struct scan { /* what is left of the line */
	const char *p, *end;
};

const char *textline_why(enum textline_status status)
{
	switch (status) {
	case TEXTLINE_NO_STAMP:
		return "no stamp";
	case TEXTLINE_NO_NUMBER:
		return "the stamp is neither decimal nor 0x (base=16 for bare hexadecimal)";
	case TEXTLINE_TOO_BIG:
		return "the stamp does not fit into 64 bits";
	case TEXTLINE_SECONDS:
		return "the stamp is in seconds, not TSC ticks (ftrace: trace_clock x86-tsc)";
	case TEXTLINE_ADDRESS:
		return "a kernel address where the stamp should be";
	case TEXTLINE_BAD_CPU:
		return "not a CPU number";
	case TEXTLINE_BAD_PID:
		return "not a pid";
	case TEXTLINE_NO_MATCH:
		return "the regex does not match";
	case TEXTLINE_COSTLY:
		return "the regex takes too many steps";
	case TEXTLINE_CUT:
		return "the file ends inside this line";
	case TEXTLINE_BAD_TIME:
		return "not a stamp as QEMU writes it (TID@SEC.USEC: or an ISO 8601 UTC time)";
	default:
		return "an event";
	}
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static void skip_blanks(struct scan *in)
{
	while (in->p < in->end && is_blank(*in->p))
		in->p++;
}

static bool at_end_or(const struct scan *in, const char *p, const char *any)
{
	return p == in->end || (*p && strchr(any, *p));
}

static bool skip_char(struct scan *in, const char *any)
{
	if (in->p == in->end || !*in->p || !strchr(any, *in->p))
		return false;
	in->p++;
	return true;
}

static unsigned digit_value(char c)
{
	if (is_digit(c))
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	return 99;
}

enum textline_status textline_number(const char *s, size_t n, unsigned base, uint64_t *ret)
{
	uint64_t v = 0;

	if (n > 2 && s[0] == '0' && (s[1] | 0x20) == 'x') {
		base = 16;
		s += 2;
		n -= 2;
	}
	base = base ?: 10;
	if (!n)
		return TEXTLINE_NO_NUMBER;
	for (size_t i = 0; i < n; i++) {
		unsigned d = digit_value(s[i]);

		if (d >= base)
			return TEXTLINE_NO_NUMBER;
		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
			return TEXTLINE_TOO_BIG;
	}
	*ret = v;
	return TEXTLINE_EVENT;
}

/* A run of digits at p: its end, or p without one; a number over max counts as none. */
static const char *small_number(const struct scan *in, const char *p, uint64_t max, uint64_t *ret)
{
	const char *start = p;
	uint64_t v;

	while (p < in->end && is_digit(*p))
		p++;
	if (textline_number(start, (size_t)(p - start), 10, &v) || v > max)
		return start;
	*ret = v;
	return p;
}

static void begin(struct textline *l)
{
	*l = (struct textline){.cpu = -1, .pid = -1};
}

static void end_message(struct scan *in, struct textline *l)
{
	l->message = (struct textline_str){in->p, (size_t)(in->end - in->p)};
}

/* "NAME:" or "SYSTEM:NAME:" before a blank or the end. */
static void take_event(struct scan *in, struct textline *l)
{
	const char *p = in->p;
	unsigned colons = 0;

	while (p < in->end && (is_name(*p) || (p > in->p && (is_digit(*p) || *p == '.')) ||
			       (*p == ':' && p > in->p && p + 1 < in->end && is_name(p[1]))))
		colons += *p++ == ':';
	if (p == in->p || colons > 1 || p == in->end || *p != ':' || !at_end_or(in, p + 1, " \t"))
		return;
	l->event = (struct textline_str){in->p, (size_t)(p - in->p)};
	in->p = p + 1;
	skip_blanks(in);
}

/* --- marks ---------------------------------------------------------------------- */

static bool skip_word(struct scan *in, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(in->end - in->p) < n || strncasecmp(in->p, word, n))
		return false;
	in->p += n;
	return true;
}

static bool take_lost(struct scan *in, struct textline *l)
{
	bool ours = skip_word(in, "LOST ");
	const char *p = small_number(in, in->p, UINT64_MAX - 1, &l->lost);

	if (p == in->p)
		l->lost = TEXTLINE_UNKNOWN;
	in->p = p;
	skip_blanks(in);
	if (!skip_word(in, "EVENTS"))
		return false;
	return ours ? l->lost != TEXTLINE_UNKNOWN : skip_word(in, " DROPPED");
}

enum textline_status textline_plain(const char *s, size_t n, struct textline *ret)
{
	struct scan in = {s, s + n};
	uint64_t cpu;
	const char *p;

	skip_blanks(&in);
	if (in.p == in.end || *in.p == '#')
		return TEXTLINE_EMPTY;
	begin(ret);
	if (skip_word(&in, "CPU:")) {
		p = small_number(&in, in.p, TEXTLINE_CPU_MAX, &cpu);
		if (p == in.p)
			return TEXTLINE_NO_STAMP;
		ret->cpu = (int)cpu;
		in.p = p;
		skip_blanks(&in);
		return skip_char(&in, "[") && take_lost(&in, ret) ? TEXTLINE_LOST
								  : TEXTLINE_NO_STAMP;
	}
	return *in.p == 'L' && take_lost(&in, ret) && in.p == in.end ? TEXTLINE_LOST
								     : TEXTLINE_NO_STAMP;
}

/* --- STAMP cpuN TASK[PID] EVENT: MESSAGE ----------------------------------------- */

/* The number at the scan's place; what must follow it is checked by the caller. */
static enum textline_status take_stamp(struct scan *in, unsigned base, struct textline *l)
{
	const char *start = in->p, *p = start;
	enum textline_status status;

	while (p < in->end && !is_blank(*p) && *p != ':' && *p != ',' && *p != ']')
		p++;
	if (p == start || (!is_digit(*start) && (base != 16 || digit_value(*start) > 15)))
		return TEXTLINE_NO_STAMP;
	status = textline_number(start, (size_t)(p - start), base, &l->stamp);
	if (status == TEXTLINE_NO_NUMBER) {
		const char *dot = memchr(start, '.', (size_t)(p - start));
		uint64_t whole;

		if (dot && !textline_number(start, (size_t)(dot - start), 10, &whole))
			return TEXTLINE_SECONDS;
	}
	in->p = l->numbers_end = p;
	return status;
}

/* "cpu3", "CPU 3", "cpu=3", "[003]", then a separator. */
static void take_cpu(struct scan *in, struct textline *l)
{
	struct scan at = *in;
	uint64_t cpu;
	const char *p;
	bool boxed = skip_char(&at, "[");

	if (boxed)
		skip_blanks(&at);
	else if (!skip_word(&at, "cpu"))
		return;
	else
		skip_char(&at, "=:# ");
	p = small_number(&at, at.p, TEXTLINE_CPU_MAX, &cpu);
	if (p == at.p)
		return;
	at.p = p;
	if ((boxed && !skip_char(&at, "]")) || !at_end_or(&at, at.p, " \t:,"))
		return;
	l->cpu = (int)cpu;
	l->numbers_end = p;
	skip_char(&at, ":,");
	skip_blanks(&at);
	*in = at;
}

/* "TASK[PID]" or "TASK(PID)", then a separator. Names of tasks may hold blanks ("CPU 0/KVM"). */
static void take_task(struct scan *in, struct textline *l)
{
	size_t room = (size_t)(in->end - in->p);
	uint64_t pid;

	for (size_t i = 1; i <= COMM_MAX && i < room; i++) {
		struct scan at = {in->p + i, in->end};
		const char *p, *close = *at.p == '(' ? ")" : "]";

		if (is_blank(at.p[-1]) || !skip_char(&at, "[("))
			continue;
		p = small_number(&at, at.p, INT32_MAX, &pid);
		if (p == at.p)
			continue;
		at.p = p;
		if (!skip_char(&at, close) || !at_end_or(&at, at.p, " \t:,"))
			continue;
		l->task = (struct textline_str){in->p, i};
		l->pid = (int)pid;
		l->numbers_end = p;
		skip_char(&at, ":,");
		skip_blanks(&at);
		*in = at;
		return;
	}
}

/* Bytes of a struct _stp_trace of SystemTap before the text: u32 sequence, u32 length of what
 * follows, newline included. Its per-CPU files have one per record, and stapio 4.8 leaves some in the
 * merged output. A newline among its first bytes has cut these off. */
static size_t stap_header(const char *s, size_t n)
{
	uint32_t length;

	for (size_t k = sizeof(length); k <= 2 * sizeof(length) && k < n; k++) {
		memcpy(&length, s + k - sizeof(length), sizeof(length));
		if (length == n - k + 1)
			return k;
	}
	return 0;
}

enum textline_status textline_stamped(const char *s, size_t n, unsigned base, struct textline *ret)
{
	struct scan in = {s + stap_header(s, n), s + n};
	enum textline_status status;
	bool boxed, hex;

	begin(ret);
	skip_blanks(&in);
	boxed = skip_char(&in, "[");
	skip_blanks(&in);
	if (skip_word(&in, "tsc") && !skip_char(&in, "=:"))
		return TEXTLINE_NO_STAMP;
	skip_blanks(&in);
	hex = base == 16 || (in.end - in.p > 2 && (in.p[1] | 0x20) == 'x');
	status = take_stamp(&in, base, ret);
	if (status)
		return status;
	if (boxed && !skip_char(&in, "]"))
		return TEXTLINE_NO_STAMP;
	if (hex && ret->stamp >= KERNEL_ADDRESS)
		return TEXTLINE_ADDRESS;
	skip_char(&in, ":,");
	skip_blanks(&in);
	take_cpu(&in, ret);
	take_task(&in, ret);
	take_event(&in, ret);
	end_message(&in, ret);
	return TEXTLINE_EVENT;
}

/* --- TASK-PID [CPU] FLAGS STAMP: EVENT: MESSAGE ---------------------------------- */

/* Going back from p: blanks, "(tgid)", blanks, digits, '-'. Sets task and pid. */
static bool task_before(const char *start, const char *p, struct textline *l)
{
	const char *digits;
	uint64_t pid;

	while (p > start && is_blank(p[-1]))
		p--;
	if (p > start && p[-1] == ')') {
		p--;
		while (p > start && (is_digit(p[-1]) || is_blank(p[-1]) || p[-1] == '-'))
			p--;
		if (p == start || *--p != '(')
			return false;
		while (p > start && is_blank(p[-1]))
			p--;
	}
	digits = p;
	while (digits > start && is_digit(digits[-1]))
		digits--;
	if (digits == p || digits < start + 2 || digits[-1] != '-' ||
	    textline_number(digits, (size_t)(p - digits), 10, &pid) || pid > INT32_MAX)
		return false;
	l->pid = (int)pid;
	l->task = (struct textline_str){start, (size_t)(digits - 1 - start)};
	return true;
}

/* Finds the first "[CPU]" that has a task before it, and goes behind it. */
static bool take_task_and_cpu(struct scan *in, struct textline *l)
{
	const char *start = in->p, *p = start, *digits_end;
	uint64_t cpu;

	while ((p = memchr(p, '[', (size_t)(in->end - p)))) {
		const char *box = p++;

		digits_end = small_number(in, p, TEXTLINE_CPU_MAX, &cpu);
		if (digits_end == p || digits_end == in->end || *digits_end != ']' ||
		    !task_before(start, box, l))
			continue;
		l->cpu = (int)cpu;
		in->p = digits_end + 1;
		skip_blanks(in);
		return true;
	}
	return false;
}

/* "STAMP:"; the flags before it are one word or none. */
static enum textline_status take_ftrace_stamp(struct scan *in, unsigned base, struct textline *l)
{
	enum textline_status status = TEXTLINE_NO_STAMP;

	for (unsigned word = 0; word < 2; word++) {
		struct scan at = *in;

		status = take_stamp(&at, base, l);
		if (!status && at.p < at.end && *at.p == ':') {
			in->p = at.p + 1;
			skip_blanks(in);
			return TEXTLINE_EVENT;
		}
		if (status == TEXTLINE_SECONDS || status == TEXTLINE_TOO_BIG)
			return status;
		while (in->p < in->end && !is_blank(*in->p))
			in->p++;
		skip_blanks(in);
	}
	return status ?: TEXTLINE_NO_STAMP;
}

enum textline_status textline_ftrace(const char *s, size_t n, unsigned base, struct textline *ret)
{
	struct scan in = {s, s + n};
	enum textline_status status;

	begin(ret);
	skip_blanks(&in);
	if (!take_task_and_cpu(&in, ret))
		return TEXTLINE_NO_STAMP;
	status = take_ftrace_stamp(&in, base, ret);
	if (status)
		return status;
	take_event(&in, ret);
	end_message(&in, ret);
	if (!ret->event.n && memmem(in.p, ret->message.n, " <-", 3))
		ret->event = (struct textline_str){"function", 8};
	if (ret->task.n == 5 && !memcmp(ret->task.s, "<...>", 5))
		ret->task.n = 0;
	return TEXTLINE_EVENT;
}
