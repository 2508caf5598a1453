#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# record and agent on this machine itself: the host's own events, and a second kernel's part played by
# an agent on a Unix socket. Usage: record.sh ONETSC; needs root and tracefs.
# shellcheck disable=SC2317
set -u
onetsc=$(realpath "$1") || exit 2
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
	[ ${#pids[@]} = 0 ] || kill -TERM "${pids[@]}" 2>/dev/null
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
command -v trace-cmd >/dev/null || skip 'no trace-cmd'
cd "$work" || exit 1

# run WANTED-STATUS ARG...: onetsc record
run() {
	local want=$1 got=0
	shift
	"$onetsc" record "$@" >out 2>err || got=$?
	[ "$got" = "$want" ] || { echo "status $got, not $want"; return 1; }
}
says() { grep -q -- "$1" err; }
# Instances of process PID, or of none of ours.
instances() { find $T/instances -mindepth 1 -maxdepth 1 -name "onetsc-${1:-}*"; }
no_instance() { [ -z "$(instances "$1")" ]; }
wait_for() {
	local end=$((SECONDS + 10))
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
opens() { trace-cmd report "${@/#/-i}" 2>/dev/null | grep -q sched_switch; }
complete() { grep -q '"complete": true' "$1/session.json"; }
file_count() { [ "$(find "$1" -type f | wc -l)" = "$2" ]; }

ok 'the status of the command is returned' run 5 -o a -- sh -c 'sleep 0.5; exit 5'
ok 'the session is complete' complete a
ok 'trace-cmd opens the host file' opens a/host.dat
ok 'nothing is readable for others' test -z "$(find a -perm /077)"
ok 'the files are there, their parts are gone' file_count a 3
ok 'no event was lost' grep -q '"overrun": "0", "dropped": "0"' a/session.json
ok 'a directory that exists is left alone' run 1 -o a -d 1
ok 'and named' says '"a"'
ok 'death by signal 9 becomes 137' run 137 -o k -- sh -c 'kill -9 $$'
ok 'a command that is not there is 127' run 127 -o b -- /nonexistent/command
ok 'and named' says /nonexistent/command
ok 'and leaves no session behind' test ! -e b
ok '-d ends it' run 0 -o d -d 0.3
ok 'an unknown VM is refused' run 1 --vm no-such-vm -o v -d 1
ok 'with what to do' says 'onetsc list'
ok 'and leaves no session behind' test ! -e v
ok 'an event that does not exist is refused' run 1 -e nosuch:event -o e -d 1
ok 'and leaves no session behind' test ! -e e
ok 'a filter chooses events' run 0 -p exits -e 'sched:sched_switch if next_pid == 1' -o f -- sleep 0.2

ok 'what sudo recorded' env SUDO_UID=1234 SUDO_GID=1234 "$onetsc" record -q -o su -d 0.2
ok 'belongs to the user' test -z "$(find su ! -uid 1234)"

# Ctrl-C, with and without a command.
"$onetsc" record -o int >out 2>err &
pid=$!
wait_for test -s int/host.dat.head
kill -INT $pid
wait $pid
ok 'SIGINT ends a recording well' test $? = 0
ok 'and completely' complete int
ok 'no instance is left' no_instance $pid

# A second machine's part, played here.
"$onetsc" agent "unix:$work/sock" 2>agent.err &
agent=$!
pids+=("$agent")
ok 'the agent listens' wait_for test -S sock
ok 'host and agent are recorded' run 0 -g "me=unix:$work/sock" -o g -- sleep 1
ok 'trace-cmd merges both' opens g/host.dat g/guest-me.dat
ok 'the guest file has events' opens g/guest-me.dat
ok 'the agent removed its instance' wait_for no_instance $agent
ok 'the agent serves again' run 0 -g "me=unix:$work/sock" -o g2 -- sleep 0.2
ok 'and is in the session' grep -q '"file": "guest-me.dat"' g2/session.json
# The last of seven much alike tells less than half of what the agent has used in its life.
for i in 3 4 5 6 7; do run 0 -g "me=unix:$work/sock" -o g$i -- true; done
used=$(awk '{ print $14 + $15 }' /proc/$agent/stat) told=$(sed -n 's/.*agent in me: \([0-9.]*\) s.*/\1/p' err)
ok 'the CPU time that an agent tells is that of the session' awk "BEGIN { exit !($told * 100 < $used / 2) }"

# Somebody else's session.
"$onetsc" record -g "me=unix:$work/sock" -o h1 >out 2>err1 &
first=$!
wait_for test -e h1/guest-me.dat.head
ok 'a busy agent: the host side goes on' run 0 -g "me=unix:$work/sock" -o h2 -d 0.2
ok 'with the reason' grep -q 'why_missing' h2/session.json
# And that host dies.
sleep 1
kill -KILL $first
wait $first 2>/dev/null
ok 'the agent notices that its host died' wait_for no_instance $agent
ok 'the killed session has its parts' test -s h1/guest-me.dat.head -a -s h1/host.dat.head -a -s h1/session.json
ok 'and opens' sh -c "'$onetsc' report h1 | grep -q sched_switch"
ok 'its instances are still there' test -n "$(instances $first)"
ok 'the next run' run 0 -o next -d 0.2
ok 'has removed them' no_instance $first
ok 'and says so' says 'put back'

# The agent dies.
"$onetsc" record -g "me=unix:$work/sock" -o x -- sleep 2 >out 2>err &
pid=$!
wait_for test -e x/guest-me.dat.head
sleep 0.5
kill -KILL $agent
wait $pid
ok 'a dead agent does not end the recording' test $? = 0
ok 'what it sent is kept' opens x/guest-me.dat
ok 'its end is told' says 'went away'
ok 'its instance is still there' test -n "$(instances $agent)"
"$onetsc" agent "unix:$work/sock" 2>agent.err &
pids=($!)
ok 'the next agent removes it' wait_for no_instance $agent
ok 'and takes over the socket' run 0 -g "me=unix:$work/sock" -o y -- sleep 0.2

# Tokens.
kill -TERM "${pids[@]}"
wait "${pids[@]}" 2>/dev/null
ok 'a stopped agent removes its socket' test ! -e sock
ok 'tcp without a token is refused' sh -c "! timeout 5 '$onetsc' agent tcp:127.0.0.1:17217"
printf 'secret\n' >token
"$onetsc" agent --token @token tcp:127.0.0.1:17217 2>agent.err &
pids=($!)
sleep 0.5
ok 'without the token: host only' run 0 -g me=tcp:127.0.0.1:17217 -o t1 -d 0.2
ok 'and told why' says 'wrong or missing token'
ok 'with it' run 0 -g me=tcp:127.0.0.1:17217 --token secret -o t2 -- sleep 0.3
ok 'both are recorded' opens t2/host.dat t2/guest-me.dat

# A full disk: everything stops, what is there stays readable, and no instance is left.
mkdir small
if mount -t tmpfs -o size=16m none small 2>/dev/null; then
	ok 'a full disk fails the recording' run 1 -p all -e 'raw_syscalls:*' -o small/s -- timeout 60 sh -c 'while :; do dd if=/dev/zero of=/dev/null bs=1 count=100000; done'
	ok 'and is told' says 'No space left'
	ok 'what was recorded opens' sh -c "'$onetsc' report small/s 2>/dev/null | grep -q sched_switch"
	ok 'no instance is left' test -z "$(instances | grep -v -e "-${pids[0]}-")"
	umount small
fi
echo "1..$n"
exit $failed
