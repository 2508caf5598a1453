#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Linux guests under QEMU read the host's TSC: after start, reset and reboot, with a plugged vCPU, two
# at once. Without zero the same test fails.
# lab: timeout=600
# lab: mem=3584
# shellcheck disable=SC2016,SC2119,SC2317 # texts for eval, functions called by name
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
# shellcheck source=tests/lab/cases/zero-lib.sh
. "$LAB/cases/zero-lib.sh"
need_onetsc
case $(uname -r) in *-rt-*) rt=1 ;; *) rt='' ;; esac # there: start and reset of one guest

# The masterclock of a VM, as KVM tells it: "1" on.
mkdir "$T/instances/clock"
echo 1 >"$T/instances/clock/events/kvm/kvm_track_tsc/enable"
masterclock() {
	local threads
	threads=$(cd "/proc/$(vm_pid "$1")/task" && echo * | tr ' ' '|')
	grep -E -- "-($threads) +\\[.*kvm_track_tsc:" "$T/instances/clock/trace" | tail -n 1 |
		sed -n 's/.* masterclock \([01]\) .*/\1/p'
}
zeroed() { # VM TEXT [SAMPLES]
	local cpu n=${3:-200}
	for cpu in 0 1; do like "$(tsc_check "$1" $cpu 0 "$n")" " samples=$n inside=$n " "$2: every RDTSC of vCPU $cpu of $1 is the host's"; done
	is "$(vm_offsets "$1" | head -n 2 | xargs)" '0 0 1 0' "$2: the offsets of $1 are 0"
}
booted_again() { wait_for 150 guest_run "$1" '[ ! -e /tmp/before ]' 5; }

guest_start before
ok 'a guest boots without zero' guest_wait before
offsets=$(vm_offsets before)
for cpu in 0 1; do
	counts=$(tsc_check before $cpu 0 200)
	diag "without zero: $counts"
	like "$counts" ' inside=0 ' "without zero no RDTSC of vCPU $cpu is the host's"
done
stamp 'without zero: done'

zero_start -k --deadline 20s
guests=(one two)
[ -z "$rt" ] || guests=(one)
for vm in "${guests[@]}"; do guest_start "$vm"; done
for vm in "${guests[@]}"; do
	ok "guest $vm boots under zero" guest_wait "$vm"
	zeroed "$vm" 'after the start' 1000
done
for vm in "${guests[@]}"; do is "$(masterclock "$vm")" 1 "the masterclock of $vm is on"; done
is "$(vm_offsets before)" "$offsets" 'the guest that ran before has its offset'
stamp 'start: done'

for vm in before "${guests[@]}"; do guest_run "$vm" 'touch /tmp/before'; done
guest_reset one
guest_reset before
[ "$rt" ] || guest_run two 'echo b >/proc/sysrq-trigger' 5
for vm in before "${guests[@]}"; do ok "guest $vm boots again" booted_again "$vm"; done
zeroed one 'after system_reset'
[ "$rt" ] || zeroed two 'after a reboot by the guest'
zeroed before 'after its first reset under zero'
for vm in "${guests[@]}"; do is "$(masterclock "$vm")" 1 "the masterclock of $vm is on"; done
stamp 'reset: done'

if [ -z "$rt" ]; then
	guest_plug_cpu one
	ok 'a vCPU is plugged' wait_for 30 guest_run one 'echo 1 >/sys/devices/system/cpu/cpu2/online; nproc | grep 3'
	like "$(tsc_check one 2 0 200)" ' inside=200 ' "every RDTSC of the plugged vCPU is the host's"
	zeroed one 'with it'
	is "$(masterclock one)" 1 'the masterclock is on'
fi
for vm in before "${guests[@]}"; do
	is "$(guest_run "$vm" 'dmesg | grep -ciE "tsc.*(unstable|warp)|clocksource.*(skew|unstable)"')" 0 "the clocks of $vm are content"
done

zero_stop
is $? 0 'zero ends with 0'
diag "$(grep -A30 KVM_SET_DEVICE_ATTR "$ZERO_OUT" | head -n 12)"
diag "$(grep ' held ' "$ZERO_OUT")"
like "$(cat "$ZERO_OUT")" 'kvm_vcpu_ioctl\+0x[0-9a-f]+ \[kvm\]' 'stacks have names'
is "$(bpfprogs)" '' 'no program stays'
like "$(tsc_check one 0 0 200)" ' inside=200 ' 'the guests go on as they were'
done_testing
