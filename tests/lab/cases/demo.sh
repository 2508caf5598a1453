#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The main job, once through: a guest started under zero, its TSC next to the
# host's, a recording of real work. `onetsc demo` runs this and shows what it
# leaves in $LAB_OUT: zero.txt, tsc.txt, demo.onetsc.
# One CPU: with more, QEMU 7.2 may run an old translation of kernel text that is being patched (README).
# lab: cpus=1
# lab: timeout=600
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
need_onetsc
step() { echo "# step: $*"; }
now() { echo "# now: $*"; }
# must: what follows makes no sense without it.
must() { ok "$@" || done_testing; }

# Some seconds of what a guest does: processes, files, the disk.
# shellcheck disable=SC2016
work='
i=0
while [ $i -lt 5 ]; do
	dd if=/dev/zero of=/dev/vda bs=16k count=24 seek=$((i * 24)) oflag=direct
	dd if=/dev/vda of=/dev/null bs=16k count=24 iflag=direct
	find /sys/devices/system | wc -l
	tar c /usr/sbin 2>/dev/null | gzip -1 | wc -c
	i=$((i + 1))
done'

step "host up: Linux $(uname -r), $(grep -m1 -o -w 'svm\|vmx' /proc/cpuinfo), clock source $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
"$ONETSC" zero --vm demo >"$LAB_OUT/zero.txt" 2>"$LAB_OUT/zero.err" &
zero=$!
must 'zero watches' wait_for 20 grep -q watching "$LAB_OUT/zero.err"
step '"onetsc zero" watches for the VM "demo"'

now 'a 2-vCPU Linux guest boots'
# shellcheck disable=SC2034
GUEST_AGENT=1
must 'the guest starts' guest_start demo
must 'the guest boots' guest_wait demo
is "$(vm_offsets demo)" $'0 0\n1 0' 'both TSC offsets are 0'
# shellcheck disable=SC2016
step "guest up: $(guest_run demo 'echo "Linux $(uname -r), $(nproc) CPUs"'); TSC offsets in KVM: $(vm_offsets demo | awk '{ printf "%svCPU %s: %s", (NR > 1 ? ", " : ""), $1, $2 }')"

now 'reading the TSC on both sides'
guest_run demo 'pidof tscsample || tscsample serve' >/dev/null
for cpu in 0 1; do
	tscsample show "$(guest_cid demo)" $cpu 150
done >"$LAB_OUT/tsc.txt"
is "$(grep -c ' inside=150 ' "$LAB_OUT/tsc.txt")" 2 'every RDTSC of the guest lies between two of the host'
step "guest RDTSC read between two host RDTSC: $(awk -F'[= ]' '/^cpu=/ { n += $4; in_ += $6 } END { print in_ " of " n }' "$LAB_OUT/tsc.txt") fit"

now 'recording the guest and the host'
"$ONETSC" record --vm demo --preset block -o /tmp/demo.onetsc >"$LAB_OUT/record.txt" 2>&1 &
record=$!
wait_for 150 grep -q 'the agent records' "$LAB_OUT/record.txt"
guest_run demo "$work" 60 >"$LAB_OUT/work.txt" 2>&1
is $? 0 'the work was done'
kill -INT $record
wait $record
is $? 0 'the recording ended well'
cp -r /tmp/demo.onetsc "$LAB_OUT/"
rm -r /tmp/demo.onetsc
kill -INT $zero
wait $zero
is $? 0 'zero ended well'
step "recorded $(du -sh "$LAB_OUT/demo.onetsc" | cut -f1)"
done_testing
