#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A VMM unlike QEMU: static, its threads under seccomp filters as tight as Firecracker's, the VM made in
# a thread that ends, each vCPU in its own, vCPU ids 3 and 7. It is listed, zeroed and recorded as any
# other, and never harmed.
# lab: timeout=300
# shellcheck disable=SC2016,SC2046,SC2054,SC2119,SC2183,SC2317 # texts for eval, functions called by name
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
# shellcheck source=tests/lab/cases/zero-lib.sh
. "$LAB/cases/zero-lib.sh"
need_onetsc
export ASAN_OPTIONS=detect_leaks=0
cd /tmp || exit

odd=(-i '3,7' -t ends -o -s kill)
listed() { "$ONETSC" list --json "$(tiny_pid "$1")" | jq -c "$2"; }
stopped() { sed 's/.*) //; s/ .*//' "/proc/$1/task/"*/stat | grep -c '[tT]'; }
# The filter of tinyvmm's vCPU thread bites, so what is told here is worth something.
bites() { # NAME STATUS TEXT
	tiny_ask "$1" forbidden
	wait "$(tiny_pid "$1")" 2>/dev/null
	is $? "$2" "$3"
}

# Listed.
tiny_start odd "${odd[@]}"
pid=$(tiny_pid odd)
is "$(grep -c "^Tgid:.$pid$" "/proc/$(basename /sys/kernel/debug/kvm/*-* | cut -d- -f1)/status" 2>/dev/null)" '' \
	'the thread in the name of its debugfs directory has ended'
is "$(listed odd '.vms[0] | [.vmm, [.vcpus[] | .id, .has_run]]')" '["unknown",[3,"no",7,"no"]]' 'list: a VM that has not run'
is "$(listed odd '.vms[0].masterclock')" null 'list: its masterclock is not decided yet'
none_inside odd 100 'it reads a TSC of its own'
is "$(listed odd '.vms[0].masterclock')" true 'list: now it is'
is "$(listed odd '[.vms[0].vcpus[] | .id, .tid, .has_run]')" \
	"$(printf '[3,%d,"yes",7,%d,"yes"]' $(cat /sys/kernel/debug/kvm/*-*/vcpu[37]/pid))" 'list: ids and threads'
is "$(listed odd '.vms[0].vcpus[] | "\(.id) \(.offset)"' | tr -d '"' | xargs)" "$(tiny_offsets odd)" 'list: offsets'
# On 7.3 KVM has a thread of its own among them (kvm-nx-lpage-recovery), under the filter too.
is "$(cat "/proc/$pid/task/"*/status | grep '^Seccomp:' | sort -u | tr -d '\t')" 'Seccomp:2' 'all of its threads are under a filter'
diag "$("$ONETSC" list)"
stamp 'listed'

# --now: refused where it cannot be done unharmed, done where it can.
offsets=$(tiny_offsets odd)
like "$("$ONETSC" zero --vm "$pid" --now 2>&1)" "runs: .*record.*--at-reset" '--now: a running VM is refused'
weak=(setpriv --bounding-set -sys_admin "$ONETSC")
tiny_start weak "${odd[@]}"
said=$("${weak[@]}" zero --vm "$(tiny_pid weak)" --now 2>&1)
is $? 1 'without CAP_SYS_ADMIN: refused'
like "$said" 'seccomp.*CAP_SYS_ADMIN' 'for the filter'
is "$(printf '%s' "$said" | grep -c '')" 1 'in one line' || diag "$said"
like "$("${weak[@]}" zero --vm "$pid" --now --force-live 2>&1)" 'seccomp.*CAP_SYS_ADMIN' 'also when it runs'
like "$("${weak[@]}" doctor --json | jq -c ".vms[] | select(.pid == $(tiny_pid weak)) | [.traceable, .verdicts.zero_now]")" \
	'seccomp.*CAP_SYS_ADMIN' 'doctor says the same'
is "$(stopped "$pid") $(stopped "$(tiny_pid weak)")" '0 0' 'no thread is left stopped'
none_inside weak 100 'the VM runs on as it was'
is "$(tiny_offsets odd)" "$offsets" 'both do'
ok '--force-live as root' "$ONETSC" zero --vm "$pid" --now --force-live
all_inside odd 1000 'the guest reads the host TSC'
tiny odd plug
all_inside odd 100 'also on a vCPU that is plugged'
is "$(tiny_offsets odd)" '3 0 7 0 8 0' 'all at offset 0'
tiny_start fresh "${odd[@]}"
ok '--now on a VM that has not run' "$ONETSC" zero --vm "$(tiny_pid fresh)" --now
all_inside fresh 100 'from its first instruction on'
bites weak 159 'and the filter would have killed it'
tiny_stop fresh
stamp '--now'

# Watched: held by the gate, its vCPU threads filtered from before their first instruction on.
zero_start -v --deadline 20s
n=0
for how in "${odd[*]}" '-i 1,4 -t stays -s trap' '-i 5 -o -s kill 2'; do
	n=$((n + 1))
	# shellcheck disable=SC2086
	tiny_start "watched$n" $how
	all_inside "watched$n" 200 "zero: tinyvmm $how"
	tiny "watched$n" reset
	all_inside "watched$n" 200 'and after its reset'
	ok 'said so' zero_listed "vm-$(tiny_pid "watched$n") .*: 2 vCPUs at offset 0, masterclock on, held "
done
bites watched1 159 'and its filter is in force'
bites watched2 148 'with SIGSYS too'
tiny odd reset
all_inside odd 200 'the VM that ran before is, after its reset'
zero_stop
is $? 0 'zero ends with 0'
tiny_stop watched3
stamp 'watched'

# By the launcher, without root.
TINY_PREFIX=(as_lab "$ONETSC" zero --)
tiny_start launched -i 1,4 -t ends -o -s trap
TINY_PREFIX=()
like "$(cat /tmp/tiny.launched.err)" 'TSC offset 0.*linked statically' 'launcher: says what it does'
all_inside launched 200 'launcher: the guest reads the host TSC'
is "$(tiny_offsets launched)" '1 0 4 0' 'launcher: both offsets are 0'
tiny launched plug
all_inside launched 100 'launcher: also of a vCPU that is plugged'
bites launched 148 'launcher: the status is the VMM'\''s own'
stamp 'launched'

# Recorded: with a reset in it, then zeroed, where the guest's own stamps can prove the order.
tiny_start seen "${odd[@]}" -w /tmp/samples.txt
pid=$(tiny_pid seen)
tiny seen 'run 10' >/dev/null
record() { # DIRECTORY COMMAND...: of the VM while it does the commands
	local dir=$1
	shift
	"$ONETSC" record -v -o "$dir" --vm "$pid" -b 16M -- bash -c 'in=$1 out=$2
		shift 2
		for c; do echo "$c" >&$in; while read -r -t 60 line <&$out && [ "$line" != ok ]; do :; done; done' \
		x "${tiny_in[seen]}" "${tiny_out[seen]}" "$@" 2>"$LAB_OUT/$dir.err"
	is $? 0 "$dir: recorded"
	diag "$(cat "$LAB_OUT/$dir.err")"
	cp -r "$dir" "$LAB_OUT/"
}
record reset.onetsc 'run 100' reset 'run 100'
"$ONETSC" report reset.onetsc >report.txt 2>/dev/null
for id in 3 7; do
	is "$(grep -c "tinyvmm-.* kvm_write_tsc_offset *vcpu=$id " report.txt)" 1 "the reset of vCPU $id is in it"
done
is "$(jq -c '[.machines[1].vcpus[] | .id, .tid]' reset.onetsc/session.json)" \
	"$(listed seen '[.vms[0].vcpus[] | .id, .tid]')" 'with its vCPUs and their threads'
ok 'zeroed' "$ONETSC" zero --vm "$pid" --now --force-live
: >/tmp/samples.txt
record zeroed.onetsc 'run 1000'
is "$(jq -c '[.machines[1].vcpus[] | .id, .start_offset, .end_offset]' zeroed.onetsc/session.json)" \
	'[3,"0","0",7,"0","0"]' 'at offset 0 to its end'
text=(--text "/tmp/samples.txt,machine=guest:vm-$pid")
check=$("$ONETSC" check --json "${text[@]}" zeroed.onetsc 2>"$LAB_OUT/check.err")
is $? 0 'check is clean' || diag "$check$(cat "$LAB_OUT/check.err")"
is "$(jq -c '[.vcpus[] | .vcpu, .inside, .violations]' <<<"$check")" '[3,1000,0,7,1000,0]' 'all stamps are in the windows of their vCPU'
sed -i 's/cpu0/cpuX/; s/cpu1/cpu0/; s/cpuX/cpu1/' /tmp/samples.txt
not_ok 'and not in those of the other' "$ONETSC" check "${text[@]}" zeroed.onetsc
is "$(stopped "$pid")" 0 'no thread is left stopped'
all_inside seen 100 'the VM runs on'
stamp 'recorded'
done_testing
