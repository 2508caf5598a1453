// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/writer.h"

static const struct {
	const char *name, *text;
} writers[WRITERS] = {
	[WRITER_UNKNOWN] = {"unknown", "it is not known who set it"},
	[WRITER_CREATION] = {"creation",
			     "set by KVM when the vCPU was made (or the VMM wrote TSC 0)"},
	[WRITER_RESET] = {"reset", "set by the VMM's reset (TSC 1)"},
	[WRITER_ZEROED] = {"zeroed", "set to 0 by KVM_SET_DEVICE_ATTR (onetsc zero)"},
	[WRITER_RESTORED] = {"restored",
			     "set by the VMM: a saved TSC, or an offset by KVM_SET_DEVICE_ATTR"},
	[WRITER_GUEST] = {"guest-wrmsr", "set by the guest itself (WRMSR of TSC or TSC_ADJUST)"},
	[WRITER_KVM] = {"kvm",
			"set by KVM itself (unstable TSC, catch-up or a suspend of the host)"},
	[WRITER_FIXED] = {"fixed", "fixed by the CPU or this kind of KVM"},
	[WRITER_OLDER] =
		{"older",
		 "set by the VMM before it wrote the TSC of other vCPUs and not of this one"},
};

enum writer writer_of(const struct look_vcpu *v)
{
	__u64 beside = v->offset - v->vm_offset;

	if (v->flags & LOOK_PROTECTED)
		return WRITER_FIXED;
	if (v->generation != v->vm_generation)
		return WRITER_OLDER;
	if (!beside) {
		if (!v->offset && v->vm_write > 1)
			return WRITER_ZEROED;
		return v->vm_write == 0	  ? WRITER_CREATION
		       : v->vm_write == 1 ? WRITER_RESET
					  : WRITER_RESTORED;
	}
	if (v->adjust)
		return beside == v->adjust ? WRITER_GUEST : WRITER_UNKNOWN;
	return WRITER_KVM;
}

const char *writer_name(enum writer w)
{
	return writers[w < WRITERS ? w : WRITER_UNKNOWN].name;
}

const char *writer_text(enum writer w)
{
	return writers[w < WRITERS ? w : WRITER_UNKNOWN].text;
}
