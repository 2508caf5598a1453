#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# onetsc list against what QEMU, /proc and debugfs say.
# lab: timeout=600
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
need_onetsc

is "$("$ONETSC" list 2>&1)" 'onetsc: no VM is running' 'no VM: said, and no failure'
not_ok 'an unknown VM is an error' "$ONETSC" list nosuch

GUEST_SMP=3
guest_start one
GUEST_PREFIX=(as_lab) GUEST_SMP=1,maxcpus=2
guest_start two
ok 'the first guest boots' guest_wait one
ok 'the second guest boots' guest_wait two
stamp 'two guests'

"$ONETSC" list --json >"$LAB_OUT/list.json"
"$ONETSC" list | tee "$LAB_OUT/list.txt" | while read -r line; do diag "$line"; done
q() { jq -r "$1" "$LAB_OUT/list.json"; }
is "$(q '[.vms[].name] | sort | join(" ")')" 'one two' 'both are found by name'
is "$(q '.vms[] | select(.name == "one") | .pid')" "$(vm_pid one)" 'the process is right'
is "$(q '[.vms[].vmm] | unique | join(" ")')" qemu 'the VMM is QEMU'
is "$(q '.vms[] | select(.name == "one") | .vsock_cid')" "$(guest_cid one)" 'the vsock context id is right'
is "$(q '.host.clocksource')" tsc 'the clocksource is right'
is "$(q '.host.tsc_offsets')" kept 'KVM keeps offsets here'
is "$(q '.vms[] | select(.name == "one") | .vcpus[] | "\(.id) \(.offset)"')" "$(vm_offsets one)" 'offsets are those of debugfs'
is "$(q '.vms[] | select(.name == "two") | .vcpus[] | "\(.id) \(.offset)"')" "$(vm_offsets two)" 'also of the other VM'
is "$(q '.vms[] | select(.name == "one") | .vcpus[].tid')" \
	"$(guest_qmp one '{"execute":"query-cpus-fast"}' | jq '.return[]."thread-id"')" 'threads are those that QEMU names'
# Halted vCPUs wait in KVM_RUN, whose argument tells the descriptor.
like "$(q '[.vms[].vcpus[].fd] | map(tostring) | join(" ")')" '^[0-9]+ [0-9]+ [0-9]+ [0-9]+$' 'every descriptor is known'
is "$(q '.vms[].vcpus[].has_run' | sort -u)" yes 'all have run'

mine=$(as_lab "$ONETSC" list 2>"$LAB_OUT/lab.err")
like "$mine" '^VM .*two' 'a plain user sees the own VM'
unlike "$mine" 'one ' 'and not the other'
like "$(cat "$LAB_OUT/lab.err")" 'could not be looked into' 'those hidden are counted'
like "$(cat "$LAB_OUT/lab.err")" 'debugfs is for root' 'why offsets are unknown is said'
unlike "$mine" ' -[0-9]{6,}' 'no offset is made up'

guest_plug_cpu two
# jq -e is content with nothing at all.
two_vcpus() { [ "$("$ONETSC" list --json two | jq '.vms[0].vcpus | length')" = 2 ]; }
ok 'a hot-plugged vCPU appears' wait_for 50 two_vcpus
umount /sys/kernel/debug/tracing 2>/dev/null
umount /sys/kernel/debug
like "$("$ONETSC" list 2>&1)" 'mount -t debugfs' 'without debugfs: said what to do'
is "$("$ONETSC" list --json 2>/dev/null | jq '.vms | length')" 2 'and the VMs are found all the same'
mount -t debugfs none /sys/kernel/debug
done_testing
