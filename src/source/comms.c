// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/comms.h"

#include <stdlib.h>
#include <string.h>

#define COMMS_MAX (1u << 18)

struct comm_slot {
	int pid;       /* -1: free */
	char name[28]; /* TASK_COMM_LEN is 16; kworkers' long names come with up to 24 */
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
	struct comms bigger = {.slots = malloc(size * sizeof(*c->slots)), .n = c->n, .size = size};

	if (!bigger.slots)
		return false;
	for (uint32_t i = 0; i < size; i++)
		bigger.slots[i].pid = -1;
	for (uint32_t i = 0; i < c->size; i++)
		if (c->slots[i].pid != -1)
			*find(&bigger, c->slots[i].pid) = c->slots[i];
	free(c->slots);
	*c = bigger;
	return true;
}

void comms_add(struct comms *c, int pid, const char *name, size_t n)
{
	struct comm_slot *s;

	if (pid < 0 || c->n >= COMMS_MAX || (2 * (c->n + 1) > c->size && !grow(c)))
		return;
	s = find(c, pid);
	if (s->pid == pid)
		return;
	n = strnlen(name, n);
	if (n > sizeof(s->name) - 1)
		n = sizeof(s->name) - 1;
	memcpy(s->name, name, n);
	s->name[n] = 0;
	s->pid = pid;
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
	free(c->slots);
	*c = (struct comms){0};
}
