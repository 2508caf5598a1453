// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc stat, for people. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cmd/stat.h"

#define TEXT 160

/* Three digits and a unit: "12.3 us"; ticks where the frequency is not known. */
static const char *span(const struct input *in, uint64_t ticks, char *buf, size_t n)
{
	static const struct {
		double ns;
		const char *unit;
	} units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
	double ns = (double)conv_to_ns(&in->conv, ticks);
	int i = 0;

	if (!in->conv.mult || !ticks) {
		snprintf(buf, n, ticks ? "%" PRIu64 " t" : "-", ticks);
		return buf;
	}
	while (i < 3 && ns < units[i].ns)
		i++;
	ns /= units[i].ns;
	snprintf(buf, n, "%.*f %s", i == 3 || ns >= 100 ? 0 : ns >= 10 ? 1 : 2, ns, units[i].unit);
	return buf;
}

static const char *share(uint64_t part, uint64_t whole, char *buf, size_t n)
{
	double percent = whole ? 100.0 * (double)part / (double)whole : 0;

	if (!part)
		snprintf(buf, n, "-");
	else if (percent < 0.01)
		snprintf(buf, n, "<0.01%%");
	else
		snprintf(buf, n, "%.2f%%", percent);
	return buf;
}

/* Columns that an escaped name takes; names may be hostile. */
static int width(const char *name)
{
	char buf[TEXT];

	return (int)strlen(text_escape(buf, sizeof(buf), name));
}

static void put_name(const char *name, int columns)
{
	char buf[TEXT];

	printf("%-*s", columns, text_escape(buf, sizeof(buf), name));
}

static const char *vm_name(const struct stat_found *f, uint16_t machine)
{
	return f->in->machines.v[machine].name ?: "?";
}

/* --- vCPUs --- */

static const enum vcpu_state columns[] = {VCPU_GUEST,	VCPU_KVM,    VCPU_VMM,	   VCPU_PREEMPTED,
					  VCPU_WAITING, VCPU_HALTED, VCPU_BLOCKED, VCPU_UNKNOWN};

static void print_vcpu(const struct stat_found *f, const struct exits_vcpu *v, int name)
{
	uint64_t all = stat_total(v->ticks);
	char buf[32];

	put_name(vm_name(f, v->machine), name);
	printf(" %5u %7d", v->vcpu->id, (int)v->vcpu->tid);
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		printf(" %9s", share(v->ticks[columns[i]], all, buf, sizeof(buf)));
	printf(" %10" PRIu64 "\n", v->exits);
}

static void print_vcpus(const struct stat_found *f)
{
	const struct exits_result *r = f->exits;
	int name = 2;
	char buf[32];

	for (size_t i = 0; i < r->n_vcpus; i++)
		if (stat_shows(f, &r->vcpus[i]) && width(vm_name(f, r->vcpus[i].machine)) > name)
			name = width(vm_name(f, r->vcpus[i].machine));
	printf("Time of the vCPUs, in %s:\n%-*s %5s %7s",
	       span(f->in, r->to_ticks - r->from_ticks, buf, sizeof(buf)), name, "VM", "vCPU",
	       "thread");
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		printf(" %9s", exits_state_name(columns[i]));
	printf(" %10s\n", "exits");
	for (size_t i = 0; i < r->n_vcpus; i++)
		if (stat_shows(f, &r->vcpus[i]) && r->vcpus[i].vcpu->tid > 0)
			print_vcpu(f, &r->vcpus[i], name);
}

/* --- exits --- */

struct widths {
	int reason, task, user, handler;
};

static const char *task_of(const struct exitstat_row *r)
{
	return r->idle ? "(idle)" : *r->task ? r->task : "(unknown)";
}

static const char *user_of(const struct exitstat_row *r)
{
	return *r->user ? r->user : "-";
}

static void widen(int *w, const char *name)
{
	int n = width(name);

	if (n > *w)
		*w = n;
}

static struct widths widths_of(const struct stat_found *f)
{
	struct widths w = {6, 4, 4, 7};

	for (size_t i = 0; i < f->n_rows; i++) {
		const struct exitstat_row *r = f->rows[i];

		if (f->keys & STAT_BY_REASON)
			widen(&w.reason, r->reason_text ?: "");
		if (f->keys & STAT_BY_TASK)
			widen(&w.task, task_of(r));
		if (f->keys & STAT_BY_HANDLER) {
			widen(&w.user, user_of(r));
			widen(&w.handler, r->handler);
		}
	}
	return w;
}

static void print_keys(const struct stat_found *f, const struct exitstat_row *r,
		       const struct widths *w)
{
	if (f->keys & STAT_BY_VCPU && !r->others)
		printf("%4u ", r->vcpu->id);
	else if (f->keys & STAT_BY_VCPU)
		printf("%4s ", "");
	if (f->keys & STAT_BY_TASK) {
		put_name(r->others ? "(more)" : task_of(r), w->task);
		putchar(' ');
	}
	if (f->keys & STAT_BY_REASON) {
		put_name(r->others ? "(more)" : r->reason_text, w->reason);
		putchar(' ');
	}
	if (f->keys & STAT_BY_HANDLER) {
		put_name(r->others ? "(more)" : user_of(r), w->user);
		putchar(' ');
		put_name(r->handler, w->handler);
		putchar(' ');
	}
}

static void print_row(const struct stat_found *f, struct exitstat_row *r, const struct widths *w)
{
	uint64_t all = stat_total(r->state_ticks);
	const uint64_t *t = r->state_ticks;
	struct histogram *h = &r->time;
	char buf[6][32];

	print_keys(f, r, w);
	printf("%10" PRIu64 " %9s", r->count, span(f->in, all, buf[0], sizeof(buf[0])));
	if (h->n)
		printf(" %9s %9s %9s",
		       span(f->in, histogram_quantile(h, 500), buf[0], sizeof(buf[0])),
		       span(f->in, histogram_quantile(h, 990), buf[1], sizeof(buf[1])),
		       span(f->in, h->max, buf[2], sizeof(buf[2])));
	else
		printf(" %9s %9s %9s", "-", "-", "-");
	printf("  %7s %7s %9s %7s %7s %7s\n", share(t[VCPU_KVM], all, buf[0], sizeof(buf[0])),
	       share(t[VCPU_VMM], all, buf[1], sizeof(buf[1])),
	       share(t[VCPU_PREEMPTED], all, buf[2], sizeof(buf[2])),
	       share(t[VCPU_WAITING], all, buf[3], sizeof(buf[3])),
	       share(t[VCPU_HALTED] + t[VCPU_BLOCKED], all, buf[4], sizeof(buf[4])),
	       share(t[VCPU_UNKNOWN], all, buf[5], sizeof(buf[5])));
}

static void print_head(const struct stat_found *f, uint16_t machine, const struct widths *w)
{
	char name[TEXT];

	printf("\nExits of %s, time to re-entry and where it went:\n",
	       text_escape(name, sizeof(name), vm_name(f, machine)));
	if (f->keys & STAT_BY_VCPU)
		printf("vCPU ");
	if (f->keys & STAT_BY_TASK)
		printf("%-*s ", w->task, "task");
	if (f->keys & STAT_BY_REASON)
		printf("%-*s ", w->reason, "reason");
	if (f->keys & STAT_BY_HANDLER)
		printf("%-*s %-*s ", w->user, "user", w->handler, "handler");
	printf("%10s %9s %9s %9s %9s  %7s %7s %9s %7s %7s %7s\n", "count", "total", "p50", "p99",
	       "max", "KVM", "VMM", "preempted", "waiting", "asleep", "unknown");
}

static void print_exits(const struct stat_found *f)
{
	struct widths w = widths_of(f);
	uint64_t shown = 0, left_out = 0;

	for (size_t i = 0; i < f->n_rows; i++) {
		struct exitstat_row *r = f->rows[i];
		bool last = i + 1 == f->n_rows || f->rows[i + 1]->machine != r->machine;

		if (!i || f->rows[i - 1]->machine != r->machine) {
			print_head(f, r->machine, &w);
			shown = left_out = 0;
		}
		if (!f->rows_shown || shown < f->rows_shown) {
			print_row(f, r, &w);
			shown++;
		} else {
			left_out++;
		}
		if (last && left_out)
			printf("… and %" PRIu64 " more rows; -n 0 shows all\n", left_out);
	}
}

static void print_notes(const struct stat_found *f)
{
	uint64_t open = 0, many = 0, unpaired = 0;
	char buf[32];

	for (size_t i = 0; i < f->n_rows; i++) {
		open += f->rows[i]->count - f->rows[i]->time.n;
		many += !histogram_is_exact(&f->rows[i]->time);
	}
	for (size_t i = 0; i < f->exits->n_vcpus; i++)
		unpaired += f->exits->vcpus[i].unpaired;
	if (open || many || unpaired || f->host->gaps)
		putchar('\n');
	if (many)
		printf("p50 and p99 of more than %d exits are within 1.6 %%; all else is exact.\n",
		       HISTOGRAM_EXACT);
	if (open)
		printf("%" PRIu64 " exit%s without a re-entry: counted, without a duration.\n",
		       open, open == 1 ? "" : "s");
	if (unpaired)
		printf("%" PRIu64 " times the host's events contradict each other; what is "
		       "between them is unknown.\n",
		       unpaired);
	if (f->host->gaps)
		printf("Host events were lost in %" PRIu64 " gap%s%s; what vCPUs did there is "
		       "unknown.\n",
		       f->host->gaps, f->host->gaps == 1 ? "" : "s",
		       f->host->gaps_uncounted
			       ? ""
			       : (snprintf(buf, sizeof(buf), " (%" PRIu64 ")", f->host->lost),
				  buf));
}

void stat_print_text(const struct stat_found *f)
{
	print_vcpus(f);
	print_exits(f);
	print_notes(f);
}
