// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/zero_job.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mono.h"
#include "cmd/zero_names.h"
#include "vm/proc.h"

#define MAX_JOBS   64
#define PF_EXITING 0x4u /* include/linux/sched.h */

struct job {
	struct job *next;
	struct jobs *jobs;
	bool held;	     /* else a rezero */
	bool slipped;	     /* a vCPU has run although it is held */
	struct gate_event e; /* a rezero knows tgid and start_ns only */
};

struct jobs {
	struct jobs_config config;
	pthread_mutex_t lock; /* what follows */
	pthread_cond_t ended;
	struct job *running; /* those whose VM is not decided on yet */
	unsigned n;	     /* threads */
	bool finished;
};

/* vCPU threads that spin at the gate are in no system call: the gate knows them. */
static void fill_threads(struct gate *g, const struct gate_event *e, struct vm *vm)
{
	array_for_each(v, &vm->vcpus) {
		pid_t tid = gate_thread(g, e->kvm, v->id);

		if (tid)
			v->tid = tid;
	}
}

/* Asked when all vCPU threads stand still: from then on the guest cannot run, deadline or not. */
static bool is_still_held(void *ctx)
{
	struct job *j = ctx;
	const struct jobs_config *c = &j->jobs->config;

	int r;

	if (!gate_decide(c->gate, &j->e, GATE_CLAIM, c->options->deadline_ns))
		return false;
	r = gate_has_slipped(c->gate, &j->e, &j->slipped);
	if (r)
		log_errno(r, "pid %u: cannot tell whether it has run: %m; it is left alone",
			  j->e.tgid);
	return !r && !j->slipped;
}

/* Sets r->outcome and what belongs to it. */
static int zero_vm(struct job *j, struct vm *vm, struct zero_report *r)
{
	const struct jobs_config *c = &j->jobs->config;
	const struct offset_check check = {is_still_held, j};
	int err;

	if (j->held && j->e.catchup) {
		r->outcome = ZERO_CATCHUP;
		return 0;
	}
	if (vm_count_fds(NULL, vm->pid) > 1) {
		r->outcome = ZERO_FOREIGN;
		return 0;
	}
	if (j->held)
		fill_threads(c->gate, &j->e, vm);
	r->refusal = offset_preflight(NULL, vm);
	if (r->refusal == OFFSET_OK) {
		err = offset_set_all_if(NULL, vm, 0, c->journal, j->held ? &check : NULL,
					&r->result);
		if (err)
			return err;
		r->refusal = r->result.refusal;
		if (r->refusal == OFFSET_GONE && vm_alive(NULL, vm))
			r->refusal = OFFSET_FAILED;
	}
	r->outcome = j->slipped ? ZERO_SLIPPED : r->refusal == OFFSET_OK ? ZERO_DONE : ZERO_REFUSED;
	return 0;
}

/* The VM of the event, if it is still there. */
static int find_vm(const struct job *j, struct vm *ret)
{
	int r = vm_find_pid(NULL, (pid_t)j->e.tgid, ret);

	if (r)
		return r;
	if (zero_same_start(ret, j->e.start_ns))
		return 0;
	vm_free(ret);
	return -ENOENT;
}

static enum gate_op decision(enum zero_outcome outcome)
{
	return outcome == ZERO_DONE ? GATE_DONE : GATE_LEAVE;
}

static void report(struct job *j, struct zero_report *r)
{
	const struct jobs_config *c = &j->jobs->config;

	r->time_ns = mono_ns();
	if (j->held)
		r->held_ns = r->time_ns - j->e.held_ns;
	/* A VM that has ended needs no line; of the deadline the gate itself tells. */
	if (r->outcome == ZERO_REFUSED &&
	    (r->refusal == OFFSET_GONE || r->refusal == OFFSET_UNWANTED))
		return;
	printer_post(c->printer, r);
	if (c->on_end)
		c->on_end(c->ctx, r->outcome);
}

/* A VM that ends needs no line. One that lives and is not found must not be left silently. */
static void say_not_found(struct job *j, int err)
{
	struct zero_report r = {
		.outcome = ZERO_REFUSED,
		.refusal = OFFSET_FAILED,
		.pid = (pid_t)j->e.tgid,
		.start_ns = j->e.start_ns,
		.offset = (int64_t)j->e.offset,
	};
	struct proc_stat s;

	if (proc_stat_read(NULL, r.pid, 0, &s) || s.state == 'Z' || s.state == 'X' ||
	    s.flags & PF_EXITING || !zero_same_ticks(s.start_ticks, j->e.start_ns)) {
		log_debug("pid %u has no VM any more (%d)", j->e.tgid, err);
		return;
	}
	snprintf(r.result.why.text, sizeof(r.result.why.text),
		 "its VM is not found in /proc/%d/fd: %s", r.pid, strerror(-err));
	report(j, &r);
}

static void unlist(struct job *j)
{
	struct jobs *jobs = j->jobs;
	struct job **at;

	pthread_mutex_lock(&jobs->lock);
	for (at = &jobs->running; *at && *at != j; at = &(*at)->next)
		;
	if (*at)
		*at = j->next;
	pthread_mutex_unlock(&jobs->lock);
}

static void fail(struct zero_report *r, int err)
{
	r->outcome = ZERO_REFUSED;
	r->refusal = OFFSET_FAILED;
	if (err == -EIO)
		log_err("pid %d: its TSC offsets could not be put back and may differ among its "
			"vCPUs; this is tried again when onetsc zero ends",
			r->pid);
	else if (!*r->result.why.text)
		snprintf(r->result.why.text, sizeof(r->result.why.text), "%s", strerror(-err));
}

static void work_on_vm(struct job *j, struct vm *vm)
{
	const struct jobs_config *c = &j->jobs->config;
	struct zero_report r = {
		.pid = vm->pid,
		.start_ns = j->e.start_ns,
		.offset = (int64_t)j->e.offset,
	};
	int err;

	if (j->held && j->e.ask && !zero_wanted(c->options, vm)) {
		gate_decide(c->gate, &j->e, GATE_IGNORE, 0);
		return;
	}
	err = zero_vm(j, vm, &r);
	if (err)
		fail(&r, err);
	/* The next event of this VM, which may come at once, is a job of its own. */
	unlist(j);
	if (j->held)
		gate_decide(c->gate, &j->e, decision(r.outcome), 0);
	if (err != -EIO)
		report(j, &r);
	else if (c->on_end)
		c->on_end(c->ctx, r.outcome);
}

static void *run(void *arg)
{
	struct job *j = arg;
	struct jobs *jobs = j->jobs;
	struct vm vm;
	int r = find_vm(j, &vm);

	if (!r) {
		work_on_vm(j, &vm);
		vm_free(&vm);
	} else if (j->held) {
		gate_decide(jobs->config.gate, &j->e, GATE_LEAVE, 0);
		say_not_found(j, r);
	}
	unlist(j);
	pthread_mutex_lock(&jobs->lock);
	jobs->n--;
	pthread_cond_signal(&jobs->ended);
	pthread_mutex_unlock(&jobs->lock);
	free(j);
	return NULL;
}

static bool is_running(const struct jobs *jobs, const struct gate_event *e)
{
	for (const struct job *j = jobs->running; j; j = j->next)
		if (j->e.tgid == e->tgid && j->e.start_ns == e->start_ns)
			return true;
	return false;
}

static void start(struct jobs *jobs, bool held, const struct gate_event *e)
{
	struct job *j = calloc(1, sizeof(*j));
	pthread_attr_t attr;
	pthread_t thread;
	int r = 0;

	if (!j)
		return;
	*j = (struct job){.jobs = jobs, .held = held, .e = *e};
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_mutex_lock(&jobs->lock);
	if (jobs->finished || jobs->n >= MAX_JOBS || is_running(jobs, e))
		r = EAGAIN;
	else
		r = pthread_create(&thread, &attr, run, j);
	if (!r) {
		j->next = jobs->running;
		jobs->running = j;
		jobs->n++;
	}
	pthread_mutex_unlock(&jobs->lock);
	pthread_attr_destroy(&attr);
	if (r)
		free(j);
}

void jobs_start_held(struct jobs *jobs, const struct gate_event *e)
{
	start(jobs, true, e);
}

void jobs_start_rezero(struct jobs *jobs, pid_t pid, uint64_t start_ns)
{
	start(jobs, false, &(struct gate_event){.tgid = (__u32)pid, .start_ns = start_ns});
}

int jobs_new(const struct jobs_config *config, struct jobs **ret)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));

	if (!jobs)
		return -ENOMEM;
	jobs->config = *config;
	pthread_mutex_init(&jobs->lock, NULL);
	pthread_cond_init(&jobs->ended, NULL);
	*ret = jobs;
	return 0;
}

void jobs_finish(struct jobs *jobs)
{
	if (!jobs)
		return;
	pthread_mutex_lock(&jobs->lock);
	jobs->finished = true;
	while (jobs->n)
		pthread_cond_wait(&jobs->ended, &jobs->lock);
	pthread_mutex_unlock(&jobs->lock);
}

void jobs_free(struct jobs *jobs)
{
	if (!jobs)
		return;
	pthread_mutex_destroy(&jobs->lock);
	pthread_cond_destroy(&jobs->ended);
	free(jobs);
}
