// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "capture/guest_link.h"

#define SETUP_TRIES 3 /* a guest that reboots just then deserves another one */

int guest_part_new(struct guest *g, struct guest_slot **ret)
{
	struct guest_slot *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->part.file.name = datfile_guest_name(g->name, (unsigned)g->parts.n + 1);
	if (!s->part.file.name) {
		free(s);
		return -ENOMEM;
	}
	s->part.begin_tsc = clockpair_rdtsc();
	guest_set(g, GUEST_SETUP, NULL);
	*ret = s;
	return 0;
}

static int publish(struct guest *g, struct guest_slot *s)
{
	struct guest_slot **slot;

	pthread_mutex_lock(&g->lock);
	slot = array_add(&g->parts);
	if (slot)
		*slot = s;
	pthread_mutex_unlock(&g->lock);
	return slot ? 0 : -ENOMEM;
}

int guest_part_begin(struct guest *g, struct guest_slot *s)
{
	int r = datfile_create(&s->part.file, g->cfg.dirfd, &g->cfg.links);

	if (!r)
		r = publish(g, s);
	if (r) {
		datwriter_free(TAKE_PTR(s->part.file.writer));
		guest_set(g, g->parts.n ? GUEST_CUT : GUEST_FAILED,
			  "its file could not be created");
		guest_fail_all(g, r);
		return r;
	}
	g->setup_failures = 0;
	guest_set(g, GUEST_RECORDING, NULL);
	return 0;
}

int guest_part_write(struct guest *g, struct guest_slot *s, unsigned cpu, const void *data,
		     size_t n)
{
	struct datfile *f = &s->part.file;
	int r;

	if (g->status.bytes + n > g->cfg.limit_bytes)
		return -EDQUOT;
	r = fd_write_all(datwriter_cpu_fd(f->writer, cpu), data, n);
	if (r) {
		log_errno(r, "recording ends: cannot write \"%s\": %m; what was written stays",
			  f->name);
		guest_fail_all(g, r);
		return -EIO;
	}
	f->stats.v[cpu].bytes += n;
	pthread_mutex_lock(&g->lock);
	g->status.bytes += n;
	pthread_mutex_unlock(&g->lock);
	return 0;
}

void guest_part_set_apics(struct guest *g, struct guest_slot *s, struct cpu_apics *list)
{
	pthread_mutex_lock(&g->lock);
	array_free(&s->apics);
	s->apics = *list;
	*list = (struct cpu_apics){0};
	pthread_mutex_unlock(&g->lock);
}

void guest_slot_free(struct guest_slot *s)
{
	if (!s)
		return;
	datfile_free(&s->part.file);
	array_free(&s->apics);
	free(s);
}

void guest_give_up(struct guest *g, const char *fmt, ...)
{
	char why[sizeof(g->status.why)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	guest_set(g, g->parts.n ? GUEST_CUT : GUEST_FAILED, "%s", why);
	log_err("%s: %s", g->name, why);
}

/* --- the end --- */
/* The other side is gone: it may come back. */
static bool is_loss(int err)
{
	return err == -ENODATA || err == -ECONNRESET || err == -EPIPE || err == -ETIMEDOUT ||
	       err == -ENOTCONN || err == -ENODEV;
}

static const char *why_ended(int err, char *buf, size_t n)
{
	if (err == -ETIMEDOUT)
		return "the agent fell silent";
	if (is_loss(err))
		return "the connection to the agent ended (guest or agent went away)";
	if (err == -EBADMSG || err == -EPROTO || err == -EFBIG)
		return "the agent sent something that is not the protocol";
	if (err == -EDQUOT)
		return "the guest has used up its --guest-limit";
	snprintf(buf, n, "%s", strerror(-err));
	return buf;
}

static void end_recorded(struct guest *g, struct guest_slot *s, int r)
{
	char buf[128];
	const char *why = why_ended(r, buf, sizeof(buf));
	bool back = is_loss(r) && !guest_stop_asked(g) && g->parts.n <= SESSION_PARTS_MAX;

	s->part.cut = r != 0;
	s->part.end_tsc = clockpair_rdtsc();
	if (!r) {
		guest_set(g, GUEST_DONE, NULL);
		return;
	}
	guest_set(g, back ? GUEST_LOST : GUEST_CUT, "%s", why);
	if (!g->status.error)
		log_warn("%s: %s; what it sent is kept%s", g->name, why,
			 back ? ", and it is recorded on when it comes back"
			      : ", the rest is recorded on");
}

/* Nothing was recorded. */
static void end_setup(struct guest *g, int r, bool spoke)
{
	bool back = is_loss(r) && ++g->setup_failures < SETUP_TRIES;
	char buf[128];
	const char *why = why_ended(r, buf, sizeof(buf));

	if (r == -ECANCELED && g->parts.n) {
		guest_set(g, GUEST_CUT, "the recording ended before the agent was ready again");
	} else if (r == -ECANCELED) {
		guest_set(g, GUEST_FAILED, "the recording ended before the agent was ready");
	} else if (back) {
		guest_set(g, g->parts.n ? GUEST_LOST : GUEST_WAITING, "%s", why);
	} else if (g->status.state == GUEST_SETUP || spoke) {
		guest_set(g, g->parts.n ? GUEST_CUT : GUEST_FAILED, "%s", why);
		log_warn("%s: %s; only its host side is recorded%s%s", g->name, why,
			 g->parts.n ? " from now on" : "",
			 is_loss(r) ? " (what the agent printed in the guest may say more)" : "");
	}
}

int guest_part_end(struct guest *g, struct guest_slot *s, int r, bool spoke)
{
	if (s && s->part.file.writer) {
		end_recorded(g, s, r);
		return r;
	}
	if (g->status.state == GUEST_SETUP ||
	    (spoke && (g->status.state == GUEST_WAITING || g->status.state == GUEST_LOST)))
		end_setup(g, r, spoke);
	guest_slot_free(s);
	return r;
}
