// SPDX-License-Identifier: GPL-2.0-or-later
/* QEMU's traces: the first byte chooses whether the rest is a log or simple trace, a list of trace
 * events and a simple trace (cut at the first NUL), or a list of pairs for the clock's lookup. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/log.h"
#include "clock/fit.h"
#include "source/source.h"
#include "source/textlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void read_items(struct source *s)
{
	_cleanup_source_cursor_ struct source_cursor *c = NULL;
	struct source_item items[8];
	uint64_t last = 0;
	int n;

	require(source_facts(s)->n_lanes <= 1);
	if (!source_facts(s)->n_lanes)
		return;
	require(!source_cursor_new(s, 0, NULL, &c));
	while ((n = source_cursor_read(c, items, 8)) > 0)
		for (int i = 0; i < n; i++) {
			require(items[i].raw_ticks >= last && items[i].raw_ticks <= INT64_MAX);
			last = items[i].raw_ticks;
			if (!(items[i].flags & ITEM_LOST))
				require(items[i].kind && items[i].size > items[i].kind->min_bytes);
		}
	require(!n);
}

static int memory_file(const uint8_t *data, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	require(fd >= 0 && !fd_write_all(fd, data, n));
	return fd;
}

static void read_trace(const uint8_t *data, size_t n, const uint8_t *events, size_t events_n)
{
	_cleanup_textlog_spec_ struct textlog_spec spec = {0};
	_cleanup_source_ struct source *s = NULL;
	_cleanup_fd_ int fd = memory_file(data, n), list = memory_file(events, events_n);
	uint64_t kept;
	char arg[200];

	snprintf(arg, sizeof(arg), "/proc/self/fd/%d,kind=qemu,events=/proc/self/fd/%d", fd, list);
	require(!textlog_spec_parse(arg, &spec));
	if (textlog_open(&spec, &s))
		return;
	read_items(s);
	textlog_cut(s, 1000, 1000000, &kept);
	read_items(s);
}

/* A lookup answers as the long way does. */
static void read_pairs(const uint8_t *data, size_t n)
{
	struct fit_lookup *l;
	struct fit_freq f;
	struct fit_pair p[16];
	int64_t ask[2];
	size_t k = 0;

	if (n < sizeof(ask))
		return;
	memcpy(ask, data, sizeof(ask));
	for (n -= sizeof(ask), data += sizeof(ask); n >= sizeof(*p) && k < 16; k++) {
		memcpy(&p[k], data, sizeof(*p));
		data += sizeof(*p);
		n -= sizeof(*p);
	}
	if (ask[0] > ask[1] || fit_freq(p, k, &f))
		return;
	require(!fit_lookup_new(p, k, &f, &l));
	struct tsc_range a = fit_to_ticks(p, k, &f, ask[0], ask[1]);
	struct tsc_range b = fit_lookup_ticks(l, ask[0], ask[1]);

	require(a.lo == b.lo && a.hi == b.hi && a.lo <= a.hi);
	fit_lookup_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char list[] = "kvm_run_exit(int c, uint32_t r) \"c %d, r %\" PRIu32\n"
				   "visit_type(void *v, const char *n) \"v=%p n=%s\"\n";
	const uint8_t *nul;

	log_set_level(LOG_NONE);
	if (!n)
		return 0;
	switch (*data % 3) {
	case 0:
		read_trace(data + 1, n - 1, (const uint8_t *)list, sizeof(list) - 1);
		break;
	case 1:
		nul = memchr(data, 0, n);
		if (nul)
			read_trace(nul + 1, n - (size_t)(nul + 1 - data), data + 1,
				   (size_t)(nul - data - 1));
		break;
	default:
		read_pairs(data + 1, n - 1);
	}
	return 0;
}
