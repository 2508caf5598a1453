// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/comms.h"

#include <stdlib.h>
#include <string.h>

#define COMMS_MAX  (1u << 18)
#define NAME_BYTES 28 /* TASK_COMM_LEN is 16; kworkers' long names come with up to 24 */
#define NAMES	   128

struct comm_slot {
	int pid; /* -1: free */
	const char *name;
};

struct comm_names { /* they stay where they are */
	struct comm_names *next;
	char v[NAMES][NAME_BYTES];
};

static struct comm_slot *find(const struct comms *c, int pid)
{
	uint32_t at = (uint32_t)pid * 2654435761u;

	for (at &= c->size - 1;; at = (at + 1) & (c->size - 1))
		if (c->slots[at].pid == pid || c->slots[at].pid == -1)
			return &c->slots[at];
}

static bool grow(struct comms *c)
{
	uint32_t size = c->size ? 2 * c->size : 256;
	struct comms bigger = *c;

	bigger.slots = malloc(size * sizeof(*c->slots));
	if (!bigger.slots)
		return false;
	bigger.size = size;
	for (uint32_t i = 0; i < size; i++)
		bigger.slots[i].pid = -1;
	for (uint32_t i = 0; i < c->size; i++)
		if (c->slots[i].pid != -1)
			*find(&bigger, c->slots[i].pid) = c->slots[i];
	free(c->slots);
	*c = bigger;
	return true;
}

static char *room(struct comms *c)
{
	if (c->n % NAMES == 0) {
		struct comm_names *more = malloc(sizeof(*more));

		if (!more)
			return NULL;
		more->next = c->names;
		c->names = more;
	}
	return c->names->v[c->n % NAMES];
}

void comms_add(struct comms *c, int pid, const char *name, size_t n)
{
	struct comm_slot *s;
	char *to;

	if (pid < 0 || c->n >= COMMS_MAX || (2 * (c->n + 1) > c->size && !grow(c)))
		return;
	s = find(c, pid);
	if (s->pid == pid)
		return;
	to = room(c);
	if (!to)
		return;
	n = strnlen(name, n);
	if (n > NAME_BYTES - 1)
		n = NAME_BYTES - 1;
	memcpy(to, name, n);
	to[n] = 0;
	*s = (struct comm_slot){pid, to};
	c->n++;
}

const char *comms_get(const struct comms *c, int pid)
{
	const struct comm_slot *s;

	if (pid < 0 || !c->size)
		return NULL;
	s = find(c, pid);
	return s->pid == pid ? s->name : NULL;
}

void comms_free(struct comms *c)
{
	while (c->names) {
		struct comm_names *next = c->names->next;

		free(c->names);
		c->names = next;
	}
	free(c->slots);
	*c = (struct comms){0};
}
