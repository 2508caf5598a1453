// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mono.h"
#include "base/text.h"
#include "capture/record_impl.h"

#define SEARCH_MS	5000 /* without debugfs; the scan of all of /proc costs */
#define REFRESH_FAST_MS 1000 /* while a VM is young: its vCPUs appear and begin to run */
#define REFRESH_SLOW_MS 10000
#define REFRESH_FAST_N	30
#define KVM_DEBUGFS	"/sys/kernel/debug/kvm"

/* KVM makes a directory PID-FD there for each VM: a cheap way to see that something changed. NULL
 * when it cannot be read. */
static char *list_debugfs(void)
{
	struct strbuf b = {0};
	_cleanup_dir_ DIR *d = opendir(KVM_DEBUGFS);
	struct dirent *e;

	if (!d)
		return NULL;
	while ((e = readdir(d)))
		if (e->d_type == DT_DIR)
			strbuf_printf(&b, "%s\n", e->d_name);
	if (b.failed) {
		strbuf_free(&b);
		return NULL;
	}
	return b.s;
}

bool record_is_wanted(const struct record *r, const struct vm *vm)
{
	const struct record_config *cfg = r->cfg;
	char pid[16];

	if (!cfg->n_vms)
		return true;
	snprintf(pid, sizeof(pid), "%d", vm->pid);
	for (size_t i = 0; i < cfg->n_vms; i++)
		if (!strcmp(cfg->vms[i], vm->name) || !strcmp(cfg->vms[i], pid))
			return true;
	return false;
}

static struct rec_guest *find_vm(struct record *r, const struct vm *vm)
{
	array_for_each(g, &r->guests)
		if (g->has_vm && g->vm.pid == vm->pid && g->vm.start_ticks == vm->start_ticks &&
		    g->vm.vm_fd == vm->vm_fd)
			return g;
	return NULL;
}

/* A --guest entry that waits for its VM. */
static struct rec_guest *find_vacant(struct record *r, const struct vm *vm)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", vm->pid);
	array_for_each(g, &r->guests)
		if (!g->has_vm && (!strcmp(g->name, vm->name) || !strcmp(g->name, pid)))
			return g;
	return NULL;
}

static bool name_taken(const struct record *r, const char *name)
{
	array_for_each(m, &r->session.machines)
		if (!strcmp(m->name, name))
			return true;
	return false;
}

/* A machine's name is unique in a session: "web1", then "web1-PID". */
static struct rec_guest *add_guest(struct record *r, const char *name, pid_t pid)
{
	struct session_machine *m;
	struct rec_guest *g;
	char *unique;
	int n = name_taken(r, name) ? asprintf(&unique, "%s-%d", name, pid)
				    : asprintf(&unique, "%s", name);

	if (n < 0)
		return NULL;
	g = array_add(&r->guests);
	if (!g) {
		free(unique);
		return NULL;
	}
	g->name = unique;
	m = array_add(&r->session.machines);
	if (!m) {
		r->guests.n--;
		free(unique);
		return NULL;
	}
	m->is_guest = true;
	m->pid = pid;
	m->name = strdup(unique);
	r->dirty = true;
	return m->name ? g : NULL;
}

static struct session_machine *machine_of(struct record *r, const struct rec_guest *g)
{
	return &r->session.machines.v[g - r->guests.v + 1];
}

static int add_tid(struct session_machine *m, pid_t tid)
{
	pid_t *t;

	if (tid <= 0 || m->tids.n >= SESSION_TIDS_MAX)
		return 0;
	array_for_each(known, &m->tids)
		if (*known == tid)
			return 0;
	t = array_add(&m->tids);
	if (!t)
		return -ENOMEM;
	*t = tid;
	return 0;
}

/* Who wrote an offset is told by its thread, so every thread of the VMM is remembered. */
static int add_tids(struct session_machine *m, const struct vm *vm)
{
	char path[64];
	_cleanup_dir_ DIR *d = NULL;
	struct dirent *e;
	int err = add_tid(m, vm->pid);

	snprintf(path, sizeof(path), "/proc/%d/task", vm->pid);
	d = opendir(path);
	while (!err && d && (e = readdir(d)))
		err = add_tid(m, (pid_t)strtol(e->d_name, NULL, 10));
	return err;
}

static struct session_vcpu *session_vcpu(struct session_machine *m, unsigned id)
{
	struct session_vcpu *v;
	size_t i;

	array_for_each(known, &m->vcpus)
		if (known->id == id)
			return known;
	v = array_add(&m->vcpus);
	if (!v)
		return NULL;
	/* Sorted by id. */
	for (i = m->vcpus.n - 1; i > 0 && m->vcpus.v[i - 1].id > id; i--)
		m->vcpus.v[i] = m->vcpus.v[i - 1];
	m->vcpus.v[i] = (struct session_vcpu){.id = id, .guest_cpu = -1, .ratio = 1};
	return &m->vcpus.v[i];
}

static int note_vcpus(struct record *r, struct rec_guest *g)
{
	struct session_machine *m = machine_of(r, g);

	array_for_each(v, &g->vm.vcpus) {
		struct session_vcpu *to = session_vcpu(m, v->id);

		if (!to)
			return -ENOMEM;
		if (v->tid && v->tid != to->tid) {
			to->tid = v->tid;
			r->dirty = true;
		}
		if (!v->has_offset)
			continue;
		/* Before its first run the offset is still being made (VMM, onetsc zero); from then on
		 * every change is in offsets.dat. */
		if (!to->has_start && (!r->running || v->has_run)) {
			to->start_offset = v->offset;
			to->has_start = r->dirty = true;
		}
		to->end_offset = v->offset;
		to->has_end = true;
		to->ratio = v->ratio;
		to->frac = v->frac;
	}
	return add_tids(m, &g->vm);
}

/* --- agents --- */
static const struct record_guest *find_given(const struct record *r, const char *name, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	for (size_t i = 0; i < r->cfg->n_guests; i++)
		if (!strcmp(r->cfg->guests[i].name, name) ||
		    (pid && !strcmp(r->cfg->guests[i].name, text)))
			return &r->cfg->guests[i];
	return NULL;
}

static int start_link(struct record *r, struct rec_guest *g, const char *addr, const char *agent)
{
	struct guest_config cfg = {
		.name = g->name,
		.agent = agent ? guest_agent_find(agent) : NULL,
		.token = r->cfg->token,
		.patterns = r->patterns,
		.n_patterns = r->n_patterns,
		.probes = r->guest_probes,
		.n_probes = r->n_guest_probes,
		.buffer_bytes = r->buffer_bytes,
		.limit_bytes = r->cfg->guest_limit_bytes,
		.dirfd = r->dirfd,
		.links = record_links(r),
		.notify_fd = r->notify_fd,
		.expected = !r->running,
		.pid = g->has_vm ? g->vm.pid : 0,
		.start_ticks = g->vm.start_ticks,
	};
	int e = link_parse(addr, false, &cfg.addr);

	if (!e)
		e = guest_start(&cfg, &g->link);
	if (e)
		link_addr_free(&cfg.addr);
	return e;
}

static int find_link(struct record *r, struct rec_guest *g)
{
	const struct record_guest *given = find_given(r, g->vm.name, g->vm.pid);
	const char *addr = given ? given->addr : NULL;
	char vsock[32];

	if (g->link)
		return 0;
	if (!addr && g->vm.vsock_cid > 2) {
		snprintf(vsock, sizeof(vsock), "vsock:%d", g->vm.vsock_cid);
		addr = vsock;
	}
	if (addr)
		return start_link(r, g, addr, given ? given->agent : NULL);
	log_warn("%s: no vsock device on its command line and no --guest %s=ADDRESS: only its host "
		 "side is recorded",
		 g->name, g->name);
	return 0;
}

/* The VM is taken over from the list. */
static int adopt(struct record *r, struct vm *vm)
{
	struct rec_guest *g = find_vacant(r, vm);
	struct session_machine *m;
	int e;

	if (!g)
		g = add_guest(r, vm->name, vm->pid);
	if (!g)
		return -ENOMEM;
	g->vm = *vm;
	*vm = (struct vm){.vmm = vm->vmm};
	g->has_vm = true;
	g->refresh_ms = mono_ms() + REFRESH_FAST_MS;
	m = machine_of(r, g);
	m->pid = g->vm.pid;
	m->vmm = strdup(g->vm.vmm->name);
	r->dirty = r->vm_seen = true;
	if (r->running)
		log_info("%s: a VM with pid %d has started", g->name, g->vm.pid);
	e = m->vmm ? note_vcpus(r, g) : -ENOMEM;
	if (!e)
		e = record_probes_vm(r, &g->vm);
	if (!e)
		e = record_qemutrace_vm(r, g);
	return e ? e : find_link(r, g);
}

static int search(struct record *r)
{
	_cleanup_vms_ struct vms vms = {0};
	int e = vm_find_all(NULL, &vms, NULL);

	if (e)
		return log_err_r(e, "cannot look for VMs: %m");
	for (size_t i = 0; !e && i < vms.n; i++) {
		struct vm *vm = &vms.v[i];

		/* A VMM that has created its VM but no vCPU yet comes again. */
		if (vm->vcpus.n && record_is_wanted(r, vm) && !find_vm(r, vm))
			e = adopt(r, vm);
	}
	return e;
}

static bool search_is_due(struct record *r)
{
	char *now = list_debugfs();
	bool changed = now && (!r->vm_listing || strcmp(now, r->vm_listing));
	bool due = changed || mono_ms() >= r->search_ms;

	if (now) {
		free(r->vm_listing);
		r->vm_listing = now;
	}
	/* After a change a few more times: vCPUs come later than their VM. */
	if (due)
		r->search_ms = mono_ms() + (changed ? REFRESH_FAST_MS : SEARCH_MS);
	return due;
}

static int refresh(struct record *r, struct rec_guest *g)
{
	int e = vm_refresh(NULL, &g->vm);

	g->refreshes++;
	g->refresh_ms =
		mono_ms() + (g->refreshes < REFRESH_FAST_N ? REFRESH_FAST_MS : REFRESH_SLOW_MS);
	if (e == -ENOENT) {
		g->gone = true;
		r->dirty = true;
		if (g->link)
			guest_stop(g->link); /* its address may soon be another VM's */
		log_info("%s: the VM has ended; the rest is recorded on", g->name);
		return 0;
	}
	if (e)
		return log_err_r(e, "cannot read the state of \"%s\": %m", g->name);
	e = note_vcpus(r, g);
	if (!e && r->host_on)
		e = record_probes_vm(r, NULL);
	return e || !r->host_on ? e : record_qemutrace_vm(r, g);
}

int record_vms_tick(struct record *r)
{
	int e = search_is_due(r) ? search(r) : 0;

	array_for_each(g, &r->guests) {
		if (e)
			break;
		if (g->has_vm && !g->gone &&
		    (mono_ms() >= g->refresh_ms || !vm_alive(NULL, &g->vm)))
			e = refresh(r, g);
	}
	return e;
}

void record_vms_end(struct record *r)
{
	array_for_each(g, &r->guests)
		if (g->has_vm && !g->gone && refresh(r, g))
			log_debug("%s: its last state is not known", g->name);
}

static bool is_known(const struct record *r, const char *name)
{
	array_for_each(g, &r->guests) {
		char pid[16];

		snprintf(pid, sizeof(pid), "%d", g->vm.pid);
		if (!strcmp(g->name, name) || (g->has_vm && !strcmp(pid, name)))
			return true;
	}
	return false;
}

int record_guests_begin(struct record *r)
{
	for (size_t i = 0; i < r->cfg->n_guests; i++) {
		const struct record_guest *c = &r->cfg->guests[i];
		struct rec_guest *g;
		int e;

		if (is_known(r, c->name))
			continue;
		if (!c->addr) {
			if (!r->cfg->argv)
				log_warn("no VM \"%s\" runs here yet; it joins when it starts",
					 c->name);
			continue;
		}
		g = add_guest(r, c->name, 0);
		e = g ? start_link(r, g, c->addr, c->agent) : -ENOMEM;
		if (e)
			return e;
	}
	return 0;
}

bool record_guests_settled(struct record *r)
{
	array_for_each(g, &r->guests) {
		struct guest_status st;

		if (!g->link)
			continue;
		guest_status(g->link, &st);
		if (st.state == GUEST_SETUP || (st.state == GUEST_WAITING && !st.tried))
			return false;
	}
	return true;
}

void record_guests_end(struct record *r)
{
	array_for_each(g, &r->guests)
		if (g->link)
			guest_stop(g->link);
	array_for_each(g, &r->guests)
		if (g->link)
			guest_join(g->link);
}
