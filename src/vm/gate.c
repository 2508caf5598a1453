// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/gate.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "vm/bpfiter.h"
#include "vm/facts.h"
#include "vm/gate_probe.h"

#include "gate.skel.h"

#define SWEEP_EVERY 64 /* new VMs */

struct gate {
	struct gate_config config;
	struct gate_bpf *bpf;
	struct ring_buffer *events, *writes;
	int decide_fd;
	unsigned swept_at; /* known_vms at the last sweep */
};

static int on_event(void *ctx, void *data, size_t n)
{
	struct gate *g = ctx;

	if (n >= sizeof(struct gate_event))
		g->config.on_event(g->config.ctx, data);
	return 0;
}

static int on_write(void *ctx, void *data, size_t n)
{
	struct gate *g = ctx;

	if (n >= sizeof(struct gate_write))
		g->config.on_write(g->config.ctx, data);
	return 0;
}

/* Where we write to a ring buffer from kvm_write_tsc_offset KVM holds a raw spinlock. The ring buffer's
 * own lock sleeps on PREEMPT_RT before 6.12, 6.6.84 and 6.1.115 (8b62645b09f8 "bpf: Use
 * raw_spinlock_t in ringbuf"): that can bring the host down. What cannot be told counts as that. */
static bool ringbuf_may_sleep(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, "bpf_ringbuf", BTF_KIND_STRUCT) : 0;
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (unsigned)id) : NULL;
	bool may = true;

	for (int i = 0; t && i < btf_vlen(t); i++) {
		const struct btf_member *m = btf_members(t) + i;
		const struct btf_type *type = btf__type_by_id(btf, m->type);

		if (!strcmp(btf__name_by_offset(btf, m->name_off), "spinlock"))
			may = !strcmp(btf__name_by_offset(btf, type->name_off), "spinlock_t");
	}
	btf__free(btf);
	return may;
}

void gate_read_host(struct judge_gate *ret)
{
	*ret = (struct judge_gate){
		.built = true,
		.root = !geteuid(),
		.btf = facts_btf(NULL),
		.ringbuf_sleeps = facts_realtime(NULL) && ringbuf_may_sleep(),
		.kvm = !access("/sys/module/kvm", F_OK) && !access("/dev/kvm", F_OK),
	};
}

static int check_host(void)
{
	struct judge_gate host;
	const char *why;
	int r;

	gate_read_host(&host);
	r = judge_gate(&host, &why);
	return r ? log_err_r(r, "%s", why) : 0;
}

/* One sentence for a failed load or attach. */
static int load_error(int err, const char *what)
{
	if (err == -EPERM || err == -EACCES)
		return log_err_r(
			err,
			"the kernel does not let us %s: root with CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN is "
			"needed, and no lockdown=confidentiality; -v shows the kernel's log",
			what);
	return log_err_r(err, "cannot %s: %m; -v shows the kernel's log", what);
}

/* gate1, gate2, ... in this order: the first looks at everything (GATE_COPIES). */
static bool is_gate(const struct gate_bpf *bpf, int i)
{
	return !strncmp(bpf->skeleton->progs[i].name, "gate", 4);
}

static int load(struct gate *g)
{
	struct gate_bpf *bpf = gate_bpf__open();
	int r, copies;

	if (!bpf)
		return load_error(-errno, "open the BPF programs");
	g->bpf = bpf;
	bpf->rodata->target = (uint64_t)g->config.target;
	bpf->rodata->deadline_ns = g->config.deadline_ns;
	bpf->rodata->self_tgid = (unsigned)getpid();
	bpf->rodata->ask = g->config.ask;
	if (g->config.observe_only) {
		bpf_program__set_autoload(bpf->progs.learn, false);
		bpf_program__set_autoload(bpf->progs.check, false);
		bpf_program__set_autoload(bpf->progs.decide, false);
	}
	copies = g->config.observe_only ? 0 : facts_preemptible(NULL) ? GATE_COPIES : 1;
	for (int i = 0; i < bpf->skeleton->prog_cnt; i++)
		if (is_gate(bpf, i))
			bpf_program__set_autoload(*bpf->skeleton->progs[i].prog, copies-- > 0);
	r = gate_bpf__load(bpf);
	if (r)
		return load_error(r, "load the BPF programs");
	g->decide_fd = g->config.observe_only ? -1 : bpf_program__fd(bpf->progs.decide);
	return 0;
}

static int attach(struct gate *g)
{
	struct gate_bpf *bpf = g->bpf;

	/* This also holds a reference on kvm.ko, so what is learnt of it stays true. */
	bpf->links.observe = bpf_program__attach(bpf->progs.observe);
	if (!bpf->links.observe)
		return load_error(-errno, "attach to the tracepoint kvm_write_tsc_offset");
	if (g->config.observe_only)
		return 0;
	for (int i = 0; i < bpf->skeleton->prog_cnt; i++) {
		struct bpf_prog_skeleton *p = &bpf->skeleton->progs[i];

		if (!is_gate(bpf, i) || !bpf_program__autoload(*p->prog))
			continue;
		*p->link = bpf_program__attach(*p->prog);
		if (!*p->link)
			return load_error(-errno, "attach the gate to security_file_ioctl");
	}
	return 0;
}

static int open_rings(struct gate *g)
{
	g->writes = ring_buffer__new(bpf_map__fd(g->bpf->maps.writes), on_write, g, NULL);
	if (!g->writes)
		return load_error(-errno, "map the ring buffer of writes");
	g->events = ring_buffer__new(bpf_map__fd(g->bpf->maps.events), on_event, g, NULL);
	if (!g->events)
		return load_error(-errno, "map the ring buffer of events");
	return 0;
}

/* Old VMs first (mode is still GATE_LEARN: a VM that starts to run meanwhile is old too). */
static int start(struct gate *g)
{
	struct gate_bpf__bss *bss = g->bpf->bss;
	int r = gate_probe_run(&bss->probe);

	if (r)
		return r;
	if (g->config.try_only)
		return 0;
	bss->kvm_vcpu_fops = bss->probe.fops;
	r = bpfiter_run(g->bpf->progs.learn, 0, NULL, NULL);
	if (r)
		return load_error(r, "look for the VMs that run already");
	__atomic_store_n(&bss->mode, GATE_ACTIVE, __ATOMIC_SEQ_CST);
	return 0;
}

int gate_open(const struct gate_config *config, struct gate **ret)
{
	struct gate *g;
	int r = check_host();

	if (r)
		return r;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->config = *config;
	bpfiter_log_debug();
	r = load(g);
	r = r ?: open_rings(g);
	r = r ?: attach(g);
	if (!r && !config->observe_only)
		r = start(g);
	if (r) {
		gate_close(g);
		return r;
	}
	*ret = g;
	return 0;
}

void gate_drain(struct gate *g)
{
	__atomic_store_n(&g->bpf->bss->mode, GATE_DRAIN, __ATOMIC_SEQ_CST);
}

/* How often the kernel ran no copy of the gate cannot be told, how often it skipped one can. */
static void say_skipped(const struct gate *g)
{
	for (int i = 0; i < g->bpf->skeleton->prog_cnt; i++) {
		const struct bpf_prog_skeleton *p = &g->bpf->skeleton->progs[i];
		struct bpf_prog_info info = {0};
		uint32_t n = sizeof(info);

		if (*p->link && !bpf_obj_get_info_by_fd(bpf_program__fd(*p->prog), &info, &n) &&
		    info.recursion_misses)
			log_debug("%s: skipped %llu times", p->name,
				  (unsigned long long)info.recursion_misses);
	}
}

void gate_detach(struct gate *g)
{
	say_skipped(g);
	gate_bpf__detach(g->bpf);
}

void gate_close(struct gate *g)
{
	if (!g)
		return;
	/* The gate goes before its maps do. */
	if (g->bpf)
		gate_detach(g);
	ring_buffer__free(g->events);
	ring_buffer__free(g->writes);
	gate_bpf__destroy(g->bpf);
	free(g);
}

int gate_events_fd(const struct gate *g)
{
	return ring_buffer__epoll_fd(g->events);
}

int gate_writes_fd(const struct gate *g)
{
	return ring_buffer__epoll_fd(g->writes);
}

static int read_ring(struct ring_buffer *rb)
{
	int n = ring_buffer__consume(rb);

	return n < 0 ? n : 0;
}

int gate_read_events(struct gate *g)
{
	return read_ring(g->events);
}

int gate_read_writes(struct gate *g)
{
	return read_ring(g->writes);
}

bool gate_decide(struct gate *g, const struct gate_event *e, enum gate_op op, uint64_t extend_ns)
{
	struct gate_decision d = {
		.kvm = e->kvm,
		.held_ns = e->held_ns,
		.extend_ns = extend_ns,
		.op = op,
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &d, .ctx_size_in = sizeof(d));
	int r = bpf_prog_test_run_opts(g->decide_fd, &opts);

	if (r) {
		log_errno(
			r,
			"cannot tell the gate about VM %#llx: %m; it opens by itself after the deadline",
			(unsigned long long)e->kvm);
		return false;
	}
	return opts.retval == 1;
}

int gate_has_slipped(struct gate *g, const struct gate_event *e, bool *ret)
{
	struct gate_vm vm;
	int r = bpfiter_run(g->bpf->progs.check, (pid_t)e->tgid, NULL, NULL);

	if (r || bpf_map_lookup_elem(bpf_map__fd(g->bpf->maps.vms), &e->kvm, &vm))
		return r ? r : -ENOENT;
	*ret = vm.slipped;
	return 0;
}

pid_t gate_thread(struct gate *g, uint64_t kvm, unsigned vcpu)
{
	struct gate_thread_key key = {.kvm = kvm, .vcpu = vcpu};
	uint32_t tid;

	if (bpf_map_lookup_elem(bpf_map__fd(g->bpf->maps.threads), &key, &tid))
		return 0;
	return (pid_t)tid;
}

static void drop_unseen(struct gate *g, uint32_t epoch)
{
	int fd = bpf_map__fd(g->bpf->maps.vms);
	uint64_t key, next, *at = NULL;
	struct gate_vm vm;

	/* Deleting `key` would restart the walk: always step on before deleting. */
	while (!bpf_map_get_next_key(fd, at, &next)) {
		if (at && !bpf_map_lookup_elem(fd, &key, &vm) && vm.epoch != epoch)
			bpf_map_delete_elem(fd, &key);
		key = next;
		at = &key;
	}
	if (at && !bpf_map_lookup_elem(fd, &key, &vm) && vm.epoch != epoch)
		bpf_map_delete_elem(fd, &key);
}

int gate_sweep(struct gate *g)
{
	struct gate_bpf__bss *bss = g->bpf->bss;
	uint32_t epoch;
	int r;

	if (g->config.observe_only || bss->known_vms - g->swept_at < SWEEP_EVERY)
		return 0;
	g->swept_at = bss->known_vms;
	epoch = __atomic_add_fetch(&bss->epoch, 1, __ATOMIC_SEQ_CST);
	r = bpfiter_run(g->bpf->progs.learn, 0, NULL, NULL);
	if (!r)
		drop_unseen(g, epoch);
	return r;
}

void gate_get_counts(const struct gate *g, struct gate_counts *ret)
{
	const struct gate_bpf__bss *bss = g->bpf->bss;
	int fd = bpf_map__fd(g->bpf->maps.vms);
	unsigned n = 0;

	for (uint64_t key, *at = NULL; !bpf_map_get_next_key(fd, at, &key); at = &key)
		n++;
	*ret = (struct gate_counts){
		.vms = bss->known_vms,
		.remembered = n,
		.lost_events = bss->lost_events,
		.lost_writes = bss->lost_writes,
		.unknown_vms = bss->unknown_vms,
	};
}
