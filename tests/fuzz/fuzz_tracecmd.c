// SPDX-License-Identifier: GPL-2.0-or-later
/* What a hostile `trace-cmd agent` may send. The first byte chooses: a stream of messages, or a head. */
#include <stdlib.h>
#include <string.h>

#include "capture/meta.h"
#include "capture/wire/tracecmd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void messages(const uint8_t *data, size_t n)
{
	static struct tracecmd_response resp;
	struct tracecmd_header h;

	while (n >= TRACECMD_HEADER_BYTES && !tracecmd_get_header(data, &h) && n >= h.size) {
		if (h.type == TRACECMD_TRACE_RESP &&
		    !tracecmd_get_response(data + TRACECMD_HEADER_BYTES,
					   h.size - TRACECMD_HEADER_BYTES, h.fixed, &resp))
			for (uint32_t i = 0; i < resp.cpus; i++)
				if (!resp.ports[i])
					abort();
		data += h.size;
		n -= h.size;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct meta all = {0};
	uint32_t page = 0;

	if (!n)
		return 0;
	if (data[0] & 1) {
		messages(data + 1, n - 1);
		return 0;
	}
	if (!tracecmd_head(data + 1, n - 1, meta_store, &all, &page) &&
	    (page < 4096 || page & (page - 1)))
		abort();
	if (meta_unify_cmdlines(&all))
		abort();
	meta_free(&all);
	return 0;
}
