#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# record --uprobe and --usdt on a program of our own: every call is there, in ticks and in order; the
# probes are gone afterwards, also after kill -9, and other people's stay. Usage: probes.sh ONETSC PROBED TINYVM;
# needs root and tracefs.
# shellcheck disable=SC2046,SC2086,SC2317
set -u
onetsc=$(realpath "$1") && probed=$(realpath "$2") && tinyvm=$(realpath "$3") || exit 2
T=/sys/kernel/tracing
n=0 failed=0
work=$(mktemp -d)
pids=()

ok() { # NAME COMMAND...
	local name=$1 text status=0
	shift
	n=$((n + 1))
	text=$("$@" 2>&1) || status=$?
	if [ $status = 0 ]; then
		echo "ok $n - $name"
	else
		failed=1
		echo "not ok $n - $name"
		printf '%s\n' "$* ended with $status" "$text" "stderr of onetsc:" "$(tail -n 12 "$work/err")" | sed 's/^/# /'
	fi
}
finish() {
	[ ${#pids[@]} = 0 ] || kill -KILL "${pids[@]}" 2>/dev/null
	echo '-:onetsc_other/main_entry' >>$T/uprobe_events 2>/dev/null
	cd /
	rm -rf "$work"
}
trap finish EXIT
skip() {
	echo "1..0 # SKIP $*"
	exit 77
}
[ "$(id -u)" = 0 ] || skip 'not root'
grep -q x86-tsc $T/trace_clock 2>/dev/null || skip "no tracefs with x86-tsc at $T"
[ -w $T/uprobe_events ] || skip 'this kernel has no uprobes'
cd "$work" || exit 1

run() { # WANTED-STATUS ARG...: onetsc record
	local want=$1 got=0
	shift
	"$onetsc" record --vmm none -p exits -b 4M "$@" >out 2>err || got=$?
	[ "$got" = "$want" ] || { echo "status $got, not $want"; return 1; }
}
says() { grep -q -- "$1" err; }
# Probes in groups of ours that are a process's; somebody's "onetsc_other" is none.
probes() { grep -cE '^[pr]:onetsc_[0-9]+/' $T/uprobe_events; }
no_probe() { [ "$(probes)" = 0 ]; }
some_probe() { [ "$(probes)" != 0 ]; }
others_probe() { grep -q '^p:onetsc_other/main_entry ' $T/uprobe_events; }
no_instance() { [ -z "$(find $T/instances -mindepth 1 -maxdepth 1 -name "onetsc-$1-*")" ]; }
wait_for() {
	local end=$((SECONDS + 10))
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
events() { [ "$("$onetsc" report "$1" 2>report.err | grep -c " $2 ")" = "$3" ]; }

# Somebody else's probe in the same file; never enabled.
echo "p:onetsc_other/main_entry $probed:0x1000" >$T/uprobe_events
ok "somebody else's probe is there" others_probe

step="$probed:probed_step"
ok 'calls, returns and the static probe are recorded' run 0 -o a --uprobe "$step n=%di:s32 text=+0(%si):string" \
	--uprobe "$step%return r=\$retval:s32" --usdt "$probed:onetsc_*:st?p" -- sh -c "'$probed' 300 >steps"
ok 'the program saw its semaphore up' grep -q '^300 steps, semaphore up at 300, ' steps
ok '300 calls' events a probed_step 300
ok '300 returns' events a probed_step_return 300
ok '300 hits of the static probe' events a onetsc_test_step 300
ok 'an argument that cannot be fetched is told' says '1 arguments'
"$onetsc" report a 2>/dev/null | awk '
	BEGIN                  { i = 0 }
	/ probed_step /        { if (state != 0 || $0 !~ "n=" i " " || $0 !~ /hello/) bad = 1; state = 1 }
	/ onetsc_test_step /   { if (state != 1 || $0 !~ "arg1=" i " " || $0 !~ /arg3=7/) bad = 1; state = 2 }
	/ probed_step_return / { if (state != 2 || $0 !~ "r=" 2 * i + 1) bad = 1; state = 0; i++ }
	END { exit bad || i != 300 }'
ok 'each in its order, with its arguments' test $? = 0
ok 'no probe is left' no_probe
ok "somebody else's is" others_probe
"$probed" 10 >steps
ok 'the semaphore is down again' grep -q 'semaphore up at 0,' steps

# The same by an agent, as in a guest.
"$onetsc" agent "unix:$work/agent" >agent.out 2>&1 &
pids+=($!)
wait_for test -S agent
ok 'an agent probes too' run 0 -o g -g "me=unix:$work/agent" --guest-uprobe "$step n=%di:s32" --guest-uprobe "$step%return" \
	--guest-usdt "$probed:onetsc_test:step" --guest-uprobe 'no_such_program:main' -- "$probed" 200 slowly
ok 'what cannot be probed there is told' says 'me: cannot make the uprobe no_such_program:main: No such file'
ok '200 calls' events g probed_step 200
ok '200 returns' events g probed_step_return 200
ok '200 hits of the static probe' events g onetsc_test_step 200
ok 'they are of the guest' test "$("$onetsc" report g 2>/dev/null | grep -c ' me .* probed_step ')" = 200
ok 'no probe is left' wait_for no_probe
ok 'what is no probe at all is refused' run 1 -o b --guest-uprobe nonsense -d 1
ok 'is named' says '"nonsense" is not BINARY:SYMBOL'
ok 'nor a static probe without a program' run 1 -o b --guest-usdt onetsc_test:step -d 1
ok 'is named' says 'is not BINARY:PROVIDER:NAME'
ok 'nor too many' run 1 -o b $(for i in $(seq 33); do echo --guest-uprobe a:b --guest-usdt a:b:c; done) -d 1
kill -INT "${pids[0]}"
wait "${pids[0]}" 2>/dev/null
pids=()

# What cannot be done is said before anything is made.
ok 'a symbol that is not there' run 1 -o b --uprobe "$probed:no_such_function" -d 1
ok 'is named' says 'no_such_function'
ok 'a file that is no program' run 1 -o b --uprobe "$0:main" -d 1
ok 'is named' says "$0"
ok 'a static probe that is not there' run 1 -o b --usdt "$probed:onetsc_test:none" -d 1
ok 'with what there is' says 'none of the 1 static probes'
ok 'a program without static probes' run 1 -o b --usdt "/bin/true:x:y" -d 1
ok 'is said to have none' says 'note.stapsdt'
ok 'arguments that the kernel refuses' run 1 -o b --uprobe "$probed:probed_step a=%nosuch" -d 1
ok 'are shown' says 'a=%nosuch'
ok 'no session was begun' test ! -e b
ok 'no probe is left' no_probe

# Ctrl-C, and kill -9 with the program running on.
"$probed" >/dev/null &
victim=$!
pids+=("$victim")
disown $victim
"$onetsc" record --vmm none -p exits -o int --uprobe "$victim:probed_step" >out 2>err &
pid=$!
wait_for test -s int/host.dat.head
sleep 0.5
kill -INT $pid
wait $pid
ok 'SIGINT ends a recording well' test $? = 0
ok 'its calls are there' sh -c "'$onetsc' report int 2>/dev/null | grep -q ' probed_step '"
ok 'no probe is left' no_probe
for i in 1 2 3; do
	"$onetsc" record --vmm none -p exits -o "kill$i" --uprobe "$step" --uprobe "$step%return" --usdt "$probed:onetsc_test:step" >out 2>err &
	pid=$!
	wait_for test -s "kill$i/host.dat.head"
	sleep "0.$((RANDOM % 10))"
	kill -KILL $pid
	wait $pid 2>/dev/null
	ok "killed $i: its probes are still there" some_probe
	ok "killed $i: restore" "$onetsc" restore
	ok "killed $i: has removed them" no_probe
	ok "killed $i: and its instances" no_instance $pid
	ok "killed $i: somebody else's probe stays" others_probe
	ok "killed $i: the program runs on" kill -0 $victim
done
# A VMM of which nothing is known.
if [ -w /dev/kvm ]; then
	truncate -s 64K memory
	"$tinyvm" 9 s 9<>memory >/dev/null 2>&1 &
	vmm=$!
	pids+=("$vmm")
	disown $vmm
	wait_for sh -c "'$onetsc' list 2>/dev/null | grep -q $vmm"
	"$onetsc" record --vm $vmm -o tiny -d 0.3 >out 2>err
	ok 'a VMM without symbols is recorded without them' test $? = 0
	ok 'and that is said' says 'tinyvm" exports no function address_space_rw'
	ok 'no probe is left' no_probe
fi
ok 'no undo journal is left' sh -c '! ls /run/onetsc/* 2>/dev/null'

echo "1..$n"
exit $failed
