// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

#define MAX_OPTS 64

static int set_value(const struct opt *o, void *config, const char *arg)
{
	void *at = (char *)config + o->at;
	struct opt_strv *list = at;

	switch (o->type) {
	case OPT_FLAG:
		*(bool *)at = true;
		return 0;
	case OPT_COUNT:
		++*(int *)at;
		return 0;
	case OPT_STR:
		*(const char **)at = arg;
		return 0;
	case OPT_STRV:
		if (list->n == OPT_STRV_MAX)
			return -E2BIG;
		list->v[list->n++] = arg;
		return 0;
	case OPT_U64:
		return text_to_u64(arg, at);
	case OPT_NS:
		return text_to_ns(arg, at);
	case OPT_BYTES:
		return text_to_bytes(arg, at);
	}
	return -EINVAL;
}

static bool takes_arg(const struct opt *o)
{
	return o->type != OPT_FLAG && o->type != OPT_COUNT;
}

/* Fills getopt's tables; values 256 + index name the table's rows. */
static void build_tables(const struct opt *opts, struct option *longs, char *shorts)
{
	size_t n = 0, k = 0;

	shorts[k++] = '+';
	shorts[k++] = ':';
	shorts[k++] = 'h';
	shorts[k++] = 'v';
	shorts[k++] = 'q';
	for (; opts[n].name && n < MAX_OPTS; n++) {
		longs[n] = (struct option){opts[n].name, takes_arg(&opts[n]), NULL, 256 + (int)n};
		if (!opts[n].letter)
			continue;
		shorts[k++] = opts[n].letter;
		if (takes_arg(&opts[n]))
			shorts[k++] = ':';
	}
	longs[n++] = (struct option){"help", 0, NULL, 'h'};
	longs[n++] = (struct option){"verbose", 0, NULL, 'v'};
	longs[n++] = (struct option){"quiet", 0, NULL, 'q'};
	longs[n] = (struct option){0};
	shorts[k] = 0;
}

static const struct opt *find_opt(const struct opt *opts, int c)
{
	if (c >= 256)
		return &opts[c - 256];
	for (; opts->name; opts++)
		if (opts->letter == c)
			return opts;
	return NULL;
}

static int usage_error(const struct opt_spec *spec, int c, char **argv)
{
	const char *word = optind > 0 && argv[optind - 1] ? argv[optind - 1] : "";

	log_err("%s: %s \"%s\"; see onetsc %s --help", spec->command,
		c == ':' ? "a value is missing after" : "unknown or ambiguous option", word,
		spec->command);
	return -EINVAL;
}

static int handle_opt(const struct opt_spec *spec, void *config, int c, char **argv)
{
	const struct opt *o;
	int r;

	if (c == 'h') {
		opt_print_help(spec, stdout);
		return OPT_HELP;
	}
	if (c == 'v' || c == 'q') {
		log_set_level(c == 'v' ? LOG_DEBUG : LOG_WARN);
		return 0;
	}
	o = find_opt(spec->opts, c);
	if (c == '?' || c == ':' || !o)
		return usage_error(spec, c, argv);
	r = set_value(o, config, optarg);
	if (r)
		log_err("%s: \"%s\" is not a valid value of --%s %s; see onetsc %s --help",
			spec->command, optarg, o->name, o->arg, spec->command);
	return r ? -EINVAL : 0;
}

int opt_parse(const struct opt_spec *spec, void *config, int argc, char **argv)
{
	struct option longs[MAX_OPTS + 4];
	char shorts[2 * MAX_OPTS + 8];
	int c, r;

	build_tables(spec->opts, longs, shorts);
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		r = handle_opt(spec, config, c, argv);
		if (r)
			return r;
	}
	return optind;
}

static void print_opt(FILE *out, char letter, const char *name, const char *arg, const char *help)
{
	char left[64];
	int n = snprintf(left, sizeof(left), "  %c%c%s--%s%s%s", letter ? '-' : ' ',
			 letter ? letter : ' ', letter ? ", " : "  ", name, arg ? " " : "",
			 arg ? arg : "");

	if (n > 27)
		fprintf(out, "%s\n%28s%s\n", left, "", help);
	else
		fprintf(out, "%-28s%s\n", left, help);
}

void opt_print_help(const struct opt_spec *spec, FILE *out)
{
	fprintf(out, "usage: onetsc %s [options]%s%s\n%s\n", spec->command, spec->args ? " " : "",
		spec->args ? spec->args : "", spec->summary);
	if (spec->details)
		fprintf(out, "\n%s\n", spec->details);
	fputs("\noptions:\n", out);
	for (const struct opt *o = spec->opts; o->name; o++)
		print_opt(out, o->letter, o->name, o->arg, o->help);
	print_opt(out, 'v', "verbose", NULL, "say more");
	print_opt(out, 'q', "quiet", NULL, "only warnings and errors");
	print_opt(out, 'h', "help", NULL, "this text");
	if (spec->example)
		fprintf(out, "\nexample:\n%s\n", spec->example);
}
