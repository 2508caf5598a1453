// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc stat, for programs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "cmd/stat.h"

static void json_text(struct strbuf *b, const char *key, const char *text)
{
	strbuf_printf(b, "\"%s\":", key);
	strbuf_json(b, text, strlen(text));
}

static void json_states(struct strbuf *b, const uint64_t *ticks)
{
	static const char *const keys[VCPU_STATES] = {"unknown",   "guest",   "kvm",	"vmm",
						      "preempted", "waiting", "halted", "blocked"};

	strbuf_puts(b, "\"ticks\":{");
	for (int i = 0; i < VCPU_STATES; i++)
		strbuf_printf(b, "%s\"%s\":%" PRIu64, i ? "," : "", keys[i], ticks[i]);
	strbuf_puts(b, "}");
}

static void json_vcpu(struct strbuf *b, const struct stat_found *f, const struct exits_vcpu *v)
{
	strbuf_puts(b, "{");
	json_text(b, "vm", f->in->machines.v[v->machine].name ?: "?");
	strbuf_printf(b,
		      ",\"vcpu\":%u,\"tid\":%d,\"exits\":%" PRIu64 ",\"entries\":%" PRIu64
		      ",\"user_exits\":%" PRIu64 ",\"unpaired\":%" PRIu64 ",",
		      v->vcpu->id, (int)v->vcpu->tid, v->exits, v->entries, v->user_exits,
		      v->unpaired);
	json_states(b, v->ticks);
	strbuf_puts(b, "}");
}

static void json_span(struct strbuf *b, const struct input *in, const char *key, uint64_t ticks)
{
	strbuf_printf(b, "\"%s_ticks\":%" PRIu64 ",", key, ticks);
	if (in->conv.mult)
		strbuf_printf(b, "\"%s_ns\":%" PRIu64 ",", key, conv_to_ns(&in->conv, ticks));
}

static void json_keys(struct strbuf *b, const struct stat_found *f, const struct exitstat_row *r)
{
	json_text(b, "vm", f->in->machines.v[r->machine].name ?: "?");
	if (r->others) {
		strbuf_puts(b, ",\"others\":true,");
		return;
	}
	if (f->keys & STAT_BY_VCPU)
		strbuf_printf(b, ",\"vcpu\":%u", r->vcpu->id);
	if (f->keys & STAT_BY_TASK) {
		strbuf_puts(b, ",");
		json_text(b, "task", r->idle ? "swapper" : r->task);
	}
	if (f->keys & STAT_BY_REASON) {
		strbuf_printf(b, ",\"isa\":\"%s\",\"code\":%u,",
			      r->isa == EXIT_ISA_SVM ? "svm" : "vmx", r->reason);
		json_text(b, "reason", r->reason_text);
	}
	if (f->keys & STAT_BY_HANDLER) {
		strbuf_puts(b, ",");
		json_text(b, "user_reason", r->user);
		strbuf_puts(b, ",");
		json_text(b, "handler", r->handler);
	}
	strbuf_puts(b, ",");
}

static void json_row(struct strbuf *b, const struct stat_found *f, struct exitstat_row *r)
{
	struct histogram *h = &r->time;

	strbuf_puts(b, "{");
	json_keys(b, f, r);
	strbuf_printf(b, "\"count\":%" PRIu64 ",\"complete\":%" PRIu64 ",", r->count, h->n);
	json_span(b, f->in, "sum", h->sum);
	if (h->n) {
		json_span(b, f->in, "p50", histogram_quantile(h, 500));
		json_span(b, f->in, "p99", histogram_quantile(h, 990));
		json_span(b, f->in, "max", h->max);
		strbuf_printf(b, "\"exact\":%s,", histogram_is_exact(h) ? "true" : "false");
	}
	json_states(b, r->state_ticks);
	strbuf_puts(b, "}");
}

static const char *truth(bool b)
{
	return b ? "true" : "false";
}

int stat_print_json(const struct stat_found *f)
{
	const struct exits_result *r = f->exits;
	_cleanup_strbuf_ struct strbuf b = {0};
	bool first = true;

	strbuf_printf(&b,
		      "{\"from_ticks\":%" PRIu64 ",\"to_ticks\":%" PRIu64 ",\"tsc_hz\":%" PRIu64
		      ",\"has_sched\":%s,\"has_user_exits\":%s,\"host_gaps\":%" PRIu64
		      ",\"vcpus\":[",
		      r->from_ticks, r->to_ticks, conv_hz(&f->in->conv), truth(r->has_sched),
		      truth(r->has_user), f->host->gaps);
	for (size_t i = 0; i < r->n_vcpus; i++) {
		if (!stat_shows(f, &r->vcpus[i]) || r->vcpus[i].vcpu->tid <= 0)
			continue;
		strbuf_puts(&b, first ? "\n" : ",\n");
		json_vcpu(&b, f, &r->vcpus[i]);
		first = false;
	}
	strbuf_puts(&b, "],\n\"exits\":[");
	for (size_t i = 0; i < f->n_rows; i++) {
		strbuf_puts(&b, i ? ",\n" : "\n");
		json_row(&b, f, f->rows[i]);
	}
	strbuf_puts(&b, "]}\n");
	if (b.failed)
		return log_err_r(-ENOMEM, "cannot print: %m");
	fwrite(b.s, 1, b.n, stdout);
	return 0;
}
