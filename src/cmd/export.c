// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc export: the merged timeline in the formats of other tools. */
#include "cmd/export.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "base/options.h"
#include "cmd/command.h"
#include "cmd/export_place.h"
#include "cmd/input.h"
#include "cmd/window.h"

/* clang-format off */
static const struct export_kind kinds[] = {
	{"html", ".html", "one page for a browser, without network", EXPORT_STREAM, export_html},
	{"json", ".json", "a JSON document, for small windows", EXPORT_STREAM, export_json},
	{"perfetto", ".pftrace", "Perfetto's own format, for ui.perfetto.dev", EXPORT_STREAM, export_perfetto},
	{"sqlite", ".sqlite", "a database, with the tables of onetsc query", EXPORT_FILE, export_sqlite},
	{"trace.dat", ".tracedat", "files for trace-cmd and KernelShark, in a directory", EXPORT_DIR, export_tracedat},
};
/* clang-format on */

struct export_config {
	struct opt_strv to; /* a format, and the end of the window */
	const char *output;
	struct window window;
	struct input_given given;
};

#define AT(member) offsetof(struct export_config, member)
static const struct opt export_opts[] = {
	{'t', "to", OPT_STRV, AT(to), "FORMAT",
	 "html, json, perfetto, sqlite, trace.dat; or, as a TIME, where the part to export ends"},
	{'o', "output", OPT_STR, AT(output), "OUT", "the file to write; \"-\" is standard output"},
	WINDOW_OPT(AT(window), from, "from", "TIME",
		   "from here: \"1.5s\", \"20ms\" after the first event, or ticks as \"123t\""),
	WINDOW_OPT(AT(window), vm, "vm", "GLOB", "leave out all guests but these; the host stays"),
	INPUT_OPT_TEXT(AT(given)),
	INPUT_OPT_OFFSET(AT(given)),
	INPUT_OPT_JOBS(AT(given)),
	{0},
};
#undef AT

static const struct opt_spec export_spec = {
	.command = "export",
	.args = "--to FORMAT [SESSION | FILE…]",
	.summary = "Writes the merged timeline in the format of another tool.",
	.details =
		"SESSION and FILEs as in onetsc report. Without -o the output is called as the\n"
		"input, with the format's ending, in the current directory. It appears under its\n"
		"name when it is whole.",
	.example =
		"  onetsc export --to perfetto web1.onetsc\n"
		"  onetsc export --to perfetto --from 1.2s --to 1.3s -o stall.pftrace host.dat guest.dat",
	.opts = export_opts,
};

static const struct export_kind *kind_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

/* --to is a format or a time: no format begins with a digit. */
static int sort_to(struct export_config *c, const struct export_kind **ret)
{
	*ret = NULL;
	for (size_t i = 0; i < c->to.n; i++) {
		const char *text = c->to.v[i];
		const struct export_kind *k = kind_find(text);

		if (!k && (*text < '0' || *text > '9'))
			return log_err_r(-EINVAL,
					 "\"%s\" is not a format of onetsc export; see "
					 "onetsc export --help",
					 text);
		if (k ? *ret != NULL : c->window.to != NULL)
			return log_err_r(-EINVAL, "--to %s: %s was given already", text,
					 k ? "a format" : "a time");
		if (k)
			*ret = k;
		else
			c->window.to = text;
	}
	if (!*ret)
		return log_err_r(-EINVAL, "no format was given: --to perfetto, for example; see "
					  "onetsc export --help");
	return 0;
}

/* The input's name without directory and ending, with the format's. */
char *export_name(const struct input *in, const char *suffix)
{
	_cleanup_free_ char *title = strdup(in->title);
	char *base, *dot, *name;

	if (!title)
		return NULL;
	for (size_t n = strlen(title); n > 1 && title[n - 1] == '/';)
		title[--n] = 0;
	base = strrchr(title, '/');
	base = base && base[1] ? base + 1 : title;
	dot = strrchr(base, '.');
	if (dot && dot != base && (!strcmp(dot, ".onetsc") || !strcmp(dot, ".dat")))
		*dot = 0;
	return asprintf(&name, "%s%s", base, suffix) < 0 ? NULL : name;
}

/* --- one pass ----------------------------------------------------------------------------- */

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	stopped = sig;
}

struct pass {
	const struct input *in;
	uint64_t first, events, shown;
};

#define SHOW_EVENTS 500000 /* between two lines of progress */

static int pass_batch(void *state, const struct event *ev, size_t n)
{
	struct pass *p = state;
	uint64_t end = p->in->end_ticks, at = ev[n - 1].ticks;

	p->events += n;
	if (stopped)
		return -EINTR;
	if (p->events - p->shown < SHOW_EVENTS)
		return 0;
	p->shown = p->events;
	if (end > p->first && at >= p->first && at <= end)
		log_progress("exporting: %u %%, %.1f million events",
			     (unsigned)((double)(at - p->first) * 100 / (double)(end - p->first)),
			     (double)p->events / 1e6);
	else
		log_progress("exporting: %.1f million events", (double)p->events / 1e6);
	return 0;
}

int export_pass(const struct export_job *job, const struct timeline_use *uses, size_t n)
{
	static const struct consumer progress = {.name = "progress", .batch = pass_batch};
	_cleanup_free_ struct timeline_use *all = calloc(n + 1, sizeof(*all));
	struct pass p = {.in = job->in, .first = timeline_first_ticks(job->t)};
	int r;

	if (!all)
		return log_err_r(-ENOMEM, "cannot export: %m");
	memcpy(all, uses, n * sizeof(*all));
	all[n] = (struct timeline_use){&progress, &p};
	r = timeline_run(job->t, all, n + 1);
	log_progress_end();
	return r;
}

/* --- the command -------------------------------------------------------------------------- */

static int run_to(const struct export_kind *k, struct export_place *place, struct export_job *job,
		  const char *name)
{
	_cleanup_free_ struct out *out = calloc(1, sizeof(*out));
	int r, flushed;

	if (!out)
		return log_err_r(-ENOMEM, "cannot export: %m");
	out->fd = place->fd;
	job->out = out;
	job->path = place->tmp;
	r = k->run(job);
	flushed = out_flush(out);
	if (stopped)
		return log_err_r(-EINTR, "stopped; \"%s\" was not written", name);
	if (flushed)
		return log_err_r(flushed, "cannot write \"%s\": %m%s", name,
				 place->final ? "; nothing is left of it" : "");
	return r ? r : export_place_commit(place);
}

int export_write(const struct export_kind *k, struct export_job *job, const char *name)
{
	struct export_place place;
	int r = export_place_open(name, k->shape, &place);

	if (r)
		return r;
	r = run_to(k, &place, job, strcmp(name, "-") ? name : "standard output");
	export_place_close(&place);
	return r;
}

static int run_export(const struct export_config *c, const struct export_kind *k,
		      const struct input *in)
{
	_cleanup_free_ char *own = c->output ? NULL : export_name(in, k->suffix);
	_cleanup_timeline_ struct timeline *t = NULL;
	const char *name = c->output ?: own;
	struct timeline_filter f = {0};
	struct export_job job = {.in = in, .vm = c->window.vm, .filter = &f, .stop = &stopped};
	int r;

	if (!name)
		return log_err_r(-ENOMEM, "cannot export: %m");
	r = window_filter(&c->window, in, &f);
	if (!r)
		r = timeline_new(in, &f, &t);
	job.t = t;
	if (!r)
		r = export_write(k, &job, name);
	if (!r && strcmp(name, "-"))
		log_info("wrote \"%s\"", name);
	return r;
}

void export_catch_signals(void)
{
	struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file may not grow further: EFBIG */
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
}

static int export_run(int argc, char **argv)
{
	_cleanup_input_ struct input *in = NULL;
	struct input_paths paths = {0};
	const struct export_kind *kind;
	struct export_config c = {0};
	int r;

	r = input_paths_parse(&export_spec, &c, argc, argv, &paths);
	if (r == OPT_HELP)
		return EXIT_OK;
	if (r)
		return EXIT_USAGE;
	r = sort_to(&c, &kind);
	if (!r) {
		export_catch_signals();
		r = input_paths_open(&paths, &c.given, &in);
	}
	if (!r)
		r = run_export(&c, kind, in);
	input_paths_free(&paths);
	if (r == -EINVAL)
		return EXIT_USAGE;
	return r ? EXIT_FAILED : EXIT_OK;
}

const struct command cmd_export = {
	"export",
	"writes the timeline for other tools",
	export_run,
};
