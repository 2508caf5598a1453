// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs in the host: talks to labd in a guest and to a VMM's QMP socket. */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "wire.h"

enum { EXIT_TIMEOUT = 124, EXIT_NO_LINK = 125, EXIT_USAGE = 2 };

static void on_alarm(int sig)
{
	(void)sig;
	_exit(EXIT_TIMEOUT);
}

static int usage(void)
{
	fputs("usage: labctl run [-i] CID SECONDS COMMAND\n"
	      "       labctl qmp SOCKET SECONDS JSON\n"
	      "       labctl event SOCKET SECONDS NAME\n",
	      stderr);
	return EXIT_USAGE;
}

static void send_stdin(int fd)
{
	char buf[16384];
	ssize_t n;

	while ((n = read(0, buf, sizeof(buf))) > 0)
		if (!lab_write(fd, buf, (size_t)n))
			break;
	shutdown(fd, SHUT_WR);
}

static int receive(int fd)
{
	struct lab_frame f;
	char buf[16384];
	int32_t code;

	while (lab_read(fd, &f, sizeof(f))) {
		if (f.type == 's')
			return lab_read(fd, &code, sizeof(code)) ? code : EXIT_NO_LINK;
		if (f.len > sizeof(buf) || !lab_read(fd, buf, f.len) || !lab_write(1, buf, f.len))
			break;
	}
	fputs("labctl: the guest went away\n", stderr);
	return EXIT_NO_LINK;
}

static int run(unsigned int cid, const char *cmd, bool with_stdin)
{
	int fd = lab_connect(cid, LAB_PORT_CMD);

	if (fd < 0 || !lab_send(fd, 'c', cmd, strlen(cmd)))
		return EXIT_NO_LINK;
	if (with_stdin)
		send_stdin(fd);
	return receive(fd);
}

static FILE *qmp_open(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(a.sun_path))
		return NULL;
	strcpy(a.sun_path, path);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		return NULL;
	return fdopen(fd, "r+");
}

/* Reads up to the answer, or up to the event when one is named. */
static int qmp_read(FILE *f, const char *event, bool print)
{
	static char *line;
	static size_t size;
	char want[128];

	snprintf(want, sizeof(want), "\"event\": \"%s\"", event ? event : "");
	while (getline(&line, &size, f) > 0) {
		bool ok = strncmp(line, "{\"return\"", 9) == 0;
		bool bad = strncmp(line, "{\"error\"", 8) == 0;

		if (event ? !strstr(line, want) : !ok && !bad)
			continue;
		if (print)
			fputs(line, stdout);
		return bad ? 1 : 0;
	}
	return EXIT_NO_LINK;
}

static int qmp_send(FILE *f, const char *json)
{
	return fprintf(f, "%s\n", json) < 0 || fflush(f) ? EXIT_NO_LINK : 0;
}

static int qmp(const char *path, const char *json, const char *event)
{
	FILE *f = qmp_open(path);

	if (!f || qmp_send(f, "{\"execute\":\"qmp_capabilities\"}") || qmp_read(f, NULL, false))
		return EXIT_NO_LINK;
	if (event)
		return qmp_read(f, event, true);
	if (qmp_send(f, json))
		return EXIT_NO_LINK;
	return qmp_read(f, NULL, true);
}

int main(int argc, char **argv)
{
	bool with_stdin = argc > 2 && strcmp(argv[2], "-i") == 0;
	char **arg = argv + 2 + with_stdin;

	if (argc != 5 + with_stdin)
		return usage();
	signal(SIGALRM, on_alarm);
	signal(SIGPIPE, SIG_IGN);
	alarm((unsigned int)atoi(arg[1]));
	if (strcmp(argv[1], "run") == 0)
		return run((unsigned int)atoi(arg[0]), arg[2], with_stdin);
	if (strcmp(argv[1], "qmp") == 0)
		return qmp(arg[0], arg[2], NULL);
	if (strcmp(argv[1], "event") == 0)
		return qmp(arg[0], NULL, arg[2]);
	return usage();
}
