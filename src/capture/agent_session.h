/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One recording session of the agent, over an open channel. Private to agent*.c. */
#pragma once

#include "capture/agent.h"
#include "capture/chan.h"

/* From HELLO to BYE. Logs what ended it; its instance is gone afterwards. busy_fd: a listening
 * descriptor whose further peers are told that the agent is busy; -1: none. */
must_check int agent_session(const struct agent_config *cfg, struct chan *c, int busy_fd);
/* Sends REFUSE with that reason; errors are of no interest. */
void agent_refuse(struct chan *c, enum wire_refusal code, const char *why);
/* Says "busy" to whoever else calls. */
void agent_turn_away(const struct agent_config *cfg, int busy_fd);
/* The host closes first: what is still on its way when a socket is closed may be lost. */
void agent_wait_close(struct chan *c);
