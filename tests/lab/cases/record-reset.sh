#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A VM is reset while it is recorded, and reboots by itself: its agent is recorded again each time, in
# a file of its own, and the order of all of it is proved. Stock tools open every file.
# lab: timeout=600
# shellcheck disable=SC2016,SC2317
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
need_onetsc
cd /tmp || exit

bytes() { cat "s.onetsc/$1".cpu* 2>/dev/null | wc -c; }
enough() { [ "$(bytes "$1")" -ge 600000 ]; }
load() {
	guest_run vm '(while :; do ls /proc >/dev/null; done) & (while :; do ls /sys /bin >/dev/null; done) &
  (while :; do dd if=/dev/vda of=/dev/null bs=64k count=16 iflag=direct; done) >/dev/null 2>&1 &' >/dev/null
}

GUEST_AGENT=1
guest_start vm
ok 'the guest boots' guest_wait vm
load
"$ONETSC" record -v -o s.onetsc --guest-event 'raw_syscalls:*' -b 16M 2>"$LAB_OUT/record.err" &
record=$!
ok 'the agent is recorded' wait_for 60 enough guest-vm.dat
before=$(vm_offsets vm)

guest_reset vm
ok 'reset: the loss is told' wait_for 60 grep -q 'recorded on when it comes back' "$LAB_OUT/record.err"
ok 'reset: the guest boots again' guest_wait vm
isnt "$(vm_offsets vm)" "$before" 'reset: its offsets are others'
ok 'reset: the agent is recorded again' wait_for 60 test -e s.onetsc/guest-vm+2.dat.head
load
ok 'reset: and has events' wait_for 60 enough guest-vm+2.dat

guest_run vm 'sync; echo b >/proc/sysrq-trigger' 2 >/dev/null
ok 'reboot: the agent is recorded again' wait_for 120 test -e s.onetsc/guest-vm+3.dat.head
ok 'reboot: the guest answers' guest_wait vm
load
ok 'reboot: and has events' wait_for 60 enough guest-vm+3.dat

kill -INT $record
wait $record
is $? 0 'Ctrl-C ends the recording'
diag "$(cat "$LAB_OUT/record.err")"
cp -r s.onetsc "$LAB_OUT/"
is "$(jq -c '[.complete, .machines[1].file, .machines[1].parts[].file]' s.onetsc/session.json)" \
	'[true,"guest-vm.dat","guest-vm+2.dat","guest-vm+3.dat"]' 'the session has three files of the guest'
is "$(jq -c '[.machines[1].parts[].vcpus[].guest_cpu]' s.onetsc/session.json)" '[0,1,0,1]' 'with CPU numbers of their own'
check=$("$ONETSC" check --epochs s.onetsc 2>&1)
is $? 0 'check proves the order'
diag "$check"
"$ONETSC" check --json s.onetsc >check.json 2>/dev/null
all=$(jq '[.vcpus[].events] | add' check.json)
judged=$(jq '[.vcpus[].inside] | add' check.json)
ok 'of many events' test "$judged" -ge 20000
for f in guest-vm guest-vm+2 guest-vm+3; do
	n=$(trace-cmd report -i "s.onetsc/$f.dat" 2>/dev/null | grep -cE '\[[0-9]{3}\]')
	ok "stock trace-cmd reads $f.dat ($n events)" test "$n" -gt 1000
	sum=$((${sum:-0} + n))
done
is "$all" "$sum" 'and the merge has all of them'
# Ignored, the changes put what came after them seconds away: into wrong windows, or where none is.
inside() { "$ONETSC" check --json "$@" s.onetsc 2>/dev/null | jq '[.vcpus[].inside] | add'; }
ok 'with the changes ignored thousands of events are out of place' test "$(inside --ignore-epochs)" -lt $(($(inside) - 2000))
done_testing
