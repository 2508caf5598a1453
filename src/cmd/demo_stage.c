// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/demo_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

#include "base/log.h"
#include "base/text.h"

struct stage {
	pid_t pid;
	int out, signals; /* what it says; Ctrl-C */
	sigset_t mask;	  /* as it was before */
	FILE *log;
	bool cancelled;
	time_t begin;
	char line[512], at[400], last[400], trouble[400];
	size_t n;
};

int demo_stage_find(char **ret)
{
	const char *const places[] = {getenv("ONETSC_LAB"), ONETSC_LAB_INSTALLED,
				      ONETSC_LAB_SOURCE};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *run = NULL;

		if (!places[i] || asprintf(&run, "%s/local", places[i]) < 0)
			continue;
		if (!access(run, X_OK)) {
			*ret = strdup(places[i]);
			return *ret ? 0 : -ENOMEM;
		}
	}
	return log_err_r(-ENOENT,
			 "the scripts that build the demo's guest are neither in %s nor in %s; set "
			 "ONETSC_LAB to tests/lab of the source tree",
			 ONETSC_LAB_INSTALLED, ONETSC_LAB_SOURCE);
}

static _Noreturn void exec_script(const struct stage *s, const char *scripts, bool here,
				  const char *out, int to)
{
	_cleanup_free_ char *script = NULL;

	/* With this process its stage ends: the scripts clean up at SIGTERM. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigprocmask(SIG_SETMASK, &s->mask, NULL);
	dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
	dup2(to, STDOUT_FILENO);
	dup2(to, STDERR_FILENO);
	if (asprintf(&script, "%s/%s", scripts, here ? "local" : "run") < 0)
		_exit(127);
	if (here)
		execl(script, script, "demo", out, NULL);
	else
		execl(script, script, "demo", "--out", out, NULL);
	dprintf(STDOUT_FILENO, "not ok - cannot run %s: %m\n", script);
	_exit(127);
}

/* Ctrl-C comes to us alone and is handed on once: the scripts' own trap does the rest. */
static int start(struct stage *s, const char *scripts, bool here, const char *out)
{
	_cleanup_fd_ int read_end = -1, write_end = -1;
	int ends[2];
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &s->mask);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (s->signals < 0 || pipe2(ends, O_CLOEXEC))
		return log_err_r(-errno, "cannot start the demo's scripts: %m");
	read_end = ends[0];
	write_end = ends[1];
	s->pid = fork();
	if (s->pid < 0)
		return log_err_r(-errno, "cannot start the demo's scripts: %m");
	if (!s->pid) {
		setpgid(0, 0);
		exec_script(s, scripts, here, out, write_end);
	}
	s->out = TAKE_FD(read_end);
	return 0;
}

static unsigned seconds(const struct stage *s)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned)(now.tv_sec - s->begin);
}

/* "# step: X" is done, "# lab: X" and "# now: X" are being done; "not ok" is trouble. */
static void take_line(struct stage *s)
{
	char text[400];

	if (s->log)
		fprintf(s->log, "%s\n", s->line);
	text_escape(text, sizeof(text), s->line);
	if (*text)
		snprintf(s->last, sizeof(s->last), "%s", text);
	if (!strncmp(text, "# step: ", 8))
		log_info("%3u s  %s", seconds(s), text + 8);
	else if (!strncmp(text, "# lab: ", 7) || !strncmp(text, "# now: ", 7))
		snprintf(s->at, sizeof(s->at), "%s", text + 7);
	else if ((!strncmp(text, "not ok", 6) || !strncmp(text, "1..0 # SKIP", 11)) && !*s->trouble)
		snprintf(s->trouble, sizeof(s->trouble), "%s", text);
}

/* Lines are cut where they do not fit. False at the end. */
static bool take_output(struct stage *s)
{
	char buf[4096];
	ssize_t r = read(s->out, buf, sizeof(buf));

	if (r < 0)
		return errno == EINTR || errno == EAGAIN;
	for (ssize_t i = 0; i < r; i++) {
		if (buf[i] != '\n') {
			if (s->n + 1 < sizeof(s->line))
				s->line[s->n++] = buf[i];
			continue;
		}
		s->line[s->n] = 0;
		s->n = 0;
		take_line(s);
	}
	return r > 0;
}

static void follow(struct stage *s)
{
	struct pollfd fds[] = {{s->out, POLLIN, 0}, {s->signals, POLLIN, 0}};

	for (;;) {
		struct signalfd_siginfo si;

		log_progress("%3u s  %.70s", seconds(s), s->at);
		if (poll(fds, 2, 500) < 0 && errno != EINTR)
			break;
		if ((fds[1].revents & POLLIN) && read(s->signals, &si, sizeof(si)) > 0) {
			s->cancelled = true;
			snprintf(s->at, sizeof(s->at), "stopping the machines");
			kill(-s->pid, SIGTERM);
		}
		if ((fds[0].revents & (POLLIN | POLLHUP)) && !take_output(s))
			break;
	}
	log_progress_end();
}

int demo_stage_run(const char *scripts, const char *onetsc, bool here, const char *out)
{
	_cleanup_free_ char *log_name = NULL, *results = NULL;
	struct stage s = {.out = -1, .signals = -1, .at = "preparing"};
	struct timespec now;
	int r, status = 0;

	if (asprintf(&log_name, "%s/stage.log", out) < 0 || asprintf(&results, "%s/run", out) < 0)
		return -ENOMEM;
	setenv("ONETSC", onetsc, 1);
	s.log = fopen(log_name, "we");
	clock_gettime(CLOCK_MONOTONIC, &now);
	s.begin = now.tv_sec;
	r = start(&s, scripts, here, results);
	if (!r) {
		follow(&s);
		waitpid(s.pid, &status, 0);
	}
	sigprocmask(SIG_SETMASK, &s.mask, NULL);
	cleanup_fd(&s.out);
	cleanup_fd(&s.signals);
	cleanup_file(&s.log);
	if (r)
		return r;
	if (s.cancelled)
		return log_err_r(-ECANCELED, "the demo was stopped; nothing of it is left running");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return log_err_r(-EIO, "the demo's machine failed: %s; all it said is in %s",
				 *s.trouble ? s.trouble
				 : *s.last  ? s.last
					    : "it said nothing",
				 log_name);
	return 0;
}
