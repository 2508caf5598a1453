// SPDX-License-Identifier: GPL-2.0-or-later
/* Event formats as Linux 6.1 has them (symbol tables shortened), and records that fit them. */
#include <stdio.h>
#include <string.h>

#include "event.h"

#define COMMON                                                                         \
	"format:\n"                                                                    \
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"         \
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"         \
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n" \
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
#define FIELD(decl, offset, size, signed) \
	"\tfield:" decl ";\toffset:" #offset ";\tsize:" #size ";\tsigned:" #signed ";\n"

static const struct {
	const char *system, *name, *body;
	uint16_t id;
} kinds[T_KINDS] = {
	[T_ENTRY] =
		{"kvm", "kvm_entry",
		 COMMON FIELD("unsigned int vcpu_id", 8, 4, 0) FIELD("unsigned long rip", 16, 8, 0)
			 FIELD("bool immediate_exit", 24, 1,
			       0) "\nprint fmt: \"vcpu %u, rip 0x%lx%s\", REC->vcpu_id, REC->rip, "
				  "REC->immediate_exit ? \"[immediate exit]\" : \"\"\n",
		 1449},
	[T_EXIT] = {"kvm", "kvm_exit",
		    COMMON FIELD("unsigned int exit_reason", 8, 4, 0) FIELD(
			    "unsigned long guest_rip", 16, 8, 0) FIELD("u32 isa", 24, 4, 0)
			    FIELD("u64 info1", 32, 8, 0) FIELD("u64 info2", 40, 8, 0) FIELD(
				    "u32 intr_info", 48, 4, 0) FIELD("u32 error_code", 52, 4, 0)
				    FIELD("unsigned int vcpu_id", 56, 4,
					  0) "\nprint fmt: \"vcpu %u reason %s rip 0x%lx info1 0x%016llx info2 0x%016llx "
					     "intr_info 0x%08x error_code 0x%08x\", REC->vcpu_id, "
					     "__print_symbolic(REC->exit_reason, { 0x060, \"interrupt\" }, "
					     "{ 0x078, \"hlt\" }, { 0x07b, \"io\" }, { 0x07c, \"msr\" }, "
					     "{ 0x400, \"npf\" }), REC->guest_rip, REC->info1, REC->info2, "
					     "REC->intr_info, REC->error_code\n",
		    1440},
	[T_OFFSET] =
		{"kvm", "kvm_write_tsc_offset",
		 COMMON FIELD("unsigned int vcpu_id", 8, 4, 0) FIELD(
			 "__u64 previous_tsc_offset", 16, 8, 0)
			 FIELD("__u64 next_tsc_offset", 24, 8,
			       0) "\nprint fmt: \"vcpu=%u prev=%llu next=%llu\", REC->vcpu_id, "
				  "REC->previous_tsc_offset, REC->next_tsc_offset\n",
		 1420},
	[T_MSR] =
		{"kvm", "kvm_msr",
		 COMMON FIELD("unsigned write", 8, 4, 0) FIELD("u32 ecx", 12,
							       4, 0) FIELD("u64 data", 16, 8, 0)
			 FIELD("u8 exception", 24, 1,
			       0) "\nprint fmt: \"msr_%s %x = 0x%llx%s\", REC->write ? \"write\" : \"read\", "
				  "REC->ecx, REC->data, REC->exception ? \" (#GP)\" : \"\"\n",
		 1436},
	[T_USERSPACE] =
		{"kvm", "kvm_userspace_exit",
		 COMMON FIELD("__u32 reason", 8, 4, 0) FIELD(
			 "int errno",
			 12, 4,
			 1) "\nprint fmt: \"reason %s (%d)\", REC->errno < 0 ? (REC->errno == -4 ? "
			    "\"restart\" : \"error\") : __print_symbolic(REC->reason, "
			    "{ 2, \"KVM_EXIT_\" \"IO\" }, { 5, \"KVM_EXIT_\" \"HLT\" }, "
			    "{ 10, \"KVM_EXIT_\" \"INTR\" }), REC->errno < 0 ? -REC->errno : "
			    "REC->reason\n",
		 1380},
	[T_INJ] = {"kvm", "kvm_inj_virq",
		   COMMON FIELD("unsigned int vector", 8, 4, 0) FIELD("bool soft", 12, 1, 0) FIELD(
			   "bool reinjected", 13, 1,
			   0) "\nprint fmt: \"%s 0x%x%s\", REC->soft ? \"Soft/INTn\" : \"IRQ\", "
			      "REC->vector, REC->reinjected ? \" [reinjected]\" : \"\"\n",
		   1439},
	[T_SWITCH] =
		{"sched", "sched_switch",
		 COMMON FIELD("char prev_comm[16]", 8, 16, 1) FIELD("pid_t prev_pid", 24, 4, 1)
			 FIELD("int prev_prio", 28, 4, 1) FIELD("long prev_state", 32, 8, 1) FIELD(
				 "char next_comm[16]", 40, 16, 1) FIELD("pid_t next_pid", 56, 4, 1)
				 FIELD("int next_prio", 60, 4,
				       1) "\nprint fmt: \"prev_comm=%s prev_pid=%d prev_prio=%d prev_state=%s ==> "
					  "next_comm=%s next_pid=%d next_prio=%d\", REC->prev_comm, REC->prev_pid, "
					  "REC->prev_prio, REC->prev_state ? __print_flags(REC->prev_state, \"|\", "
					  "{ 0x00000001, \"S\" }, { 0x00000002, \"D\" }) : \"R\", REC->next_comm, "
					  "REC->next_pid, REC->next_prio\n",
		 319},
	[T_WAKING] =
		{"sched", "sched_waking",
		 COMMON FIELD("char comm[16]", 8, 16, 1) FIELD("pid_t pid", 24, 4, 1) FIELD(
			 "int prio", 28, 4,
			 1)
			 FIELD("int target_cpu", 32, 4,
			       1) "\nprint fmt: \"comm=%s pid=%d prio=%d target_cpu=%03d\", REC->comm, "
				  "REC->pid, REC->prio, REC->target_cpu\n",
		 322},
	[T_IRQ] = {"irq", "irq_handler_entry",
		   COMMON FIELD("int irq", 8, 4, 1)
			   FIELD("__data_loc char[] name", 12, 4,
				 1) "\nprint fmt: \"irq=%d name=%s\", REC->irq, __get_str(name)\n",
		   152},
	[T_PRINT] = {"ftrace", "print",
		     COMMON FIELD("unsigned long ip", 8, 8, 0)
			     FIELD("char buf[]", 16, 0,
				   1) "\nprint fmt: \"%ps: %s\", (void *)REC->ip, REC->buf\n",
		     5},
	[T_VECTOR] = {"irq_vectors", "local_timer_entry",
		      COMMON FIELD("int vector", 8, 4,
				   1) "\nprint fmt: \"vector=%d\", REC->vector\n",
		      95},
	[T_WRMSR] = {"msr", "write_msr",
		     COMMON FIELD("unsigned msr", 8, 4, 0) FIELD("u64 val", 16, 8, 0)
			     FIELD("int failed", 24, 4,
				   1) "\nprint fmt: \"%x, value %llx%s\", REC->msr, REC->val, "
				      "REC->failed ? \" #GP\" : \"\"\n",
		     484},
};

const char *payload_format(enum truth_kind k)
{
	static char text[4096];

	snprintf(text, sizeof(text), "name: %s\nID: %u\n%s", kinds[k].name, kinds[k].id,
		 kinds[k].body);
	return text;
}

const char *payload_system(enum truth_kind k)
{
	return kinds[k].system;
}

const char *payload_name(enum truth_kind k)
{
	return kinds[k].name;
}

static void put(struct truth_event *e, unsigned offset, uint64_t v, unsigned size)
{
	memcpy(e->data + offset, &v, size); /* little endian, like the files */
}

static void put_comm(struct truth_event *e, unsigned offset, uint64_t pid)
{
	snprintf((char *)e->data + offset, 16, pid ? "task-%u" : "swapper", (unsigned)pid);
}

/* A text of 1 to 120 bytes, so that some records are longer than type_len can say. */
static unsigned fill_print(struct truth_event *e, uint64_t a)
{
	unsigned n = 1 + (unsigned)(a % 120);

	put(e, 8, 0xffffffff81000000 + a % 4096, 8);
	for (unsigned i = 0; i < n; i++)
		e->data[16 + i] = (uint8_t)('a' + (a / 7 + i) % 26);
	return 16 + n + 1;
}

static unsigned fill_irq(struct truth_event *e, uint64_t a)
{
	static const char *const names[] = {"timer", "virtio0-input.0", "acpi", "ata_piix"};
	const char *name = names[a % ARRAY_SIZE(names)];
	unsigned n = (unsigned)strlen(name) + 1;

	put(e, 8, a % 256, 4);
	put(e, 12, n << 16 | 16, 4);
	memcpy(e->data + 16, name, n);
	return 16 + n;
}

/* next: above its 32 bits the state of prev. */
static unsigned fill_switch(struct truth_event *e, uint64_t prev, uint64_t next)
{
	uint64_t state = next >> 32;

	next &= UINT32_MAX;
	put_comm(e, 8, prev);
	put(e, 24, prev, 4);
	put(e, 28, 120, 4);
	put(e, 32, state, 8);
	put_comm(e, 40, next);
	put(e, 56, next, 4);
	put(e, 60, 120, 4);
	return 64;
}

static unsigned fill_exit(struct truth_event *e, uint64_t vcpu, uint64_t reason)
{
	put(e, 8, reason, 4);
	put(e, 16, 0xffffffff80000000 + e->window * 16, 8);
	put(e, 24, 2, 4);
	put(e, 32, e->window, 8);
	put(e, 56, vcpu, 4);
	return 60;
}

void payload_fill(struct truth_event *e, int pid, uint64_t a, uint64_t b)
{
	unsigned n = 28;

	memset(e->data, 0, sizeof(e->data));
	put(e, 0, kinds[e->kind].id, 2);
	put(e, 4, (uint64_t)pid, 4);
	switch ((enum truth_kind)e->kind) {
	case T_ENTRY:
		put(e, 8, a, 4);
		put(e, 16, 0xffffffff80000000 + e->window * 16, 8);
		break;
	case T_EXIT:
		n = fill_exit(e, a, b);
		break;
	case T_OFFSET: /* a: offset before, b: after; the vCPU id is put in by the caller */
		put(e, 16, a, 8);
		put(e, 24, b, 8);
		n = 32;
		break;
	case T_MSR:
		put(e, 8, 1, 4);
		put(e, 12, a, 4);
		put(e, 16, b, 8);
		break;
	case T_USERSPACE:
		put(e, 8, a, 4);
		n = 16;
		break;
	case T_INJ:
		put(e, 8, a, 4);
		n = 16;
		break;
	case T_SWITCH:
		n = fill_switch(e, a, b);
		break;
	case T_WAKING:
		put_comm(e, 8, a);
		put(e, 24, a, 4);
		put(e, 28, 120, 4);
		put(e, 32, b, 4);
		n = 36;
		break;
	case T_IRQ:
		n = fill_irq(e, a);
		break;
	case T_PRINT:
		n = fill_print(e, a);
		break;
	case T_VECTOR:
		put(e, 8, a, 4);
		n = 12;
		break;
	case T_WRMSR:
		put(e, 8, a, 4);
		put(e, 16, b, 8);
		break;
	case T_KINDS:
		break;
	}
	e->size = (uint8_t)((n + 3) / 4 * 4); /* as the ring buffer rounds */
}
