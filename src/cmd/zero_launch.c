// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc zero -- CMD: starts one VM with offset 0, without root. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/log.h"
#include "cmd/command.h"
#include "cmd/undo.h"
#include "cmd/zero.h"
#include "vm/facts.h"
#include "vm/launch.h"

static struct launch_traced traced; /* for the signal handler */

static void forward(int sig, siginfo_t *info, void *context)
{
	pid_t pid = traced.pid;

	/* What the terminal sends, it sends to the VMM as well. */
	if (pid > 0 && info->si_code != SI_KERNEL)
		kill(pid, sig);
}

static void forward_signals(void)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM};
	struct sigaction a = {.sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &a, NULL);
}

/* As a shell reports it. */
static int exit_code_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int wait_for_end(void)
{
	int status = traced.status;

	while (!traced.ended && waitpid(traced.pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILED;
	return exit_code_of(status);
}

static int launch_traced_program(const struct launch_plan *plan, char **argv, uint64_t host_khz)
{
	struct inject_why why = {0};
	struct journal *journal;
	int r = undo_begin(&journal), status = EXIT_FAILED;
	unsigned left;

	if (r)
		return EXIT_FAILED;
	forward_signals();
	r = launch_trace(plan, argv, host_khz, journal, &why, &traced);
	if (r)
		log_err("%s", why.text[0] ? why.text : "the VMM could not be started");
	else if (traced.zeroed)
		log_info(
			"the VM starts with TSC offset 0 (the VMM is linked statically: a reset is "
			"not covered, \"onetsc zero\" as root would be)");
	else if (!traced.ended || why.text[0])
		log_warn("the VM runs with its own TSC offset: %s; \"onetsc record\" translates it",
			 why.text[0] ? why.text : "its thread ended");
	if (!r)
		status = wait_for_end();
	left = undo_end(journal);
	return left && !status ? EXIT_UNRESTORED : status;
}

int zero_launch(const struct zero_options *o, char **argv)
{
	_cleanup_(launch_plan_free) struct launch_plan plan = {0};
	struct inject_why why = {0};
	struct judge_host host;

	if (launch_plan_make(argv[0], &plan, &why)) {
		log_err("%s", why.text);
		return EXIT_FAILED;
	}
	facts_judge_host(NULL, &host);
	if (judge_launch(&host, why.text, sizeof(why.text))) {
		log_err("\"%s\" was not started: %s", argv[0], why.text);
		return EXIT_FAILED;
	}
	if (plan.way == LAUNCH_TRACE)
		return launch_traced_program(&plan, argv, host.kvm.tsc_khz);
	launch_exec(&plan, argv, host.kvm.tsc_khz, log_get_level() < LOG_INFO, &why);
	log_err("%s", why.text);
	return EXIT_FAILED;
}
