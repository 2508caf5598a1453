// SPDX-License-Identifier: GPL-2.0-or-later
/* Injected calls into threads in every state; nobody notices. */
#include "../unit/test.h"

#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "live.h"
#include "vm/inject.h"
#include "vm/proc.h"
#include "vm/tracee.h"

#define TIMEOUT_MS 5000

static const int all_kinds[] = {VICTIM_SPIN, VICTIM_SIGNALS, VICTIM_FUTEX, VICTIM_PPOLL,
				VICTIM_POLL, VICTIM_SLEEP,   VICTIM_READ,  VICTIM_SUSPEND};
#define N_KINDS ((int)ARRAY_SIZE(all_kinds))

struct job {
	struct victim_page *page;
	struct journal *journal;
	int rounds;
	struct inject_why why;
};

#define CHECK(expr)                                                                   \
	do {                                                                          \
		if (!(expr)) {                                                        \
			print_message("# %s:%d: %s; %s\n", __func__, __LINE__, #expr, \
				      job->why.text);                                 \
			return -EBADE;                                                \
		}                                                                     \
	} while (0)

/* Calls whose results are known: a count, an error, and a struct with a pointer into itself. */
static int known_calls(struct job *job, struct inject_thread *t)
{
	struct {
		int len, pad;
		uint64_t buf;
		char entries[2 * sizeof(struct ifreq)];
	} conf = {.len = sizeof(conf.entries)};
	int bytes = -1;
	struct inject_call count = {job->page->pipe_fd, FIONREAD, 0, &bytes, sizeof(bytes)};
	struct inject_call bad = {9999, FIONREAD, 0, &bytes, sizeof(bytes)};
	struct inject_call list = {job->page->socket_fd, SIOCGIFCONF, 0, &conf,
				   sizeof(conf),	 8,	      16};

	CHECK(!inject_ioctl(t, &count, TIMEOUT_MS));
	CHECK(count.result == 0);
	CHECK(bytes == VICTIM_PIPE_BYTES);
	CHECK(!inject_ioctl(t, &bad, TIMEOUT_MS));
	CHECK(bad.result == -EBADF);
	CHECK(!inject_ioctl(t, &list, TIMEOUT_MS));
	CHECK(list.result == 0);
	/* The loopback device comes first, also where there is no other. */
	CHECK(conf.len == 0 || !strcmp(conf.entries, "lo"));
	return 0;
}

static int one_by_one(void *arg)
{
	struct job *job = arg;

	for (int i = 0; i < job->rounds * N_KINDS; i++) {
		struct inject_thread *t;
		struct inject *inj;
		int r;

		CHECK(!inject_open(job->page->pid, 0, job->journal, TIMEOUT_MS, &job->why, &inj));
		CHECK(!inject_stop(inj, job->page->slot[all_kinds[i % N_KINDS]].tid, TIMEOUT_MS,
				   &t));
		r = known_calls(job, t);
		if (r)
			return r;
		if (i & 1)
			CHECK(!inject_resume(t));
		CHECK(!inject_close(inj));
	}
	return 0;
}

static void each_state(void **state)
{
	struct victim_page *page = victim_start(all_kinds, N_KINDS);
	struct live_journal lj;
	struct job job = {page, NULL, 15};

	live_journal_open(&lj);
	job.journal = lj.j;
	assert_int_equal(inject_run(one_by_one, &job), 0);
	assert_true(victim_progress(page, all_kinds, N_KINDS, 5));
	victim_assert_well(page);
	for (int i = 0; i < VICTIM_KINDS; i++)
		assert_int_equal(page->slot[i].spurious, 0);
	assert_true(victim_text_is_original(page));
	live_journal_close(&lj);
	victim_end(page);
}

static int together(void *arg)
{
	struct inject_thread *threads[VICTIM_KINDS];
	struct inject_call calls[VICTIM_KINDS];
	int bytes[VICTIM_KINDS];
	struct job *job = arg;
	struct inject *inj;

	for (int round = 0; round < job->rounds; round++) {
		CHECK(!inject_open(job->page->pid, 0, job->journal, TIMEOUT_MS, &job->why, &inj));
		CHECK(!inject_stop_all(inj, TIMEOUT_MS));
		for (int i = 0; i < N_KINDS; i++) {
			CHECK(!inject_stop(inj, job->page->slot[all_kinds[i]].tid, TIMEOUT_MS,
					   &threads[i]));
			calls[i] = (struct inject_call){job->page->pipe_fd, FIONREAD, 0, &bytes[i],
							sizeof(int)};
		}
		for (int twice = 0; twice < 2; twice++) {
			memset(bytes, 0, sizeof(bytes));
			CHECK(!inject_ioctl_all(threads, calls, (size_t)N_KINDS, TIMEOUT_MS));
			for (int i = 0; i < N_KINDS; i++)
				CHECK(calls[i].result == 0 && bytes[i] == VICTIM_PIPE_BYTES);
		}
		CHECK(!inject_close(inj));
	}
	return 0;
}

static void all_at_once(void **state)
{
	struct victim_page *page = victim_start(all_kinds, N_KINDS);
	struct live_journal lj;
	struct job job = {page, NULL, 50};

	live_journal_open(&lj);
	job.journal = lj.j;
	assert_int_equal(inject_run(together, &job), 0);
	assert_true(victim_progress(page, all_kinds, N_KINDS, 5));
	victim_assert_well(page);
	for (int i = 0; i < VICTIM_KINDS; i++)
		assert_int_equal(page->slot[i].spurious, 0);
	assert_true(victim_text_is_original(page));
	live_journal_close(&lj);
	victim_end(page);
}

static char proc_state(pid_t pid)
{
	struct proc_stat s;

	assert_int_equal(proc_stat_read(NULL, pid, 0, &s), 0);
	return s.state;
}

/* A VMM that its user has stopped with SIGSTOP can be worked on, and stays stopped. */
static void group_stopped(void **state)
{
	struct victim_page *page = victim_start(all_kinds, N_KINDS);
	struct live_journal lj;
	struct job job = {page, NULL, 3};

	live_journal_open(&lj);
	job.journal = lj.j;
	kill(page->pid, SIGSTOP);
	while (proc_state(page->pid) != 'T')
		usleep(1000);
	assert_int_equal(inject_run(together, &job), 0);
	assert_int_equal(inject_run(one_by_one, &job), 0);
	usleep(20000);
	assert_int_equal(proc_state(page->pid), 'T');
	kill(page->pid, SIGCONT);
	assert_true(victim_progress(page, all_kinds, N_KINDS, 5));
	victim_assert_well(page);
	live_journal_close(&lj);
	victim_end(page);
}

static int open_only(void *arg)
{
	struct job *job = arg;
	struct inject *inj;
	int r = inject_open(job->page->pid, 0, job->journal, 200, &job->why, &inj);

	return r ? r : inject_close(inj);
}

static int open_twice(void *arg)
{
	struct job *job = arg, second = *job;
	struct inject *inj;
	int r;

	CHECK(!inject_open(job->page->pid, 0, job->journal, TIMEOUT_MS, &job->why, &inj));
	r = inject_run(open_only, &second);
	job->why = second.why;
	CHECK(!inject_close(inj));
	return r;
}

static void only_one_tracer(void **state)
{
	const int kinds[] = {VICTIM_SPIN};
	struct victim_page *page = victim_start(kinds, 1);
	struct job job = {page};

	assert_int_equal(inject_run(open_twice, &job), -EPERM);
	assert_non_null(strstr(job.why.text, "is traced by process"));
	assert_int_equal(inject_run(open_only, &job), 0);
	victim_end(page);
}

static int die_in_between(void *arg)
{
	struct job *job = arg;
	struct inject_thread *t;
	struct inject *inj;
	int bytes;
	struct inject_call call = {job->page->pipe_fd, FIONREAD, 0, &bytes, sizeof(bytes)};

	CHECK(!inject_open(job->page->pid, 0, job->journal, TIMEOUT_MS, &job->why, &inj));
	CHECK(!inject_stop(inj, job->page->slot[VICTIM_SPIN].tid, TIMEOUT_MS, &t));
	CHECK(!inject_ioctl(t, &call, TIMEOUT_MS));
	kill(job->page->pid, SIGKILL);
	CHECK(inject_ioctl(t, &call, TIMEOUT_MS) == -ESRCH);
	CHECK(!inject_close(inj));
	return 0;
}

static void target_dies(void **state)
{
	const int kinds[] = {VICTIM_SPIN, VICTIM_READ};
	struct victim_page *page = victim_start(kinds, 2);
	struct live_journal lj;
	struct job job = {page};

	live_journal_open(&lj);
	job.journal = lj.j;
	assert_int_equal(inject_run(die_in_between, &job), 0);
	assert_int_equal(inject_run(open_only, &job), -ESRCH);
	live_journal_close(&lj);
	victim_end(page);
}

static int seccomp_call(void *arg)
{
	struct job *job = arg;
	struct inject_thread *t;
	struct inject *inj;
	int bytes = -1, r;
	struct inject_call call = {job->page->pipe_fd, FIONREAD, 0, &bytes, sizeof(bytes)};

	CHECK(!inject_open(job->page->pid, 0, job->journal, TIMEOUT_MS, &job->why, &inj));
	r = inject_stop(inj, job->page->slot[VICTIM_SECCOMP].tid, TIMEOUT_MS, &t);
	if (!r) {
		CHECK(!inject_ioctl(t, &call, TIMEOUT_MS));
		CHECK(call.result == 0 && bytes == VICTIM_PIPE_BYTES);
	}
	CHECK(!inject_close(inj));
	return r;
}

/* In a child that has given up CAP_SYS_ADMIN. */
static int seccomp_unprivileged(struct job *job)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];
	int status;
	pid_t pid = fork();

	if (!pid) {
		syscall(SYS_capget, &h, d);
		d[0].effective &= ~(1u << CAP_SYS_ADMIN);
		syscall(SYS_capset, &h, d);
		_exit(-inject_run(seccomp_call, job) & 0xff);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EBADE;
}

static void seccomp(void **state)
{
	const int kinds[] = {VICTIM_SECCOMP, VICTIM_SPIN};
	struct victim_page *page = victim_start(kinds, 2);
	struct live_journal lj;
	struct job job = {page};

	live_journal_open(&lj);
	job.journal = lj.j;
	assert_int_equal(seccomp_unprivileged(&job), -EOPNOTSUPP);
	if (!geteuid())
		assert_int_equal(inject_run(seccomp_call, &job), 0);
	else
		print_message("# not root: the suspended filter was not tried\n");
	assert_true(victim_progress(page, kinds, 2, 100));
	victim_assert_well(page);
	live_journal_close(&lj);
	victim_end(page);
}

static volatile sig_atomic_t *signals_seen;

static void see(int sig)
{
	++*signals_seen;
}

/* A tracer that dies when it has seen a signal's stop takes no signal with it. */
static void signal_outlives_tracer(void **state)
{
	struct tracee_stop stop;
	pid_t target, tracer;
	int status;

	signals_seen = mmap(NULL, sizeof(*signals_seen), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(signals_seen, MAP_FAILED);
	signal(SIGUSR1, see);
	target = fork();
	if (!target) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			usleep(1000);
	}
	for (int i = 1; i <= 20; i++) {
		tracer = fork();
		if (!tracer) {
			if (tracee_seize(target, 0) || kill(target, SIGUSR1) ||
			    tracee_wait(target, tracee_deadline_ms(TIMEOUT_MS), &stop) ||
			    stop.kind != TRACEE_SIGNAL || stop.sig != SIGUSR1)
				_exit(1);
			_exit(0);
		}
		assert_int_equal(waitpid(tracer, &status, 0), tracer);
		assert_int_equal(status, 0);
		for (int ms = 0; ms < 2000 && *signals_seen < i; ms++)
			usleep(1000);
		assert_int_equal(*signals_seen, i);
	}
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
	munmap((void *)signals_seen, sizeof(*signals_seen));
}

static int stop_signal_blocked(void *arg)
{
	pid_t self = getpid();

	kill(self, SIGTSTP); /* to the process, as the terminal does */
	usleep(50000);
	*(bool *)arg = true;
	return 0;
}

/* Ctrl-Z waits until the VM is let go. */
static void not_stopped_meanwhile(void **state)
{
	bool *done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);
	int status;
	pid_t pid = fork();

	assert_ptr_not_equal(done, MAP_FAILED);
	if (!pid) {
		setpgid(0, 0); /* not an orphaned group: there SIGTSTP does nothing */
		_exit(inject_run(stop_signal_blocked, done) ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_true(*done);
	kill(pid, SIGCONT);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	munmap(done, sizeof(*done));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state),
		cmocka_unit_test(all_at_once),
		cmocka_unit_test(group_stopped),
		cmocka_unit_test(only_one_tracer),
		cmocka_unit_test(target_dies),
		cmocka_unit_test(seccomp),
		cmocka_unit_test(signal_outlives_tracer),
		cmocka_unit_test(not_stopped_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
