// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/zero_print.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/log.h"
#include "base/text.h"
#include "cmd/zero_names.h"
#include "vm/ksyms.h"
#include "vm/observer.h"

#define MAX_QUEUE 4096

struct printer {
	struct printer_config config;
	struct gate *gate;
	struct zero_names *names;
	struct ksyms *ksyms;
	bool ksyms_tried, quiet, closed;
	struct strbuf out;

	pthread_t thread;
	bool started;
	int wake;
	pthread_mutex_t lock; /* what follows */
	struct ARRAY(struct zero_report) queue;
	uint64_t dropped;
	bool stop;
};

/* --- one line ----------------------------------------------------------- */

static uint64_t to_realtime(uint64_t monotonic_ns)
{
	struct timespec m, r;

	clock_gettime(CLOCK_MONOTONIC, &m);
	clock_gettime(CLOCK_REALTIME, &r);
	return (uint64_t)(r.tv_sec - m.tv_sec) * 1000000000 + (uint64_t)r.tv_nsec -
	       (uint64_t)m.tv_nsec + monotonic_ns;
}

static void add_time(struct strbuf *b, uint64_t monotonic_ns)
{
	uint64_t ns = to_realtime(monotonic_ns);
	time_t s = (time_t)(ns / 1000000000);
	struct tm tm;

	localtime_r(&s, &tm);
	strbuf_printf(b, "%02d:%02d:%02d.%06u ", tm.tm_hour, tm.tm_min, tm.tm_sec,
		      (unsigned)(ns % 1000000000 / 1000));
}

static void add_json_head(struct strbuf *b, const char *event, uint64_t monotonic_ns,
			  const struct zero_name *name)
{
	strbuf_printf(b, "{\"event\":\"%s\",\"time_ns\":%" PRIu64 ",\"vm\":", event,
		      to_realtime(monotonic_ns));
	strbuf_json(b, name->name, strlen(name->name));
	strbuf_printf(b, ",\"pid\":%d", name->pid);
}

static const struct ksyms *symbols(struct printer *p)
{
	int r;

	if (p->ksyms_tried)
		return p->ksyms;
	p->ksyms_tried = true;
	r = ksyms_load(NULL, &p->ksyms);
	if (r)
		log_errno(r, "cannot read kernel symbols: %m; stacks are shown as addresses");
	return p->ksyms;
}

static void add_stack(struct printer *p, const struct gate_write *w)
{
	const struct ksyms *ks = symbols(p);
	int n = w->n_stack < GATE_STACK_DEPTH ? w->n_stack : GATE_STACK_DEPTH;
	unsigned skip = observer_stack_skip(w, ks);
	bool json = p->config.options->json;

	if (json)
		strbuf_puts(&p->out, ",\"stack\":[");
	for (int i = (int)skip; i < n; i++) {
		strbuf_puts(&p->out, json ? i > (int)skip ? ",\"" : "\"" : "\n    ");
		observer_add_frame(&p->out, ks, w->stack[i]);
		if (json)
			strbuf_puts(&p->out, "\"");
	}
	if (json)
		strbuf_puts(&p->out, "]");
}

static void add_write(struct printer *p, const struct gate_write *w, const struct zero_name *name,
		      const char *source)
{
	const struct zero_options *o = p->config.options;

	if (o->json) {
		add_json_head(&p->out, "write", w->time_ns, name);
		strbuf_printf(&p->out,
			      ",\"tid\":%u,\"vcpu\":%u,\"previous\":%" PRId64 ",\"next\":%" PRId64
			      ",\"by\":\"%s\"",
			      w->tid, w->vcpu, (int64_t)w->previous, (int64_t)w->next, source);
	} else {
		add_time(&p->out, w->time_ns);
		strbuf_printf(&p->out, "%s vcpu%u: %" PRId64 " -> %" PRId64 " by %s", name->name,
			      w->vcpu, (int64_t)w->previous, (int64_t)w->next, source);
	}
	if (o->stack)
		add_stack(p, w);
	strbuf_puts(&p->out, o->json ? "}\n" : "\n");
}

static void on_guest_write(struct printer *p, const struct gate_write *w, struct zero_name *name)
{
	const struct zero_options *o = p->config.options;

	if (w->previous || !w->next)
		return;
	/* Without symbols it may be KVM itself, after the host was suspended. */
	if (o->rezero && p->ksyms) {
		p->config.on_guest_write(p->config.ctx, name->pid, name->start_ns);
		return;
	}
	if (!name->guest_writes++)
		log_warn("%s (pid %d): the guest wrote its TSC itself and now is %" PRId64
			 " ticks off; left alone (%s)",
			 name->name, name->pid, (int64_t)w->next,
			 o->rezero ? "without kernel symbols --rezero cannot tell it from KVM"
				   : "--rezero would undo it");
}

void printer_on_write(void *printer, const struct gate_write *w)
{
	struct printer *p = printer;
	struct zero_name *name = zero_names_get(p->names, (pid_t)w->tgid, w->start_ns);
	const struct ksyms *ks = observer_needs_symbols(w) ? symbols(p) : NULL;
	const char *source;
	enum write_source kind = observer_source(w, ks, &source);

	if (!name || !name->wanted)
		return;
	if (!p->quiet)
		add_write(p, w, name, source);
	if (kind != WRITE_GUEST)
		return;
	on_guest_write(p, w, name);
}

/* --- one VM handled ------------------------------------------------------ */

static const char *const outcome_names[] = {
	[ZERO_DONE] = "zeroed",	      [ZERO_REFUSED] = "refused",   [ZERO_CATCHUP] = "catch-up",
	[ZERO_FOREIGN] = "many-vms",  [ZERO_RESTORED] = "restored", [ZERO_PARTIAL] = "partial",
	[ZERO_TIMEOUT] = "timed-out", [ZERO_SLIPPED] = "slipped",
};

static const char *reason(const struct zero_report *r)
{
	switch (r->outcome) {
	case ZERO_DONE:
		return "";
	case ZERO_REFUSED:
		return offset_refusal_text(r->refusal);
	case ZERO_CATCHUP:
		return offset_refusal_text(OFFSET_CATCHUP);
	case ZERO_FOREIGN:
		return offset_refusal_text(OFFSET_MANY_VMS);
	case ZERO_RESTORED:
		return "it goes on from a saved state (loadvm, migration or snapshot), so its clock would "
		       "jump; onetsc record translates it exactly";
	case ZERO_PARTIAL:
		return "only some of its vCPUs were reset; onetsc record translates it exactly";
	case ZERO_TIMEOUT:
		return "its offset was not set before the deadline; it runs unchanged";
	case ZERO_SLIPPED:
		return "one of its vCPUs ran before it could be held, and its clock would jump; onetsc "
		       "record translates it exactly";
	}
	return "";
}

static void add_done_text(struct strbuf *b, const struct zero_report *r,
			  const struct zero_name *name)
{
	add_time(b, r->time_ns);
	strbuf_printf(b, "%s (pid %d): %u vCPU%s at offset 0, masterclock %s", name->name, r->pid,
		      r->result.vcpus, r->result.vcpus == 1 ? "" : "s",
		      r->result.masterclock ? "on" : "off");
	if (r->held_ns)
		strbuf_printf(b, ", held %.1f ms", (double)r->held_ns / 1e6);
	else
		strbuf_printf(b, ", stopped %.1f ms", (double)r->result.stopped_ns / 1e6);
	strbuf_puts(b, "\n");
}

static void add_report_json(struct strbuf *b, const struct zero_report *r,
			    const struct zero_name *name)
{
	const char *why = reason(r);

	add_json_head(b, "vm", r->time_ns, name);
	strbuf_printf(b, ",\"outcome\":\"%s\",\"held_ns\":%" PRIu64, outcome_names[r->outcome],
		      r->held_ns);
	if (r->outcome == ZERO_DONE)
		strbuf_printf(
			b, ",\"vcpus\":%u,\"offset\":0,\"masterclock\":%s,\"stopped_ns\":%" PRIu64,
			r->result.vcpus, r->result.masterclock ? "true" : "false",
			r->result.stopped_ns);
	else
		strbuf_printf(b, ",\"offset\":%" PRId64 ",\"reason\":", r->offset);
	if (r->outcome != ZERO_DONE)
		strbuf_json(b, why, strlen(why));
	strbuf_puts(b, "}\n");
}

static void print_report(struct printer *p, const struct zero_report *r)
{
	const struct zero_name *name = zero_names_get(p->names, r->pid, r->start_ns);
	const char *why = r->outcome == ZERO_REFUSED ? r->result.why.text : "";

	if (!name || !name->wanted)
		return;
	if (p->config.options->json)
		add_report_json(&p->out, r, name);
	else if (r->outcome != ZERO_DONE)
		log_warn("%s (pid %d) is left at offset %" PRId64 ": %s%s%s%s", name->name, r->pid,
			 r->offset, reason(r), *why ? " (" : "", why, *why ? ")" : "");
	else if (!p->quiet)
		add_done_text(&p->out, r, name);
}

/* --- the thread ---------------------------------------------------------- */

static void flush(struct printer *p)
{
	bool failed = p->out.failed;

	if (failed)
		log_err("no memory for a line of output");
	if (!p->closed && p->out.n &&
	    (fwrite(p->out.s, 1, p->out.n, stdout) != p->out.n || fflush(stdout))) {
		log_errno(errno, "cannot write to stdout: %m; ending");
		p->closed = true;
		p->config.on_closed(p->config.ctx);
	}
	p->out.n = 0;
	if (failed)
		strbuf_free(&p->out);
}

static bool take_report(struct printer *p, struct zero_report *ret, bool *ret_stop)
{
	bool some;

	pthread_mutex_lock(&p->lock);
	some = p->queue.n > 0;
	*ret_stop = p->stop;
	if (some) {
		*ret = p->queue.v[0];
		p->queue.n--;
		memmove(p->queue.v, p->queue.v + 1, p->queue.n * sizeof(*p->queue.v));
	}
	pthread_mutex_unlock(&p->lock);
	return some;
}

static void *run(void *arg)
{
	struct printer *p = arg;
	struct pollfd fds[] = {{.fd = gate_writes_fd(p->gate), .events = POLLIN},
			       {.fd = p->wake, .events = POLLIN}};
	struct zero_report r;
	uint64_t count;
	bool stop = false;

	while (!stop) {
		poll(fds, ARRAY_SIZE(fds), -1);
		if (fds[1].revents && read(p->wake, &count, sizeof(count)) < 0)
			log_debug("printer: %m");
		/* A report is posted after its writes were made: so they are printed first. */
		gate_read_writes(p->gate);
		while (take_report(p, &r, &stop))
			print_report(p, &r);
		flush(p);
	}
	return NULL;
}

int printer_new(const struct printer_config *config, struct printer **ret)
{
	struct printer *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->config = *config;
	p->quiet = log_get_level() < LOG_INFO;
	pthread_mutex_init(&p->lock, NULL);
	p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = p->wake < 0 ? -errno : zero_names_new(config->options, &p->names);
	if (r) {
		printer_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

int printer_start(struct printer *p, struct gate *g)
{
	int r;

	p->gate = g;
	r = pthread_create(&p->thread, NULL, run, p);
	p->started = !r;
	return -r;
}

static void wake(struct printer *p)
{
	uint64_t one = 1;

	if (write(p->wake, &one, sizeof(one)) < 0)
		log_debug("printer: %m");
}

void printer_post(struct printer *p, const struct zero_report *r)
{
	struct zero_report *e = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->queue.n < MAX_QUEUE)
		e = array_add(&p->queue);
	if (e)
		*e = *r;
	else
		p->dropped++;
	pthread_mutex_unlock(&p->lock);
	wake(p);
}

void printer_stop(struct printer *p)
{
	if (!p->started)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_mutex_unlock(&p->lock);
	wake(p);
	pthread_join(p->thread, NULL);
	p->started = false;
	if (p->dropped)
		log_warn("stdout was too slow: %" PRIu64 " VMs handled are not listed", p->dropped);
}

void printer_free(struct printer *p)
{
	if (!p)
		return;
	zero_names_free(p->names);
	ksyms_free(p->ksyms);
	strbuf_free(&p->out);
	array_free(&p->queue);
	cleanup_fd(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
