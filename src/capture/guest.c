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
#include "vm/vm.h"

#define DIAL_MS	 2000
#define RETRY_MS 1000
#define BUSY_MAX 5 /* a killed recorder's session ends within a second or two */

static const struct guest_agent *const agents[] = {&guest_agent_onetsc, &guest_agent_tracecmd,
						   NULL};

const struct guest_agent *guest_agent_find(const char *name)
{
	for (size_t i = 0; agents[i]; i++)
		if (!strcmp(agents[i]->name, name))
			return agents[i];
	return NULL;
}

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

bool guest_stop_asked(const struct guest *g)
{
	struct pollfd p = {.fd = g->stop_fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

/* Nobody listens, or the guest is not up yet: worth another try. */
static void say_no_agent(struct guest *g, int err, bool *said)
{
	if (g->parts.n)
		return;
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

static bool is_waiting(const struct guest *g)
{
	return g->status.state == GUEST_WAITING || g->status.state == GUEST_LOST;
}

static bool is_gone(const struct guest *g)
{
	const struct vm vm = {.pid = g->cfg.pid, .start_ticks = g->cfg.start_ticks};

	return g->cfg.pid && !vm_alive(NULL, &vm);
}

/* Nothing listens there, or what does hung up at once: another agent may do better. */
static bool is_not_there(int err)
{
	return err == -ECONNRESET || err == -ECONNREFUSED || err == -ENODATA || err == -EPIPE;
}

static int visit(struct guest *g, const struct guest_agent *a)
{
	struct link link = LINK_CLOSED;
	struct link_addr addr = g->cfg.addr;
	int r;

	if (addr.any_port)
		addr.port = a->port;
	r = link_dial(&addr, DIAL_MS, g->stop_fd, &link);
	if (!r && is_gone(g)) {
		link_close(&link);
		return -ENODEV;
	}
	return r ? r : a->session(g, &link);
}

/* Asks for each agent where it listens by default; at one given address for one after the other, so
 * that each finds the address at rest. */
static int try_agents(struct guest *g, size_t *turn)
{
	int r = -ENOENT;

	if (g->cfg.agent)
		return visit(g, g->cfg.agent);
	if (!g->cfg.addr.any_port) {
		r = visit(g, agents[*turn]);
		if (is_not_there(r) && is_waiting(g) && g->cfg.addr.port)
			*turn = agents[*turn + 1] ? *turn + 1 : 0;
		return r;
	}
	for (size_t i = 0; agents[i]; i++) {
		r = visit(g, agents[i]);
		if (!is_not_there(r) || !is_waiting(g))
			break;
	}
	return r;
}

static void *work(void *arg)
{
	struct guest *g = arg;
	bool said = false;
	size_t turn = 0;
	int busy = 0;

	for (;;) {
		int r = try_agents(g, &turn);

		if (!is_waiting(g) || r == -ECANCELED)
			break;
		if (r != -EAGAIN || ++busy > BUSY_MAX)
			say_no_agent(g, r == -EAGAIN ? -EBUSY : r, &said);
		if (link_wait(-1, 0, RETRY_MS, g->stop_fd) == -ECANCELED)
			break;
	}
	if (g->status.state == GUEST_LOST)
		guest_set(g, GUEST_CUT, "%s", "the agent went away and did not come back");
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
	g->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (!g->name)
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

size_t guest_parts(struct guest *g)
{
	size_t n;

	pthread_mutex_lock(&g->lock);
	n = g->parts.n;
	pthread_mutex_unlock(&g->lock);
	return n;
}

static struct guest_slot *slot_of(struct guest *g, size_t i)
{
	struct guest_slot *s;

	pthread_mutex_lock(&g->lock);
	s = g->parts.v[i];
	pthread_mutex_unlock(&g->lock);
	return s;
}

struct guest_part *guest_part(struct guest *g, size_t i)
{
	return &slot_of(g, i)->part;
}

int guest_apics(struct guest *g, size_t part, struct cpu_apics *ret)
{
	struct guest_slot *s = slot_of(g, part);
	int r = 0;

	pthread_mutex_lock(&g->lock);
	array_for_each(a, &s->apics) {
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

void guest_free(struct guest *g)
{
	if (!g)
		return;
	if (g->threaded)
		guest_stop(g);
	guest_join(g);
	array_for_each(s, &g->parts)
		guest_slot_free(*s);
	array_free(&g->parts);
	link_addr_free(&g->cfg.addr);
	if (g->stop_fd >= 0)
		close(g->stop_fd);
	pthread_mutex_destroy(&g->lock);
	free(g->name);
	free(g);
}
