// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/qemulog.h"

#include <limits.h>
#include <string.h>

#define NS_PER_S    1000000000u
#define SECONDS_MAX 9000000000u /* fits 63 bits as ns: the year 2255 */

struct scan {
	const char *p, *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

static bool take(struct scan *in, char c)
{
	if (in->p == in->end || *in->p != c)
		return false;
	in->p++;
	return true;
}

/* Digits up to max; their number in *ret_n. False: more than max, or none. */
static bool take_number(struct scan *in, uint64_t max, uint64_t *ret, unsigned *ret_n)
{
	uint64_t v = 0;
	unsigned n = 0;

	for (; in->p < in->end && is_digit(*in->p); in->p++, n++) {
		v = v * 10 + (unsigned)(*in->p - '0');
		if (v > max || n > 18)
			return false;
	}
	*ret = v;
	*ret_n = n;
	return n != 0;
}

/* ".123456" as ns; at most nine digits. */
static bool take_fraction(struct scan *in, uint64_t *ret_ns)
{
	unsigned n;

	if (!take(in, '.') || !take_number(in, NS_PER_S - 1, ret_ns, &n) || n > 9)
		return false;
	for (; n < 9; n++)
		*ret_ns *= 10;
	return true;
}

static void take_text(struct scan *in, struct textline *l, bool any_name)
{
	const char *p = in->p;
	bool is_name = p < in->end && !is_digit(*p);

	while (p < in->end && is_word(*p))
		p++;
	is_name &= p > in->p && (p == in->end || *p == ' ');
	if (is_name && (any_name || memchr(in->p, '_', (size_t)(p - in->p)))) {
		l->event = (struct textline_str){in->p, (size_t)(p - in->p)};
		in->p = p < in->end ? p + 1 : p;
	}
	l->message = (struct textline_str){in->p, (size_t)(in->end - in->p)};
}

static enum textline_status lost(struct scan *in, struct textline *l)
{
	unsigned n;

	in->p++;
	return take_number(in, UINT64_MAX / 16, &l->lost, &n) ? TEXTLINE_LOST : TEXTLINE_NO_NUMBER;
}

/* in->p is behind the digits of "TID@". */
static enum textline_status with_thread(struct scan *in, uint64_t tid, struct textline *l)
{
	uint64_t s, ns;
	unsigned n;

	if (tid > INT_MAX)
		return TEXTLINE_BAD_PID;
	l->pid = (int)tid;
	if (!take_number(in, SECONDS_MAX, &s, &n) || !take_fraction(in, &ns) || !take(in, ':'))
		return TEXTLINE_BAD_TIME;
	l->stamp = s * NS_PER_S + ns;
	l->numbers_end = in->p - 1;
	if (in->p < in->end && *in->p == '!')
		return lost(in, l);
	take_text(in, l, true);
	return TEXTLINE_EVENT;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar, from 1970 on. */
static uint64_t days_of(uint64_t year, uint64_t month, uint64_t day)
{
	uint64_t y = year - (month <= 2), m = month + (month <= 2 ? 12 : 0);

	return y * 365 + y / 4 - y / 100 + y / 400 + (153 * (m - 3) + 2) / 5 + day - 1 - 719468;
}

/* Number of exactly n digits, up to max, and the character behind it (0: none). */
static bool take_part(struct scan *in, unsigned n, uint64_t max, char behind, uint64_t *ret)
{
	unsigned got;

	return take_number(in, max, ret, &got) && got == n && (!behind || take(in, behind));
}

static enum textline_status with_date(struct scan *in, struct textline *l)
{
	uint64_t year, month, day, h, min, s, ns = 0;

	if (!take_part(in, 4, 2250, '-', &year) || !take_part(in, 2, 12, '-', &month) ||
	    !take_part(in, 2, 31, 'T', &day) || !take_part(in, 2, 23, ':', &h) ||
	    !take_part(in, 2, 59, ':', &min) || !take_part(in, 2, 60, 0, &s) || year < 1970 ||
	    !month || !day)
		return TEXTLINE_BAD_TIME;
	if (in->p < in->end && *in->p == '.' && !take_fraction(in, &ns))
		return TEXTLINE_BAD_TIME;
	if (!take(in, 'Z'))
		return TEXTLINE_BAD_TIME;
	l->numbers_end = in->p;
	if (in->p < in->end && !take(in, ' '))
		return TEXTLINE_BAD_TIME;
	l->stamp = (days_of(year, month, day) * 86400 + h * 3600 + min * 60 + s) * NS_PER_S + ns;
	take_text(in, l, false);
	return TEXTLINE_EVENT;
}

enum textline_status qemulog_line(const char *s, size_t n, struct textline *ret)
{
	struct scan in = {s, s + n};
	uint64_t number;
	unsigned digits;

	*ret = (struct textline){.cpu = -1, .pid = -1, .task = {"qemu", 4}};
	if (!n)
		return TEXTLINE_EMPTY;
	if (!take_number(&in, UINT64_MAX / 16, &number, &digits))
		return TEXTLINE_NO_STAMP;
	if (take(&in, '@'))
		return with_thread(&in, number, ret);
	if (digits != 4 || in.p == in.end || *in.p != '-')
		return TEXTLINE_NO_STAMP;
	in.p = s;
	return with_date(&in, ret);
}
