/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tracks of a VM in a Perfetto trace: for each vCPU what it did, its exits and their number, and its
 * interrupts from injection to the guest's handler; besides, what is no kernel's event: lost events, lines of
 * logs. */
#pragma once

#include "sink/perfetto_impl.h"
#include "sink/perfetto_track.h"

#define RATE_NS 10000000u /* exits are counted in steps of that */

struct perfetto_vcpu {
	struct perfetto_track *states, *exits, *rate, *irqs;
	uint64_t rate_at, rate_n;
	uint32_t *flows; /* by vector: number of the arrow of the last injection; NULL: none yet */
	unsigned last_device; /* vector of the last injection that is no CPU-local one's; 0 none */
	unsigned depth;	      /* of handlers that are open */
};

/* Of that guest's vCPU; index: among all of the input, as threads_init() counts. */
must_check int perfetto_vcpu_get(struct sink_perfetto *s, unsigned machine, unsigned id,
				 size_t index, struct perfetto_vcpu **ret);

enum perfetto_irq {
	IRQ_NONE,
	IRQ_INJECT,	  /* host: kvm_inj_virq */
	IRQ_VECTOR_ENTRY, /* guest: irq_vectors:NAME_entry */
	IRQ_VECTOR_EXIT,
	IRQ_HANDLER_ENTRY,
	IRQ_HANDLER_EXIT,
};
/* How a kind of a machine matters here, and the field with the vector or the handler's name. */
enum perfetto_irq perfetto_irq_kind(const struct input_machine *m, const struct source_kind *kind,
				    const struct source_field **ret);
must_check int perfetto_irq_event(struct sink_perfetto *s, const struct perfetto_kind *k,
				  const struct event *ev, const struct input_vcpu *vcpu);
/* Handlers that seem to run will not be seen to end. */
must_check int perfetto_irq_close(struct sink_perfetto *s, size_t vcpu, uint64_t ticks);

struct perfetto_lane;
/* A gap, on a track of its lane. */
must_check int perfetto_mark_lost(struct sink_perfetto *s, struct perfetto_lane *l,
				  const struct event *ev);
/* A line of a log or a VMM's own event, likewise. */
must_check int perfetto_mark_text(struct sink_perfetto *s, struct perfetto_lane *l,
				  const struct event *ev);
