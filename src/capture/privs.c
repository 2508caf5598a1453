// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/privs.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

#define BIT(cap) (UINT64_C(1) << (cap))
#define KEEP                                                                      \
	(BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_SYS_PTRACE) | \
	 BIT(CAP_SYSLOG) | BIT(CAP_CHOWN))

void privs_drop(void)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];

	if (geteuid())
		return;
	/* What an exec would bring back is taken out of the bounding set first, while allowed. */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(KEEP & BIT(cap)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			log_debug("cannot drop capability %d: %m", cap);
	if (syscall(SYS_capget, &h, d)) {
		log_debug("capget: %m");
		return;
	}
	for (int i = 0; i < 2; i++) {
		d[i].permitted &= (uint32_t)(KEEP >> (32 * i));
		d[i].effective = d[i].permitted;
		d[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &h, d) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		log_debug("cannot give up privileges: %m");
}
