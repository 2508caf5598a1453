#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What recording costs: onetsc record and trace-cmd record -A in turns, the same events, buffers and
# load, both with trace-cmd's agent in the guest, and onetsc with its own. Prints CPU time, events and losses; judges no number.
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

# What is recorded: it notes when it begins and ends what CPU time (1/100 s) the programs of that name had.
cat >snap.sh <<'X'
ticks() {
	local p sum=0 v
	for p in /proc/[0-9]*; do
		if read -r v <"$p/comm" && [ "$v" = "$1" ]; then
			read -r -a v <"$p/stat"
			sum=$((sum + v[13] + v[14] + v[15] + v[16]))
		fi
	done 2>/dev/null
	echo $sum
}
ticks "$1" >/tmp/began
sleep "$2"
ticks "$1" >/tmp/ended
X

# timed CMD…: user and system seconds of it and its children, before, while and after recording, into ./cpu
timed() {
	local TIMEFORMAT='%U %S'
	{ time "$@" >/tmp/out 2>&1; } 2>/tmp/time
	awk '{ print $1 + $2 }' /tmp/time | cat - /tmp/began /tmp/ended |
		awk '{ v[NR] = $1 } END { printf "%.2f s: %.2f before, %.2f while recording, %.2f after", v[1], v[2] / 100, (v[3] - v[2]) / 100, v[1] - v[3] / 100 }' >/tmp/cpu
}

# numbers HOST GUEST: events and lost ones of both files
numbers() {
	"$ONETSC" report "$1" "$2" 2>/tmp/report.err | wc -l
	sed -n 's/.*: \(.*events are lost in [0-9]* gaps\).*/\1/p' /tmp/report.err
}

by_onetsc() { # AGENT
	rm -rf s.onetsc
	timed "$ONETSC" record -o s.onetsc -p exits --vmm none -g "vm,agent=$1" --guest-event 'raw_syscalls:*' -b "${kib}K" \
		-- bash snap.sh onetsc "$seconds" || true
	echo "onetsc, $1 agent: CPU $(cat cpu); events $(numbers s.onetsc/host.dat s.onetsc/guest-vm.dat | tr '\n' ' ')"
	grep -i 'cpu time\|agent in' out
}

by_tracecmd() {
	local e args=() own=()
	for e in "${guest[@]}"; do args+=(-e "$e"); done
	for e in "${host[@]}"; do own+=(-e "$e"); done
	rm -f h.dat ./*-h.dat h-*.dat
	timed trace-cmd record --notimeout -C x86-tsc -b "$kib" "${own[@]}" -o h.dat -A "$(guest_cid vm)" --name vm -b "$kib" "${args[@]}" \
		bash snap.sh trace-cmd "$seconds"
	echo "trace-cmd: CPU $(cat cpu); events $(numbers h.dat h-vm.dat | tr '\n' ' ')"
}

# Each side of trace-cmd gives the other 5 s for a message; reading all formats takes longer here.
guest_start vm
ok 'the guest boots' guest_wait vm
guest_run vm 'trace-cmd agent --notimeout >/tmp/agent.log 2>&1 & /onetsc agent >/tmp/onetsc.log 2>&1 &' >/dev/null
guest_run vm '(while :; do ls /proc; sleep 0.05; done) >/dev/null 2>&1 &' >/dev/null
for _ in $(seq "$runs"); do
	ok 'the agent is free' wait_for 30 idle_agent
	by_onetsc onetsc | tee -a onetsc.txt | sed 's/^/# /'
	ok 'onetsc recorded both' test -s s.onetsc/guest-vm.dat
	by_onetsc trace-cmd | tee -a onetsc.txt | sed 's/^/# /'
	ok 'onetsc recorded both' test -s s.onetsc/guest-vm.dat
	ok 'the agent is free' wait_for 30 idle_agent
	by_tracecmd | tee -a tracecmd.txt | sed 's/^/# /'
	ok 'trace-cmd recorded both' test -s h-vm.dat
done
cp onetsc.txt tracecmd.txt out "$LAB_OUT" # out: what trace-cmd said last
done_testing
