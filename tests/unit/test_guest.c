// SPDX-License-Identifier: GPL-2.0-or-later
/* The host's end of the protocol against made-up agents, honest and hostile. Over Unix sockets; needs
 * no privileges. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "capture/chan.h"
#include "capture/guest.h"
#include "capture/wire/codec.h"

static char dir[64];
static int dirfd_;

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/onetsc-test-XXXXXX");
	log_set_level(LOG_NONE);
	if (!mkdtemp(dir))
		return -1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd_ < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	char cmd[128];

	close(dirfd_);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

/* --- a made-up agent: after HELLO and START it says what its script says --- */
struct script {
	struct strbuf says;  /* sent at once after START */
	bool then_bye;	     /* waits for STOP, then sends STATS and BYE */
	uint32_t version;    /* of its HELLO, 0: WIRE_VERSION */
	unsigned busy_first; /* so many connections are refused as busy */
	unsigned dies_first; /* so many of the others end without a word after what it says */
	int listen_fd;
	unsigned connections;
};

static void put_cpus(struct strbuf *b, uint32_t page, uint32_t streams)
{
	static struct wire_cpus m;

	m = (struct wire_cpus){page, streams, 2, {{0, 0}, {1, 4}}};
	wire_put_cpus(b, &m);
}

static void put_meta(struct strbuf *b, enum wire_meta_kind kind, const char *system,
		     const char *name, const char *text)
{
	wire_put_meta(b, &(struct wire_meta){(uint8_t)kind,
					     wire_text(system),
					     wire_text(name),
					     {text, strlen(text)}});
}

static void put_needed_meta(struct strbuf *b)
{
	put_meta(b, META_HEADER_PAGE, "", "",
		 "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n");
	put_meta(b, META_HEADER_EVENT, "", "", "# compressed entry header\n");
	put_meta(b, META_EVENT, "sched", "sched_switch", "name: sched_switch\nID: 1\nformat:\n");
	put_meta(b, META_CLOCK, "", "", "local [x86-tsc]\n");
	put_meta(b, META_UNAME, "", "", "Linux guest 6.1.0 x86_64");
}

static void put_page(struct strbuf *b, uint32_t cpu, size_t n)
{
	char *page = calloc(1, n + !n);

	wire_put(b, WIRE_DATA, cpu, page, n);
	free(page);
}

static void put_stats(struct strbuf *b)
{
	static struct wire_stats m;

	m = (struct wire_stats){1000, 2, {{4096, 10, 1, 0}, {8192, 20, 0, 2}}};
	wire_put_stats(b, &m);
}

static void say_bye(struct chan *c)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	struct wire_header h = {0};
	const void *body;

	while (h.type != WIRE_STOP)
		if (chan_receive(c, 5000, &h, &body))
			return;
	put_page(&b, 1, 4096);
	put_stats(&b);
	wire_put(&b, WIRE_BYE, 0, NULL, 0);
	if (!chan_send(c, &b) && !chan_receive(c, 5000, &h, &body))
		return;
}

static void talk(struct script *s, struct chan *c)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	struct wire_header h;
	const void *body;

	if (chan_receive(c, 5000, &h, &body) || h.type != WIRE_HELLO)
		return;
	if (s->connections <= s->busy_first)
		wire_put_refuse(&b, WIRE_REFUSED_BUSY, "busy");
	else
		wire_put_hello(&b,
			       &(struct wire_hello){s->version ?: WIRE_VERSION, wire_text("fake"),
						    wire_text("guest"), wire_text("")});
	if (chan_send(c, &b) || s->connections <= s->busy_first)
		return;
	if (chan_receive(c, 5000, &h, &body) || h.type != WIRE_START)
		return;
	if (chan_send(c, &s->says))
		return;
	if (s->then_bye && s->connections > s->busy_first + s->dies_first)
		say_bye(c);
}

static void *serve(void *arg)
{
	struct script *s = arg;
	int fd;

	while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct link l = {fd, fd, true, "test"};
		struct chan c;

		s->connections++;
		if (!chan_open(&c, &l, -1, 5000)) {
			talk(s, &c);
			chan_close(&c);
		}
	}
	return NULL;
}

static int await(struct guest *g, enum guest_state want, uint64_t bytes)
{
	struct guest_status st;

	for (int i = 0; i < 1000; i++) {
		guest_status(g, &st);
		if (st.state == want && st.bytes >= bytes)
			return 0;
		usleep(10000);
	}
	return -ETIMEDOUT;
}

struct outcome {
	struct guest_status status;
	bool has_file;
	uint64_t bytes[2]; /* of the last part */
	uint64_t events, overrun;
	struct cpu_apics apics;
	size_t parts;
	bool cut[4];
	char file[4][32];
};

static void look_at(struct guest *g, struct outcome *o)
{
	struct guest_config none = {0};

	memset(o, 0, sizeof(*o));
	guest_status(g, &o->status);
	o->parts = guest_parts(g);
	o->has_file = o->parts > 0;
	for (size_t i = 0; i < o->parts && i < ARRAY_SIZE(o->cut); i++) {
		struct guest_part *p = guest_part(g, i);

		o->cut[i] = p->cut;
		snprintf(o->file[i], sizeof(o->file[i]), "%s", p->file.name);
		for (unsigned c = 0; c < 2; c++)
			o->bytes[c] = datwriter_cpu_bytes(p->file.writer, c);
		o->events += p->file.events;
		for (unsigned c = 0; c < 2; c++)
			o->overrun += p->file.stats.v[c].overrun;
		array_free(&o->apics);
		assert_int_equal(guest_apics(g, i, &o->apics), 0);
		if (p->counted)
			assert_int_equal(datfile_finish(&p->file, &none.links), 0);
	}
}

/* Runs a script to its end, or until `until` and `bytes` are reached, then stops. */
static void play(struct script *s, enum guest_state until, uint64_t bytes, uint64_t limit,
		 struct outcome *o)
{
	static unsigned serial;
	static const char *const patterns[] = {"sched"};
	char addr[128], name[32];
	struct guest_config cfg = {.patterns = patterns,
				   .n_patterns = 1,
				   .buffer_bytes = 1 << 20,
				   .limit_bytes = limit,
				   .dirfd = dirfd_,
				   .notify_fd = -1};
	struct link_addr la;
	struct guest *g;
	pthread_t t;

	snprintf(name, sizeof(name), "g%u", serial++);
	snprintf(addr, sizeof(addr), "unix:%s/%s.sock", dir, name);
	cfg.name = name;
	assert_int_equal(link_parse(addr, true, &la), 0);
	assert_int_equal(link_listen(&la, &s->listen_fd), 0);
	assert_int_equal(fcntl(s->listen_fd, F_SETFL, 0), 0);
	assert_int_equal(pthread_create(&t, NULL, serve, s), 0);
	assert_int_equal(link_parse(addr, false, &cfg.addr), 0);
	assert_int_equal(guest_start(&cfg, &g), 0);
	if (await(g, until, bytes))
		fail_msg("state %d was not reached", until);
	guest_stop(g);
	guest_join(g);
	look_at(g, o);
	guest_free(g);
	shutdown(s->listen_fd, SHUT_RDWR);
	pthread_join(t, NULL);
	link_unlisten(&la, s->listen_fd);
	link_addr_free(&la);
	strbuf_free(&s->says);
}

static void honest_agent(void **state)
{
	struct script s = {.then_bye = true, .busy_first = 1};
	struct outcome o;

	put_cpus(&s.says, 4096, 2);
	put_needed_meta(&s.says);
	wire_put(&s.says, WIRE_STARTED, 0, NULL, 0);
	put_page(&s.says, 0, 4096);
	put_page(&s.says, 1, 4096);
	put_meta(&s.says, META_KALLSYMS, "", "", "ffffffff81000000 T _text\n");
	wire_put(&s.says, WIRE_NOTE, 0, "hi", 2);
	play(&s, GUEST_RECORDING, 8192, 1 << 20, &o);
	assert_int_equal(s.connections, 2);
	assert_int_equal(o.status.state, GUEST_DONE);
	assert_true(o.has_file);
	assert_int_equal(o.bytes[0], 4096);
	assert_int_equal(o.bytes[1], 8192);
	assert_int_equal(o.events, 30);
	assert_int_equal(o.overrun, 1);
	assert_int_equal(o.apics.n, 2);
	assert_int_equal(o.apics.v[1].apic_id, 4);
	array_free(&o.apics);
}

/* The guest is reset twice, its agent comes back each time: three files. */
static void comes_back(void **state)
{
	struct script s = {.then_bye = true, .dies_first = 2};
	struct outcome o;

	put_cpus(&s.says, 4096, 2);
	put_needed_meta(&s.says);
	wire_put(&s.says, WIRE_STARTED, 0, NULL, 0);
	put_page(&s.says, 0, 4096);
	put_page(&s.says, 1, 4096);
	play(&s, GUEST_RECORDING, 3 * 8192, 1 << 20, &o);
	assert_int_equal(s.connections, 3);
	assert_int_equal(o.status.state, GUEST_DONE);
	assert_int_equal(o.parts, 3);
	assert_true(o.cut[0] && o.cut[1] && !o.cut[2]);
	assert_non_null(strstr(o.file[0], ".dat"));
	assert_null(strchr(o.file[0], '+'));
	assert_non_null(strstr(o.file[1], "+2.dat"));
	assert_non_null(strstr(o.file[2], "+3.dat"));
	assert_int_equal(o.bytes[0], 4096);
	assert_int_equal(o.bytes[1], 8192);
	array_free(&o.apics);
}

/* The quota is the guest's, not each part's. */
static void comes_back_too_much(void **state)
{
	struct script s = {.dies_first = 100};
	struct outcome o;

	put_cpus(&s.says, 4096, 2);
	put_needed_meta(&s.says);
	wire_put(&s.says, WIRE_STARTED, 0, NULL, 0);
	put_page(&s.says, 0, 4096);
	play(&s, GUEST_CUT, 0, 2 * 4096, &o);
	assert_int_equal(o.status.bytes, 2 * 4096);
	assert_int_equal(o.parts, 3);
	assert_non_null(strstr(o.status.why, "--guest-limit"));
	array_free(&o.apics);
}

/* Dies while it sets up, again and again: given up, and told. */
static void never_starts(void **state)
{
	struct script s = {.dies_first = 100};
	struct outcome o;

	put_cpus(&s.says, 4096, 2);
	play(&s, GUEST_FAILED, 0, 1 << 20, &o);
	assert_false(o.has_file);
	assert_int_equal(s.connections, 3);
	assert_non_null(strstr(o.status.why, "went away"));
}

static void other_version(void **state)
{
	struct script s = {.version = WIRE_VERSION + 1};
	struct outcome o;

	play(&s, GUEST_FAILED, 0, 1 << 20, &o);
	assert_false(o.has_file);
	assert_non_null(strstr(o.status.why, "install the same version"));
	assert_int_equal(s.connections, 1); /* not tried again */
}

static void refused(void **state)
{
	struct script s = {0};
	struct outcome o;

	wire_put_refuse(&s.says, WIRE_REFUSED_SETUP, "no x86-tsc \x1b[31m here");
	play(&s, GUEST_FAILED, 0, 1 << 20, &o);
	assert_false(o.has_file);
	assert_non_null(strstr(o.status.why, "no x86-tsc \\x1b[31m here"));
}

enum lie {
	DATA_TOO_EARLY,
	DATA_OF_NO_CPU,
	DATA_NOT_A_PAGE,
	DATA_EMPTY,
	CPUS_CHANGED,
	STARTED_WITHOUT_CPUS,
	STARTED_TWICE,
	FORMAT_WITH_PATH,
	FORMAT_WITHOUT_NAME,
	STATS_OF_MORE_CPUS,
	HOST_MESSAGE,
	GARBAGE,
	LIES
};

static void put_lie(struct strbuf *b, enum lie lie)
{
	static struct wire_stats st;

	if (lie == DATA_TOO_EARLY)
		put_page(b, 0, 4096);
	if (lie != STARTED_WITHOUT_CPUS)
		put_cpus(b, 4096, 2);
	put_needed_meta(b);
	wire_put(b, WIRE_STARTED, 0, NULL, 0);
	put_page(b, 0, 4096);
	switch (lie) {
	case DATA_OF_NO_CPU:
		put_page(b, 2, 4096);
		break;
	case DATA_NOT_A_PAGE:
		put_page(b, 0, 4095);
		break;
	case DATA_EMPTY:
		put_page(b, 0, 0);
		break;
	case CPUS_CHANGED:
		put_cpus(b, 4096, 3);
		break;
	case STARTED_TWICE:
		wire_put(b, WIRE_STARTED, 0, NULL, 0);
		break;
	case FORMAT_WITH_PATH:
		put_meta(b, META_EVENT, "../../etc", "passwd", "x");
		break;
	case FORMAT_WITHOUT_NAME:
		put_meta(b, META_EVENT, "sched", "", "x");
		break;
	case STATS_OF_MORE_CPUS:
		st.n = 3;
		wire_put_stats(b, &st);
		break;
	case HOST_MESSAGE:
		wire_put(b, WIRE_STOP, 0, NULL, 0);
		break;
	case GARBAGE:
		strbuf_puts(b, "HTTP/1.1 200 OK\r\n\r\n");
		break;
	default:
		break;
	}
	put_page(b, 1, 4096);
}

/* Each ends that guest's part, keeps what came before, and writes nothing after. */
static void lies(void **state)
{
	for (enum lie lie = 0; lie < LIES; lie++) {
		struct script s = {0};
		struct outcome o;
		bool early = lie == DATA_TOO_EARLY || lie == STARTED_WITHOUT_CPUS;

		put_lie(&s.says, lie);
		play(&s, early ? GUEST_FAILED : GUEST_CUT, 0, 1 << 20, &o);
		if (o.has_file == early || o.bytes[0] != (early ? 0 : 4096) || o.bytes[1])
			fail_msg("lie %d: file %d, %llu and %llu bytes", lie, o.has_file,
				 (unsigned long long)o.bytes[0], (unsigned long long)o.bytes[1]);
		if (!strstr(o.status.why, "not the protocol"))
			fail_msg("lie %d: \"%s\"", lie, o.status.why);
		array_free(&o.apics);
	}
}

static void quota(void **state)
{
	struct script s = {0};
	struct outcome o;

	put_cpus(&s.says, 4096, 2);
	put_needed_meta(&s.says);
	wire_put(&s.says, WIRE_STARTED, 0, NULL, 0);
	for (int i = 0; i < 5; i++)
		put_page(&s.says, 0, 4096);
	play(&s, GUEST_CUT, 0, 3 * 4096, &o);
	assert_int_equal(o.bytes[0], 3 * 4096);
	assert_non_null(strstr(o.status.why, "--guest-limit"));
	array_free(&o.apics);
}

/* Metadata without end: bounded, and told as such. */
static void metadata_flood(void **state)
{
	struct script s = {0};
	struct outcome o;
	char *big = calloc(1, 300001);

	memset(big, 'x', 300000);
	put_meta(&s.says, META_EVENT, "sched", "sched_switch", big);
	play(&s, GUEST_FAILED, 0, 1 << 20, &o);
	assert_false(o.has_file);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(honest_agent), cmocka_unit_test(other_version),
		cmocka_unit_test(refused),	cmocka_unit_test(lies),
		cmocka_unit_test(quota),	cmocka_unit_test(metadata_flood),
		cmocka_unit_test(comes_back),	cmocka_unit_test(comes_back_too_much),
		cmocka_unit_test(never_starts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
