// SPDX-License-Identifier: GPL-2.0-or-later
/* A process to be worked on: each thread does one thing over and over, checks that nothing but
 * itself changed anything, and counts. usage: victim FD-OF-SHARED-PAGE [kind...] */
#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

#define SPIN_ROUNDS 20000
#define WAIT_MS	    3

static struct victim_page *page;
static volatile uint32_t futex_word;
static int read_pipe[2];
static _Thread_local volatile unsigned handled;

static void *kind_arg(enum victim_kind kind)
{
	return (void *)(intptr_t)kind;
}

static struct victim_slot *begin(void *arg)
{
	struct victim_slot *s = &page->slot[(intptr_t)arg];

	s->tid = (pid_t)syscall(SYS_gettid);
	return s;
}

static void wrong(struct victim_slot *s, long code)
{
	s->errors++;
	s->error_code = (uint64_t)code;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The mask must be what the thread set itself. */
static void check_mask(struct victim_slot *s, const sigset_t *want)
{
	sigset_t now;

	pthread_sigmask(SIG_SETMASK, NULL, &now);
	if (memcmp(&now, want, 8))
		wrong(s, 1000);
}

static void spin(struct victim_slot *s)
{
	long avx = __builtin_cpu_supports("avx");
	long r = victim_spin_regs(SPIN_ROUNDS, avx);

	if (r)
		wrong(s, r);
	else
		s->rounds++;
}

static void *spin_main(void *arg)
{
	struct victim_slot *s = begin(arg);
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	while (!page->stop) {
		spin(s);
		check_mask(s, &mask);
	}
	return NULL;
}

static void count(int sig)
{
	int saved = errno;
	char on_stack[512];

	memset(on_stack, sig, sizeof(on_stack));
	__asm__ volatile("" ::"r"(on_stack) : "memory");
	handled++;
	errno = saved;
}

static void *signals_main(void *arg)
{
	struct victim_slot *s = begin(arg);
	stack_t alt = {.ss_sp = malloc(65536), .ss_size = 65536};
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
	struct itimerspec period = {{0, 100000}, {0, 100000}};
	uint64_t checked_ns = now_ns();
	unsigned before = 0;
	timer_t timer;

	sigaltstack(&alt, NULL);
	ev._sigev_un._tid = s->tid;
	if (timer_create(CLOCK_MONOTONIC, &ev, &timer) || timer_settime(timer, 0, &period, NULL))
		wrong(s, errno);
	while (!page->stop) {
		for (int i = 0; i < 100; i++)
			spin(s);
		if (now_ns() - checked_ns < 5000000000)
			continue;
		if (handled == before)
			wrong(s, 2000);
		before = handled;
		checked_ns = now_ns();
	}
	timer_delete(timer);
	return NULL;
}

static void *futex_main(void *arg)
{
	struct victim_slot *s = begin(arg);

	while (!page->stop) {
		uint32_t now = futex_word;

		errno = 7777;
		if (!syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0)) {
			if (errno != 7777)
				wrong(s, errno);
			s->rounds++;
		} else if (errno == EINTR) {
			s->spurious++;
		} else if (errno != EAGAIN) {
			wrong(s, errno);
		}
	}
	return NULL;
}

/* A wait of WAIT_MS must last that long, and not much longer than the machine is busy. */
static void check_wait(struct victim_slot *s, long result, uint64_t begin_ns)
{
	uint64_t took_ns = now_ns() - begin_ns;

	if (result < 0 && errno == EINTR)
		s->spurious++;
	else if (result)
		wrong(s, result < 0 ? errno : result);
	else if (took_ns < WAIT_MS * 1000000 || took_ns > 120000000000)
		wrong(s, (long)took_ns);
	else
		s->rounds++;
}

static void *ppoll_main(void *arg)
{
	struct victim_slot *s = begin(arg);
	sigset_t mask, none;

	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	while (!page->stop) {
		struct timespec t = {0, WAIT_MS * 1000000};
		struct pollfd p = {read_pipe[1], POLLIN, 0};
		uint64_t begin_ns = now_ns();

		check_wait(s, ppoll(&p, 1, &t, &none), begin_ns);
		check_mask(s, &mask);
	}
	return NULL;
}

static void *poll_main(void *arg)
{
	struct victim_slot *s = begin(arg);

	while (!page->stop) {
		uint64_t begin_ns = now_ns();

		check_wait(s, poll(NULL, 0, WAIT_MS), begin_ns);
	}
	return NULL;
}

static void *sleep_main(void *arg)
{
	struct victim_slot *s = begin(arg);

	while (!page->stop) {
		struct timespec t = {0, WAIT_MS * 1000000};
		uint64_t begin_ns = now_ns();

		check_wait(s, nanosleep(&t, NULL), begin_ns);
	}
	return NULL;
}

static void *read_main(void *arg)
{
	struct victim_slot *s = begin(arg);
	unsigned char want = 0, got;

	while (!page->stop) {
		ssize_t n = read(read_pipe[0], &got, 1);

		if (n < 0 && errno == EINTR) {
			s->spurious++;
			continue;
		}
		if (n != 1 || got != want)
			wrong(s, n < 0 ? errno : got);
		else
			s->rounds++;
		want = got + 1;
	}
	return NULL;
}

static void *suspend_main(void *arg)
{
	struct victim_slot *s = begin(arg);
	sigset_t block, open;
	unsigned before = 0;

	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &block, &open);
	pthread_sigmask(SIG_SETMASK, NULL, &block);
	while (!page->stop) {
		if (sigsuspend(&open) != -1 || errno != EINTR)
			wrong(s, errno);
		if (handled == before)
			s->spurious++;
		else
			s->rounds++;
		before = handled;
		check_mask(s, &block);
	}
	return NULL;
}

static void *seccomp_main(void *arg)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code};
	struct victim_slot *s = begin(arg);

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		wrong(s, errno);
	return spin_main(arg);
}

/* Wakes the futex, feeds the pipe and signals the suspended thread every millisecond. */
static void feed(pthread_t suspended)
{
	unsigned char next = 0;

	while (!page->stop) {
		struct timespec t = {0, 1000000};

		nanosleep(&t, NULL);
		__atomic_add_fetch(&futex_word, 1, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, &futex_word, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0);
		if (write(read_pipe[1], &next, 1) == 1)
			next++;
		if (suspended)
			pthread_kill(suspended, SIGUSR1);
	}
}

static void *(*const mains[VICTIM_KINDS])(void *) = {spin_main,	 signals_main, futex_main,
						     ppoll_main, poll_main,    sleep_main,
						     read_main,	 suspend_main, seccomp_main};

static void set_up(int shared_fd)
{
	struct sigaction usr1 = {.sa_handler = count};
	struct sigaction usr2 = {.sa_handler = count, .sa_flags = SA_ONSTACK};
	int p[2], s[2];

	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
	if (page == MAP_FAILED || pipe(p) || socketpair(AF_UNIX, SOCK_STREAM, 0, s) ||
	    pipe(read_pipe) || write(p[1], "12345", VICTIM_PIPE_BYTES) != VICTIM_PIPE_BYTES)
		_exit(1);
	sigaction(SIGUSR1, &usr1, NULL);
	sigaction(SIGUSR2, &usr2, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	page->pid = getpid();
	page->pipe_fd = p[0];
	page->socket_fd = s[0];
}

int main(int argc, char **argv)
{
	pthread_t suspended = 0;

	if (argc < 2)
		return 2;
	set_up(atoi(argv[1]));
	for (int i = 2; i < argc; i++) {
		int kind = atoi(argv[i]);
		pthread_t thread;

		if (kind < 0 || kind >= VICTIM_KINDS ||
		    pthread_create(&thread, NULL, mains[kind], kind_arg((enum victim_kind)kind)))
			return 1;
		if (kind == VICTIM_SUSPEND)
			suspended = thread;
	}
	page->ready = 1;
	feed(suspended);
	return 0;
}
