// SPDX-License-Identifier: GPL-2.0-or-later
/* The text reader: the first byte chooses how the rest is read. Lanes must come out in order, and
 * every item inside its bounds, however the bytes are. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/log.h"
#include "source/source.h"
#include "source/textlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define REGEX \
	"^(?<stamp>\\w+) (?:c(?<cpu>\\d+) )?(?<task>[^\\[]*)\\[(?<pid>\\d*)\\] (?<event>\\S*) "

static const char *const options[] = {
	"",
	",base=16",
	",order=file",
	",cpu=2,machine=guest:vm",
	",regex=" REGEX,
	",regex=" REGEX "(?<message>.*)",
};
#define N_WAYS (sizeof(options) / sizeof(*options))

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void read_item(const struct source_item *it)
{
	size_t n, sum = 0;

	if (it->flags & ITEM_LOST)
		return;
	require(it->kind && it->size > it->kind->min_bytes);
	for (size_t i = 0; i < it->kind->n_fields; i++) {
		const char *p = source_field_bytes(&it->kind->fields[i], it->data, it->size, &n);

		while (p && n)
			sum += (unsigned char)p[--n];
	}
	require(sum != SIZE_MAX);
}

static void read_lane(struct source *s, size_t lane, bool sorted)
{
	_cleanup_source_cursor_ struct source_cursor *c = NULL;
	struct source_item items[8];
	uint64_t last = 0;
	int n;

	require(!source_cursor_new(s, lane, NULL, &c));
	while ((n = source_cursor_read(c, items, 1 + (unsigned)lane % 8)) > 0)
		for (int i = 0; i < n; i++) {
			require(!sorted || items[i].raw_ticks >= last);
			last = items[i].raw_ticks;
			read_item(&items[i]);
		}
	require(!n);
}

static void parse_spec(const uint8_t *data, size_t n)
{
	_cleanup_textlog_spec_ struct textlog_spec spec = {0};
	char text[256];

	n = n < sizeof(text) ? n : sizeof(text) - 1;
	memcpy(text, data, n);
	text[n] = 0;
	require(textlog_spec_parse(text, &spec) || spec.path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	_cleanup_textlog_spec_ struct textlog_spec spec = {0};
	_cleanup_source_ struct source *s = NULL;
	_cleanup_fd_ int fd = -1;
	char arg[400];
	unsigned way;

	log_set_level(LOG_NONE);
	if (!n)
		return 0;
	way = *data++ % (N_WAYS + 1);
	n--;
	if (way == N_WAYS) {
		parse_spec(data, n);
		return 0;
	}
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	require(fd >= 0 && !fd_write_all(fd, data, n));
	snprintf(arg, sizeof(arg), "/proc/self/fd/%d%s", fd, options[way]);
	require(!textlog_spec_parse(arg, &spec));
	if (textlog_open(&spec, &s))
		return 0;
	for (size_t i = 0; i < source_facts(s)->n_lanes; i++)
		read_lane(s, i, way != 2);
	return 0;
}
