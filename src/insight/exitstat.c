// SPDX-License-Identifier: GPL-2.0-or-later
#include "insight/exitstat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 8192 /* a power of two, more than all rows */

struct exitstat {
	unsigned keys;
	struct exitstat_row **rows;
	size_t n;
	size_t by_slot[SLOTS];	   /* index + 1 */
	struct exitstat_row *last; /* the same again, often */
};

int exitstat_new(unsigned keys, struct exitstat **ret)
{
	struct exitstat *s = calloc(1, sizeof(*s));

	if (s)
		s->rows = calloc(SLOTS, sizeof(struct exitstat_row *));
	if (!s || !s->rows) {
		free(s);
		return -ENOMEM;
	}
	s->keys = keys;
	*ret = s;
	return 0;
}

void exitstat_free(struct exitstat *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		histogram_free(&s->rows[i]->time);
		free(s->rows[i]);
	}
	free(s->rows);
	free(s);
}

static void copy(char *to, size_t n, const char *from)
{
	snprintf(to, n, "%s", from);
}

/* VMX: the low 16 bits are the reason, those above tell of the circumstances. */
static uint32_t basic_reason(const struct vcpu_exit *e)
{
	return e->isa == EXIT_ISA_SVM ? e->reason : e->reason & 0xffff;
}

static void make_key(const struct exitstat *s, const struct vcpu_exit *e, struct exitstat_row *k)
{
	k->machine = e->machine;
	if (s->keys & STAT_BY_VCPU)
		k->vcpu = e->vcpu;
	if (s->keys & STAT_BY_REASON) {
		k->isa = e->isa;
		k->reason = basic_reason(e);
		k->reason_text = e->reason_text;
	}
	if (s->keys & STAT_BY_TASK) {
		k->idle = !e->guest_pid;
		copy(k->task, sizeof(k->task), k->idle ? "" : e->guest_comm);
	}
	if (s->keys & STAT_BY_HANDLER) {
		copy(k->user, sizeof(k->user), e->user_text);
		if (e->user_reason != EXIT_NO_REASON)
			copy(k->handler, sizeof(k->handler), e->handler);
	}
}

static bool is_same(const struct exitstat_row *a, const struct exitstat_row *b)
{
	return a->machine == b->machine && a->vcpu == b->vcpu && a->isa == b->isa &&
	       a->reason == b->reason && a->idle == b->idle && a->others == b->others &&
	       !strcmp(a->task, b->task) && !strcmp(a->user, b->user) &&
	       !strcmp(a->handler, b->handler);
}

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	const uint8_t *c = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ c[i]) * 0x100000001b3;
	return h;
}

static size_t slot_of(const struct exitstat_row *k)
{
	uint64_t h = 0xcbf29ce484222325;

	h = mix(h, &k->machine, sizeof(k->machine));
	h = mix(h, &k->vcpu, sizeof(k->vcpu));
	h = mix(h, &k->reason, sizeof(k->reason));
	h = mix(h, k->task, strlen(k->task));
	h = mix(h, k->user, strlen(k->user));
	h = mix(h, k->handler, strlen(k->handler));
	return (h ^ h >> 32) & (SLOTS - 1);
}

static struct exitstat_row *find(struct exitstat *s, const struct exitstat_row *key)
{
	size_t i = slot_of(key);
	struct exitstat_row *row;

	for (; s->by_slot[i]; i = (i + 1) & (SLOTS - 1))
		if (is_same(s->rows[s->by_slot[i] - 1], key))
			return s->rows[s->by_slot[i] - 1];
	if (s->n >= EXITSTAT_ROWS && !key->others) {
		struct exitstat_row others = {.machine = key->machine, .others = true};

		return find(s, &others);
	}
	row = s->n < SLOTS / 2 ? calloc(1, sizeof(*row)) : NULL;
	if (!row)
		return NULL;
	*row = *key;
	s->rows[s->n++] = row;
	s->by_slot[i] = s->n;
	return row;
}

int exitstat_exit(void *state, const struct vcpu_exit *e)
{
	struct exitstat *s = state;
	struct exitstat_row key = {0}, *row;

	make_key(s, e, &key);
	if (!s->last || !is_same(s->last, &key))
		s->last = find(s, &key);
	row = s->last;
	if (!row)
		return -ENOMEM;
	row->count++;
	if (!e->complete) /* how long it took is not known: parts of it would not sum to the total */
		return 0;
	for (int i = 0; i < VCPU_STATES; i++)
		row->state_ticks[i] += e->state_ticks[i];
	return histogram_add(&row->time, e->entry_ticks - e->exit_ticks);
}

static int by_time(const void *a, const void *b)
{
	const struct exitstat_row *x = *(struct exitstat_row *const *)a;
	const struct exitstat_row *y = *(struct exitstat_row *const *)b;

	if (x->machine != y->machine)
		return x->machine < y->machine ? -1 : 1;
	if (x->time.sum != y->time.sum)
		return x->time.sum > y->time.sum ? -1 : 1;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	if (x->isa != y->isa || x->reason != y->reason)
		return x->reason < y->reason ? -1 : 1;
	if (x->vcpu != y->vcpu)
		return x->vcpu < y->vcpu ? -1 : 1; /* of one machine: one array */
	return strcmp(x->task, y->task) ?: strcmp(x->user, y->user) ?: strcmp(x->handler, y->handler);
}

struct exitstat_row *const *exitstat_rows(struct exitstat *s, size_t *ret_n)
{
	qsort(s->rows, s->n, sizeof(*s->rows), by_time);
	memset(s->by_slot, 0, sizeof(s->by_slot));
	s->last = NULL;
	*ret_n = s->n;
	return s->rows;
}
