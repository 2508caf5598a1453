// SPDX-License-Identifier: GPL-2.0-or-later
/* The gate: refuses KVM_RUN (-EINTR, the VMM retries) of a VM whose TSC offset is not the target
 * although its guest has not run yet, until user space has set it or a deadline has passed. And the
 * observer: reports every TSC offset that KVM writes.
 *
 * "Has not run yet" is read from KVM itself. kvm->arch.cur_tsc_* describe the TSC generation
 * (__kvm_synchronize_tsc, arch/x86/kvm/x86.c): the value whose write began it is 0 when vCPUs are
 * created or a VMM writes 0, 1 when QEMU resets, and large when a saved TSC is restored. A
 * generation in which the guest was already running when we came is marked settled by `learn` and
 * by the gate's learning mode, so it is never touched.
 *
 * No vmlinux.h: only the fields read are declared, and relocated at load time. */
#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "gate_kernel.h"
#include "gate_shared.h"

#define KVM_RUN	  0xae80
#define EINTR	  4
#define NR_IOCTL  16
#define RETELL_NS 100000000ull
#define JOIN_NS	  20000000ull
#define MAX_VMS	  4096

char LICENSE[] SEC("license") = "GPL";

const volatile __u64 target;	  /* the wanted offset */
const volatile __u64 deadline_ns; /* a VM is held no longer than this */
const volatile __u32 self_tgid;
const volatile __u32 ask; /* only some VMs are wanted: user space says which */

__u64 kvm_vcpu_fops; /* file operations of vCPU files; learnt from our own vCPU */
__u32 mode;	     /* enum gate_mode */
__u32 epoch;
__u32 known_vms;   /* entries ever made in `vms` */
__u64 lost_events; /* no room in the ring buffers */
__u64 lost_writes;
__u64 unknown_vms; /* no room in `vms` */
struct gate_probe probe;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_VMS);
	__type(key, __u64);
	__type(value, struct gate_vm);
} vms SEC(".maps");

/* Which thread tried to run which vCPU of a held VM. Only a hint, so it may forget. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct gate_thread_key);
	__type(value, __u32);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} writes SEC(".maps");

/* Everything the gate reads of one vCPU and its VM. */
struct look {
	__u64 kvm, offset, vm_offset, write, last_write, generation, generation_ns;
	__u32 vcpu;
	bool ran, catchup;
	bool joined;   /* this vCPU's TSC was written in the current generation */
	bool since;    /* it has run since: KVM notes the TSC written, then that of each exit */
	bool complete; /* all vCPUs' were */
};

static __always_inline void look_at(struct kvm_vcpu *vcpu, struct look *l)
{
	struct kvm *kvm = BPF_CORE_READ(vcpu, kvm);

	l->kvm = (__u64)kvm;
	l->vcpu = BPF_CORE_READ(vcpu, vcpu_id);
	l->ran = BPF_CORE_READ(vcpu, pid) != 0;
	l->catchup = BPF_CORE_READ(vcpu, arch.tsc_always_catchup);
	l->offset = BPF_CORE_READ(vcpu, arch.l1_tsc_offset);
	l->vm_offset = BPF_CORE_READ(kvm, arch.cur_tsc_offset);
	l->write = BPF_CORE_READ(kvm, arch.cur_tsc_write);
	l->last_write = l->write;
	if (bpf_core_field_exists(kvm->arch.last_tsc_write))
		l->last_write = BPF_CORE_READ(kvm, arch.last_tsc_write);
	l->generation = BPF_CORE_READ(kvm, arch.cur_tsc_generation);
	l->generation_ns = BPF_CORE_READ(kvm, arch.cur_tsc_nsec);
	l->joined = BPF_CORE_READ(vcpu, arch.this_tsc_generation) == l->generation;
	l->since = BPF_CORE_READ(vcpu, arch.last_guest_tsc) > 1;
	/* As kvm_track_tsc_matching() does; where it keeps the result the count may mean another thing. */
	if (bpf_core_field_exists(kvm->arch.all_vcpus_matched_tsc))
		l->complete = BPF_CORE_READ(kvm, arch.all_vcpus_matched_tsc);
	else
		l->complete = BPF_CORE_READ(kvm, arch.nr_vcpus_matched_tsc) + 1 ==
			      BPF_CORE_READ(kvm, online_vcpus.counter);
}

static __always_inline __u64 vmm_start(struct task_struct *task)
{
	return BPF_CORE_READ(task, group_leader, start_boottime);
}

static __always_inline void settle(struct gate_vm *vm, const struct look *l)
{
	vm->settled_ns = l->generation_ns;
	vm->settled = l->generation;
}

static __always_inline bool is_settled(const struct gate_vm *vm, const struct look *l)
{
	return vm->settled == l->generation && vm->settled_ns == l->generation_ns;
}

static __always_inline struct gate_vm *vm_add(const struct look *l, bool settled)
{
	struct gate_vm new = {.epoch = epoch};

	if (settled)
		settle(&new, l);
	if (!bpf_map_update_elem(&vms, &l->kvm, &new, BPF_NOEXIST))
		__sync_fetch_and_add(&known_vms, 1);
	return bpf_map_lookup_elem(&vms, &l->kvm);
}

static __always_inline void tell(enum gate_event_kind kind, const struct gate_vm *vm,
				 const struct look *l)
{
	struct gate_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	__u64 id = bpf_get_current_pid_tgid();

	if (!e) {
		__sync_fetch_and_add(&lost_events, 1);
		return;
	}
	e->kind = kind;
	e->tgid = id >> 32;
	e->tid = id;
	e->vcpu = l->vcpu;
	e->kvm = l->kvm;
	e->start_ns = vmm_start(bpf_get_current_task_btf());
	e->held_ns = vm->held_ns;
	e->offset = l->offset;
	e->write = l->write;
	e->ask = ask && vm->wanted == GATE_WANTED_UNKNOWN;
	e->catchup = l->catchup;
	bpf_ringbuf_submit(e, 0);
}

/* Has this vCPU run although its TSC was written and nothing decided? Before the gate was put up; or
 * the kernel did not run the gate, see GATE_COPIES. */
static __always_inline bool has_slipped(const struct look *l)
{
	return l->joined && l->since && l->write <= 1 && l->last_write <= 1 && l->offset != target;
}

static __always_inline int deny(struct gate_vm *vm, const struct look *l)
{
	struct gate_thread_key key = {.kvm = l->kvm, .vcpu = l->vcpu};
	__u32 tid = bpf_get_current_pid_tgid();
	__u32 *known = bpf_map_lookup_elem(&threads, &key);

	if (!known || *known != tid)
		bpf_map_update_elem(&threads, &key, &tid, BPF_ANY);
	__sync_fetch_and_add(&vm->denied, 1);
	return -EINTR;
}

/* A VM that is held. Events are repeated, so a lost one only costs RETELL_NS. */
static __always_inline int held(struct gate_vm *vm, const struct look *l)
{
	__u64 now = bpf_ktime_get_ns(), told = vm->told_ns;

	if (now >= vm->until_ns) {
		/* What runs from here on, also when it is no longer what it was closed for. */
		settle(vm, l);
		vm->done = 0;
		if (__sync_val_compare_and_swap(&vm->state, GATE_CLOSED, GATE_OPEN) == GATE_CLOSED)
			tell(GATE_TIMEOUT, vm, l);
		return 0;
	}
	if (has_slipped(l))
		vm->slipped = 1;
	if (now - told > RETELL_NS && __sync_val_compare_and_swap(&vm->told_ns, told, now) == told)
		tell(GATE_HELD, vm, l);
	return deny(vm, l);
}

static __always_inline int hold(struct gate_vm *vm, const struct look *l)
{
	__u64 now = bpf_ktime_get_ns();

	if (__sync_val_compare_and_swap(&vm->state, GATE_OPEN, GATE_CLOSING) == GATE_OPEN) {
		vm->closing = l->generation;
		vm->closing_ns = l->generation_ns;
		vm->slipped = 0;
		vm->until_ns = now + deadline_ns;
		vm->told_ns = now;
		vm->held_ns = now;
		__sync_lock_test_and_set(&vm->state, GATE_CLOSED);
		tell(GATE_HELD, vm, l);
	}
	return deny(vm, l);
}

/* The entry may stem from a VM that has ended and whose struct kvm's memory is this VM's now. */
static __always_inline void check_owner(struct gate_vm *vm)
{
	__u64 start = vmm_start(bpf_get_current_task_btf());
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (vm->tgid == tgid && vm->start_ns == start)
		return;
	/* The owner last: whoever finds it right must find the rest so. */
	vm->wanted = GATE_WANTED_UNKNOWN;
	vm->left = 0;
	vm->done = 0;
	__sync_lock_test_and_set(&vm->state, GATE_OPEN);
	vm->start_ns = start;
	vm->tgid = tgid;
}

static __always_inline int probe_own(struct file *file)
{
	struct look l;

	look_at(file->private_data, &l);
	probe.fops = (__u64)file->f_op;
	probe.offset = l.offset;
	probe.generation = l.generation;
	probe.write = l.write;
	probe.vcpu = l.vcpu;
	probe.seen = 1;
	return -EINTR;
}

/* Not a reset when some vCPUs go on with their old TSC: a vCPU was plugged, say. But the others may
 * be about to follow, so wait a moment before this generation is left alone. */
static __always_inline int join(struct gate_vm *vm, const struct look *l)
{
	__u64 now = bpf_ktime_get_ns();

	if (vm->joining_ns != l->generation_ns) {
		vm->joining_ns = l->generation_ns;
		vm->until_ns = now + JOIN_NS;
	}
	if (now < vm->until_ns)
		return -EINTR;
	settle(vm, l);
	tell(GATE_PARTIAL, vm, l);
	return 0;
}

/* The generation has not been decided on, and the offset is not the target. */
static __always_inline int judge(struct gate_vm *vm, const struct look *l)
{
	check_owner(vm);
	/* When only this vCPU differs from its generation, the guest wrote its TSC itself, or the
	 * host was suspended. The observer has reported it. */
	if (vm->wanted == GATE_WANTED_NO || l->vm_offset == target) {
		settle(vm, l);
		vm->done = 0;
		return 0;
	}
	/* A saved TSC within a second of what the new VM's is by itself begins no generation, and is
	 * not used either: but the guest ran before (kvm_synchronize_tsc()). */
	if (l->write > 1 || l->last_write > 1) {
		settle(vm, l);
		vm->done = 0;
		if (!vm->left)
			tell(GATE_RESTORED, vm, l);
		return 0;
	}
	/* What was zeroed before stays so: only vCPUs whose TSC was written since can differ. */
	if (!l->joined && l->ran && l->offset != target)
		vm->done = 0;
	if (!vm->done && !l->joined)
		return 0;
	if (mode != GATE_DRAIN && has_slipped(l)) {
		settle(vm, l);
		vm->done = 0;
		tell(GATE_SLIPPED, vm, l);
		return 0;
	}
	if (!vm->done && !l->complete)
		return join(vm, l);
	return mode == GATE_DRAIN ? 0 : hold(vm, l);
}

/* The short way: the VM was let run in the generation that it still is in. */
static __always_inline bool has_passed(struct kvm_vcpu *vcpu)
{
	struct kvm *kvm = BPF_CORE_READ(vcpu, kvm);
	struct gate_vm *vm = bpf_map_lookup_elem(&vms, &kvm);

	return vm && vm->state == GATE_OPEN &&
	       vm->passed == BPF_CORE_READ(kvm, arch.cur_tsc_generation) &&
	       vm->passed_ns == BPF_CORE_READ(kvm, arch.cur_tsc_nsec);
}

static __always_inline int kvm_run(struct file *file, bool first)
{
	struct gate_vm *vm;
	struct look l;

	if (!first && has_passed(file->private_data))
		return 0;
	look_at(file->private_data, &l);
	vm = bpf_map_lookup_elem(&vms, &l.kvm);
	/* Not learnt, yet this vCPU has run: it must be old (its entry found no room). */
	if (!vm)
		vm = vm_add(&l, mode == GATE_LEARN || l.ran);
	if (!vm) {
		__sync_fetch_and_add(&unknown_vms, 1);
		return 0;
	}
	if (mode == GATE_LEARN) {
		settle(vm, &l);
		return 0;
	}
	if (vm->state != GATE_OPEN) {
		check_owner(vm);
		if (vm->state == GATE_CLOSED)
			return held(vm, &l);
	}
	if ((l.offset != target || l.vm_offset != target) && !is_settled(vm, &l))
		return judge(vm, &l);
	if (vm->passed != l.generation || vm->passed_ns != l.generation_ns) {
		vm->passed_ns = l.generation_ns;
		vm->passed = l.generation;
	}
	return 0;
}

static __always_inline int gate_ioctl(struct file *file, unsigned int cmd, int ret, bool first)
{
	if (cmd != KVM_RUN || ret)
		return ret;
	if (bpf_get_current_pid_tgid() >> 32 == self_tgid)
		return probe_own(file);
	if ((__u64)file->f_op != kvm_vcpu_fops)
		return ret;
	return kvm_run(file, first);
}

/* The kernel skips a program that is being run on the same CPU already (prog->active, kernel/bpf/
 * trampoline.c): by a thread that was preempted in it, and then for as long as that one does not
 * get on. Threads that are held spin, so that is frequent where the kernel can be preempted. Each
 * copy is a program of its own: KVM_RUN slips through only past GATE_COPIES such threads. */
#define GATE(n)                                                                                \
	SEC("fmod_ret/security_file_ioctl")                                                    \
	int BPF_PROG(gate##n, struct file *file, unsigned int cmd, unsigned long arg, int ret) \
	{                                                                                      \
		return gate_ioctl(file, cmd, ret, n == 1);                                     \
	}
GATE(1)
GATE(2)
GATE(3)
GATE(4)
GATE(5)
GATE(6)
GATE(7)
GATE(8)

/* Visits all open vCPU files. Learning: VMs that have run are settled. Later: marks the entries
 * whose VM still exists. */
SEC("iter/task_file")
int learn(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct gate_vm *vm;
	struct look l;

	if (!file || (__u64)file->f_op != kvm_vcpu_fops)
		return 0;
	look_at(file->private_data, &l);
	vm = bpf_map_lookup_elem(&vms, &l.kvm);
	if (vm)
		vm->epoch = epoch;
	else if (mode == GATE_LEARN && l.ran)
		vm_add(&l, true);
	return 0;
}

/* Visits the vCPU files of a process whose threads stand still. */
SEC("iter/task_file")
int check(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct gate_vm *vm;
	struct look l;

	if (!file || (__u64)file->f_op != kvm_vcpu_fops)
		return 0;
	look_at(file->private_data, &l);
	vm = bpf_map_lookup_elem(&vms, &l.kvm);
	if (vm && vm->state == GATE_CLOSED && has_slipped(&l))
		vm->slipped = 1;
	return 0;
}

/* User space's decision on a held VM. Run by BPF_PROG_TEST_RUN, so that entries are changed only
 * in place and only by programs. Returns 1 when this holding was still on. */
SEC("syscall")
int decide(struct gate_decision *d)
{
	__u64 kvm = d->kvm;
	struct gate_vm *vm = bpf_map_lookup_elem(&vms, &kvm);

	if (!vm || vm->held_ns != d->held_ns || vm->state != GATE_CLOSED)
		return 0;
	if (d->op == GATE_CLAIM) {
		vm->until_ns = bpf_ktime_get_ns() + d->extend_ns;
		return vm->state == GATE_CLOSED;
	}
	vm->wanted = d->op == GATE_IGNORE ? GATE_WANTED_NO : GATE_WANTED_YES;
	vm->left = d->op == GATE_LEAVE;
	vm->done = d->op == GATE_DONE;
	if (d->op == GATE_LEAVE) {
		vm->settled_ns = vm->closing_ns;
		vm->settled = vm->closing;
	}
	return __sync_val_compare_and_swap(&vm->state, GATE_CLOSED, GATE_OPEN) == GATE_CLOSED;
}

SEC("raw_tp/kvm_write_tsc_offset")
int BPF_PROG(observe, unsigned int vcpu, __u64 previous, __u64 next)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);
	__u64 id = bpf_get_current_pid_tgid();
	struct gate_write *w;
	long n;

	if (id >> 32 == self_tgid)
		return 0;
	w = bpf_ringbuf_reserve(&writes, sizeof(*w), 0);
	if (!w) {
		__sync_fetch_and_add(&lost_writes, 1);
		return 0;
	}
	w->time_ns = bpf_ktime_get_ns();
	w->start_ns = vmm_start(task);
	w->previous = previous;
	w->next = next;
	w->tgid = id >> 32;
	w->tid = id;
	w->vcpu = vcpu;
	w->ioctl = BPF_CORE_READ(regs, orig_ax) == NR_IOCTL ? BPF_CORE_READ(regs, si) : 0;
	w->pad = 0;
	n = bpf_get_stack(ctx, w->stack, sizeof(w->stack), 0);
	w->n_stack = n < 0 ? n : n >> 3 /* u64s; BPF has no signed division */;
	bpf_ringbuf_submit(w, 0);
	return 0;
}
