// SPDX-License-Identifier: GPL-2.0-or-later
/* The tracer is killed at random moments, hundreds of times; its victims never notice more than a
 * signal that was none. */
#include "../unit/test.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "live.h"
#include "vm/inject.h"
#include "vm/offset.h"
#include "vm/proc.h"

#define KILLS	    300
#define MAX_WAIT_NS 3000000
#define TIMEOUT_MS  5000

static const int kinds[] = {VICTIM_SPIN, VICTIM_SIGNALS, VICTIM_FUTEX, VICTIM_PPOLL,
			    VICTIM_POLL, VICTIM_SLEEP,	 VICTIM_READ,  VICTIM_SUSPEND};
#define N_KINDS ((int)ARRAY_SIZE(kinds))

static const struct journal_handler handlers[] = {
	{"inject-text", inject_undo_text}, {"offset", offset_undo}, {0}};

struct job {
	struct victim_page *page;
	struct journal *journal;
	struct inject_why why;
};

/* Stop some threads, two calls each, all at once or one by one. 0 or what went wrong. */
static int work_once(struct job *job, unsigned round)
{
	struct inject_thread *threads[VICTIM_KINDS];
	struct inject_call calls[VICTIM_KINDS];
	int bytes[VICTIM_KINDS], r = 0;
	struct inject *inj;
	size_t n = 0;

	r = inject_open(job->page->pid, 0, job->journal, TIMEOUT_MS, &job->why, &inj);
	if (r)
		return r;
	for (int i = 0; i < N_KINDS && !r; i++) {
		if (!(round >> i & 1))
			continue;
		r = inject_stop(inj, job->page->slot[kinds[i]].tid, TIMEOUT_MS, &threads[n]);
		calls[n] = (struct inject_call){job->page->pipe_fd, FIONREAD, 0, &bytes[n],
						sizeof(int)};
		n++;
	}
	for (size_t i = 0; i < n && !r; i++)
		r = inject_ioctl(threads[i], &calls[i], TIMEOUT_MS);
	for (int i = 0; i < 10 && !r; i++)
		r = inject_ioctl_all(threads, calls, n, TIMEOUT_MS);
	for (size_t i = 0; i < n && !r; i++)
		r = bytes[i] == VICTIM_PIPE_BYTES ? 0 : -EBADE;
	return inject_close(inj) || r ? -EBADE : 0;
}

static int work(void *arg)
{
	struct job *job = arg;
	unsigned round = (unsigned)getpid();
	int r = 0;

	while (!r)
		r = work_once(job, round = round * 1103515245 + 12345);
	return r;
}

/* Works until it is killed; ends by itself only when something fails. */
static pid_t start_tracer(struct victim_page *page, const char *dir)
{
	struct job job = {page};
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid) {
		close(ready[1]);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		close(ready[0]);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (journal_open(dir, &job.journal) || write(ready[1], "", 1) != 1)
		_exit(2);
	fprintf(stderr, "# tracer: %d %s\n", inject_run(work, &job), job.why.text);
	_exit(1);
}

static void kill_after(pid_t pid, long ns)
{
	struct timespec t = {0, ns};
	int status;

	nanosleep(&t, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
}

static void no_thread_is_stopped(pid_t pid)
{
	struct pids tids = {0};
	struct proc_stat s;

	assert_int_equal(proc_threads(NULL, pid, &tids), 0);
	for (size_t i = 0; i < tids.n; i++) {
		assert_int_equal(proc_stat_read(NULL, pid, tids.v[i], &s), 0);
		assert_int_not_equal(s.state, 't');
		assert_int_not_equal(s.state, 'T');
	}
	array_free(&tids);
}

static void victims_survive(void **state)
{
	struct victim_page *page = victim_start(kinds, N_KINDS);
	unsigned undone = 0, failed = 0, done, bad;
	uint64_t spurious = 0;
	char dir[] = "/tmp/onetsc-kill-XXXXXX";

	assert_non_null(mkdtemp(dir));
	srand48(getpid());
	for (int i = 0; i < KILLS; i++) {
		kill_after(start_tracer(page, dir), lrand48() % MAX_WAIT_NS);
		/* Every other time the next tracer meets what this one left. */
		if (i & 1) {
			assert_int_equal(journal_restore(dir, handlers, &done, &bad), 0);
			undone += done;
			failed += bad;
		}
		if (i % 50 == 49)
			assert_true(victim_progress(page, kinds, N_KINDS, 3));
	}
	assert_int_equal(journal_restore(dir, handlers, &done, &bad), 0);
	undone += done;
	for (int i = 0; i < VICTIM_KINDS; i++)
		spurious += page->slot[i].spurious;
	print_message("# %d kills, %u left something to undo, %llu spurious EINTR\n", KILLS, undone,
		      (unsigned long long)spurious);
	assert_int_equal(failed, 0);
	assert_int_equal(bad, 0);
	assert_true(undone > KILLS / 20); /* else the kills missed the work */
	no_thread_is_stopped(page->pid);
	assert_true(victim_progress(page, kinds, N_KINDS, 5));
	victim_assert_well(page);
	assert_true(victim_text_is_original(page));
	assert_int_equal(rmdir(dir), 0);
	victim_end(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(victims_survive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
