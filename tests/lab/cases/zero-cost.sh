#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What zero adds to the start of a Linux guest: from its start to its first answer, in turns with
# and without. Prints medians and asserts no time.
# lab: timeout=900
# shellcheck disable=SC2012,SC2016,SC2119 # texts for eval
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
# shellcheck source=tests/lab/cases/zero-lib.sh
. "$LAB/cases/zero-lib.sh"
need_onetsc
runs=${COST_RUNS:-3}

boot() { # FILE: ms; guest_wait looks five times a second
	local begin
	begin=$(date +%s%N)
	guest_start vm && guest_wait vm || return 1
	echo $((($(date +%s%N) - begin) / 1000000)) >>"$1"
	vm_offsets vm >"$1.offsets"
	guest_stop vm
}
median() { sort -n "$1" | sed -n "$(((runs + 1) / 2))p"; }

ok 'a first boot warms the caches' boot /tmp/warm
for _ in $(seq "$runs"); do
	boot /tmp/without
	zero_start
	boot /tmp/with
	zero_stop
done
is "$(wc -l </tmp/without) $(wc -l </tmp/with)" "$runs $runs" 'every guest booted'
isnt "$(cat /tmp/without.offsets)" $'0 0\n1 0' 'without zero the offsets are not 0'
is "$(cat /tmp/with.offsets)" $'0 0\n1 0' 'with zero they are'
without=$(median /tmp/without) with=$(median /tmp/with)
diag "boot of a Linux guest, medians of $runs: $without ms without zero, $with ms with zero, ratio $(awk "BEGIN { printf \"%.3f\", $with / $without }")"
diag "without: $(sort -n /tmp/without | tr '\n' ' ') with: $(sort -n /tmp/with | tr '\n' ' ')"
done_testing
