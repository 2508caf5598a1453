// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"

static enum log_level max_level = LOG_INFO;
static bool progress_shown;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void (*divert)(void *ctx, const char *text);
static void *divert_ctx;
static _Thread_local struct strbuf *kept;

void log_divert_errors(void (*take)(void *ctx, const char *text), void *ctx)
{
	pthread_mutex_lock(&lock);
	divert = take;
	divert_ctx = ctx;
	pthread_mutex_unlock(&lock);
}

void log_set_level(enum log_level level)
{
	max_level = level;
}

enum log_level log_get_level(void)
{
	return max_level;
}

bool log_has_progress(void)
{
	return max_level >= LOG_INFO && isatty(STDERR_FILENO);
}

static void progress_clear(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

__attribute__((format(printf, 1, 0))) static void hand_over(const char *fmt, va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	divert(divert_ctx, text);
}

/* The level, the text, a NUL. */
__attribute__((format(printf, 2, 0))) static void keep(enum log_level level, const char *fmt,
						       va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	strbuf_add(kept, &(char){(char)level}, 1);
	strbuf_add(kept, text, strlen(text) + 1);
}

void log_keep(struct strbuf *to)
{
	kept = to;
}

void log_tell(const struct strbuf *from)
{
	for (size_t at = 0; at < from->n; at += strlen(from->s + at) + 1) {
		enum log_level level = (enum log_level)from->s[at++];

		log_print(level, "%s", from->s + at);
	}
}

__attribute__((format(printf, 2, 0))) static void print_line(enum log_level level, const char *fmt,
							     va_list ap)
{
	static const char *const prefix[] = {"error: ", "warning: ", "", "debug: "};

	int saved = errno;

	if (level > max_level)
		return;
	if (kept) {
		keep(level, fmt, ap);
		return;
	}
	pthread_mutex_lock(&lock);
	errno = saved; /* for %m */
	if (divert && level == LOG_ERR) {
		hand_over(fmt, ap);
		pthread_mutex_unlock(&lock);
		return;
	}
	progress_clear();
	fprintf(stderr, "onetsc: %s", prefix[level]);
	errno = saved;
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	fflush(stderr);
	pthread_mutex_unlock(&lock);
}

void log_print(enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	errno = saved;
	print_line(level, fmt, ap);
	va_end(ap);
	errno = saved;
}

void log_errno(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	errno = err < 0 ? -err : err;
	print_line(LOG_ERR, fmt, ap);
	va_end(ap);
}

void log_progress(const char *fmt, ...)
{
	va_list ap;

	if (!log_has_progress())
		return;
	pthread_mutex_lock(&lock);
	progress_clear();
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fflush(stderr);
	progress_shown = true;
	pthread_mutex_unlock(&lock);
}

void log_progress_end(void)
{
	pthread_mutex_lock(&lock);
	progress_clear();
	pthread_mutex_unlock(&lock);
}
