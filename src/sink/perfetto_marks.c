// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "sink/perfetto_lane.h"
#include "sink/perfetto_vcpu.h"

#define ARGS_MAX  8u
#define TEXT_MAX  200u /* bytes of an argument */
#define NAME_SIZE 320u

static int lane_track(struct sink_perfetto *s, const struct perfetto_lane *l, const char *what,
		      struct perfetto_track **track)
{
	char name[NAME_SIZE], cpu[32] = "";

	if (*track)
		return 0;
	if (l->cpu != SOURCE_NO_CPU)
		snprintf(cpu, sizeof(cpu), " CPU %u", l->cpu);
	snprintf(name, sizeof(name), "%.250s%s: %s",
		 input_machine_title(&s->in->machines.v[l->machine]), cpu, what);
	return perfetto_track_new(
		s, &(struct perfetto_track_spec){.name = name, .rank = 100000 + l->cpu}, track);
}

int perfetto_mark_lost(struct sink_perfetto *s, struct perfetto_lane *l, const struct event *ev)
{
	struct perfetto_arg arg = {"events", ARG_U64, .v = ev->lost};
	struct perfetto_extra extra = {.args = &arg, .n_args = ev->lost != UINT64_MAX};
	int r = lane_track(s, l, "lost events", &l->lost_track);

	if (r)
		return r;
	if (ev->end_ticks == UINT64_MAX)
		return perfetto_track_moment(l->lost_track, ev->ticks, "lost from here on", &extra);
	return perfetto_track_slice(l->lost_track, ev->ticks, ev->end_ticks, "lost", &extra);
}

struct text_arg {
	char text[TEXT_MAX + 1];
};

static bool fill_arg(const struct source_field *f, const struct event *ev, struct perfetto_arg *a,
		     struct text_arg *t)
{
	const char *p;
	size_t n;

	if (f->is_common || !strcmp(f->name, "comm"))
		return false;
	a->name = f->name;
	if (f->type == FIELD_UINT || f->type == FIELD_INT) {
		a->type = f->is_pointer ? ARG_HEX : f->type == FIELD_INT ? ARG_S64 : ARG_U64;
		a->v = source_field_u64(f, ev->data);
		return true;
	}
	p = source_field_bytes(f, ev->data, ev->size, &n);
	if (!p || f->type == FIELD_BYTES || f->type == FIELD_DYN_BYTES ||
	    f->type == FIELD_REL_BYTES)
		return false;
	snprintf(t->text, sizeof(t->text), "%.*s", (int)(n < TEXT_MAX ? n : TEXT_MAX), p);
	a->type = ARG_TEXT;
	a->text = t->text;
	return true;
}

int perfetto_mark_text(struct sink_perfetto *s, struct perfetto_lane *l, const struct event *ev)
{
	const struct source_kind *k = ev->kind;
	struct perfetto_arg args[ARGS_MAX];
	struct text_arg texts[ARGS_MAX];
	struct perfetto_extra extra = {.args = args};
	int r = lane_track(s, l, "log", &l->text_track);

	for (size_t i = 0; i < k->n_fields && extra.n_args < ARGS_MAX; i++)
		if (fill_arg(&k->fields[i], ev, &args[extra.n_args], &texts[extra.n_args]))
			extra.n_args++;
	return r ? r : perfetto_track_moment(l->text_track, ev->ticks, k->name, &extra);
}
