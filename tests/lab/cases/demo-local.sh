#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The demo on a machine whose own KVM keeps TSC offsets: that is the emulated host.
# One CPU: with more, QEMU 7.2 may run an old translation of kernel text that is being patched (README).
# lab: cpus=1
# lab: timeout=600
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
need_onetsc

ONETSC_LAB=$LAB "$ONETSC" demo -o /tmp/demo >"$LAB_OUT/demo.txt" 2>"$LAB_OUT/demo.err"
is $? 0 'the demo ends well'
cp /tmp/demo/stage.log "$LAB_OUT/"
unlike "$(cat "$LAB_OUT/demo.err")" 'emulated' 'it ran on this machine'
like "$(cat "$LAB_OUT/demo.txt")" '150 of 150 samples in their bracket.*150 of 150' 'the TSC of both vCPUs was compared'
like "$(cat "$LAB_OUT/demo.txt")" 'block_rq_issue.*kvm_exit.*block_rq_complete' 'a disk request is shown in guest and host'
like "$(cat "$LAB_OUT/demo.txt")" 'proved: all [0-9]+ judged guest events' 'the order is proved'
is "$(pgrep -c qemu-system)" 0 'no guest is left'
is "$(ls "$T/instances")" '' 'no trace instance is left'
is "$("$ONETSC" restore 2>&1 | grep -c undone)" 0 'nothing was left to undo'
done_testing
