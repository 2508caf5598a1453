/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which map KVM applied to a vCPU from when on. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "clock/tsc.h"

/* From the host tick of the change (the stamp of kvm_write_tsc_offset) to the next epoch's. KVM
 * writes the offset while the vCPU is out of the guest, so no guest instruction runs at the border
 * itself (kvm_vcpu_write_tsc_offset(), arch/x86/kvm/x86.c). */
struct tsc_epoch {
	uint64_t from_ticks;
	struct tsc_map map;
};

/* One vCPU's epochs in order. Zero-initialise; epochs_free(). The first one also covers all time
 * before it, the last one all time after. */
struct tsc_epochs ARRAY(struct tsc_epoch);

/* Adds an epoch at its place. One that starts at the same tick replaces the older one (the later
 * write is added later). -EINVAL when the map is not valid, -ENOMEM. */
must_check int epochs_add(struct tsc_epochs *e, uint64_t from_ticks, const struct tsc_map *map);

/* Drops epochs whose map equals their predecessor's: writes that changed nothing. */
void epochs_squeeze(struct tsc_epochs *e);

/* Index of the epoch in force at host_ticks. The list must not be empty. */
size_t epochs_at(const struct tsc_epochs *e, uint64_t host_ticks);

/* First and last tick of epoch i, without its border ticks towards a neighbour's start. */
struct tsc_range epochs_span(const struct tsc_epochs *e, size_t i);

uint64_t epochs_forward(const struct tsc_epochs *e, uint64_t host_ticks);

/* The host ticks of a guest stamp: epochs from index first on are tried in order, and the first
 * one counts whose inverse lies in its span and does not end before not_before. Returns its index
 * and narrows *ret to span and not_before, or SIZE_MAX when no epoch explains the stamp. Within a
 * lane call it with the previous event's index and low end: the order of the lane is the truth.
 * A stamp that a later epoch explains too (possible after a backward step) is given to the earlier
 * one; *ret_ambiguous is set. near_ticks as for tsc_inverse(). */
size_t epochs_inverse(const struct tsc_epochs *e, size_t first, uint64_t guest_ticks,
		      uint64_t not_before, uint64_t near_ticks, struct tsc_range *ret,
		      bool *ret_ambiguous);

void epochs_free(struct tsc_epochs *e);
#define _cleanup_epochs_ _cleanup_(epochs_free)
