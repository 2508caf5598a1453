#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What onetsc zero holds, what it leaves alone, and what it says: with a VMM that starts at once.
# lab: timeout=600
# shellcheck disable=SC2016,SC2119,SC2317 # texts for eval, functions called by name
# shellcheck source=tests/lab/lib.sh
. "$LAB/lib.sh"
# shellcheck source=tests/lab/cases/zero-lib.sh
. "$LAB/cases/zero-lib.sh"
need_onetsc

tiny_start old
tiny_start plugged
tiny_start paused
for vm in old plugged; do none_inside $vm 100 "without zero: no TSC of VM $vm is the host's"; done
old=$(tiny_offsets old)
stamp 'zero starts'
zero_start -v --deadline 20s
none_inside old 100 'a VM that ran before zero is left alone'
is "$(tiny_offsets old)" "$old" 'with its offsets'

tiny_start new
all_inside new 1000 'a new VM reads the host TSC'
is "$(tiny_offsets new)" '0 0 1 0' 'at offset 0'
ok 'and is listed' zero_listed "vm-$(tiny_pid new) .*: 2 vCPUs at offset 0, masterclock on, held "
all_inside paused 100 'so does a VM that was made before zero and had not run'

tiny old reset
all_inside old 100 'the old VM does after its reset'
for i in 1 2 3; do
	tiny new reset
	all_inside new 100 "the new VM does after reset $i"
done
tiny new plug
all_inside new 100 'so does a vCPU that is plugged'
tiny new 'plug 1'
all_inside new 100 'and one whose TSC is written'
is "$(tiny_offsets new)" '0 0 1 0 2 0 3 0' 'all at offset 0'

# More than a second after its last TSC write: KVM takes the 1 for a new generation.
plugged=$(tiny_offsets plugged)
tiny plugged 'plug 1'
none_inside plugged 100 'a VM that runs is not touched when a vCPU with a TSC of its own is plugged'
is "$(tiny_offsets plugged | cut -d' ' -f-4)" "$plugged" 'it keeps its offsets'
ok 'and that is said' zero_said "vm-$(tiny_pid plugged) .*only some of its vCPUs were reset"

tiny new 'tsc 5000000000'
none_inside new 100 'a VM that was restored is left alone'
ok 'and that is said' zero_said "vm-$(tiny_pid new) .*saved state"
tiny new reset
all_inside new 100 'until its next reset'

tiny new 'wrmsr 1000000000' >/dev/null
ok 'a guest that writes its TSC is reported' zero_said "vm-$(tiny_pid new) .*the guest wrote its TSC itself"
ok 'with the source of the write' zero_listed 'by guest WRMSR'
isnt "$(tiny_offsets new)" '0 0 1 0 2 0 3 0' 'and left alone'

tiny_start twice
tiny twice vm
none_inside twice 10 'a process with two VMs is left alone'
ok 'and that is said' zero_said "vm-$(tiny_pid twice) .*several VMs"
stamp 'one VM after the other is done'

for i in 1 2 3 4 5 6; do tiny_start "many$i" 1; done
for i in 1 2 3 4 5 6; do tiny_ask "many$i" 'run 100'; done
is "$(for i in 1 2 3 4 5 6; do tiny_answer "many$i"; done | grep -c ' samples=100 inside=100 ')" 6 'six VMs at once do'
diag "$(grep held "$ZERO_OUT")"
for vm in twice many1 many2 many3 many4 many5 many6; do tiny_stop $vm; done
zero_stop
is $? 0 'zero ends with 0'
is "$(bpfprogs)" '' 'and no program stays'
all_inside old 100 'the VMs run on as they were'
stamp 'no zero'

# Only the one that is asked for; and what the guest itself writes is undone.
tiny_start wanted
tiny_start other
zero_start --vm "$(tiny_pid wanted)" --rezero --json --deadline 20s
all_inside wanted 100 'with --vm the wanted VM is zeroed'
none_inside other 100 'another one is not'
tiny other reset
none_inside other 100 'nor after its reset'
tiny wanted 'wrmsr 1000000000' >/dev/null
ok 'with --rezero a write of the guest is undone' wait_for 10 eval '[ "$(tiny_offsets wanted)" = "0 0 1 0" ]'
all_inside wanted 100 'and the guest reads the host TSC'
zero_stop TERM
is $? 0 'SIGTERM ends it too'
ok 'every line is JSON' jq -e . "$ZERO_OUT"
is "$(jq -r 'select(.event == "vm") | "\(.pid) \(.outcome)"' "$ZERO_OUT" | sort -u)" "$(tiny_pid wanted) zeroed" \
	'only the wanted VM is listed'
stamp '--vm done'

# Nobody answers: the deadline lets the VM run.
zero_start --deadline 5s
kill -STOP "$zero_pid"
tiny_start late
none_inside late 10 'with zero stopped a VM runs unchanged after the deadline'
kill -CONT "$zero_pid"
ok 'and that is said' zero_said "vm-$(tiny_pid late) .*deadline"
tiny late reset
all_inside late 10 'until its next reset'
# Killed while a VM is held.
kill -STOP "$zero_pid"
tiny_start orphan
tiny_ask orphan 'run 10'
kill -KILL "$zero_pid"
wait "$zero_pid" 2>/dev/null
like "$(tiny_answer orphan)" 'inside=0' 'a VM that is held when zero is killed runs on'
ok 'no program stays' wait_for 5 eval '[ -z "$(bpfprogs)" ]'
zero_keep
done_testing
