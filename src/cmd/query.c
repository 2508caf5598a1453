// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc query: SQL over a session in place. */
#include "query/query.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/options.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/input.h"

#define SQL_MAX (1u << 20)

struct config {
	const char *file;
	bool csv, tsv, json;
	struct input_given given;
};

#define AT(member) offsetof(struct config, member)
static const struct opt opts[] = {
	{'f', "file", OPT_STR, AT(file), "FILE", "read the SQL from FILE; \"-\" is stdin"},
	{0, "csv", OPT_FLAG, AT(csv), NULL, "rows as CSV"},
	{0, "tsv", OPT_FLAG, AT(tsv), NULL, "rows with tabs between the values"},
	{'j', "json", OPT_FLAG, AT(json), NULL, "a JSON object a row, one a line"},
	INPUT_OPT_TEXT(AT(given)),
	INPUT_OPT_OFFSET(AT(given)),
	INPUT_OPT_JOBS(AT(given)),
	{0},
};
#undef AT

static const struct opt_spec spec = {
	.command = "query",
	.args = "[SESSION | FILE…] [SQL | .tables [all] | .schema [TABLE]]",
	.summary = "Ask a session in SQL, in place.",
	.details =
		"Tables: events (all of them), one for each kind of event with its fields as\n"
		"columns (kvm_exit, sched_switch …), exits, states (of vCPUs), sched, lost,\n"
		"machines, vcpus, offsets.\n"
		".tables lists them, .schema TABLE tells the columns. Conditions on ts_ns, ticks,\n"
		"machine, vm, cpu, vcpu, pid, system and event keep the rest from being read.\n"
		"Nothing is written or changed. The SQL is SQLite's; to_hex(N) is added.\n",
	.example = "onetsc query web1.onetsc 'SELECT event, count(*) FROM events GROUP BY event'\n"
		   "onetsc query web1.onetsc .schema kvm_exit\n"
		   "onetsc query host.dat guest.dat -f report.sql --csv\n",
	.opts = opts,
};

static struct query *running;

static void on_signal(int number)
{
	query_stop(running); /* once more ends the program: SA_RESETHAND */
}

/* No SA_RESTART: who waits for rows is to wake up. */
static void catch_signals(struct query *q)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	running = q;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

static int read_sql(const char *path, struct strbuf *ret)
{
	bool is_stdin = !strcmp(path, "-");
	_cleanup_fd_ int fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	const char *name = is_stdin ? "standard input" : path;
	char buf[4096];
	ssize_t n;

	if (fd < 0)
		return log_err_r(-errno, "cannot read SQL from \"%s\": %m", name);
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return log_err_r(-errno, "cannot read SQL from \"%s\": %m", name);
		if (memchr(buf, 0, (size_t)n))
			return log_err_r(-EINVAL, "\"%s\" is not a text of SQL", name);
		strbuf_add(ret, buf, (size_t)n);
		if (ret->n > SQL_MAX)
			return log_err_r(-E2BIG, "\"%s\" holds more than %u bytes of SQL", name,
					 SQL_MAX);
	}
	strbuf_puts(ret, "");
	return ret->failed ? log_err_r(-ENOMEM, "cannot read SQL: %m") : 0;
}

/* What is asked: taken off the end of the arguments. */
struct question {
	const char *sql; /* NULL: a dot command */
	bool schema;
	const char *table; /* of a dot command: what is behind it */
	struct strbuf read;
};

/* "NAME", "NAME WHAT": sets *ret_what, NULL without one. */
static bool is_dot(const char *arg, const char *name, const char **ret_what)
{
	size_t n = strlen(name);

	if (strncmp(arg, name, n) || (arg[n] && arg[n] != ' '))
		return false;
	arg += n + strspn(arg + n, " ");
	*ret_what = *arg ? arg : NULL;
	return true;
}

/* .tables [all], .schema [TABLE], also as one argument. */
static bool take_dot(struct input_paths *p, struct question *ret)
{
	const char *last = p->args.n ? p->args.v[p->args.n - 1] : "";
	const char *before = p->args.n > 1 ? p->args.v[p->args.n - 2] : "";

	ret->schema = is_dot(last, ".schema", &ret->table);
	if (ret->schema || is_dot(last, ".tables", &ret->table)) {
		p->args.n--;
		return true;
	}
	ret->schema = !strcmp(before, ".schema");
	if (!ret->schema && strcmp(before, ".tables"))
		return false;
	ret->table = last;
	p->args.n -= 2;
	return true;
}

static int take_question(const struct config *c, struct input_paths *p, struct question *ret)
{
	const char *last = p->args.n ? p->args.v[p->args.n - 1] : NULL;
	int r = 0;

	if (!c->file && take_dot(p, ret))
		return 0;
	if (c->file) {
		r = read_sql(c->file, &ret->read);
	} else if (last && access(last, F_OK)) {
		ret->sql = last;
		p->args.n--;
		return 0;
	} else if (isatty(STDIN_FILENO)) {
		return log_err_r(-EINVAL, "no SQL given; see onetsc query --help");
	} else {
		r = read_sql("-", &ret->read);
	}
	ret->sql = ret->read.s;
	return r;
}

static int answer(const struct config *c, const struct question *a, const struct input *in)
{
	enum query_format format = c->json  ? QUERY_FORMAT_JSON
				   : c->csv ? QUERY_FORMAT_CSV
				   : c->tsv ? QUERY_FORMAT_TSV
					    : QUERY_FORMAT_TABLE;
	_cleanup_free_ struct out *out = calloc(1, sizeof(*out));
	_cleanup_query_ struct query *q = NULL;
	int r;

	if (!out)
		return log_err_r(-ENOMEM, "cannot query: %m");
	out->fd = STDOUT_FILENO;
	r = query_new(in, &q);
	if (r)
		return r;
	catch_signals(q);
	if (a->sql)
		r = query_run(q, a->sql, format, out);
	else if (a->schema)
		r = query_print_schema(q, a->table, out);
	else
		r = query_print_tables(q, a->table != NULL, out);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (query_is_abandoned(q))
		_exit(EXIT_FAILED);
	if (out->err == -EPIPE) /* the reader has seen enough */
		return 0;
	return out->err ? log_err_r(out->err, "cannot write the rows: %m") : r;
}

static int run(int argc, char **argv)
{
	_cleanup_input_ struct input *in = NULL;
	struct input_paths paths = {0};
	struct question question = {0};
	struct config c = {0};
	int r = input_paths_parse(&spec, &c, argc, argv, &paths);

	if (r)
		return r == OPT_HELP ? EXIT_OK : EXIT_USAGE;
	signal(SIGPIPE, SIG_IGN);
	if (c.csv + c.tsv + c.json > 1)
		r = log_err_r(-EINVAL, "--csv, --tsv and --json exclude each other");
	if (!r)
		r = take_question(&c, &paths, &question);
	if (!r)
		r = input_paths_open(&paths, &c.given, &in);
	input_paths_free(&paths);
	if (r == -EINVAL) {
		strbuf_free(&question.read);
		return EXIT_USAGE;
	}
	if (!r)
		r = answer(&c, &question, in);
	strbuf_free(&question.read);
	return r ? EXIT_FAILED : EXIT_OK;
}

const struct command cmd_query = {"query", "ask a session in SQL", run};
