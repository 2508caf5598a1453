#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# QEMU's part of a recording: each exit to user space has the call of QEMU that handled it, and one write to
# the guest's disk is followed through all layers. Stock QEMU, nothing asked of it.
# lab: timeout=600
# shellcheck disable=SC2016,SC2317
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
need_onetsc

probes() { grep -c '^[pr]:onetsc_' "$T/uprobe_events"; }
# The lines of the report that show one write, one regular expression after the other; VEC stands for the
# vector of the message that was sent.
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
# The program code of the VMM, and of its file: lines of "START-END r-xp OFFSET".
code() {
	local range offset rest start pages
	grep 'r-xp.*/qemu-system' "/proc/$1/maps" | while read -r range _ offset rest; do
		start=$((0x${range%-*})) pages=$(((0x${range#*-} - 0x${range%-*}) / 4096))
		case $2 in
		memory) dd if="/proc/$1/mem" bs=4096 skip=$((start / 4096)) count=$pages 2>/dev/null ;;
		file) dd if="/proc/$1/exe" bs=4096 skip=$((0x$offset / 4096)) count=$pages 2>/dev/null ;;
		esac
	done | md5sum
}

GUEST_AGENT=1
guest_start vm
ok 'the guest boots' guest_wait vm
ok 'the agent is up' wait_for 20 guest_run vm 'pidof onetsc'
cd /tmp || exit
pid=$(vm_pid vm)
is "$(code "$pid" memory)" "$(code "$pid" file)" 'the VMM runs the code of its file'
guest_run vm '(while :; do echo "to the serial port" >/dev/ttyS0; sleep 0.2; done) >/dev/null 2>&1 &' >/dev/null
"$ONETSC" record -o s.onetsc -p block --vmm regions -b 32M -d 10 \
	--uprobe "$pid:virtio_queue_host_notifier_read" --uprobe "$pid:blk_aio_pwritev" --uprobe "$pid:virtio_notify" \
	--uprobe "$pid:virtio_notify_irqfd" 2>"$LAB_OUT/record.err" &
record=$!
ok 'the guest is recorded' wait_for 60 test -e s.onetsc/guest-vm.dat.head
# Its driver sets the disk up once more, through memory.
guest_run vm '(d=$(readlink -f /sys/block/vda/device); d=$(basename "$(dirname "$d")")
	cd /sys/bus/pci/drivers/virtio-pci; echo $d >unbind; echo $d >bind; sleep 1
	while :; do dd if=/dev/zero of=/dev/vda bs=4k count=1 oflag=direct; sleep 1; done) >/dev/null 2>&1 &' >/dev/null
wait $record
is $? 0 'a recording of ten seconds'
diag "$(cat "$LAB_OUT/record.err")"
stamp 'recorded'
cp -r s.onetsc "$LAB_OUT/"
is "$(probes)" 0 'no probe is left'
is "$(code "$pid" memory)" "$(code "$pid" file)" 'and the VMM runs the code of its file again'
lost=$(jq -r '[.machines[].cpus[] | .overrun, .dropped | tonumber] | add' s.onetsc/session.json)
is "$lost" 0 'no event was lost'

"$ONETSC" check --json s.onetsc >check.json 2>"$LAB_OUT/check.err"
is $? 0 'check proves the order'
cp check.json "$LAB_OUT/"
diag "$("$ONETSC" check s.onetsc 2>&1)"
is "$(jq '.user_exits.missing' check.json)" 0 'each exit to user space has its call'
is "$(jq '.user_exits | .handled + .unjudged == .io + .mmio and .unjudged <= 4' check.json)" true \
	'all are judged, but the first of each vCPU'
ok 'for memory too' test "$(jq .user_exits.mmio check.json)" -ge 10
ok 'there are hundreds' test "$(jq .user_exits.handled check.json)" -ge 300
is "$(jq '.user_exits | (.calls - .returns) | fabs <= 4' check.json)" true 'each call returns'

"$ONETSC" report s.onetsc >report.txt 2>"$LAB_OUT/report.err"
gzip -c report.txt >"$LAB_OUT/report.txt.gz"
ok 'the serial port is named' grep -q 'vmm_region_write.*region="serial"' report.txt
ok 'and a register of the disk' grep -q 'vmm_region_read.*region="virtio-pci-common-virtio-blk"' report.txt
ok 'and its space' grep -q 'vmm_enter.*space="I/O" addr=0x3f8 len=1 write=1' report.txt
follow report.txt ' vm .*block_rq_issue.* W;kvm_exit;virtio_queue_host_notifier_read;blk_aio_pwritev;virtio_notify;kvm_msi_set_irq;kvm_inj_virq +IRQ VEC; vm .*irq_handler_entry.*virtio; vm .*block_rq_complete.* W' >"$LAB_OUT/write.txt"
is $? 0 'a write to the disk is followed from the guest through QEMU and back'
diag "$(cat "$LAB_OUT/write.txt")"
ok 'the VM answers' guest_run vm true

# And without: nothing is probed.
"$ONETSC" record -o n.onetsc --vmm none -- sh -c "grep -c '^[pr]:onetsc_' $T/uprobe_events >none" 2>>"$LAB_OUT/record.err"
is "$(cat none)" 0 '--vmm none probes nothing'
# Killed while it records, and put back by the next run.
"$ONETSC" record -o k.onetsc >/dev/null 2>&1 &
record=$!
ok 'another recording begins' wait_for 60 test -s k.onetsc/host.dat.head
kill -KILL $record
wait $record 2>/dev/null
isnt "$(probes)" 0 'killed, its probes stay'
ok 'restore' "$ONETSC" restore
is "$(probes)" 0 'has deleted them'
ok 'the VM answers' guest_run vm true
done_testing
