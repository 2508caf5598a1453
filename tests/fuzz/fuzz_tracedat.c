// SPDX-License-Identifier: GPL-2.0-or-later
/* trace.dat, the way report reads it: container, formats, ring-buffer pages, merge, text, JSON. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/log.h"
#include "sink/sink.h"
#include "timeline/timeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static int check_batch(void *state, const struct event *ev, size_t n)
{
	uint64_t *last = state;
	size_t bytes, sum = 0;

	for (size_t i = 0; i < n; i++) {
		require(ev[i].ticks >= *last);
		*last = ev[i].ticks;
		if (ev[i].type != EVENT_RECORD)
			continue;
		require(ev[i].size >= ev[i].kind->min_bytes || ev[i].kind->id == UINT32_MAX);
		for (size_t k = 0; k < ev[i].kind->n_fields; k++) {
			const struct source_field *f = &ev[i].kind->fields[k];
			const char *p = source_field_bytes(f, ev[i].data, ev[i].size, &bytes);

			while (p && bytes)
				sum += (unsigned char)p[--bytes];
		}
	}
	require(sum != SIZE_MAX);
	return 0;
}

static const struct consumer check = {.name = "check", .batch = check_batch};

static void print_all(const struct input *in, struct timeline *t, bool raw)
{
	static struct out out;
	struct sink_text_config config = {.out = &out, .clock = CLOCK_TICKS, .raw = raw};
	struct sink_text *text = NULL;
	struct sink_json *json = NULL;
	uint64_t last = 0;

	out = (struct out){.fd = open("/dev/null", O_WRONLY | O_CLOEXEC)};
	if (!sink_text_new(in, &config, &text) && !sink_json_new(in, &out, &json)) {
		struct timeline_use uses[] = {
			{&check, &last}, {&sink_text_consumer, text}, {&sink_json_consumer, json}};

		require(timeline_run(t, uses, 3) != -EPIPE);
	}
	sink_text_free(text);
	sink_json_free(json);
	close(out.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	_cleanup_fd_ int fd = memfd_create("trace.dat", MFD_CLOEXEC);
	_cleanup_input_ struct input *in = NULL;
	_cleanup_timeline_ struct timeline *t = NULL;
	char path[64];
	const char *paths[] = {path};

	log_set_level(LOG_NONE);
	if (fd < 0 || fd_write_all(fd, data, n))
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (input_open(paths, 1, &in) || timeline_new(in, NULL, &t))
		return 0;
	print_all(in, t, false);
	print_all(in, t, true);
	return 0;
}
