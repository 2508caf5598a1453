/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing array of any element type: struct ARRAY(struct vm) vms = {0}; */
#pragma once

#include <errno.h>
#include <stdlib.h>

#define ARRAY(type)             \
	{                       \
		type *v;        \
		size_t n, size; \
	}

/* Appends a zeroed element; evaluates to its address or NULL without memory. Addresses move. */
#define array_add(a)                                                                       \
	({                                                                                 \
		__typeof__((a)->v) el_ = NULL;                                             \
		if (!array_grow_((void **)&(a)->v, (a)->n, &(a)->size, sizeof(*(a)->v))) { \
			el_ = &(a)->v[(a)->n++];                                           \
			*el_ = (__typeof__(*(a)->v)){0};                                   \
		}                                                                          \
		el_;                                                                       \
	})

#define array_for_each(p, a) for (__typeof__((a)->v + 0) p = (a)->v; p && p < (a)->v + (a)->n; p++)

#define array_free(a)                   \
	do {                            \
		free((a)->v);           \
		(a)->v = NULL;          \
		(a)->n = (a)->size = 0; \
	} while (0)

static inline int array_grow_(void **v, size_t n, size_t *size, size_t elem)
{
	size_t want = *size ? *size * 2 : 8;
	void *p;

	if (n < *size)
		return 0;
	p = reallocarray(*v, want, elem);
	if (!p)
		return -ENOMEM;
	*v = p;
	*size = want;
	return 0;
}
