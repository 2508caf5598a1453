#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What recording costs: onetsc record and trace-cmd record -A in turns, the same events, buffers and
# load, both with trace-cmd's agent in the guest. Prints CPU time, events and losses; judges no number.
# Not in CI: tests/lab/run bench-record. BENCH_RUNS (3), BENCH_SECONDS (8), BENCH_KIB (1024) a CPU.
# lab: timeout=900
# shellcheck disable=SC2016,SC2317
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
need_onetsc
cd /tmp || exit
runs=${BENCH_RUNS:-3} seconds=${BENCH_SECONDS:-8} kib=${BENCH_KIB:-1024}
# the preset "exits", and system calls in the guest to have enough of them
host=(kvm:kvm_entry kvm:kvm_exit kvm:kvm_write_tsc_offset kvm:kvm_userspace_exit kvm:kvm_pio kvm:kvm_mmio
	kvm:kvm_fast_mmio kvm:kvm_msr kvm:kvm_cr kvm:kvm_cpuid kvm:kvm_hypercall kvm:kvm_page_fault
	kvm:kvm_inj_virq kvm:kvm_inj_exception sched:sched_switch)
guest=(sched:sched_switch sched:sched_process_fork sched:sched_process_exec sched:sched_process_exit raw_syscalls)
idle_agent() { guest_run vm '[ "$(pidof trace-cmd | wc -w)" = 1 ] && [ "$(cat /sys/kernel/tracing/events/enable)" = 0 ]'; }

# timed CMD…: user and system seconds of it and its children into ./cpu
timed() {
	local TIMEFORMAT='%U %S'
	{ time "$@" >/tmp/out 2>&1; } 2>/tmp/time
	awk '{ printf "%.2f", $1 + $2 }' /tmp/time >/tmp/cpu
}

# numbers HOST GUEST: events and lost ones of both files
numbers() {
	"$ONETSC" report "$1" "$2" 2>/tmp/report.err | wc -l
	sed -n 's/.*: \([0-9]*\) events are lost in \([0-9]*\) gaps.*/lost \1 in \2 gaps/p' /tmp/report.err
}

by_onetsc() {
	rm -rf s.onetsc
	timed "$ONETSC" record -o s.onetsc -p exits --vmm none --guest-event 'raw_syscalls:*' -b "${kib}K" -d "$seconds" || true
	echo "onetsc: CPU $(cat cpu) s, events $(numbers s.onetsc/host.dat s.onetsc/guest-vm.dat | tr '\n' ' ')"
	grep -i 'cpu time' out
}

by_tracecmd() {
	local e args=() own=()
	for e in "${guest[@]}"; do args+=(-e "$e"); done
	for e in "${host[@]}"; do own+=(-e "$e"); done
	rm -f h.dat ./*-h.dat h-*.dat
	timed trace-cmd record --notimeout -C x86-tsc -b "$kib" "${own[@]}" -o h.dat -A "$(guest_cid vm)" --name vm -b "$kib" "${args[@]}" sleep "$seconds"
	echo "trace-cmd: CPU $(cat cpu) s, events $(numbers h.dat h-vm.dat | tr '\n' ' ')"
}

# Each side of trace-cmd gives the other 5 s for a message; reading all formats takes longer here.
guest_start vm
ok 'the guest boots' guest_wait vm
guest_run vm 'trace-cmd agent --notimeout >/tmp/agent.log 2>&1 &' >/dev/null
guest_run vm '(while :; do ls /proc; sleep 0.05; done) >/dev/null 2>&1 &' >/dev/null
for _ in $(seq "$runs"); do
	ok 'the agent is free' wait_for 30 idle_agent
	by_onetsc | tee -a onetsc.txt | sed 's/^/# /'
	ok 'onetsc recorded both' test -s s.onetsc/guest-vm.dat
	ok 'the agent is free' wait_for 30 idle_agent
	by_tracecmd | tee -a tracecmd.txt | sed 's/^/# /'
	ok 'trace-cmd recorded both' test -s h-vm.dat
done
cp onetsc.txt tracecmd.txt out "$LAB_OUT" # out: what trace-cmd said last
done_testing
