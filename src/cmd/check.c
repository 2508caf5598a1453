// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc check: is the merged order possible? */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/options.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/input.h"
#include "insight/proof.h"
#include "insight/solve.h"
#include "timeline/timeline.h"

struct config {
	bool json, epochs, ignore_epochs, solve;
	uint64_t worst;
	struct input_given given;
};

static const struct opt opts[] = {
	{0, "json", OPT_FLAG, offsetof(struct config, json), NULL, "one JSON object"},
	{'e', "epochs", OPT_FLAG, offsetof(struct config, epochs), NULL,
	 "a line per offset epoch of each vCPU"},
	{'s', "solve", OPT_FLAG, offsetof(struct config, solve), NULL,
	 "recover the offsets from the windows, then check with these"},
	{0, "ignore-epochs", OPT_FLAG, offsetof(struct config, ignore_epochs), NULL,
	 "use only the first offset of each vCPU (shows what goes wrong then)"},
	{'n', "worst", OPT_U64, offsetof(struct config, worst), "N",
	 "list at most N violations (10; up to 20)"},
	INPUT_OPT_TEXT(offsetof(struct config, given)),
	INPUT_OPT_OFFSET(offsetof(struct config, given)),
	{0},
};

static const struct opt_spec spec = {
	.command = "check",
	.args = "[SESSION | FILE…]",
	.summary = "Prove the order of a merged timeline, or show where it is wrong.",
	.details =
		"A guest's event can only have happened while its vCPU was in the guest: between\n"
		"kvm_entry and kvm_exit of its thread. check counts the events outside, those that\n"
		"cannot be judged and why, and by how much each vCPU's clock could still be shifted\n"
		"without a violation: the bound of the alignment.\n"
		"Exit status: 0 all judged events lie inside, 1 violations or nothing to judge.\n",
	.example = "onetsc check web1.onetsc              judge a session\n"
		   "onetsc check host.dat guest.dat       judge a trace-cmd recording\n"
		   "onetsc check --solve host.dat g.dat   the offset was not recorded\n",
	.opts = opts,
};

enum verdict { PROVED, VIOLATED, NOT_JUDGED };

static enum verdict verdict_of(const struct proof_result *r)
{
	return r->violations ? VIOLATED : r->inside ? PROVED : NOT_JUDGED;
}

static uint64_t sum_unjudged(const uint64_t *unjudged)
{
	uint64_t n = 0;

	for (int i = 0; i < PROOF_REASONS; i++)
		n += unjudged[i];
	return n;
}

static const char *machine_name(const struct input *in, unsigned machine, char *buf, size_t n)
{
	return text_escape(buf, n, in->machines.v[machine].name ?: "?");
}

/* --- for people --- */

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
	       v->events, v->all.inside, v->all.violations, sum_unjudged(v->unjudged),
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

static void print_verdict(const struct proof_result *r)
{
	uint64_t judged = r->inside + r->violations;

	switch (verdict_of(r)) {
	case PROVED:
		printf("\nproved: all %" PRIu64 " judged guest events lie where their vCPU ran",
		       judged);
		break;
	case VIOLATED:
		printf("\nwrong: %" PRIu64 " of %" PRIu64
		       " judged guest events lie where their vCPU did not run",
		       r->violations, judged);
		break;
	case NOT_JUDGED:
		printf("\nnothing could be judged: %s",
		       !r->events	 ? "there are no guest events"
		       : !r->has_windows ? "the host's trace has no kvm_entry and kvm_exit events"
					 : "see the reasons above");
		break;
	}
	printf("; %" PRIu64 " not judged\n", sum_unjudged(r->unjudged));
}

static void print_text(const struct input *in, const struct proof_result *r, const struct config *c)
{
	printf("%-14s %4s %7s %10s %10s %10s %9s  %s\n", "VM", "vCPU", "thread", "events", "inside",
	       "violations", "unjudged", "shift without violation");
	for (size_t i = 0; i < r->n_vcpus; i++) {
		print_vcpu(in, &r->vcpus[i]);
		if (c->epochs)
			print_epochs(in, &r->vcpus[i]);
	}
	if (sum_unjudged(r->unjudged))
		puts("\nNot judged:");
	for (unsigned i = 0; i < PROOF_REASONS; i++)
		if (r->unjudged[i])
			printf("  %10" PRIu64 " %s\n", r->unjudged[i], proof_reason_text(i));
	print_worst(in, r, c->worst);
	print_verdict(r);
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

/* --- for programs --- */

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
	strbuf_printf(b, ",\"vcpu\":%u,\"shared\":%s,\"epochs\":[", v->vcpu->id,
		      v->shared ? "true" : "false");
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

static int print_json(const struct input *in, const struct solve *s, const struct proof_result *r,
		      const struct config *c)
{
	static const char *const verdicts[] = {"proved", "violated", "not judged"};
	_cleanup_strbuf_ struct strbuf b = {0};

	strbuf_printf(&b,
		      "{\"verdict\":\"%s\",\"events\":%" PRIu64 ",\"inside\":%" PRIu64
		      ",\"violations\":%" PRIu64 ",",
		      verdicts[verdict_of(r)], r->events, r->inside, r->violations);
	json_reasons(&b, r->unjudged);
	if (c->solve) {
		strbuf_puts(&b, ",\"solved\":[");
		for (size_t i = 0; i < s->vcpus.n; i++) {
			strbuf_puts(&b, i ? ",\n" : "");
			json_solved(&b, in, &s->vcpus.v[i]);
		}
		strbuf_puts(&b, "]");
	}
	strbuf_puts(&b, ",\"vcpus\":[");
	for (size_t i = 0; i < r->n_vcpus; i++) {
		strbuf_puts(&b, i ? ",\n" : "");
		json_vcpu(&b, in, &r->vcpus[i]);
	}
	strbuf_puts(&b, "],\"worst\":[");
	for (size_t i = 0; i < r->n_worst && i < c->worst; i++) {
		strbuf_puts(&b, i ? ",\n" : "");
		json_worst(&b, in, &r->worst[i]);
	}
	strbuf_puts(&b, "]}");
	if (b.failed)
		return log_err_r(-ENOMEM, "cannot print the result: %m");
	puts(b.s);
	return 0;
}

static void ignore_epochs(struct input *in)
{
	array_for_each(m, &in->machines)
		array_for_each(v, &m->vcpus)
			if (v->epochs.n > 1)
				v->epochs.n = 1;
}

static int check(struct input *in, const struct config *c)
{
	_cleanup_timeline_ struct timeline *t = NULL;
	_cleanup_proof_ struct proof *p = NULL;
	_cleanup_solve_ struct solve s = {0};
	int r = 0;

	if (c->ignore_epochs)
		ignore_epochs(in);
	if (c->solve)
		r = solve_offsets(in, &s);
	if (!r && c->solve)
		r = solve_apply(&s, in);
	if (!r)
		r = timeline_new(in, NULL, &t);
	if (r)
		return r;
	r = proof_new(&p);
	if (!r)
		r = timeline_run(t, &(struct timeline_use){&proof_consumer, p}, 1);
	if (r == -ENOMEM)
		return log_err_r(r, "cannot check \"%s\": %m", in->title);
	if (r)
		return r;
	if (c->json) {
		r = print_json(in, &s, proof_result(p), c);
		if (r)
			return r;
	} else {
		print_solved(in, &s);
		print_text(in, proof_result(p), c);
	}
	return verdict_of(proof_result(p)) == PROVED ? 0 : -EBADMSG;
}

static int run(int argc, char **argv)
{
	struct config c = {.worst = 10};
	_cleanup_input_ struct input *in = NULL;
	struct input_paths paths = {0};
	int r = input_paths_parse(&spec, &c, argc, argv, &paths);

	if (r == OPT_HELP)
		return EXIT_OK;
	if (r)
		return EXIT_USAGE;
	r = input_paths_open(&paths, &c.given, &in);
	input_paths_free(&paths);
	if (r)
		return r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	return check(in, &c) ? EXIT_FAILED : EXIT_OK;
}

const struct command cmd_check = {"check", "prove the order of a timeline", run};
