// SPDX-License-Identifier: GPL-2.0-or-later
/* The agent's first words to hosts that it must refuse, and the addresses of both ends. */
#include "test.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/log.h"
#include "capture/agent_session.h"
#include "capture/link.h"

static int first_words(const struct wire_hello *hello, const char *token, bool trusted,
		       uint32_t *ret_code)
{
	struct agent_config cfg = {.token = token, .tracefs = "/nonexistent"};
	_cleanup_strbuf_ struct strbuf b = {0};
	struct wire_header h;
	struct wire_refuse m;
	struct chan a, c;
	const void *body;
	int sv[2], r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv), 0);
	assert_int_equal(chan_open(&a, &(struct link){sv[0], sv[0], trusted, "test"}, -1, 1000), 0);
	assert_int_equal(chan_open(&c, &(struct link){sv[1], sv[1], true, "test"}, -1, 1000), 0);
	if (hello)
		wire_put_hello(&b, hello);
	else
		strbuf_puts(&b, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(chan_send(&c, &b), 0);
	shutdown(sv[1], SHUT_WR);
	r = agent_session(&cfg, &a, -1);
	*ret_code = UINT32_MAX;
	if (!chan_receive(&c, 0, &h, &body) && h.type == WIRE_REFUSE &&
	    !wire_get_refuse(body, h.len, &m))
		*ret_code = m.code;
	chan_close(&a);
	chan_close(&c);
	return r;
}

static struct wire_hello hello_of(uint32_t version, const char *token)
{
	return (struct wire_hello){version, wire_text("t"), wire_text("h"), wire_text(token)};
}

static void agent_refuses(void **state)
{
	struct wire_hello h = hello_of(WIRE_VERSION + 1, "");
	uint32_t code;

	assert_int_equal(first_words(&h, NULL, true, &code), -EPROTONOSUPPORT);
	assert_int_equal(code, WIRE_REFUSED_VERSION);
	h = hello_of(WIRE_VERSION, "");
	assert_int_equal(first_words(&h, NULL, false, &code), -EACCES);
	assert_int_equal(code, WIRE_REFUSED_TOKEN);
	assert_int_equal(first_words(&h, "secret", true, &code), -EACCES);
	h = hello_of(WIRE_VERSION, "secreT");
	assert_int_equal(first_words(&h, "secret", true, &code), -EACCES);
	h = hello_of(WIRE_VERSION, "secret1");
	assert_int_equal(first_words(&h, "secret", true, &code), -EACCES);
	h = hello_of(WIRE_VERSION, "secret");
	assert_int_equal(first_words(&h, "secret", false, &code), -ENODATA); /* let in */
	assert_int_equal(code, UINT32_MAX);
	h = hello_of(WIRE_VERSION, "");
	assert_int_equal(first_words(&h, NULL, true, &code), -ENODATA);
	assert_true(first_words(NULL, NULL, true, &code) < 0);
}

static void addresses(void **state)
{
	static const struct {
		const char *text;
		bool listen, good;
	} cases[] = {
		{"vsock", true, true},
		{"vsock:99", true, true},
		{"vsock:0", true, false},
		{"vsock", false, false},
		{"vsock:3", false, true},
		{"vsock:3:99", false, true},
		{"vsock:3:x", false, false},
		{"vsock::99", false, false},
		{"tcp:127.0.0.1:80", false, true},
		{"tcp:[::1]:80", false, true},
		{"tcp:80", true, true},
		{"tcp:80", false, false},
		{"tcp:127.0.0.1:70000", false, false},
		{"tcp:host:80", false, false},
		{"tcp:[::1:80", false, false},
		{"tcp::80", false, false},
		{"unix:/x", false, true},
		{"unix:", true, false},
		{"unix", true, false},
		{"serial:/dev/x", true, true},
		{"serial:/dev/x", false, false},
		{"stdio", true, true},
		{"stdio:1", true, false},
		{"stdio", false, false},
		{"", true, false},
		{"vsocket:3", false, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct link_addr a = {0};

		if (!link_parse(cases[i].text, cases[i].listen, &a) != cases[i].good)
			fail_msg("\"%s\"", cases[i].text);
		link_addr_free(&a);
	}
}

static int silence(void **state)
{
	log_set_level(LOG_NONE);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agent_refuses),
		cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, silence, NULL);
}
