/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files mapped for reading that somebody may cut short meanwhile. Touching a page that is gone is a
 * SIGBUS; a handler (installed with a map, passing on what is not ours) puts pages of zeros
 * there and notes it, so that reading goes on to the next call of mapped_lost(). Intact files cost
 * nothing. Silent. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct mapped;

/* The first n bytes of the file, n > 0. The file descriptor may be closed then. */
must_check int mapped_new(int fd, size_t n, struct mapped **ret);
void mapped_free(struct mapped *m);
const uint8_t *mapped_bytes(const struct mapped *m);
/* Offset from which on bytes could not be read and were zeros; SIZE_MAX: none that was touched. */
size_t mapped_lost(const struct mapped *m);
/* Looks at the file too: the rest of a page that is partly gone reads as zeros without a fault. */
size_t mapped_lost_now(struct mapped *m, const char *path);
