// SPDX-License-Identifier: GPL-2.0-or-later
/* The one pass over the file: an entry per line, a lane per CPU, the names of kinds and tasks, and
 * what could not be understood. */
#include "source/textlog_parts.h"

#include <event-parse.h>
#include <stdlib.h>

#include "base/log.h"

struct pass {
	struct textlog *t;
	struct textlog_matcher m;
	size_t previous; /* lane of the event before */
	bool has_previous;
	/* QEMU's: the lowest stamp so far, or that of the last mark of lost events */
	uint64_t lost_from;
	bool marked;
};

static struct textlog_lane *lane_of(struct textlog *t, int cpu, size_t *ret_index)
{
	uint16_t *slot = &t->lane_of_cpu[cpu + 1];

	if (!*slot) {
		struct textlog_lane *l = array_add(&t->lanes);

		if (!l)
			return NULL;
		l->cpu = cpu;
		*slot = (uint16_t)t->lanes.n;
	}
	*ret_index = *slot - 1u;
	return &t->lanes.v[*slot - 1];
}

static int add_entry(struct pass *p, int cpu, uint64_t stamp, size_t offset, size_t kind)
{
	struct textlog_lane *lane = lane_of(p->t, cpu, &p->previous);
	struct textlog_entry *e = lane ? array_add(&lane->entries) : NULL;

	if (!e)
		return -ENOMEM;
	p->has_previous = true;
	lane->last_stamp = e->stamp = stamp;
	e->at = (uint64_t)offset << 16 | kind;
	return 0;
}

/* Index of the line's kind. When there are too many it is "line", with the name in the message. A
 * regex may bring any bytes. */
static int kind_of(struct textlog *t, const struct textline *l, size_t *ret_kind)
{
	char name[64];
	size_t n = l->event.n;
	int r;

	*ret_kind = 0;
	if (!n || n > sizeof(name))
		return 0;
	for (size_t i = 0; i < n; i++) {
		char c = l->event.s[i];
		bool at_edge = !i || i == n - 1;

		name[i] = c > ' ' && c < 0x7f && !(c == ':' && at_edge) ? c : '_';
	}
	r = textlog_names_add(&t->kind_names, name, n, TEXTLOG_KINDS_MAX, ret_kind);
	return r == -ENOSPC ? 0 : r;
}

/* The latest name of a pid counts, as in the kernel's saved_cmdlines. */
static int note_task(struct textlog *t, const struct textline *l)
{
	size_t i, n = l->task.n < TEXTLOG_COMM_BYTES ? l->task.n : TEXTLOG_COMM_BYTES - 1;
	struct textlog_names *names = l->pid >= 0 ? &t->pids : &t->tasks;
	int r;

	if (!n)
		return 0;
	if (l->pid >= 0)
		r = textlog_names_add(names, &l->pid, sizeof(l->pid), TEXTLOG_TASKS_MAX, &i);
	else
		r = textlog_names_add(names, l->task.s, l->task.n, TEXTLOG_TASKS_MAX, &i);
	if (r)
		return r == -ENOSPC ? 0 : r;
	memset(names->list.v[i].comm, 0, TEXTLOG_COMM_BYTES);
	memcpy(names->list.v[i].comm, l->task.s, n);
	return 0;
}

static int add_event(struct pass *p, const struct textline *l, size_t offset, size_t n)
{
	struct textlog *t = p->t;
	size_t kind;
	int r = kind_of(t, l, &kind);

	if (!r)
		r = note_task(t, l);
	if (!r)
		r = add_entry(p, l->cpu, l->stamp, offset, kind);
	if (r)
		return r;
	if (!p->marked && (t->n_events == 0 || l->stamp < p->lost_from))
		p->lost_from = l->stamp;
	t->lanes.v[p->previous].bytes += n;
	if (++t->n_events <= TEXTLOG_LINES_MAX)
		return 0;
	return log_err_r(-EFBIG, "\"%s\" has more than %u lines with stamps; cut it (split -l)",
			 t->spec.path, TEXTLOG_LINES_MAX);
}

/* A mark that does not name its CPU belongs to the line before it. */
static int add_lost(struct pass *p, const struct textline *l, size_t offset)
{
	struct textlog *t = p->t;
	int cpu = l->cpu;
	size_t i;

	if (t->shape == TEXTLOG_QEMU) {
		/* QEMU tells when it noticed: all that is sure is that it was after the mark
		 * before, and when there was something in its buffer */
		uint64_t from = p->has_previous ? p->lost_from : l->stamp;

		p->lost_from = l->stamp;
		p->marked = true;
		return add_entry(p, -1, from, offset, TEXTLOG_KIND_LOST);
	}
	if (t->spec.cpu >= 0)
		cpu = t->spec.cpu;
	else if (cpu < 0 && p->has_previous)
		cpu = t->lanes.v[p->previous].cpu;
	if (!lane_of(t, cpu, &i))
		return -ENOMEM;
	return add_entry(p, cpu, t->lanes.v[i].last_stamp, offset, TEXTLOG_KIND_LOST);
}

static void note_bad(struct textlog *t, const char *s, size_t n, enum textline_status status)
{
	char head[41], shown[4 * sizeof(head)];
	bool more;

	if (++t->n_bad > TEXTLOG_EXAMPLES)
		return;
	for (; n && *s == ' '; n--)
		s++;
	more = n >= sizeof(head);
	n = more ? sizeof(head) - 1 : n;
	for (size_t i = 0; i < n; i++)
		head[i] = s[i] ?: ' ';
	head[n] = 0;
	strbuf_printf(&t->examples, "%s%s:%llu: %s: \"%s\"%s", t->n_bad > 1 ? "; " : "",
		      t->spec.path, (unsigned long long)t->n_lines, textline_why(status),
		      text_escape(shown, sizeof(shown), head), more ? "…" : "");
}

static int add_line(struct pass *p, const char *s, size_t n)
{
	size_t offset = (size_t)(s - p->t->p), whole = n;
	enum textline_status status;
	struct textline l;

	p->t->n_lines++;
	status = textlog_line(p->t, &p->m, s, &n, &l);
	p->t->n_long += whole > n + 1;
	switch (status) {
	case TEXTLINE_EVENT:
		return add_event(p, &l, offset, n);
	case TEXTLINE_LOST:
		return add_lost(p, &l, offset);
	case TEXTLINE_EMPTY:
		return 0;
	default:
		note_bad(p->t, s, n, status);
		return 0;
	}
}

static int read_lines(struct pass *p)
{
	const char *at = p->t->p, *stop = at + p->t->n, *end;
	int r = 0;

	if (p->t->n >= 3 && !memcmp(at, "\xef\xbb\xbf", 3))
		at += 3; /* a byte order mark */
	while (at < stop && !r) {
		end = textlog_line_end(p->t, at);
		r = add_line(p, at, (size_t)(end - at));
		at = end < stop ? end + 1 : stop;
	}
	return r;
}

static int by_stamp(const void *a, const void *b)
{
	const struct textlog_entry *x = a, *y = b;

	if (x->stamp != y->stamp)
		return x->stamp < y->stamp ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static int by_cpu(const void *a, const void *b)
{
	unsigned x = (unsigned)((const struct textlog_lane *)a)->cpu;
	unsigned y = (unsigned)((const struct textlog_lane *)b)->cpu;

	return (x > y) - (x < y); /* the lane without a CPU is the last */
}

/* Equal stamps keep the order of the file. */
static void sort_lane(struct textlog *t, struct textlog_lane *lane)
{
	bool in_order = true;
	uint64_t high = 0;

	array_for_each(e, &lane->entries) {
		if (e->stamp >= high) {
			high = e->stamp;
			continue;
		}
		in_order = false;
		if ((e->at & 0xffff) == TEXTLOG_KIND_LOST)
			continue;
		t->n_unordered++;
		if (high - e->stamp > t->max_back_ticks)
			t->max_back_ticks = high - e->stamp;
	}
	if (!in_order && !t->spec.file_order)
		qsort(lane->entries.v, lane->entries.n, sizeof(*lane->entries.v), by_stamp);
}

static int publish_lanes(struct textlog *t)
{
	if (t->lanes.n)
		qsort(t->lanes.v, t->lanes.n, sizeof(*t->lanes.v), by_cpu);
	array_for_each(lane, &t->lanes) {
		struct source_lane *f = array_add(&t->fact_lanes);

		if (!f)
			return -ENOMEM;
		f->buffer = t->spec.is_qemu ? "qemu" : "text";
		f->cpu = lane->cpu < 0 ? SOURCE_NO_CPU : (unsigned)lane->cpu;
		f->bytes = lane->bytes;
		sort_lane(t, lane);
	}
	t->s.facts.lanes = t->fact_lanes.v;
	t->s.facts.n_lanes = t->fact_lanes.n;
	return 0;
}

/* When QEMU noticed that events were lost. */
static uint64_t mark_end(const struct textlog *t, const struct textlog_entry *e)
{
	const char *s = t->p + (e->at >> 16);
	size_t n = (size_t)(textlog_line_end(t, s) - s);
	struct textline l;

	return textlog_line(t, &(struct textlog_matcher){0}, s, &n, &l) == TEXTLINE_LOST ? l.stamp
											 : 0;
}

static bool is_within(const struct textlog *t, const struct textlog_entry *e, uint64_t lo_ns,
		      uint64_t hi_ns)
{
	bool is_mark = (e->at & 0xffff) == TEXTLOG_KIND_LOST;

	return e->stamp <= hi_ns && (e->stamp >= lo_ns || (is_mark && mark_end(t, e) >= lo_ns));
}

uint64_t textlog_cut(struct source *s, uint64_t lo_ns, uint64_t hi_ns, uint64_t *ret_kept)
{
	struct textlog *t = (struct textlog *)s;
	uint64_t events = 0;

	*ret_kept = 0;
	array_for_each(lane, &t->lanes) {
		size_t kept = 0;

		array_for_each(e, &lane->entries) {
			if (is_within(t, e, lo_ns, hi_ns))
				lane->entries.v[kept++] = *e;
			else
				events += (e->at & 0xffff) != TEXTLOG_KIND_LOST;
		}
		lane->entries.n = kept;
		*ret_kept += kept;
	}
	return events;
}

static int tell(const struct textlog *t)
{
	const char *path = t->spec.path, *examples = t->examples.s ?: "";

	if (t->n_bad && !t->n_events && t->spec.is_qemu)
		return log_err_r(-EBADMSG,
				 "no line of \"%s\" has a stamp of QEMU's: %s; QEMU writes them "
				 "when it is started with -msg timestamp=on",
				 path, examples);
	if (t->n_bad && !t->n_events)
		return log_err_r(-EBADMSG,
				 "no line of \"%s\" has a TSC stamp where one was looked for: %s; "
				 "describe the lines with regex=",
				 path, examples);
	if (t->n_bad)
		log_warn("\"%s\": %llu of %llu lines are no events: %s%s", path,
			 (unsigned long long)t->n_bad, (unsigned long long)t->n_lines, examples,
			 t->n_bad > TEXTLOG_EXAMPLES ? "; …" : "");
	else if (!t->n_events)
		log_warn("\"%s\" has no events", path);
	if (t->n_long)
		log_warn("\"%s\": %llu lines are longer than %u bytes and were cut there", path,
			 (unsigned long long)t->n_long, TEXTLOG_LINE_BYTES);
	if (t->n_unordered)
		log_info("\"%s\": %llu lines have a lower stamp than one before them on their CPU, "
			 "by up to %llu %s; %s",
			 path, (unsigned long long)t->n_unordered,
			 (unsigned long long)t->max_back_ticks, t->spec.is_qemu ? "ns" : "ticks",
			 t->spec.file_order ? "left as they are" : "sorted by stamp");
	return 0;
}

int textlog_index(struct textlog *t)
{
	struct pass p = {.t = t};
	size_t line;
	int r;

	t->lane_of_cpu = calloc(TEXTLINE_CPU_MAX + 2, sizeof(*t->lane_of_cpu));
	r = t->lane_of_cpu ? textlog_names_add(&t->kind_names, "line", 4, 1, &line) : -ENOMEM;
	if (!r)
		r = textlog_matcher_init(t, &p.m);
	if (!r)
		r = read_lines(&p);
	textlog_matcher_free(&p.m);
	if (!r)
		r = publish_lanes(t);
	return r ? r : tell(t);
}
