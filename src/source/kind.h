/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kinds of events and how to get at the fields of their records. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum source_field_type {
	FIELD_UINT, /* offset, size 1, 2, 4 or 8 */
	FIELD_INT,
	FIELD_STRING,	  /* char[size], perhaps without a NUL */
	FIELD_DYN_STRING, /* u32 at offset: length << 16 | offset from the record's start */
	FIELD_REL_STRING, /* the same, offset from the end of the u32 */
	FIELD_BYTES,	  /* size bytes of anything else */
	FIELD_DYN_BYTES,
	FIELD_REL_BYTES,
};

struct source_field {
	const char *name;
	uint16_t offset, size;
	uint8_t type; /* enum source_field_type */
	bool is_common;
	bool is_pointer; /* shown in hex */
};

/* One kind of event. Records of a kind hold at least min_bytes bytes, so that its fields (but the
 * far ends of dynamic ones) may be read unchecked. */
struct source_kind {
	const char *system, *name;
	uint32_t id;	/* common_type in the records; UINT32_MAX for the kind of broken records */
	uint32_t index; /* dense: 0 .. source_facts().n_kinds - 1 */
	uint32_t min_bytes;
	int32_t pid_at;			   /* offset of common_pid (4 bytes), -1: none */
	const struct source_field *fields; /* the common ones first */
	size_t n_fields;
};

/* NULL when the kind has no such field of a fixed place. */
const struct source_field *source_field_find(const struct source_kind *k, const char *name);

/* Value of a FIELD_UINT or FIELD_INT (sign-extended) of a record. */
static inline uint64_t source_field_u64(const struct source_field *f, const void *record)
{
	const char *p = (const char *)record + f->offset;
	union {
		uint8_t u8;
		uint16_t u16;
		uint32_t u32;
		uint64_t u64;
	} v;

	switch (f->size) {
	case 1:
		memcpy(&v.u8, p, 1);
		return f->type == FIELD_INT ? (uint64_t)(int8_t)v.u8 : v.u8;
	case 2:
		memcpy(&v.u16, p, 2);
		return f->type == FIELD_INT ? (uint64_t)(int16_t)v.u16 : v.u16;
	case 4:
		memcpy(&v.u32, p, 4);
		return f->type == FIELD_INT ? (uint64_t)(int32_t)v.u32 : v.u32;
	default:
		memcpy(&v.u64, p, 8);
		return v.u64;
	}
}

/* Thread that a record belongs to; -1 unknown. */
static inline int source_record_pid(const struct source_kind *k, const void *record)
{
	int pid = -1;

	if (k->pid_at >= 0)
		memcpy(&pid, (const char *)record + k->pid_at, sizeof(pid));
	return pid;
}

/* Bytes of a string or bytes field of any type inside a record of n bytes; for strings up to the
 * first NUL. Returns NULL (and 0 bytes) when it points outside. */
const void *source_field_bytes(const struct source_field *f, const void *record, size_t n,
			       size_t *ret_n);
