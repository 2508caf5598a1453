// SPDX-License-Identifier: GPL-2.0-or-later
/* trace.dat as stock trace-cmd 3.1.6 writes it: the pieces of all versions, and version 6. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "files.h"

enum {
	OPT_BUFFER = 3,
	OPT_CPUSTAT = 2,
	OPT_CLOCK = 4,
	OPT_UNAME = 5,
	OPT_CPUCOUNT = 8,
	OPT_TRACEID = 11
};
enum { OPT_TIME_SHIFT = 12, OPT_GUEST = 13, OPT_TSC2NSEC = 14 };

static const char header_event[] = "# compressed entry header\n"
				   "\ttype_len    :    5 bits\n"
				   "\ttime_delta  :   27 bits\n"
				   "\tarray       :   32 bits\n\n"
				   "\tpadding     : type == 29\n"
				   "\ttime_extend : type == 30\n"
				   "\ttime_stamp : type == 31\n"
				   "\tdata max type_len  == 28\n";

int dat_add_int(struct bytes *b, uint64_t v, size_t n)
{
	return bytes_add(b, &v, n);
}

/* A length of n_size bytes, then the text. */
static int add_text(struct bytes *b, const char *s, size_t n_size)
{
	size_t n = strlen(s);
	int r = dat_add_int(b, n, n_size);

	return r ? r : bytes_add(b, s, n);
}

/* Magic, version, endianness, long, page; what else there is depends on the version. */
int dat_add_begin(struct bytes *b, const struct dat_file *f)
{
	char version[2] = {(char)('0' + f->form.version), 0};
	int r = bytes_add(b, "\027\010\104tracing", 10);

	if (!r)
		r = bytes_add(b, version, 2);
	if (!r)
		r = bytes_add(b, f->vm && f->form.narrow ? "\0\004" : "\0\010", 2);
	return r ? r : dat_add_int(b, f->w->page_bytes, 4);
}

int dat_add_headers(struct bytes *b, const struct dat_file *f)
{
	unsigned n = f->vm && f->form.narrow ? 4 : 8;
	char page[512];
	int r;

	snprintf(page, sizeof(page),
		 "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
		 "\tfield: local_t commit;\toffset:8;\tsize:%u;\tsigned:1;\n"
		 "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
		 "\tfield: char data;\toffset:%u;\tsize:%u;\tsigned:1;\n",
		 n, 8 + n, f->w->page_bytes - 8 - n);
	r = bytes_add(b, "header_page", 12);
	if (!r)
		r = add_text(b, page, 8);
	if (!r)
		r = bytes_add(b, "header_event", 13);
	return r ? r : add_text(b, header_event, 8);
}

int dat_add_ftrace(struct bytes *b)
{
	int r = dat_add_int(b, 1, 4);

	return r ? r : add_text(b, payload_format(T_PRINT), 8);
}

int dat_add_formats(struct bytes *b)
{
	static const struct {
		const char *system;
		enum truth_kind kinds[8];
		unsigned n;
	} systems[] = {
		{"kvm", {T_ENTRY, T_EXIT, T_OFFSET, T_MSR, T_USERSPACE, T_INJ}, 6},
		{"sched", {T_SWITCH, T_WAKING}, 2},
		{"irq", {T_IRQ}, 1},
		{"irq_vectors", {T_VECTOR}, 1},
		{"msr", {T_WRMSR}, 1},
	};
	int r = dat_add_int(b, ARRAY_SIZE(systems), 4);

	for (size_t i = 0; i < ARRAY_SIZE(systems) && !r; i++) {
		r = bytes_add(b, systems[i].system, strlen(systems[i].system) + 1);
		if (!r)
			r = dat_add_int(b, systems[i].n, 4);
		for (unsigned k = 0; k < systems[i].n && !r; k++)
			r = add_text(b, payload_format(systems[i].kinds[k]), 8);
	}
	return r;
}

int dat_add_symbols(struct bytes *b)
{
	return add_text(b, "ffffffff81000000 T _stext\n", 4);
}

int dat_add_printk(struct bytes *b)
{
	return add_text(b, "0xffffffff82000000 : \"said\\n\"\n", 4);
}

int dat_add_comms(struct bytes *b, const struct dat_file *f)
{
	const struct world *w = f->w;
	char comms[4096] = "";
	size_t n = 0;

	for (unsigned i = 1; i < 20; i++)
		n += (size_t)snprintf(comms + n, sizeof(comms) - n, "%u task-%u\n", i, i);
	for (unsigned i = 0; i < w->n_vms && !f->vm; i++)
		for (unsigned k = 0; k < w->vms[i].n; k++)
			n += (size_t)snprintf(comms + n, sizeof(comms) - n, "%d CPU %u/KVM\n",
					      w->vms[i].vcpus[k].tid, k);
	return add_text(b, comms, 8);
}

int dat_add_option(struct bytes *b, unsigned id, const void *p, size_t n)
{
	int r = dat_add_int(b, id, 2);

	if (!r)
		r = dat_add_int(b, n, 4);
	return r ? r : bytes_add(b, p, n);
}

static int add_guests(struct bytes *b, const struct world *w)
{
	int r = 0;

	for (unsigned i = 0; i < w->n_vms && !r; i++) {
		const struct truth_vm *vm = &w->vms[i];
		uint8_t o[256];
		size_t n = strlen(vm->name) + 1;

		memcpy(o, vm->name, n);
		memcpy(o + n, &vm->trace_id, 8);
		memcpy(o + n + 8, &vm->n, 4);
		n += 12;
		for (unsigned k = 0; k < vm->n; k++, n += 8) {
			memcpy(o + n, &vm->vcpus[k].guest_cpu, 4);
			memcpy(o + n + 4, &vm->vcpus[k].tid, 4);
		}
		r = dat_add_option(b, OPT_GUEST, o, n);
	}
	return r;
}

static const struct truth_vcpu *vcpu_of_cpu(const struct truth_vm *vm, unsigned cpu)
{
	for (unsigned i = 0; i < vm->n; i++)
		if (vm->vcpus[i].guest_cpu == cpu)
			return &vm->vcpus[i];
	return NULL;
}

static size_t put64(uint8_t *o, size_t n, uint64_t v)
{
	memcpy(o + n, &v, 8);
	return n + 8;
}

/* Two samples a CPU, at begin and end, as trace-cmd's kvm protocol takes them: -tsc_offset, ratio,
 * fraction bits. */
static int add_time_shift(struct bytes *b, const struct world *w, const struct truth_vm *vm)
{
	uint8_t o[1024];
	uint32_t head[3] = {0, vm->n, 2};
	size_t n = put64(o, 0, w->trace_id);

	memcpy(o + n, head, 8);
	n += 8;
	for (unsigned cpu = 0; cpu < vm->n; cpu++) {
		const struct truth_vcpu *v = vcpu_of_cpu(vm, cpu);
		const struct truth_epoch *e[2] = {&v->epochs.v[0], &v->epochs.v[v->epochs.n - 1]};

		memcpy(o + n, &head[2], 4);
		n += 4;
		n = put64(o, n, map_forward(&e[0]->map, w->begin));
		n = put64(o, n, map_forward(&e[1]->map, w->end));
		for (int i = 0; i < 2; i++)
			n = put64(o, n, -e[i]->map.offset);
		for (int i = 0; i < 2; i++)
			n = put64(o, n, e[i]->map.ratio);
	}
	for (unsigned cpu = 0; cpu < vm->n; cpu++)
		for (int i = 0; i < 2; i++)
			n = put64(o, n, vcpu_of_cpu(vm, cpu)->epochs.v[0].map.frac);
	return dat_add_option(b, OPT_TIME_SHIFT, o, n);
}

static int add_stats(struct bytes *b, const struct dat_file *f, const struct dat_buffer *buf)
{
	int r = 0;

	if (*buf->name) {
		char head[96];
		int n = snprintf(head, sizeof(head), "\nBuffer: %s\n\n", buf->name);

		r = dat_add_option(b, OPT_CPUSTAT, head, (size_t)n + 1);
	}
	for (unsigned i = 0; i < f->cpus && !r; i++) {
		char stat[128];
		int n = snprintf(stat, sizeof(stat),
				 "CPU: %u\nentries: %zu\noverrun: 0\ndropped events: %llu\n"
				 "read events: 0\n",
				 i, buf->lanes[i].events.n,
				 (unsigned long long)buf->lanes[i].dropped);

		r = dat_add_option(b, OPT_CPUSTAT, stat, (size_t)n + 1);
	}
	return r;
}

int dat_add_options(struct bytes *b, const struct dat_file *f)
{
	static const char clock[] =
		"local global counter uptime perf mono mono_raw boot [x86-tsc]\n";
	static const char uname_host[] = "Linux host 6.1.0 x86_64",
			  uname_vm[] = "Linux vm 6.1.0 x86_64";
	uint32_t conv[4] = {f->w->mult, f->w->shift, 0, 0};
	int r = dat_add_option(b, OPT_CLOCK, clock, sizeof(clock));

	if (!r)
		r = dat_add_option(b, OPT_UNAME, f->vm ? uname_vm : uname_host, sizeof(uname_vm));
	for (unsigned i = 0; i < f->n_buffers && !r; i++)
		r = add_stats(b, f, &f->buffers[i]);
	if (!r)
		r = dat_add_option(b, OPT_TRACEID, &f->trace_id, 8);
	if (!r)
		r = dat_add_option(b, OPT_CPUCOUNT, &f->cpus, 4);
	if (!r)
		r = dat_add_option(b, OPT_TSC2NSEC, conv, 16);
	if (!r && !f->vm)
		r = add_guests(b, f->w);
	if (!r && f->vm && !f->w->session)
		r = add_time_shift(b, f->w, f->vm);
	return r;
}

int dat_pad(struct bytes *b, uint32_t page)
{
	return b->n % page ? bytes_add(b, NULL, page - b->n % page) : 0;
}

static bool is_repeated(const struct dat_file *f)
{
	return f->w->repeat > 1;
}

/* The pages of a repeated world are not in b. */
static int write_repeated(const struct dat_file *f, FILE *file)
{
	static const char zeros[8192];
	int r = 0;

	for (unsigned i = 0; i < f->cpus && !r; i++) {
		size_t over = (size_t)ftello(file) % f->w->page_bytes;

		if (over && !fwrite(zeros, f->w->page_bytes - over, 1, file))
			return -EIO;
		r = repeat_write(f->w, &f->buffers[0].pages[i], file);
	}
	return r;
}

static int write_file(const struct dat_file *file, const char *path, const struct bytes *b)
{
	int r;

	_cleanup_file_ FILE *f = fopen(path, "wx");

	if (!f)
		return -errno;
	if (fwrite(b->v, 1, b->n, f) != b->n)
		return -EIO;
	r = is_repeated(file) ? write_repeated(file, f) : 0;
	return r ? r : fflush(f) ? -EIO : 0;
}

/* "flyrecord", where each CPU's pages are, the pages. */
static int add_pages(struct bytes *b, const struct dat_file *f, const struct dat_buffer *buf)
{
	int r = bytes_add(b, "flyrecord", 10);
	size_t table = b->n;
	uint64_t behind; /* of what is written so far, when pages are written later */

	if (!r)
		r = bytes_add(b, NULL, (size_t)f->cpus * 16);
	behind = b->n;
	for (unsigned i = 0; i < f->cpus && !r; i++) {
		uint64_t place[2], page = f->w->page_bytes;

		if (is_repeated(f)) {
			place[0] = (behind + page - 1) / page * page;
			place[1] = buf->pages[i].n * f->w->repeat;
			behind = place[0] + place[1];
			memcpy(b->v + table + (size_t)i * 16, place, 16);
			continue;
		}
		r = dat_pad(b, f->w->page_bytes);
		if (r)
			break;
		place[0] = b->n;
		place[1] = buf->pages[i].n;
		memcpy(b->v + table + (size_t)i * 16, place, 16);
		r = bytes_add(b, buf->pages[i].v, buf->pages[i].n);
	}
	return r;
}

/* An instance's place is put into its option when it is known. */
static int add_data_v6(struct bytes *b, const struct dat_file *f)
{
	size_t place = 0;
	char o[64] = {0};
	int r = bytes_add(b, "options  ", 10);

	if (!r)
		r = dat_add_options(b, f);
	if (!r && f->n_buffers > 1) {
		strcpy(o + 8, f->buffers[1].name);
		place = b->n + 6;
		r = dat_add_option(b, OPT_BUFFER, o, 8 + strlen(o + 8) + 1);
	}
	if (!r)
		r = dat_add_int(b, 0, 2);
	if (!r)
		r = add_pages(b, f, &f->buffers[0]);
	if (r || !place)
		return r;
	memcpy(b->v + place, &(uint64_t){b->n}, 8);
	return add_pages(b, f, &f->buffers[1]);
}

static int make_v6(struct bytes *b, const struct dat_file *f)
{
	int r = dat_add_begin(b, f);

	if (!r)
		r = dat_add_headers(b, f);
	if (!r)
		r = dat_add_ftrace(b);
	if (!r)
		r = dat_add_formats(b);
	if (!r)
		r = dat_add_symbols(b);
	if (!r)
		r = dat_add_printk(b);
	if (!r)
		r = dat_add_comms(b, f);
	if (!r)
		r = dat_add_int(b, f->cpus, 4);
	return r ? r : add_data_v6(b, f);
}

int dat_write(const struct dat_file *f, const char *path)
{
	struct bytes b = {0};
	int r = f->form.version == 6 ? make_v6(&b, f) : dat_make_v7(&b, f);

	if (!r)
		r = write_file(f, path, &b);
	free(b.v);
	return r;
}
