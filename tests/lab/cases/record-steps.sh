#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The TSC offset of a VM changes three times while it is recorded, each vCPU at its own moment, and a
# vCPU is plugged: every change is followed at its tick. With the changes ignored, check fails.
# lab: timeout=600
# shellcheck disable=SC2016,SC2317
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
need_onetsc
cd /tmp || exit

bytes() { cat s.onetsc/guest-vm.dat.cpu* | wc -c; }
# After each change the guest goes on for a while.
more() {
	local want=$(($(bytes) + 400000))
	ok "$1: more is recorded" wait_for 60 eval "[ \$(bytes) -ge $want ]"
}

GUEST_AGENT=1
guest_start vm
ok 'the guest boots' guest_wait vm
guest_run vm '(while :; do ls /proc >/dev/null; done) & (while :; do ls /sys /bin >/dev/null; done) &
  (while :; do dd if=/dev/vda of=/dev/null bs=64k count=16 iflag=direct; done) >/dev/null 2>&1 &' >/dev/null
"$ONETSC" record -v -o s.onetsc --guest-event 'raw_syscalls:*' -b 16M 2>"$LAB_OUT/record.err" &
record=$!
ok 'the agent is recorded' wait_for 60 test -e s.onetsc/guest-vm.dat.head
more 'at first'

tsc_step vm 0 260000000
more 'the guest has moved CPU 0'
tsc_step vm 1 2600000000
more 'the guest has moved CPU 1'

"$ONETSC" zero --vm vm --now --force-live >"$LAB_OUT/zero.txt" 2>&1
is $? 0 'zero --now --force-live'
is "$(vm_offsets vm)" $'0 0\n1 0' 'both offsets are 0'
more 'zeroed'

guest_plug_cpu vm
ok 'a vCPU was plugged' wait_for 20 guest_run vm 'echo 1 >/sys/devices/system/cpu/cpu2/online || [ "$(cat /sys/devices/system/cpu/cpu2/online)" = 1 ]'
guest_run vm '(while :; do ls /proc >/dev/null; done) &' >/dev/null
more 'plugged'

kill -INT $record
wait $record
is $? 0 'Ctrl-C ends the recording'
diag "$(cat "$LAB_OUT/record.err")"
cp -r s.onetsc "$LAB_OUT/"
is "$(jq -c '[.machines[1].vcpus[] | [.id, .guest_cpu]]' s.onetsc/session.json)" '[[0,0],[1,1],[2,2]]' 'all vCPUs are known'
# On a slow machine the guest takes its first step back only after it was zeroed.
is "$(jq -r '.machines[1].vcpus[] | "\(.id) \(.end_offset)"' s.onetsc/session.json)" "$(vm_offsets vm)" 'and their last offsets'
check=$("$ONETSC" check --epochs s.onetsc 2>&1)
is $? 0 'check proves the order'
diag "$check"
"$ONETSC" check --json s.onetsc >check.json 2>/dev/null
ok 'of many events' test "$(jq '[.vcpus[].inside] | add' check.json)" -ge 20000
is "$(jq -c '[.vcpus[] | select(.inside == 0)]' check.json)" '[]' 'of every vCPU'
# The guest's own write and zero's.
is "$(jq -c '[.vcpus[0:2][] | .epochs | length >= 3]' check.json)" '[true,true]' 'over at least two changes of each vCPU'

"$ONETSC" check --json --ignore-epochs s.onetsc >ignored.json 2>/dev/null
is $? 1 'with the changes ignored check fails'
# How many depends on how long the guest stood at each offset: those of the last one are seconds away,
# where nothing was recorded that could disprove them.
ok 'and finds violations' test "$(jq '[.vcpus[].violations] | add' ignored.json)" -ge 20
diag "violations with --ignore-epochs: $(jq -c '[.vcpus[].violations]' ignored.json)"

# What was read at the end is compared with what the recorded changes lead to.
cp -r s.onetsc lie.onetsc
jq '.machines[1].vcpus[1].end_offset = "12345"' s.onetsc/session.json >lie.onetsc/session.json
"$ONETSC" check lie.onetsc >lie.txt 2>&1
like "$(cat lie.txt)" 'vCPU 1: TSC offset was 12345 at the end, but '"$(vm_offsets vm | awk '$1 == 1 { print $2 }')"' after' 'an end value that does not fit is told'
not_ok 'and is an error of report' eval '"$ONETSC" report lie.onetsc >/dev/null'
done_testing
