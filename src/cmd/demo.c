// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/options.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/demo_excerpt.h"
#include "cmd/demo_stage.h"
#include "vm/kvm_probe.h"

struct demo_options {
	const char *out;
	bool lab;
};

#define AT(field) offsetof(struct demo_options, field)

static const struct opt demo_opts[] = {
	{'o', "output", OPT_STR, AT(out), "DIR", "keep the results there; must not exist"},
	{0, "lab", OPT_FLAG, AT(lab), NULL, "use the emulated host even where this one would do"},
	{0, NULL, 0, 0, NULL, NULL},
};

static const struct opt_spec demo_spec = {
	.command = "demo",
	.summary = "Shows the whole story on a throw-away VM: zero, record, report, check.",
	.details =
		"Starts a 2-vCPU Linux guest under \"onetsc zero\", compares its RDTSC with the host's, records\n"
		"some seconds of work in guest, VMM and host, prints a part of the merged timeline and what\n"
		"\"onetsc check\" finds. Runs on this machine where its KVM keeps TSC offsets (needs root),\n"
		"else in an emulated host (QEMU, needs no rights). No other VM is touched.",
	.example = "  onetsc demo            results in a new directory under /tmp\n"
		   "  onetsc demo -o mine    results in ./mine",
	.opts = demo_opts,
};

/* Where it runs, and in one line why. */
static bool runs_here(const struct demo_options *o)
{
	enum kvm_offset_support support;
	const char *why = NULL;
	char clock[64];
	int r;

	if (o->lab)
		return false;
	r = geteuid() ? -EPERM : kvm_probe_offset(&support);
	if (r == -EPERM)
		why = "not root";
	else if (r)
		why = r == -ENOENT ? "no KVM on this machine" : "KVM does not work on this machine";
	else if (support == KVM_OFFSET_NO_ATTR)
		why = "this kernel cannot set TSC offsets from outside (Linux 5.16 can)";
	else if (support == KVM_OFFSET_IGNORED)
		why = "the KVM of this machine takes a TSC offset and ignores it";
	else if (file_read_line(AT_FDCWD,
				"/sys/devices/system/clocksource/clocksource0/current_clocksource",
				clock, sizeof(clock)) ||
		 strcmp(clock, "tsc"))
		why = "the clock source of this machine is not the TSC";
	if (why)
		log_info("%s: the demo runs in an emulated AMD host with nested KVM", why);
	return !why;
}

static int make_out(const struct demo_options *o, char **ret)
{
	_cleanup_free_ char *out = strdup(o->out ? o->out : "/tmp/onetsc-demo.XXXXXX");

	if (!out)
		return -ENOMEM;
	if (o->out ? mkdir(out, 0700) : !mkdtemp(out))
		return log_err_r(-errno, "cannot create the directory \"%s\": %m", out);
	*ret = realpath(out, NULL);
	return *ret ? 0 : -ENOMEM;
}

static char *result(const char *out, const char *name)
{
	char *path = NULL;

	return asprintf(&path, "%s/run/%s", out, name) < 0 ? NULL : path;
}

static void title(const char *text)
{
	printf("\n== %s\n", text);
}

static void show_file(const char *path)
{
	_cleanup_file_ FILE *f = path ? fopen(path, "re") : NULL;
	char line[400], safe[800];

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		printf("%s\n", text_escape(safe, sizeof(safe), line));
	}
}

struct sample {
	uint64_t before, guest, after;
};

/* The narrowest brackets of each vCPU say most. Lines: "CPU BEFORE GUEST AFTER", then the counts. */
static void show_tsc(const char *path)
{
	_cleanup_file_ FILE *f = path ? fopen(path, "re") : NULL;
	struct sample best[2] = {{0, 0, UINT64_MAX}, {0, 0, UINT64_MAX}}, s;
	unsigned cpu, inside[2] = {0}, all[2] = {0}, c, n, in;
	char line[200];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%u %" SCNu64 " %" SCNu64 " %" SCNu64, &cpu, &s.before, &s.guest,
			   &s.after) == 4 &&
		    cpu < 2) {
			if (s.after - s.before < best[cpu].after - best[cpu].before)
				best[cpu] = s;
		} else if (sscanf(line, "cpu=%u samples=%u inside=%u", &c, &n, &in) == 3 && c < 2) {
			all[c] = n;
			inside[c] = in;
		}
	}
	printf("%-8s %20s %20s %20s\n", "vCPU", "host RDTSC before", "guest RDTSC",
	       "host RDTSC after");
	for (cpu = 0; cpu < 2; cpu++)
		printf("%-8u %20" PRIu64 " %20" PRIu64 " %20" PRIu64
		       "   %u of %u samples in their bracket\n",
		       cpu, best[cpu].before, best[cpu].guest, best[cpu].after, inside[cpu],
		       all[cpu]);
}

/* Runs this program again, its command line shown first. Exit code, or 1. */
static int run_self(const char *const *argv)
{
	int status = 0;
	pid_t pid;

	printf("$");
	for (const char *const *a = argv; *a; a++)
		printf(" %s", *a);
	printf("\n");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		execv("/proc/self/exe", (char *const *)argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return EXIT_FAILED;
	return WEXITSTATUS(status);
}

/* Without a disk request: the beginning. */
static int show_timeline(const char *session)
{
	char from[32], to[32], lines[16];
	const char *argv[24] = {"onetsc", "report", "--head", lines};
	struct demo_excerpt e = {0};
	int n = 4, r = demo_excerpt_find(session, &e);

	if (r && r != -ENODATA)
		return EXIT_FAILED;
	snprintf(lines, sizeof(lines), "%d", DEMO_LINES);
	if (!r) {
		printf("One disk request of the guest, from its issue to its completion:\n");
		snprintf(from, sizeof(from), "%" PRIu64 "t", e.from_ticks);
		snprintf(to, sizeof(to), "%" PRIu64 "t", e.to_ticks);
		argv[n++] = "--from";
		argv[n++] = from;
		argv[n++] = "--to";
		argv[n++] = to;
		for (const char *const *g = demo_excerpt_globs; *g; g++) {
			argv[n++] = "--event";
			argv[n++] = *g;
		}
	}
	argv[n] = session;
	return run_self(argv);
}

static int show(const char *out)
{
	_cleanup_free_ char *zero = result(out, "zero.txt"), *tsc = result(out, "tsc.txt"),
			    *session = result(out, "demo.onetsc");
	int status;

	title("onetsc zero: every TSC offset that KVM wrote, and what became of it");
	show_file(zero);
	title("the same instant, read in the guest and on the host");
	show_tsc(tsc);
	title("onetsc report: guest, QEMU and host in one order");
	status = session ? show_timeline(session) : EXIT_FAILED;
	if (status)
		return status;
	title("onetsc check: is that order possible?");
	status = run_self((const char *const[]){"onetsc", "check", session, NULL});
	printf("\nAll of it: onetsc report %s\n", session);
	fflush(stdout);
	return status;
}

static int run(int argc, char **argv)
{
	struct demo_options o = {0};
	int at = opt_parse(&demo_spec, &o, argc, argv);
	_cleanup_free_ char *scripts = NULL, *out = NULL, *self = NULL;

	if (at == OPT_HELP)
		return EXIT_OK;
	if (at < 0)
		return EXIT_USAGE;
	if (at < argc) {
		log_err("demo takes no argument \"%s\"; see onetsc demo --help", argv[at]);
		return EXIT_USAGE;
	}
	self = realpath("/proc/self/exe", NULL);
	if (!self || demo_stage_find(&scripts) || make_out(&o, &out) ||
	    demo_stage_run(scripts, self, runs_here(&o), out))
		return EXIT_FAILED;
	return show(out);
}

const struct command cmd_demo = {"demo", "the whole story on a throw-away VM", run};
