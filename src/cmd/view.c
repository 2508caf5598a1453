// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc view: the timeline in a browser. */
#include "cmd/view.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/export.h"
#include "cmd/input.h"
#include "cmd/window.h"

struct view_config {
	const char *output;
	bool perfetto, no_open;
	struct window window;
	struct input_given given;
};

#define AT(member) offsetof(struct view_config, member)
static const struct opt view_opts[] = {
	{0, "perfetto", OPT_FLAG, AT(perfetto), NULL,
	 "in Perfetto: serve the trace to ui.perfetto.dev on 127.0.0.1:9001, once"},
	{'o', "output", OPT_STR, AT(output), "FILE", "where to write the page"},
	{'n', "no-open", OPT_FLAG, AT(no_open), NULL, "open no browser, only say the address"},
	WINDOW_OPTS(AT(window)),
	INPUT_OPT_TEXT(AT(given)),
	INPUT_OPT_OFFSET(AT(given)),
	{0},
};
#undef AT

static const struct opt_spec view_spec = {
	.command = "view",
	.args = "[SESSION | FILE…]",
	.summary = "Shows the timeline in a browser.",
	.details =
		"SESSION and FILEs as in onetsc report. The page is one file, NAME.html in the\n"
		"current directory, that needs no network and can be sent to others. Where there\n"
		"is no desktop its address is printed.",
	.example = "  onetsc view web1.onetsc\n"
		   "  onetsc view --perfetto --from 1.2s --to 1.4s web1.onetsc",
	.opts = view_opts,
};

/* "file:///…" of a path. NULL without memory. */
static char *file_url(const char *path)
{
	_cleanup_free_ char *whole = realpath(path, NULL);
	_cleanup_strbuf_ struct strbuf b = {0};

	if (!whole)
		return NULL;
	strbuf_puts(&b, "file://");
	for (const char *p = whole; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    strchr("/-._~", c))
			strbuf_add(&b, p, 1);
		else
			strbuf_printf(&b, "%%%02X", c);
	}
	return b.failed ? NULL : TAKE_PTR(b.s);
}

/* Opens it, or says what to open. */
static void offer(const struct view_config *c, const char *url)
{
	int r = c->no_open ? -ENODEV : view_open(url);

	printf("%s\n", url);
	fflush(stdout);
	if (r == -ENODEV && !c->no_open)
		log_info("no desktop here; open this address in a browser");
	else if (r == -EPERM)
		log_info("no browser is started as root; open this address yourself");
	else if (r && r != -ENODEV)
		log_info("xdg-open cannot be run; open this address in a browser");
}

static int show_page(const struct view_config *c, struct export_job *job)
{
	static const struct export_kind html = {"html", ".html", "", EXPORT_STREAM, export_html};
	_cleanup_free_ char *own = export_name(job->in, html.suffix), *url = NULL;
	const char *name = c->output ?: own;
	int r;

	if (!name)
		return log_err_r(-ENOMEM, "cannot write the page: %m");
	if (!strcmp(name, "-"))
		return log_err_r(-EINVAL, "a browser cannot read standard output; onetsc export "
					  "--to html writes to it");
	r = export_write(&html, job, name);
	if (r)
		return r;
	view_give(name);
	url = file_url(name);
	if (!url)
		return log_err_r(-ENOMEM, "cannot tell the address of \"%s\": %m", name);
	offer(c, url);
	return 0;
}

/* A file without a name: it is gone with us. */
static int write_trace(struct export_job *job, int *ret_fd, uint64_t *ret_bytes)
{
	const char *dir = getenv("TMPDIR") ?: "/var/tmp";
	_cleanup_fd_ int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	_cleanup_free_ struct out *out = calloc(1, sizeof(*out));
	int r, flushed;
	off_t n;

	if (fd < 0)
		return log_err_r(-errno, "cannot make a temporary file in \"%s\": %m", dir);
	if (!out)
		return log_err_r(-ENOMEM, "cannot export: %m");
	out->fd = fd;
	job->out = out;
	r = export_perfetto(job);
	flushed = out_flush(out);
	if (flushed)
		return log_err_r(flushed, "cannot write the trace to \"%s\": %m", dir);
	if (r == -EINTR)
		return log_err_r(r, "stopped");
	if (r)
		return r;
	n = lseek(fd, 0, SEEK_END);
	if (n < 0)
		return log_err_r(-errno, "cannot read the trace back: %m");
	*ret_bytes = (uint64_t)n;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The tracks of the vCPUs pinned to the top; the commands are among those that Perfetto's documentation
 * promises to keep (Commands Automation Reference). */
#define COMMANDS                                                                                    \
	"%5B%7B%22id%22%3A%22dev.perfetto.PinTracksByRegex%22%2C%22args%22%3A%5B%22%5EvCPU%20%5B0-" \
	"9%5D%2B%24%22%5D%7D%5D"

static int show_perfetto(const struct view_config *c, struct export_job *job)
{
	_cleanup_fd_ int file = -1, fd = -1;
	struct view_server s;
	uint64_t bytes = 0;
	char url[512];
	int r = view_listen(VIEW_PORT, &s);

	if (r)
		return r;
	fd = s.fd;
	r = write_trace(job, &file, &bytes);
	if (r)
		return r;
	/* The pass is over: now Ctrl-C may end us at once, nothing of us stays. */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	snprintf(url, sizeof(url), "%s/#!/?url=http://127.0.0.1:%u%s&startupCommands=%s",
		 VIEW_ORIGIN, s.port, s.path, COMMANDS);
	offer(c, url);
	log_info("serving the trace, %.1f MB, until it is fetched; Ctrl-C ends that",
		 (double)bytes / 1e6);
	return view_serve(&s, file, bytes);
}

static int run_view(const struct view_config *c, const struct input *in)
{
	_cleanup_timeline_ struct timeline *t = NULL;
	struct export_job job = {.in = in, .vm = c->window.vm};
	struct timeline_filter f = {0};
	int r = window_filter(&c->window, in, &f);

	if (!r)
		r = timeline_new(in, &f, &t);
	if (r)
		return r;
	job.t = t;
	return c->perfetto ? show_perfetto(c, &job) : show_page(c, &job);
}

static int view_run(int argc, char **argv)
{
	_cleanup_input_ struct input *in = NULL;
	struct input_paths paths = {0};
	struct view_config c = {0};
	int r;

	r = input_paths_parse(&view_spec, &c, argc, argv, &paths);
	if (r == OPT_HELP)
		return EXIT_OK;
	if (r)
		return EXIT_USAGE;
	if (c.perfetto && c.output) {
		log_err("--output is of the page, --perfetto writes none; onetsc export --to "
			"perfetto writes a file");
		input_paths_free(&paths);
		return EXIT_USAGE;
	}
	export_catch_signals();
	r = input_paths_open(&paths, &c.given, &in);
	if (!r)
		r = run_view(&c, in);
	input_paths_free(&paths);
	if (r == -EINVAL)
		return EXIT_USAGE;
	return r ? EXIT_FAILED : EXIT_OK;
}

const struct command cmd_view = {
	"view",
	"shows the timeline in a browser",
	view_run,
};
