#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Those live tests that use KVM, on a host whose TSC offsets are real: set, read back, undone.
# lab: timeout=600
# lab: bring=tests/live/live_kvm tests/live/live_launch tests/live/tinyvm tests/live/tinyvm_static
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
need_onetsc

cd /opt/onetsc || exit
export ONETSC_TINYVM=$PWD/tinyvm ONETSC_TINYVM_STATIC=$PWD/tinyvm_static
export ONETSC_TEST_SHIM=$PWD/libonetsc-shim.so CMOCKA_MESSAGE_OUTPUT=TAP
for t in kvm launch; do
	ok "live-$t" sh -c "timeout 400 ./live_$t >'$LAB_OUT/$t.tap' 2>&1"
	while read -r line; do diag "$line"; done <"$LAB_OUT/$t.tap"
	stamp "$t"
done
is "$(for s in /proc/[0-9]*/stat; do cut -d')' -f2 "$s" | cut -d' ' -f2; done 2>/dev/null | grep -c '[tT]')" 0 'nothing is left stopped'

# The same through the launcher: a VMM without a loader.
head -c 131072 /dev/zero >/tmp/memory
"$ONETSC" zero -- ./tinyvm_static 9 shx42 9<>/tmp/memory 2>"$LAB_OUT/static.err"
is $? 42 'a statically linked VMM: its exit status'
like "$(cat "$LAB_OUT/static.err")" 'starts with TSC offset 0' 'and its offset is 0'
done_testing
