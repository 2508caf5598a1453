// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc restore: puts back what a killed onetsc left. */
#include "base/log.h"
#include "base/options.h"
#include "cmd/command.h"
#include "cmd/undo.h"

struct config {
	const char *dir;
};

static const struct opt opts[] = {
	{0, "dir", OPT_STR, offsetof(struct config, dir), "DIR",
	 "journals to work through; default /run/onetsc, or yours when you are not root"},
	{0},
};

static const struct opt_spec spec = {
	.command = "restore",
	.summary = "Puts back whatever a killed onetsc left behind.",
	.details =
		"Every change to a VM or to the host's tracing is written to an undo journal before it\n"
		"is made. Each run of onetsc undoes what dead ones left; restore does only that.\n"
		"Journals of running ones are not touched. Exit status: 0 nothing is left, 3 something\n"
		"could not be put back.",
	.example = "onetsc restore",
	.opts = opts,
};

static int run(int argc, char **argv)
{
	struct config cfg = {.dir = journal_default_dir()};
	unsigned undone, failed;
	int at = opt_parse(&spec, &cfg, argc, argv), r;

	if (at < 0)
		return at == OPT_HELP ? EXIT_OK : EXIT_USAGE;
	if (at < argc) {
		log_err("restore: takes no argument \"%s\"; see onetsc restore --help", argv[at]);
		return EXIT_USAGE;
	}
	r = journal_restore(cfg.dir, undo_handlers, &undone, &failed);
	if (undone)
		log_info("put back %u change%s that a killed onetsc had left", undone,
			 undone == 1 ? "" : "s");
	if (failed) {
		log_err("%u change%s could not be put back; the reasons are above, run \"onetsc "
			"restore\" again when they are gone",
			failed, failed == 1 ? "" : "s");
		return EXIT_UNRESTORED;
	}
	if (r) {
		log_errno(r, "cannot read the undo journals in \"%s\": %m", cfg.dir);
		return EXIT_FAILED;
	}
	if (!undone)
		log_info("nothing to put back");
	return EXIT_OK;
}

const struct command cmd_restore = {"restore", "put back what a killed onetsc left", run};
