// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc check, for people. */
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "cmd/check.h"

static const char *machine_name(const struct input *in, unsigned machine, char *buf, size_t n)
{
	return text_escape(buf, n, in->machines.v[machine].name ?: "?");
}

static const char *duration(const struct input *in, uint64_t ticks, char *buf, size_t n)
{
	uint64_t ns = in->conv.mult ? conv_to_ns(&in->conv, ticks) : 0;

	*buf = 0;
	if (in->conv.mult && ns < 10000)
		snprintf(buf, n, " (%" PRIu64 " ns)", ns);
	else if (in->conv.mult && ns < 10000000)
		snprintf(buf, n, " (%" PRIu64 " us)", ns / 1000);
	else if (in->conv.mult)
		snprintf(buf, n, " (%" PRIu64 " ms)", ns / 1000000);
	return buf;
}

/* "-26123 … +57002, 83125 ticks (28 us)" */
static const char *shift_text(const struct input *in, const struct proof_span *s, char *buf,
			      size_t n)
{
	char d[32], down[24] = "any", up[24] = "any";

	if (s->violations || !s->inside)
		return s->violations ? "none" : "-";
	if (s->down != UINT64_MAX)
		snprintf(down, sizeof(down), "-%" PRIu64, s->down);
	if (s->up != UINT64_MAX)
		snprintf(up, sizeof(up), "+%" PRIu64, s->up);
	if (s->down == UINT64_MAX || s->up == UINT64_MAX)
		snprintf(buf, n, "%s … %s", down, up);
	else
		snprintf(buf, n, "%s … %s, %" PRIu64 " ticks%s", down, up, s->down + s->up,
			 duration(in, s->down + s->up, d, sizeof(d)));
	return buf;
}

static void print_vcpu(const struct input *in, const struct proof_vcpu *v)
{
	char name[64], shift[128];

	printf("%-14s %4u %7d %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %9" PRIu64 "  %s\n",
	       machine_name(in, v->machine, name, sizeof(name)), v->vcpu->id, (int)v->vcpu->tid,
	       v->events, v->all.inside, v->all.violations, check_unjudged(v->unjudged),
	       shift_text(in, &v->all, shift, sizeof(shift)));
}

static void print_epochs(const struct input *in, const struct proof_vcpu *v)
{
	for (size_t i = 0; i < v->n_spans && v->vcpu->epochs.n; i++) {
		const struct tsc_epoch *e = &v->vcpu->epochs.v[i];
		char shift[128], from[40] = "the start";

		if (i)
			snprintf(from, sizeof(from), "tick %" PRIu64, e->from_ticks);
		printf("  from %s, offset %" PRId64 ": %" PRIu64 " inside, %" PRIu64
		       " violations, shift %s\n",
		       from, e->map.offset, v->spans[i].inside, v->spans[i].violations,
		       shift_text(in, &v->spans[i], shift, sizeof(shift)));
	}
}

static void print_lost(const struct check_found *f)
{
	for (size_t i = 0, n = 0; i < f->in->machines.n; i++) {
		const struct timeline_totals *t = &f->totals[i];
		uint64_t told = f->in->machines.v[i].lost;
		uint64_t counted = t->gaps - t->gaps_uncounted;
		char name[64];

		if (!t->gaps && !told)
			continue;
		if (!n++)
			puts("\nLost:");
		printf("  %s: ",
		       text_escape(name, sizeof(name), input_machine_title(&f->in->machines.v[i])));
		if (counted)
			printf("%" PRIu64 " events in %" PRIu64 " gap%s%s", t->lost, counted,
			       counted == 1 ? "" : "s", t->gaps_uncounted ? "; " : "");
		if (t->gaps_uncounted)
			printf("%" PRIu64 " gap%s without a count", t->gaps_uncounted,
			       t->gaps_uncounted == 1 ? "" : "s");
		if (told > t->lost)
			printf("%s%" PRIu64 " counted by its recorder", t->gaps ? "; " : "", told);
		putchar('\n');
	}
}

static void print_widths(const struct check_found *f)
{
	static const char *const texts[WIDTHS_BOUNDS + 1] = {"0.1 us", "0.6 us", "1 us", "10 us",
							     "100 us", "1 ms",	 "1 s",	 "more"};

	for (size_t i = 0; i < f->widths.n; i++) {
		const struct widths_machine *m = &f->widths.v[i];
		char file[128], d[32];

		if (!i)
			puts("\nQEMU's events, placed by the host's clocks:");
		printf("  %s: %" PRIu64 " events",
		       text_escape(file, sizeof(file),
				   source_facts(f->in->machines.v[m->machine].source)->path),
		       m->events);
		for (int k = 0, n = 0; k <= WIDTHS_BOUNDS; k++)
			if (m->n[k])
				printf("%s%" PRIu64 " within +-%s", n++ ? ", " : ": ", m->n[k],
				       texts[k]);
		if (m->events)
			printf("; at most +-%" PRIu64 " ticks%s", m->most_ticks,
			       duration(f->in, m->most_ticks, d, sizeof(d)));
		putchar('\n');
	}
}

static void print_worst(const struct input *in, const struct proof_result *r, uint64_t max)
{
	if (r->n_worst && max)
		puts("\nWorst violations:");
	for (size_t i = 0; i < r->n_worst && i < max; i++) {
		const struct proof_violation *w = &r->worst[i];
		char name[64], kind[64], d[32], alike[48] = "";

		if (w->n > 1)
			snprintf(alike, sizeof(alike), ", %" PRIu64 " alike", w->n);
		printf("  tick %" PRIu64 " (guest %" PRIu64 ") %s vCPU %u %s: %" PRIu64
		       " ticks%s from the nearest window%s\n",
		       w->event.ticks, w->event.raw_ticks,
		       machine_name(in, w->machine, name, sizeof(name)), w->vcpu,
		       text_escape(kind, sizeof(kind), w->event.kind->name ?: "?"), w->distance,
		       duration(in, w->distance, d, sizeof(d)), alike);
	}
}

static void print_law(const struct input *in, const struct laws_result *l, enum law law)
{
	const struct law_sum *s = &l->sums[law];
	char d[32], name[64];

	if (!s->kept && !s->broken)
		return;
	printf("%s: kept %" PRIu64 " times, broken %" PRIu64 ", not judged %" PRIu64, law_text(law),
	       s->kept, s->broken, s->unjudged);
	if (s->kept)
		printf("; least delay %" PRIu64 " ticks%s", s->least_ticks,
		       duration(in, s->least_ticks, d, sizeof(d)));
	putchar('\n');
	if (s->broken)
		printf("  first at tick %" PRIu64 ", %s vCPU %u\n", s->first_broken_ticks,
		       machine_name(in, s->broken_machine, name, sizeof(name)), s->broken_vcpu);
}

static void print_laws(const struct input *in, const struct laws_result *l)
{
	bool any = false;

	for (int i = 0; i < LAWS; i++)
		any |= l->sums[i].kept || l->sums[i].broken;
	if (any)
		puts("\nCause and effect:");
	for (int i = 0; i < LAWS; i++)
		print_law(in, l, (enum law)i);
}

/* A mismatch is said; it tells of the probes (inlined calls, another VMM), not of the order. */
static void print_handlers(const struct handlers_result *h)
{
	if (!h->has_probes)
		return;
	printf("\nExits to user space: %" PRIu64 " for ports, %" PRIu64 " for memory; %" PRIu64
	       " with the VMM's call that handled them, %" PRIu64 " without, %" PRIu64
	       " not judged; %" PRIu64 " calls, %" PRIu64 " returns\n",
	       h->io, h->mmio, h->handled, h->missing, h->unjudged, h->calls, h->returns);
	if (h->missing)
		printf("  the first without: at tick %" PRIu64 "\n", h->first_missing_ticks);
	if (!h->calls && h->io + h->mmio)
		puts("  the probes in the VMM were never hit: its compiler may have inlined the "
		     "function");
}

static void print_verdict(const struct check_found *f)
{
	const struct proof_result *r = f->proof;
	uint64_t judged = r->inside + r->violations;

	switch (check_verdict(f)) {
	case CHECK_PROVED:
		printf("\nproved: all %" PRIu64 " judged guest events lie where their vCPU ran",
		       judged);
		break;
	case CHECK_VIOLATED:
		printf("\nwrong: %" PRIu64 " of %" PRIu64
		       " judged guest events lie where their vCPU did not run",
		       r->violations, judged);
		if (f->laws->broken)
			printf(", %" PRIu64 " effects have no cause", f->laws->broken);
		break;
	case CHECK_NOT_JUDGED:
		printf("\nnothing could be judged: %s",
		       !r->events	 ? "there are no guest events"
		       : !r->has_windows ? "the host's trace has no kvm_entry and kvm_exit events"
					 : "see the reasons above");
		break;
	}
	printf("; %" PRIu64 " not judged\n", check_unjudged(r->unjudged));
}

static void print_solved_vcpu(const struct input *in, const struct solve_vcpu *v)
{
	char name[64], d[32];

	machine_name(in, v->machine, name, sizeof(name));
	if (!v->n_epochs)
		printf("%s vCPU %u: no offset found: %s\n", name, v->vcpu->id, v->why_not ?: "?");
	for (size_t i = 0; i < v->n_epochs; i++) {
		const struct solve_epoch *e = &v->epochs[i];
		uint64_t width = (uint64_t)e->hi - (uint64_t)e->lo;
		char from[48] = "";

		if (i)
			snprintf(from, sizeof(from), " from tick %" PRIu64, e->from_ticks);
		printf("%s vCPU %u%s: offset %" PRId64 ", between %" PRId64 " and %" PRId64
		       " (width %" PRIu64 " ticks%s), %" PRIu64 " events%s",
		       name, v->vcpu->id, from, e->offset, e->lo, e->hi, width,
		       duration(in, width, d, sizeof(d)), e->events,
		       v->shared ? " of all vCPUs" : "");
		if (e->others)
			printf("; not unique: %" PRIu64 " more intervals fit", e->others);
		if (v->inside < v->seen - v->seen / 10)
			printf("; %" PRIu64 " of %" PRIu64
			       " lie outside of the host's recording and had no say",
			       v->seen - v->inside, v->seen);
		putchar('\n');
	}
}

static void print_solved(const struct input *in, const struct solve *s)
{
	array_for_each(v, &s->vcpus)
		print_solved_vcpu(in, v);
	if (s->vcpus.n)
		putchar('\n');
}

void check_print_text(const struct check_found *f)
{
	const struct proof_result *r = f->proof;

	print_solved(f->in, f->solved);
	printf("%-14s %4s %7s %10s %10s %10s %9s  %s\n", "VM", "vCPU", "thread", "events", "inside",
	       "violations", "unjudged", "shift without violation");
	for (size_t i = 0; i < r->n_vcpus; i++) {
		print_vcpu(f->in, &r->vcpus[i]);
		if (f->epochs)
			print_epochs(f->in, &r->vcpus[i]);
	}
	if (check_unjudged(r->unjudged))
		puts("\nNot judged:");
	for (unsigned i = 0; i < PROOF_REASONS; i++)
		if (r->unjudged[i])
			printf("  %10" PRIu64 " %s\n", r->unjudged[i], proof_reason_text(i));
	print_lost(f);
	print_widths(f);
	print_laws(f->in, f->laws);
	print_handlers(f->handlers);
	print_worst(f->in, r, f->worst);
	print_verdict(f);
}
