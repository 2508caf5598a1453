// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes one world by hand: truth-gen --seed 7 --session /tmp/w7 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "files.h"

struct config {
	uint64_t seed, events, repeat;
	bool session;
	struct opt_strv without;
};

static const struct opt opts[] = {
	{'s', "seed", OPT_U64, offsetof(struct config, seed), "N", "which world"},
	{'n', "events", OPT_U64, offsetof(struct config, events), "N", "about how many events"},
	{'r', "repeat", OPT_U64, offsetof(struct config, repeat), "N",
	 "write it N times, one after the other in time: for large files"},
	{0, "session", OPT_FLAG, offsetof(struct config, session), NULL,
	 "a session directory, not files side by side"},
	{0, "without", OPT_STRV, offsetof(struct config, without), "FEATURE",
	 "scaling, steps, backward, loss, host-loss, ties, wrap, sparse, edges, forms"},
	{0},
};

static const struct opt_spec spec = {
	.command = "truth-gen",
	.args = "DIR",
	.summary = "Write traces of a made-up world, and what really happened in it.",
	.example = "truth-gen --seed 7 --without loss /tmp/w7\n"
		   "truth-gen --events 1000000 --repeat 100 --session /tmp/large.onetsc",
	.opts = opts,
};

int main(int argc, char **argv)
{
	struct config c = {.seed = 1, .events = 4000};
	struct world w = {0};
	int r = opt_parse(&spec, &c, argc, argv);

	if (r == OPT_HELP)
		return 0;
	if (r < 0 || r != argc - 1)
		return 2;
	w.features = features_without(c.without.v, c.without.n);
	if (!w.features)
		return 2;
	w.seed = c.seed;
	w.events = (unsigned)c.events;
	w.session = c.session;
	w.repeat = (unsigned)c.repeat;
	if (w.repeat > 1) /* what moving stamps in time would not leave as it is */
		w.features &= ~(unsigned)(F_SCALING | F_STEPS | F_LOSS | F_HOST_LOSS | F_WRAP |
					  F_EDGES | F_FORMS);
	r = world_make(&w);
	if (w.repeat > 1) {
		w.span = (w.end - w.begin) / w.grain * w.grain + w.grain;
		w.end = w.begin + w.span * w.repeat;
	}
	if (!r)
		r = world_write(&w, argv[argc - 1]);
	if (r)
		fprintf(stderr, "%s: %s\n", argv[argc - 1], strerror(-r));
	world_free(&w);
	return r ? 1 : 0;
}
