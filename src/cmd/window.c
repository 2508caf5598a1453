// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/window.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

/* "123t" are host ticks, else a time since the first event. */
static int parse_time(const struct timeline *t, const char *name, const char *text, bool is_end,
		      uint64_t *ret)
{
	const struct input *in = timeline_input(t);
	size_t n = strlen(text);
	struct tsc_range range;
	uint64_t ns;

	if (n && text[n - 1] == 't') {
		_cleanup_free_ char *digits = strndup(text, n - 1);

		if (digits && !text_to_u64(digits, ret))
			return 0;
	} else if (!text_to_ns(text, &ns)) {
		if (!in->conv.mult)
			return log_err_r(-ENODATA,
					 "\"%s\" does not tell the frequency of its clock; give "
					 "--%s in ticks, \"123t\"",
					 in->title, name);
		range = conv_from_ns(&in->conv, ns);
		*ret = timeline_first_ticks(t) + (is_end ? range.hi : range.lo);
		return 0;
	}
	return log_err_r(-EINVAL,
			 "\"%s\" is not a valid --%s; it takes \"1.5s\", \"20ms\" or ticks as "
			 "\"123t\"",
			 text, name);
}

/* The times need the first event's tick, which a timeline without filter knows. */
static int set_times(const struct window *w, const struct input *in, struct timeline_filter *f)
{
	_cleanup_timeline_ struct timeline *t = NULL;
	int r;

	if (!w->from && !w->to)
		return 0;
	r = timeline_new(in, NULL, &t);
	if (!r && w->from)
		r = parse_time(t, "from", w->from, false, &f->from_ticks);
	if (!r && w->to)
		r = parse_time(t, "to", w->to, true, &f->to_ticks);
	if (!r && w->to && f->from_ticks > f->to_ticks)
		r = log_err_r(-EINVAL, "--from %s is later than --to %s: nothing lies between",
			      w->from ?: "0", w->to);
	return r;
}

static int set_vm(const struct window *w, const struct input *in, struct timeline_filter *f)
{
	if (!w->vm)
		return 0;
	f->vm = w->vm;
	array_for_each(m, &in->machines)
		if (m->is_guest && !fnmatch(w->vm, m->name, 0))
			return 0;
	return log_err_r(-EINVAL, "\"%s\" has no guest with the name \"%s\"", in->title, w->vm);
}

int window_filter(const struct window *w, const struct input *in, struct timeline_filter *f)
{
	int r = set_vm(w, in, f);

	return r ? r : set_times(w, in, f);
}
