// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/hostfacts.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "vm/facts.h"
#include "vm/gate.h"
#include "vm/proc.h"

#define CPUINFO_MAX_BYTES (64u << 20)

static const char *const flag_names[TSC_FLAGS] = {
	[TSC_FLAG_CONSTANT] = "constant_tsc",	  [TSC_FLAG_NONSTOP] = "nonstop_tsc",
	[TSC_FLAG_KNOWN_FREQ] = "tsc_known_freq", [TSC_FLAG_RELIABLE] = "tsc_reliable",
	[TSC_FLAG_ADJUST] = "tsc_adjust",	  [TSC_FLAG_DEADLINE] = "tsc_deadline_timer",
	[TSC_FLAG_SCALE] = "tsc_scale",		  [TSC_FLAG_RDTSCP] = "rdtscp",
	[TSC_FLAG_HYPERVISOR] = "hypervisor",
};

const char *tsc_flag_name(enum tsc_flag f)
{
	return flag_names[f];
}

bool hostfacts_has(const struct hostfacts *h, enum tsc_flag f)
{
	return h->flags & 1u << f;
}

/* Value of the first line "KEY<blanks>: VALUE"; NULL when there is none. *ret_n is its length. */
static const char *cpuinfo_line(const char *text, const char *key, size_t *ret_n)
{
	size_t len = strlen(key);

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *v = line + len;

		if (strncmp(line, key, len))
			continue;
		v += strspn(v, " \t");
		if (*v++ != ':')
			continue;
		*ret_n = strcspn(v, "\n");
		return v;
	}
	return NULL;
}

static bool has_word(const char *line, size_t n, const char *word)
{
	size_t len = strlen(word);

	for (size_t at = 0; at < n;) {
		size_t k = 0;

		while (at + k < n && line[at + k] != ' ')
			k++;
		if (k == len && !strncmp(line + at, word, len))
			return true;
		at += k + 1;
	}
	return false;
}

unsigned hostfacts_flags(const char *cpuinfo)
{
	unsigned flags = 0;
	size_t n;
	const char *line = cpuinfo_line(cpuinfo, "flags", &n);

	for (int f = 0; line && f < TSC_FLAGS; f++)
		if (has_word(line, n, flag_names[f]))
			flags |= 1u << f;
	line = cpuinfo_line(cpuinfo, "vmx flags", &n);
	if (line && has_word(line, n, "tsc_scaling"))
		flags |= 1u << TSC_FLAG_SCALE;
	return flags;
}

static void read_flags(const char *proc, struct hostfacts *h)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/cpuinfo", proc);
	if (file_read(AT_FDCWD, path, CPUINFO_MAX_BYTES, &text, NULL))
		return;
	h->has_flags = true;
	h->flags = hostfacts_flags(text);
}

static void read_sysctl(const char *proc, const char *name, long *ret)
{
	char path[PATH_MAX], text[32];
	int64_t v;

	snprintf(path, sizeof(path), "%s/sys/kernel/%s", proc, name);
	*ret = HOSTFACTS_NOT_THERE;
	if (!file_read_line(AT_FDCWD, path, text, sizeof(text)) && !text_to_s64(text, &v))
		*ret = (long)v;
}

static void read_tsc_option(const char *proc, struct hostfacts *h)
{
	char path[PATH_MAX], line[4096], *save = NULL;

	snprintf(path, sizeof(path), "%s/cmdline", proc);
	if (file_read_line(AT_FDCWD, path, line, sizeof(line)))
		return;
	for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save))
		if (!strncmp(w, "tsc=", 4))
			snprintf(h->tsc_option, sizeof(h->tsc_option), "%s", w + 4);
}

/* "none [integrity] confidentiality" */
static void read_lockdown(const char *sys, struct hostfacts *h)
{
	char path[PATH_MAX], line[128], *begin;

	snprintf(path, sizeof(path), "%s/kernel/security/lockdown", sys);
	if (file_read_line(AT_FDCWD, path, line, sizeof(line)))
		return;
	begin = strchr(line, '[');
	if (begin)
		snprintf(h->lockdown, sizeof(h->lockdown), "%.*s", (int)strcspn(begin + 1, "]"),
			 begin + 1);
}

static void read_module(const char *sys, struct hostfacts *h)
{
	static const char *const names[] = {"kvm_intel", "kvm_amd", "kvm_pvm"};
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/module/%s", sys, names[i]);
		if (!access(path, F_OK))
			snprintf(h->kvm_module, sizeof(h->kvm_module), "%s", names[i]);
	}
}

/* time_mult and time_shift turn ticks into ns (perf_event_open(2)); readable for everybody's own
 * events up to perf_event_paranoid 2. */
static uint64_t khz_from_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	_cleanup_fd_ int fd =
		(int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	size_t n = (size_t)sysconf(_SC_PAGESIZE);
	volatile struct perf_event_mmap_page *page;
	uint64_t khz = 0, mult;

	page = fd < 0 ? MAP_FAILED : mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return 0;
	mult = page->time_mult;
	if (page->cap_user_time && mult && page->time_shift < 64)
		khz = (uint64_t)((((unsigned __int128)1000000 << page->time_shift) + mult / 2) /
				 mult);
	munmap((void *)page, n);
	return khz;
}

static uint64_t khz_from_cpuid(bool hypervisor)
{
	unsigned a, b, c, d, max;

	if (hypervisor) {
		__cpuid(0x40000000, max, b, c, d);
		if (max >= 0x40000010) {
			__cpuid(0x40000010, a, b, c, d);
			if (a)
				return a;
		}
	}
	if (!__get_cpuid_count(0x15, 0, &a, &b, &c, &d) || !a || !b || !c)
		return 0;
	return (uint64_t)c * b / a / 1000;
}

static void read_khz(struct hostfacts *h)
{
	if (!h->judge.kvm_error && h->judge.kvm.tsc_khz) {
		h->tsc_khz = h->judge.kvm.tsc_khz;
		h->khz_source = KHZ_KVM;
		return;
	}
	h->tsc_khz = khz_from_perf();
	h->khz_source = KHZ_PERF;
	if (h->tsc_khz)
		return;
	h->tsc_khz = khz_from_cpuid(hostfacts_has(h, TSC_FLAG_HYPERVISOR));
	h->khz_source = h->tsc_khz ? KHZ_CPUID : KHZ_UNKNOWN;
}

static void read_rights(const char *proc, struct hostfacts *h)
{
	char text[32];

	h->uid = geteuid();
	read_sysctl(proc, "yama/ptrace_scope", &h->ptrace_scope);
	read_sysctl(proc, "perf_event_paranoid", &h->perf_paranoid);
	read_sysctl(proc, "unprivileged_bpf_disabled", &h->bpf_unprivileged);
	read_sysctl(proc, "kptr_restrict", &h->kptr_restrict);
	if (!proc_status(proc, getpid(), "CapEff", text, sizeof(text)))
		h->caps = strtoull(text, NULL, 16);
}

void hostfacts_read(const struct vm_roots *roots, struct hostfacts *ret)
{
	const char *proc = roots && roots->proc ? roots->proc : "/proc";
	const char *sys = roots && roots->sys ? roots->sys : "/sys";
	char path[PATH_MAX];
	struct utsname u;

	*ret = (struct hostfacts){0};
	if (!uname(&u))
		snprintf(ret->kernel, sizeof(ret->kernel), "%s", u.release);
	facts_judge_host(roots, &ret->judge);
	gate_read_host(&ret->gate);
	snprintf(path, sizeof(path),
		 "%s/devices/system/clocksource/clocksource0/available_clocksource", sys);
	if (file_read_line(AT_FDCWD, path, ret->clocksources, sizeof(ret->clocksources)))
		ret->clocksources[0] = 0;
	for (size_t n = strlen(ret->clocksources); n && ret->clocksources[n - 1] == ' ';)
		ret->clocksources[--n] = 0;
	read_tsc_option(proc, ret);
	read_flags(proc, ret);
	read_khz(ret);
	read_module(sys, ret);
	ret->debugfs = vm_debugfs_state(roots);
	ret->realtime = facts_realtime(roots);
	ret->preemptible = facts_preemptible(roots);
	read_lockdown(sys, ret);
	read_rights(proc, ret);
	ret->vhost_vsock = access("/dev/vhost-vsock", R_OK | W_OK) ? -errno : 0;
}
