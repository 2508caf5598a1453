// SPDX-License-Identifier: GPL-2.0-or-later
/* Arrows from an injected interrupt to the guest's handler of it.
 *
 * KVM injects on the way into the guest (kvm_inj_virq, then kvm_entry), so that the guest takes it first of all.
 * Events of irq_vectors tell their vector. irq_handler_entry does not: it belongs to the last vector injected
 * that is not one of the CPU's own (FIRST_SYSTEM_VECTOR, arch/x86/include/asm/irq_vectors.h). */
#include "sink/perfetto_vcpu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "source/source.h"

#define VECTORS	      256u
#define SYSTEM_VECTOR 0xecu /* the lowest that Linux has ever kept for the CPU's own */
#define DEPTH_MAX     16u   /* of open handlers: more is nonsense */

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n > k && !strcmp(s + n - k, end);
}

static bool is_number(const struct source_field *f)
{
	return f && (f->type == FIELD_UINT || f->type == FIELD_INT);
}

enum perfetto_irq perfetto_irq_kind(const struct input_machine *m, const struct source_kind *kind,
				    const struct source_field **ret)
{
	const struct source_field *vector = source_field_find(kind, "vector");

	if (!m->is_guest && !strcmp(kind->system, "kvm") && !strcmp(kind->name, "kvm_inj_virq")) {
		*ret = vector ?: source_field_find(kind, "irq"); /* before 6.0 */
		return is_number(*ret) ? IRQ_INJECT : IRQ_NONE;
	}
	if (!m->is_guest)
		return IRQ_NONE;
	if (!strcmp(kind->system, "irq_vectors") && is_number(vector)) {
		*ret = vector;
		return ends_with(kind->name, "_entry")	? IRQ_VECTOR_ENTRY
		       : ends_with(kind->name, "_exit") ? IRQ_VECTOR_EXIT
							: IRQ_NONE;
	}
	if (strcmp(kind->system, "irq"))
		return IRQ_NONE;
	for (size_t i = 0; i < kind->n_fields; i++)
		if (!strcmp(kind->fields[i].name, "name"))
			*ret = &kind->fields[i];
	return !strcmp(kind->name, "irq_handler_entry")	 ? IRQ_HANDLER_ENTRY
	       : !strcmp(kind->name, "irq_handler_exit") ? IRQ_HANDLER_EXIT
							 : IRQ_NONE;
}

static int inject(struct sink_perfetto *s, struct perfetto_vcpu *v, uint64_t vector, uint64_t ticks)
{
	struct perfetto_extra extra = {.flow_from = ++s->next_flow};
	char name[32];

	if (vector >= VECTORS)
		return 0;
	if (!v->flows)
		v->flows = calloc(VECTORS, sizeof(*v->flows));
	if (!v->flows)
		return log_err_r(-ENOMEM, "cannot export: %m");
	v->flows[vector] = s->next_flow;
	if (vector < SYSTEM_VECTOR)
		v->last_device = (unsigned)vector;
	snprintf(name, sizeof(name), "inject 0x%02x", (unsigned)vector);
	return perfetto_track_moment(v->irqs, ticks, name, &extra);
}

/* The arrow ends with the first handler after the injection. */
static int handler(struct perfetto_vcpu *v, const char *name, uint64_t vector, uint64_t ticks)
{
	struct perfetto_extra extra = {0};

	if (v->depth == DEPTH_MAX)
		return 0;
	if (v->flows && vector && vector < VECTORS) {
		extra.flow_to = v->flows[vector];
		v->flows[vector] = 0;
	}
	v->depth++;
	return perfetto_track_begin(v->irqs, ticks, name, &extra);
}

static unsigned take_device(struct perfetto_vcpu *v)
{
	unsigned vector = v->last_device;

	v->last_device = 0;
	return vector;
}

static void name_of(const struct perfetto_kind *k, const struct event *ev, char *buf, size_t n)
{
	const char *p = ev->kind->name;
	size_t len = strlen(p) - strlen("_entry");

	if (k->irq == IRQ_HANDLER_ENTRY)
		p = k->irq_field ? source_field_bytes(k->irq_field, ev->data, ev->size, &len)
				 : NULL;
	snprintf(buf, n, "%.*s", p ? (int)(len < 64 ? len : 64) : 3, p ?: "irq");
}

int perfetto_irq_event(struct sink_perfetto *s, const struct perfetto_kind *k,
		       const struct event *ev, const struct input_vcpu *vcpu)
{
	int tid = k->irq == IRQ_INJECT ? source_record_pid(ev->kind, ev->data)
		  : vcpu	       ? vcpu->tid
				       : 0;
	size_t index = tid > 0 ? threads_find(&s->threads, tid) : SIZE_MAX;
	struct perfetto_vcpu *v;
	char name[80];

	if (index == SIZE_MAX)
		return 0;
	v = &s->vcpus[index];
	if (!v->rate) /* --vm leaves out its guest, or it did nothing else yet */
		return 0;
	switch (k->irq) {
	case IRQ_INJECT:
		return inject(s, v, source_field_u64(k->irq_field, ev->data), ev->ticks);
	case IRQ_VECTOR_ENTRY:
		name_of(k, ev, name, sizeof(name));
		return handler(v, name, source_field_u64(k->irq_field, ev->data), ev->ticks);
	case IRQ_HANDLER_ENTRY:
		name_of(k, ev, name, sizeof(name));
		return handler(v, name, take_device(v), ev->ticks);
	default:
		if (!v->depth)
			return 0;
		v->depth--;
		return perfetto_track_end(v->irqs, ev->ticks);
	}
}

int perfetto_irq_close(struct sink_perfetto *s, size_t vcpu, uint64_t ticks)
{
	struct perfetto_vcpu *v = &s->vcpus[vcpu];
	int r = 0;

	for (; v->depth && !r; v->depth--)
		r = perfetto_track_end(v->irqs, ticks);
	return r;
}
