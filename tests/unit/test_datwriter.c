// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "session/dathead.h"
#include "session/datwriter.h"

#define PAGE 4096

/* What a kernel says about its pages and one event; "N" is the event's id. */
static const char header_page[] = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
				  "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
				  "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
				  "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;\n";
static const char header_event[] = "# compressed entry header\n"
				   "\ttype_len    :    5 bits\n"
				   "\ttime_delta  :   27 bits\n"
				   "\tarray       :   32 bits\n\n"
				   "\tpadding     : type == 29\n"
				   "\ttime_extend : type == 30\n"
				   "\ttime_stamp : type == 31\n"
				   "\tdata max type_len  == 28\n";
#define FORMAT(name, id)                                                               \
	"name: " name "\nID: " id "\nformat:\n"                                        \
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"         \
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"         \
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n" \
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"                   \
	"\tfield:unsigned int value;\toffset:8;\tsize:4;\tsigned:0;\n\n"               \
	"print fmt: \"value=%u\", REC->value\n"
static const char format_a[] = FORMAT("alpha", "300"), format_b[] = FORMAT("beta", "301"),
		  format_c[] = FORMAT("gamma", "302"), format_print[] = FORMAT("print", "5");
#define TEXT(t)                            \
	{                                  \
		.s = t, .n = sizeof(t) - 1 \
	}
static const struct dat_text ftrace[] = {TEXT(format_print)};
static const struct dat_text events[] = {
	{"one", format_a, sizeof(format_a) - 1},
	{"one", format_b, sizeof(format_b) - 1},
	{"two", format_c, sizeof(format_c) - 1},
};
static const struct dat_text cpustat[] = {TEXT("entries: 2\noverrun: 7\n"), TEXT("entries: 1\n")};

static struct dat_meta meta_of(uint64_t trace_id)
{
	return (struct dat_meta){
		.header_page = TEXT(header_page),
		.header_event = TEXT(header_event),
		.ftrace = ftrace,
		.n_ftrace = 1,
		.events = events,
		.n_events = 3,
		.kallsyms = TEXT("ffffffff81000000 T _text\n"),
		.cmdlines = TEXT("7 worker\n"),
		.cpus = 2,
		.page_bytes = PAGE,
		.clock = TEXT("local [x86-tsc] boot\n"),
		.uname = TEXT("Linux test 6.1.0 x86_64"),
		.cpustat = cpustat,
		.trace_id = trace_id,
		.mult = 1u << 30, /* 1 tick = 0.5 ns */
		.shift = 31,
	};
}

struct event {
	uint32_t delta;
	uint16_t id;
	uint32_t value;
};

/* One ring-buffer page as the kernel lays it out (struct buffer_data_page, rb_event). */
static void page_make(uint8_t *page, uint64_t ts, const struct event *e, size_t n)
{
	uint64_t commit = n * 16;

	memset(page, 0, PAGE);
	memcpy(page, &ts, 8);
	memcpy(page + 8, &commit, 8);
	for (size_t i = 0; i < n; i++) {
		uint32_t rec[4] = {3 | e[i].delta << 5, e[i].id, 7, e[i].value};

		memcpy(page + 16 + i * 16, rec, 16);
	}
}

struct fixture {
	char path[64];
	int dirfd;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->path, "/tmp/test-datwriter-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dirfd = open(f->path, O_RDONLY | O_DIRECTORY);
	assert_true(f->dirfd >= 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", f->path);
	assert_int_equal(system(cmd), 0);
	close(f->dirfd);
	free(f);
	return 0;
}

static bool exists(struct fixture *f, const char *name)
{
	return !faccessat(f->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW);
}

static unsigned count_files(struct fixture *f)
{
	DIR *d = opendir(f->path);
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* Host: alpha at 1000 and 3000 ns on CPU 0, beta at 2000 ns on CPU 1; ticks are half ns. */
static struct datwriter *record_host(struct fixture *f, const struct dat_meta *m)
{
	struct datwriter *w = NULL;
	uint8_t page[PAGE];

	assert_int_equal(datwriter_create(f->dirfd, "host.dat", m, &w), 0);
	page_make(page, 1998, (struct event[]){{2, 300, 1}, {4000, 300, 2}}, 2);
	assert_int_equal(fd_write_all(datwriter_cpu_fd(w, 0), page, PAGE), 0);
	page_make(page, 4000, (struct event[]){{0, 301, 3}}, 1);
	assert_int_equal(fd_write_all(datwriter_cpu_fd(w, 1), page, PAGE), 0);
	return w;
}

static uint64_t get(const char *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

static void layout(void **state)
{
	struct fixture *f = *state;
	struct dat_meta m = meta_of(0x1122334455667788);
	_cleanup_datwriter_ struct datwriter *w = record_host(f, &m);
	_cleanup_free_ char *buf = NULL;
	const char *table, *opts;
	size_t n = 0;

	/* a page cut short by a full disk does not shift what follows */
	assert_int_equal(fd_write_all(datwriter_cpu_fd(w, 0), "torn", 4), 0);
	assert_int_equal(datwriter_cpu_bytes(w, 0), PAGE + 4);
	assert_true(exists(f, "host.dat.head") && !exists(f, "host.dat"));
	assert_int_equal(datwriter_finish(w, &m), 0);
	assert_true(exists(f, "host.dat"));
	assert_int_equal(count_files(f), 1);
	assert_int_equal(file_read(f->dirfd, "host.dat", 1 << 20, &buf, &n), 0);
	assert_memory_equal(buf, "\x17\x08\x44tracing6\0\0\x08\0\x10\0\0header_page\0", 30);
	opts = memmem(buf, n, "options  ", 10);
	assert_non_null(opts);
	assert_int_equal(get(opts - 4, 4), 2);
	table = memmem(buf, n, "flyrecord", 10);
	assert_non_null(table);
	table += 10;
	assert_int_equal(get(table, 8) % PAGE, 0);
	assert_int_equal(get(table + 8, 8), PAGE);
	assert_int_equal(get(table + 16, 8), get(table, 8) + PAGE);
	assert_int_equal(get(table + 24, 8), PAGE);
	assert_int_equal(n, get(table + 16, 8) + PAGE);
	assert_memory_equal(table + 32, "\x0a\0\0\0\0\0\0\0[tsc2nsec]", 18);
	assert_int_equal(get(buf + get(table, 8), 8), 1998);
	assert_int_equal(get(buf + get(table + 16, 8), 8), 4000);
	assert_int_equal(get(buf + get(table, 8) + PAGE - 8, 8), 0);
}

static void place_beyond_4g(void **state)
{
	struct dathead h = {.end = 4097};
	struct dat_place p[3] = {{0, 5ull << 32}, {0, 0}, {0, 8192}};

	assert_true(dathead_place(&h, 8192, p, 3) == 8192 + (5ull << 32) + 8192);
	assert_true(p[0].at == 8192 && p[1].at == 8192 + (5ull << 32) && p[2].at == p[1].at);
}

static void existing_is_kept(void **state)
{
	struct fixture *f = *state;
	struct dat_meta m = meta_of(1);
	struct datwriter *w = NULL;
	char line[16];

	log_set_level(LOG_NONE);
	close(openat(f->dirfd, "host.dat.cpu1", O_WRONLY | O_CREAT, 0600));
	assert_int_equal(datwriter_create(f->dirfd, "host.dat", &m, &w), -EEXIST);
	assert_int_equal(count_files(f), 1);
	unlinkat(f->dirfd, "host.dat.cpu1", 0);
	assert_int_equal(symlinkat("/nowhere", f->dirfd, "host.dat"), 0);
	assert_int_equal(datwriter_create(f->dirfd, "host.dat", &m, &w), -EEXIST);
	assert_int_equal(readlinkat(f->dirfd, "host.dat", line, sizeof(line)), 8);
	assert_int_equal(count_files(f), 1);
	m.cpus = 0;
	assert_int_equal(datwriter_create(f->dirfd, "x", &m, &w), -EINVAL);
	m.cpus = 1;
	m.page_bytes = 5000;
	assert_int_equal(datwriter_create(f->dirfd, "x", &m, &w), -EINVAL);
	m.page_bytes = PAGE;
	m.mult = 1u << 31; /* trace-cmd would show negative times */
	assert_int_equal(datwriter_create(f->dirfd, "x", &m, &w), -EINVAL);
	m.mult = 1;
	assert_int_equal(datwriter_create(f->dirfd, "../x", &m, &w), -EINVAL);
	assert_int_equal(count_files(f), 1);
}

/* A file that cannot grow stands for a full disk. */
static void full_disk_keeps_parts(void **state)
{
	struct fixture *f = *state;
	struct dat_meta m = meta_of(1);
	_cleanup_datwriter_ struct datwriter *w = record_host(f, &m);
	struct rlimit old, small = {2 * PAGE, 2 * PAGE};

	log_set_level(LOG_NONE);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(datwriter_finish(w, &m), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_false(exists(f, "host.dat"));
	assert_int_equal(count_files(f), 3);
	assert_int_equal(datwriter_finish(w, &m), 0);
	assert_int_equal(count_files(f), 1);
}

/* Forbids copy_file_range(2) to this process for good. */
static int forbid_copy_range(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_copy_file_range, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {ARRAY_SIZE(code), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static void joins_without_copy_range(void **state)
{
	struct fixture *f = *state;
	struct dat_meta m = meta_of(1);
	_cleanup_datwriter_ struct datwriter *w = record_host(f, &m);
	_cleanup_free_ char *want = NULL, *got = NULL, *big = calloc(1, 3 << 20);
	size_t n_want = 0, n_got = 0;
	int status = -1;
	pid_t pid;

	for (size_t i = 0; i < 3 << 20; i++)
		big[i] = (char)(i * 7 + i / 4096);
	assert_int_equal(fd_write_all(datwriter_cpu_fd(w, 0), big, 3 << 20), 0);
	pid = fork();
	if (!pid)
		_exit(forbid_copy_range() ? 2 : datwriter_finish(w, &m) ? 3 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(file_read(f->dirfd, "host.dat", 8 << 20, &got, &n_got), 0);
	unlinkat(f->dirfd, "host.dat", 0);
	datwriter_free(w);
	w = record_host(f, &m);
	assert_int_equal(fd_write_all(datwriter_cpu_fd(w, 0), big, 3 << 20), 0);
	assert_int_equal(datwriter_finish(w, &m), 0);
	assert_int_equal(file_read(f->dirfd, "host.dat", 8 << 20, &want, &n_want), 0);
	assert_int_equal(n_want, n_got);
	assert_memory_equal(want, got, n_want);
}

/* Output of a trace-cmd command line in the fixture's directory, its stderr included. */
static char *trace_cmd(struct fixture *f, const char *args)
{
	_cleanup_free_ char *cmd = NULL;
	size_t n = 0;
	char *out = NULL;
	FILE *p;

	if (system("command -v trace-cmd >/dev/null 2>&1")) {
		print_message("# SKIP: trace-cmd is not installed\n");
		skip();
	}
	assert_true(asprintf(&cmd, "cd %s && trace-cmd %s 2>&1", f->path, args) > 0);
	p = popen(cmd, "r");
	assert_non_null(p);
	if (getdelim(&out, &n, 0, p) < 0)
		assert_non_null(out = strdup(""));
	assert_int_equal(pclose(p), 0);
	return out;
}

static void tracecmd_reads_host(void **state)
{
	struct fixture *f = *state;
	struct dat_meta m = meta_of(0x77);
	const struct dat_guest g = {"vm1", 0x99, (struct dat_vcpu[]){{1, 51}, {0, 50}}, 2};
	_cleanup_datwriter_ struct datwriter *w = record_host(f, &m);
	_cleanup_free_ char *report = NULL, *stat = NULL, *dump = NULL, *head = NULL;

	m.guests = &g;
	m.n_guests = 1;
	assert_int_equal(datwriter_update(w, &m), 0);
	head = trace_cmd(f, "report host.dat.head");
	assert_string_equal(head, "cpus=2\n");
	assert_int_equal(datwriter_finish(w, &m), 0);
	report = trace_cmd(f, "report -t host.dat");
	assert_string_equal(
		report,
		"cpus=2\n"
		"          worker-7     [000]     0.000001000: alpha:                value=1\n"
		"          worker-7     [001]     0.000002000: beta:                 value=3\n"
		"          worker-7     [000]     0.000003000: alpha:                value=2\n");
	stat = trace_cmd(f, "report --stat host.dat");
	assert_non_null(strstr(stat, "CPU: 0\nentries: 2\noverrun: 7\n"));
	dump = trace_cmd(f, "dump --options -i host.dat");
	assert_non_null(strstr(dump, "vm1 [Guest name]\n0x99 [trace id]\n2 [Guest CPUs]\n"
				     "  0 50 [guest cpu, host pid]\n  1 51 [guest cpu, host pid]"));
	assert_non_null(strstr(dump, "1073741824 31 0 [multiplier, shift, offset]"));
	assert_null(strstr(dump, "nknown"));
}

/* Guest clocks lie behind the host's by another amount on each vCPU; merged by host ticks. */
static void tracecmd_merges(void **state)
{
	struct fixture *f = *state;
	struct dat_meta host = meta_of(0x77), guest = meta_of(0x99);
	const struct dat_guest g = {"vm1", 0x99, (struct dat_vcpu[]){{0, 50}, {1, 51}}, 2};
	_cleanup_datwriter_ struct datwriter *wh = record_host(f, &host), *wg = NULL;
	_cleanup_free_ char *report = NULL;
	uint8_t page[PAGE];

	host.guests = &g;
	host.n_guests = 1;
	guest.host_trace_id = 0x77;
	guest.cpu_offset = (int64_t[]){3000000000, -1000};
	guest.shift_at[1] = 100;
	assert_int_equal(datwriter_create(f->dirfd, "guest.dat", &guest, &wg), 0);
	page_make(page, 3000 - 3000000000ull, (struct event[]){{0, 302, 10}, {2000, 302, 11}}, 2);
	assert_int_equal(fd_write_all(datwriter_cpu_fd(wg, 0), page, PAGE), 0);
	page_make(page, 8000, (struct event[]){{0, 302, 12}}, 1);
	assert_int_equal(fd_write_all(datwriter_cpu_fd(wg, 1), page, PAGE), 0);
	assert_int_equal(datwriter_finish(wh, &host), 0);
	assert_int_equal(datwriter_finish(wg, &guest), 0);
	report = trace_cmd(f, "report -t -i host.dat -i guest.dat");
	assert_string_equal(
		report,
		" host.dat: cpus=2\nguest.dat: cpus=2\n"
		" host.dat:           worker-7     [000]     0.000001000: alpha:                value=1\n"
		"guest.dat:           worker-7     [000]     0.000001500: gamma:                value=10\n"
		" host.dat:           worker-7     [001]     0.000002000: beta:                 value=3\n"
		"guest.dat:           worker-7     [000]     0.000002500: gamma:                value=11\n"
		" host.dat:           worker-7     [000]     0.000003000: alpha:                value=2\n"
		"guest.dat:           worker-7     [001]     0.000003500: gamma:                value=12\n");
}

/* Nothing known but the pages: no clock, no conversion, no symbols, no commands, an empty CPU. */
static void tracecmd_reads_bare(void **state)
{
	struct fixture *f = *state;
	struct dat_meta m = meta_of(1);
	_cleanup_datwriter_ struct datwriter *w = NULL;
	_cleanup_free_ char *report = NULL;
	uint8_t page[PAGE];

	m.kallsyms.n = m.printk.n = m.cmdlines.n = 0;
	m.cmdlines.s = NULL;
	m.clock.s = m.uname.s = NULL;
	m.cpustat = NULL;
	m.mult = 0;
	assert_int_equal(datwriter_create(f->dirfd, "bare.dat", &m, &w), 0);
	page_make(page, 1000, (struct event[]){{0, 302, 12}}, 1);
	assert_int_equal(fd_write_all(datwriter_cpu_fd(w, 1), page, PAGE), 0);
	assert_int_equal(datwriter_finish(w, &m), 0);
	report = trace_cmd(f, "report -t bare.dat");
	assert_string_equal(report,
			    "cpus=2\n"
			    "           <...>-7     [001]     0.000001000: gamma:                "
			    "value=12\n");
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(layout),
		cmocka_unit_test(place_beyond_4g),
		TEST(existing_is_kept),
		TEST(full_disk_keeps_parts),
		TEST(joins_without_copy_range),
		TEST(tracecmd_reads_host),
		TEST(tracecmd_merges),
		TEST(tracecmd_reads_bare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
