// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc stat: where the time of the vCPUs went, and why they exited. */
#include "cmd/stat.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/command.h"
#include "cmd/input.h"
#include "cmd/window.h"

struct config {
	bool json;
	const char *by;
	uint64_t rows;
	struct window window;
	struct input_given given;
};

static const struct opt opts[] = {
	{'b', "by", OPT_STR, offsetof(struct config, by), "KEYS",
	 "a row of exits for each: reason (default), vcpu, task (of the guest), handler (of the "
	 "VMM), or several with commas"},
	{'n', "rows", OPT_U64, offsetof(struct config, rows), "N",
	 "at most N rows of exits for each VM, those with the most time (40; 0: all)"},
	{0, "json", OPT_FLAG, offsetof(struct config, json), NULL, "one JSON object, all rows"},
	WINDOW_OPTS(offsetof(struct config, window)),
	INPUT_OPT_TEXT(offsetof(struct config, given)),
	INPUT_OPT_OFFSET(offsetof(struct config, given)),
	INPUT_OPT_JOBS(offsetof(struct config, given)),
	{0},
};

static const struct opt_spec spec = {
	.command = "stat",
	.args = "[SESSION | FILE…]",
	.summary = "Where the time of each vCPU went, and why it left the guest.",
	.details =
		"Each tick of a vCPU belongs to one state: guest, KVM, VMM (the VMM's thread in user\n"
		"space), preempted, waiting (woken, not on a CPU yet), halted (HLT), blocked (sleeps\n"
		"for another cause) or unknown (before its first event, or events were lost). The\n"
		"time of an exit reaches from kvm_exit to the next kvm_entry.\n",
	.example = "onetsc stat web1.onetsc                      a session\n"
		   "onetsc stat --by task,reason host.dat g.dat  which guest tasks cause exits\n"
		   "onetsc stat --from 1.2s --to 1.3s --json     a window, for a program\n",
	.opts = opts,
};

bool stat_shows(const struct stat_found *f, const struct exits_vcpu *v)
{
	const char *name = f->in->machines.v[v->machine].name ?: "?";

	return v->vcpu->id != INPUT_NO_VCPU && (!f->vm || !fnmatch(f->vm, name, 0));
}

uint64_t stat_total(const uint64_t *state_ticks)
{
	uint64_t sum = 0;

	for (int i = 0; i < VCPU_STATES; i++)
		sum += state_ticks[i];
	return sum;
}

static int parse_keys(const char *text, unsigned *ret)
{
	static const struct {
		const char *name;
		unsigned key;
	} keys[] = {{"reason", STAT_BY_REASON},
		    {"vcpu", STAT_BY_VCPU},
		    {"task", STAT_BY_TASK},
		    {"handler", STAT_BY_HANDLER}};

	*ret = 0;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, ","), k = 0;

		while (k < ARRAY_SIZE(keys) &&
		       (strlen(keys[k].name) != n || strncmp(keys[k].name, p, n)))
			k++;
		if (k == ARRAY_SIZE(keys))
			return log_err_r(-EINVAL,
					 "\"%.*s\" is no key of --by; it takes reason, vcpu, task "
					 "and handler",
					 (int)n, p);
		*ret |= keys[k].key;
		p += n;
		p += *p == ',';
	}
	return *ret ? 0
		    : log_err_r(-EINVAL, "--by names no key; it takes reason, vcpu, task and "
					 "handler");
}

/* One sentence for each thing that is missing. */
static int judge(const struct stat_found *f)
{
	size_t unknown = 0, n = 0;

	if (!f->exits->has_exits)
		return log_err_r(-ENODATA,
				 "\"%s\" has no kvm_entry and kvm_exit of a host: nothing tells "
				 "what its vCPUs did",
				 f->in->title);
	for (size_t i = 0; i < f->exits->n_vcpus; i++)
		if (stat_shows(f, &f->exits->vcpus[i])) {
			n++;
			unknown += f->exits->vcpus[i].vcpu->tid <= 0;
		}
	if (n == unknown)
		return log_err_r(-ENODATA,
				 "\"%s\" tells of no vCPU which thread of the host it is; give the "
				 "files of the guests as well",
				 f->in->title);
	if (unknown)
		log_warn("of %zu vCPUs the thread is not known: they are left out", unknown);
	if (!f->exits->has_sched)
		log_warn("the host's recording has no sched_switch: preempted, waiting and "
			 "blocked vCPUs cannot be told, and halted means a HLT exit");
	if (!f->exits->has_user)
		log_warn("the host's recording has no kvm_userspace_exit: the VMM's time counts "
			 "as KVM's");
	return 0;
}

static int print(struct stat_found *f, struct exitstat *s, bool json)
{
	int r = judge(f);

	f->rows = exitstat_rows(s, &f->n_rows);
	if (!r && json)
		r = stat_print_json(f);
	else if (!r)
		stat_print_text(f);
	if (!r && (fflush(stdout) || ferror(stdout)))
		r = log_err_r(-EIO, "cannot write to standard output");
	return r;
}

static int stat_run(const struct input *in, const struct config *c, unsigned keys)
{
	static const struct exits_ops ops = {.vm_exit = exitstat_exit};
	struct stat_found f = {.in = in, .vm = c->window.vm, .keys = keys, .rows_shown = c->rows};
	_cleanup_timeline_ struct timeline *t = NULL;
	_cleanup_exits_ struct exits *e = NULL;
	_cleanup_exitstat_ struct exitstat *s = NULL;
	struct timeline_filter filter = {0};
	int r = window_filter(&c->window, in, &filter);

	if (r)
		return r;
	r = exitstat_new(keys, &s);
	if (!r)
		r = exits_new(&ops, s, &e);
	if (!r) {
		exits_limit(e, c->window.vm);
		r = timeline_new(in, &filter, &t);
	}
	if (!r)
		r = timeline_run(t, &(struct timeline_use){&exits_consumer, e, true}, 1);
	if (r == -ENOMEM)
		return log_err_r(r, "cannot add up \"%s\": %m", in->title);
	if (r)
		return r;
	f.exits = exits_result(e);
	f.host = timeline_totals(t, 0);
	return print(&f, s, c->json);
}

static int run(int argc, char **argv)
{
	struct config c = {.rows = 40, .by = "reason"};
	_cleanup_input_ struct input *in = NULL;
	struct input_paths paths = {0};
	unsigned keys;
	int r = input_paths_parse(&spec, &c, argc, argv, &paths);

	if (r == OPT_HELP)
		return EXIT_OK;
	if (r || parse_keys(c.by, &keys)) {
		input_paths_free(&paths);
		return EXIT_USAGE;
	}
	r = input_paths_open(&paths, &c.given, &in);
	input_paths_free(&paths);
	if (!r)
		r = stat_run(in, &c, keys);
	return !r ? EXIT_OK : r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
}

const struct command cmd_stat = {"stat", "time of the vCPUs, and exits by reason", run};
