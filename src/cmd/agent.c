// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/log.h"
#include "base/options.h"
#include "capture/instance.h"
#include "cmd/command.h"
#include "cmd/token.h"

struct agent_options {
	const char *token;
	bool once;
};

#define AT(m) offsetof(struct agent_options, m)
static const struct opt opts[] = {
	{0, "token", OPT_STR, AT(token), "TEXT|@FILE",
	 "refuse hosts that do not show it; needed for tcp"},
	{'1', "once", OPT_FLAG, AT(once), NULL, "end after one session"},
	{0},
};

static const struct opt_spec spec = {
	.command = "agent",
	.args = "[ADDRESS]",
	.summary =
		"Runs in a guest: records its kernel when onetsc record on the host asks for it.",
	.details =
		"ADDRESS is vsock[:PORT] (default, port 17217), tcp:[IP:]PORT, unix:PATH, "
		"serial:PATH (a\nvirtio-serial port) or stdio. Over vsock only the host is let in. "
		"Needs root in the guest.",
	.example = "  onetsc agent                                 until it is killed\n"
		   "  onetsc agent --token @/etc/onetsc.token tcp:17217",
	.opts = opts,
};

/* The guest's only kind of change; the static agent has no more. */
static const struct journal_handler handlers[] = {{INSTANCE_UNDO, instance_undo}, {NULL, NULL}};

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int open_journal(struct journal **ret)
{
	const char *dir = journal_default_dir();
	unsigned undone, failed;
	int r = journal_restore(dir, handlers, &undone, &failed);

	if (r)
		return log_err_r(r, "cannot read the undo journals in \"%s\": %m", dir);
	if (undone)
		log_info("removed %u trace instance%s that a killed agent had left", undone,
			 undone == 1 ? "" : "s");
	r = journal_open(dir, ret);
	return r ? log_err_r(r, "cannot create an undo journal in \"%s\": %m", dir) : 0;
}

static int run(struct agent_config *cfg)
{
	_cleanup_free_ char *tracefs = NULL;
	_cleanup_fd_ int signals = open_signals();
	unsigned left;
	int r;

	if (signals < 0) {
		log_err("cannot set up signal handling: %m");
		return EXIT_FAILED;
	}
	if (tracefs_find(&tracefs) || open_journal(&cfg->journal))
		return EXIT_FAILED;
	cfg->tracefs = tracefs;
	r = agent_run(cfg, signals);
	left = journal_unwind(cfg->journal, handlers);
	journal_close(cfg->journal);
	if (left)
		return EXIT_UNRESTORED;
	return r ? EXIT_FAILED : EXIT_OK;
}

static int agent_main(int argc, char **argv)
{
	struct agent_options o = {0};
	struct agent_config cfg = {0};
	_cleanup_free_ char *token = NULL;
	int first = opt_parse(&spec, &o, argc, argv), r;
	const char *addr = first >= 0 && first < argc ? argv[first] : "vsock";

	if (first < 0)
		return first == OPT_HELP ? EXIT_OK : EXIT_USAGE;
	if (first + 1 < argc) {
		log_err("agent: one address at a time; see onetsc agent --help");
		return EXIT_USAGE;
	}
	if (link_parse(addr, true, &cfg.addr) || token_read(o.token, &token))
		return EXIT_USAGE;
	if (!token && !strncmp(addr, "tcp", 3)) {
		log_err("agent: over tcp anybody may connect: give --token; see onetsc agent --help");
		link_addr_free(&cfg.addr);
		return EXIT_USAGE;
	}
	cfg.token = token;
	/* Standard input does not come back after its end. */
	cfg.once = o.once || !strcmp(addr, "stdio");
	r = run(&cfg);
	link_addr_free(&cfg.addr);
	return r;
}

const struct command cmd_agent = {"agent", "the guest's side of record", agent_main};
