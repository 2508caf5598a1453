/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory for megabytes that are written at once: in huge pages where the kernel has some, for else half of
 * the time goes into faults. free() releases it. */
#pragma once

#include <stdlib.h>
#include <sys/mman.h>

static inline void *large_new(size_t bytes)
{
	const size_t huge = 2u << 20;
	size_t whole = (bytes + huge - 1) & ~(huge - 1);
	void *p;

#ifdef __SANITIZE_ADDRESS__ /* sees reads behind the end only where the end is */
	return malloc(bytes);
#endif
	if (bytes < huge / 2 || whole < bytes)
		return malloc(bytes);
	p = aligned_alloc(huge, whole);
	if (p)
		madvise(p, whole, MADV_HUGEPAGE);
	return p;
}
