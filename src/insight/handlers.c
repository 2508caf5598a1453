// SPDX-License-Identifier: GPL-2.0-or-later
#include "insight/handlers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "insight/threads.h"
#include "timeline/timeline.h"

#define GROUP	  "onetsc_" /* capture/uprobes.h */
#define KINDS_MAX 32

enum { EXIT_IO = 2, EXIT_MMIO = 6 }; /* KVM_EXIT_*, linux/kvm.h */

struct handlers {
	struct threads threads;
	struct handlers_track *tracks;
	size_t n_tracks;
	const struct source_kind *exit, *entry, *enter[KINDS_MAX], *leave[KINDS_MAX];
	size_t n_enter, n_leave;
	uint64_t gap_end; /* events are missing up to here */
	const struct source_field *reason, *error;
	struct handlers_result result;
};

/* --- one thread --- */
static void close_exit(struct handlers_track *t, struct handlers_result *r)
{
	if (t->open && t->answered)
		r->handled++;
	else if (t->open && !t->known)
		r->unjudged++;
	else if (t->open && !r->missing++)
		r->first_missing_ticks = t->ticks;
	t->open = false;
}

void handlers_exit(struct handlers_track *t, struct handlers_result *r, uint64_t reason,
		   int32_t error, uint64_t ticks)
{
	close_exit(t, r);
	/* A signal that interrupts KVM_RUN shows the reason of an earlier exit. */
	if (error < 0 || (reason != EXIT_IO && reason != EXIT_MMIO))
		return;
	r->io += reason == EXIT_IO;
	r->mmio += reason == EXIT_MMIO;
	t->open = true;
	t->answered = false;
	t->ticks = ticks;
}

void handlers_call(struct handlers_track *t, struct handlers_result *r)
{
	r->calls++;
	t->answered = t->known = true;
}

void handlers_entry(struct handlers_track *t, struct handlers_result *r)
{
	close_exit(t, r);
}

/* What is open may have had its call in the gap. */
void handlers_lost(struct handlers_track *t, struct handlers_result *r)
{
	if (t->open && t->answered)
		r->handled++;
	else
		r->unjudged += t->open;
	t->open = t->known = false;
}

/* --- a recording --- */
/* "vmm_enter", "vmm_enter_2" … of any group of ours */
static bool is_probe(const struct source_kind *k, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(k->system, GROUP, strlen(GROUP)) && !strncmp(k->name, name, n) &&
	       (!k->name[n] || k->name[n] == '_');
}

static void find_kinds(struct handlers *h, const struct source *s)
{
	const struct source_facts *f = source_facts(s);

	h->entry = source_kind_find(s, "kvm", "kvm_entry");
	h->exit = source_kind_find(s, "kvm", "kvm_userspace_exit");
	h->reason = h->exit ? source_field_find(h->exit, "reason") : NULL;
	h->error = h->exit ? source_field_find(h->exit, "errno") : NULL;
	for (size_t i = 0; i < f->n_kinds; i++) {
		if (is_probe(f->kinds[i], "vmm_enter") && h->n_enter < KINDS_MAX)
			h->enter[h->n_enter++] = f->kinds[i];
		if (is_probe(f->kinds[i], "vmm_leave") && h->n_leave < KINDS_MAX)
			h->leave[h->n_leave++] = f->kinds[i];
	}
	h->result.has_probes = h->n_enter && h->entry && h->reason && h->error;
}

static int begin(void *state, const struct timeline *t)
{
	struct handlers *h = state;
	const struct input *in = timeline_input(t);
	const struct input_machine *host = in->machines.v;
	int r;

	if (in->machines.n && !host->is_guest && host->source)
		find_kinds(h, host->source);
	r = threads_init(&h->threads, in, &h->n_tracks);
	if (r)
		return r;
	h->tracks = calloc(h->n_tracks + 1, sizeof(*h->tracks));
	return h->tracks ? 0 : -ENOMEM;
}

static void lost(struct handlers *h, uint64_t end_ticks)
{
	if (end_ticks > h->gap_end)
		h->gap_end = end_ticks;
	for (size_t i = 0; i < h->n_tracks; i++)
		handlers_lost(&h->tracks[i], &h->result);
}

static bool is_one(const struct source_kind *k, const struct source_kind *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == k)
			return true;
	return false;
}

static void look(struct handlers *h, const struct event *ev)
{
	bool enter = is_one(ev->kind, h->enter, h->n_enter);
	bool leave = !enter && is_one(ev->kind, h->leave, h->n_leave);
	struct handlers_track *t;
	size_t i;

	if (!enter && !leave && ev->kind != h->entry && ev->kind != h->exit)
		return;
	i = threads_find(&h->threads, source_record_pid(ev->kind, ev->data));
	if (i == SIZE_MAX)
		return;
	t = &h->tracks[i];
	h->result.returns += leave;
	if (enter) {
		handlers_call(t, &h->result);
		t->known = ev->ticks > h->gap_end; /* on other CPUs they go on meanwhile */
	}
	if (ev->kind == h->entry)
		handlers_entry(t, &h->result);
	else if (ev->kind == h->exit)
		handlers_exit(t, &h->result, source_field_u64(h->reason, ev->data),
			      (int32_t)source_field_u64(h->error, ev->data), ev->ticks);
}

static int batch(void *state, const struct event *ev, size_t n)
{
	struct handlers *h = state;

	if (!h->result.has_probes)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (ev[i].machine)
			continue;
		if (ev[i].type == EVENT_LOST)
			lost(h, ev[i].end_ticks);
		else if (ev[i].type == EVENT_RECORD)
			look(h, &ev[i]);
	}
	return 0;
}

/* The recording ended before their calls. */
static int end(void *state)
{
	lost(state, UINT64_MAX);
	return 0;
}

const struct consumer handlers_consumer = {
	.name = "handlers", .begin = begin, .batch = batch, .end = end};

int handlers_new(struct handlers **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void handlers_free(struct handlers *h)
{
	if (!h)
		return;
	threads_free(&h->threads);
	free(h->tracks);
	free(h);
}

const struct handlers_result *handlers_result(const struct handlers *h)
{
	return &h->result;
}
