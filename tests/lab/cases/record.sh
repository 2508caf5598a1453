#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A two-vCPU guest under load is recorded with its offset as it is: the files open in stock tools,
# every guest event lies inside its vCPU's entry/exit window, and stat counts what KVM counted.
# lab: timeout=600
# shellcheck disable=SC2016,SC2317
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
need_onetsc

instances() { find "$T/instances" -mindepth 1 -maxdepth 1 -name 'onetsc-*' | wc -l; }
load='(while :; do dd if=/dev/vda of=/dev/null bs=64k count=64 iflag=direct; done
  while :; do ls /bin; done) >/dev/null 2>&1 &
  (while :; do ls /proc >/dev/null; done) & (while :; do ls /sys >/dev/null; done) &'

GUEST_AGENT=1
guest_start vm
ok 'the guest boots' guest_wait vm
ok 'the agent is up' wait_for 20 guest_run vm 'pidof onetsc'
guest_run vm "$load" >/dev/null
stamp 'load runs'

cd /tmp || exit
# Until there is enough, however slow this machine is.
counters=(/sys/kernel/debug/kvm/"$(vm_pid vm)"-*/{exits,halt_exits})
enough='tsccat "$@" >counts.from; until [ "$(cat s.onetsc/guest-vm.dat.cpu* | wc -c)" -gt 2800000 ]; do sleep 0.2; done; tsccat "$@" >counts.to; exit 7'
"$ONETSC" record -v -o s.onetsc --guest-event 'raw_syscalls:*' -b 32M -- timeout 150 bash -c "$enough" sh "${counters[@]}" 2>"$LAB_OUT/record.err"
is $? 7 'record ends with its command and returns its status'
diag "$(cat "$LAB_OUT/record.err")"
diag "agent: $(guest_run vm "cat /tmp/agent.log")"
stamp 'recorded'
cp -r s.onetsc "$LAB_OUT/"
is "$(jq -r .complete s.onetsc/session.json)" true 'the session is complete'
is "$(jq -r '.machines[1].why_missing // "all"' s.onetsc/session.json)" all 'all that the agent had was recorded'
is "$(jq -c '[.machines[1].vcpus[].guest_cpu]' s.onetsc/session.json)" '[0,1]' 'the vCPU map is known'
is "$(jq -r '[.machines[].cpus[] | .overrun, .dropped | tonumber] | add' s.onetsc/session.json)" 0 'no event was lost'
is "$(instances)" 0 'no instance is left on the host'
ok 'nor in the guest' wait_for 30 guest_run vm '[ -z "$(ls /sys/kernel/tracing/instances)" ]'

guest_events=$(sed -n 's/.*guest-vm.dat *\([0-9]*\) events.*/\1/p' "$LAB_OUT/record.err")
ok 'at least 50,000 guest events' test "$guest_events" -ge 50000
trace-cmd report -i s.onetsc/host.dat -i s.onetsc/guest-vm.dat >merged.txt 2>/dev/null
is "$(grep -cE '^ *guest-vm.dat: .*\[[0-9]{3}\]' merged.txt)" "$guest_events" 'trace-cmd merges both files'
stamp 'trace-cmd has read them'
# Else each page that it streams would be some events more.
agents() { "$ONETSC" query -q --tsv s.onetsc "SELECT count(*) FROM events WHERE machine = 'vm' AND comm = 'onetsc' AND $1" | tail -n 1; }
is "$(agents "system = 'raw_syscalls'")" 0 "the agent's own calls are left out"
ok 'what else it did is there' test "$(agents "event = 'sched_switch'")" -gt 0
check=$("$ONETSC" check s.onetsc 2>&1)
is $? 0 'check proves the order'
diag "$check"
stamp 'checked'

diag "$("$ONETSC" stat s.onetsc 2>&1)"
"$ONETSC" stat --json s.onetsc >stat.json
is $? 0 'stat reads the session'
is "$(trace-cmd report -R -F kvm_exit s.onetsc/host.dat 2>/dev/null | grep -oE 'exit_reason=(0x)?[0-9a-f]+' | sort | uniq -c |
  while read -r n r; do echo "$((${r#*=})) $n"; done | sort)" \
  "$(jq -r '.exits[] | "\(.code) \(.count)"' stat.json | sort)" 'exits by reason are those that trace-cmd counts'
is "$(jq -c '[.to_ticks - .from_ticks - (.vcpus[].ticks | add)]' stat.json)" '[0,0]' 'the states of each vCPU are the whole time'
is "$(jq '[.vcpus[].unpaired] | add' stat.json)" 0 'no event contradicts another'
ok 'of next to nothing the state is unknown' \
  jq -e '[.vcpus[].ticks | .unknown * 50 < .guest + .kvm + .vmm + .preempted + .waiting + .halted + .blocked] | all' stat.json

# KVM's own counters between two readings. A counter and its event are up to an exit of each vCPU apart: two vCPUs.
bounds() { # NAME JQ: exits surely and possibly between the readings, less and plus two
  local a b c d
  read -r _ a _ b <<<"$(grep "^$1 " counts.from) "
  read -r _ c _ d <<<"$(grep "^$1 " counts.to) "
  echo "$(($("$ONETSC" stat --json --from "${b}t" --to "${c}t" s.onetsc 2>/dev/null | jq "$2") - 2))" \
    "$(($("$ONETSC" stat --json --from "${a}t" --to "${d}t" s.onetsc 2>/dev/null | jq "$2") + 2))"
}
delta() { echo $(($(awk -v n="$1" '$1 == n { print $3 }' counts.to) - $(awk -v n="$1" '$1 == n { print $3 }' counts.from))); }
within() { # NAME JQ
  local lo hi d
  read -r lo hi <<<"$(bounds "$1" "$2")"
  d=$(delta "$1")
  diag "$1: KVM counts $d, stat $lo .. $hi"
  [ "$d" -gt 0 ] && [ "$lo" -le "$d" ] && [ "$d" -le "$hi" ]
}
ok 'as many exits as KVM counts' within exits '[.vcpus[].exits] | add'
ok 'as many halts as KVM counts' within halt_exits '[.exits[] | select(.reason == "hlt").count] | add'

# A function in the guest: libc's exit(), which each run of a dynamically linked program calls once.
libc=/lib/x86_64-linux-gnu/libc.so.6
"$ONETSC" record -v -o p.onetsc -p exits --vmm none --guest-uprobe "$libc:exit status=%di:s32" \
	--guest-uprobe '/bin/no-such-program:main' 2>"$LAB_OUT/probe.err" &
record=$!
ok 'a function in the guest is probed' wait_for 60 test -e p.onetsc/guest-vm.dat.head
ok 'by its agent' guest_run vm 'grep -q onetsc_.*/exit /sys/kernel/tracing/uprobe_events'
guest_run vm 'for i in 1 2 3 4 5; do trace-cmd list -t; done' >/dev/null
kill -INT $record
wait $record
is $? 0 'the recording ends'
diag "$(cat "$LAB_OUT/probe.err")"
cp -r p.onetsc "$LAB_OUT/"
like "$(cat "$LAB_OUT/probe.err")" 'vm: cannot make the uprobe /bin/no-such-program:main' 'a program that is not there is told'
"$ONETSC" report --event exit p.onetsc >exits.txt 2>/dev/null
is "$(grep -c ' vm .* trace-cmd-.* exit .*status=' exits.txt)" 5 'each call is there'
diag "$(head -n 3 exits.txt)"
ok 'check finds them where the guest ran' "$ONETSC" check p.onetsc
ok 'no probe is left in the guest' wait_for 30 guest_run vm '! grep -q onetsc_ /sys/kernel/tracing/uprobe_events' ||
	diag "$(guest_run vm 'cat /sys/kernel/tracing/uprobe_events; ls /sys/kernel/tracing/instances; tail /tmp/agent.log' 30 2>&1) (status $?)"
done_testing
