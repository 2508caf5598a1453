/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What KVM itself keeps about the TSC of every vCPU of this host, read by a BPF program that only
 * reads: masterclock, catch-up, protection, generations, TSC_ADJUST. Silent. */
#pragma once

#include "base/array.h"
#include "base/cleanup.h"
#include "vm/bpf/look_shared.h"

struct looks ARRAY(struct look_vcpu);

/* All vCPUs but our own. Needs what the gate needs, but attaches to nothing that runs. -EPERM; -ENOENT
 * no KVM; -ENXIO when it cannot see this process (another pid namespace); -EOPNOTSUPP no BPF. */
must_check int look_read(struct looks *ret);
/* The vCPU with descriptor fd in process pid, NULL when it was not seen. */
const struct look_vcpu *look_find(const struct looks *l, pid_t pid, int fd);
