#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Held vCPU threads, more than there are CPUs, spin through the gate and are preempted in it; none
# of the others slips past it meanwhile. Worth its time on kernels that can be preempted (rt).
# lab: timeout=280
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
# shellcheck source=tests/lab/cases/zero-lib.sh
. "$LAB/cases/zero-lib.sh"
need_onetsc
export ASAN_OPTIONS=detect_leaks=0

tiny_start plugged
none_inside plugged 10 'a VM runs before zero'
zero_start -v --deadline 60s
tiny_start new 4
all_inside new 20 'from its first instruction on a new VM reads the host TSC'
for i in 1 2 3; do
	tiny new reset
	all_inside new 20 "and after reset $i"
done
tiny new 'plug 1'
all_inside new 20 'a plugged vCPU is made like the others'
tiny_start saved
tiny saved 'tsc 1000000'
none_inside saved 10 'a VM restored within its first second is left alone'
ok 'and that is said' zero_said "vm-$(tiny_pid saved) .*saved state"

# The guest moves its TSC; then there is a generation that only the plugged vCPU has joined.
tiny new 'wrmsr 1000000000' >/dev/null
offsets=$(tiny_offsets new | cut -d' ' -f-10)
sleep 2
tiny new 'plug 1'
tiny new 'run 10' >/dev/null
is "$(tiny_offsets new | cut -d' ' -f-10)" "$offsets" 'a guest that wrote its TSC does not jump for a plugged vCPU'
offsets=$(tiny_offsets plugged)
tiny plugged 'plug 1'
none_inside plugged 10 'nor does a VM that ran before zero'
is "$(tiny_offsets plugged | cut -d' ' -f-4)" "$offsets" 'it keeps its offsets'
zero_stop INT
is $? 0 'zero ends with 0'
unlike "$(cat "$ZERO_ERR")" 'ran before it could be held' 'nothing slipped through'
diag "$(grep -E 'skipped|warning' "$ZERO_ERR")"
done_testing
