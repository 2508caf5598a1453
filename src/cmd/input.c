// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/input.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

int input_paths_parse(const struct opt_spec *spec, void *config, int argc, char **argv,
		      struct input_paths *ret)
{
	bool rest = false;

	for (int at = 0; at < argc;) {
		int r = rest ? 1 : opt_parse(spec, config, argc - at, argv + at);

		if (r < 0) {
			input_paths_free(ret);
			return r;
		}
		at += r;
		rest |= at > 0 && !strcmp(argv[at - 1], "--");
		if (at < argc) {
			const char **arg = array_add(&ret->args);

			if (!arg)
				return log_err_r(-ENOMEM, "cannot open the files: %m");
			*arg = argv[at];
		}
	}
	return 0;
}

static bool is_session_name(const char *name)
{
	size_t n = strlen(name);

	return n > 7 && !strcmp(name + n - 7, ".onetsc");
}

static int find_newest(char **ret)
{
	_cleanup_dir_ DIR *dir = opendir(".");
	struct timespec best = {0};
	struct dirent *e;
	struct stat st;

	if (!dir)
		return log_err_r(-errno, "cannot read the current directory: %m");
	while ((e = readdir(dir))) {
		if (!is_session_name(e->d_name) || fstatat(dirfd(dir), e->d_name, &st, 0) ||
		    !S_ISDIR(st.st_mode))
			continue;
		if (*ret &&
		    (st.st_mtim.tv_sec < best.tv_sec ||
		     (st.st_mtim.tv_sec == best.tv_sec && st.st_mtim.tv_nsec <= best.tv_nsec)))
			continue;
		free(*ret);
		*ret = strdup(e->d_name);
		if (!*ret)
			return log_err_r(-ENOMEM, "cannot read the current directory: %m");
		best = st.st_mtim;
	}
	if (!*ret)
		return log_err_r(-ENOENT, "no session (*.onetsc) here; name one, or trace.dat "
					  "files of a host and its guests");
	return 0;
}

static int open_paths(struct input_paths *p, const struct input_options *o, struct input **ret)
{
	int r;

	if (p->args.n || o->n_texts)
		return input_open_with(p->args.v, p->args.n, o, ret);
	r = find_newest(&p->newest);
	if (r)
		return r;
	log_info("reading \"%s\"", p->newest);
	return input_open_with((const char *const *)&p->newest, 1, o, ret);
}

int input_paths_open(struct input_paths *p, const struct input_given *given, struct input **ret)
{
	struct input_options o = {
		.texts = given->texts.v,
		.n_texts = given->texts.n,
		.offsets = given->offsets.v,
		.n_offsets = given->offsets.n,
		.threads = given->jobs < UINT_MAX ? (unsigned)given->jobs : UINT_MAX,
	};

	return open_paths(p, &o, ret);
}

void input_paths_free(struct input_paths *p)
{
	array_free(&p->args);
	free(p->newest);
}
