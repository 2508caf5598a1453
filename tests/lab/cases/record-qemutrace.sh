#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# QEMU's own trace events in a recording of a VM that runs: stamped by the kernel, and its trace state and log
# as before afterwards, also when onetsc was killed; QEMUs of another user, in a sandbox, with logs that must
# not be touched, behind libvirt, with a busy monitor.
# lab: timeout=600
# shellcheck disable=SC2016,SC2317
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
need_onetsc

record() { # NAME ARG...: its messages are in NAME.err
	local name=$1
	shift
	"$ONETSC" record -o "$name.onetsc" -b 16M "$@" 2>"$LAB_OUT/$name.err"
}
says() { grep -q -- "$2" "$LAB_OUT/$1.err"; }
report() { "$ONETSC" report "$1.onetsc" 2>/dev/null >"$1.txt"; }
ask() { labctl qmp "$sock" 20 "$1"; } # the monitor at $sock
hmp() { ask "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"$1\"}}"; }
# Those of the events that are on, in a line.
events_on() {
	for p in 'virtio_*' 'virtqueue_*' kvm_run_exit 'memory_region_ops_*'; do
		ask "{\"execute\":\"trace-event-get-state\",\"arguments\":{\"name\":\"$p\"}}" |
			jq -r '.return[] | select(.state == "enabled").name'
	done | sort | paste -sd ' '
}
has_marker() { find "/proc/$1/fd" -lname '*trace_marker*' | grep -q .; }
follow() {
	awk -v steps="$2" '
		BEGIN { n = split(steps, want, ";"); i = 1 }
		i <= n && $0 ~ want[i] {
			print
			i++
			if (/kvm_msi_set_irq/ && match($0, /vec [0-9]+/))
				sub(/VEC/, sprintf("0x%x", substr($0, RSTART + 4, RLENGTH - 4)), want[i])
		}
		END { if (i <= n) print "nothing like " want[i] " behind that"; exit i <= n }' "$1"
}
# A VM without an operating system: its ROM writes to port 0x80 for ever. small NAME ARG...
# 1: out %al,$0x80; mov $0x2000,%cx; 2: loop 2b; jmp 1b
printf '\346\200\271\000\040\342\376\353\367' | dd of=/tmp/rom bs=1 seek=65520 2>/dev/null
truncate -s 65536 /tmp/rom
small() {
	local name=$1
	shift
	rm -f "/tmp/$name.pid"
	qemu-system-x86_64 -name "guest=$name,debug-threads=on" -M pc -accel kvm -cpu host,-xsave -m 16 -nodefaults -display none \
		-bios /tmp/rom -pidfile "/tmp/$name.pid" "$@"
}
small_pid() { wait_for 20 test -s "/tmp/$1.pid" && cat "/tmp/$1.pid"; }

# --- a Linux guest; the VMM's stderr, where its log goes, is a pipe ---
piped() { exec "$@" > >(cat >/tmp/qemu.txt) 2>&1; }
GUEST_AGENT=1 GUEST_PREFIX=(piped)
guest_start vm
GUEST_PREFIX=()
ok 'the guest boots' guest_wait vm
ok 'the agent is up' wait_for 20 guest_run vm 'pidof onetsc'
cd /tmp || exit
pid=$(vm_pid vm) sock=$LAB_RUN/vm/vm/qmp
is "$(events_on)" '' 'no event is on'
ask '{"execute":"trace-event-set-state","arguments":{"name":"virtio_set_status","enable":true}}' >/dev/null
before='virtio_set_status'
guest_run vm '(while :; do echo "to the serial port" >/dev/ttyS0; sleep 0.2; done) >/dev/null 2>&1 &
	(while :; do dd if=/dev/zero of=/dev/vda bs=4k count=1 oflag=direct; sleep 1; done) >/dev/null 2>&1 &' >/dev/null
record s -p block -d 5 --qemu-trace 'virtio_*,virtqueue_*' --qemu-trace kvm_run_exit
is $? 0 'a recording with --qemu-trace'
diag "$(cat "$LAB_OUT/s.err")"
stamp 'recorded'
is "$(events_on)" "$before" 'the events that were off are off again, the other is on'
not_ok 'its log is another again' has_marker "$pid"
is "$(find $T/instances -mindepth 1)" '' 'no trace instance is left'
before_n=$(wc -c </tmp/qemu.txt)
hmp 'trace-event kvm_run_exit on' >/dev/null
ok 'and goes to the pipe as before' wait_for 10 sh -c "tail -c +$((before_n + 1)) /tmp/qemu.txt | grep -q '^kvm_run_exit cpu_index'"
hmp 'trace-event kvm_run_exit off' >/dev/null
cp -r s.onetsc "$LAB_OUT/"
report s
gzip -c s.txt >"$LAB_OUT/s.txt.gz"
# They are on for a part of the recording: from the first to the last.
read -r exits runs <<<"$(awk '/ kvm_userspace_exit / && !/restart|INTR/ { if (runs) later++ }
	/ CPU [0-9]+\/KVM-.* qemu:kvm_run_exit / { runs++; exits = later }
	END { print exits + 1, runs + 0 }' s.txt)"
ok 'QEMU tells of many exits' test "$runs" -gt 20
is "$exits" "$runs" 'of each of them once'
ok 'check proves the order' "$ONETSC" check s.onetsc
follow s.txt ' vm .*block_rq_issue.* W;kvm_exit .*(npf|NPF);qemu:virtio_queue_notify;qemu:virtio_blk_handle_write;qemu:virtio_blk_req_complete;qemu:virtio_notify_irqfd;kvm_msi_set_irq;kvm_inj_virq +IRQ VEC; vm .*irq_handler_entry.*virtio; vm .*block_rq_complete.* W' >"$LAB_OUT/write.txt"
is $? 0 'a write to the disk is followed, in words of QEMU'
diag "$(cat "$LAB_OUT/write.txt")"

# Killed.
"$ONETSC" record -o k.onetsc --qemu-trace 'virtio_*,kvm_run_exit' >/dev/null 2>&1 &
record=$!
ok 'another recording begins' wait_for 60 has_marker "$pid"
sleep 1
kill -KILL $record
wait $record 2>/dev/null
isnt "$(events_on)" "$before" 'killed, events of QEMU stay on'
ok 'restore' "$ONETSC" restore
is "$(events_on)" "$before" 'has switched them off again'
not_ok 'and has set the log back' has_marker "$pid"
is "$(find $T/instances -mindepth 1)" '' 'no trace instance is left'
is "$(ls -A /run/onetsc)" '' 'nor anything in the journal'
ok 'the VM answers' guest_run vm true

# The monitor is somebody else's.
labctl event "$sock" 30 NEVER >/dev/null 2>&1 &
holder=$!
sleep 1
record busy --qmp "vm=$sock" --qemu-trace 'kvm_run_exit' -d 1
is $? 0 'a busy monitor: recorded without'
ok 'which is said' says busy 'one client at a time'
kill $holder
wait $holder 2>/dev/null
record wrong --vm vm --qmp /run/nothing.qmp --qemu-trace 'kvm_run_exit' -d 1
ok 'no monitor: said' says wrong 'No such file'
ok 'the VM answers' guest_run vm true
guest_stop vm
stamp 'the guest is done'

# --- another user, a sandbox, no stderr ---
small user -daemonize -runas lab -sandbox on -qmp unix:/tmp/user.qmp,server=on,wait=off 2>/tmp/user.err
pid=$(small_pid user) sock=/tmp/user.qmp
is "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")" 1000 'a VMM of another user, in a sandbox'
record u --vm user --vmm none -d 2 --qemu-trace 'memory_region_ops_*'
is $? 0 'is recorded'
diag "$(cat "$LAB_OUT/u.err")"
report u
ok 'its events are there' test "$(grep -c 'CPU 0/KVM.*qemu:memory_region_ops_write cpu 0 .* addr 0x80 ' u.txt)" -ge 50
is "$(events_on)" '' 'off again'
is "$(readlink "/proc/$pid/fd/2")" /dev/null 'its log is as before'
kill "$pid"

# --- a log that would be emptied; the monitor is libvirt's ---
mkdir -p /tmp/libvirt /tmp/bin
echo 'what was in the log' >/tmp/file.log
small web -D /tmp/file.log -chardev socket,id=charmonitor,path=/tmp/libvirt/monitor.sock,server=on,wait=off \
	-mon chardev=charmonitor,id=monitor,mode=control 2>/tmp/web.err &
pid=$(small_pid web) sock=/tmp/libvirt/monitor.sock
printf '%s\n' '#!/bin/sh' 'shift 3' '[ "$1" = web ] && exec labctl qmp /tmp/libvirt/monitor.sock 20 "$2"' >/tmp/bin/virsh
chmod 755 /tmp/bin/virsh
# Its pid file is there before its monitor is.
switch_on() { hmp 'trace-event memory_region_ops_write on' >/dev/null 2>&1; }
ok 'its monitor answers' wait_for 20 switch_on
ok 'a log with something in it' wait_for 10 test -s /tmp/file.log
hmp 'trace-event memory_region_ops_write off' >/dev/null
head -c 200 /tmp/file.log >head.before
PATH=/tmp/bin:$PATH record v --vm web --vmm none -d 2 --qemu-trace 'memory_region_ops_*'
is $? 0 'a VM of libvirt, whose log must not be opened again'
diag "$(cat "$LAB_OUT/v.err")"
report v
ok 'its events are there, by the probe' test "$(grep -c 'CPU 0/KVM.*qemu:memory_region_ops_write cpu 0 .* addr 0x80 ' v.txt)" -ge 50
is "$(events_on)" '' 'off again'
is "$(head -c 200 /tmp/file.log)" "$(cat head.before)" 'its log was not emptied'
is "$(grep -c '^[pr]:onetsc_' $T/uprobe_events)" 0 'no probe is left'
kill "$pid"
cp u.txt v.txt "$LAB_OUT/"
done_testing
