#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# docs/text-sources.md, "The old way, made safe": a SystemTap script in guest and host of a zeroed
# VM, merged with an onetsc recording of the host. Then the same with a VM that is not zeroed.
# lab: timeout=600
# shellcheck source=tests/lab/lib.sh disable=SC2016,SC2317
. "$LAB/lib.sh"
need_onetsc
cd /tmp || exit

load='(while :; do ls /proc /sys; dd if=/dev/vda of=/dev/null bs=64k count=16 iflag=direct; done) >/dev/null 2>&1 &
  (while :; do sleep 0.05; done) &'

# stap_start VM: SystemTap in the guest; without VM in the host. Writes /tmp/stap.txt there.
tap='cd /tmp; rm -f stap.txt; staprun -o stap.txt /root/sched.ko >staprun.log 2>&1 & echo $! >/tmp/staprun.pid'
stap_start() { if [ $# -gt 0 ]; then guest_run "$1" "$tap"; else eval "$tap" 7>&-; fi; }
stap_lines='grep -ac sched_switch /tmp/stap.txt'
stap_runs() { # VM LINES_OF_GUEST LINES_OF_HOST
	[ "$(guest_run "$1" "$stap_lines")" -ge "$2" ] && [ "$(eval "$stap_lines")" -ge "$3" ]
}
# A recording lasts until guest and host have both written while it ran. SystemTap's readers fall
# behind and catch up with thousands of old lines at once, hence the second before the count starts.
stap_goes_on() { # VM
	local guest host
	sleep 1
	guest=$(guest_run "$1" "$stap_lines") host=$(eval "$stap_lines")
	until stap_runs "$1" $((guest + 500)) $((host + 2000)); do sleep 0.2; done
}
export LAB_RUN stap_lines
export -f guest_run guest_cid stap_runs stap_goes_on
stop='kill -INT $(cat /tmp/staprun.pid); while kill -0 $(cat /tmp/staprun.pid); do sleep 0.2; done 2>/dev/null'
stap_stop() { # VM
	guest_run "$1" "$stop"
	eval "$stop"
	guest_get "$1" /tmp/stap.txt "$1.txt"
	mv stap.txt "$1-host.txt"
	cp "$1.txt" "$1-host.txt" "$LAB_OUT/"
}

# traced VM: guest and host by SystemTap, and the host by onetsc into VM.onetsc, at the same time.
traced() {
	guest_run "$1" "$load"
	stap_start "$1"
	stap_start
	ok "SystemTap runs in $1 and in the host" wait_for 300 stap_runs "$1" 5 5 ||
		diag "$(cat staprun.log; guest_run "$1" 'cat /tmp/staprun.log')"
	ok "onetsc records $1's host" "$ONETSC" record --vm "$1" -o "$1.onetsc" -- timeout 200 bash -c "stap_goes_on $1"
	stap_stop "$1"
	cp -r "$1.onetsc" "$LAB_OUT/"
	stamp "$1 traced: $(wc -l <"$1.txt") lines of the guest, $(wc -l <"$1-host.txt") of the host"
}

# merged VM: what every merge must hold.
merged() {
	local texts=(--text "$1-host.txt" --text "$1.txt,machine=guest:$1") out

	out=$("$ONETSC" check "$1.onetsc" "${texts[@]}" 2>&1)
	is $? 0 "check proves $1"
	diag "$out"
	like "$out" 'proved: all [0-9]{3,} judged' 'at least a hundred events of it were judged'
	"$ONETSC" report --clock ticks "$1.onetsc" "${texts[@]}" >"$1.merged" 2>"$1.err"
	is $? 0 "report merges $1"
	diag "$(cat "$1.err")"
	ok 'in the order of the ticks' sort -snc -k1,1 "$1.merged"
	is "$(grep -c " $1 \[" "$1.merged")" "$(grep -aEc '[0-9] cpu[01] .*: ' "$1.txt")" 'every line of the guest is there'
	ok "and the recording's kvm_exit" grep -q 'host .* kvm_exit ' "$1.merged"
	cp "$1.merged" "$LAB_OUT/"
	out=$("$ONETSC" check "$1.onetsc" "${texts[@]}" --offset "$1=$(($(vm_offsets "$1" | awk 'NR == 1 { print $2 }') + 100000000))" 2>&1)
	is $? 1 'an offset that is wrong by 100,000,000 ticks does not pass'
	like "$out" 'wrong: [0-9]+ of' 'because of violations'
}

"$ONETSC" zero >zero.out 2>zero.err 7>&- &
zero=$!
ok 'zero watches' wait_for 150 grep -q watching: zero.err
guest_start web1
ok 'web1 boots' guest_wait web1
is "$(vm_offsets web1)" $'0 0\n1 0' 'its offsets are 0'
traced web1
merged web1
ok 'the texts alone merge too' "$ONETSC" report --clock ticks --text web1-host.txt --text web1.txt,machine=guest:web1 --offset web1=0
kill -INT $zero
wait $zero
is $? 0 'zero ends'
guest_stop web1

guest_start web2
ok 'web2 boots' guest_wait web2
unlike "$(vm_offsets web2)" ' 0(\n|$)' 'its offsets are not 0'
traced web2
merged web2
done_testing
