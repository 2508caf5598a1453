#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The emulated host is a usable KVM host.
# lab: timeout=600
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"

is "$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)" tsc 'the clock source is the TSC'
ok 'KVM is there' test -c /dev/kvm
ok 'vhost-vsock is there' test -c /dev/vhost-vsock
ok 'BTF is there' test -s /sys/kernel/btf/kvm
ok 'the tracepoint of offset writes is there' test -d "$T/events/kvm/kvm_write_tsc_offset"
ok 'modprobe finds what was left out at boot' modprobe msr
ok 'a plain user may open /dev/kvm' as_lab sh -c ': <>/dev/kvm'
not_ok 'a plain user may not read debugfs' as_lab ls /sys/kernel/debug
ok 'gdb starts' gdb -batch -ex 'print 1'
ok 'strace traces' strace -o /dev/null true
ok 'QEMU starts' qemu-system-x86_64 --version
done_testing
