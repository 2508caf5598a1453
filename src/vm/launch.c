// SPDX-License-Identifier: GPL-2.0-or-later
/* Which program, and how it can be followed; the way by preloading. */
#include "vm/launch.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "vm/shim/shim.h"

#define SHIM_NAME     "libonetsc-shim.so"
#define MAX_PHDRS     256
#define MAX_SCRIPTS   4 /* as the kernel: an interpreter may be a script */
#define SHEBANG_BYTES 256

static int __attribute__((format(printf, 3, 4)))
fail(struct inject_why *why, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return err;
}

static bool is_program(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

/* As execvp(3) would find it. */
static int find_program(const char *file, char *path, size_t n)
{
	const char *dirs = getenv("PATH");

	if (strchr(file, '/')) {
		if ((size_t)snprintf(path, n, "%s", file) >= n)
			return -ENAMETOOLONG;
		return access(path, F_OK) ? -errno : is_program(path) ? 0 : -EACCES;
	}
	for (dirs = dirs ? dirs : "/usr/local/bin:/usr/bin:/bin"; *dirs;) {
		size_t len = strcspn(dirs, ":");
		int k = snprintf(path, n, "%.*s%s%s", (int)len, dirs, len ? "/" : "", file);

		if (k > 0 && (size_t)k < n && is_program(path))
			return 0;
		dirs += len + (dirs[len] == ':');
	}
	return -ENOENT;
}

/* Would starting it change the user or the capabilities? */
static bool changes_rights(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return true;
	return ((st.st_mode & S_ISUID) && st.st_uid != geteuid()) ||
	       ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getegid()) ||
	       (geteuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0);
}

static int check_elf(int fd, const char *path, struct launch_plan *p, struct inject_why *why)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;

	if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh) || memcmp(eh.e_ident, ELFMAG, SELFMAG) ||
	    eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != EM_X86_64 ||
	    eh.e_phentsize != sizeof(ph) || eh.e_phnum > MAX_PHDRS)
		return fail(why, -EOPNOTSUPP, "\"%s\" is not a 64-bit x86 program", path);
	p->way = LAUNCH_TRACE;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		if (pread(fd, &ph, sizeof(ph), (off_t)(eh.e_phoff + i * sizeof(ph))) != sizeof(ph))
			return fail(why, -EOPNOTSUPP, "\"%s\" is cut off", path);
		if (ph.p_type == PT_INTERP)
			p->way = LAUNCH_SHIM;
	}
	return 0;
}

/* The interpreter's path in "#!/path arg". */
static bool read_shebang(int fd, char *interpreter, size_t n)
{
	char line[SHEBANG_BYTES + 1], *p;
	ssize_t k = pread(fd, line, SHEBANG_BYTES, 0);

	if (k < 3 || memcmp(line, "#!", 2))
		return false;
	line[k] = 0;
	p = line + 2 + strspn(line + 2, " \t");
	p[strcspn(p, " \t\r\n")] = 0;
	return *p && (size_t)snprintf(interpreter, n, "%s", p) < n;
}

static int look_at(const char *path, struct launch_plan *p, struct inject_why *why)
{
	char now[PATH_MAX], next[PATH_MAX];

	snprintf(now, sizeof(now), "%s", path);
	for (int depth = 0; depth <= MAX_SCRIPTS; depth++) {
		_cleanup_fd_ int fd = open(now, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return fail(why, -errno, "cannot read \"%s\": %s", now, strerror(errno));
		/* The kernel heeds these bits of programs, not of scripts. */
		if (read_shebang(fd, next, sizeof(next))) {
			p->script = true;
			memcpy(now, next, sizeof(now));
			continue;
		}
		if (changes_rights(fd))
			return fail(why, -EPERM,
				    "\"%s\" runs with other rights than yours (set-user-id or file "
				    "capabilities), so nothing can be preloaded or traced",
				    now);
		return check_elf(fd, now, p, why);
	}
	return fail(why, -EOPNOTSUPP, "\"%s\" is a script of scripts without end", path);
}

int launch_plan_make(const char *file, struct launch_plan *ret, struct inject_why *why)
{
	struct launch_plan p = {0};
	char path[PATH_MAX];
	int r = find_program(file, path, sizeof(path));

	if (r)
		return fail(why, r, "cannot start \"%s\": %s", file, strerror(-r));
	r = look_at(path, &p, why);
	if (r)
		return r;
	if (p.script && p.way == LAUNCH_TRACE)
		return fail(why, -EOPNOTSUPP,
			    "\"%s\" is a script of a statically linked interpreter; start the VMM "
			    "itself",
			    path);
	p.path = strdup(path);
	if (!p.path)
		return fail(why, -ENOMEM, "out of memory");
	*ret = p;
	return 0;
}

void launch_plan_free(struct launch_plan *p)
{
	free(p->path);
	p->path = NULL;
}

/* Next to our own program, in its build directory, or where it was installed. */
static int find_shim(char *path, size_t n)
{
	static const char *const places[] = {"%s/" SHIM_NAME, "%s/src/vm/shim/" SHIM_NAME,
					     ONETSC_LIBDIR "/onetsc/" SHIM_NAME};
	char exe[PATH_MAX - 64], *slash;
	ssize_t k = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (k <= 0)
		return -ENOENT;
	exe[k] = 0;
	slash = strrchr(exe, '/');
	if (slash)
		*slash = 0;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (strchr(places[i], '%'))
			snprintf(path, n, "%s%s", exe, places[i] + 2);
		else
			snprintf(path, n, "%s", places[i]);
		if (!access(path, R_OK))
			return 0;
	}
	return -ENOENT;
}

static int set_environment(const struct launch_plan *p, const char *shim, uint64_t host_khz,
			   bool quiet)
{
	const char *old = getenv("LD_PRELOAD");
	_cleanup_free_ char *list = NULL, *conf = NULL;

	if (asprintf(&list, "%s%s%s", shim, old && *old ? ":" : "", old ? old : "") < 0)
		list = NULL;
	if (asprintf(&conf, "%s%s%s %" PRIu64 " %s", quiet ? "q" : "", p->script ? "s" : "",
		     !quiet && !p->script ? "-" : "", host_khz, shim) < 0)
		conf = NULL;
	if (!list || !conf)
		return -ENOMEM;
	return setenv("LD_PRELOAD", list, 1) || setenv(SHIM_ENV, conf, 1) ? -errno : 0;
}

int launch_exec(const struct launch_plan *p, char *const argv[], uint64_t host_khz, bool quiet,
		struct inject_why *why)
{
	char shim[PATH_MAX];
	int r = find_shim(shim, sizeof(shim));

	if (r)
		return fail(why, r,
			    "cannot find " SHIM_NAME " next to onetsc or in " ONETSC_LIBDIR
			    "/onetsc; was onetsc installed completely?");
	if (strpbrk(shim, ": "))
		return fail(why, -EINVAL,
			    "\"%s\" cannot be preloaded: its path has a colon or a blank", shim);
	r = set_environment(p, shim, host_khz, quiet);
	if (r)
		return fail(why, r, "cannot set the environment: %s", strerror(-r));
	execv(p->path, argv);
	return fail(why, -errno, "cannot start \"%s\": %s", p->path, strerror(errno));
}
