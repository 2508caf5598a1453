/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proof, on a throw-away VM of our own, that the gate sees what KVM does. */
#pragma once

#include "base/cleanup.h"
#include "vm/bpf/gate_shared.h"

/* Makes a VM with one vCPU, gives it an offset, and calls KVM_RUN, which the attached gate must
 * refuse after filling *seen (memory shared with the program). 0; -EOPNOTSUPP when offsets cannot
 * be set here, -EPROTO when the gate saw something else; each with one message. */
must_check int gate_probe_run(const volatile struct gate_probe *seen);
