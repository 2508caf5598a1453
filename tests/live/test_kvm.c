// SPDX-License-Identifier: GPL-2.0-or-later
/* A VM of our own on the real /dev/kvm: found, stopped, asked, told, and none the worse. */
#include "../unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "live.h"
#include "tinyvm.h"
#include "vm/facts.h"
#include "vm/offset.h"
#include "vm/proc.h"
#include "vm/stopvm.h"

#define MAX_VMS 4

static struct vm_roots roots;
static bool has_debugfs;

struct tiny {
	pid_t pid;
	uint8_t *mem;
};

static struct tinyvm_vcpu *vcpu_of(const struct tiny *t, int vm, int vcpu)
{
	return (struct tinyvm_vcpu *)(t->mem + vm * TINYVM_BYTES + TINYVM_COUNTERS) + vcpu;
}

static void nap_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static bool steps_on(const struct tiny *t, int vm, int vcpu)
{
	uint32_t before = vcpu_of(t, vm, vcpu)->steps;

	for (int i = 0; i < 60000; i++) {
		if (vcpu_of(t, vm, vcpu)->steps - before > 100)
			return true;
		nap_ms(1);
	}
	return false;
}

static struct tiny tiny_start(const char *modes)
{
	char fd_text[16];
	int fd = memfd_create("tinyvm", 0), last = 0;
	struct tiny t;

	for (const char *p = modes; *p; p++)
		last += *p == '/';
	assert_int_equal(ftruncate(fd, MAX_VMS * TINYVM_BYTES), 0);
	t.mem = mmap(NULL, MAX_VMS * TINYVM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(t.mem, MAP_FAILED);
	snprintf(fd_text, sizeof(fd_text), "%d", fd);
	t.pid = fork();
	if (!t.pid) {
		execl(getenv("ONETSC_TINYVM"), "tinyvm", fd_text, modes, "-name", "guest=tiny,x=y",
		      NULL);
		_exit(127);
	}
	close(fd);
	for (int i = 0; i < 60000 && !vcpu_of(&t, last, 0)->ready; i++)
		nap_ms(1);
	assert_true(vcpu_of(&t, last, 0)->ready);
	return t;
}

static void tiny_end(struct tiny *t)
{
	for (int vm = 0; vm < MAX_VMS; vm++)
		for (int i = 0; i < 4; i++)
			assert_int_equal(vcpu_of(t, vm, i)->bad_exit, 0);
	kill(t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
	munmap(t->mem, MAX_VMS * TINYVM_BYTES);
}

/* Two VMs in one process; in the second a vCPU that never ran. */
static void finds(void **state)
{
	struct tiny t = tiny_start("sh/hn");
	_cleanup_vms_ struct vms vms = {0};
	const struct vm *a, *b;

	assert_true(steps_on(&t, 0, 0) && steps_on(&t, 0, 1) && steps_on(&t, 1, 0));
	assert_int_equal(vm_find_process(&roots, t.pid, &vms), 0);
	assert_int_equal(vms.n, 2);
	a = &vms.v[0];
	b = &vms.v[1];
	assert_string_equal(a->vmm->name, "unknown");
	assert_true(a->vm_fd < b->vm_fd);
	assert_int_equal(a->vcpus.n, 2);
	assert_int_equal(b->vcpus.n, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(a->vcpus.v[i].id, i);
		assert_true(a->vcpus.v[i].fd > a->vm_fd && a->vcpus.v[i].fd < b->vm_fd);
		assert_true(b->vcpus.v[i].fd > b->vm_fd);
	}
	if (has_debugfs) {
		assert_int_equal(a->vcpus.v[0].tid, vcpu_of(&t, 0, 0)->tid);
		assert_int_equal(a->vcpus.v[1].tid, vcpu_of(&t, 0, 1)->tid);
		assert_int_equal(b->vcpus.v[0].tid, vcpu_of(&t, 1, 0)->tid);
		assert_int_equal(b->vcpus.v[1].tid, 0);
		assert_int_equal(b->vcpus.v[1].has_run, 0);
		assert_int_equal(a->vcpus.v[0].has_run, 1);
		assert_true(a->vcpus.v[0].has_offset);
		assert_int_equal(a->creator_tid, t.pid);
	}
	tiny_end(&t);
}

struct job {
	struct vm *vm;
	struct journal *journal;
	struct inject_why why;
	bool kept; /* offsets stick on this machine */
	const struct vm_roots *roots;
};

#define CHECK(expr)                                                                   \
	do {                                                                          \
		if (!(expr)) {                                                        \
			print_message("# %s:%d: %s; %s\n", __func__, __LINE__, #expr, \
				      job->why.text);                                 \
			return -EBADE;                                                \
		}                                                                     \
	} while (0)

static int ask_and_tell(void *arg)
{
	struct job *job = arg;
	int64_t old[8], now[8], wanted[8] = {0};
	bool second[8] = {false, true}, masterclock;
	long result[8];
	struct stopvm *s;

	CHECK(!stopvm_open(job->roots, job->vm, job->journal, &job->why, &s));
	CHECK(s->vm.vcpus.n == 2);
	CHECK(!stopvm_get_offsets(s, old, result));
	CHECK(!result[0] && !result[1]);
	CHECK(!stopvm_set_offsets(s, NULL, wanted, result));
	CHECK(!result[0] && !result[1]);
	wanted[1] = 123456789012;
	CHECK(!stopvm_set_offsets(s, second, wanted, result));
	CHECK(!stopvm_get_offsets(s, now, result));
	CHECK(now[0] == 0);
	CHECK(now[1] == (job->kept ? wanted[1] : 0));
	CHECK(!stopvm_set_offsets(s, NULL, old, result));
	CHECK(!stopvm_get_offsets(s, now, result));
	CHECK(now[0] == old[0] && now[1] == old[1]);
	CHECK(!stopvm_renew_clock(s, &masterclock));
	CHECK(!stopvm_ioctl(s, KVM_GET_TSC_KHZ, result));
	CHECK(result[0] > 0 && result[0] == result[1]);
	CHECK(!stopvm_close(s));
	return 0;
}

static bool offsets_kept(void)
{
	struct kvm_probe probe;

	assert_int_equal(facts_kvm(&probe), 0);
	return probe.support == KVM_OFFSET_KEPT;
}

/* With what debugfs tells, and without. The halting vCPU runs on between two KVM_RUNs as well. */
static void asks_and_tells(void **state)
{
	const struct vm_roots no_debugfs = {.debugfs = "/nonexistent"};
	const char *const modes[] = {"sh", "hn", "ss", "nn"};
	struct live_journal lj;

	live_journal_open(&lj);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(modes); i++) {
		const char *m = modes[i / 2];
		const struct vm_roots *r = i & 1 ? &no_debugfs : &roots;
		struct tiny t = tiny_start(m);
		_cleanup_vm_ struct vm vm = {0};
		struct job job = {&vm, lj.j, {""}, offsets_kept(), r};

		assert_int_equal(vm_find_pid(r, t.pid, &vm), 0);
		/* A thread that is gone, or never was one of this process. */
		if (i & 2)
			vm.vcpus.v[1].tid = getpid();
		assert_int_equal(inject_run(ask_and_tell, &job), 0);
		for (int v = 0; v < 2; v++)
			if (m[v] != 'n')
				assert_true(steps_on(&t, 0, v));
		tiny_end(&t);
	}
	live_journal_close(&lj);
}

/* Through the front door: set where offsets stick, recognised where they do not. */
static void sets_all(void **state)
{
	struct tiny t = tiny_start("shs");
	_cleanup_vm_ struct vm vm = {0};
	struct offset_result result;
	struct live_journal lj;

	live_journal_open(&lj);
	assert_int_equal(vm_find_pid(&roots, t.pid, &vm), 0);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(offset_set_all(&roots, &vm, 0, lj.j, &result), 0);
		if (!offsets_kept()) {
			assert_int_equal(result.refusal, OFFSET_PROTECTED);
			continue;
		}
		print_message("# stopped for %.3f ms\n", (double)result.stopped_ns / 1e6);
		assert_int_equal(result.refusal, OFFSET_OK);
		assert_int_equal(result.vcpus, 3);
		assert_int_equal(vm_refresh(&roots, &vm), 0);
		for (int v = 0; v < 3 && has_debugfs; v++)
			assert_int_equal(vm.vcpus.v[v].offset, 0);
	}
	for (int v = 0; v < 3; v++)
		assert_true(steps_on(&t, 0, v));
	tiny_end(&t);
	assert_int_equal(offset_set_all(&roots, &vm, 0, lj.j, &result), 0);
	assert_true(result.refusal == OFFSET_GONE || !offsets_kept());
	live_journal_close(&lj);
}

/* A journal entry of a killed onetsc: a VM that is consistent is not changed. */
static void undoes(void **state)
{
	struct tiny t = tiny_start("sh");
	_cleanup_vm_ struct vm vm = {0};
	char text[256];

	setenv("XDG_RUNTIME_DIR", "/tmp", 1);
	log_set_level(LOG_WARN);
	assert_int_equal(vm_find_pid(NULL, t.pid, &vm), 0);
	snprintf(text, sizeof(text), "%d %llu %d 0 0:%d:77 1:%d:77", t.pid,
		 (unsigned long long)vm.start_ticks, vm.vm_fd, vm.vcpus.v[0].fd, vm.vcpus.v[1].fd);
	assert_int_equal(offset_undo(text), 0);
	snprintf(text, sizeof(text), "%d %llu %d 0 0:%d:77", t.pid,
		 (unsigned long long)vm.start_ticks + 1, vm.vm_fd, vm.vcpus.v[0].fd);
	assert_int_equal(offset_undo(text), 0); /* another process */
	assert_int_equal(offset_undo("12 x"), -EBADMSG);
	assert_int_equal(offset_undo("12 1 2 3 4:5"), -EBADMSG);
	assert_true(steps_on(&t, 0, 0) && steps_on(&t, 0, 1));
	tiny_end(&t);
}

struct offsets {
	struct job job;
	int64_t now[2];
	const int64_t *set; /* NULL: leave */
};

static int set_and_get(void *arg)
{
	struct offsets *o = arg;
	struct job *job = &o->job;
	struct stopvm *s;
	long result[2];

	CHECK(!stopvm_open(job->roots, job->vm, job->journal, &job->why, &s));
	CHECK(!o->set || !stopvm_set_offsets(s, NULL, o->set, result));
	CHECK(!stopvm_get_offsets(s, o->now, result));
	CHECK(!stopvm_close(s));
	return 0;
}

/* Killed between two vCPUs: the changed one gets its old offset back. Killed after the last one: the
 * change stands. Reset since: nothing is done. */
static void undoes_what_is_half_done(void **state)
{
	const int64_t old[2] = {-5000000000, -5000000000}, other[2] = {-77, -77};
	const int64_t half[2] = {0, -5000000000}, whole[2] = {0, 0};
	const struct {
		const int64_t *found, *wanted;
	} cases[] = {{half, old}, {whole, whole}, {other, other}, {old, old}};
	struct tiny t = tiny_start("sh");
	_cleanup_vm_ struct vm vm = {0};
	struct live_journal lj;
	struct offsets o = {{&vm, NULL, {""}, true, &roots}, {0}, NULL};
	char text[256];

	live_journal_open(&lj);
	o.job.journal = lj.j;
	assert_int_equal(vm_find_pid(&roots, t.pid, &vm), 0);
	snprintf(text, sizeof(text), "%d %llu %d 0 0:%d:%lld 1:%d:%lld", t.pid,
		 (unsigned long long)vm.start_ticks, vm.vm_fd, vm.vcpus.v[0].fd, (long long)old[0],
		 vm.vcpus.v[1].fd, (long long)old[1]);
	for (size_t i = 0; i < ARRAY_SIZE(cases) && offsets_kept(); i++) {
		o.set = cases[i].found;
		assert_int_equal(inject_run(set_and_get, &o), 0);
		assert_memory_equal(o.now, cases[i].found, sizeof(o.now));
		assert_int_equal(offset_undo(text), 0);
		o.set = NULL;
		assert_int_equal(inject_run(set_and_get, &o), 0);
		assert_memory_equal(o.now, cases[i].wanted, sizeof(o.now));
	}
	if (!offsets_kept())
		print_message("# offsets do not stick here: not tried\n");
	assert_true(steps_on(&t, 0, 0) && steps_on(&t, 0, 1));
	tiny_end(&t);
	live_journal_close(&lj);
}

/* Has the halting thread run the other vCPU, which never comes back by itself. */
static int call_without_end(void *arg)
{
	struct job *job = arg;
	struct inject_call run = {.fd = job->vm->vcpus.v[1].fd, .cmd = KVM_RUN};
	struct inject_thread *t;
	struct inject *inj;

	CHECK(!inject_open(job->vm->pid, 0, job->journal, 2000, &job->why, &inj));
	CHECK(!inject_stop(inj, job->vm->vcpus.v[0].tid, 2000, &t));
	CHECK(inject_ioctl(t, &run, 200) == -ETIMEDOUT);
	CHECK(strstr(job->why.text, "did not stop again in time"));
	CHECK(inject_close(inj) == -EIO);
	return 0;
}

static const struct journal_handler handlers[] = {
	{"inject-text", inject_undo_text}, {"offset", offset_undo}, {0}};

/* The thread is let go, finishes the blob when the call ends, and is itself again. */
static void a_call_that_hangs(void **state)
{
	struct tiny t = tiny_start("hn");
	_cleanup_vm_ struct vm vm = {0};
	struct victim_page page = {.pid = t.pid};
	struct live_journal lj;
	struct job job = {&vm};
	uint32_t before;

	live_journal_open(&lj);
	job.journal = lj.j;
	assert_true(steps_on(&t, 0, 0));
	assert_int_equal(vm_find_pid(&roots, t.pid, &vm), 0);
	vm.vcpus.v[0].tid = vcpu_of(&t, 0, 0)->tid;
	assert_int_equal(inject_run(call_without_end, &job), 0);
	assert_int_equal(journal_count(lj.j), 1);
	assert_true(steps_on(&t, 0, 1)); /* runs in the wrong thread */
	before = vcpu_of(&t, 0, 0)->steps;
	nap_ms(100);
	assert_int_equal(vcpu_of(&t, 0, 0)->steps, before);
	assert_false(victim_text_is_original(&page));
	log_set_level(LOG_WARN);
	assert_int_equal(journal_unwind(lj.j, handlers), 0); /* stopping it ends the call */
	log_set_level(LOG_WARN);
	assert_true(steps_on(&t, 0, 0));
	assert_true(victim_text_is_original(&page));
	tiny_end(&t);
	live_journal_close(&lj);
}

/* debugfs in a mount of our own, where the machine has none. */
static int set_up(void **state)
{
	static char dir[] = "/tmp/onetsc-debugfs-XXXXXX";

	has_debugfs = !vm_debugfs_state(NULL);
	if (has_debugfs || geteuid() || unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || !mkdtemp(dir))
		return 0;
	if (mount("debugfs", dir, "debugfs", 0, NULL)) {
		rmdir(dir);
		return 0;
	}
	roots.debugfs = dir;
	has_debugfs = !vm_debugfs_state(&roots);
	print_message("# debugfs: %s\n", has_debugfs ? "yes" : "no");
	return 0;
}

static int tear_down(void **state)
{
	if (roots.debugfs) {
		umount2(roots.debugfs, MNT_DETACH);
		rmdir(roots.debugfs);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(asks_and_tells),
		cmocka_unit_test(sets_all),
		cmocka_unit_test(undoes),
		cmocka_unit_test(undoes_what_is_half_done),
		cmocka_unit_test(a_call_that_hangs),
	};
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0) {
		puts("1..0 # SKIP /dev/kvm cannot be opened");
		return 77;
	}
	close(kvm);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
