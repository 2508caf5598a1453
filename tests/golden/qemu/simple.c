// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes a trace as QEMU's simple backend does (trace/simple.c, version 4). stdin has a record a
 * line: "map ID NAME", "event ID NS PID [NUMBER | "TEXT"]…", "drop NS COUNT", "word NUMBER". */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void u32(uint32_t v)
{
	fwrite(&v, 4, 1, stdout);
}

static void u64(uint64_t v)
{
	fwrite(&v, 8, 1, stdout);
}

static void event(uint64_t id, uint64_t ns, uint32_t pid, const char *payload, size_t n)
{
	u64(1);
	u64(id);
	u64(ns);
	u32((uint32_t)(24 + n));
	u32(pid);
	fwrite(payload, n, 1, stdout);
}

static size_t arguments(char *p, char *payload)
{
	size_t n = 0;

	while ((p = strtok(NULL, " \n"))) {
		uint64_t v = strtoull(p, NULL, 0);
		uint32_t len = (uint32_t)strlen(p) - 2;

		if (*p != '"') {
			memcpy(payload + n, &v, 8);
			n += 8;
			continue;
		}
		memcpy(payload + n, &len, 4);
		memcpy(payload + n + 4, p + 1, len);
		n += 4 + len;
	}
	return n;
}

static uint64_t number(void)
{
	const char *p = strtok(NULL, " \n");

	if (!p)
		exit(1);
	return strtoull(p, NULL, 0);
}

int main(void)
{
	char line[1000], payload[2000];

	u64(UINT64_MAX);
	u64(UINT64_C(0xf2b177cb0aa429b4));
	u64(4);
	while (fgets(line, sizeof(line), stdin)) {
		char *what = strtok(line, " \n");
		uint64_t a = what ? number() : 0, b, c;

		if (!what)
			return 1;
		if (!strcmp(what, "map")) {
			char *name = strtok(NULL, " \n");

			u64(0);
			u64(a);
			u32((uint32_t)strlen(name));
			fputs(name, stdout);
		} else if (!strcmp(what, "event")) {
			b = number();
			c = number();
			event(a, b, (uint32_t)c, payload, arguments(line, payload));
		} else if (!strcmp(what, "drop")) {
			b = number();
			event(UINT64_MAX - 1, a, 4242, (const char *)&b, 8);
		} else {
			u64(a);
		}
	}
	return ferror(stdout) || fflush(stdout);
}
