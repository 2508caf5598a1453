// SPDX-License-Identifier: GPL-2.0-or-later
/* The daemon: passes the gate's events on to jobs until a signal. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/journal.h"
#include "base/log.h"
#include "base/mono.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/undo.h"
#include "cmd/zero_job.h"
#include "cmd/zero_print.h"
#include "vm/gate.h"
#include "vm/watchlock.h"

/* A QEMU reset writes the TSCs in two rounds, each a holding of its own. */
#define SETTLE_NS 2000000000ull
#define TICK_MS	  1000

struct watch {
	const struct zero_options *options;
	struct gate *gate;
	struct printer *printer;
	struct jobs *jobs;
	struct journal *journal;
	struct vm armed; /* --at-reset: the VM waited for */
	bool is_armed;
	int lock, signals, poke; /* poke: look at what follows */
	sigset_t old_mask;
	_Atomic bool closed;	       /* stdout is gone */
	_Atomic uint64_t last_done_ns; /* 0: no VM zeroed yet */
	_Atomic bool refused;
	uint64_t end_ns;
};

static void poke(struct watch *w)
{
	uint64_t one = 1;

	if (write(w->poke, &one, sizeof(one)) < 0)
		log_debug("zero: %m");
}

/* --- called from the gate, the printer and the jobs ---------------------- */

static void on_event(void *ctx, const struct gate_event *e)
{
	static const enum zero_outcome outcomes[] = {
		[GATE_RESTORED] = ZERO_RESTORED,
		[GATE_PARTIAL] = ZERO_PARTIAL,
		[GATE_TIMEOUT] = ZERO_TIMEOUT,
		[GATE_SLIPPED] = ZERO_SLIPPED,
	};
	struct watch *w = ctx;
	struct zero_report r = {
		.pid = (pid_t)e->tgid,
		.start_ns = e->start_ns,
		.offset = (int64_t)e->offset,
		.time_ns = mono_ns(),
	};

	if (e->kind == GATE_HELD) {
		jobs_start_held(w->jobs, e);
		return;
	}
	r.outcome = outcomes[e->kind];
	r.held_ns = e->kind == GATE_TIMEOUT ? r.time_ns - e->held_ns : 0;
	if (w->is_armed && r.pid == w->armed.pid)
		w->refused = true;
	printer_post(w->printer, &r);
}

static void on_write(void *ctx, const struct gate_write *write)
{
	struct watch *w = ctx;

	printer_on_write(w->printer, write);
}

static void on_guest_write(void *ctx, pid_t pid, uint64_t start_ns)
{
	struct watch *w = ctx;

	if (w->options->rezero)
		jobs_start_rezero(w->jobs, pid, start_ns);
}

static void on_closed(void *ctx)
{
	struct watch *w = ctx;

	w->closed = true;
	poke(w);
}

static void on_job_end(void *ctx, enum zero_outcome outcome)
{
	struct watch *w = ctx;

	if (outcome == ZERO_DONE)
		w->last_done_ns = mono_ns();
	else
		w->refused = true;
	poke(w);
}

/* --- start and end -------------------------------------------------------- */

/* Also makes the probes that the first VM would otherwise have to wait for. */
static int check_host(void)
{
	enum offset_refusal refusal = offset_preflight(NULL, NULL);

	return refusal ? log_err_r(-EOPNOTSUPP, "cannot zero VMs here: %s",
				   offset_refusal_text(refusal))
		       : 0;
}

static int find_armed(struct watch *w)
{
	_cleanup_vms_ struct vms vms = {0};
	const struct vm *vm;
	int r;

	if (!w->options->at_reset)
		return 0;
	r = zero_find(w->options->vms.v[0], &vms, &vm);
	if (r)
		return r;
	if (vm_find_pid(NULL, vm->pid, &w->armed))
		return log_err_r(-ENOENT, "VM \"%s\" has just ended", w->options->vms.v[0]);
	w->is_armed = true;
	return 0;
}

static int open_fds(struct watch *w)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, &w->old_mask);
	signal(SIGPIPE, SIG_IGN);
	/* Stopped by Ctrl-Z we would keep each VM that starts waiting until its deadline. */
	signal(SIGTSTP, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	w->poke = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->signals < 0 || w->poke < 0)
		return log_err_r(-errno, "cannot prepare for signals: %m");
	return 0;
}

static int open_workers(struct watch *w)
{
	const struct printer_config printer = {w->options, on_guest_write, on_closed, w};
	const struct gate_config gate = {
		.deadline_ns = w->options->deadline_ns,
		.ask = w->options->vms.n > 0,
		.on_event = on_event,
		.on_write = on_write,
		.ctx = w,
	};
	struct jobs_config jobs = {w->options, NULL, NULL, w->journal, on_job_end, w};
	int r = printer_new(&printer, &w->printer);

	r = r ?: gate_open(&gate, &w->gate);
	if (r)
		return r;
	jobs.gate = w->gate;
	jobs.printer = w->printer;
	r = jobs_new(&jobs, &w->jobs);
	r = r ?: printer_start(w->printer, w->gate);
	return r ? log_err_r(r, "cannot start a thread: %m") : 0;
}

/* In this order: no new VM is held, the begun ones are finished, the gate goes, the rest is
 * printed; stdout may block there, so signals end us then. */
static void close_workers(struct watch *w)
{
	if (w->gate)
		gate_drain(w->gate);
	jobs_finish(w->jobs);
	if (w->gate)
		gate_detach(w->gate);
	pthread_sigmask(SIG_SETMASK, &w->old_mask, NULL);
	if (w->printer)
		printer_stop(w->printer);
	jobs_free(w->jobs);
	gate_close(w->gate);
	printer_free(w->printer);
}

/* --- the loop ------------------------------------------------------------- */

static bool armed_is_over(struct watch *w, int *ret_code)
{
	char name[128];

	if (!w->is_armed)
		return false;
	if (w->refused) {
		*ret_code = EXIT_FAILED;
		return true;
	}
	if (w->last_done_ns)
		return mono_ns() - w->last_done_ns > SETTLE_NS;
	if (vm_alive(NULL, &w->armed))
		return false;
	log_err("%s (pid %d) ended before it was reset",
		text_escape(name, sizeof(name), w->armed.name), w->armed.pid);
	*ret_code = EXIT_FAILED;
	return true;
}

static bool is_over(struct watch *w, int *ret_code)
{
	struct signalfd_siginfo info;

	if (read(w->signals, &info, sizeof(info)) == sizeof(info) ||
	    (w->end_ns && mono_ns() >= w->end_ns)) {
		if (w->is_armed && !w->last_done_ns) {
			log_err("--at-reset: ended before the VM was reset");
			*ret_code = EXIT_FAILED;
		}
		return true;
	}
	if (w->closed) {
		*ret_code = EXIT_FAILED;
		return true;
	}
	return armed_is_over(w, ret_code);
}

static int timeout_ms(const struct watch *w)
{
	uint64_t now = mono_ns(), left_ms;

	if (!w->end_ns)
		return TICK_MS;
	left_ms = w->end_ns > now ? (w->end_ns - now) / 1000000 + 1 : 0;
	return left_ms < TICK_MS ? (int)left_ms : TICK_MS;
}

static int loop(struct watch *w)
{
	struct pollfd fds[] = {{.fd = gate_events_fd(w->gate), .events = POLLIN},
			       {.fd = w->signals, .events = POLLIN},
			       {.fd = w->poke, .events = POLLIN}};
	int code = EXIT_OK, r;
	uint64_t count;

	while (!is_over(w, &code)) {
		if (poll(fds, ARRAY_SIZE(fds), timeout_ms(w)) < 0 && errno != EINTR)
			return log_err_r(-errno, "poll: %m") ? EXIT_FAILED : EXIT_OK;
		if (fds[2].revents && read(w->poke, &count, sizeof(count)) < 0)
			log_debug("zero: %m");
		r = gate_read_events(w->gate);
		r = r ?: gate_sweep(w->gate);
		if (r)
			log_errno(r, "gate: %m");
	}
	return code;
}

static void say_counts(struct watch *w)
{
	struct gate_counts n;

	gate_get_counts(w->gate, &n);
	log_debug("zero: %u entries made for VMs, %u of them left, %llu events repeated", n.vms,
		  n.remembered, (unsigned long long)n.lost_events);
	if (n.lost_writes)
		log_warn("%llu offset writes came too fast and were not printed",
			 (unsigned long long)n.lost_writes);
	if (n.unknown_vms)
		log_warn("%llu times a VM ran ungated because too many VMs are running",
			 (unsigned long long)n.unknown_vms);
}

static int open_watch(struct watch *w)
{
	int r = check_host();

	r = r ?: find_armed(w);
	r = r ?: open_fds(w);
	/* vCPU threads that are held spin: what they wait for must not queue behind them. */
	if (!r && setpriority(PRIO_PROCESS, 0, -20))
		log_debug("zero: cannot raise the priority: %m");
	r = r ?: undo_begin(&w->journal);
	r = r ?: watchlock_take(&w->lock);
	r = r ?: open_workers(w);
	if (r)
		return r;
	if (w->options->duration_ns)
		w->end_ns = mono_ns() + w->options->duration_ns;
	log_info("watching: VMs that start or are reset from now on get offset 0 (Ctrl-C ends)");
	return 0;
}

int zero_watch(const struct zero_options *o)
{
	struct watch w = {.options = o, .lock = -1, .signals = -1, .poke = -1};
	int code = EXIT_FAILED;

	sigemptyset(&w.old_mask);
	if (!open_watch(&w)) {
		code = loop(&w);
		say_counts(&w);
	}
	close_workers(&w);
	if (undo_end(w.journal)) {
		log_err("not everything could be put back; run: onetsc restore");
		code = EXIT_UNRESTORED;
	}
	if (w.is_armed)
		vm_free(&w.armed);
	cleanup_fd(&w.lock);
	cleanup_fd(&w.signals);
	cleanup_fd(&w.poke);
	return code;
}
