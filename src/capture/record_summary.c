// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/record_summary.h"

#include <stdio.h>
#include <sys/resource.h>

#include "base/log.h"
#include "capture/record_impl.h"

#define MB 1e6

void record_progress(struct record *r)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	if (!log_has_progress())
		return;
	strbuf_printf(&b, "%llu s  host %.1f MB",
		      (unsigned long long)(record_now_ms() - r->begin_ms) / 1000,
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

static void print_file(const char *name, const struct datfile *f)
{
	struct totals t = sum(&f->stats);

	log_info("  %-12s %-24s %10llu events %9.1f MB%s", name, f->name,
		 (unsigned long long)f->events, (double)t.bytes / MB,
		 f->finished ? "" : "  (in parts)");
	if (t.lost)
		log_warn("%s: %llu events lost; give a larger buffer with -b, or choose fewer "
			 "events",
			 name, (unsigned long long)t.lost);
}

static void print_guest(struct record *r, size_t i)
{
	struct rec_guest *g = &r->guests.v[i];
	struct datfile *f = g->link ? guest_file(g->link) : NULL;

	if (f)
		print_file(g->name, f);
	else
		log_info("  %-12s host side only: %s", g->name,
			 r->session.machines.v[i + 1].why_missing ?: "no agent");
}

void record_print_summary(struct record *r)
{
	struct datfile *f = hostrec_file(r->host, HOSTREC_MAIN);
	struct rusage u = {0};
	double s = (double)(record_now_ms() - r->begin_ms) / 1000, used;

	getrusage(RUSAGE_SELF, &u);
	used = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
	log_info("recorded %.1f s into \"%s\"%s:", s, r->dir,
		 r->session.complete ? "" : ", not complete");
	if (f)
		print_file("host", f);
	for (size_t i = 0; i < r->guests.n; i++)
		print_guest(r, i);
	f = hostrec_file(r->host, HOSTREC_OFFSETS);
	if (f)
		print_file("TSC offsets", f);
	log_info("CPU time used: %.2f s (%.1f %% of one CPU)", used, s > 0 ? used / s * 100 : 0);
	array_for_each(g, &r->guests)
		if (g->link && guest_cpu_time_us(g->link))
			log_info("  agent in %s: %.2f s", g->name,
				 (double)guest_cpu_time_us(g->link) / 1e6);
	log_info("next: onetsc report %s", r->dir);
}
