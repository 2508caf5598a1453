// SPDX-License-Identifier: GPL-2.0-or-later
/* Stands in for gate.c in a build without BPF (-Dbpf=disabled). */
#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "vm/facts.h"
#include "vm/gate.h"

void gate_read_host(struct judge_gate *ret)
{
	*ret = (struct judge_gate){.root = !geteuid(), .btf = facts_btf(NULL)};
}

int gate_open(const struct gate_config *config, struct gate **ret)
{
	struct judge_gate host;
	const char *why;

	gate_read_host(&host);
	return log_err_r(judge_gate(&host, &why), "%s", why);
}

void gate_drain(struct gate *g)
{
}

void gate_detach(struct gate *g)
{
}

void gate_close(struct gate *g)
{
}

int gate_events_fd(const struct gate *g)
{
	return -EOPNOTSUPP;
}

int gate_writes_fd(const struct gate *g)
{
	return -EOPNOTSUPP;
}

int gate_read_events(struct gate *g)
{
	return -EOPNOTSUPP;
}

int gate_read_writes(struct gate *g)
{
	return -EOPNOTSUPP;
}

bool gate_decide(struct gate *g, const struct gate_event *e, enum gate_op op, uint64_t extend_ns)
{
	return false;
}

int gate_has_slipped(struct gate *g, const struct gate_event *e, bool *ret)
{
	return -EOPNOTSUPP;
}

pid_t gate_thread(struct gate *g, uint64_t kvm, unsigned vcpu)
{
	return 0;
}

int gate_sweep(struct gate *g)
{
	return 0;
}

void gate_get_counts(const struct gate *g, struct gate_counts *ret)
{
	*ret = (struct gate_counts){0};
}
