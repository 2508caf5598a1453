// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/vmmprobe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/log.h"
#include "base/mapped.h"
#include "capture/elfimage.h"
#include "vm/proc.h"

#define REGION_BYTES 512 /* of a MemoryRegion that are searched for its name */

/* What QEMU's structs look like in this process, proved by what is found there: 0 unknown. */
struct layout {
	unsigned space_name, region_name;
};

static bool read_mem(int fd, uint64_t at, void *to, size_t n)
{
	return pread(fd, to, n, (off_t)at) == (ssize_t)n;
}

static bool is_text(int fd, uint64_t at, const char *wanted)
{
	char buf[16] = "";
	size_t n = strlen(wanted) + 1;

	return n <= sizeof(buf) && read_mem(fd, at, buf, n) && !memcmp(buf, wanted, n);
}

/* struct AddressSpace begins with struct rcu_head (16 bytes), char *name, MemoryRegion *root: so since
 * QEMU 2.2; include/exec/memory.h, from 10.1 on include/system/memory.h. */
static bool read_space(int fd, uint64_t at, const char *name, uint64_t *ret_root)
{
	uint64_t words[4];

	if (!read_mem(fd, at, words, sizeof(words)) || !is_text(fd, words[2], name))
		return false;
	*ret_root = words[3];
	return true;
}

/* The one place where the root region of memory points to "system" and that of I/O to "io". */
static unsigned find_region_name(int fd, uint64_t memory, uint64_t io)
{
	uint64_t a[REGION_BYTES / 8], b[REGION_BYTES / 8];

	/* Regions lie on the heap; one that ends before is followed by others. */
	if (!read_mem(fd, memory, a, sizeof(a)) || !read_mem(fd, io, b, sizeof(b)))
		return 0;
	for (unsigned i = 1; i < REGION_BYTES / 8; i++)
		if (is_text(fd, a[i], "system") && is_text(fd, b[i], "io"))
			return i * 8;
	return 0;
}

static void find_layout(const struct elf_image *e, pid_t pid, struct layout *ret)
{
	struct elf_symbol memory, io;
	uint64_t entry, base, root[2];
	_cleanup_fd_ int fd = -1;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	if (!pid || elf_variable(e, "address_space_memory", &memory) ||
	    elf_variable(e, "address_space_io", &io) || proc_entry_point(NULL, pid, &entry))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	base = entry - e->entry;
	if (!read_space(fd, base + memory.vaddr, "memory", &root[0]) ||
	    !read_space(fd, base + io.vaddr, "I/O", &root[1]))
		return;
	ret->space_name = 16;
	ret->region_name = find_region_name(fd, root[0], root[1]);
}

static int add(struct uprobes *u, const struct binary *b, const struct elf_symbol *s,
	       const char *name, const char *args, bool is_return, struct events *events)
{
	struct probe p = {.name = strdup(name),
			  .offset = s->offset,
			  .is_return = is_return,
			  .args = strdup(args)};
	int r = p.name && p.args ? uprobes_add(u, b, &p, events) : -ENOMEM;

	probe_free(&p);
	return r;
}

/* MemTxResult address_space_rw(AddressSpace *as, hwaddr addr, MemTxAttrs attrs, void *buf, hwaddr len,
 * bool is_write): kvm_cpu_exec() calls it for KVM_EXIT_IO and KVM_EXIT_MMIO (QEMU 7.2 to 10.2). */
static int add_calls(struct uprobes *u, const struct vmmprobe_target *t, const struct elf_symbol *s,
		     const struct layout *l, struct events *events)
{
	char args[160], space[40] = "space=%di:x64";
	int r;

	if (l->space_name)
		snprintf(space, sizeof(space), "space=+0(+%u(%%di)):string", l->space_name);
	snprintf(args, sizeof(args),
		 "%s addr=%%si:x64 len=%%r8:u64 write=%%r9:u8 data=+0(%%cx):x64", space);
	r = add(u, t->binary, s, VMMPROBE_ENTER, args, false, events);
	if (r || !uprobes_may_return())
		return r ? r : 1;
	r = add(u, t->binary, s, VMMPROBE_LEAVE, "result=$retval:u32", true, events);
	return r ? r : 2;
}

/* MemTxResult memory_region_dispatch_read(MemoryRegion *mr, hwaddr addr, uint64_t *pval, MemOp op, …),
 * …_write(mr, addr, uint64_t data, op, …); the low two bits of op are log2 of the size. */
static int add_regions(struct uprobes *u, const struct vmmprobe_target *t,
		       const struct elf_image *e, const struct layout *l, struct events *events)
{
	static const struct {
		const char *symbol, *name, *data;
	} both[] = {{"memory_region_dispatch_read", "vmm_region_read", ""},
		    {"memory_region_dispatch_write", "vmm_region_write", " data=%dx:x64"}};
	char args[160], region[48] = "region=%di:x64";
	struct elf_symbol s;
	int n = 0;

	if (l->region_name)
		snprintf(region, sizeof(region), "region=+0(+%u(%%di)):string", l->region_name);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		int r = elf_function(e, both[i].symbol, &s);

		if (r)
			continue;
		snprintf(args, sizeof(args), "%s addr=%%si:x64 op=%%cx:x32%s", region,
			 both[i].data);
		r = add(u, t->binary, &s, both[i].name, args, false, events);
		if (r)
			return r;
		n++;
	}
	if (!n)
		log_warn("\"%s\" has no symbols of its device regions: only the calls are recorded",
			 t->binary->path);
	else if (!l->region_name)
		log_warn(
			"\"%s\": the names of its device regions were not found: they are shown as "
			"addresses",
			t->binary->path);
	return n;
}

static int warn_none(const struct binary *b, int err)
{
	log_warn(
		"\"%s\" %s: its part of an exit to user space is recorded as kvm_userspace_exit to "
		"kvm_entry alone",
		b->path,
		err == -ENOEXEC	   ? "is no 64-bit x86 program"
		: err == -ENOTUNIQ ? "has several functions address_space_rw"
		: err == -EBADMSG  ? "has a damaged symbol table"
				   : "exports no function address_space_rw (as QEMU does)");
	return 0;
}

int vmmprobe_add(struct uprobes *u, const struct vmmprobe_target *t, unsigned sets,
		 struct events *events)
{
	struct elf_symbol s;
	struct layout l = {0};
	struct elf_image e;
	int r = elf_open(mapped_bytes(t->binary->map), t->binary->n, &e), more = 0;

	if (!r)
		r = elf_function(&e, "address_space_rw", &s);
	if (r)
		return warn_none(t->binary, r);
	find_layout(&e, t->pid, &l);
	if (sets & VMMPROBE_SET_CALLS)
		r = add_calls(u, t, &s, &l, events);
	if (r >= 0 && sets & VMMPROBE_SET_REGIONS)
		more = add_regions(u, t, &e, &l, events);
	return r < 0 ? r : more < 0 ? more : r + more;
}
