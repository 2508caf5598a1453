#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest that has nothing but stock trace-cmd agent is recorded under load: found without being told,
# its order is proved, stock tools open the files. Then a reset, and the agent killed.
# lab: timeout=600
# shellcheck disable=SC2016,SC2317
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
need_onetsc
cd /tmp || exit

bytes() { cat "$1".cpu* 2>/dev/null | wc -c; }
load() {
	guest_run vm '(while :; do ls /proc >/dev/null; done) & (while :; do ls /sys /bin >/dev/null; done) &
  (while :; do dd if=/dev/vda of=/dev/null bs=64k count=16 iflag=direct; done) >/dev/null 2>&1 &' >/dev/null
}
idle_agent() { guest_run vm '[ "$(pidof trace-cmd | wc -w)" = 1 ] && [ "$(cat /sys/kernel/tracing/events/enable)" = 0 ]'; }

GUEST_AGENT=trace-cmd
guest_start vm
ok 'the guest boots' guest_wait vm
load
enough='until [ "$(cat s.onetsc/guest-vm.dat.cpu* | wc -c)" -gt 2400000 ]; do sleep 0.2; done; exit 7'
"$ONETSC" record -v -o s.onetsc --guest-event 'raw_syscalls:*' --guest-event 'no_such:event' -b 2M \
	-- timeout 150 bash -c "$enough" 2>"$LAB_OUT/record.err"
is $? 7 'record ends with its command and returns its status'
diag "$(cat "$LAB_OUT/record.err")"
diag "agent: $(guest_run vm 'tail -n 5 /tmp/agent.log')"
like "$(cat "$LAB_OUT/record.err")" "trace-cmd's agent records 3 CPUs" 'the stock agent was recorded'
cp -r s.onetsc "$LAB_OUT/"
is "$(jq -r .complete s.onetsc/session.json)" true 'the session is complete'
is "$(jq -c '.machines[1] | [.why_missing, .cpus_in_order, .vcpus[].guest_cpu]' s.onetsc/session.json)" '[null,true,0,1]' 'nothing is missing; the vCPU map is in order'
ok 'the agent is ready for the next one' wait_for 30 idle_agent

check=$("$ONETSC" check s.onetsc 2>&1)
is $? 0 'check proves the order'
diag "$check"
"$ONETSC" check --json s.onetsc >check.json 2>/dev/null
inside=$(jq '[.vcpus[].inside] | add' check.json)
ok 'of at least 30,000 guest events' test "$inside" -ge 30000
is "$(jq -c '[.vcpus[] | select(.inside < 1000)]' check.json)" '[]' 'of both vCPUs'
is "$(trace-cmd report -i s.onetsc/host.dat -i s.onetsc/guest-vm.dat 2>/dev/null | grep -cE '^ *guest-vm.dat: .*\[[0-9]{3}\]')" \
	"$(jq '[.vcpus[].events] | add' check.json)" 'trace-cmd merges both files'
like "$("$ONETSC" report -n 2000 -m vm s.onetsc 2>/dev/null)" 'sys_enter' 'report shows its events by name'

# Told which agent, and the agent alone killed: what came stays, the host goes on, the next one joins.
"$ONETSC" record -o t.onetsc -g vm,agent=trace-cmd --guest-event 'raw_syscalls:*' -b 512K 2>"$LAB_OUT/record2.err" &
record=$!
ok 'it is recorded again' wait_for 120 eval '[ "$(bytes t.onetsc/guest-vm.dat)" -gt 100000 ]'
guest_run vm 'killall -9 trace-cmd; sleep 1; trace-cmd agent >/tmp/agent2.log 2>&1 &' >/dev/null
ok 'its end is told' wait_for 30 grep -q 'recorded on when it comes back' "$LAB_OUT/record2.err"
ok 'a new agent is recorded' wait_for 120 eval '[ "$(bytes t.onetsc/guest-vm+2.dat)" -gt 100000 ]'
guest_reset vm
ok 'reset: the guest boots again' guest_wait vm
load
ok 'reset: the agent is recorded' wait_for 60 eval '[ "$(bytes t.onetsc/guest-vm+3.dat)" -gt 100000 ]'
kill -INT $record
wait $record
is $? 0 'Ctrl-C ends the recording'
diag "$(cat "$LAB_OUT/record2.err")"
check=$("$ONETSC" check t.onetsc 2>&1)
is $? 0 'check proves the order of all parts'
diag "$check"

# kill -9 of record: the agent stops by itself and serves the next one.
"$ONETSC" record -o k.onetsc 2>/dev/null &
record=$!
ok 'it is recorded once more' wait_for 60 test -e k.onetsc/guest-vm.dat.head
kill -KILL $record
wait $record 2>/dev/null
ok 'record killed: the agent is free again' wait_for 60 idle_agent
ok 'and the session opens' "$ONETSC" report k.onetsc
not_ok 'an agent of no kind is refused' "$ONETSC" record -g vm,agent=what -d 1 -o x.onetsc
done_testing
