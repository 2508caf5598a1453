#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The stamps of QEMU's own traces, read beside a recording, against the truth: whatever read the clock for a
# stamp read the TSC just before and after it, and passes both to a function with a uprobe. 100,000 lines
# of stock QEMU's log, written by three threads, and as many events of a simple trace (written as QEMU does;
# Debian's has no such backend). The guest does not matter: no KVM is needed.
# Usage: qemutruth.sh ONETSC LIBSTAMPED SIMPLEWRITER; needs root, tracefs and qemu-system-x86_64.
set -u
onetsc=$(realpath "$1") && stamped=$(realpath "$2") && writer=$(realpath "$3") || exit 2
T=/sys/kernel/tracing
wanted=100000
n=0 failed=0
work=$(mktemp -d)
trap 'cd /; rm -rf "$work"' EXIT
export ASAN_OPTIONS=detect_leaks=0

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
skip() {
	echo "1..0 # SKIP $*"
	exit 77
}
[ "$(id -u)" = 0 ] || skip 'not root'
grep -q x86-tsc $T/trace_clock 2>/dev/null || skip "no tracefs with x86-tsc at $T"
[ -w $T/uprobe_events ] || skip 'this kernel has no uprobes'
[ "$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)" = tsc ] || skip 'the clocksource is not tsc'
command -v jq >/dev/null || skip 'no jq'
command -v qemu-system-x86_64 >/dev/null || skip 'no qemu-system-x86_64'
cd "$work" || exit 1

# A firmware that writes dots to port 0xe9 for ever: mov ecx, 0x100; pause; dec ecx; jnz; out; jmp 0.
{
	printf '\x66\xb9\x00\x01\x00\x00\xf3\x90\x66\x49\x75\xfa\xb0\x2e\xe6\xe9\xeb\xee'
	head -c $((0xfff0 - 18)) /dev/zero
	printf '\xe9\x0d\x00'
	head -c 13 /dev/zero
} >dots.bin
# Until there are lines enough. QMP keeps two more threads busy. QEMU is killed: it need not end well.
cat >qemu.sh <<'X'
(echo '{"execute":"qmp_capabilities"}'; yes '{"execute":"query-status"}') 2>/dev/null |
	LD_PRELOAD=$1 exec qemu-system-x86_64 -M pc -accel tcg -smp 2 -m 16 -nodefaults -display none -bios dots.bin \
		-msg timestamp=on -D qemu.log -qmp stdio -trace 'memory_region_ops_*' -trace '*qmp*' >/dev/null &
for i in $(seq 240); do
	sleep 0.5
	[ "$(wc -l <qemu.log)" -lt "$2" ] || break
done
kill -KILL $!
X
cat >truth.awk <<'X'
function value(key,   at, s) {
	at = index($0, "\"" key "\":")
	if (!at) { print "no " key " in " $0; bad = 1; exit 1 }
	s = substr($0, at + length(key) + 3)
	sub(/^"/, "", s)
	return s + 0
}
/"event":"stamped"/ { p = value("pid"); b[p] = value("before"); a[p] = value("after") }
$0 ~ "\"event\":\"" line "\"" { p = value("pid"); k = p "/" hits[p]++; before[k] = b[p]; after[k] = a[p] }
/"system":"qemu"/ {
	p = value("pid")
	if (!(p in of)) thread[++threads] = p
	k = p "/" of[p]++
	t = value("ticks"); e = value("error_ticks")
	lo[k] = t - e + shift * e; hi[k] = t + e + shift * e
	events++
}
END {
	if (bad) exit 1
	# One that was killed may have read the clock, and not written the line.
	for (i = 1; i <= threads; i++) {
		more = hits[thread[i]] - of[thread[i]]
		if (more < 0 || more > 1) unpaired++
	}
	for (k in lo) {
		if (after[k] < lo[k] || before[k] > hi[k]) outside++
		else if (before[k] >= lo[k] && after[k] <= hi[k]) whole++
	}
	printf "threads=%d unpaired=%d events=%d outside=%d wholly_inside=%d\n", threads, unpaired, events, outside, whole
	exit unpaired > 0 || events < wanted || outside * 1000 > events
}
X
# Against the uprobe LINE, of which the k-th in a thread belongs to the thread's k-th event.
truth() { awk -v line="$1" -v wanted=$wanted -v shift="$2" -f truth.awk "$3"; }
mostly_outside() { [ "$(truth "$@" | sed -n 's/.* outside=\([0-9]*\) .*/\1/p')" -gt $((wanted / 2)) ]; }
record() { "$onetsc" record -o "$1" -p exits --vmm none -b 64M --uprobe "$stamped:stamped before=%di:u64 after=%si:u64" "${@:2}" 2>err; }
merge() { timeout 200 "$onetsc" report --json --event stamped --event qemu_log --event 'qemu:*' "$1" --text "$2" >"$1.json" 2>err; }
nothing_lost() { ! grep -q 'LOST' err && [ "$(jq '[.machines[].cpus[] | .overrun, .dropped | tonumber] | add' "$1/session.json")" = 0 ]; }

ok "QEMU's log beside a recording" record log --uprobe qemu-system-x86_64:qemu_log -- bash qemu.sh "$stamped" $wanted
ok 'nothing was lost' nothing_lost log
ok 'they merge' merge log qemu.log,kind=qemu
ok 'the log is out of order' grep -q 'lower stamp' err
echo "# log: $(grep 'lower stamp' err)"
ok 'each of 100,000 stamps lies in its interval, but one in 1000' truth qemu_log 0 log.json
echo "# log: $(truth qemu_log 0 log.json)"
ok 'and not in one that is four times its error later' mostly_outside qemu_log 4 log.json
ok 'three threads wrote it' test "$(truth qemu_log 0 log.json | grep -c '^threads=3 ')" = 1

echo 'onetsc_test_step(uint64_t n) "n %"PRIu64' >events
ok 'a simple trace beside a recording' record simple -- "$writer" $wanted simple.trace
ok 'nothing was lost' nothing_lost simple
ok 'they merge' merge simple simple.trace,kind=qemu,events=events
ok 'each of 100,000 stamps lies in its interval, but one in 1000' truth stamped 0 simple.json
echo "# simple: $(truth stamped 0 simple.json)"
ok 'and not in one that is four times its error later' mostly_outside stamped 4 simple.json
echo "1..$n"
exit $failed
