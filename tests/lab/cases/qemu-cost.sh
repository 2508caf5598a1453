#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What an event of QEMU costs by each way to have it. A VM whose ROM writes to a port for ever; the time from an exit
# to user space to the next entry, by the recording itself (the fastest fiftieth), less that without any event, as a
# ratio to QEMU's own log in a file. Judges counts only, no time. Not in CI: tests/lab/run qemu-cost, three minutes.
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
	low=$(awk '$1 == "t" { v[n++] = $2 } END { printf "%.3f", v[int(n / 50)] * 1e6 }' "$name.d")
	diag "$(printf '%-28s %7d exits, %7d events, low %9s us' "$name" "$exits" "$own" "$low")"
	echo "$vm $name $low" >>table
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
	wait_for 20 has_run
}
has_run() { # its thread, once it is known
	tid=$(cat /sys/kernel/debug/kvm/"$pid"-*/vcpu0/pid)
	[ "${tid:-0}" != 0 ]
}
end() { kill "$pid" && wait "$pid"; }

cd /tmp || exit
: >table
vm=1
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
vm=2
begin -D /tmp/file.log
measure nothing '' --vmm none
hmp "trace-event $event on"
measure log-to-file '' --vmm none
hmp "trace-event $event off"
measure qemu_log-probe-and-file "qemu:$event" --vmm none --qemu-trace "$event"
end

# Each VM has a base of its own.
awk '{ v[$1, $2] = $3; vm[NR] = $1; name[NR] = $2 }
	END {
		for (i = 1; i <= NR; i++) {
			base = v[vm[i], "nothing"]
			added = v[vm[i], name[i]] - base
			log_ = v[vm[i], "log-to-file"] - base
			printf "VM %d  %-26s %9.3f us  added %8.3f us  ratio to log-to-file %5.2f\n", vm[i], name[i], base + added, added, log_ ? added / log_ : 0
		}
	}' table >"$LAB_OUT/cost.txt"
diag "$(cat "$LAB_OUT/cost.txt")"
is "$(find $T/instances -mindepth 1)" '' 'no trace instance is left'
done_testing
