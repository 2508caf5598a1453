/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's binary trace ("simple" backend), version 4, turned into lines as qemulog.h reads them.
 * Layout (trace/simple.c, QEMU 5 to 10), in the byte order of the machine:
 *
 *   header   u64 ~0, u64 0xf2b177cb0aa429b4, u64 4
 *   mapping  u64 0, u64 id, u32 n, name[n]				may come anywhere before its use
 *   event    u64 1, u64 id, u64 CLOCK_MONOTONIC in ns, u32 bytes from id on, u32 pid, payload
 *   dropped  an event of id ~1, payload u64 count: that many events found no room since the mark
 *            before; written when the writing thread wakes up */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define QEMUSIMPLE_EVENTS "/usr/share/qemu/trace-events-all" /* Debian: qemu-system-common */

/* Does a file that begins so belong to the format (of any version and byte order)? */
bool qemusimple_probe(const uint8_t *p, size_t n);

/* Writes a line per event to fd. events names QEMU's list of trace events; NULL: the usual place, if
 * it is there. Events that are not in it are written with their payload in hexadecimal. What cannot
 * be read is counted and shown with its byte offset in one warning; *ret_missing is what follows the
 * first record that makes no sense. One message on failure. */
must_check int qemusimple_to_text(const char *path, const uint8_t *p, size_t n, const char *events,
				  int fd, uint64_t *ret_missing);
