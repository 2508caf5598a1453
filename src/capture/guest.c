// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/guest.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "capture/guest_link.h"

#define DIAL_MS	 2000
#define RETRY_MS 1000
#define BUSY_MAX 5 /* a killed recorder's session ends within a second or two */

static void raise_event(int fd)
{
	uint64_t one = 1;

	if (fd >= 0 && write(fd, &one, sizeof(one)) != sizeof(one))
		log_debug("eventfd: %m");
}

void guest_set(struct guest *g, enum guest_state state, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&g->lock);
	g->status.state = state;
	if (fmt) {
		va_start(ap, fmt);
		vsnprintf(g->status.why, sizeof(g->status.why), fmt, ap);
		va_end(ap);
	}
	pthread_mutex_unlock(&g->lock);
}

void guest_fail_all(struct guest *g, int error)
{
	pthread_mutex_lock(&g->lock);
	g->status.error = error;
	pthread_mutex_unlock(&g->lock);
	raise_event(g->cfg.notify_fd);
}

/* Nobody listens, or the guest is not up yet: worth another try. */
static void say_no_agent(struct guest *g, int err, bool *said)
{
	pthread_mutex_lock(&g->lock);
	g->status.tried = true;
	snprintf(g->status.why, sizeof(g->status.why), "no agent answered at %s (%s)",
		 link_text(&g->cfg.addr), strerror(-err));
	pthread_mutex_unlock(&g->lock);
	if (!*said && g->cfg.expected)
		log_warn(
			"%s: no agent answers at %s (%s); its host side is recorded, and the agent "
			"as soon as it answers (run onetsc agent in the guest)",
			g->cfg.name, link_text(&g->cfg.addr), strerror(-err));
	*said = true;
}

static void *work(void *arg)
{
	struct guest *g = arg;
	bool said = false;
	int busy = 0;

	for (;;) {
		struct link link = LINK_CLOSED;
		int r = link_dial(&g->cfg.addr, DIAL_MS, g->stop_fd, &link);

		if (!r)
			r = guest_link_session(g, &link);
		if (g->status.state != GUEST_WAITING || r == -ECANCELED)
			break;
		if (r != -EAGAIN || ++busy > BUSY_MAX)
			say_no_agent(g, r == -EAGAIN ? -EBUSY : r, &said);
		if (link_wait(-1, 0, RETRY_MS, g->stop_fd) == -ECANCELED)
			break;
	}
	return NULL;
}

static int start_thread(struct guest *g)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&g->thread, NULL, work, g);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	g->threaded = !r;
	return r ? log_err_r(r, "cannot start a thread: %m") : 0;
}

int guest_start(const struct guest_config *cfg, struct guest **ret)
{
	struct guest *g = calloc(1, sizeof(*g));
	int r = 0;

	if (!g)
		return -ENOMEM;
	pthread_mutex_init(&g->lock, NULL);
	g->cfg = *cfg;
	g->cfg.name = g->name = strdup(cfg->name);
	g->file.name = datfile_guest_name(cfg->name);
	g->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (!g->name || !g->file.name)
		r = -ENOMEM;
	else if (g->stop_fd < 0)
		r = log_err_r(-errno, "cannot create an eventfd: %m");
	if (!r)
		r = start_thread(g);
	if (r) {
		g->cfg.addr = (struct link_addr){0}; /* stays with the caller */
		guest_free(g);
		return r;
	}
	*ret = g;
	return 0;
}

void guest_status(struct guest *g, struct guest_status *ret)
{
	pthread_mutex_lock(&g->lock);
	*ret = g->status;
	pthread_mutex_unlock(&g->lock);
}

int guest_apics(struct guest *g, struct cpu_apics *ret)
{
	int r = 0;

	pthread_mutex_lock(&g->lock);
	array_for_each(a, &g->apics) {
		struct cpu_apic *to = array_add(ret);

		if (!to) {
			r = -ENOMEM;
			break;
		}
		*to = *a;
	}
	pthread_mutex_unlock(&g->lock);
	return r;
}

void guest_stop(struct guest *g)
{
	raise_event(g->stop_fd);
}

void guest_join(struct guest *g)
{
	if (g->threaded)
		pthread_join(g->thread, NULL);
	g->threaded = false;
}

struct datfile *guest_file(struct guest *g)
{
	return g->file.writer ? &g->file : NULL;
}

uint64_t guest_cpu_time_us(const struct guest *g)
{
	return g->cpu_time_us;
}

void guest_free(struct guest *g)
{
	if (!g)
		return;
	if (g->threaded)
		guest_stop(g);
	guest_join(g);
	datfile_free(&g->file);
	array_free(&g->apics);
	link_addr_free(&g->cfg.addr);
	if (g->stop_fd >= 0)
		close(g->stop_fd);
	pthread_mutex_destroy(&g->lock);
	free(g->name);
	free(g);
}
