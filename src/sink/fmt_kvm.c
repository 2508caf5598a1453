// SPDX-License-Identifier: GPL-2.0-or-later
/* kvm: what plugin_kvm.c of libtraceevent 1.7.1 prints. The names are Linux's of the exits in
 * arch/x86/include/uapi/asm/{vmx,svm}.h. */
#include "sink/fmt_form.h"

#include "base/cleanup.h"

static const char *const vmx_reasons[] = {
	[0] = "EXCEPTION_NMI",
	[1] = "EXTERNAL_INTERRUPT",
	[2] = "TRIPLE_FAULT",
	[7] = "PENDING_INTERRUPT",
	[8] = "NMI_WINDOW",
	[9] = "TASK_SWITCH",
	[10] = "CPUID",
	[12] = "HLT",
	[13] = "INVD",
	[14] = "INVLPG",
	[15] = "RDPMC",
	[16] = "RDTSC",
	[18] = "VMCALL",
	[19] = "VMCLEAR",
	[20] = "VMLAUNCH",
	[21] = "VMPTRLD",
	[22] = "VMPTRST",
	[23] = "VMREAD",
	[24] = "VMRESUME",
	[25] = "VMWRITE",
	[26] = "VMOFF",
	[27] = "VMON",
	[28] = "CR_ACCESS",
	[29] = "DR_ACCESS",
	[30] = "IO_INSTRUCTION",
	[31] = "MSR_READ",
	[32] = "MSR_WRITE",
	[36] = "MWAIT_INSTRUCTION",
	[39] = "MONITOR_INSTRUCTION",
	[40] = "PAUSE_INSTRUCTION",
	[41] = "MCE_DURING_VMENTRY",
	[43] = "TPR_BELOW_THRESHOLD",
	[44] = "APIC_ACCESS",
	[45] = "EOI_INDUCED",
	[48] = "EPT_VIOLATION",
	[49] = "EPT_MISCONFIG",
	[50] = "INVEPT",
	[52] = "PREEMPTION_TIMER",
	[54] = "WBINVD",
	[55] = "XSETBV",
	[56] = "APIC_WRITE",
	[58] = "INVPCID",
	[62] = "PML_FULL",
	[63] = "XSAVES",
	[64] = "XRSTORS",
};

static const char *const svm_reasons[] = {
	[0x000] = "EXIT_READ_CR0",   [0x003] = "EXIT_READ_CR3",	     [0x004] = "EXIT_READ_CR4",
	[0x008] = "EXIT_READ_CR8",   [0x010] = "EXIT_WRITE_CR0",     [0x013] = "EXIT_WRITE_CR3",
	[0x014] = "EXIT_WRITE_CR4",  [0x018] = "EXIT_WRITE_CR8",     [0x020] = "EXIT_READ_DR0",
	[0x021] = "EXIT_READ_DR1",   [0x022] = "EXIT_READ_DR2",	     [0x023] = "EXIT_READ_DR3",
	[0x024] = "EXIT_READ_DR4",   [0x025] = "EXIT_READ_DR5",	     [0x026] = "EXIT_READ_DR6",
	[0x027] = "EXIT_READ_DR7",   [0x030] = "EXIT_WRITE_DR0",     [0x031] = "EXIT_WRITE_DR1",
	[0x032] = "EXIT_WRITE_DR2",  [0x033] = "EXIT_WRITE_DR3",     [0x034] = "EXIT_WRITE_DR4",
	[0x035] = "EXIT_WRITE_DR5",  [0x036] = "EXIT_WRITE_DR6",     [0x037] = "EXIT_WRITE_DR7",
	[0x040] = "EXIT_EXCP_DE",    [0x041] = "EXIT_EXCP_DB",	     [0x043] = "EXIT_EXCP_BP",
	[0x044] = "EXIT_EXCP_OF",    [0x045] = "EXIT_EXCP_BR",	     [0x046] = "EXIT_EXCP_UD",
	[0x047] = "EXIT_EXCP_NM",    [0x048] = "EXIT_EXCP_DF",	     [0x04a] = "EXIT_EXCP_TS",
	[0x04b] = "EXIT_EXCP_NP",    [0x04c] = "EXIT_EXCP_SS",	     [0x04d] = "EXIT_EXCP_GP",
	[0x04e] = "EXIT_EXCP_PF",    [0x050] = "EXIT_EXCP_MF",	     [0x051] = "EXIT_EXCP_AC",
	[0x052] = "EXIT_EXCP_MC",    [0x053] = "EXIT_EXCP_XF",	     [0x060] = "EXIT_INTR",
	[0x061] = "EXIT_NMI",	     [0x062] = "EXIT_SMI",	     [0x063] = "EXIT_INIT",
	[0x064] = "EXIT_VINTR",	     [0x065] = "EXIT_CR0_SEL_WRITE", [0x066] = "EXIT_IDTR_READ",
	[0x067] = "EXIT_GDTR_READ",  [0x068] = "EXIT_LDTR_READ",     [0x069] = "EXIT_TR_READ",
	[0x06a] = "EXIT_IDTR_WRITE", [0x06b] = "EXIT_GDTR_WRITE",    [0x06c] = "EXIT_LDTR_WRITE",
	[0x06d] = "EXIT_TR_WRITE",   [0x06e] = "EXIT_RDTSC",	     [0x06f] = "EXIT_RDPMC",
	[0x070] = "EXIT_PUSHF",	     [0x071] = "EXIT_POPF",	     [0x072] = "EXIT_CPUID",
	[0x073] = "EXIT_RSM",	     [0x074] = "EXIT_IRET",	     [0x075] = "EXIT_SWINT",
	[0x076] = "EXIT_INVD",	     [0x077] = "EXIT_PAUSE",	     [0x078] = "EXIT_HLT",
	[0x079] = "EXIT_INVLPG",     [0x07a] = "EXIT_INVLPGA",	     [0x07b] = "EXIT_IOIO",
	[0x07c] = "EXIT_MSR",	     [0x07d] = "EXIT_TASK_SWITCH",   [0x07e] = "EXIT_FERR_FREEZE",
	[0x07f] = "EXIT_SHUTDOWN",   [0x080] = "EXIT_VMRUN",	     [0x081] = "EXIT_VMMCALL",
	[0x082] = "EXIT_VMLOAD",     [0x083] = "EXIT_VMSAVE",	     [0x084] = "EXIT_STGI",
	[0x085] = "EXIT_CLGI",	     [0x086] = "EXIT_SKINIT",	     [0x087] = "EXIT_RDTSCP",
	[0x088] = "EXIT_ICEBP",	     [0x089] = "EXIT_WBINVD",	     [0x08a] = "EXIT_MONITOR",
	[0x08b] = "EXIT_MWAIT",	     [0x08c] = "EXIT_MWAIT_COND",    [0x08d] = "EXIT_XSETBV",
};

static const char *svm_reason(int32_t v)
{
	switch (v) {
	case 0x400:
		return "EXIT_NPF";
	case 0x401:
		return "EXIT_AVIC_INCOMPLETE_IPI";
	case 0x402:
		return "EXIT_AVIC_UNACCELERATED_ACCESS";
	case -1:
		return "EXIT_ERR";
	default:
		return v >= 0 && (size_t)v < ARRAY_SIZE(svm_reasons) ? svm_reasons[v] : NULL;
	}
}

static const char *reason_name(uint64_t isa, int32_t v)
{
	switch ((uint32_t)isa) {
	case 1:
		return v >= 0 && (size_t)v < ARRAY_SIZE(vmx_reasons) ? vmx_reasons[v] : NULL;
	case 2:
		return svm_reason(v);
	default:
		return "UNKNOWN-ISA";
	}
}

static void put_reason(struct fmt_run *r, const struct fmt_field *reason,
		       const struct fmt_field *isa)
{
	uint64_t v = fmt_run_field(r, reason);
	const char *name = reason_name(isa->size ? fmt_run_field(r, isa) : 1, (int32_t)v);

	fmt_puts(&r->out, "reason ");
	if (name) {
		fmt_put(&r->out, name, strlen(name));
		return;
	}
	fmt_puts(&r->out, "UNKNOWN (");
	fmt_put_udec(&r->out, v);
	fmt_put_char(&r->out, ')');
}

/* The function of the guest around a guest's address. */
static void put_guest_function(struct fmt_run *r, uint64_t rip)
{
	uint64_t start;
	const char *name;
	size_t n;

	name = r->names->guest_symbol(r->names->ctx, r->pid, rip, &start, &n);
	if (!name)
		return;
	fmt_put_char(&r->out, ' ');
	fmt_put(&r->out, name, n);
	if (rip == start)
		return;
	fmt_puts(&r->out, "+0x");
	fmt_put_hex(&r->out, rip - start);
}

static void put_rip(struct fmt_run *r, const struct fmt_field *f)
{
	uint64_t rip = fmt_run_field(r, f);

	fmt_puts(&r->out, " rip 0x");
	fmt_put_hex(&r->out, rip);
	put_guest_function(r, rip);
}

static void kvm_exit(struct fmt_run *r, const struct fmt_prog *g)
{
	put_reason(r, &g->fields[0], &g->fields[2]);
	put_rip(r, &g->fields[1]);
	if (!g->fields[3].size || !g->fields[4].size)
		return;
	fmt_puts(&r->out, " info ");
	fmt_put_hex(&r->out, fmt_run_field(r, &g->fields[3]));
	fmt_put_char(&r->out, ' ');
	fmt_put_hex(&r->out, fmt_run_field(r, &g->fields[4]));
}

static void kvm_entry(struct fmt_run *r, const struct fmt_prog *g)
{
	fmt_puts(&r->out, " vcpu ");
	fmt_put_udec(&r->out, (uint32_t)fmt_run_field(r, &g->fields[0]));
	put_rip(r, &g->fields[1]);
}

static void kvm_emulate_insn(struct fmt_run *r, const struct fmt_prog *g)
{
	uint64_t rip = fmt_run_field(r, &g->fields[0]), n = fmt_run_field(r, &g->fields[2]);
	const struct fmt_field *insn = &g->fields[4];

	fmt_put_hex(&r->out, fmt_run_field(r, &g->fields[1]));
	fmt_put_char(&r->out, ':');
	fmt_put_hex(&r->out, rip);
	put_guest_function(r, rip);
	fmt_puts(&r->out, ": ");
	if (n > insn->size)
		n = insn->size;
	for (uint32_t i = 0; i < n && insn->off + i < r->size && r->out.p < r->out.end; i++) {
		if (i)
			fmt_put_char(&r->out, ' ');
		fmt_put_hex_pad(&r->out, r->rec[insn->off + i], 2);
	}
	if (fmt_run_field(r, &g->fields[3]))
		fmt_puts(&r->out, " FAIL");
}

static void put_named_hex(struct fmt_run *r, const char *name, const struct fmt_field *f)
{
	fmt_put(&r->out, name, strlen(name));
	fmt_put_hex(&r->out, fmt_run_field(r, f));
}

static void kvm_nested_vmexit_inject(struct fmt_run *r, const struct fmt_prog *g)
{
	put_reason(r, &g->fields[0], &g->fields[1]);
	put_named_hex(r, " info1 ", &g->fields[2]);
	put_named_hex(r, " info2 ", &g->fields[3]);
	put_named_hex(r, " int_info ", &g->fields[4]);
	put_named_hex(r, " int_info_err ", &g->fields[5]);
}

const struct fmt_form fmt_kvm_forms[] = {
	{"kvm",
	 "kvm_exit",
	 kvm_exit,
	 false,
	 {"exit_reason", "guest_rip", "?isa", "?info1", "?info2"}},
	{"kvm", "kvm_entry", kvm_entry, false, {"vcpu_id", "rip"}},
	{"kvm",
	 "kvm_emulate_insn",
	 kvm_emulate_insn,
	 false,
	 {"rip", "csbase", "len", "failed", "=insn"}},
	{"kvm",
	 "kvm_nested_vmexit_inject",
	 kvm_nested_vmexit_inject,
	 false,
	 {"exit_code", "?isa", "exit_info1", "exit_info2", "exit_int_info", "exit_int_info_err"}},
	{NULL},
};
