// SPDX-License-Identifier: GPL-2.0-or-later
/* The client of QEMU's monitor, against monitors that are well, busy, dead, hostile. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "capture/qemuargs.h"
#include "capture/qmp.h"
#include "test.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n"
#define TIMEOUT	 300

static char dir[] = "/tmp/onetsc-qmp-XXXXXX", path[64], addr[80];

/* --- a monitor --- */
struct monitor {
	void (*serve)(int fd);
	int listener;
	pthread_t thread;
};

static void *accept_one(void *arg)
{
	struct monitor *m = arg;
	int fd = accept(m->listener, NULL, NULL);

	if (fd >= 0) {
		m->serve(fd);
		close(fd);
	}
	return NULL;
}

static int start(struct monitor *m, void (*serve)(int fd))
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	m->serve = serve;
	unlink(path);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	m->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(m->listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(m->listener, 1), 0);
	return pthread_create(&m->thread, NULL, accept_one, m);
}

static void stop(struct monitor *m)
{
	shutdown(m->listener, SHUT_RDWR);
	pthread_join(m->thread, NULL);
	close(m->listener);
}

static void say(int fd, const char *text)
{
	if (fd_write_all(fd, text, strlen(text)))
		return; /* it has gone: as it should */
}

/* The next line; its id, 0 none; -1 at the end. */
static long hear(int fd, char *line, size_t size)
{
	size_t n = 0;
	const char *id;

	while (n + 1 < size && read(fd, line + n, 1) == 1)
		if (line[n++] == '\n')
			break;
	line[n] = 0;
	if (!n)
		return -1;
	id = strstr(line, "\"id\":");
	return id ? strtol(id + 5, NULL, 10) : 0;
}

static void answer(int fd, const char *fmt)
{
	char line[4096], text[4096];
	long id = hear(fd, line, sizeof(line));

	snprintf(text, sizeof(text), "{\"return\": %s, \"id\": %ld}\r\n", fmt, id);
	say(fd, text);
}

static void negotiate(int fd)
{
	say(fd, GREETING);
	answer(fd, "{}");
}

/* --- well --- */
static void serve_well(int fd)
{
	char line[4096];

	say(fd, "{\"event\": \"RESUME\"}\r\n" GREETING);
	answer(fd, "{}");
	say(fd, "{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 1}}\n\r\n");
	hear(fd, line, sizeof(line));
	say(fd, "{\"return\": \"too late\", \"id\": 77}\r\n");
	say(fd, "{\"return\": [{\"name\": \"kvm_run_exit\", \"vcpu\": false, \"state\": "
		"\"disabled\"}], \"id\": 2}\r\n");
	answer(fd, "\"\"");
	answer(fd, "\"Error opening logfile /x: No such file or directory\\r\\n\"");
	hear(fd, line, sizeof(line));
	say(fd,
	    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no \\u001b[31m\"}, \"id\": 5}\n");
}

static void well(void **state)
{
	_cleanup_qmp_events_ struct qmp_events events = {0};
	_cleanup_json_ json_t *value = NULL;
	_cleanup_free_ char *fine = NULL, *bad = NULL;
	struct monitor m;
	struct qmp *q;

	assert_int_equal(start(&m, serve_well), 0);
	assert_int_equal(qmp_open(addr, 5000, &q), 0);
	assert_int_equal(qmp_peer(q), getpid());
	assert_true(qmp_passes_fds(q));
	assert_int_equal(qmp_run(q, "trace-event-get-state", json_pack("{s:s}", "name", "kvm_*"),
				 -1, &value),
			 0);
	assert_int_equal(qmp_events_parse(value, &events), 0);
	assert_int_equal(events.n, 1);
	assert_string_equal(events.v[0].name, "kvm_run_exit");
	assert_false(events.v[0].on);
	assert_true(events.v[0].available);
	assert_int_equal(qmp_human(q, "logfile /dev/null", &fine), 0);
	assert_string_equal(fine, "");
	assert_int_equal(qmp_human(q, "logfile /x", &bad), 0);
	assert_string_equal(bad, "Error opening logfile /x: No such file or directory");
	assert_int_equal(qmp_run(q, "stop", NULL, -1, NULL), -EREMOTEIO);
	assert_string_equal(qmp_error(q), "GenericError: no \\x1b[31m");
	/* The last answer was given, and it has gone. */
	assert_int_equal(qmp_run(q, "stop", NULL, -1, NULL), -ECONNRESET);
	qmp_close(q);
	stop(&m);
}

/* --- a descriptor goes along --- */
static int got_fd = -1;

static void serve_fd(int fd)
{
	char buf[4096];
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec v = {buf, sizeof(buf)};
	struct msghdr msg = {.msg_iov = &v,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};

	negotiate(fd);
	if (recvmsg(fd, &msg, MSG_CMSG_CLOEXEC) > 0 && CMSG_FIRSTHDR(&msg))
		memcpy(&got_fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	say(fd, "{\"return\": {}, \"id\": 2}\n");
}

static void descriptor(void **state)
{
	_cleanup_fd_ int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct stat mine, theirs;
	struct monitor m;
	struct qmp *q;

	assert_int_equal(start(&m, serve_fd), 0);
	assert_int_equal(qmp_open(addr, 5000, &q), 0);
	assert_int_equal(qmp_run(q, "getfd", json_pack("{s:s}", "fdname", "x"), fd, NULL), 0);
	qmp_close(q);
	stop(&m);
	assert_int_equal(fstat(fd, &mine), 0);
	assert_int_equal(fstat(got_fd, &theirs), 0);
	assert_int_equal(mine.st_rdev, theirs.st_rdev);
	close(got_fd);
}

/* --- not well --- */
static void serve_silence(int fd)
{
	char line[64];

	hear(fd, line, sizeof(line)); /* until the client gives up */
}

static void serve_nothing(int fd)
{
}

static void serve_rubbish(int fd)
{
	say(fd, "SSH-2.0-OpenSSH_9.2\r\n");
	serve_silence(fd);
}

static void serve_no_object(int fd)
{
	say(fd, "[{\"QMP\": {}}]\n");
	serve_silence(fd);
}

static void serve_depth(int fd)
{
	static char deep[200001];

	memset(deep, '[', sizeof(deep) - 1);
	say(fd, deep);
	say(fd, "\n");
	serve_silence(fd);
}

static void serve_endless_line(int fd)
{
	static char much[65537];

	memset(much, 'x', sizeof(much) - 1);
	for (int i = 0; i < 200; i++)
		if (fd_write_all(fd, much, sizeof(much) - 1))
			return;
}

static void serve_endless_events(int fd)
{
	static const char event[] = "{\"event\": \"STOP\"}\n";

	negotiate(fd);
	while (!fd_write_all(fd, event, sizeof(event) - 1))
		;
}

static void serve_no_answer(int fd)
{
	negotiate(fd);
	serve_silence(fd);
	serve_silence(fd);
}

static void serve_half_answer(int fd)
{
	char line[256];

	negotiate(fd);
	hear(fd, line, sizeof(line));
	say(fd, "{\"return\": {");
}

static void unwell(void **state)
{
	static const struct {
		void (*serve)(int fd);
		int opened, run;
	} cases[] = {
		{serve_silence, -ETIMEDOUT, 0},	      {serve_nothing, -ECONNRESET, 0},
		{serve_rubbish, -EBADMSG, 0},	      {serve_no_object, -EBADMSG, 0},
		{serve_depth, -EBADMSG, 0},	      {serve_endless_line, -EMSGSIZE, 0},
		{serve_endless_events, 0, -EMSGSIZE}, {serve_no_answer, 0, -ETIMEDOUT},
		{serve_half_answer, 0, -ECONNRESET},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct monitor m;
		struct qmp *q = NULL;
		int timeout = cases[i].opened == -ETIMEDOUT || cases[i].run == -ETIMEDOUT ? TIMEOUT
											  : 20000;

		assert_int_equal(start(&m, cases[i].serve), 0);
		assert_int_equal(qmp_open(addr, timeout, &q), cases[i].opened);
		if (!cases[i].opened)
			assert_int_equal(qmp_run(q, "stop", NULL, -1, NULL), cases[i].run);
		qmp_close(q);
		stop(&m);
	}
}

static void nobody(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct qmp *q;
	int fd;

	unlink(path);
	assert_int_equal(qmp_open(addr, TIMEOUT, &q), -ENOENT);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	assert_int_equal(qmp_open(addr, TIMEOUT, &q), -ECONNREFUSED);
	assert_int_equal(qmp_open("unix:/dev/null", TIMEOUT, &q), -ECONNREFUSED);
	assert_int_equal(qmp_open("tcp:localhost:1", TIMEOUT, &q), -EINVAL);
}

/* A monitor that has a client already: connections wait in its queue. */
static void busy(void **state)
{
	struct monitor m;
	struct qmp *first, *second;

	assert_int_equal(start(&m, serve_no_answer), 0);
	assert_int_equal(qmp_open(addr, 5000, &first), 0);
	assert_int_equal(qmp_open(addr, TIMEOUT, &second), -ETIMEDOUT);
	qmp_close(first);
	stop(&m);
}

/* --- libvirt --- */
static void write_virsh(const char *script)
{
	char file[80];
	FILE *f;

	snprintf(file, sizeof(file), "%s/virsh", dir);
	f = fopen(file, "we");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", script);
	fclose(f);
	assert_int_equal(chmod(file, 0755), 0);
}

static void virsh(void **state)
{
	_cleanup_json_ json_t *value = NULL;
	struct qmp *q;
	char file[80];

	snprintf(file, sizeof(file), "%s/virsh", dir);
	write_virsh("[ \"$*\" = '--quiet qemu-monitor-command --domain web1 "
		    "{\"execute\":\"query-name\"}' ] &&\n"
		    "echo '{\"return\":{\"name\":\"web1\"},\"id\":\"libvirt-9\"}' && echo");
	assert_int_equal(qmp_open("virsh:web1", 5000, &q), 0);
	assert_false(qmp_passes_fds(q));
	for (int i = 0; i < 2; i++) {
		json_decref(value);
		assert_int_equal(qmp_run(q, "query-name", NULL, -1, &value), 0);
		assert_string_equal(json_string_value(json_object_get(value, "name")), "web1");
	}
	assert_int_equal(qmp_run(q, "another", NULL, -1, NULL), -ECONNRESET);
	qmp_close(q);
	write_virsh("exec sleep 1000");
	assert_int_equal(qmp_open("virsh:web1", TIMEOUT / 2, &q), 0);
	assert_int_equal(qmp_run(q, "query-name", NULL, -1, NULL), -ETIMEDOUT);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* it was ended and waited for */
	unlink(file);
	assert_int_equal(qmp_run(q, "query-name", NULL, -1, NULL), -ESRCH);
	qmp_close(q);
}

/* --- command lines --- */
static void parse(char *const *argv, struct qemuargs *a)
{
	qemuargs_free(a);
	assert_int_equal(qemuargs_parse(argv, a), 0);
}
#define PARSE(...) parse((char *[]){(char *)"qemu", __VA_ARGS__, NULL}, &a)
#define A	   (char *)

static void command_lines(void **state)
{
	_cleanup_qemuargs_ struct qemuargs a = {0};

	PARSE(A "-qmp", A "unix:/run/a,,b,server=on,wait=off", A "-D", A "/tmp/log",
	      A "-daemonize");
	assert_int_equal(a.n_monitors, 1);
	assert_string_equal(a.monitors[0], "/run/a,b");
	assert_string_equal(a.log, "/tmp/log");
	assert_true(a.daemonize);
	PARSE(A "--qmp-pretty", A "unix:rel", A "-qmp", A "tcp:localhost:1,server=on", A "-qmp",
	      A "unix:two");
	assert_int_equal(a.n_monitors, 2);
	assert_string_equal(a.monitors[0], "rel");
	assert_string_equal(a.monitors[1], "two");
	assert_false(a.daemonize);
	assert_null(a.log);
	PARSE(A "-mon", A "chardev=m,mode=control", A "-chardev", A "socket,id=n,path=/no",
	      A "-chardev", A "socket,path=/yes,server=on,id=m");
	assert_int_equal(a.n_monitors, 1);
	assert_string_equal(a.monitors[0], "/yes");
	PARSE(A "-mon", A "chardev=m", A "-chardev", A "socket,id=m,path=/hmp");
	assert_int_equal(a.n_monitors, 0);
	PARSE(A "-name", A "guest=web1,debug-threads=on", A "-chardev",
	      A "socket,id=charmonitor,fd=27,server=on,wait=off", A "-mon",
	      A "chardev=charmonitor,id=monitor,mode=control");
	assert_int_equal(a.n_monitors, 0);
	assert_string_equal(a.domain, "web1");
	PARSE(A "-name", A "web2", A "-chardev",
	      A "socket,id=c,path=/var/lib/libvirt/qemu/domain-1-web2/monitor.sock", A "-mon",
	      A "chardev=c,mode=control", A "-qmp", A "unix:/own");
	assert_string_equal(a.domain, "web2");
	assert_string_equal(a.monitors[0], "/own");
	PARSE(A "-name", A "web3", A "-qmp");
	assert_null(a.domain);
	assert_int_equal(a.n_monitors, 0);
	PARSE(A "-qmp", A "unix:", A "-mon", A "", A "-D", A "");
	assert_int_equal(a.n_monitors, 0);
}

static int set_up(void **state)
{
	char with[4200];

	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		return -errno;
	snprintf(path, sizeof(path), "%s/qmp", dir);
	snprintf(addr, sizeof(addr), "unix:%s", path);
	snprintf(with, sizeof(with), "%s:%.4000s", dir, getenv("PATH") ?: "/usr/bin:/bin");
	return setenv("PATH", with, 1);
}

static int tear_down(void **state)
{
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well),		 cmocka_unit_test(descriptor),
		cmocka_unit_test(unwell),	 cmocka_unit_test(nobody),
		cmocka_unit_test(busy),		 cmocka_unit_test(virsh),
		cmocka_unit_test(command_lines),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
