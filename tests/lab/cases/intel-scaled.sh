#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest whose TSC the CPU scales, recorded: its events lie in their windows, its marks around the
# host's, list and doctor show the ratio, and zero leaves it alone.
# lab: machine=intel
# lab: timeout=900
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
need_onetsc
khz=31415 marks=200

GUEST_AGENT=1 GUEST_SMP=1 GUEST_MEM=192 GUEST_CPU=host,tsc-frequency=${khz}000
GUEST_APPEND='acpi=off rodata=off' # 8 s of emulated start less
guest_start vm
ok 'the guest boots' guest_wait vm 200
ok 'the agent is up' wait_for 20 guest_run vm 'pidof onetsc'
stamp 'guest'

debugfs() { cat "/sys/kernel/debug/kvm/$(vm_pid vm)"-*/vcpu0/"$1"; }
offset=$(debugfs tsc-offset) ratio=$(debugfs tsc-scaling-ratio) frac=$(debugfs tsc-scaling-ratio-frac-bits)
diag "offset $offset ratio $ratio/2^$frac"
is "$frac $(((ratio * 50000) >> frac))" "48 $((khz - 1))" 'KVM scales the TSC'
"$ONETSC" list --json >"$LAB_OUT/list.json"
is "$(jq -r '.vms[0].vcpus[0] | "\(.offset) \(.ratio) \(.frac)"' "$LAB_OUT/list.json")" "$offset $ratio $frac" 'list shows the ratio'
like "$("$ONETSC" list)" "$offset +$ratio/2\\^$frac" 'also to people'
"$ONETSC" doctor --json >"$LAB_OUT/doctor.json" 2>"$LAB_OUT/doctor.err"
q() { jq -r "$1" "$LAB_OUT/doctor.json"; }
is "$(q .host.kvm.scaling)" true 'doctor: this CPU scales'
is "$(q '.vms[0].vcpus[0] | "\(.offset) \(.ratio) \(.frac)"')" "$offset $ratio $frac" 'doctor shows the ratio'
is "$(q '.vms[0].verdicts | "\(.zero_now.answer) \(.zero_at_reset.answer) \(.translate.answer) \(.record.answer)"')" \
	'no no yes yes' 'doctor: cannot be zeroed, can be translated and recorded'
like "$(q '.vms[0].verdicts.translate.why')" 'interval of 2 host ticks' 'and says how exactly'
said=$("$ONETSC" zero --vm vm --now --force-live 2>&1)
is $? 1 'zero refuses'
like "$said" 'another frequency.*onetsc record' 'and says why'
is "$(debugfs tsc-offset)" "$offset" 'and changes nothing'
stamp 'list, doctor, zero'

cd /tmp || exit
"$ONETSC" record -v -o s.onetsc --guest-event 'raw_syscalls:*' -- \
	labctl run "$(guest_cid vm)" 60 "ls -lR /sys/module/kernel /proc/1 >/dev/null; marks take $marks" >marks.txt 2>"$LAB_OUT/record.err"
is $? 0 'a recording'
stamp 'recorded'
cp -r s.onetsc marks.txt "$LAB_OUT/"
is "$(jq -r '[.machines[].cpus[] | .overrun, .dropped | tonumber] | add' s.onetsc/session.json)" 0 'no event was lost'

"$ONETSC" report s.onetsc --text marks.txt,machine=guest:vm -e before -e after -e kvm_pio --clock ticks >merged.txt
cp merged.txt "$LAB_OUT/"
sed -nE 's/.* (before|after) +([0-9]+).*/\1 \2/p; s/.* kvm_pio .* at 0x2f0 .* val 0x([0-9a-f]+).*/kvm_pio \1/p' merged.txt >order.txt
for ((i = 1; i <= marks; i++)); do printf 'before %d\nkvm_pio %x\nafter %d\n' $i $i $i; done >wanted.txt
ok 'each mark of the guest stands around the host'"'"'s in the merged output' cmp order.txt wanted.txt
# And by the CPU's formula alone.
counts=$(sed -nE 's/^ *([0-9]+) .* kvm_pio .* at 0x2f0 .* val (0x[0-9a-f]+).*/\1 \2/p' merged.txt |
	marks check marks.txt "$offset" "$ratio" "$frac")
is $? 0 'the host stamp of each, scaled, lies in the bracket of the guest'
diag "$counts"
like "$counts" "^marks=$marks once=$marks inside=$marks " 'of all of them'
stamp 'marks'

check=$("$ONETSC" check s.onetsc 2>&1)
is $? 0 'check proves the order'
diag "$check"
like "$check" 'proved: all [0-9]{4,} judged guest events .* 0 not judged' 'of thousands of events'
stamp 'checked'
done_testing
