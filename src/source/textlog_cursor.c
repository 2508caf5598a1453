// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines of one CPU as records, built in two buffers that take turns, so that a read's records
 * outlive the next read. */
#include "source/textlog_parts.h"

#include "base/log.h"

#define RECORDS_BYTES (64u << 10) /* of one read, but at least one record */

struct textlog_cursor {
	struct source_cursor c;
	struct textlog *t;
	const struct textlog_lane *lane;
	const bool *wanted;
	size_t next;
	struct textlog_matcher m;
	struct records {
		char *p;
		size_t n, size;
	} buf[2];
	unsigned turn;
};

int textlog_cursor_new(struct source *s, size_t lane, const bool *wanted,
		       struct source_cursor **ret)
{
	struct textlog *t = (struct textlog *)s;
	struct textlog_cursor *c = calloc(1, sizeof(*c));

	if (!c || textlog_matcher_init(t, &c->m)) {
		free(c);
		return log_err_r(-ENOMEM, "cannot read \"%s\": %m", t->spec.path);
	}
	c->c.ops = s->ops;
	c->t = t;
	c->lane = &t->lanes.v[lane];
	c->wanted = wanted;
	*ret = &c->c;
	return 0;
}

void textlog_cursor_free(struct source_cursor *cursor)
{
	struct textlog_cursor *c = (struct textlog_cursor *)cursor;

	textlog_matcher_free(&c->m);
	free(c->buf[0].p);
	free(c->buf[1].p);
	free(c);
}

/* Room for n bytes more. Records that are in the buffer may move only while there are none. */
static char *room(struct records *b, size_t n)
{
	size_t want = n > RECORDS_BYTES ? n : RECORDS_BYTES;
	char *p;

	if (b->n + n <= b->size)
		return b->p + b->n;
	if (b->n)
		return NULL;
	p = realloc(b->p, want);
	if (!p)
		return NULL;
	b->p = p;
	b->size = want;
	return p;
}

static void put_text(char *to, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = s[i] ?: ' '; /* or the text would end there */
	to[n] = 0;
}

/* -ENOBUFS: no room left in this read. */
static int put_record(struct textlog_cursor *c, const struct source_kind *k,
		      const struct textline *l, struct source_item *item)
{
	size_t n = (TEXTLOG_MESSAGE_AT + l->message.n + 1 + 7) & ~(size_t)7;
	size_t comm_n = l->task.n < TEXTLOG_COMM_BYTES ? l->task.n : TEXTLOG_COMM_BYTES - 1;
	char *p = room(&c->buf[c->turn], n);
	int32_t pid = textlog_pid(c->t, l);

	if (!p)
		return c->buf[c->turn].n ? -ENOBUFS : -ENOMEM;
	c->buf[c->turn].n += n;
	memset(p, 0, TEXTLOG_MESSAGE_AT);
	memcpy(p, &(uint16_t){(uint16_t)k->id}, 2);
	memcpy(p + 4, &pid, 4);
	put_text(p + 8, l->task.s, comm_n);
	put_text(p + TEXTLOG_MESSAGE_AT, l->message.s, l->message.n);
	item->data = p;
	item->size = (uint32_t)(TEXTLOG_MESSAGE_AT + l->message.n + 1);
	return 0;
}

/* The line again. When somebody has rewritten the file since, what is there now is the message. */
static void reread(const struct textlog_cursor *c, const struct textlog_entry *e,
		   struct textline *l)
{
	const char *s = c->t->p + (e->at >> 16);
	size_t n = (size_t)(textlog_line_end(c->t, s) - s);
	enum textline_status want =
		(e->at & 0xffff) == TEXTLOG_KIND_LOST ? TEXTLINE_LOST : TEXTLINE_EVENT;

	if (textlog_line(c->t, &c->m, s, &n, l) != want)
		*l = (struct textline){
			.pid = -1, .cpu = -1, .lost = TEXTLINE_UNKNOWN, .message = {s, n}};
	else if (!(e->at & 0xffff) && l->event.n && l->event.s >= s && l->event.s < l->message.s)
		/* one kind too many: its name is shown with the text */
		l->message = (struct textline_str){
			l->event.s, (size_t)(l->message.s + l->message.n - l->event.s)};
}

static int put_item(struct textlog_cursor *c, const struct textlog_entry *e,
		    struct source_item *item)
{
	size_t kind = e->at & 0xffff;
	struct textline l;

	reread(c, e, &l);
	*item = (struct source_item){.raw_ticks = e->stamp};
	if (kind == TEXTLOG_KIND_LOST) {
		item->flags = ITEM_LOST;
		item->lost = l.lost;
		item->end_raw_ticks = c->t->spec.is_qemu ? l.stamp
				      : e + 1 < c->lane->entries.v + c->lane->entries.n
					      ? e[1].stamp
					      : UINT64_MAX;
		return 0;
	}
	item->kind = c->t->kinds.v[kind];
	return put_record(c, item->kind, &l, item);
}

static bool is_wanted(const struct textlog_cursor *c, const struct textlog_entry *e)
{
	size_t kind = e->at & 0xffff;

	return !c->wanted || kind == TEXTLOG_KIND_LOST || c->wanted[kind];
}

int textlog_cursor_read(struct source_cursor *cursor, struct source_item *items, unsigned max)
{
	struct textlog_cursor *c = (struct textlog_cursor *)cursor;
	unsigned n = 0;

	c->turn ^= 1;
	c->buf[c->turn].n = 0;
	for (; c->next < c->lane->entries.n && n < max; c->next++) {
		const struct textlog_entry *e = &c->lane->entries.v[c->next];
		int r = is_wanted(c, e) ? put_item(c, e, &items[n]) : -EAGAIN;

		if (r == -ENOBUFS)
			break;
		if (r == -ENOMEM)
			return log_err_r(r, "cannot read \"%s\": %m", c->t->spec.path);
		n += !r;
	}
	return textlog_check(c->t) ? -EIO : (int)n;
}
