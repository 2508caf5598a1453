// SPDX-License-Identifier: GPL-2.0-or-later
/* One CPU's pages, read in place from the map, or decompressed chunk by chunk into memory that lives
 * as long as somebody holds it. */
#include "source/dat.h"

#include <stdlib.h>

#include "base/log.h"

#define CHUNK_SLACK 16
#define SCAN_ITEMS  256
#define SCAN_PAGES  16	   /* between two places */
#define SCAN_PLACES 65536u /* of a lane, about */

struct dat_cursor {
	struct source_cursor c;
	struct dat *d;
	struct dat_lane *lane;
	struct ringbuf rb;
	struct dat_in in;     /* what is left of the lane in the file */
	uint32_t chunks_left; /* compressed lanes */
	uint32_t next_number; /* of the chunks, since is_counted */
	struct dat_unpacker unpacker;
	struct hold *chunk;
	const uint8_t *pages;		/* what is left of the chunk */
	size_t pages_bytes, page_bytes; /* page_bytes: of the page at hand, that are there */
	uint64_t broken_told;
	bool is_open, ended;
	bool is_counted; /* read from the first chunk on */
	bool keeps;
	bool defer; /* what is broken is said by dat_cursor_tell() */
	struct {
		uint64_t offset;
		const char *what; /* NULL: nothing is to be said */
	} tell;
};

int dat_lane_add(struct dat *d, const char *buffer, unsigned cpu, const struct dat_place *at)
{
	uint64_t there = at->offset < at->map->n ? at->map->n - at->offset : 0;
	uint64_t n = at->n < there ? at->n : there;
	bool cut = at->n > there || at->open_ended;
	struct source_lane *f;
	struct dat_lane *l;

	if (cpu >= DAT_CPUS_MAX)
		return -EBADMSG;
	/* a CPU without events; in version 7 its place may be that of the next one */
	if (!at->n && !cut)
		return 0;
	if (d->lanes.n >= DAT_LANES_MAX)
		return dat_err(d, at->offset, "more than %u CPUs in all buffers", DAT_LANES_MAX);
	l = array_add(&d->lanes);
	f = l ? array_add(&d->fact_lanes) : NULL;
	if (!f)
		return -ENOMEM;
	if (cut && !d->any_cut)
		d->first_cut_cpu = cpu;
	d->any_cut |= cut;
	d->s.facts.truncated |= cut;
	d->bytes_wanted += at->n;
	d->bytes_missing += at->n - n;
	/* trace-cmd 3.1.6 leaves the number of chunks out of a compressed CPU's size, others may
	 * leave out a header; the chunks bring lengths of their own */
	if (at->compressed && n)
		n = n + CHUNK_SLACK < there ? n + CHUNK_SLACK : there;
	*l = (struct dat_lane){.map = at->map,
			       .offset = n ? at->offset : 0,
			       .n = n,
			       .page_bytes = at->page_bytes,
			       .compressed = at->compressed,
			       .cut = cut};
	*f = (struct source_lane){.buffer = buffer, .cpu = cpu, .bytes = n};
	return 0;
}

int dat_cursor_new(struct source *s, size_t lane, const bool *wanted, struct source_cursor **ret)
{
	struct dat *d = (struct dat *)s;
	struct dat_lane *l = &d->lanes.v[lane];
	const struct dat_stat *stat =
		dat_stat_find(d, d->fact_lanes.v[lane].buffer, d->fact_lanes.v[lane].cpu);
	const uint8_t *p = l->map->p + l->offset;
	struct dat_cursor *c = calloc(1, sizeof(*c));

	if (!c)
		return log_err_r(-ENOMEM, "cannot read \"%s\": %m", l->map->path);
	c->c.ops = s->ops;
	c->d = d;
	c->lane = l;
	l->dropped = stat ? stat->dropped : 0;
	c->in = (struct dat_in){p, p, p + l->n, l->offset};
	c->rb.commit_bytes = d->commit_bytes;
	c->rb.kinds = (struct ringbuf_kinds){
		.by_id = d->by_id,
		.n_ids = d->n_ids,
		.broken = d->kinds.v[0],
		.unknown = d->kinds.v[1],
		.wanted = wanted,
	};
	*ret = &c->c;
	return 0;
}

void dat_cursor_free(struct source_cursor *cursor)
{
	struct dat_cursor *c = (struct dat_cursor *)cursor;

	hold_put(c->chunk);
	dat_unpacker_free(&c->unpacker);
	free(c);
}

void dat_cursor_tell(struct source_cursor *cursor)
{
	struct dat_cursor *c = (struct dat_cursor *)cursor;

	if (!c->tell.what || c->lane->told_broken)
		return;
	if (!dat_map_check(c->lane->map, true) && c->d->told_broken++ < DAT_TOLD_MAX)
		log_warn("\"%s\": byte %llu, CPU %u: %s; events are lost there%s",
			 c->lane->map->path, (unsigned long long)c->tell.offset,
			 c->d->fact_lanes.v[c->lane - c->d->lanes.v].cpu, c->tell.what,
			 c->d->told_broken == DAT_TOLD_MAX ? "; more such places are not named"
							   : "");
	c->lane->told_broken = true;
}

bool dat_cursor_is_damaged(const struct source_cursor *cursor)
{
	return ((const struct dat_cursor *)cursor)->tell.what;
}

void dat_cursor_defer(struct source_cursor *cursor)
{
	((struct dat_cursor *)cursor)->defer = true;
}

void dat_cursor_keep(struct source_cursor *cursor)
{
	struct dat_cursor *c = (struct dat_cursor *)cursor;

	if (c->lane->compressed && !c->d->room.hold)
		c->d->room.hold = hold_new_large(DAT_KEPT_MAX);
	c->keeps = c->d->room.hold;
}

/* One place of a lane is named: the first. */
static void tell_broken(struct dat_cursor *c, uint64_t offset, const char *what)
{
	ringbuf_gap(&c->rb);
	if (c->tell.what)
		return;
	c->tell.offset = offset;
	c->tell.what = what;
	if (!c->defer)
		dat_cursor_tell(&c->c);
}

struct hold *dat_cursor_hold(const struct source_cursor *cursor)
{
	return hold_get(((const struct dat_cursor *)cursor)->chunk);
}

/* The last chunk's memory again, when nobody holds it. */
static uint8_t *chunk_buffer(struct dat_cursor *c, size_t n)
{
	struct hold *h = c->chunk;

	if (!h || h->bytes < n || atomic_load_explicit(&h->refs, memory_order_acquire) > 1) {
		hold_put(h);
		h = c->chunk = hold_new(n);
	}
	return h ? h->p : NULL;
}

/* Sets c->pages. */
static bool unpack(struct dat_cursor *c, const void *data, uint32_t packed, uint32_t plain)
{
	struct dat_kept *kept = &c->lane->kept;
	uint32_t number = c->next_number++;
	uint8_t *out = c->is_counted ? dat_kept_get(kept, &c->d->room, number, plain) : NULL;
	bool is_there = out, keeps = false;

	if (!out && c->keeps && c->is_counted)
		keeps = (out = dat_kept_add(kept, &c->d->room, number, plain));
	if (out) {
		hold_put(c->chunk);
		c->chunk = hold_get(c->d->room.hold);
	} else {
		out = plain <= DAT_CHUNK_MAX ? chunk_buffer(c, plain) : NULL;
	}
	c->pages = out;
	if (is_there)
		return true;
	if (out && !dat_unpack(&c->unpacker, c->d->compression, data, packed, out, plain))
		return true;
	if (keeps)
		dat_kept_drop(kept);
	return false;
}

/* u32 packed bytes, u32 bytes, data. False at the end of the lane. */
static bool next_chunk(struct dat_cursor *c)
{
	uint64_t at = dat_in_offset(&c->in);
	uint32_t packed = 0, plain = 0;
	const void *data;

	if (!c->chunks_left) {
		if (dat_in_left(&c->in) > CHUNK_SLACK && !c->lane->cut)
			tell_broken(c, at, "compressed data goes on behind its last chunk");
		return false;
	}
	c->chunks_left--;
	if (!dat_in_u32(&c->in, &packed) || !dat_in_u32(&c->in, &plain) ||
	    !(data = dat_in_take(&c->in, packed))) {
		c->chunks_left = 0;
		if (!c->lane->cut)
			tell_broken(c, at, "compressed data is cut short");
		return false;
	}
	if (!unpack(c, data, packed, plain)) {
		tell_broken(c, at, "compressed data does not decompress");
		return true;
	}
	c->pages_bytes = plain;
	return true;
}

/* Gets at more pages. False at the end of the lane. */
static bool more_pages(struct dat_cursor *c)
{
	c->pages_bytes = 0;
	if (!c->is_open) {
		c->is_open = true;
		if (!c->lane->compressed) {
			c->pages = c->in.p;
			c->pages_bytes = dat_in_left(&c->in);
			return c->pages_bytes != 0;
		}
		c->is_counted = true;
		if (!dat_in_u32(&c->in, &c->chunks_left) && c->lane->n && !c->lane->cut)
			tell_broken(c, c->lane->offset, "compressed data is cut short");
	}
	return c->lane->compressed && next_chunk(c);
}

static void next_page(struct dat_cursor *c)
{
	size_t n = c->lane->page_bytes;

	if (n > c->pages_bytes)
		n = c->pages_bytes;
	/* the page is reported when its records turn out to be broken */
	ringbuf_page(&c->rb, c->pages, n, c->lane->page_bytes);
	c->page_bytes = n;
	c->pages += n;
	c->pages_bytes -= n;
}

static void check_broken(struct dat_cursor *c)
{
	uint64_t at;

	if (c->rb.broken_pages == c->broken_told)
		return;
	c->broken_told = c->rb.broken_pages;
	if (c->lane->cut && c->page_bytes < c->lane->page_bytes)
		return;
	at = c->lane->compressed
		     ? dat_in_offset(&c->in)
		     : c->lane->offset + (uint64_t)(c->pages - c->in.start) - c->page_bytes;
	tell_broken(c, at,
		    c->lane->compressed ? "a page before it makes no sense"
					: "the page makes no sense");
}

static unsigned end_lane(struct dat_cursor *c, struct source_item *items)
{
	if (c->lane->cut && !c->ended)
		ringbuf_gap(&c->rb);
	c->ended = true;
	return ringbuf_last(&c->rb, c->lane->dropped, items);
}

static unsigned read_items(struct dat_cursor *c, struct source_item *items, unsigned max)
{
	unsigned n = 0;

	while (max - n >= 2) {
		unsigned got = ringbuf_read(&c->rb, items + n, max - n);

		n += got;
		if (got)
			continue;
		check_broken(c);
		if (c->pages_bytes) {
			next_page(c);
			continue;
		}
		/* what was returned before must stay: new pages only at the start of a read */
		if (n)
			break;
		if (c->ended || !more_pages(c))
			return end_lane(c, items);
	}
	return n;
}

int dat_cursor_read(struct source_cursor *cursor, struct source_item *items, unsigned max)
{
	struct dat_cursor *c = (struct dat_cursor *)cursor;
	unsigned n;

	n = read_items(c, items, max);
	/* of a file that was cut meanwhile nothing is given out that may be zeros */
	return dat_map_check(c->lane->map, c->ended) ? -EIO : (int)n;
}

/* --- places to begin at --- */

bool dat_can_seek(const struct source *s)
{
	const struct dat *d = (const struct dat *)s;

	return d->maps.n == 1 && !d->s.facts.truncated;
}

struct scan {
	struct dat_cursor *c;
	struct seek_places *places;
	struct seek_place at; /* what is known of here */
	uint64_t step, left;  /* pages or chunks from one place to the next */
};

/* Reading can begin here, at bytes from the lane's beginning. */
static int scan_place(struct scan *s, uint64_t at)
{
	struct seek_place *p;

	if (s->left--)
		return 0;
	s->left = s->step - 1;
	p = array_add(s->places);
	if (!p)
		return -ENOMEM;
	*p = s->at;
	p->at = at;
	p->chunks = s->c->chunks_left;
	p->told = s->c->rb.told;
	if (s->c->rb.untold)
		p->flags |= SEEK_UNTOLD;
	return 0;
}

static void scan_items(struct scan *s, const struct source_item *items, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		bool higher = (int64_t)(items[i].raw_ticks - s->at.high_ticks) > 0;

		if (!(items[i].flags & ITEM_LOST) && (!s->at.flags || higher)) {
			s->at.high_ticks = items[i].raw_ticks;
			s->at.flags = SEEK_HAS_HIGH;
		}
	}
}

/* The next page or chunk. 0 at the end of the lane, -errno. */
static int scan_on(struct scan *s)
{
	struct dat_cursor *c = s->c;
	int r = 0;

	check_broken(c);
	if (c->pages_bytes) {
		if (!c->lane->compressed)
			r = scan_place(s, (uint64_t)(c->pages - c->in.start));
		next_page(c);
		return r ? r : 1;
	}
	if (c->lane->compressed && c->is_open)
		r = scan_place(s, (uint64_t)(c->in.p - c->in.start));
	if (!r && more_pages(c))
		return 1;
	return r;
}

static uint64_t places_apart(const struct dat_lane *l)
{
	uint32_t chunks = 0;

	if (!l->compressed)
		return SCAN_PAGES + l->n / l->page_bytes / SCAN_PLACES;
	if (l->n >= 4)
		memcpy(&chunks, l->map->p + l->offset, 4);
	return 1 + chunks / SCAN_PLACES;
}

int dat_seek_scan(struct source *src, size_t lane, struct seek_places *ret,
		  void (*take)(void *arg, const struct source_item *items, unsigned n), void *arg)
{
	_cleanup_source_cursor_ struct source_cursor *cursor = NULL;
	struct source_item items[SCAN_ITEMS];
	struct scan s = {.places = ret};
	int r = dat_cursor_new(src, lane, NULL, &cursor);

	if (r)
		return r;
	dat_cursor_defer(cursor);
	s.c = (struct dat_cursor *)cursor;
	s.step = places_apart(s.c->lane);
	if (s.c->lane->compressed && !array_add(ret)) /* the beginning */
		return -ENOMEM;
	do {
		unsigned n = ringbuf_read(&s.c->rb, items, SCAN_ITEMS);

		scan_items(&s, items, n);
		take(arg, items, n);
		r = n ? 1 : scan_on(&s);
	} while (r > 0);
	return r ? r : dat_map_check(s.c->lane->map, true);
}

int dat_cursor_seek(struct source_cursor *cursor, const struct seek_place *p)
{
	struct dat_cursor *c = (struct dat_cursor *)cursor;

	if (!p->at)
		return 0;
	if (p->at > c->lane->n || (!c->lane->compressed && p->at % c->lane->page_bytes))
		return -EBADMSG;
	c->is_open = true;
	c->rb.told = p->told;
	c->rb.untold = p->flags & SEEK_UNTOLD;
	if (c->lane->compressed) {
		c->in.p = c->in.start + p->at;
		c->chunks_left = p->chunks;
	} else {
		c->pages = c->in.start + p->at;
		c->pages_bytes = c->lane->n - p->at;
	}
	return 0;
}
