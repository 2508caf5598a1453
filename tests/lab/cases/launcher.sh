#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A plain user who may only open /dev/kvm starts a guest with offset 0, through a reset too.
# lab: timeout=600
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
need_onetsc

# kvm_track_tsc tells what was before the write, this one what it is from now on.
mkdir "$T/instances/track"
echo 1 >"$T/instances/track/events/kvm/kvm_update_master_clock/enable"
echo 1 >"$T/instances/track/events/kvm/kvm_track_tsc/enable"
masterclock() { # that of the last update
	sed -n 's/.*kvm_update_master_clock: masterclock \([01]\) .*/\1/p' "$T/instances/track/trace" | tail -n 1
}
# shellcheck disable=SC2317 # wait_for calls it
offsets_are_0() { [ "$(vm_offsets vm)" = $'0 0\n1 0' ]; }

not_ok 'this user may not trace' as_lab "$ONETSC" zero
GUEST_PREFIX=(as_lab "$ONETSC" zero --)
guest_start vm
ok 'the guest boots' guest_wait vm
stamp 'booted'
is "$(stat -c %u "/proc/$(vm_pid vm)")" 1000 'QEMU runs as the plain user'
is "$(vm_offsets vm)" $'0 0\n1 0' 'both offsets are 0'
for i in 0 1; do
	got=$(tsc_check vm $i)
	like "$got" ' inside=1000 ' "vCPU $i reads the host's TSC"
	diag "$got"
done
is "$(masterclock)" 1 'the masterclock is on'
is "$(guest_run vm 'cat /sys/devices/system/clocksource/clocksource0/current_clocksource')" kvm-clock 'the guest uses kvm-clock'
like "$(cat "$(guest_dir vm)/qemu.log")" 'the VM starts with TSC offset 0' 'it says so'

guest_reset vm
sleep 1
ok 'the guest boots again' guest_wait vm
stamp 'reset'
ok 'both offsets are 0 after system_reset' wait_for 50 offsets_are_0
diag "$(vm_offsets vm)"
for i in 0 1; do
	like "$(tsc_check vm $i 0 200)" ' inside=200 ' "vCPU $i reads the host's TSC after system_reset"
done
is "$(masterclock)" 1 'the masterclock is on after system_reset'

guest_plug_cpu vm
ok 'a hot-plugged vCPU has offset 0 too' wait_for 50 sh -c \
	"[ \"\$(cat /sys/kernel/debug/kvm/$(vm_pid vm)-*/vcpu*/tsc-offset | sort | uniq -c | tr -s ' ')\" = ' 3 0' ]"
diag "$(vm_offsets vm)"
cp "$T/instances/track/trace" "$LAB_OUT/track.txt"

# The exit status is the VMM's own.
as_lab "$ONETSC" zero -- sh -c 'exit 42' 2>/dev/null
is $? 42 'a script of the user passes its status on'
as_lab "$ONETSC" zero -- qemu-system-x86_64 --nosuchoption 2>/dev/null
is $? 1 'and so does QEMU'
done_testing
