// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc report: the merged timeline as text or JSON lines. */
#include "cmd/command.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "base/text.h"
#include "cmd/input.h"
#include "cmd/window.h"
#include "sink/sink.h"

struct report_config {
	const char *machine, *task, *clock;
	struct window window;
	struct opt_strv events;
	uint64_t vcpu, cpu, pid, head;
	bool json, raw, colour;
	struct input_given given;
};

#define AT(member) offsetof(struct report_config, member)
static const struct opt report_opts[] = {
	{'m', "machine", OPT_STR, AT(machine), "GLOB", "only this machine: \"host\", a VM's name"},
	{0, "vcpu", OPT_U64, AT(vcpu), "N",
	 "only this vCPU: its guest events, its thread's host events"},
	{'c', "cpu", OPT_U64, AT(cpu), "N", "only this CPU of each machine"},
	{'e', "event", OPT_STRV, AT(events), "GLOB",
	 "only these events, \"NAME\" or \"SYSTEM:NAME\"; repeatable"},
	{'p', "pid", OPT_U64, AT(pid), "PID", "only this thread"},
	{'t', "task", OPT_STR, AT(task), "GLOB", "only threads with this name"},
	WINDOW_OPTS(AT(window)),
	{0, "clock", OPT_STR, AT(clock), "CLOCK", "start (default), ticks, ns, realtime, boottime"},
	{'n', "head", OPT_U64, AT(head), "N", "stop after N events"},
	INPUT_OPT_TEXT(AT(given)),
	INPUT_OPT_OFFSET(AT(given)),
	INPUT_OPT_JOBS(AT(given)),
	{'r', "raw", OPT_FLAG, AT(raw), NULL, "fields as name=value instead of the event's text"},
	{'j', "json", OPT_FLAG, AT(json), NULL, "one JSON object a line"},
	{0, "color", OPT_FLAG, AT(colour), NULL, "colours also when the output is not a terminal"},
	{0},
};
#undef AT

static const struct opt_spec report_spec = {
	.command = "report",
	.args = "[SESSION | FILE…]",
	.summary = "Prints the events of all machines in the order in which they happened.",
	.details =
		"SESSION is a directory that onetsc record made; by default the newest *.onetsc\n"
		"here. FILEs are trace.dat files of a host and its guests, in any order.\n"
		"Text logs are merged with --text, see docs/text-sources.md.\n"
		"A '~' behind a time: the event was there or a little later, see the man page.\n"
		"A '?': the machine's clock cannot be told in the host's.",
	.example = "  onetsc report --event 'kvm:*' --vcpu 0 --head 50 web1.onetsc\n"
		   "  onetsc report --from 1.2s --to 1.25s host.dat guest.dat",
	.opts = report_opts,
};

static struct timeline_filter filter_of(const struct report_config *c)
{
	return (struct timeline_filter){
		.machine = c->machine,
		.events = c->events.v,
		.n_events = c->events.n,
		.task = c->task,
		.has_vcpu = c->vcpu != UINT64_MAX,
		.vcpu = (unsigned)c->vcpu,
		.has_cpu = c->cpu != UINT64_MAX,
		.cpu = (unsigned)c->cpu,
		.has_pid = c->pid != UINT64_MAX,
		.pid = (int)c->pid,
		.max_events = c->head,
	};
}

/* is_all: nothing is filtered out. */
static void print_totals(const struct timeline *t, bool is_all)
{
	const struct input *in = timeline_input(t);

	for (size_t i = 0; i < in->machines.n; i++) {
		const struct timeline_totals *n = timeline_totals(t, (unsigned)i);
		const char *name = input_machine_title(&in->machines.v[i]);

		if (n->gaps_uncounted && n->gaps_uncounted == n->gaps)
			log_warn("\"%s\": events are lost in %llu gaps, nothing tells how many",
				 name, (unsigned long long)n->gaps);
		else if (n->gaps)
			log_warn("\"%s\": %llu events are lost in %llu gaps%s", name,
				 (unsigned long long)n->lost, (unsigned long long)n->gaps,
				 n->gaps_uncounted ? ", of some gaps the number is not known" : "");
		if (in->machines.v[i].lost > n->lost && is_all)
			log_warn(
				"\"%s\": its recorder counted %llu lost events; where %llu of them "
				"were is not known",
				name, (unsigned long long)in->machines.v[i].lost,
				(unsigned long long)(in->machines.v[i].lost - n->lost));
		if (n->doubtful)
			log_warn("\"%s\": the time of %llu events is only bounded", name,
				 (unsigned long long)n->doubtful);
	}
}

static bool wants_colour(const struct report_config *c)
{
	const char *term = getenv("TERM");

	if (c->colour)
		return true;
	return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && term && strcmp(term, "dumb");
}

static int run_text(const struct report_config *c, struct timeline *t, struct out *out)
{
	struct sink_text_config config = {.out = out, .raw = c->raw, .colour = wants_colour(c)};
	struct sink_text *s;
	int r;

	r = clock_mode_parse(c->clock ?: "start", &config.clock);
	if (!r)
		r = sink_text_new(timeline_input(t), &config, &s);
	if (r)
		return r;
	r = timeline_run(t, &(struct timeline_use){&sink_text_consumer, s}, 1);
	sink_text_free(s);
	return r;
}

static int run_json(struct timeline *t, struct out *out)
{
	struct sink_json *s;
	int r;

	r = sink_json_new(timeline_input(t), out, &s);
	if (r)
		return r;
	r = timeline_run(t, &(struct timeline_use){&sink_json_consumer, s}, 1);
	sink_json_free(s);
	return r;
}

static int run_report(const struct report_config *c, const struct input *in)
{
	_cleanup_timeline_ struct timeline *t = NULL;
	_cleanup_free_ struct out *out = calloc(1, sizeof(*out));
	struct timeline_filter f = filter_of(c);
	int r;

	if (!out)
		return log_err_r(-ENOMEM, "cannot print: %m");
	out->fd = STDOUT_FILENO;
	r = window_filter(&c->window, in, &f);
	if (!r)
		r = timeline_new(in, &f, &t);
	if (r)
		return r;
	r = c->json ? run_json(t, out) : run_text(c, t, out);
	if (out->err == -EPIPE) /* the reader has seen enough */
		return 0;
	if (out->err)
		return log_err_r(out->err, "cannot write the report: %m");
	if (!r)
		print_totals(t, !f.machine && !f.vm && !f.has_cpu && !f.has_vcpu && !f.from_ticks &&
					!f.to_ticks && !f.max_events);
	return r;
}

static int report_run(int argc, char **argv)
{
	struct report_config c = {.vcpu = UINT64_MAX, .cpu = UINT64_MAX, .pid = UINT64_MAX};
	_cleanup_input_ struct input *in = NULL;
	struct input_paths paths = {0};
	int r;

	r = input_paths_parse(&report_spec, &c, argc, argv, &paths);
	if (r == OPT_HELP)
		return EXIT_OK;
	if (r)
		return EXIT_USAGE;
	signal(SIGPIPE, SIG_IGN);
	r = input_paths_open(&paths, &c.given, &in);
	if (!r)
		r = run_report(&c, in);
	input_paths_free(&paths);
	if (r == -EINVAL)
		return EXIT_USAGE;
	if (r)
		return EXIT_FAILED;
	array_for_each(m, &in->machines)
		if (m->conflict)
			return EXIT_FAILED;
	return EXIT_OK;
}

const struct command cmd_report = {
	"report",
	"prints the merged timeline",
	report_run,
};
