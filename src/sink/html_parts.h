/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the html sink; used by it only. */
#pragma once

#include "insight/exits.h"
#include "sink/html.h"
#include "sink/html_block.h"
#include "sink/html_dict.h"

#define HTML_BLOCK 65536u /* events, slices or exits */

/* Made at build time from web/; empty when its tools were not there. */
extern const char html_head[], html_tail[];
extern const size_t html_head_bytes, html_tail_bytes;

/* --- events: block E for all of them, block F with their fields, read when one is looked at --- */

struct html_kind { /* of one machine, that occurs */
	uint16_t machine;
	const struct source_kind *kind;
	uint64_t n;
	uint32_t in_block; /* events of it in the block */
	struct col *cols;  /* by field */
	uint64_t *last;	   /* value before, of numbers */
};

struct html_events {
	const struct input *in;
	struct block *block;
	uint64_t base; /* host ticks that times count from */
	uint64_t total;
	uint32_t n;    /* in the block */
	int64_t prev;  /* ticks since base */
	uint64_t *ago; /* by lane: raw ticks less ticks of its last event in the block */
	size_t n_lanes;
	struct col times, lanes, kinds, pids, raws, widths, errors, flags;
	struct dict dict;
	struct ARRAY(struct html_kind) all;
	uint32_t **index; /* by machine and kind: 1 + place in all; 0 none */
	int last_pid;
};

must_check int html_events_init(struct html_events *h, const struct input *in, struct block *b,
				size_t n_lanes);
must_check int html_events_add(struct html_events *h, const struct event *ev);
/* Writes what is left. */
must_check int html_events_flush(struct html_events *h);
void html_events_free(struct html_events *h);

/* --- tasks: block R, who ran on each CPU; block L, where events are lost --- */

struct html_run {
	uint64_t from, told; /* base-relative: of the open slice; end of the last one written */
	int pid;
	bool open;
};
struct html_pids {  /* a bounded set */
	int *slots; /* -1 free */
	uint32_t n, size;
};
struct html_tasks {
	const struct timeline *t;
	struct block *block;
	uint64_t base, end;
	struct html_run *runs;	/* by lane */
	struct html_pids *pids; /* by machine */
	uint64_t *begins;	/* by lane: 1 + its first event, 0: none yet */
	uint64_t *ends;		/* by machine: its last event */
	struct {
		const struct source_kind *kind;
		const struct source_field *prev, *next;
	} * switches; /* by machine */
	size_t n_lanes, n_machines;
	uint32_t n, n_lost;
	struct col lanes, froms, spans, who;
	struct col lost_lanes, lost_froms, lost_spans, lost_n;
};

must_check int html_tasks_init(struct html_tasks *h, const struct timeline *t, struct block *b);
must_check int html_tasks_add(struct html_tasks *h, const struct event *ev);
/* Writes who still runs, and what is left. */
must_check int html_tasks_finish(struct html_tasks *h);
must_check int html_tasks_flush(struct html_tasks *h);
void html_tasks_free(struct html_tasks *h);

/* --- vCPUs: block V, their states; block X, their exits --- */

struct html_vcpus {
	struct block *block;
	uint64_t base;
	uint64_t *slice_end, *exit_from; /* by vCPU: of the last one written */
	size_t n_vcpus;
	uint32_t n_slices, n_exits;
	struct dict slice_dict, exit_dict;
	struct col slice[10], exit[12 + VCPU_STATES];
	struct exits *exits;
};

must_check int html_vcpus_init(struct html_vcpus *h, const struct input *in, struct block *b);
must_check int html_vcpus_flush(struct html_vcpus *h);
void html_vcpus_free(struct html_vcpus *h);

/* --- block M: what the numbers mean, as JSON --- */

must_check int html_meta_put(const struct timeline *t, struct block *b,
			     const struct html_events *events, const struct html_tasks *tasks,
			     const struct html_vcpus *vcpus);
