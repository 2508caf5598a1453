// SPDX-License-Identifier: GPL-2.0-or-later
/* VMs found in made-up /proc and debugfs trees. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/log.h"
#include "vm/facts.h"
#include "vm/kinds.h"
#include "vm/proc.h"
#include "vm/vm.h"

static char top[64], proc[80], debugfs[80];
static struct vm_roots roots;

static void put_bytes(const char *path, const char *text, size_t n)
{
	char full[256], *slash;
	int fd;

	snprintf(full, sizeof(full), "%s/%s", top, path);
	for (slash = strchr(full + strlen(top) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(full, 0755);
		*slash = '/';
	}
	fd = open(full, O_CREAT | O_TRUNC | O_WRONLY, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	close(fd);
}

__attribute__((format(printf, 2, 3))) static void put(const char *path, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_bytes(path, text, strlen(text));
}

static void put_link(const char *path, const char *to)
{
	char full[256];

	snprintf(full, sizeof(full), "%s/%s", top, path);
	unlink(full);
	assert_int_equal(symlink(to, full), 0);
}

static void put_thread(int pid, int tid, const char *name, unsigned flags, int cpu,
		       const char *call)
{
	char path[128], stat[512];

	snprintf(
		stat, sizeof(stat),
		"%d (%s) S 1 %d %d 0 -1 %u 1 2 3 4 5 6 7 8 20 0 3 0 %d00 1 2 3 4 5 6 7 8 9 10 11 12 "
		"13 14 15 17 %d 0 0 0\n",
		tid, name, pid, pid, flags, pid, cpu);
	snprintf(path, sizeof(path), "proc/%d/task/%d/stat", pid, tid);
	put(path, "%s", stat);
	snprintf(path, sizeof(path), "proc/%d/stat", tid);
	put(path, "%s", stat);
	snprintf(path, sizeof(path), "proc/%d/status", tid);
	put(path, "Name:\t%s\nTgid:\t%d\nPid:\t%d\n", name, pid, tid);
	snprintf(path, sizeof(path), "proc/%d/task/%d/syscall", pid, tid);
	put(path, "%s\n", call);
}

static void put_process(int pid, const char *exe, const char *cmdline, size_t n)
{
	char path[128];

	put_thread(pid, pid, "a) (b", 0x400000, 0, "7 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8");
	snprintf(path, sizeof(path), "proc/%d/cmdline", pid);
	put_bytes(path, cmdline, n);
	snprintf(path, sizeof(path), "proc/%d/fd/0", pid);
	put(path, " ");
	snprintf(path, sizeof(path), "proc/%d/exe", pid);
	put_link(path, exe);
}

static void put_fd(int pid, int fd, const char *to)
{
	char path[128];

	snprintf(path, sizeof(path), "proc/%d/fd/%d", pid, fd);
	put_link(path, to);
}

static void put_debugfs(int tid, int fd, unsigned vcpu, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "debugfs/kvm/%d-%d/vcpu%u/%s", tid, fd, vcpu, file);
	put(path, "%s\n", text);
}

static int setup(void **state)
{
	snprintf(top, sizeof(top), "/tmp/onetsc-test-XXXXXX");
	if (!mkdtemp(top))
		return 1;
	snprintf(proc, sizeof(proc), "%s/proc", top);
	snprintf(debugfs, sizeof(debugfs), "%s/debugfs", top);
	roots = (struct vm_roots){.proc = proc, .debugfs = debugfs, .sys = "/sys"};
	return mkdir(proc, 0755);
}

static int teardown(void **state)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", top);
	return system(cmd);
}

#define ARGV(text) text, sizeof(text) - 1

static void put_qemu(void)
{
	put_process(100, "/usr/bin/qemu-system-x86_64 (deleted)",
		    ARGV("qemu\0-name\0guest=we,,b1,debug-threads=on\0-cpu\0host,"
			 "tsc-frequency=2500000000\0-device\0vhost-vsock-pci,guest-cid=42\0"));
	put_fd(100, 3, "/dev/kvm");
	put_fd(100, 9, "anon_inode:kvm-vm");
	put_fd(100, 11, "anon_inode:kvm-vcpu:0");
	put_fd(100, 12, "anon_inode:kvm-vcpu:4");
	put_fd(100, 13, "anon_inode:[eventfd]");
	put_thread(100, 101, "CPU 0/KVM", 0x400040, 3, "running");
	put_thread(100, 102, "CPU 1/KVM", 0x400040, 1,
		   "16 0xc 0xae80 0x0 0x0 0x0 0x0 0x7ffe 0x7f00");
	/* A kernel worker with the arguments of the thread that made it. */
	put_thread(100, 103, "kvm-nx-lpage-re", 0x404040, 1,
		   "16 0xb 0xae80 0x0 0x0 0x0 0x0 0x0 0x0");
}

static void qemu_with_debugfs(void **state)
{
	_cleanup_vms_ struct vms vms = {0};
	unsigned hidden = 7;
	const struct vm *vm;

	put_qemu();
	put_process(50, "/usr/bin/bash", ARGV("bash\0"));
	put_debugfs(100, 9, 0, "tsc-offset", "-123456789012345");
	put_debugfs(100, 9, 0, "tsc-scaling-ratio", "8589934592");
	put_debugfs(100, 9, 0, "tsc-scaling-ratio-frac-bits", "32");
	put_debugfs(100, 9, 0, "pid", "101");
	put_debugfs(100, 9, 4, "tsc-offset", "0");
	put_debugfs(100, 9, 4, "pid", "0");
	put_debugfs(77, 9, 0, "tsc-offset", "1"); /* somebody else's */
	assert_int_equal(vm_find_all(&roots, &vms, &hidden), 0);
	assert_int_equal(hidden, 0);
	assert_int_equal(vms.n, 1);
	vm = &vms.v[0];
	assert_int_equal(vm->pid, 100);
	assert_int_equal(vm->start_ticks, 10000);
	assert_int_equal(vm->vm_fd, 9);
	assert_int_equal(vm->creator_tid, 100);
	assert_string_equal(vm->vmm->name, "qemu");
	assert_string_equal(vm->name, "we,b1");
	assert_string_equal(vm->exe, "/usr/bin/qemu-system-x86_64");
	assert_int_equal(vm->vsock_cid, 42);
	assert_int_equal(vm->guest_khz, 2500000);
	assert_int_equal(vm->vcpus.n, 2);
	assert_int_equal(vm->vcpus.v[0].id, 0);
	assert_int_equal(vm->vcpus.v[0].fd, 11);
	assert_int_equal(vm->vcpus.v[0].tid, 101);
	assert_int_equal(vm->vcpus.v[0].has_run, 1);
	assert_int_equal(vm->vcpus.v[0].host_cpu, 3);
	assert_true(vm->vcpus.v[0].has_offset);
	assert_int_equal(vm->vcpus.v[0].offset, -123456789012345);
	assert_int_equal(vm->vcpus.v[0].ratio, 8589934592);
	assert_int_equal(vm->vcpus.v[0].frac, 32);
	assert_int_equal(vm->vcpus.v[1].id, 4);
	assert_int_equal(vm->vcpus.v[1].fd, 12);
	assert_int_equal(vm->vcpus.v[1].tid, 102); /* from KVM_RUN's argument */
	assert_int_equal(vm->vcpus.v[1].has_run, 1);
	assert_int_equal(vm->vcpus.v[1].ratio, 1);
	assert_int_equal(vm->vcpus.v[1].frac, 0);
	assert_int_equal(vm_debugfs_state(&roots), 0);
}

static void without_debugfs(void **state)
{
	_cleanup_vm_ struct vm vm = {0};

	put_qemu();
	assert_int_equal(vm_debugfs_state(&roots), -ENOENT);
	assert_int_equal(vm_find_pid(&roots, 100, &vm), 0);
	assert_int_equal(vm.vcpus.n, 2);
	assert_int_equal(vm.creator_tid, 0);
	assert_int_equal(vm.vcpus.v[0].tid, 0); /* "running": not known, and not the worker */
	assert_int_equal(vm.vcpus.v[0].has_run, -1);
	assert_int_equal(vm.vcpus.v[0].host_cpu, -1);
	assert_false(vm.vcpus.v[0].has_offset);
	assert_int_equal(vm.vcpus.v[1].tid, 102);
	assert_int_equal(vm_find_pid(&roots, 50, &vm), -ENOENT);
}

/* Created by another thread, descriptor moved since, files of a 5.10 kernel. */
static void created_by_a_thread(void **state)
{
	_cleanup_vm_ struct vm vm = {0};

	put_process(200, "/opt/cloud-hypervisor",
		    ARGV("cloud-hypervisor\0--vsock\0cid=5,socket=/x\0"));
	put_thread(200, 203, "vmm", 0, 0, "running");
	put_fd(200, 30, "anon_inode:kvm-vm");
	put_fd(200, 31, "anon_inode:kvm-vcpu:1");
	put_debugfs(203, 21, 1, "tsc-offset", "9223372036854775807");
	assert_int_equal(vm_find_pid(&roots, 200, &vm), 0);
	assert_string_equal(vm.vmm->name, "cloud-hypervisor");
	assert_string_equal(vm.name, "vm-200");
	assert_int_equal(vm.vsock_cid, 5);
	assert_int_equal(vm.creator_tid, 203);
	assert_int_equal(vm.vcpus.n, 1);
	assert_int_equal(vm.vcpus.v[0].offset, INT64_MAX);
	assert_int_equal(vm.vcpus.v[0].fd, 31);
}

static void put_odd(int pid, int tid)
{
	put_process(pid, "/opt/odd", ARGV("odd\0"));
	put_thread(pid, tid, "vcpu", 0, 0, "running");
	put_fd(pid, 4, "anon_inode:kvm-vm");
	put_fd(pid, 5, "anon_inode:kvm-vcpu:3");
	put_fd(pid, 6, "anon_inode:kvm-vcpu:7");
}

static void put_odd_dir(int creator, const char *offset, const char *pid7)
{
	for (unsigned id = 3; id <= 7; id += 4) {
		put_debugfs(creator, 4, id, "tsc-offset", offset);
		put_debugfs(creator, 4, id, "pid", id == 3 ? "0" : pid7);
	}
}

/* The threads that made these VMs have ended: no process has their ids. */
static void created_by_an_ended_thread(void **state)
{
	_cleanup_vm_ struct vm a = {0}, b = {0}, c = {0};

	put_odd(300, 301);
	put_odd(400, 401);
	put_odd_dir(398, "-40", "401");
	put_odd_dir(298, "-30", "301");
	assert_int_equal(vm_find_pid(&roots, 300, &a), 0);
	assert_int_equal(a.vcpus.n, 2);
	assert_int_equal(a.creator_tid, 298);
	assert_int_equal(a.vcpus.v[1].id, 7);
	assert_int_equal(a.vcpus.v[1].offset, -30);
	assert_int_equal(a.vcpus.v[1].tid, 301);
	assert_int_equal(vm_find_pid(&roots, 400, &b), 0);
	assert_int_equal(b.vcpus.v[0].offset, -40);
	/* One that has not run: by its vCPUs' ids. */
	put_odd(500, 501);
	put_odd_dir(498, "-50", "0");
	assert_int_equal(vm_find_pid(&roots, 500, &c), 0);
	assert_int_equal(c.vcpus.v[0].offset, -50);
	/* A second one like it: no guess. */
	vm_free(&c);
	put_odd(600, 601);
	put_odd_dir(598, "-60", "0");
	assert_int_equal(vm_find_pid(&roots, 500, &c), 0);
	assert_int_equal(c.creator_tid, 0);
	assert_int_equal(c.vcpus.n, 2);
	assert_false(c.vcpus.v[0].has_offset);
}

static void two_vms_in_one(void **state)
{
	_cleanup_vms_ struct vms vms = {0};
	const struct vm *found;

	put_process(300, "/usr/bin/lkvm", ARGV("lkvm\0run\0--name\0both\0"));
	put_fd(300, 5, "anon_inode:kvm-vm");
	put_fd(300, 6, "anon_inode:kvm-vcpu:0");
	put_fd(300, 7, "anon_inode:kvm-vcpu:1");
	put_fd(300, 8, "anon_inode:kvm-vm");
	put_fd(300, 9, "anon_inode:kvm-vcpu:0");
	put_debugfs(300, 5, 0, "tsc-offset", "50");
	put_debugfs(300, 5, 1, "tsc-offset", "51");
	put_debugfs(300, 8, 0, "tsc-offset", "80");
	assert_int_equal(vm_find_process(&roots, 300, &vms), 0);
	assert_int_equal(vms.n, 2);
	assert_int_equal(vms.v[0].vm_fd, 5);
	assert_int_equal(vms.v[0].vcpus.n, 2);
	assert_int_equal(vms.v[0].vcpus.v[1].offset, 51);
	assert_int_equal(vms.v[0].vcpus.v[1].fd, 7);
	assert_int_equal(vms.v[1].vm_fd, 8);
	assert_int_equal(vms.v[1].vcpus.n, 1);
	assert_int_equal(vms.v[1].vcpus.v[0].offset, 80);
	assert_int_equal(vms.v[1].vcpus.v[0].fd, 9);
	log_set_level(LOG_NONE);
	assert_int_equal(vm_select(&vms, "both", &found), -EEXIST);
	assert_int_equal(vm_select(&vms, "300", &found), -EEXIST);
	assert_int_equal(vm_select(&vms, "none", &found), -ENOENT);
	vms.v[1].pid = 301;
	assert_int_equal(vm_select(&vms, "301", &found), 0);
	assert_ptr_equal(found, &vms.v[1]);
}

static void refreshes(void **state)
{
	_cleanup_vm_ struct vm vm = {0};

	put_qemu();
	assert_int_equal(vm_find_pid(&roots, 100, &vm), 0);
	assert_true(vm_alive(&roots, &vm));
	put_debugfs(100, 9, 0, "tsc-offset", "5");
	put_debugfs(100, 9, 4, "tsc-offset", "6");
	put_debugfs(100, 9, 5, "tsc-offset", "7"); /* hot-plugged, its descriptor already closed */
	assert_int_equal(vm_refresh(&roots, &vm), 0);
	assert_int_equal(vm.vcpus.n, 3);
	assert_int_equal(vm.vcpus.v[2].offset, 7);
	assert_int_equal(vm.vcpus.v[2].fd, -1);
	assert_string_equal(vm.name, "we,b1");
	put_fd(100, 9, "/dev/null"); /* the VM is gone, the process lives */
	assert_int_equal(vm_refresh(&roots, &vm), -ENOENT);
	vm.start_ticks++;
	assert_false(vm_alive(&roots, &vm));
	assert_int_equal(vm_refresh(&roots, &vm), -ENOENT);
}

/* Numbers that do not fit, names that are no numbers: left out, not believed. */
static void broken_trees(void **state)
{
	_cleanup_vm_ struct vm vm = {0};

	put_qemu();
	put("debugfs/kvm/100-9x/vcpu0/tsc-offset", "1");
	put("debugfs/kvm/99999999999-9/vcpu0/tsc-offset", "1");
	put("debugfs/kvm/100-9/vcpu0x/tsc-offset", "1");
	put_debugfs(100, 9, 0, "tsc-offset", "99999999999999999999");
	put_debugfs(100, 9, 4, "tsc-offset", "5");
	put_debugfs(100, 9, 4, "tsc-scaling-ratio", "1");
	put_debugfs(100, 9, 4, "tsc-scaling-ratio-frac-bits", "64");
	put_debugfs(100, 9, 4, "pid", "99999");
	assert_int_equal(vm_find_pid(&roots, 100, &vm), 0);
	assert_int_equal(vm.vcpus.n, 2);
	assert_false(vm.vcpus.v[0].has_offset);
	assert_false(vm.vcpus.v[1].has_offset);
	put("proc/100/task/102/syscall", "16 0xc");
	put_bytes("proc/100/cmdline", "", 0);
	assert_int_equal(vm_refresh(&roots, &vm), 0);
	assert_int_equal(vm.vcpus.v[1].tid, 0);
	assert_int_equal(vm.vcpus.v[1].has_run, 1);
	vm_free(&vm);
	assert_int_equal(vm_find_pid(&roots, 100, &vm), 0);
	assert_string_equal(vm.name, "vm-100");
	put("proc/100/stat", "100 (x) S 1");
	assert_int_equal(vm_find_pid(&roots, 100, &vm), -EBADMSG);
}

static const char *name_of(const char *exe, char *const argv[])
{
	static char name[64];
	const struct vmm_kind *k = vmm_kind_find(exe);

	return k->vm_name && k->vm_name(argv, name, sizeof(name)) ? name : NULL;
}

#define ARGS(...) ((char *const[]){(char *)"x", __VA_ARGS__, NULL})
#define A(s)	  ((char *)(s))

static void kinds(void **state)
{
	const struct vmm_kind *q = vmm_kind_find("/usr/bin/qemu-system-x86_64");

	assert_string_equal(name_of("qemu-kvm", ARGS(A("-name"), A("a"))), "a");
	assert_string_equal(name_of("qemu-kvm", ARGS(A("--name"), A("a,process=p"))), "a");
	assert_string_equal(name_of("qemu-kvm", ARGS(A("-name"), A("process=p,guest=g"))), "g");
	assert_string_equal(name_of("qemu-kvm", ARGS(A("-name"), A("a"), A("-name"), A("b"))), "b");
	assert_null(name_of("qemu-kvm", ARGS(A("-name"), A("process=p"))));
	assert_string_equal(
		name_of("qemu-kvm", ARGS(A("-name"), A("a"), A("-name"), A("debug-threads=on"))),
		"a");
	assert_string_equal(name_of("qemu-kvm", ARGS(A("-name"), A("a"), A("-name"), A("guest="))),
			    "a");
	assert_null(name_of("qemu-kvm", ARGS(A("-name"), A("a,,b=c"))));
	assert_null(name_of("qemu-kvm", ARGS(A("-name"))));
	assert_null(name_of("qemu-kvm", ARGS(A("-names"), A("a"))));
	assert_null(name_of("qemu-kvm", (char *const[]){NULL}));
	assert_string_equal(name_of("firecracker", ARGS(A("--id"), A("vm1"))), "vm1");
	assert_string_equal(name_of("firecracker-v1.7", ARGS(A("--id=vm2"))), "vm2");
	assert_string_equal(name_of("crosvm", ARGS(A("run"), A("--name"), A("c"))), "c");
	assert_null(name_of("bash", ARGS(A("-name"), A("c"))));
	assert_string_equal(vmm_kind_find("bash")->name, "unknown");
	assert_string_equal(vmm_kind_find("")->name, "unknown");
	assert_int_equal(q->vsock_cid(ARGS(A("-device"), A("virtio"), A("-device"),
					   A("{\"driver\":\"vhost-vsock-pci\",\"guest-cid\":7}"))),
			 7);
	assert_int_equal(q->vsock_cid(ARGS(A("-device"), A("vhost-vsock-pci,guest-cid=x"))), -1);
	assert_int_equal(q->vsock_cid(ARGS(A("-device"))), -1);
	assert_int_equal(q->guest_khz(ARGS(A("-cpu"), A("host,xtsc-frequency=5"))), 0);
	assert_int_equal(q->guest_khz(ARGS(A("-cpu"), A("host,tsc-freq=3000000000,+x"))), 3000000);
	assert_int_equal(
		vmm_kind_find("crosvm")->vsock_cid(ARGS(A("run"), A("--vsock"), A("cid=9"))), 9);
	assert_int_equal(vmm_kind_find("lkvm")->vsock_cid(ARGS(A("run"), A("--vsock"), A("9"))), 9);
}

/* What this process itself looks like. */
static void real_proc(void **state)
{
	struct pids tids = {0};
	struct proc_stat s;
	uint64_t entry;

	assert_int_equal(proc_stat_read(NULL, getpid(), 0, &s), 0);
	assert_int_equal(s.state, 'R');
	assert_true(s.start_ticks > 0);
	assert_true(s.cpu >= 0 && s.cpu < sysconf(_SC_NPROCESSORS_CONF));
	assert_false(proc_is_kernel_worker(&s));
	assert_int_equal(proc_threads(NULL, getpid(), &tids), 0);
	assert_int_equal(tids.v[0], getpid());
	array_free(&tids);
	assert_int_equal(proc_entry_point(NULL, getpid(), &entry), 0);
	assert_true(entry > 4096);
	assert_int_equal(proc_status_number(NULL, getpid(), "Tgid"), getpid());
	assert_true(proc_status_number(NULL, getpid(), "Nothing") < 0);
	assert_int_equal(proc_stat_read(NULL, 1 << 30, 0, &s), -ESRCH);
}

static void preemption(void **state)
{
	struct utsname u;
	bool can;

	assert_int_equal(uname(&u), 0);
	can = strstr(u.version, "PREEMPT");
	assert_int_equal(facts_preemptible(&roots), can); /* unknown counts as yes */
	put("debugfs/sched/preempt", "none voluntary (full)\n");
	assert_int_equal(facts_preemptible(&roots), can);
	put("debugfs/sched/preempt", "full (lazy)\n");
	assert_int_equal(facts_preemptible(&roots), can);
	put("debugfs/sched/preempt", "none (voluntary) full\n");
	assert_false(facts_preemptible(&roots));
	put("debugfs/sched/preempt", "(none) voluntary full\n");
	assert_false(facts_preemptible(&roots));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(qemu_with_debugfs),   TEST(without_debugfs),
		TEST(created_by_a_thread), TEST(created_by_an_ended_thread),
		TEST(two_vms_in_one),	   TEST(refreshes),
		TEST(broken_trees),	   TEST(preemption),
		cmocka_unit_test(kinds),   cmocka_unit_test(real_proc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
