// SPDX-License-Identifier: GPL-2.0-or-later
/* --guest-uprobe, --guest-usdt: what the agents are asked to probe. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "capture/record_impl.h"
#include "capture/userprobe.h"
#include "capture/wire/wire.h"

static int add(struct record *r, const char *kind, const char *text)
{
	char **to = &r->guest_probes[r->n_guest_probes];

	if (strlen(kind) + strlen(text) > WIRE_TEXT_MAX)
		return log_err_r(-EINVAL, "a guest's probe with its arguments may have %zu bytes",
				 WIRE_TEXT_MAX - strlen(kind));
	if (asprintf(to, "%s%s", kind, text) < 0) {
		*to = NULL;
		return -ENOMEM;
	}
	r->n_guest_probes++;
	return 0;
}

static int add_call(struct record *r, const char *text)
{
	struct probe_spec s;
	int e = probe_spec_parse(text, &s);

	if (e)
		return log_err_r(e, "\"%s\" is not BINARY:SYMBOL[%%return][ ARGS]", text);
	probe_spec_free(&s);
	return add(r, PROBE_CALL, text);
}

static int add_static(struct record *r, const char *text)
{
	struct usdt_spec s;
	int e = usdt_spec_parse(text, &s);

	if (e)
		return e;
	if (!s.binary)
		e = log_err_r(-EINVAL, "\"%s\" is not BINARY:PROVIDER:NAME", text);
	usdt_spec_free(&s);
	return e ? e : add(r, PROBE_STATIC, text);
}

/* Whether a guest has such programs its agent finds out; what is no probe at all is said now. */
int record_guestprobes(struct record *r)
{
	const struct record_config *cfg = r->cfg;
	size_t n = cfg->n_guest_uprobes + cfg->n_guest_usdt;
	int e = 0;

	if (n > WIRE_PROBES_MAX)
		return log_err_r(-EINVAL, "at most %d probes in the guests", WIRE_PROBES_MAX);
	r->guest_probes = calloc(n + 1, sizeof(*r->guest_probes));
	if (!r->guest_probes)
		return -ENOMEM;
	for (size_t i = 0; !e && i < cfg->n_guest_uprobes; i++)
		e = add_call(r, cfg->guest_uprobes[i]);
	for (size_t i = 0; !e && i < cfg->n_guest_usdt; i++)
		e = add_static(r, cfg->guest_usdt[i]);
	return e;
}

void record_guestprobes_free(struct record *r)
{
	for (size_t i = 0; i < r->n_guest_probes; i++)
		free(r->guest_probes[i]);
	free(r->guest_probes);
}
