// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/hostrec.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "capture/pages.h"

#define OFFSETS_BUFFER_BYTES (256u << 10) /* per CPU: thousands of writes between two reads */

struct lane {
	struct instance *instance;
	struct pages *pages;
	struct datfile file;
};

struct hostrec {
	struct lane lanes[HOSTREC_LANES];
	pthread_t thread;
	bool threaded, stopped;
	int stop_fd, failed_fd;
	int error;	      /* of the thread; read after it ended */
	pthread_mutex_t lock; /* pages and files of the lanes */
};

static int put_page(void *ctx, unsigned cpu, int pipe_fd, size_t n)
{
	struct datfile *f = ctx;
	int r = pages_to_fd(pipe_fd, datwriter_cpu_fd(f->writer, cpu), n);

	if (!r)
		f->stats.v[cpu].bytes += n;
	return r;
}

/* What both files hold is read once. */
static int copy_common(const struct meta *from, struct meta *to)
{
	int r = 0;

	array_for_each(t, &from->texts) {
		if (t->kind != META_EVENT)
			r = meta_store(to, t->kind, t->system, t->name, t->text.s ?: "", t->text.n);
		if (r)
			break;
	}
	return r;
}

static int gather(struct hostrec *h, struct lane *l, const struct hostrec_spec *spec,
		  const struct events *events)
{
	const struct meta *first = &h->lanes[HOSTREC_OFFSETS].file.meta;
	struct meta *meta = &l->file.meta;
	int r;

	if (meta != first && first->texts.n) {
		r = copy_common(first, meta);
		return r ? r : meta_gather_events(spec->tracefs, events, meta_store, meta);
	}
	r = meta_gather(spec->tracefs, l->instance, events, meta_store, meta);
	return r ? r : meta_gather_names(spec->tracefs, meta_store, meta);
}

static int lane_open(struct hostrec *h, enum hostrec_lane lane, const struct hostrec_spec *spec,
		     const struct events *events)
{
	bool is_main = lane == HOSTREC_MAIN;
	struct lane *l = &h->lanes[lane];
	struct instance_spec is = {spec->tracefs, is_main ? "host" : "offsets",
				   is_main ? spec->buffer_bytes : OFFSETS_BUFFER_BYTES, is_main};
	struct pages_sink sink = {put_page, &l->file};
	int r = instance_create(&is, spec->journal, &l->instance);

	if (!r)
		r = events_enable(events, l->instance);
	if (!r)
		r = gather(h, l, spec, events);
	if (!r && is_main)
		r = meta_gather_symbols(meta_store, &l->file.meta);
	if (r)
		return r;
	l->file.name = strdup(is_main ? "host.dat" : "offsets.dat");
	if (!l->file.name)
		return -ENOMEM;
	l->file.cpus = l->instance->cpus;
	l->file.page_bytes = l->instance->page_bytes;
	r = datfile_create(&l->file, spec->dirfd, &spec->links);
	return r ? r : pages_open(l->instance, &sink, &l->pages);
}

static int open_offsets(struct hostrec *h, const struct hostrec_spec *spec)
{
	_cleanup_events_ struct events e = {0};
	int r = events_list(spec->tracefs, &e);

	if (r)
		return log_err_r(r, "cannot list the events in \"%s\": %m", spec->tracefs);
	r = events_want(&e, "kvm:kvm_write_tsc_offset");
	if (!r) {
		log_warn("KVM's tracepoints are missing (is the kvm module loaded?): only the rest "
			 "of the host is recorded");
		return 0;
	}
	if (r > 0)
		r = events_want(&e, "kvm:kvm_track_tsc");
	return r < 0 ? r : lane_open(h, HOSTREC_OFFSETS, spec, &e);
}

int hostrec_open(const struct hostrec_spec *spec, struct hostrec **ret)
{
	struct hostrec *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	pthread_mutex_init(&h->lock, NULL);
	h->stop_fd = eventfd(0, EFD_CLOEXEC);
	h->failed_fd = eventfd(0, EFD_CLOEXEC);
	r = h->stop_fd < 0 || h->failed_fd < 0 ? log_err_r(-errno, "cannot create an eventfd: %m")
					       : 0;
	if (!r)
		r = open_offsets(h, spec);
	if (!r)
		r = lane_open(h, HOSTREC_MAIN, spec, spec->events);
	if (r) {
		hostrec_close(h);
		return r;
	}
	*ret = h;
	return 0;
}

static void raise_event(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		log_debug("eventfd: %m");
}

/* Ring-buffer reading failed, or writing did: the likely one is a full disk. */
static void say_failed(const struct lane *l, int err)
{
	if (err == -ENOSPC || err == -EDQUOT || err == -EFBIG)
		log_errno(err, "recording ends: cannot write \"%s\": %m; what was written stays",
			  l->file.name);
	else
		log_errno(err, "recording ends: cannot move trace pages into \"%s\": %m",
			  l->file.name);
}

/* v: what was polled of each lane's CPUs, in a row. Returns ms until something is due. */
static int drain(struct hostrec *h, struct pollfd *v, int *ret_wait_ms)
{
	int r = 0;

	*ret_wait_ms = -1;
	pthread_mutex_lock(&h->lock);
	for (struct lane *l = h->lanes; !r && l < h->lanes + HOSTREC_LANES; l++) {
		int ms;

		if (!l->pages)
			continue;
		r = pages_drain(l->pages, v);
		if (r)
			say_failed(l, r);
		pages_poll(l->pages, v);
		v += pages_cpus(l->pages);
		ms = pages_wait_ms(l->pages);
		if (*ret_wait_ms < 0 || ms < *ret_wait_ms)
			*ret_wait_ms = ms;
	}
	pthread_mutex_unlock(&h->lock);
	return r;
}

static int read_until_stop(struct hostrec *h)
{
	_cleanup_free_ struct pollfd *p = NULL;
	nfds_t n = 1;
	int wait_ms;

	for (struct lane *l = h->lanes; l < h->lanes + HOSTREC_LANES; l++)
		n += l->pages ? pages_cpus(l->pages) : 0;
	p = calloc(n, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p[0] = (struct pollfd){.fd = h->stop_fd, .events = POLLIN};
	do {
		int r = drain(h, p + 1, &wait_ms);

		if (r)
			return r;
		if (poll(p, n, wait_ms) < 0)
			p[0].revents = 0;
	} while (!p[0].revents);
	return 0;
}

static void *reader(void *arg)
{
	struct hostrec *h = arg;

	h->error = read_until_stop(h);
	if (h->error)
		raise_event(h->failed_fd);
	return NULL;
}

/* Signals are the main thread's. */
static int start_thread(struct hostrec *h)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&h->thread, NULL, reader, h);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return log_err_r(r, "cannot start a thread: %m");
	h->threaded = true;
	return 0;
}

int hostrec_start(struct hostrec *h, enum hostrec_lane lane)
{
	struct lane *l = &h->lanes[lane];
	int r = l->instance ? instance_run(l->instance, true) : 0;

	return r || h->threaded ? r : start_thread(h);
}

int hostrec_add(struct hostrec *h, const char *tracefs, const struct events *e,
		const struct datfile_links *links)
{
	struct lane *l = &h->lanes[HOSTREC_MAIN];
	int r;

	pthread_mutex_lock(&h->lock);
	r = meta_gather_events(tracefs, e, meta_store, &l->file.meta);
	if (!r)
		r = datfile_update(&l->file, links);
	pthread_mutex_unlock(&h->lock);
	return r ? r : events_enable(e, l->instance);
}

int hostrec_filter(struct hostrec *h, const struct event *ev, const char *filter)
{
	return event_filter(ev, filter, h->lanes[HOSTREC_MAIN].instance);
}

const char *hostrec_path(const struct hostrec *h)
{
	return h->lanes[HOSTREC_MAIN].instance->path;
}

int hostrec_failed_fd(const struct hostrec *h)
{
	return h->failed_fd;
}

static void read_stats(struct lane *l)
{
	struct instance_stats st;

	for (unsigned c = 0; c < l->file.cpus && c < l->file.stats.n; c++) {
		if (instance_stats(l->instance, c, &st))
			continue;
		l->file.stats.v[c].overrun = st.overrun;
		l->file.stats.v[c].dropped = st.dropped;
		l->file.events += st.events;
	}
}

static int lane_stop(struct lane *l, bool may_flush)
{
	int r = 0;

	if (!l->instance)
		return 0;
	r = instance_run(l->instance, false);
	if (l->pages && may_flush) {
		int err = pages_flush(l->pages);

		if (err)
			say_failed(l, err);
		r = r ? r : err;
	}
	read_stats(l);
	pages_close(l->pages);
	l->pages = NULL;
	if (instance_remove(TAKE_PTR(l->instance)) && !r)
		r = -EBUSY;
	return r;
}

int hostrec_stop(struct hostrec *h)
{
	int r;

	if (h->stopped)
		return h->error;
	h->stopped = true;
	if (h->threaded) {
		raise_event(h->stop_fd);
		pthread_join(h->thread, NULL);
	}
	r = h->error;
	/* The offsets last: every guest and host event lies inside what they cover. */
	for (int k = HOSTREC_LANES - 1; k >= 0; k--) {
		int err = lane_stop(&h->lanes[k], !h->error);

		r = r ? r : err;
	}
	h->error = r;
	return r;
}

struct datfile *hostrec_file(struct hostrec *h, enum hostrec_lane lane)
{
	return h->lanes[lane].file.writer ? &h->lanes[lane].file : NULL;
}

uint64_t hostrec_bytes(struct hostrec *h, enum hostrec_lane lane)
{
	uint64_t sum = 0;

	pthread_mutex_lock(&h->lock);
	array_for_each(c, &h->lanes[lane].file.stats)
		sum += c->bytes;
	pthread_mutex_unlock(&h->lock);
	return sum;
}

uint64_t hostrec_lost(struct hostrec *h)
{
	struct instance *i = h->lanes[HOSTREC_MAIN].instance;
	struct instance_stats st;
	uint64_t sum = 0;

	for (unsigned c = 0; i && c < i->cpus; c++)
		if (!instance_stats(i, c, &st))
			sum += st.overrun + st.dropped;
	return sum;
}

void hostrec_close(struct hostrec *h)
{
	if (!h)
		return;
	if (hostrec_stop(h))
		log_debug("host recording ended with an error");
	for (int k = 0; k < HOSTREC_LANES; k++)
		datfile_free(&h->lanes[k].file);
	if (h->stop_fd >= 0)
		close(h->stop_fd);
	if (h->failed_fd >= 0)
		close(h->failed_fd);
	pthread_mutex_destroy(&h->lock);
	free(h);
}
