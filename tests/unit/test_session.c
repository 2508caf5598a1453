// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "session/session.h"
#include "session/session_json.h"

#define HEAD "{\"format\":\"onetsc-session\",\"version\":1,\"complete\":true,"
#define HOST "{\"name\":\"host\",\"is_guest\":false}"
#define VCPU(rest) \
	HEAD "\"machines\":[" HOST ",{\"name\":\"vm\",\"is_guest\":true,\"vcpus\":[{" rest "}]}]}"

/* Result of reading text; the reason is left in why. */
static int try_text(const char *text, struct session_why *why)
{
	_cleanup_session_ struct session s = {0};
	int r;

	*why = (struct session_why){0};
	r = session_from_json(text, strlen(text), &s, why);
	if (r) /* untouched on failure, and said why */
		assert_true(!s.machines.n && !s.tool && why->text[0]);
	return r;
}

static void assert_refused(const char *text, const char *reason)
{
	struct session_why why;

	assert_int_equal(try_text(text, &why), -EBADMSG);
	if (!strstr(why.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", why.text, reason);
}

static void sample_part(struct session_machine *m, const char *file, uint64_t begin)
{
	struct session_part *p = array_add(&m->parts);

	p->file = strdup(file);
	p->trace_id = begin;
	p->begin_tsc = begin;
	p->end_tsc = UINT64_MAX;
	*array_add(&p->cpus) = (struct session_cpu){4096, 1, 2};
	*array_add(&p->vcpus) = (struct session_place){9, 0};
	*array_add(&p->vcpus) = (struct session_place){0, -1};
}

static void sample(struct session *s)
{
	struct session_machine *m;

	s->tool = strdup("onetsc 0.1.0");
	s->command = strdup("record -- sh -c 'a\nb'");
	s->clocksource = strdup("tsc");
	s->tsc_khz = 2596000;
	s->mult = 827183935;
	s->shift = 31;
	s->begin_tsc = 1;
	s->end_tsc = UINT64_MAX;
	s->offsets_file = strdup("offsets.dat");
	m = array_add(&s->machines);
	m->name = strdup("host");
	m->file = strdup("host.dat");
	m->trace_id = UINT64_MAX;
	*array_add(&m->cpus) = (struct session_cpu){1ull << 40, UINT64_MAX, 3};
	*array_add(&m->cpus) = (struct session_cpu){0};
	m = array_add(&s->machines);
	m->name = strdup("v\xc3\xa9m\xff\"");
	m->is_guest = true;
	m->pid = 77;
	m->vmm = strdup("qemu");
	m->why_missing = strdup("no agent answered");
	m->file = strdup("guest-v.dat");
	sample_part(m, "guest-v+2.dat", 5);
	sample_part(m, "guest-v+3.dat", 5);
	*array_add(&m->vcpus) =
		(struct session_vcpu){0, 101, -1, true, false, INT64_MIN, 0, 1ull << 32, 32};
	*array_add(&m->vcpus) = (struct session_vcpu){9, 102, 1, true, true, -1, INT64_MAX, 1, 0};
	*array_add(&m->tids) = 101;
	*array_add(&m->tids) = INT32_MAX;
	*array_add(&s->pairs) = (struct session_pair){5, 0, INT64_MAX, 0, 1};
	*array_add(&s->pairs) = (struct session_pair){UINT64_MAX, 7, 1, 2, 3};
}

static void round_trip(void **state)
{
	_cleanup_session_ struct session a = {0}, b = {0};
	char dir[] = "/tmp/test-session-XXXXXX", path[64], cmd[128];
	struct stat st;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.onetsc", dir);
	log_set_level(LOG_NONE);
	assert_int_equal(session_load(path, &b), -ENOENT);
	assert_int_equal(session_create_dir(path), 0);
	assert_int_equal(session_create_dir(path), -EEXIST);
	assert_int_equal(session_load(path, &b), -ENOENT);
	sample(&a);
	assert_int_equal(session_save(&a, path), 0);
	assert_int_equal(session_save(&a, path), 0);
	assert_int_equal(session_load(path, &b), 0);
	assert_string_equal(b.command, "record -- sh -c 'a?b'");
	assert_string_equal(b.clocksource, "tsc");
	assert_true(b.tsc_khz == 2596000 && b.mult == 827183935 && b.shift == 31 && !b.complete);
	assert_true(b.begin_tsc == 1 && b.end_tsc == UINT64_MAX);
	assert_int_equal(b.machines.n, 2);
	assert_true(b.machines.v[0].trace_id == UINT64_MAX && !b.machines.v[0].is_guest);
	assert_int_equal(b.machines.v[0].cpus.n, 2);
	assert_memory_equal(b.machines.v[0].cpus.v, a.machines.v[0].cpus.v,
			    2 * sizeof(struct session_cpu));
	assert_string_equal(b.machines.v[1].name, "v\xc3\xa9m\xef\xbf\xbd\"");
	assert_string_equal(b.machines.v[1].file, "guest-v.dat");
	assert_int_equal(b.machines.v[1].parts.n, 2);
	for (int i = 0; i < 2; i++) {
		const struct session_part *x = &a.machines.v[1].parts.v[i],
					  *y = &b.machines.v[1].parts.v[i];

		assert_string_equal(x->file, y->file);
		assert_true(x->trace_id == y->trace_id && x->begin_tsc == y->begin_tsc);
		assert_true(x->end_tsc == y->end_tsc);
		assert_int_equal(y->cpus.n, 1);
		assert_memory_equal(y->cpus.v, x->cpus.v, sizeof(*y->cpus.v));
		assert_int_equal(y->vcpus.n, 2);
		assert_memory_equal(y->vcpus.v, x->vcpus.v, 2 * sizeof(*y->vcpus.v));
	}
	assert_string_equal(b.machines.v[1].why_missing, "no agent answered");
	assert_int_equal(b.machines.v[1].vcpus.n, 2);
	for (int i = 0; i < 2; i++) {
		const struct session_vcpu *x = &a.machines.v[1].vcpus.v[i],
					  *y = &b.machines.v[1].vcpus.v[i];

		assert_true(x->id == y->id && x->tid == y->tid && x->guest_cpu == y->guest_cpu);
		assert_true(x->has_start == y->has_start && x->has_end == y->has_end);
		assert_true(x->start_offset == y->start_offset && x->end_offset == y->end_offset);
		assert_true(x->ratio == y->ratio && x->frac == y->frac);
	}
	assert_int_equal(b.machines.v[1].tids.v[1], INT32_MAX);
	assert_int_equal(b.pairs.n, 2);
	assert_memory_equal(b.pairs.v, a.pairs.v, 2 * sizeof(struct session_pair));
	snprintf(cmd, sizeof(cmd), "%s/session.json", path);
	assert_int_equal(stat(cmd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	assert_int_equal(system(cmd), 0);
}

static void save_refuses_what_load_would(void **state)
{
	_cleanup_session_ struct session a = {0}, b = {0};
	char dir[] = "/tmp/test-session-XXXXXX";

	log_set_level(LOG_NONE);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(session_save(&a, dir), -EINVAL); /* no host */
	sample(&a);
	a.machines.v[0].file[0] = '/';
	assert_int_equal(session_save(&a, dir), -EINVAL);
	a.machines.v[0].file[0] = 'h';
	a.machines.v[1].vcpus.v[1].id = 0;
	assert_int_equal(session_save(&a, dir), -EINVAL);
	a.machines.v[1].vcpus.v[1].id = 1;
	/* a name of any length and content is cut, not refused */
	free(a.command);
	a.command = malloc(300001);
	memset(a.command, 0xe2, 300000);
	a.command[300000] = 0;
	assert_int_equal(rmdir(dir), 0); /* nothing was written */
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(session_save(&a, dir), 0);
	assert_int_equal(session_load(dir, &b), 0);
	assert_in_range(strlen(b.command), 60000, SESSION_STRING_MAX);
	chdir(dir);
	unlink("session.json");
	assert_int_equal(mkfifo("session.json", 0600), 0);
	assert_int_equal(session_load(dir, &b), -EINVAL); /* and does not wait */
	unlink("session.json");
	assert_int_equal(symlink("/etc/passwd", "session.json"), 0);
	assert_int_equal(session_load(dir, &b), -ELOOP);
	unlink("session.json");
	close(open("session.json", O_WRONLY | O_CREAT, 0600));
	assert_int_equal(truncate("session.json", 17 << 20), 0);
	assert_int_equal(session_load(dir, &b), -EFBIG);
	unlink("session.json");
	assert_int_equal(rmdir(dir), 0);
	chdir("/");
}

static void broken_json(void **state)
{
	struct session_why why;

	assert_refused("", "not JSON");
	assert_refused("{\"format\":\"onetsc-session\"", "line 1 is not JSON");
	assert_refused("[]", "not the description");
	assert_refused("{\"format\":\"x\",\"version\":1}", "not the description");
	assert_refused("{\"format\":\"onetsc-session\",\"version\":0}", "not the description");
	assert_refused("{\"format\":\"onetsc-session\",\"version\":\"1\"}", "not the description");
	assert_refused(HEAD "\"complete\":true,\"machines\":[" HOST "]}", "not JSON"); /* twice */
	assert_int_equal(
		try_text("{\"format\":\"onetsc-session\",\"version\":2,\"machines\":7}", &why),
		-EPROTONOSUPPORT);
	assert_non_null(strstr(why.text, "version 2"));
	/* the least that is a session; members nobody knows are passed over */
	assert_int_equal(
		try_text(HEAD "\"later\":[{\"a\":1}],\"tool\":null,\"machines\":[" HOST "]}", &why),
		0);
}

static void wrong_types(void **state)
{
	assert_refused(HEAD "\"machines\":[]}", "machines is empty or missing");
	assert_refused(HEAD "\"machines\":{}}", "machines is not a list");
	assert_refused(HEAD "\"machines\":[7]}", "machines[0] is not an object");
	assert_refused(HEAD "\"machines\":[{\"name\":7,\"is_guest\":false}]}",
		       "machines[0].name is not a string");
	assert_refused(HEAD "\"machines\":[{\"is_guest\":false}]}", "machines[0].name is missing");
	assert_refused(HEAD "\"machines\":[{\"name\":\"x\",\"is_guest\":0}]}", "is_guest");
	assert_refused(HEAD "\"machines\":[{\"name\":\"x\",\"is_guest\":true}]}",
		       "first machine is the host");
	assert_refused(HEAD "\"machines\":[" HOST "," HOST "]}", "machines[1].is_guest");
	assert_refused(HEAD "\"machines\":[" HOST "],\"pairs\":[{\"tsc\":\"1\"}]}",
		       "pairs[0].width_ticks is missing");
	assert_refused(HEAD "\"machines\":[" HOST "],\"pairs\":{}}", "pairs is not a list");
	assert_refused(HEAD "\"shift\":33,\"machines\":[" HOST "]}", "shift");
	assert_refused(HEAD "\"shift\":-1,\"machines\":[" HOST "]}", "shift");
	assert_refused(HEAD "\"shift\":3.0,\"machines\":[" HOST "]}", "shift");
	assert_refused(HEAD "\"mult\":2147483648,\"machines\":[" HOST "]}", "mult");
	assert_refused(HEAD "\"end_tsc\":\"18446744073709551616\",\"machines\":[" HOST "]}",
		       "end_tsc");
	assert_refused(HEAD "\"tool\":\"a\\u001b[2J\",\"machines\":[" HOST "]}",
		       "tool is not a single line");
}

static void hostile_vcpus(void **state)
{
	static const char ok[] = "\"id\":1,\"guest_cpu\":-1,\"ratio\":\"1\",\"frac\":0";
	_cleanup_strbuf_ struct strbuf b = {0};
	struct session_why why;

	assert_int_equal(try_text(VCPU("\"id\":1,\"guest_cpu\":-1,\"ratio\":1,\"frac\":63"), &why),
			 0);
	assert_refused(VCPU("\"id\":1,\"guest_cpu\":-1,\"ratio\":0,\"frac\":0"),
		       "machines[1].vcpus[0].ratio");
	assert_refused(VCPU("\"id\":1,\"guest_cpu\":-1,\"ratio\":1,\"frac\":64"), "frac");
	assert_refused(VCPU("\"id\":1,\"guest_cpu\":4096,\"ratio\":1,\"frac\":1"), "guest_cpu");
	assert_refused(VCPU("\"id\":1,\"guest_cpu\":-2,\"ratio\":1,\"frac\":1"), "guest_cpu");
	assert_refused(VCPU("\"id\":-1,\"guest_cpu\":0,\"ratio\":1,\"frac\":1"), "id");
	assert_refused(VCPU("\"id\":4294967297,\"guest_cpu\":0,\"ratio\":1,\"frac\":1"), "id");
	strbuf_printf(&b,
		      HEAD "\"machines\":[" HOST ",{\"name\":\"vm\",\"is_guest\":true,"
			   "\"vcpus\":[{%s},{%s}]}]}",
		      ok, ok);
	assert_refused(b.s, "not sorted");
}

#define GUEST(rest) HEAD "\"machines\":[" HOST ",{\"name\":\"vm\",\"is_guest\":true" rest "}]}"

static void hostile_parts(void **state)
{
	struct session_why why;

	assert_int_equal(try_text(GUEST(",\"file\":\"a\",\"parts\":[{\"file\":\"b\"}]"), &why), 0);
	assert_refused(GUEST(",\"parts\":[{\"file\":\"b\"}]"), "machines[1].parts come after");
	assert_refused(GUEST(",\"file\":\"a\",\"parts\":[{}]"),
		       "machines[1].parts[0].file is missing");
	assert_refused(GUEST(",\"file\":\"a\",\"parts\":[{\"file\":\"../b\"}]"),
		       "parts[0].file is not a plain file name");
	assert_refused(GUEST(",\"file\":\"a\",\"parts\":[{\"file\":\"b\",\"begin_tsc\":2},"
			     "{\"file\":\"c\",\"begin_tsc\":1}]"),
		       "machines[1].parts[1] is earlier");
	assert_refused(GUEST(",\"file\":\"a\",\"parts\":[{\"file\":\"b\",\"vcpus\":[{\"id\":1,"
			     "\"guest_cpu\":5000}]}]"),
		       "machines[1].parts[0].vcpus[0].guest_cpu");
	assert_refused(GUEST(",\"file\":\"a\",\"parts\":7"), "machines[1].parts is not a list");
}

static void huge_counts(void **state)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	strbuf_puts(&b, HEAD "\"machines\":[{\"name\":\"h\",\"is_guest\":false,\"tids\":[1");
	for (int i = 0; i < SESSION_TIDS_MAX; i++)
		strbuf_puts(&b, ",1");
	strbuf_puts(&b, "]}]}");
	assert_refused(b.s, "machines[0].tids has more than 65536");
	strbuf_free(&b);
	for (int i = 0; i < 100000; i++)
		strbuf_puts(&b, "[");
	assert_refused(b.s, "not JSON");
	strbuf_free(&b);
	strbuf_puts(&b, HEAD "\"tool\":\"");
	for (int i = 0; i <= SESSION_STRING_MAX; i++)
		strbuf_puts(&b, "x");
	strbuf_puts(&b, "\",\"machines\":[" HOST "]}");
	assert_refused(b.s, "tool is too long");
}

static void file_names(void **state)
{
	static const char *const bad[] = {"",	 ".",		"..",	   ".hidden", "/etc/passwd",
					  "a/b", "../host.dat", "a\\u0007"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_strbuf_ struct strbuf b = {0};

		strbuf_printf(&b,
			      HEAD
			      "\"machines\":[{\"name\":\"h\",\"is_guest\":false,\"file\":\"%s\"}]}",
			      bad[i]);
		assert_refused(b.s, "machines[0].file is not a plain file name");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),	 cmocka_unit_test(save_refuses_what_load_would),
		cmocka_unit_test(broken_json),	 cmocka_unit_test(wrong_types),
		cmocka_unit_test(hostile_vcpus), cmocka_unit_test(huge_counts),
		cmocka_unit_test(file_names),	 cmocka_unit_test(hostile_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
