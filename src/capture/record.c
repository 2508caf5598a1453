// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/record.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "base/log.h"
#include "base/mono.h"
#include "capture/privs.h"
#include "capture/record_impl.h"
#include "capture/record_summary.h"

#define TICK_MS		 250
#define BUFFER_BYTES	 (8u << 20) /* per CPU */
#define BUFFER_MIN_BYTES (1u << 20)
#define BUFFER_SHARE	 16 /* of the memory, all CPUs together */
#define SETTLE_MS	 60000
#define SETTLE_STEP_MS	 20
#define SAVE_EVERY_MS	 8000

uint64_t record_cpu_us(void)
{
	struct rusage u = {0};

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* --- what to record --- */
static int choose_host_events(struct record *r)
{
	const struct record_config *cfg = r->cfg;
	int n, e = events_list(r->tracefs, &r->events);

	if (e)
		return log_err_r(e, "cannot list the events in \"%s\": %m", r->tracefs);
	n = preset_want(&r->events, cfg->preset->host);
	for (size_t i = 0; n >= 0 && i < cfg->n_host_events; i++) {
		n = events_want(&r->events, cfg->host_events[i]);
		if (!n || n == -EINVAL)
			return log_err_r(-ENOENT,
					 "no event of this kernel matches \"%s\"; see "
					 "\"%s/available_events\"",
					 cfg->host_events[i], r->tracefs);
	}
	if (n < 0)
		return n;
	return events_wanted(&r->events) ? 0
					 : log_err_r(-ENOENT,
						     "this kernel has none of the events of "
						     "preset \"%s\"",
						     cfg->preset->name);
}

static int choose_guest_events(struct record *r)
{
	const struct record_config *cfg = r->cfg;
	size_t n = 0;

	while (cfg->preset->guest[n])
		n++;
	r->patterns = calloc(n + cfg->n_guest_events + 1, sizeof(*r->patterns));
	if (!r->patterns)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		r->patterns[r->n_patterns++] = cfg->preset->guest[i];
	for (size_t i = 0; i < cfg->n_guest_events; i++) {
		if (strlen(cfg->guest_events[i]) > WIRE_TEXT_MAX)
			return log_err_r(-EINVAL, "a guest event with its filter may have %d bytes",
					 WIRE_TEXT_MAX);
		r->patterns[r->n_patterns++] = cfg->guest_events[i];
	}
	return 0;
}

/* 8 MiB a CPU last half a second at 16 MB/s; many CPUs get less, so that the memory stays the
 * machine's. */
static uint64_t choose_buffer(const struct record_config *cfg)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	struct sysinfo si;
	uint64_t share;

	if (cfg->buffer_bytes)
		return cfg->buffer_bytes;
	if (sysinfo(&si) || cpus < 1)
		return BUFFER_BYTES;
	share = (uint64_t)si.totalram * si.mem_unit / BUFFER_SHARE / (uint64_t)cpus;
	if (share < BUFFER_MIN_BYTES)
		return BUFFER_MIN_BYTES;
	return share < BUFFER_BYTES ? share : BUFFER_BYTES;
}

/* --- the session directory --- */
static int make_dir(struct record *r)
{
	char name[64] = "onetsc.onetsc";
	time_t now = time(NULL);
	struct tm tm;
	int e;

	if (localtime_r(&now, &tm))
		strftime(name, sizeof(name), "onetsc-%Y%m%d-%H%M%S.onetsc", &tm);
	r->dir = strdup(r->cfg->dir ?: name);
	if (!r->dir)
		return -ENOMEM;
	e = session_create_dir(r->dir);
	if (e)
		return e;
	r->dirfd = open(r->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return r->dirfd < 0 ? log_err_r(-errno, "cannot open \"%s\": %m", r->dir) : 0;
}

static int open_signals(struct record *r)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	r->notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return r->signal_fd < 0 || r->notify_fd < 0
		       ? log_err_r(-errno, "cannot set up signal handling: %m")
		       : 0;
}

/* --- begin --- */
/* With a command the VM may be what the command starts. */
static int check_vms(const struct record *r)
{
	_cleanup_vms_ struct vms vms = {0};
	const struct vm *vm;
	int e = 0;

	if (r->cfg->argv || !r->cfg->n_vms)
		return 0;
	e = vm_find_all(NULL, &vms, NULL);
	if (e)
		return log_err_r(e, "cannot look for VMs: %m");
	for (size_t i = 0; !e && i < r->cfg->n_vms; i++) {
		e = vm_select(&vms, r->cfg->vms[i], &vm);
		if (e == -ENOENT)
			log_err("no VM \"%s\" runs here (or this user may not see it); onetsc list "
				"shows those that do",
				r->cfg->vms[i]);
	}
	return e;
}

static void warn_about_vms(const struct record *r)
{
	if (!r->vm_seen && !r->cfg->argv && !r->cfg->n_guests)
		log_warn("no VM runs here: only the host is recorded, and VMs as they start");
	if (r->vm_seen && vm_debugfs_state(NULL))
		log_warn(
			"\"/sys/kernel/debug/kvm\" cannot be read: the TSC offsets at the start are "
			"not known, only changes (mount -t debugfs nodev /sys/kernel/debug)");
}

/* Everything that can fail for the user's reasons comes before the directory is made. */
static int prepare(struct record *r)
{
	int e = tracefs_find(&r->tracefs);

	if (!e && r->cfg->argv && record_child_check(r->cfg->argv[0])) {
		r->child.status = 127;
		return -ENOENT;
	}
	if (!e)
		e = check_vms(r);
	if (!e)
		e = choose_host_events(r);
	if (!e)
		e = choose_guest_events(r);
	if (!e)
		e = record_guestprobes(r);
	if (!e)
		e = open_signals(r);
	if (!e && r->cfg->argv)
		e = record_child_fork(r->cfg->argv, &r->child);
	if (e)
		return e;
	record_qemutrace_hint(r);
	privs_drop();
	r->buffer_bytes = choose_buffer(r->cfg);
	e = record_probes_begin(r);
	if (!e)
		e = record_session_begin(r);
	return e ? e : make_dir(r);
}

/* So that the time asked for, and the command, are recorded in the guests too. 1 when a signal came
 * meanwhile. */
static int settle(struct record *r)
{
	int64_t end = mono_ms() + SETTLE_MS;
	struct pollfd p = {.fd = r->signal_fd, .events = POLLIN};

	while (!record_guests_settled(r) && mono_ms() < end) {
		struct signalfd_siginfo si;

		log_progress("waiting for the agents");
		if (poll(&p, 1, SETTLE_STEP_MS) > 0 && read(r->signal_fd, &si, sizeof(si)) > 0 &&
		    si.ssi_signo != SIGCHLD) {
			log_progress_end();
			return 1;
		}
	}
	log_progress_end();
	return 0;
}

/* The offsets instance runs before the first offset is read, and the host before any guest. */
static int begin(struct record *r)
{
	struct hostrec_spec spec = {r->tracefs, &r->events,	 r->buffer_bytes,
				    r->dirfd,	r->cfg->journal, record_links(r)};
	int e = record_session_pair(r, true);

	if (!e)
		e = session_save(&r->session, r->dir);
	if (!e)
		e = hostrec_open(&spec, &r->host);
	if (!e)
		e = hostrec_start(r->host, HOSTREC_OFFSETS);
	if (!e)
		e = hostrec_start(r->host, HOSTREC_MAIN);
	if (e)
		return e;
	r->host_on = true;
	r->session.begin_tsc = clockpair_rdtsc();
	r->begin_ms = mono_ms();
	e = record_vms_tick(r);
	if (!e)
		warn_about_vms(r);
	if (!e)
		e = record_guests_begin(r);
	if (!e)
		e = record_session_save(r);
	if (!e && settle(r)) {
		r->running = r->asked_early = true;
		return 0;
	}
	if (!e && r->child.pid)
		e = record_child_go(&r->child, r->cfg->argv[0]);
	r->begin_ms = mono_ms();
	r->begin_cpu_us = record_cpu_us();
	r->running = !e;
	return e;
}

/* --- the loop --- */
enum verdict { GO_ON, STOP };

/* A signal from a terminal reaches the command by itself; one sent to us alone is passed on. */
static enum verdict on_signal(struct record *r, const struct signalfd_siginfo *si, bool *asked)
{
	if (si->ssi_signo == SIGCHLD)
		return record_child_ended(&r->child) ? STOP : GO_ON;
	if (!r->child.pid || *asked)
		return STOP;
	if (si->ssi_code != SI_KERNEL)
		record_child_signal(&r->child, (int)si->ssi_signo);
	log_info("waiting for \"%s\" to end; once more stops the recording at once",
		 r->cfg->argv[0]);
	*asked = true;
	return GO_ON;
}

static enum verdict read_signals(struct record *r, bool *asked)
{
	struct signalfd_siginfo si;

	while (read(r->signal_fd, &si, sizeof(si)) == sizeof(si))
		if (on_signal(r, &si, asked) == STOP)
			return STOP;
	return GO_ON;
}

static int guests_error(struct record *r)
{
	array_for_each(g, &r->guests) {
		struct guest_status st = {0};

		if (g->link)
			guest_status(g->link, &st);
		if (st.error)
			return st.error;
	}
	return 0;
}

static int tick(struct record *r, int64_t *save_ms)
{
	int e = record_vms_tick(r);

	if (!e)
		e = record_session_pair(r, false);
	if (!e && (r->dirty || mono_ms() >= *save_ms)) {
		e = record_session_save(r);
		*save_ms = mono_ms() + SAVE_EVERY_MS;
	}
	record_progress(r);
	return e;
}

static int wait_ms(const struct record *r)
{
	int64_t end = r->begin_ms + (int64_t)((r->cfg->duration_ns + 999999) / 1000000);
	int64_t now = mono_ms();

	if (!r->cfg->duration_ns || end > now + TICK_MS)
		return TICK_MS;
	return end > now ? (int)(end - now) : 0;
}

static bool time_is_over(const struct record *r)
{
	return r->cfg->duration_ns &&
	       (uint64_t)(mono_ms() - r->begin_ms) * 1000000 >= r->cfg->duration_ns;
}

static int loop(struct record *r)
{
	struct pollfd p[3] = {{.fd = r->signal_fd, .events = POLLIN},
			      {.fd = hostrec_failed_fd(r->host), .events = POLLIN},
			      {.fd = r->notify_fd, .events = POLLIN}};
	int64_t save_ms = 0, tick_at = 0;
	bool asked = false;
	int e = 0;

	while (!e && !r->asked_early && !time_is_over(r)) {
		if (mono_ms() >= tick_at) {
			e = tick(r, &save_ms);
			tick_at = mono_ms() + TICK_MS;
		}
		if (e || poll(p, 3, wait_ms(r)) <= 0)
			continue;
		if (p[1].revents)
			break; /* hostrec_stop() says why */
		if (p[2].revents)
			e = guests_error(r);
		if (p[0].revents && read_signals(r, &asked) == STOP)
			break;
	}
	log_progress_end();
	return e;
}

/* --- the end --- */
/* Guests first, so that all that they saw lies inside what the host saw. */
static int end(struct record *r)
{
	int e, first = 0;

	r->end_ms = mono_ms();
	r->end_cpu_us = record_cpu_us();
	if (r->child.pid && r->running && time_is_over(r))
		record_child_signal(&r->child, SIGTERM);
	record_guests_end(r);
	first = guests_error(r);
	record_vms_end(r);
	first = record_qemutrace_end(r) ?: first;
	r->session.end_tsc = clockpair_rdtsc();
	r->host_on = false;
	e = hostrec_stop(r->host);
	first = first ? first : e;
	e = record_session_pair(r, true);
	first = first ? first : e;
	r->cut = first != 0;
	e = record_session_finish(r);
	record_check_clocks(r);
	return first ? first : e;
}

static int record_free(struct record *r)
{
	int err;

	record_child_release(&r->child);
	if (record_qemutrace_end(r))
		log_debug("QEMU's trace events are left to the journal");
	array_for_each(g, &r->guests) {
		guest_free(g->link);
		if (g->has_vm)
			vm_free(&g->vm);
		free(g->name);
	}
	array_free(&r->guests);
	hostrec_close(r->host);
	err = record_probes_end(r);
	session_free(&r->session);
	events_free(&r->events);
	free(r->patterns);
	record_guestprobes_free(r);
	array_free(&r->probed);
	free(r->probe_filter);
	free(r->vm_listing);
	free(r->tracefs);
	free(r->dir);
	if (r->dirfd >= 0)
		close(r->dirfd);
	if (r->signal_fd >= 0)
		close(r->signal_fd);
	if (r->notify_fd >= 0)
		close(r->notify_fd);
	return err;
}

/* A command that was told to end gets a moment; one that does not is left alone. */
static void await_child(struct record *r)
{
	for (int i = 0; i < 50 && r->child.pid && !record_child_ended(&r->child); i++)
		poll(NULL, 0, 100);
	if (r->child.pid && r->running)
		log_warn("\"%s\" (pid %d) still runs", r->cfg->argv[0], r->child.pid);
}

int record_run(const struct record_config *cfg, int *ret_status)
{
	struct record r = {.cfg = cfg,
			   .dirfd = -1,
			   .signal_fd = -1,
			   .notify_fd = -1,
			   .child = RECORD_CHILD_NONE};
	int err, e = prepare(&r);

	if (!e) {
		e = begin(&r);
		if (!e)
			e = loop(&r);
		if (r.host) {
			err = end(&r);
			e = e ? e : err;
		}
		if (r.running)
			record_print_summary(&r);
	}
	if (r.running && time_is_over(&r))
		await_child(&r);
	*ret_status = r.child.status;
	err = record_free(&r);
	return e ? e : err;
}
