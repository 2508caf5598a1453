// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/look.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vm/bpfiter.h"

#include "look.skel.h"

struct own_vm {
	int kvm, vm, vcpu;
};

static void own_vm_free(struct own_vm *o)
{
	cleanup_fd(&o->vcpu);
	cleanup_fd(&o->vm);
	cleanup_fd(&o->kvm);
}

/* A vCPU of ours shows the program what such a file looks like. */
static int own_vm_make(struct own_vm *o)
{
	o->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (o->kvm < 0)
		return errno == ENODEV || errno == ENXIO ? -ENOENT : -errno;
	o->vm = ioctl(o->kvm, KVM_CREATE_VM, 0);
	o->vcpu = o->vm < 0 ? -1 : ioctl(o->vm, KVM_CREATE_VCPU, 0);
	return o->vcpu < 0 ? -errno : 0;
}

static int take(void *ctx, const void *bytes, size_t n)
{
	struct looks *l = ctx;

	for (size_t at = 0; at + sizeof(struct look_vcpu) <= n; at += sizeof(struct look_vcpu)) {
		struct look_vcpu *v = array_add(l);

		if (!v)
			return -ENOMEM;
		memcpy(v, (const char *)bytes + at, sizeof(*v));
	}
	return 0;
}

static int run(struct look_bpf *bpf, const struct own_vm *own, struct looks *ret)
{
	int r;

	bpf->rodata->self_tgid = (unsigned)getpid();
	bpf->rodata->self_fd = (unsigned)own->vcpu;
	r = look_bpf__load(bpf);
	if (!r)
		r = bpfiter_run(bpf->progs.look, getpid(), NULL, NULL);
	if (!r && !bpf->bss->kvm_vcpu_fops)
		r = -ENXIO;
	return r ? r : bpfiter_run(bpf->progs.look, 0, take, ret);
}

int look_read(struct looks *ret)
{
	_cleanup_(own_vm_free) struct own_vm own = {-1, -1, -1};
	struct look_bpf *bpf;
	int r = own_vm_make(&own);

	if (r)
		return r;
	bpfiter_log_debug();
	bpf = look_bpf__open();
	if (!bpf)
		return -errno;
	r = run(bpf, &own, ret);
	look_bpf__destroy(bpf);
	return r == -EACCES ? -EPERM : r;
}

const struct look_vcpu *look_find(const struct looks *l, pid_t pid, int fd)
{
	array_for_each(v, l)
		if ((pid_t)v->tgid == pid && (int)v->fd == fd)
			return v;
	return NULL;
}
