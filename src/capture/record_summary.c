// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/record_summary.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mono.h"
#include "capture/record_impl.h"

#define MB 1e6

void record_progress(struct record *r)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	if (!log_has_progress())
		return;
	strbuf_printf(&b, "%llu s  host %.1f MB",
		      (unsigned long long)(mono_ms() - r->begin_ms) / 1000,
		      (double)hostrec_bytes(r->host, HOSTREC_MAIN) / MB);
	array_for_each(g, &r->guests) {
		struct guest_status st = {0};

		if (g->link)
			guest_status(g->link, &st);
		if (st.bytes)
			strbuf_printf(&b, "  %s %.1f MB", g->name, (double)st.bytes / MB);
		else
			strbuf_printf(&b, "  %s %s", g->name, g->link ? "waiting" : "host only");
	}
	strbuf_printf(&b, "  lost %llu  (Ctrl-C ends)", (unsigned long long)hostrec_lost(r->host));
	if (!b.failed)
		log_progress("%.200s", b.s);
}

/* The vCPU that answered; any one when that is not known, for KVM keeps their offsets equal. */
static const struct session_vcpu *answering_vcpu(const struct session_machine *m, int guest_cpu)
{
	array_for_each(v, &m->vcpus)
		if (v->guest_cpu == guest_cpu)
			return v;
	return m->vcpus.n ? &m->vcpus.v[0] : NULL;
}

static void check_clock(const struct rec_guest *g, const struct session_machine *m)
{
	const struct session_vcpu *v;
	struct guest_status st;

	guest_status(g->link, &st);
	v = answering_vcpu(m, st.delta_cpu);
	if (!st.has_delta || !v || !v->has_start || !v->has_end ||
	    v->start_offset != v->end_offset || v->frac)
		return;
	if (v->end_offset >= st.delta_lo && v->end_offset <= st.delta_hi)
		log_debug("%s: its TSC agrees with KVM's offset %lld, within %lld ticks", g->name,
			  (long long)v->end_offset, (long long)(st.delta_hi - st.delta_lo));
	else
		log_warn(
			"%s: its TSC differs from the host's by %lld to %lld ticks, but KVM reports "
			"the offset %lld: the TSC is protected or changed by other means; do not "
			"trust the merge before onetsc check --solve",
			g->name, (long long)st.delta_lo, (long long)st.delta_hi,
			(long long)v->end_offset);
}

void record_check_clocks(const struct record *r)
{
	for (size_t i = 0; i < r->guests.n; i++)
		if (r->guests.v[i].link)
			check_clock(&r->guests.v[i], &r->session.machines.v[i + 1]);
}

struct totals {
	uint64_t bytes, lost;
};

static struct totals sum(const struct session_cpus *cpus)
{
	struct totals t = {0};

	array_for_each(c, cpus) {
		t.bytes += c->bytes;
		t.lost += c->overrun + c->dropped;
	}
	return t;
}

/* counted: what the machine counted did arrive. */
static void print_file(const char *name, const struct datfile *f, bool counted, bool cut)
{
	struct totals t = sum(&f->stats);
	char events[32] = "?";

	if (counted)
		snprintf(events, sizeof(events), "%llu", (unsigned long long)f->events);
	log_info("  %-12s %-24s %10s events %9.1f MB%s%s", name, f->name, events,
		 (double)t.bytes / MB, cut ? "  (cut off)" : "", f->finished ? "" : "  (in parts)");
	if (t.lost)
		log_warn("%s: %llu events lost; give a larger buffer with -b, or choose fewer "
			 "events",
			 name, (unsigned long long)t.lost);
}

static void print_guest(struct record *r, size_t i)
{
	struct guest *g = r->guests.v[i].link;
	size_t n = g ? guest_parts(g) : 0;

	for (size_t k = 0; k < n; k++) {
		const struct guest_part *p = guest_part(g, k);

		print_file(r->guests.v[i].name, &p->file, p->counted, p->cut);
	}
	if (!n)
		log_info("  %-12s host side only: %s", r->guests.v[i].name,
			 r->session.machines.v[i + 1].why_missing ?: "no agent");
}

static void print_agents_time(struct record *r)
{
	array_for_each(g, &r->guests) {
		size_t n = g->link ? guest_parts(g->link) : 0;
		uint64_t us = 0;

		for (size_t k = 0; k < n; k++)
			us += guest_part(g->link, k)->cpu_time_us;
		if (us)
			log_info("  agent in %s: %.2f s", g->name, (double)us / 1e6);
	}
}

void record_print_summary(struct record *r)
{
	struct datfile *f = hostrec_file(r->host, HOSTREC_MAIN);
	double s = (double)(r->end_ms - r->begin_ms) / 1e3;
	double used = (double)(r->end_cpu_us - r->begin_cpu_us) / 1e6;
	double rest = (double)record_cpu_us() / 1e6 - used;

	log_info("recorded %.1f s into \"%s\"%s:", s, r->dir,
		 r->session.complete ? "" : ", not complete");
	if (f)
		print_file("host", f, true, false);
	for (size_t i = 0; i < r->guests.n; i++)
		print_guest(r, i);
	f = hostrec_file(r->host, HOSTREC_OFFSETS);
	if (f)
		print_file("TSC offsets", f, true, false);
	log_info(
		"CPU time used: %.2f s while recording (%.1f %% of one CPU), %.2f s before and after",
		used, s > 0 ? used / s * 100 : 0, rest);
	print_agents_time(r);
	log_info("next: onetsc report %s", r->dir);
}
