// SPDX-License-Identifier: GPL-2.0-or-later
/* What libtraceevent 1.7.1 is not to print. */
#include <event-parse.h>

#include "sink/fmt_compile.h"

static bool is_trap(const struct tep_print_arg *a, unsigned depth)
{
	switch (a->type) {
	case TEP_PRINT_HEX:
	case TEP_PRINT_HEX_STR:
	case TEP_PRINT_INT_ARRAY:
		return true;
	case TEP_PRINT_DYNAMIC_ARRAY_LEN:
		return !a->dynarray.field || a->dynarray.field->flags & TEP_FIELD_IS_RELATIVE;
	case TEP_PRINT_TYPE:
		return fmt_traps_are_in(a->typecast.item, depth);
	case TEP_PRINT_OP:
		return fmt_traps_are_in(a->op.left, depth) || fmt_traps_are_in(a->op.right, depth);
	case TEP_PRINT_FLAGS:
		return fmt_traps_are_in(a->flags.field, depth);
	case TEP_PRINT_SYMBOL:
		return fmt_traps_are_in(a->symbol.field, depth);
	case TEP_PRINT_FUNC:
		return fmt_traps_are_in(a->func.args, depth);
	default:
		return false;
	}
}

bool fmt_traps_are_in(const struct tep_print_arg *args, unsigned depth)
{
	if (depth >= FMT_DEPTH_MAX)
		return true;
	for (; args; args = args->next)
		if (is_trap(args, depth + 1))
			return true;
	return false;
}
