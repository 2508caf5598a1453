// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/session_fields.h"

#include "session/session.h"

/* clang-format off */
#define F_WITH(t, m, k, lo_, hi_, req, has_) \
	{#m, k, offsetof(t, m), sizeof(((t *)0)->m), lo_, hi_, .required = req, .has = has_}
/* clang-format on */
#define F(t, m, k, lo, hi)	  F_WITH(t, m, k, lo, hi, false, 0)
#define F_REQ(t, m, k, lo, hi)	  F_WITH(t, m, k, lo, hi, true, 0)
#define F_HAS(t, m, k, lo, hi, h) F_WITH(t, m, k, lo, hi, false, offsetof(t, h) + 1)
/* Written only when true. */
#define F_SET(t, m) F_WITH(t, m, K_BOOL, 0, 0, false, offsetof(t, m) + 1)

const struct field session_fields[] = {
	F(struct session, tool, K_STR, 0, 0),
	F(struct session, command, K_STR, 0, 0),
	F_REQ(struct session, complete, K_BOOL, 0, 0),
	F(struct session, clocksource, K_STR, 0, 0),
	F(struct session, tsc_khz, K_NUM, 0, 1000000000),
	F(struct session, mult, K_NUM, 0, INT32_MAX),
	F(struct session, shift, K_NUM, 0, 32),
	F(struct session, begin_tsc, K_U64, 0, UINT64_MAX),
	F(struct session, end_tsc, K_U64, 0, UINT64_MAX),
	F(struct session, offsets_file, K_FILE, 0, 0),
	{0},
};
const struct field machine_fields[] = {
	F_REQ(struct session_machine, name, K_STR, 0, 0),
	F_REQ(struct session_machine, is_guest, K_BOOL, 0, 0),
	F(struct session_machine, file, K_FILE, 0, 0),
	F(struct session_machine, trace_id, K_HEX, 0, UINT64_MAX),
	F(struct session_machine, pid, K_NUM, 0, INT32_MAX),
	F(struct session_machine, vmm, K_STR, 0, 0),
	F_SET(struct session_machine, cpus_in_order),
	F_SET(struct session_machine, qemu_marks),
	F(struct session_machine, why_missing, K_STR, 0, 0),
	{0},
};
static const struct field cpu_fields[] = {
	F(struct session_cpu, bytes, K_U64, 0, INT64_MAX),
	F(struct session_cpu, overrun, K_U64, 0, UINT64_MAX),
	F(struct session_cpu, dropped, K_U64, 0, UINT64_MAX),
	{0},
};
static const struct field vcpu_fields[] = {
	F_REQ(struct session_vcpu, id, K_NUM, 0, INT32_MAX),
	F(struct session_vcpu, tid, K_NUM, 0, INT32_MAX),
	F_REQ(struct session_vcpu, guest_cpu, K_INT, -1, SESSION_CPUS_MAX - 1),
	F_HAS(struct session_vcpu, start_offset, K_S64, INT64_MIN, INT64_MAX, has_start),
	F_HAS(struct session_vcpu, end_offset, K_S64, INT64_MIN, INT64_MAX, has_end),
	F_REQ(struct session_vcpu, ratio, K_U64, 1, UINT64_MAX),
	F_REQ(struct session_vcpu, frac, K_NUM, 0, 63),
	{0},
};
const struct field part_fields[] = {
	F_REQ(struct session_part, file, K_FILE, 0, 0),
	F(struct session_part, trace_id, K_HEX, 0, UINT64_MAX),
	F(struct session_part, begin_tsc, K_U64, 0, UINT64_MAX),
	F(struct session_part, end_tsc, K_U64, 0, UINT64_MAX),
	{0},
};
static const struct field place_fields[] = {
	F_REQ(struct session_place, id, K_NUM, 0, INT32_MAX),
	F_REQ(struct session_place, guest_cpu, K_INT, -1, SESSION_CPUS_MAX - 1),
	{0},
};
static const struct field pair_fields[] = {
	F_REQ(struct session_pair, tsc, K_U64, 0, UINT64_MAX),
	F_REQ(struct session_pair, width_ticks, K_U64, 0, INT64_MAX),
	F_REQ(struct session_pair, realtime_ns, K_S64, 0, INT64_MAX),
	F_REQ(struct session_pair, monotonic_ns, K_S64, 0, INT64_MAX),
	F_REQ(struct session_pair, boottime_ns, K_S64, 0, INT64_MAX),
	{0},
};

const struct list_kind cpu_list = {"cpus", cpu_fields, sizeof(struct session_cpu),
				   SESSION_CPUS_MAX};
const struct list_kind vcpu_list = {"vcpus", vcpu_fields, sizeof(struct session_vcpu),
				    SESSION_CPUS_MAX};
const struct list_kind place_list = {"vcpus", place_fields, sizeof(struct session_place),
				     SESSION_CPUS_MAX};
const struct list_kind pair_list = {"pairs", pair_fields, sizeof(struct session_pair),
				    SESSION_PAIRS_MAX};
