#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# doctor on this machine itself, whatever it is: its findings against what the machine says, as this
# user and as a plain one, and its refusals against those of zero. Usage: doctor.sh ONETSC NOATTR TINYVM
# shellcheck disable=SC2016,SC2317
set -u
onetsc=$(realpath "$1") noattr=$(realpath "$2") tinyvm=$(realpath "$3") || exit 2
n=0 failed=0
work=$(mktemp -d)
pids=()
finish() {
	[ ${#pids[@]} = 0 ] || kill -KILL "${pids[@]}" 2>/dev/null
	cd /
	rm -rf "$work"
}
trap finish EXIT
command -v jq >/dev/null || { echo '1..0 # SKIP no jq'; exit 77; }
cd "$work" || exit 1
chmod 755 .
# Programs in children of other users cannot be looked into for leaks.
export ASAN_OPTIONS=detect_leaks=0

result() { # STATUS NAME
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		failed=1
		echo "not ok $n - $2"
	fi
	return "$1"
}
is() { # GOT WANTED NAME
	[ "$1" = "$2" ]
	result $? "$3" && return
	printf '# got:    %s\n# wanted: %s\n' "$1" "$2"
}
like() { # GOT REGEX NAME
	[[ $1 =~ $2 ]]
	result $? "$3" && return
	printf '# got:     %s\n# pattern: %s\n' "$1" "$2"
}
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }

AS=()
# doctor [ARG...]: status in $status, findings for q.
doctor() {
	status=0
	"${AS[@]}" "$onetsc" doctor --json "$@" >out 2>err || status=$?
	{ [ -s out ] && jq -e . out >/dev/null; } || { echo '# no JSON:'; sed 's/^/# /' out err; }
}
q() { jq -r "$1" out; }
# What must hold on any machine.
sound() { # WHO
	local all bad
	all=$(q '[.verdicts[].answer] + [.vms[].verdicts | del(.zero_now)[].answer] | all(. == "yes")')
	is "$status $(q .well)" "$([ "$all" = true ] && echo 0 true || echo 1 false)" "$1: the exit status is that of the answers"
	bad=$(q '[.verdicts, .vms[].verdicts | .[] | select(.answer | IN("yes", "no", "unknown") | not)] | length')
	is "$bad" 0 "$1: every answer is one of three"
	is "$(q '[.verdicts, .vms[].verdicts | .[] | select(.why == "")] | length')" 0 "$1: with a reason"
	is "$(q .host.clocksource)" "$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)" "$1: the clocksource"
	is "$(q '.host.tsc.flags | index("constant_tsc") != null')" \
		"$(grep -m 1 '^flags' /proc/cpuinfo | grep -qw constant_tsc && echo true || echo false)" "$1: a CPU flag"
	is "$(q '.host.skew.cpus | length')" "$("${AS[@]}" nproc)" "$1: the CPUs"
	is "$(q '.host.skew | [.bounds[][]] | all(.[0] <= .[1])')" true "$1: bounds are intervals"
	is "$(q '.host.skew.bounds as $b | [range($b | length) | . as $i | range($b | length) | $b[$i][.][0] == -$b[.][$i][1]] | all')" \
		true "$1: one way is the other way back"
}

doctor
sound "user $(id -u)"
is "$(q .host.kernel)" "$(uname -r)" 'the kernel'
[ "$(nproc)" -lt 2 ] || like "$(q .host.skew.exchanges)" '^[1-9]' 'the CPUs have exchanged something'
[ "$(nproc)" -lt 2 ] || is "$(q '.host.skew | "\(.consistent) \(.differs_ticks)"')" 'true 0' 'their TSCs may be equal'
text=$("$onetsc" doctor 2>err)
like "$text" "translate +$(q .verdicts.translate.answer) +" 'people get the same answers'
"$onetsc" doctor nosuch >/dev/null 2>&1
is $? 2 'an argument is wrong usage'
"$onetsc" doctor --vm nosuch >/dev/null 2>err
is $? 1 'a VM that is not there is a failure'
like "$(cat err)" 'no VM "nosuch"' 'and named'

# zero -- COMMAND and doctor must not disagree. Where it can be used it runs the command.
zero_launch() { # the reason why zero does not start a command; "" when it does
	"$@" "$onetsc" zero -- true 2>&1 | sed -n 's/^onetsc: error: "true" was not started: //p'
}
agree() { # NAME WRAPPER...
	local name=$1 wanted=''
	shift
	[ "$(q .verdicts.launch.answer)" = yes ] || wanted=$(q .verdicts.launch.why)
	is "$(zero_launch "$@")" "$wanted" "$name: zero -- COMMAND agrees"
}
agree 'here'
if [ "$(id -u)" = 0 ] && [ -e /dev/kvm ] && [ "$(q .host.clocksource)" = tsc ]; then
	AS=("$noattr") && doctor
	sound 'a kernel before 5.16'
	is "$(q .host.kvm.offsets)" absent 'a kernel before 5.16: no attribute'
	like "$(q .verdicts.zero.why)" 'cannot set a TSC offset .*Linux 5.16.*onetsc record' 'it cannot be zeroed'
	is "$(q .verdicts.launch.why)" "$(q .verdicts.zero.why)" 'one way or the other'
	agree 'a kernel before 5.16' "$noattr"
	is "onetsc: error: cannot zero VMs here: $(q .verdicts.zero.why)" "$("$noattr" "$onetsc" zero -d 1 2>&1)" \
		'a kernel before 5.16: zero agrees'
	AS=()

	truncate -s 65536 memory
	"$tinyvm" 9 sn 9<>memory &
	pids+=($!)
	vm=$!
	for _ in $(seq 50); do
		doctor --vm $vm
		[ "$(q '.vms[0].vcpus[0].tid')" = null ] || break
		sleep 0.1
	done
	sound 'with a VM'
	is "$(q '[.vms[].pid] | tostring')" "[$vm]" 'the VM is found'
	is "$(q '.vms[0] | "\(.vcpus | length) \(.traceable)"')" '2 yes' 'with its vCPUs'
	if [ -r /sys/kernel/btf/vmlinux ] && [ "$(q .host.gate.built)" = true ]; then
		like "$(q '.vms[0] | "\(.masterclock) \(.protected)"')" '^(true|false) (true|false)$' "KVM's own record is read"
		isnt_null=$(q '.vms[0].vcpus | all(.set_by != null and .tsc_adjust == 0)')
		is "$isnt_null" true 'also of each vCPU'
	fi
	[ "$(q .host.kvm.offsets)" != ignored ] ||
		is "$(q '[.vms[0].vcpus[].set_by] | unique | tostring')" '["fixed"]' 'where offsets are ignored nobody sets them'
	is "$(find /proc/$vm/task -name status -exec sed -n 's/^State:\t\([tT]\).*/\1/p' {} +)" '' 'no thread of it is stopped'
	kill -KILL $vm && wait $vm 2>/dev/null
	pids=()
else
	skip 'zero and doctor with a VM, and as before 5.16' 'not root, no /dev/kvm, or clocksource not tsc'
fi

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && cp "$onetsc" mine && chmod 755 mine; then
	onetsc=$work/mine
	AS=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	doctor
	sound 'a plain user'
	like "$(q '.verdicts | "\(.zero.answer) \(.record.answer)"')" '^no no$' 'a plain user: cannot watch or record'
	is "$(q .host.rights.uid)" 65534 'a plain user: is named'
	is "$(q '.host.gate.tried')" false 'a plain user: the gate is not tried'
	like "$("${AS[@]}" "$onetsc" doctor 2>&1)" 'run as root to see all VMs' 'a plain user: told what is not seen'
	[ -r /dev/kvm ] && [ "$("${AS[@]}" test -r /dev/kvm; echo $?)" != 0 ] &&
		like "$(q .verdicts.launch.why)" 'group kvm' 'a plain user: told how to get at /dev/kvm'
else
	skip 'as a plain user' 'not root, or no setpriv'
fi
echo "1..$n"
exit $failed
