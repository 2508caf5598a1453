// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/agent.h"

#include <errno.h>
#include <poll.h>

#include "base/log.h"
#include "capture/agent_session.h"

#define CLOSE_MS	5000
#define STALL_MS	30000
#define SINGLE_RETRY_MS 200

void agent_turn_away(const struct agent_config *cfg, int busy_fd)
{
	struct link other = LINK_CLOSED;
	struct chan c;

	if (link_accept(&cfg->addr, busy_fd, &other))
		return;
	if (!chan_open(&c, &other, -1, 100)) {
		agent_refuse(&c, WIRE_REFUSED_BUSY,
			     "the agent is busy with another host's session");
		chan_close(&c);
	}
	link_close(&other);
}

void agent_wait_close(struct chan *c)
{
	struct wire_header h;
	const void *body;

	while (!chan_receive(c, CLOSE_MS, &h, &body))
		continue;
}

/* A port has no connections: what a host that died had sent must not reach the next one's session. */
static void drop_input(int fd)
{
	char buf[4096];

	while (read(fd, buf, sizeof(buf)) > 0)
		continue;
}

static int serve(const struct agent_config *cfg, int listen_fd, int signal_fd, struct link *link)
{
	struct chan c;
	int r = chan_open(&c, link, signal_fd, STALL_MS);

	if (r) {
		link_close(link);
		return r;
	}
	r = agent_session(cfg, &c, link_is_single(&cfg->addr) ? -1 : listen_fd);
	if (link_is_single(&cfg->addr))
		drop_input(c.link.in);
	chan_close(&c);
	return r;
}

/* A serial port reports POLLHUP all the time while the host's end is closed: poll it in intervals. */
static int wait_peer(const struct agent_config *cfg, int listen_fd, int signal_fd)
{
	if (!link_is_single(&cfg->addr))
		return link_wait(listen_fd, POLLIN, -1, signal_fd);
	return link_wait(-1, 0, SINGLE_RETRY_MS, signal_fd);
}

static int accept_loop(const struct agent_config *cfg, int listen_fd, int signal_fd)
{
	for (;;) {
		struct link link = LINK_CLOSED;
		int r = wait_peer(cfg, listen_fd, signal_fd);

		if (r && r != -ETIMEDOUT)
			return r == -ECANCELED ? 0 : r;
		r = link_accept(&cfg->addr, listen_fd, &link);
		if (r)
			continue;
		r = serve(cfg, listen_fd, signal_fd, &link);
		if (r == -ECANCELED)
			return 0;
		if (cfg->once)
			return r;
	}
}

int agent_run(const struct agent_config *cfg, int signal_fd)
{
	int fd = -1, r = link_listen(&cfg->addr, &fd);

	if (r)
		return r;
	log_info("waiting for a host at %s", link_text(&cfg->addr));
	r = accept_loop(cfg, fd, signal_fd);
	link_unlisten(&cfg->addr, fd);
	return r;
}
