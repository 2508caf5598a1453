/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Talk for people: everything goes to stderr, one line per message. stdout is for data only. */
#pragma once

#include <stdbool.h>

enum log_level { LOG_NONE = -1, LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Highest level that is printed; LOG_INFO at start. -q lowers it to LOG_WARN, -v raises it. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

void log_print(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...)   log_print(LOG_ERR, __VA_ARGS__)
#define log_warn(...)  log_print(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_print(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_print(LOG_DEBUG, __VA_ARGS__)

/* Prints "fmt" as an error and evaluates to err, which is evaluated once, before printing:
 * return log_err_r(-errno, "cannot open \"%s\": %m", path); */
#define log_err_r(err, ...)                       \
	({                                        \
		int log_err_ = (err);             \
		log_errno(log_err_, __VA_ARGS__); \
		log_err_;                         \
	})

/* As log_err, with errno set to -err (or err) for %m. */
void log_errno(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Hands errors to take(), as text without prefix and newline, until it is called with NULL: for a
 * command that reports failures of others as its data. */
void log_divert_errors(void (*take)(void *ctx, const char *text), void *ctx);

/* From here on this thread's messages are added to kept instead of being printed, until it is called with
 * NULL; log_tell() then prints them: so that threads' messages come in an order that is always the same. */
struct strbuf;
void log_keep(struct strbuf *kept);
void log_tell(const struct strbuf *kept);

/* One line that is rewritten in place, only when stderr is a terminal (and not -q).
 * Any other message first ends it. log_progress_end() removes it. */
void log_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_progress_end(void);
bool log_has_progress(void);
