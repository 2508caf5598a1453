#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# onetsc zero with kvm_intel: VMs begin at offset 0, one whose TSC the CPU scales is left alone.
# lab: machine=intel
# lab: timeout=900
# shellcheck disable=SC2119 # functions without arguments
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
# shellcheck source=tests/lab/cases/zero-lib.sh
. "$LAB/cases/zero-lib.sh"
need_onetsc
scaled='another frequency.*"onetsc record"'

zero_start
is $? 0 'onetsc zero watches'
stamp 'watching'
tiny_start equal 2
all_inside equal 20 'from its first instruction on a guest reads the host TSC'
is "$(tiny_offsets equal)" '0 0 1 0' 'both offsets are 0'
sleep 1.2 # else KVM takes the reset's TSC for the creation's
tiny equal reset
all_inside equal 20 'also after a reset'
tiny equal 'wrmsr 1000000' >/dev/null
like "$(tiny_offsets equal)" '^0 [1-9][0-9]{5} 1 0$' 'the guest itself may move its TSC'
tiny_stop equal
stamp 'ratio 1'

bios_qemu -debugcon file:/tmp/dots.log >"$LAB_OUT/qemu.txt" 2>&1 7>&- &
qemu=$!
ok "QEMU's VM begins at offset 0 too" zero_listed 'dots .*: 2 vCPUs at offset 0' 60
ok 'and its guest runs' wait_for 20 test -s /tmp/dots.log
is "$(sort -u "/sys/kernel/debug/kvm/$qemu"-*/vcpu*/tsc-offset)" 0 'at offset 0'
kill $qemu
stamp 'QEMU'

tiny_start scaled 1
tiny scaled 'khz 33333'
none_inside scaled 20 'a scaled guest does not read the host TSC'
ok 'zero leaves it alone and says why' zero_said "vm-$(tiny_pid scaled) .*$scaled"
offsets=$(tiny_offsets scaled)
unlike "$offsets" '^0 0$' 'its offset was not touched'
zero_stop
is $? 0 'zero ends with 0'
is "$(bpfprogs)" '' 'no program was left'
said=$("$ONETSC" zero --vm "$(tiny_pid scaled)" --now --force-live 2>&1)
is $? 1 'nor does --now --force-live zero it' || diag "$said"
like "$said" "$scaled" 'with the same reason'
is "$(tiny_offsets scaled)" "$offsets" 'and its offset is as before'
tiny_stop scaled
stamp 'scaled'
done_testing
