#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 100 VMs start and end under one onetsc zero: it leaks nothing. Then what it costs, as ratios.
# lab: timeout=300
# shellcheck disable=SC2012,SC2016,SC2119,SC2317 # texts for eval, functions called by name
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
# shellcheck source=tests/lab/cases/zero-lib.sh
. "$LAB/cases/zero-lib.sh"
need_onetsc
# Freed memory is kept for long by the sanitizer: that would hide what grows.
export ASAN_OPTIONS=detect_leaks=1:quarantine_size_mb=1

cycle() { # four VMs at once
	local i answers=''
	for i in 1 2 3 4; do tiny_start "c$i" 1; done
	for i in 1 2 3 4; do tiny_ask "c$i" 'run 5'; done
	for i in 1 2 3 4; do answers+=$(tiny_answer "c$i"; echo); done
	for i in 1 2 3 4; do tiny_stop "c$i"; done
	grep -o 'inside=5 ' <<<"$answers" | grep -c .
}
# Jobs end a moment after their VM runs.
settled() { [ "$(ls "/proc/$zero_pid/task" | wc -l)" = "$threads" ]; }
counts() {
	echo "$(ls "/proc/$zero_pid/fd" | wc -l) descriptors, $(ls "/proc/$zero_pid/task" | wc -l) threads," \
		"$(find /run/onetsc -type f | wc -l) files, $(ls $T/instances | wc -l) instances"
}
rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$zero_pid/status"; }

zero_start -v --deadline 20s
threads=$(ls "/proc/$zero_pid/task" | wc -l)
cycle >/dev/null
wait_for 10 settled
before=$(counts) before_kb=$(rss_kb)
zeroed=0
for i in $(seq 25); do
	zeroed=$((zeroed + $(cycle)))
	[ "$i" != 12 ] || half_kb=$(rss_kb)
done
wait_for 10 settled
after=$(counts) after_kb=$(rss_kb)
is "$zeroed" 100 '100 VMs start, are zeroed and end'
is "$after" "$before" 'as many descriptors, threads, files and instances after them as before'
diag "$after; resident before $before_kb KiB, half way $half_kb KiB, after $after_kb KiB"
# The sanitizer's allocator takes its time to fill; what really leaks it tells at the end.
limit_kb=1024
grep -q __asan_init "$ONETSC" && limit_kb=16384
ok "the second half of them took less than $limit_kb KiB of memory" test $((after_kb - half_kb)) -lt $limit_kb
stamp 'cycles: done'

# In pairs, so that whatever else this computer does hits both alike.
with_other=$(ioctlbench other 20000) with_run=$(ioctlbench run 2000)
zero_stop
is $? 0 'zero ends with 0: nothing has leaked'
# Entries are by address in the kernel, which a later VM may get again: on 7.3 nearly all do.
entries=$(sed -n 's/.*zero: \([0-9]*\) entries made for VMs, \([0-9]*\) of them left.*/\1 \2/p' "$ZERO_ERR")
ok "VMs that ended are forgotten ($entries)" test "${entries#* }" -lt 75
without_other=$(ioctlbench other 20000) without_run=$(ioctlbench run 2000)
diag "an ioctl: $without_other ns without, $with_other ns with zero; KVM_RUN: $without_run ns without, $with_run ns with (emulated CPU)"

# Start of a QEMU VM: until its firmware has written its first byte.
first_dot() { # ms
	local begin
	: >/tmp/qemu.dots
	begin=$(date +%s%N)
	bios_qemu -debugcon file:/tmp/qemu.dots 2>/dev/null 7>&- &
	until [ -s /tmp/qemu.dots ]; do sleep 0.01; done
	echo $((($(date +%s%N) - begin) / 1000000))
	kill $!
	wait $! 2>/dev/null
}
median() { sort -n | sed -n "$((($1 + 1) / 2))p"; }
for _ in 1 2 3 4 5; do
	first_dot >>/tmp/without
	zero_start --deadline 20s
	first_dot >>/tmp/with
	zero_stop
done
diag "start of a QEMU VM without an operating system: $(median 5 </tmp/without) ms without zero, $(median 5 </tmp/with) ms with (medians of 5)"
done_testing
