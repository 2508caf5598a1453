#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# onetsc zero is killed at 20 random moments while VMs start or are reset. Every VM runs on and
# answers, no thread stays stopped, no BPF program stays, and the next run cleans up.
# lab: timeout=600
# shellcheck disable=SC2016,SC2119,SC2317 # texts for eval, functions called by name
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
# shellcheck source=tests/lab/cases/zero-lib.sh
. "$LAB/cases/zero-lib.sh"
need_onetsc
export ASAN_OPTIONS=detect_leaks=0
RANDOM=${SEED:=$(date +%N | sed 's/^0*//')}
diag "SEED=$SEED"

stopped_threads() { sed 's/.*) //; s/ .*//' "/proc/$1/task/"*/stat 2>/dev/null | grep -c '[tT]'; }
# The bytes where onetsc lets threads of the process run its code: its entry point.
entry_bytes() {
	local entry
	entry=$(od -An -v -td8 -w16 "/proc/$1/auxv" | awk '$1 == 9 { print $2 }')
	dd if="/proc/$1/mem" bs=1 skip="$entry" count=512 status=none | sha256sum
}

qemu_answers() { # the firmware goes on writing to the debug port, and QMP answers
	local before
	before=$(stat -c %s /tmp/qemu.dots)
	wait_for 10 eval "[ \$(stat -c %s /tmp/qemu.dots) -gt $before ]" &&
		[[ $(labctl qmp /tmp/qemu.qmp 10 '{"execute":"query-status"}') == *running* ]]
}
qemu_gone() { ! kill -0 "$qemu_pid" 2>/dev/null; }
qemu_pid=''

tiny_n=0
# start_one KIND: gets a VM to start or to be reset, in the background; sets $pid, $answers.
start_one() {
	case $1 in
	new)
		tiny_n=$((tiny_n + 1))
		tiny_start "v$tiny_n" 2
		tiny_ask "v$tiny_n" 'run 1000'
		pid=$(tiny_pid "v$tiny_n")
		answers="tiny_answer v$tiny_n"
		;;
	reset)
		tiny "v$tiny_n" reset
		tiny_ask "v$tiny_n" 'run 1000'
		pid=$(tiny_pid "v$tiny_n")
		answers="tiny_answer v$tiny_n"
		;;
	qemu)
		[ -z "$qemu_pid" ] || { kill "$qemu_pid"; wait_for 10 qemu_gone; wait "$qemu_pid" 2>/dev/null; }
		: >/tmp/qemu.dots
		bios_qemu -qmp unix:/tmp/qemu.qmp,server=on,wait=off -debugcon file:/tmp/qemu.dots >/tmp/qemu.log 2>&1 7>&- &
		qemu_pid=$!
		pid=$qemu_pid
		answers=qemu_answers
		;;
	qemu-reset)
		labctl qmp /tmp/qemu.qmp 10 '{"execute":"system_reset"}' >/dev/null
		pid=$qemu_pid
		answers=qemu_answers
		;;
	esac
}

kinds=(new reset new reset new reset qemu qemu-reset qemu-reset qemu-reset)
done_at_kill=0
for i in $(seq 20); do
	kind=${kinds[(i - 1) % ${#kinds[@]}]}
	zero_start -v --deadline 20s || { fail "run $i: zero starts"; break; }
	start_one "$kind"
	after=$((RANDOM % 500))
	[ "$kind" = qemu ] && after=$((after + RANDOM % 1000))
	sleep "$(printf '0.%03d' $((after % 1000)))"
	[ $after -lt 1000 ] || sleep 1
	kill -KILL "$zero_pid"
	wait "$zero_pid" 2>/dev/null
	zero_keep
	grep -q ' held ' "$ZERO_OUT" && done_at_kill=$((done_at_kill + 1))
	left=$(find /run/onetsc -type f ! -name '.*' -size +0 | wc -l)
	bad=''
	wait_for 10 eval '[ -z "$(bpfprogs)" ]' || bad+=' a BPF program stays;'
	wait_for 10 eval "[ \$(stopped_threads $pid) = 0 ]" || bad+=' a thread is stopped;'
	# shellcheck disable=SC2086
	$answers >/tmp/answer 2>&1 || bad+=" no answer: $(cat /tmp/answer);"
	is "$bad" '' "run $i: $kind, killed after $after ms, $left journals left"
done
diag "VM was done with before the kill in $done_at_kill of 20 runs"

zero_start -v
ok 'the next run starts' zero_watches
diag "$(grep 'put back' /tmp/zero*.err)"
all_inside "v$tiny_n" 10 'no VM was left half done' || diag "$(tiny_offsets "v$tiny_n")"
zero_stop
is $? 0 'and ends with 0'
is "$(find /run/onetsc -type f ! -name '.*')" '' 'no journal is left'
tiny_start fresh
fresh=$(entry_bytes "$(tiny_pid fresh)")
for i in $(seq "$tiny_n"); do
	is "$(entry_bytes "$(tiny_pid "v$i")")" "$fresh" "the code of VM $i is as it was"
done
bios_qemu >/dev/null 2>&1 7>&- &
fresh_qemu=$!
wait_for 10 test -d "/proc/$fresh_qemu/task"
sleep 1
is "$(entry_bytes "$qemu_pid")" "$(entry_bytes "$fresh_qemu")" 'and that of QEMU'
kill "$qemu_pid" "$fresh_qemu"
done_testing
