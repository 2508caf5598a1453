// SPDX-License-Identifier: GPL-2.0-or-later
/* Puts right what a killed onetsc may have left half done: vCPUs of one VM with different offsets. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "vm/offset.h"
#include "vm/stopvm.h"

struct undo {
	int pid, vm_fd;
	uint64_t start_ticks;
	int64_t target;
	struct {
		unsigned id;
		int fd;
		int64_t old;
	} * vcpu;
	size_t n;
};

static int parse(const char *text, struct undo *u)
{
	int at = 0, step;
	size_t max = 0;

	if (sscanf(text, "%d %" SCNu64 " %d %" SCNd64 "%n", &u->pid, &u->start_ticks, &u->vm_fd,
		   &u->target, &at) != 4 ||
	    u->pid <= 0)
		return -EBADMSG;
	for (const char *p = text + at; *p; p++)
		max += *p == ' ';
	u->vcpu = calloc(max + 1, sizeof(*u->vcpu));
	if (!u->vcpu)
		return -ENOMEM;
	for (text += at; *text; text += step, u->n++)
		if (u->n == max || sscanf(text, " %u:%d:%" SCNd64 "%n", &u->vcpu[u->n].id,
					  &u->vcpu[u->n].fd, &u->vcpu[u->n].old, &step) != 3)
			return -EBADMSG;
	return 0;
}

/* The journal's vCPU that is now at s->vm.vcpus.v[i], or NULL: added since. */
static const int64_t *old_of(const struct undo *u, const struct vcpu *v)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->vcpu[i].id == v->id && u->vcpu[i].fd == v->fd)
			return &u->vcpu[i].old;
	return NULL;
}

/* Which vCPUs have the target and did not have it before. *ret_others: some have not. */
static bool choose(const struct undo *u, const struct stopvm *s, const int64_t now[], bool which[],
		   int64_t old[], bool *ret_others)
{
	bool any = false;

	*ret_others = false;
	for (size_t i = 0; i < s->vm.vcpus.n; i++) {
		const int64_t *before = old_of(u, &s->vm.vcpus.v[i]);

		old[i] = before ? *before : 0;
		which[i] = before && now[i] == u->target && *before != u->target;
		any |= which[i];
		*ret_others |= now[i] != u->target;
	}
	return any;
}

static int undo_stopped(const struct undo *u, struct stopvm *s)
{
	size_t n = s->vm.vcpus.n;
	_cleanup_free_ int64_t *now = calloc(n, sizeof(*now)), *old = calloc(n, sizeof(*old));
	_cleanup_free_ long *result = calloc(n, sizeof(*result));
	_cleanup_free_ bool *which = calloc(n, sizeof(*which));
	bool others, masterclock;
	int r;

	if (!now || !old || !result || !which)
		return -ENOMEM;
	r = stopvm_get_offsets(s, now, result);
	if (r || !choose(u, s, now, which, old, &others))
		return r;
	if (others)
		r = stopvm_set_offsets(s, which, old, result);
	for (size_t i = 0; i < n && !r; i++)
		r = (int)result[i];
	if (!r)
		r = stopvm_renew_clock(s, &masterclock);
	if (!r && others)
		r = stopvm_get_offsets(s, now, result);
	for (size_t i = 0; i < n && !r && others; i++)
		if (which[i] && now[i] != old[i])
			r = -EIO;
	if (!r)
		log_info("process %d: %s", u->pid,
			 others ? "TSC offsets of a half-done change put back"
				: "all TSC offsets had been set; clock renewed");
	return r;
}

static int undo_run(void *arg)
{
	const struct undo *u = arg;
	struct inject_why why = {0};
	struct vm vm = {.pid = u->pid, .start_ticks = u->start_ticks, .vm_fd = u->vm_fd};
	struct journal *journal;
	struct stopvm *s;
	int r, err;

	/* Work on the process needs a journal of its own: we may be killed as well. */
	r = journal_open(journal_default_dir(), &journal);
	if (r)
		return r;
	r = stopvm_open(NULL, &vm, journal, &why, &s);
	if (!r) {
		r = undo_stopped(u, s);
		err = stopvm_close(s);
		r = r ? r : err;
	}
	journal_close(journal);
	if (r == -ESRCH)
		return 0;
	if (r && why.text[0])
		log_warn("process %d: %s", u->pid, why.text);
	return r;
}

int offset_undo(const char *text)
{
	struct undo u = {0};
	int r = parse(text, &u);

	if (!r)
		r = inject_run(undo_run, &u);
	free(u.vcpu);
	return r;
}
