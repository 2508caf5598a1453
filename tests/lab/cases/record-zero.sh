#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A VM that starts while recording, under zero: found, its agent recorded as soon as it answers, offsets
# 0 to the end, order proved without any translation.
# lab: timeout=600
# shellcheck disable=SC2016
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
need_onetsc
cd /tmp || exit

"$ONETSC" zero >"$LAB_OUT/zero.txt" 2>"$LAB_OUT/zero.err" &
zero=$!
ok 'zero watches' wait_for 20 grep -q . "$LAB_OUT/zero.err"
sleep 1
"$ONETSC" record -v -o s.onetsc --guest-event 'raw_syscalls:*' -b 32M 2>"$LAB_OUT/record.err" &
record=$!
ok 'recording runs without a VM' wait_for 30 test -e s.onetsc/host.dat.head
GUEST_AGENT=1
guest_start vm
ok 'the guest boots' guest_wait vm
ok 'its agent is recorded' wait_for 60 test -e s.onetsc/guest-vm.dat.head
guest_run vm 'for i in 1 2 3; do while :; do ls /proc /sys /bin; done >/dev/null 2>&1 & done
  while :; do dd if=/dev/vda of=/dev/null bs=64k count=64 iflag=direct; done >/dev/null 2>&1 &' >/dev/null
ok 'it has events' wait_for 150 sh -c '[ "$(cat s.onetsc/guest-vm.dat.cpu* | wc -c)" -gt 2800000 ]'
kill -INT $record
wait $record
is $? 0 'Ctrl-C ends the recording'
diag "$(cat "$LAB_OUT/record.err")"
cp -r s.onetsc "$LAB_OUT/"
events=$(sed -n 's/.*guest-vm.dat *\([0-9]*\) events.*/\1/p' "$LAB_OUT/record.err")
ok 'at least 50,000 guest events' test "$events" -ge 50000
is "$(jq -r '[.machines[1].vcpus[] | .start_offset, .end_offset] | unique | .[]' s.onetsc/session.json)" 0 'all offsets were 0'
is "$(jq -c '[.machines[1].vcpus[].guest_cpu]' s.onetsc/session.json)" '[0,1]' 'the vCPU map is known'
check=$("$ONETSC" check s.onetsc 2>&1)
is $? 0 'check proves the order'
diag "$check"
# The ring buffer does not keep the stamp of an event that another one interrupts: rare, but it happens.
is "$("$ONETSC" check --json s.onetsc | jq '[.unjudged | del(.doubtful) | .[]] + [.unjudged.doubtful > 5] | map(select(. != 0 and . != false))' -c)" '[]' \
  'every event was judged, but those whose stamp was not kept'

# The VM ends, and another one of that name starts, in one recording.
"$ONETSC" record -v -o t.onetsc 2>"$LAB_OUT/record2.err" &
record=$!
ok 'the running VM is recorded' wait_for 60 test -e t.onetsc/guest-vm.dat.head
sleep 2
guest_stop vm
ok 'its end is told' wait_for 20 grep -q 'has ended' "$LAB_OUT/record2.err"
guest_start vm
ok 'a new VM is told' wait_for 60 grep -q 'has started' "$LAB_OUT/record2.err"
ok 'and boots' guest_wait vm
ok 'and is recorded into a file of its own' wait_for 60 test -e "t.onetsc/guest-vm-$(vm_pid vm).dat.head"
sleep 2
kill -TERM $record
wait $record
is $? 0 'SIGTERM ends the recording'
diag "$(cat "$LAB_OUT/record2.err")"
is "$(jq -r .complete t.onetsc/session.json)" true 'the session is complete'
check=$("$ONETSC" check t.onetsc 2>&1)
is $? 0 'check proves the order'
diag "$check"
kill -TERM $zero
wait $zero
done_testing
