#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest without onetsc: its TSC is not the host's, and the lab can tell.
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"

# Private trace instances with the host's raw TSC as time; two, so that exits do
# not push the few offset writes out.
trace_instance() { # NAME EVENT
	mkdir "$T/instances/$1"
	echo x86-tsc >"$T/instances/$1/trace_clock"
	echo 1 >"$T/instances/$1/events/kvm/$2/enable"
}
trace_instance offsets kvm_write_tsc_offset
trace_instance exits kvm_exit

stamp 'starting the guest'
guest_start vm
ok 'the guest boots' guest_wait vm
stamp 'guest is up'

offsets=$(vm_offsets vm)
diag "$offsets"
is "$(wc -l <<<"$offsets")" 2 'debugfs shows two vCPUs'
unlike "$offsets" ' 0(\n|$)' 'no offset is 0'
is "$(cut -d' ' -f2 <<<"$offsets" | uniq | wc -l)" 1 'both have the same offset'
offset=$(awk 'NR == 1 { print $2 }' <<<"$offsets")

for cpu in 0 1; do
	like "$(tsc_check vm $cpu 0 100)" ' inside=0 ' "no raw TSC of vCPU $cpu is the host's"
	counts=$(tsc_check vm $cpu "$offset")
	diag "$counts"
	like "$counts" ' inside=1000 ' "every raw TSC of vCPU $cpu less the offset is the host's"
done
stamp 'TSC sampled'

for i in offsets exits; do
	echo 0 >"$T/instances/$i/tracing_on"
	cat "$T/instances/$i/trace" >"$LAB_OUT/$i.txt"
	rmdir "$T/instances/$i"
done
like "$(grep kvm_write_tsc_offset: "$LAB_OUT/offsets.txt" | tail -n 1)" "next=$(printf '%u' "$offset")" \
	'the last offset write in the trace is what debugfs shows'
ok 'exits were traced' grep -q kvm_exit: "$LAB_OUT/exits.txt"

is "$(guest_run vm 'nproc; exit 3')" 2 'a command in the guest gives output'
guest_run vm 'exit 3'
is $? 3 'and status'
head -c 100000 /dev/urandom >/tmp/blob
guest_put vm /tmp/blob /tmp/blob
guest_get vm /tmp/blob /tmp/blob.back
ok 'files go in and out unharmed' cmp /tmp/blob /tmp/blob.back
ok 'the disk works' guest_run vm 'dd if=/dev/zero of=/dev/vda bs=64k count=16 oflag=direct 2>&1'

guest_plug_cpu vm
ok 'a third vCPU shows up in the guest' wait_for 20 guest_run vm 'echo 1 >/sys/devices/system/cpu/cpu2/online; nproc | grep 3'
is "$(vm_offsets vm | wc -l)" 3 'and in debugfs'
ok "its raw TSC less the offset is the host's" tsc_check vm 2 "$(vm_offsets vm | awk '$1 == 2 { print $2 }')" 200
stamp 'vCPU plugged'

guest_run vm 'touch /tmp/before'
guest_reset vm
ok 'after a reset the guest boots again' wait_for 120 guest_run vm '[ ! -e /tmp/before ]' 5
isnt "$(vm_offsets vm | awk 'NR == 1 { print $2 }')" "$offset" 'and has a new offset'
stamp 'reset'
done_testing
