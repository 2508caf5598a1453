#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What onetsc zero refuses: one clear sentence, the exit status, and nothing changed.
# lab: timeout=600
# shellcheck disable=SC2016,SC2119,SC2317 # texts for eval, functions called by name
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
# shellcheck source=tests/lab/cases/zero-lib.sh
. "$LAB/cases/zero-lib.sh"
need_onetsc
# Sanitized programs look for leaks at their end, which takes a second here.
export ASAN_OPTIONS=detect_leaks=0

# refuses STATUS REGEX TEXT ARG...: onetsc zero ARG... ends with STATUS after one line that matches.
refuses() {
	local status=$1 regex=$2 text=$3 said got=0
	shift 3
	said=$("${AS[@]}" timeout 60 "$ONETSC" zero "$@" 2>&1) || got=$?
	is "$got" "$status" "$text: status $status" || diag "$said"
	like "$said" "$regex" "$text: says why"
	is "$(printf '%s' "$said" | grep -c '')" 1 "$text: in one line" || diag "$said"
}
AS=()

tiny_start vm
tiny vm 'run 10' >/dev/null
offsets=$(tiny_offsets vm)
pid=$(tiny_pid vm)
refuses 2 '--vm' '--now without --vm' --now
refuses 2 'exclude' '--now with --at-reset' --now --at-reset --vm x
refuses 2 '--now' '--force-live alone' --force-live
refuses 2 'deadline' 'a deadline of 5 minutes' --deadline 300s
refuses 2 'valid value' 'a deadline that is none' --deadline soon
refuses 1 'no VM "nosuch" among the 1 running' 'an unknown VM' --vm nosuch --now
refuses 1 'no VM "nosuch"' 'an unknown VM with --at-reset' --vm nosuch --at-reset
refuses 1 "pid $pid\) runs: .*Nothing was changed.*record.*--at-reset" 'a running VM' --vm "$pid" --now
is "$(tiny_offsets vm)" "$offsets" 'it keeps its offsets'
is "$(sed 's/.*) //; s/ .*//' "/proc/$pid/task/"*/stat | grep -c '[tT]')" 0 'none of its threads is stopped'
AS=(as_lab)
refuses 1 'needs root.*zero -- COMMAND' 'a plain user'
AS=()

source=/sys/devices/system/clocksource/clocksource0
other=$(tr ' ' '\n' <$source/available_clocksource | grep -v -e tsc -e '^$' | head -n 1)
echo "$other" >$source/current_clocksource
refuses 1 'clocksource' "clocksource $other"
refuses 1 'clocksource' "clocksource $other, --now" --vm "$pid" --now --force-live
echo tsc >$source/current_clocksource
is "$(tiny_offsets vm)" "$offsets" 'the VM keeps its offsets'
tiny_stop vm
is "$(bpfprogs)" '' 'no program was left'
stamp 'refused at once'

# What turns up while it watches.
tiny_start forced 1
tiny forced 'run 10' >/dev/null
zero_start --deadline 20s
refuses 1 'another onetsc zero is watching' 'a second watcher'
ok '--now --force-live changes a running VM' "$ONETSC" zero --vm "$(tiny_pid forced)" --now --force-live
all_inside forced 100 'which then reads the host TSC'
ok 'and once more there is nothing to do' "$ONETSC" zero --vm "$(tiny_pid forced)" --now
tiny forced 'tsc 99999999999999999' >/dev/null
refuses 1 'step back' 'a step back' --vm "$(tiny_pid forced)" --now --force-live

tiny_start fast
tiny fast 'khz 9000000'
none_inside fast 10 'a VM that KVM must keep up to speed is left alone'
ok 'and that is said' zero_said "vm-$(tiny_pid fast) .*faster than this CPU"
tiny_start debugged
strace -f -qq -o /dev/null -p "$(tiny_pid debugged)" 2>/dev/null 7>&- &
wait_for 10 grep -q "^TracerPid:.*[1-9]" "/proc/$(tiny_pid debugged)/status"
none_inside debugged 10 'a VM under a debugger is left alone'
ok 'and that is said' zero_said "vm-$(tiny_pid debugged) .*debugger"
kill %strace 2>/dev/null
echo "$other" >$source/current_clocksource
tiny_start slow
none_inside slow 10 'a VM that starts when the clocksource is not tsc is left alone'
ok 'and that is said' zero_said "vm-$(tiny_pid slow) .*clocksource"
echo tsc >$source/current_clocksource
zero_stop
is $? 0 'zero ends with 0'

# A reader that goes away.
"$ONETSC" zero 2>/tmp/pipe.err 7>&- | : &
wait_for 30 grep -q watching /tmp/pipe.err
tiny_start last
tiny last 'run 10' >/dev/null
ok 'zero ends when nobody reads its output' wait_for 30 grep -q 'cannot write' /tmp/pipe.err
ok 'and no program stays' wait_for 10 eval '[ -z "$(bpfprogs)" ]'

# Armed for one reset.
tiny_start armed
tiny armed 'run 10' >/dev/null
"$ONETSC" zero --vm "$(tiny_pid armed)" --at-reset >/tmp/armed.out 2>/tmp/armed.err 7>&- &
armed=$!
wait_for 30 grep -q watching /tmp/armed.err
none_inside armed 10 'with --at-reset the running VM is left alone'
tiny armed reset
all_inside armed 10 'until its reset'
wait $armed
is $? 0 'then zero ends'
like "$(cat /tmp/armed.out)" 'at offset 0' 'and says so'
cp /tmp/armed.* /tmp/pipe.err "$LAB_OUT/"
done_testing
