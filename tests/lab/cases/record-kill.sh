#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 of record at random moments, with a live agent: each session opens, the VM answers, and the
# next run takes away the trace instances.
# lab: timeout=600
# shellcheck disable=SC2016,SC2317
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
need_onetsc
cd /tmp || exit
rounds=${RECORD_KILLS:-10} # the next one is an undisturbed run each time

instances() { find "$T/instances" -mindepth 1 -maxdepth 1 -name 'onetsc-*' | wc -l; }
no_thread_stopped() { ! grep -lE '^State:[[:space:]]+[Tt] ' "/proc/$(vm_pid vm)"/task/*/status; }

GUEST_AGENT=1
guest_start vm
ok 'the guest boots' guest_wait vm
guest_run vm 'while :; do ls /proc >/dev/null; done &' >/dev/null

opened=0 with_guest=0
for i in $(seq "$rounds"); do
	ms=$((RANDOM % 3000))
	"$ONETSC" record -p exits -o "k$i.onetsc" >/dev/null 2>"$LAB_OUT/kill$i.err" &
	record=$!
	# Half of them early, half when all runs: how long that takes depends on this machine.
	[ $((i % 2)) = 0 ] || wait_for 60 test -e "k$i.onetsc/guest-vm.dat.head"
	sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
	kill -KILL $record
	wait $record 2>/dev/null
	diag "round $i: killed after $ms ms: $(find "k$i.onetsc" -name '*.head' -printf '%f ' 2>/dev/null)"
	ok "round $i: the VM answers" guest_run vm 'echo' 20
	ok "round $i: no thread of it is stopped" no_thread_stopped
	[ -e "k$i.onetsc/host.dat.head" ] || continue
	events=$(timeout 100 "$ONETSC" report "k$i.onetsc" 2>"$LAB_OUT/report$i.err" | wc -l)
	ok "round $i: its session opens ($events lines)" test ! -s "k$i.onetsc/host.dat.cpu0" -o "$events" -gt 0
	opened=$((opened + 1))
	[ ! -s "k$i.onetsc/guest-vm.dat.cpu0" ] || with_guest=$((with_guest + 1))
done
ok 'some sessions were far enough to be opened' test $opened -gt 2
ok 'and some had the guest in them' test $with_guest -gt 0

"$ONETSC" record -o last.onetsc -d 3 2>"$LAB_OUT/last.err"
is $? 0 'an undisturbed run works'
diag "$(cat "$LAB_OUT/last.err")"
is "$(instances)" 0 'and has left no instance on the host'
ok 'nor is one in the guest' wait_for 30 guest_run vm '[ -z "$(ls /sys/kernel/tracing/instances)" ]'
is "$(jq -r '.machines[1].file' last.onetsc/session.json)" guest-vm.dat 'the guest is in it'
is "$(find /run/onetsc -type f | wc -l)" 0 'no undo journal is left'
check=$("$ONETSC" check last.onetsc 2>&1)
is $? 0 'check proves the order'
diag "$check"
done_testing
