// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs looked at, and a VMM followed until its first vCPU. */
#include "../unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "live.h"
#include "tinyvm.h"
#include "vm/facts.h"
#include "vm/launch.h"
#include "vm/proc.h"
#include "vm/shim/shim.h"

static char dir[] = "/tmp/onetsc-launch-XXXXXX";

static const char *put_file(const char *name, const char *text, mode_t mode)
{
	static char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY, 0700);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

static int plan_of(const char *file, struct launch_plan *p)
{
	struct inject_why why = {0};
	int r = launch_plan_make(file, p, &why);

	assert_true(!r == !why.text[0]);
	return r;
}

static void plans(void **state)
{
	_cleanup_(launch_plan_free) struct launch_plan a = {0}, b = {0}, c = {0}, none = {0};
	char path[128];

	assert_int_equal(plan_of("sh", &a), 0);
	assert_int_equal(a.way, LAUNCH_SHIM);
	assert_false(a.script);
	assert_int_equal(a.path[0], '/');
	assert_int_equal(plan_of(getenv("ONETSC_TINYVM_STATIC"), &b), 0);
	assert_int_equal(b.way, LAUNCH_TRACE);
	assert_int_equal(plan_of(put_file("script", "#! /bin/sh -e\nexec qemu\n", 0755), &c), 0);
	assert_int_equal(c.way, LAUNCH_SHIM);
	assert_true(c.script);
	snprintf(path, sizeof(path), "#!%s\n", getenv("ONETSC_TINYVM_STATIC"));
	assert_int_equal(plan_of(put_file("static", path, 0755), &none), -EOPNOTSUPP);
	snprintf(path, sizeof(path), "#!%s/loop\n", dir);
	assert_int_equal(plan_of(put_file("loop", path, 0755), &none), -EOPNOTSUPP);
	assert_int_equal(plan_of(put_file("text", "hello", 0755), &none), -EOPNOTSUPP);
	assert_int_equal(plan_of(put_file("short", "\177ELF", 0755), &none), -EOPNOTSUPP);
	assert_int_equal(plan_of(put_file("mode", "#!/bin/sh\n", 0644), &none), -EACCES);
	assert_int_equal(plan_of("/nonexistent/x", &none), -ENOENT);
	assert_int_equal(plan_of("no-such-program", &none), -ENOENT);
	if (!geteuid()) {
		char command[256];

		snprintf(command, sizeof(command),
			 "cp %s %s/suid; chown 65534 %s/suid; chmod 4755 %s/suid",
			 getenv("ONETSC_TINYVM"), dir, dir, dir);
		assert_int_equal(system(command), 0);
		snprintf(path, sizeof(path), "%s/suid", dir);
		assert_int_equal(plan_of(path, &none), -EPERM);
	}
}

struct tiny {
	int fd;
	uint8_t *mem;
	struct tinyvm_vcpu *vcpu;
	char fd_text[16];
};

static struct tiny tiny_new(void)
{
	struct tiny t = {.fd = memfd_create("tinyvm", 0)};

	assert_int_equal(ftruncate(t.fd, TINYVM_BYTES), 0);
	t.mem = mmap(NULL, TINYVM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, t.fd, 0);
	assert_ptr_not_equal(t.mem, MAP_FAILED);
	t.vcpu = (struct tinyvm_vcpu *)(t.mem + TINYVM_COUNTERS);
	snprintf(t.fd_text, sizeof(t.fd_text), "%d", t.fd);
	return t;
}

static void tiny_free(struct tiny *t)
{
	close(t->fd);
	munmap(t->mem, TINYVM_BYTES);
}

static bool has_kvm(void)
{
	struct kvm_probe probe;

	if (!facts_kvm(&probe))
		return true;
	print_message("# /dev/kvm cannot be used: not tried\n");
	return false;
}

/* Runs the static VMM under the tracer; its exit status, as from waitpid. */
static int trace(const char *modes, struct launch_traced *traced, struct inject_why *why,
		 struct tiny *t)
{
	_cleanup_(launch_plan_free) struct launch_plan plan = {0};
	char *argv[] = {(char *)"tinyvm", t->fd_text, (char *)modes, NULL};
	struct live_journal lj;
	int status;

	live_journal_open(&lj);
	assert_int_equal(plan_of(getenv("ONETSC_TINYVM_STATIC"), &plan), 0);
	assert_int_equal(launch_trace(&plan, argv, 0, lj.j, why, traced), 0);
	live_journal_close(&lj);
	if (traced->ended)
		return traced->status;
	assert_int_equal(waitpid(traced->pid, &status, 0), traced->pid);
	return status;
}

static void follows(void **state)
{
	struct launch_traced traced;
	struct inject_why why = {0};
	int status;

	if (!has_kvm())
		return;
	for (int i = 0; i < 5; i++) {
		struct tiny t = tiny_new();

		status = trace("shx42", &traced, &why, &t);
		assert_string_equal(why.text, "");
		assert_true(traced.zeroed);
		assert_false(traced.ended);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 42);
		assert_true(t.vcpu[0].steps >= 1000);
		assert_int_equal(t.vcpu[0].bad_exit, 0);
		tiny_free(&t);
	}
}

/* While it runs: nobody traces it, its code is whole. */
static void lets_go(void **state)
{
	_cleanup_(launch_plan_free) struct launch_plan plan = {0};
	struct launch_traced traced;
	struct inject_why why = {0};
	struct victim_page page = {0};
	struct tiny t = tiny_new();
	char *argv[] = {(char *)"tinyvm", t.fd_text, (char *)"sh", NULL};
	struct pids tids = {0};
	struct live_journal lj;

	if (!has_kvm())
		return;
	live_journal_open(&lj);
	assert_int_equal(plan_of(getenv("ONETSC_TINYVM_STATIC"), &plan), 0);
	assert_int_equal(launch_trace(&plan, argv, 0, lj.j, &why, &traced), 0);
	live_journal_close(&lj);
	while (!t.vcpu[0].ready || t.vcpu[1].steps < 100)
		usleep(1000);
	page.pid = traced.pid;
	assert_true(victim_text_is_original(&page));
	assert_int_equal(proc_threads(NULL, traced.pid, &tids), 0);
	assert_true(tids.n >= 3);
	for (size_t i = 0; i < tids.n; i++)
		assert_int_equal(proc_status_number(NULL, tids.v[i], "TracerPid"), 0);
	array_free(&tids);
	kill(traced.pid, SIGKILL);
	waitpid(traced.pid, NULL, 0);
	tiny_free(&t);
}

/* It ends before it makes a vCPU; it goes into the background first; it dies of a signal. */
static void other_endings(void **state)
{
	struct launch_traced traced;
	struct inject_why why = {0};
	struct tiny t = tiny_new();
	int status;

	if (!has_kvm())
		return;
	status = trace("x7", &traced, &why, &t);
	assert_true(traced.ended);
	assert_false(traced.zeroed);
	assert_int_equal(WEXITSTATUS(status), 7);
	status = trace("k", &traced, &why, &t);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
	tiny_free(&t);
	t = tiny_new();
	status = trace("&sx3", &traced, &why, &t);
	assert_int_equal(WEXITSTATUS(status), 5);
	assert_true(traced.zeroed);
	for (int i = 0; i < 60000 && t.vcpu[0].steps < 1000; i++)
		usleep(1000);
	assert_true(t.vcpu[0].steps >= 1000);
	tiny_free(&t);
}

static void cannot_start(void **state)
{
	struct launch_plan plan = {.path = dir, .way = LAUNCH_TRACE};
	char *argv[] = {dir, NULL};
	struct launch_traced traced;
	struct inject_why why = {0};

	assert_int_equal(launch_trace(&plan, argv, 0, NULL, &why, &traced), -EACCES);
	assert_non_null(strstr(why.text, "Permission denied"));
}

/* The real shim in a real VMM: it works, says so, and is gone from the environment. */
static void preloads(void **state)
{
	struct tiny t = tiny_new();
	char preload[512], conf[512], said[256] = "", *shim = getenv("ONETSC_TEST_SHIM");
	int out[2], status;
	pid_t pid;

	if (!has_kvm())
		return;
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", shim);
	snprintf(conf, sizeof(conf), SHIM_ENV "=- 0 %s", shim);
	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (!pid) {
		char *env[] = {preload, conf, NULL};

		dup2(out[1], STDERR_FILENO);
		execle(getenv("ONETSC_TINYVM"), "tinyvm", t.fd_text, "shx9", NULL, env);
		_exit(127);
	}
	close(out[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 9);
	assert_true(read(out[0], said, sizeof(said) - 1) > 0);
	assert_string_equal(said, "onetsc: the VM starts with TSC offset 0\n");
	assert_int_equal(t.vcpu[0].preloaded, 0);
	assert_int_equal(t.vcpu[0].bad_exit, 0);
	close(out[0]);
	tiny_free(&t);
}

static int set_up(void **state)
{
	return mkdtemp(dir) ? 0 : 1;
}

static int tear_down(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans),	cmocka_unit_test(follows),
		cmocka_unit_test(lets_go),	cmocka_unit_test(other_endings),
		cmocka_unit_test(cannot_start), cmocka_unit_test(preloads),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
