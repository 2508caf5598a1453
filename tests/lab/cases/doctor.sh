#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# onetsc doctor: a good host, VMs of all sorts, and the same refusals as onetsc zero.
# lab: timeout=400
# shellcheck disable=SC2016,SC2119,SC2317 # texts for eval, functions called by name
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
# shellcheck source=tests/lab/cases/zero-lib.sh
. "$LAB/cases/zero-lib.sh"
need_onetsc
export ASAN_OPTIONS=detect_leaks=0

# doctor NAME [ARG...]: examines; $? is its status, q FILTER what it found.
doctor() {
	last=$LAB_OUT/$1.json
	shift
	"${AS[@]}" "$ONETSC" doctor --json "$@" >"$last" 2>"${last%.json}.err"
}
q() { jq -r "$1" "$last"; }
vm() { q ".vms[] | select(.pid == $(tiny_pid "$1")) | $2"; }
answers() { q '.verdicts | [.zero, .launch, .translate, .record] | map(.answer) | join(" ")'; }
# zero_said_text BEGIN TEXT: on stderr, both as they are.
zero_said_text() { wait_for 10 said_both "$@"; }
said_both() { grep -F -- "$1" "$ZERO_ERR" | grep -qF -- "$2"; }
AS=()

doctor good
is $? 0 'on a good host everything can be done' || diag "$(q .verdicts)"
is "$(answers)" 'yes yes yes yes' 'all answers are yes'
is "$(q '.host.gate | "\(.tried) \(.error)"')" 'true null' 'the gate was tried and works'
is "$(bpfprogs)" '' 'and is gone'
is "$(q '.host.clocksource')" tsc 'the clocksource is right'
is "$(q '.host.tsc.khz')" "$(dmesg | sed -n 's/.*tsc: \(Refined TSC clocksource calibration\|Detected\): \?\([0-9.]*\) MHz.*/\2/p' | tail -n 1 | tr -d .)" 'the frequency is the kernel'"'"'s' ||
	diag "$(dmesg | grep -i tsc)"
is "$(q '.host.tsc.khz_from')" kvm 'and comes from KVM'
is "$(q .host.skew.emulated)" true 'that the CPUs are emulated is known'
is "$(q '.host.skew | "\(.cpus | length) \(.pairs_known) \(.consistent) \(.differs_ticks)"')" "$(nproc) $(($(nproc) * ($(nproc) - 1) / 2)) true 0" 'CPUs whose TSCs are equal'
like "$(q '.host.skew | "\(.exchanges) \(.bounds[0][1])"')" '^[1-9][0-9]* \[-[0-9]+,[0-9]+\]$' 'within measured bounds'
diag "$(q '.host.skew')"
stamp 'the host'

tiny_start run
tiny run 'run 10' >/dev/null
tiny_start fresh
before=$(tiny_offsets run)
doctor vms
is $? 0 'VMs that can be zeroed at their next reset are no failure' || diag "$(q .)"
like "$(vm run .verdicts.zero_now.why)" 'runs already.*onetsc record.*--at-reset' 'why a running VM is left alone'
is "$(vm run '.verdicts | [.zero_now, .zero_at_reset, .translate, .record] | map(.answer) | join(" ")')" 'no yes yes yes' 'and what can be done'
is "$(vm fresh .verdicts.zero_now.answer)" yes 'one that has not run can be zeroed now'
is "$(vm run '[.vcpus[].offset | tostring] | join(" ")')" "$(echo "$before" | cut -d' ' -f2,4)" 'offsets are right'
is "$(vm run '[.vcpus[].set_by] | join(" ")')" 'creation creation' 'and set at creation'
is "$(vm run '"\(.masterclock) \(.catchup) \(.protected) \(.same_offset) \(.traceable)"')" 'true false false true yes' 'KVM'"'"'s own record is read'
is "$(vm run .guest_khz)" "$(q .host.tsc.khz)" 'also its frequency'
is "$(tiny_offsets run)" "$before" 'the VM has its offsets as before'
tiny_stop fresh
stamp 'VMs'

sleep 1.2 # else KVM takes the reset's TSC for the creation's
tiny run reset
tiny run 'wrmsr 1000000000' >/dev/null
doctor guest
is "$(vm run '[.vcpus[].set_by] | join(" ")')" 'guest-wrmsr reset' 'who set which offset: the guest, and the reset'
is "$(vm run .same_offset)" false 'vCPUs with different offsets are noticed'
is "$(vm run '.vcpus[0] | .tsc_adjust == .offset - '"$(vm run '.vcpus[1].offset')")" true 'the guest moved it by its TSC_ADJUST'
"$ONETSC" doctor --vm "$(tiny_pid run)" >"$LAB_OUT/guest.txt"
is $? 0 'such a VM can be zeroed at its next reset'
like "$(cat "$LAB_OUT/guest.txt")" '0 .* set by the guest itself' 'and people are told'
like "$(cat "$LAB_OUT/guest.txt")" 'different offsets' 'in words'
diag "$(cat "$LAB_OUT/guest.txt")"
tiny run 'tsc 5000000000'
doctor restored
is "$(vm run '[.vcpus[].set_by] | join(" ")')" 'restored restored' 'a saved TSC'
tiny_stop run

(bios_qemu -device vhost-vsock-pci,guest-cid=9) >"$LAB_OUT/qemu.log" 2>&1 7>&- &
qemu=$!
qemu_runs() { [ "$("$ONETSC" list --json dots 2>/dev/null | jq -r '[.vms[0].vcpus[].has_run] | join(" ")')" = 'yes yes' ]; }
ok 'a QEMU runs' wait_for 60 qemu_runs
doctor qemu --vm dots
is $? 0 'QEMU, by name' || diag "$(q .)"
is "$(q '.vms[] | "\(.pid) \(.vmm) \(.vcpus | length)"')" "$qemu qemu 2" 'is found'
like "$(q '.vms[0].verdicts.record.why')" 'vsock CID 9' 'and where its agent would be'
kill $qemu
wait $qemu
stamp 'QEMU'

tiny_start twice
tiny twice vm
tiny_start fast
tiny fast 'khz 9000000'
tiny fast 'run 10' >/dev/null
tiny_start debugged
strace -f -qq -o /dev/null -p "$(tiny_pid debugged)" 2>/dev/null 7>&- &
wait_for 10 grep -q "^TracerPid:.*[1-9]" "/proc/$(tiny_pid debugged)/status"
doctor odd
is $? 1 'VMs that cannot be zeroed are a failure'
odd=$last
for name in twice fast debugged; do
	like "$(vm $name .verdicts.zero_at_reset.answer)" '^(no\s*)+$' "VM $name cannot be zeroed"
done
is "$(vm fast .catchup)" true 'catch-up is seen'
is "$(vm debugged .traceable)" traced 'and the debugger'

# What zero says itself.
zero_start --deadline 20s
for name in twice fast debugged; do tiny $name reset; tiny $name 'run 10' >/dev/null; done
tiny_start zeroed
tiny zeroed 'run 10' >/dev/null
doctor watched
is "$(vm zeroed '[.vcpus[].set_by] | join(" ")')" 'zeroed zeroed' 'whom zero has zeroed'
like "$(vm zeroed '.verdicts.zero_now | "\(.answer) \(.why)"')" 'yes .*already' 'is told'
like "$(q .verdicts.zero.why)" 'watching' 'that onetsc zero watches is seen'
for name in twice fast debugged; do
	said=$(jq -r "[.vms[] | select(.pid == $(tiny_pid $name))][0].verdicts.zero_at_reset.why" "$odd")
	ok "doctor and zero agree about VM $name: ${said% (*}" zero_said_text "vm-$(tiny_pid $name) " "${said% (*}"
done
zero_stop
kill %strace 2>/dev/null
for name in twice fast debugged zeroed; do tiny_stop $name; done
stamp 'zero agrees'

source=/sys/devices/system/clocksource/clocksource0
other=acpi_pm
echo "$other" >$source/current_clocksource
doctor clocksource
is $? 1 "clocksource $other is a failure"
is "onetsc: error: cannot zero VMs here: $(q .verdicts.zero.why)" "$("$ONETSC" zero 2>&1)" 'in the words of zero'
like "$("$ONETSC" zero -- true 2>&1)" 'clocksource is not tsc' 'zero -- COMMAND refuses'
is "onetsc: error: \"true\" was not started: $(q .verdicts.launch.why)" "$("$ONETSC" zero -- true 2>&1)" 'in the same words'
echo tsc >$source/current_clocksource

AS=(as_lab)
doctor user
is $? 1 'a plain user cannot do everything'
is "$(answers)" 'no yes unknown no' 'but start a VM'
is "onetsc: error: $(q .verdicts.zero.why)" "$(as_lab "$ONETSC" zero 2>&1)" 'zero says the same to that user'
AS=()
is "$(bpfprogs)" '' 'no program was left'
done_testing
