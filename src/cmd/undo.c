// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/undo.h"

#include "base/log.h"
#include "capture/instance.h"
#include "capture/qemutrace.h"
#include "capture/uprobes.h"
#include "vm/inject.h"
#include "vm/offset.h"

const struct journal_handler undo_handlers[] = {
	{INSTANCE_UNDO, instance_undo},	  {UPROBES_UNDO, uprobes_undo},
	{QEMUTRACE_UNDO, qemutrace_undo}, {"inject-text", inject_undo_text},
	{"offset", offset_undo},	  {NULL, NULL},
};

int undo_begin(struct journal **ret)
{
	const char *dir = journal_default_dir();
	unsigned undone, failed;
	int r = journal_restore(dir, undo_handlers, &undone, &failed);

	if (r)
		return log_err_r(r, "cannot read the undo journals in \"%s\": %m", dir);
	if (undone)
		log_info("put back %u change%s that a killed onetsc had left", undone,
			 undone == 1 ? "" : "s");
	r = journal_open(dir, ret);
	return r ? log_err_r(r, "cannot create an undo journal in \"%s\": %m", dir) : 0;
}

unsigned undo_end(struct journal *j)
{
	unsigned failed = j ? journal_unwind(j, undo_handlers) : 0;

	journal_close(j);
	return failed;
}
