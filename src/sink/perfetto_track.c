// SPDX-License-Identifier: GPL-2.0-or-later
/* Each track is a packet sequence of its own: names are told once and then are numbers, times are
 * differences, and the track needs no mention. */
#include "sink/perfetto_track.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "sink/perfetto_impl.h"

#define NAMES_MAX   4096u	       /* of a track; further ones are written out */
#define UUID_BASE   0x6f6e657473630000 /* "onetsc": no other track has such a number */
#define DELTA_CLOCK 64		       /* the first of a sequence's own clock numbers */

enum { EVENT_BEGIN = 1, EVENT_END = 2, EVENT_MOMENT = 3, EVENT_COUNT = 4 }; /* TrackEvent.Type */
enum { NAME_EVENT = 2, NAME_ARG = 3, NAME_TEXT = 29 }; /* InternedData, by field number */

struct perfetto_name {
	char *s; /* NULL: free */
	uint32_t iid;
	uint8_t what;
};

struct perfetto_track {
	struct sink_perfetto *s;
	struct perfetto_track *next;
	uint64_t uuid, last_ns;
	uint32_t sequence;
	bool started;
	struct perfetto_name *names; /* a hash table */
	uint32_t n_names, size;
};

static uint32_t hash(const char *s, unsigned what)
{
	uint32_t h = 2166136261u + what;

	while (*s)
		h = (h ^ (uint8_t)*s++) * 16777619u;
	return h;
}

static struct perfetto_name *slot(const struct perfetto_track *t, const char *s, unsigned what)
{
	uint32_t at = hash(s, what);

	for (at &= t->size - 1;; at = (at + 1) & (t->size - 1))
		if (!t->names[at].s || (t->names[at].what == what && !strcmp(t->names[at].s, s)))
			return &t->names[at];
}

static bool grow(struct perfetto_track *t)
{
	struct perfetto_name *old = t->names;
	uint32_t n = t->size, size = n ? 2 * n : 64;

	t->names = calloc(size, sizeof(*t->names));
	if (!t->names) {
		t->names = old;
		return false;
	}
	t->size = size;
	for (uint32_t i = 0; i < n; i++)
		if (old[i].s)
			*slot(t, old[i].s, old[i].what) = old[i];
	free(old);
	return true;
}

/* The number of a name; 0: it has none. New ones go into s->interned. */
static uint32_t intern(struct perfetto_track *t, unsigned what, const char *text)
{
	struct perfetto_name *n = t->size ? slot(t, text, what) : NULL;
	size_t mark;

	if (n && n->s)
		return n->iid;
	if (t->n_names == NAMES_MAX)
		return 0;
	if (2 * (t->n_names + 1) > t->size && !grow(t))
		return 0;
	n = slot(t, text, what);
	*n = (struct perfetto_name){strdup(text), t->n_names + 1, (uint8_t)what};
	if (!n->s)
		return 0;
	t->n_names++;
	mark = pb_begin(&t->s->interned, what);
	pb_u64(&t->s->interned, 1, n->iid);
	pb_puts(&t->s->interned, 2, text);
	pb_end(&t->s->interned, mark);
	return n->iid;
}

/* TrackDescriptor */
static int describe(struct perfetto_track *t, const struct perfetto_track_spec *spec)
{
	struct pb *p = perfetto_packet(t->s, 0);
	size_t mark = pb_begin(p, PACKET_TRACK_DESCRIPTOR), counter;

	pb_u64(p, 1, t->uuid);
	pb_puts(p, 2, spec->name);
	if (spec->parent)
		pb_u64(p, 5, spec->parent->uuid);
	if (spec->counter) {
		counter = pb_begin(p, 8);
		if (spec->unit)
			pb_puts(p, 6, spec->unit);
		pb_end(p, counter);
	}
	pb_u64(p, 11, 3); /* child_ordering: by rank */
	pb_u64(p, 12, spec->rank);
	pb_u64(p, 15, 2); /* sibling_merge_behavior: none */
	pb_end(p, mark);
	return perfetto_packet_end(t->s);
}

int perfetto_track_new(struct sink_perfetto *s, const struct perfetto_track_spec *spec,
		       struct perfetto_track **ret)
{
	struct perfetto_track *t = calloc(1, sizeof(*t));

	if (!t)
		return log_err_r(-ENOMEM, "cannot export: %m");
	t->s = s;
	t->sequence = (uint32_t)s->in->machines.n + ++s->n_tracks; /* behind the machines' */
	t->uuid = UUID_BASE + s->n_tracks;
	t->next = s->tracks;
	s->tracks = t;
	*ret = t;
	return describe(t, spec);
}

void perfetto_tracks_free(struct sink_perfetto *s)
{
	for (struct perfetto_track *t = s->tracks, *next; t; t = next) {
		next = t->next;
		for (uint32_t i = 0; i < t->size; i++)
			free(t->names[i].s);
		free(t->names);
		free(t);
	}
}

static struct pb *track_packet(struct perfetto_track *t)
{
	struct pb *p = &t->s->packet;

	p->n = 0;
	pb_u64(p, PACKET_SEQUENCE_ID, t->sequence);
	return p;
}

/* Says once that stamps of the sequence are differences and events are on the track. */
static int start(struct perfetto_track *t, uint64_t ns)
{
	struct pb *p = track_packet(t);
	size_t outer, inner;

	t->started = true;
	t->last_ns = ns;
	pb_u64(p, PACKET_SEQUENCE_FLAGS, 3); /* state cleared, and needed */
	outer = pb_begin(p, PACKET_CLOCK_SNAPSHOT);
	inner = pb_begin(p, 1);
	pb_u64(p, 1, DELTA_CLOCK);
	pb_u64(p, 2, ns);
	pb_u64(p, 3, 1); /* is_incremental */
	pb_end(p, inner);
	inner = pb_begin(p, 1);
	pb_u64(p, 1, CLOCK_ID_BOOTTIME);
	pb_u64(p, 2, ns);
	pb_end(p, inner);
	pb_end(p, outer);
	outer = pb_begin(p, PACKET_DEFAULTS);
	pb_u64(p, PACKET_TIMESTAMP_CLOCK_ID, DELTA_CLOCK);
	inner = pb_begin(p, PACKET_TRACK_EVENT);
	pb_u64(p, 11, t->uuid);
	pb_end(p, inner);
	pb_end(p, outer);
	return perfetto_packet_end(t->s);
}

static void put_name(struct perfetto_track *t, struct pb *p, unsigned what, unsigned iid_field,
		     unsigned field, const char *text)
{
	uint32_t iid = intern(t, what, text);

	if (iid)
		pb_u64(p, iid_field, iid);
	else
		pb_puts(p, field, text);
}

/* DebugAnnotation */
static void put_arg(struct perfetto_track *t, struct pb *p, const struct perfetto_arg *a)
{
	size_t mark = pb_begin(p, 4);

	put_name(t, p, NAME_ARG, 1, 10, a->name);
	if (a->type == ARG_TEXT)
		put_name(t, p, NAME_TEXT, 17, 6, a->text);
	else
		pb_u64(p, a->type == ARG_HEX ? 7 : a->type == ARG_S64 ? 4 : 3, a->v);
	pb_end(p, mark);
}

/* A packet with a TrackEvent. counter NULL: none. */
static int put_event(struct perfetto_track *t, uint64_t ns, unsigned type, const char *name,
		     const struct perfetto_extra *extra, const uint64_t *counter)
{
	struct pb *p;
	size_t mark;
	int r = t->started ? 0 : start(t, ns);

	if (r)
		return r;
	if (ns < t->last_ns) /* the caller's order */
		ns = t->last_ns;
	p = track_packet(t);
	pb_u64(p, PACKET_TIMESTAMP, ns - t->last_ns);
	t->last_ns = ns;
	pb_u64(p, PACKET_SEQUENCE_FLAGS, 2); /* state needed */
	t->s->interned.n = 0;
	mark = pb_begin(p, PACKET_TRACK_EVENT);
	for (size_t i = 0; extra && i < extra->n_args; i++)
		put_arg(t, p, &extra->args[i]);
	pb_u64(p, 9, type);
	if (name)
		put_name(t, p, NAME_EVENT, 10, 23, name);
	if (counter)
		pb_u64(p, 30, *counter);
	if (extra && extra->flow_from)
		pb_fixed64(p, 47, extra->flow_from);
	if (extra && extra->flow_to)
		pb_fixed64(p, 48, extra->flow_to);
	pb_end(p, mark);
	if (t->s->interned.n)
		pb_message(p, PACKET_INTERNED_DATA, &t->s->interned);
	return perfetto_packet_end(t->s);
}

int perfetto_track_begin(struct perfetto_track *t, uint64_t ticks, const char *name,
			 const struct perfetto_extra *extra)
{
	return put_event(t, perfetto_ns(t->s, ticks), EVENT_BEGIN, name, extra, NULL);
}

int perfetto_track_end(struct perfetto_track *t, uint64_t ticks)
{
	return put_event(t, perfetto_ns(t->s, ticks), EVENT_END, NULL, NULL, NULL);
}

int perfetto_track_slice(struct perfetto_track *t, uint64_t from_ticks, uint64_t to_ticks,
			 const char *name, const struct perfetto_extra *extra)
{
	int r = perfetto_track_begin(t, from_ticks, name, extra);

	return r ? r : perfetto_track_end(t, to_ticks);
}

int perfetto_track_moment(struct perfetto_track *t, uint64_t ticks, const char *name,
			  const struct perfetto_extra *extra)
{
	return put_event(t, perfetto_ns(t->s, ticks), EVENT_MOMENT, name, extra, NULL);
}

int perfetto_track_count_ns(struct perfetto_track *t, uint64_t ns, uint64_t v)
{
	return put_event(t, ns, EVENT_COUNT, NULL, NULL, &v);
}
