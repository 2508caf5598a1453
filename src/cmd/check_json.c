// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc check, for programs. */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "cmd/check.h"

static void json_reasons(struct strbuf *b, const uint64_t *unjudged)
{
	static const char *const keys[] = {
		[PROOF_BEFORE] = "before_first", [PROOF_AFTER] = "after_last",
		[PROOF_GAP] = "host_gap",	 [PROOF_UNPAIRED] = "unpaired",
		[PROOF_DOUBTFUL] = "doubtful",	 [PROOF_NO_VCPU] = "no_vcpu",
		[PROOF_NO_CLOCK] = "no_offset",
	};

	strbuf_puts(b, "\"unjudged\":{");
	for (int i = 0; i < PROOF_REASONS; i++)
		strbuf_printf(b, "%s\"%s\":%" PRIu64, i ? "," : "", keys[i], unjudged[i]);
	strbuf_puts(b, "}");
}

static void json_span(struct strbuf *b, const struct proof_span *s)
{
	strbuf_printf(b, "\"inside\":%" PRIu64 ",\"violations\":%" PRIu64, s->inside,
		      s->violations);
	if (s->violations || !s->inside)
		return;
	if (s->down != UINT64_MAX)
		strbuf_printf(b, ",\"shift_lo_ticks\":-%" PRIu64, s->down);
	if (s->up != UINT64_MAX)
		strbuf_printf(b, ",\"shift_hi_ticks\":%" PRIu64, s->up);
	if (s->down != UINT64_MAX && s->up != UINT64_MAX)
		strbuf_printf(b, ",\"width_ticks\":%" PRIu64, s->down + s->up);
}

static void json_vcpu(struct strbuf *b, const struct input *in, const struct proof_vcpu *v)
{
	const char *name = in->machines.v[v->machine].name ?: "?";

	strbuf_puts(b, "{\"vm\":");
	strbuf_json(b, name, strlen(name));
	strbuf_printf(b,
		      ",\"vcpu\":%u,\"tid\":%d,\"events\":%" PRIu64 ",\"windows\":%" PRIu64
		      ",\"unpaired_windows\":%" PRIu64 ",",
		      v->vcpu->id, (int)v->vcpu->tid, v->events, v->windows, v->unpaired);
	json_span(b, &v->all);
	strbuf_puts(b, ",");
	json_reasons(b, v->unjudged);
	strbuf_puts(b, ",\"epochs\":[");
	for (size_t i = 0; i < v->vcpu->epochs.n; i++) {
		const struct tsc_epoch *e = &v->vcpu->epochs.v[i];

		strbuf_printf(b,
			      "%s{\"from_ticks\":%" PRIu64 ",\"offset\":%" PRId64
			      ",\"ratio\":%" PRIu64 ",\"frac_bits\":%u,",
			      i ? "," : "", e->from_ticks, e->map.offset,
			      e->map.frac ? e->map.ratio : 1, e->map.frac);
		json_span(b, &v->spans[i]);
		strbuf_puts(b, "}");
	}
	strbuf_puts(b, "]}");
}

static void json_worst(struct strbuf *b, const struct input *in, const struct proof_violation *w)
{
	const char *name = in->machines.v[w->machine].name ?: "?", *kind = w->event.kind->name;

	strbuf_puts(b, "{\"vm\":");
	strbuf_json(b, name, strlen(name));
	strbuf_printf(b, ",\"vcpu\":%u,\"cpu\":%u,\"event\":", w->vcpu, w->event.cpu);
	strbuf_json(b, kind ?: "?", strlen(kind ?: "?"));
	strbuf_printf(b,
		      ",\"ticks\":%" PRIu64 ",\"width_ticks\":%" PRIu64 ",\"guest_ticks\":%" PRIu64
		      ",\"distance_ticks\":%" PRIu64 ",\"alike\":%" PRIu64 "}",
		      w->event.ticks, w->event.width, w->event.raw_ticks, w->distance, w->n);
}

static void json_solved(struct strbuf *b, const struct input *in, const struct solve_vcpu *v)
{
	const char *name = in->machines.v[v->machine].name ?: "?";

	strbuf_puts(b, "{\"vm\":");
	strbuf_json(b, name, strlen(name));
	strbuf_printf(b, ",\"vcpu\":%u,\"shared\":%s,", v->vcpu->id, v->shared ? "true" : "false");
	if (v->seen)
		strbuf_printf(b, "\"events\":%" PRIu64 ",\"events_inside\":%" PRIu64 ",", v->seen,
			      v->inside);
	strbuf_puts(b, "\"epochs\":[");
	for (size_t i = 0; i < v->n_epochs; i++) {
		const struct solve_epoch *e = &v->epochs[i];

		strbuf_printf(b,
			      "%s{\"from_ticks\":%" PRIu64 ",\"offset\":%" PRId64 ",\"lo\":%" PRId64
			      ",\"hi\":%" PRId64 ",\"width_ticks\":%" PRIu64 ",\"events\":%" PRIu64
			      ",\"other_intervals\":%" PRIu64 "}",
			      i ? "," : "", e->from_ticks, e->offset, e->lo, e->hi,
			      (uint64_t)e->hi - (uint64_t)e->lo, e->events, e->others);
	}
	strbuf_puts(b, "]}");
}

static void json_laws(struct strbuf *b, const struct laws_result *l)
{
	static const char *const keys[] = {
		[LAW_VECTOR] = "vector", [LAW_MSR] = "msr", [LAW_HALT] = "halt"};

	strbuf_puts(b, ",\"laws\":{");
	for (int i = 0; i < LAWS; i++) {
		const struct law_sum *s = &l->sums[i];

		strbuf_printf(b,
			      "%s\"%s\":{\"kept\":%" PRIu64 ",\"broken\":%" PRIu64
			      ",\"unjudged\":%" PRIu64,
			      i ? "," : "", keys[i], s->kept, s->broken, s->unjudged);
		if (s->kept)
			strbuf_printf(b, ",\"least_delay_ticks\":%" PRIu64, s->least_ticks);
		strbuf_puts(b, "}");
	}
	strbuf_puts(b, "}");
}

static void json_handlers(struct strbuf *b, const struct handlers_result *h)
{
	if (!h->has_probes)
		return;
	strbuf_printf(b,
		      ",\"user_exits\":{\"io\":%" PRIu64 ",\"mmio\":%" PRIu64
		      ",\"handled\":%" PRIu64 ",\"missing\":%" PRIu64 ",\"unjudged\":%" PRIu64
		      ",\"calls\":%" PRIu64 ",\"returns\":%" PRIu64 "}",
		      h->io, h->mmio, h->handled, h->missing, h->unjudged, h->calls, h->returns);
}

/* Of the host and the guests, in that order. */
static void json_lost(struct strbuf *b, const struct check_found *f)
{
	strbuf_puts(b, ",\"lost\":[");
	for (size_t i = 0; i < f->in->machines.n; i++) {
		const struct input_machine *m = &f->in->machines.v[i];
		const struct timeline_totals *t = &f->totals[i];
		const char *name = input_machine_title(m);

		strbuf_puts(b, i ? ",{\"machine\":" : "{\"machine\":");
		strbuf_json(b, name, strlen(name));
		strbuf_printf(b,
			      ",\"events\":%" PRIu64 ",\"gaps\":%" PRIu64
			      ",\"gaps_not_counted\":%" PRIu64 ",\"counted_by_recorder\":%" PRIu64
			      ",\"bytes_missing\":%" PRIu64 ",\"truncated\":%s}",
			      t->lost, t->gaps, t->gaps_uncounted, m->lost,
			      m->source ? source_facts(m->source)->bytes_missing : 0,
			      m->source && source_facts(m->source)->truncated ? "true" : "false");
	}
	strbuf_puts(b, "]");
}

static void json_widths(struct strbuf *b, const struct check_found *f)
{
	strbuf_puts(b, ",\"qemu\":[");
	for (size_t i = 0; i < f->widths.n; i++) {
		const struct widths_machine *m = &f->widths.v[i];
		const char *path = source_facts(f->in->machines.v[m->machine].source)->path;

		strbuf_puts(b, i ? ",{\"file\":" : "{\"file\":");
		strbuf_json(b, path, strlen(path));
		strbuf_printf(b, ",\"events\":%" PRIu64 ",\"errors\":[", m->events);
		for (int k = 0; k <= WIDTHS_BOUNDS; k++) {
			strbuf_printf(b, "%s{", k ? "," : "");
			if (k < WIDTHS_BOUNDS)
				strbuf_printf(b, "\"up_to_ns\":%" PRIu64 ",", widths_bounds_ns[k]);
			strbuf_printf(b, "\"events\":%" PRIu64 "}", m->n[k]);
		}
		strbuf_puts(b, "]");
		if (m->events)
			strbuf_printf(b, ",\"least_ticks\":%" PRIu64 ",\"most_ticks\":%" PRIu64,
				      m->least_ticks, m->most_ticks);
		strbuf_puts(b, "}");
	}
	strbuf_puts(b, "]");
}

int check_print_json(const struct check_found *f)
{
	const struct proof_result *r = f->proof;
	const struct solve *s = f->solved;
	static const char *const verdicts[] = {"proved", "violated", "not judged"};
	_cleanup_strbuf_ struct strbuf b = {0};

	strbuf_printf(&b,
		      "{\"verdict\":\"%s\",\"events\":%" PRIu64 ",\"inside\":%" PRIu64
		      ",\"violations\":%" PRIu64 ",",
		      verdicts[check_verdict(f)], r->events, r->inside, r->violations);
	json_reasons(&b, r->unjudged);
	json_laws(&b, f->laws);
	json_handlers(&b, f->handlers);
	json_lost(&b, f);
	if (f->widths.n)
		json_widths(&b, f);
	if (s->vcpus.n) {
		strbuf_puts(&b, ",\"solved\":[");
		for (size_t i = 0; i < s->vcpus.n; i++) {
			strbuf_puts(&b, i ? ",\n" : "");
			json_solved(&b, f->in, &s->vcpus.v[i]);
		}
		strbuf_puts(&b, "]");
	}
	strbuf_puts(&b, ",\"vcpus\":[");
	for (size_t i = 0; i < r->n_vcpus; i++) {
		strbuf_puts(&b, i ? ",\n" : "");
		json_vcpu(&b, f->in, &r->vcpus[i]);
	}
	strbuf_puts(&b, "],\"worst\":[");
	for (size_t i = 0; i < r->n_worst && i < f->worst; i++) {
		strbuf_puts(&b, i ? ",\n" : "");
		json_worst(&b, f->in, &r->worst[i]);
	}
	strbuf_puts(&b, "]}");
	if (b.failed)
		return log_err_r(-ENOMEM, "cannot print the result: %m");
	puts(b.s);
	return 0;
}
