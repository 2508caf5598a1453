#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What an event of QEMU costs by each way to have it. A VM whose ROM writes to a port for ever; the time from an exit
# to user space to the next entry, by the recording itself (the fastest tenth), less that without any event, as a
# ratio to QEMU's own log in a file. Judges counts only, no time.
# lab: timeout=600
# shellcheck disable=SC2016,SC2317
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
need_onetsc

# out %al,$0x80; jmp back
printf '\346\200\353\374' | dd of=/tmp/rom bs=1 seek=65520 2>/dev/null
truncate -s 65536 /tmp/rom
hmp() { labctl qmp /tmp/vm.qmp 20 "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"$1\"}}" >/dev/null; }
qmp() { labctl qmp /tmp/vm.qmp 20 "{\"execute\":\"$1\"}" >/dev/null; }
event=memory_region_ops_write
seconds=1

# measure NAME PATTERN ARG...: lines of the report that match PATTERN are the way's own. Per exit; the VM stands still
# while the recorder is set up.
measure() {
	local name=$1 pattern=$2
	shift 2
	"$ONETSC" record -o "$name.onetsc" -b 16M -p exits -d "$seconds" "$@" 2>"$name.err" || fail "$name: $(cat "$name.err")"
	"$ONETSC" report --pid "$tid" "$name.onetsc" 2>/dev/null >"$name.txt"
	# Of the time in which the way is at work: from its first event to its last.
	awk -v pattern="$pattern" '
		/ kvm_userspace_exit / { at = $1; n++ }
		/ kvm_entry / && at { t[n] = $1 - at; at = 0 }
		pattern != "" && $0 ~ pattern { if (!own++) from = n; to = n }
		END {
			if (pattern == "") { from = 1; to = n }
			for (i = from + 1; i <= to; i++) print "t", t[i]
			print "n", to - from, own ? own - 1 : 0
		}' "$name.txt" | sort -k1,1 -k2,2g >"$name.d"
	exits=$(awk '$1 == "n" { print $2 }' "$name.d") own=$(awk '$1 == "n" { print $3 }' "$name.d")
	# of the loop, which is what most are
	p10=$(awk '$1 == "t" { v[n++] = $2 } END { printf "%.3f", v[int(n / 10)] * 1e6 }' "$name.d")
	diag "$(printf '%-28s %7d exits, %7d events, p10 %9s us' "$name" "$exits" "$own" "$p10")"
	echo "$name $p10" >>table
	ok "$name: exits are there" test "$exits" -ge 100
	[ -z "$pattern" ] || ok "$name: each has its events" test $((own - exits * ${per:-1})) -le 8 -a $((exits * ${per:-1} - own)) -le 8
	rm -rf "$name.onetsc"
}
begin() { # ARG...
	rm -f /tmp/vm.pid
	qemu-system-x86_64 -name vm -M pc -accel kvm -cpu host,-xsave -m 16 -nodefaults -display none -bios /tmp/rom \
		-pidfile /tmp/vm.pid -qmp unix:/tmp/vm.qmp,server=on,wait=off "$@" 2>/tmp/vm.err &
	wait_for 20 test -s /tmp/vm.pid
	pid=$(cat /tmp/vm.pid)
	wait_for 20 test -d /sys/kernel/debug/kvm/"$pid"-*/vcpu0
	tid=$(cat /sys/kernel/debug/kvm/"$pid"-*/vcpu0/pid)
}
end() { kill "$pid" && wait "$pid"; }

cd /tmp || exit
: >table
begin -D /dev/null
measure nothing '' --vmm none
hmp "trace-event $event on"
measure log-to-null '' --vmm none
hmp "logfile /tmp/qemu.log"
measure log-to-file '' --vmm none
ok 'the log has them' test "$(grep -c "^$event" /tmp/qemu.log)" -ge 100
hmp "trace-event $event off"
hmp "logfile /dev/null"
measure trace_marker "qemu:$event" --vmm none --qemu-trace "$event"
per=2 measure vmm-calls 'vmm_(enter|leave)' --vmm calls
per=3 measure vmm-regions 'vmm_(enter|leave|region_write)' --vmm regions
measure uprobe ' memory_region_dispatch_write ' --vmm none --uprobe "$pid:memory_region_dispatch_write"
measure uprobe-4-arguments ' memory_region_dispatch_write ' --vmm none \
	--uprobe "$pid:memory_region_dispatch_write mr=%di:x64 addr=%si:x64 data=%dx:x64 op=%cx:x32"
end
# Its log has something in it: it must be left alone, and gets the lines too.
echo begin >/tmp/file.log
begin -D /tmp/file.log
measure qemu_log-probe-and-file "qemu:$event" --vmm none --qemu-trace "$event"
end

awk '{ name[++ways] = $1; v[$1] = $2 }
	END {
		base = v["nothing"]; log_ = v["log-to-file"] - base
		for (i = 1; i <= ways; i++)
			printf "%-26s %9.3f us  added %8.3f us  ratio to log-to-file %5.2f\n", name[i], v[name[i]], v[name[i]] - base, (v[name[i]] - base) / (log_ ? log_ : 1)
	}' table >"$LAB_OUT/cost.txt"
diag "$(cat "$LAB_OUT/cost.txt")"
is "$(find $T/instances -mindepth 1)" '' 'no trace instance is left'
done_testing
