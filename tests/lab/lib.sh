# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# For cases: TAP, guests, waiting. Sourced inside the emulated host (or, by tests/lab/local, here).
# shellcheck disable=SC2034
T=/sys/kernel/tracing
LAB_RUN=${LAB_RUN:-/run/lab}
lab_count=0 lab_failed=0 lab_finished='' lab_guests=() lab_next_cid=${LAB_CID:-10}
lab_splat='BUG:|WARNING: CPU|Oops|general protection fault|Kernel panic|soft lockup|hard LOCKUP|self-detected stall|detected stalls|blocked for more than|unchecked MSR'
lab_splats_at_start=$(dmesg | grep -cE "$lab_splat")

# --- TAP -------------------------------------------------------------------

lab_result() { # STATUS NAME
	lab_count=$((lab_count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $lab_count - $2"
	else
		lab_failed=$((lab_failed + 1))
		echo "not ok $lab_count - $2"
	fi
	return "$1"
}
diag() { printf '%s\n' "$*" | sed 's/^/# /'; }
pass() { lab_result 0 "$1"; }
fail() { lab_result 1 "$1"; }
skip() { lab_count=$((lab_count + 1)); echo "ok $lab_count - $1 # SKIP ${2:-}"; }

# ok NAME COMMAND...: the command succeeds. Its output is shown when it does not.
ok() {
	local name=$1 text status=0
	shift
	text=$("$@" 2>&1) || status=$?
	[ $status = 0 ] && { pass "$name"; return; }
	fail "$name"
	diag "$* ended with $status"
	[ -z "$text" ] || diag "$text"
	return 1
}
# not_ok NAME COMMAND...: the command fails.
not_ok() {
	local name=$1 text
	shift
	text=$("$@" 2>&1) || { pass "$name"; return; }
	fail "$name"
	diag "$* succeeded: $text"
	return 1
}
# is GOT WANTED NAME
is() {
	[ "$1" = "$2" ] && { pass "$3"; return; }
	fail "$3"
	diag "got:    $1"
	diag "wanted: $2"
	return 1
}
isnt() {
	[ "$1" != "$2" ] && { pass "$3"; return; }
	fail "$3"
	diag "got:    $1"
	return 1
}
# like GOT REGEX NAME
like() {
	[[ $1 =~ $2 ]] && { pass "$3"; return; }
	fail "$3"
	diag "got:     $1"
	diag "pattern: $2"
	return 1
}
unlike() {
	[[ ! $1 =~ $2 ]] && { pass "$3"; return; }
	fail "$3"
	diag "got:     $1"
	diag "pattern: $2"
	return 1
}

# skip_all REASON: ends the case as skipped.
skip_all() {
	echo "1..0 # SKIP $*"
	lab_finished=skipped
	exit 77
}
need_onetsc() { [ -x "$ONETSC" ] || skip_all "no onetsc was built"; }

# done_testing: every case ends with it, so that one that died is noticed.
done_testing() {
	local name
	for name in "${lab_guests[@]}"; do
		guest_stop "$name"
		is "$(lab_guest_splats "$name")" '' "no kernel splat in guest $name"
	done
	is "$(lab_host_splats)" '' 'no kernel splat in the host'
	echo "1..$lab_count"
	lab_finished=yes
	exit $((lab_failed > 0))
}
lab_host_splats() { dmesg | grep -E "$lab_splat" | tail -n "+$((lab_splats_at_start + 1))"; }
lab_guest_splats() { grep -aE "$lab_splat" "$(guest_dir "$1")/console.log"; }
lab_exit() {
	local status=$?
	[ "$lab_finished" ] && return
	fail "the case ended early (status $status)"
	echo "1..$lab_count"
	exit 1
}
case $- in
*i*) ;; # a person in tests/lab/shell
*) set -u && trap lab_exit EXIT ;;
esac

# --- waiting, users ----------------------------------------------------------

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

# as_lab COMMAND...: as the plain user "lab", who may open /dev/kvm and nothing else.
as_lab() { setpriv --reuid=1000 --regid=1000 --init-groups env HOME=/home/lab USER=lab "$@"; }

# stamp TEXT: says on the TAP stream when this was reached.
stamp() { diag "$(printf '%6.1f s  %s' "$(cut -d' ' -f1 /proc/uptime)" "$*")"; }

# --- guests ------------------------------------------------------------------

guest_dir() { echo "$LAB_RUN/guests/$1"; }
guest_cid() { cat "$LAB_RUN/vm/$1/cid"; }
vm_pid() { cat "$LAB_RUN/vm/$1/pid"; }

# guest_command NAME [QEMU-ARG...]: prepares a guest; its command line is then in
# the array GUEST_COMMAND. Variables of the caller that change it:
#   GUEST_MACHINE pc (q35 is 2 s slower)   GUEST_SMP 2,maxcpus=3   GUEST_MEM 256   GUEST_CPU host
#   GUEST_KERNEL 6.1 (or that of the host: see lab_guest_kernels)   GUEST_IMAGE vmlinux (or vmlinuz)
#   GUEST_AGENT '' (1: onetsc agent, trace-cmd)   GUEST_APPEND ''   GUEST_DISK_MB 16
guest_command() {
	local name=$1 dir vm kernel cid agent=${GUEST_AGENT:-}
	shift
	dir=$(guest_dir "$name") vm=$LAB_RUN/vm/$name kernel=$LAB/guest/${GUEST_KERNEL:-6.1}
	mkdir -p "$dir" "$vm"
	chmod 777 "$dir" "$vm"
	if [ ! -e "$vm/cid" ]; then
		cid=$lab_next_cid
		lab_next_cid=$((lab_next_cid + 1))
		echo "$cid" >"$vm/cid"
		lab_guests+=("$name")
	fi
	cid=$(guest_cid "$name")
	rm -f "$vm/pid"
	[ -e "$vm/disk" ] || truncate -s "${GUEST_DISK_MB:-16}M" "$vm/disk"
	chmod 666 "$vm/disk"
	lab_guest_initrd
	# shellcheck disable=SC2054
	GUEST_COMMAND=(qemu-system-x86_64 -name "$name,debug-threads=on"
		-M "${GUEST_MACHINE:-pc}" -accel kvm -cpu "${GUEST_CPU:-host}" -smp "${GUEST_SMP:-2,maxcpus=3}" -m "${GUEST_MEM:-256}"
		-nodefaults -display none -serial "file:$dir/console.log" -pidfile "$vm/pid"
		-qmp "unix:$vm/qmp,server=on,wait=off" -qmp "unix:$vm/qmp2,server=on,wait=off"
		-kernel "$kernel/${GUEST_IMAGE:-vmlinux}" -initrd "$kernel/initrd.full"
		-append "console=ttyS0 loglevel=5 panic=0 tsc=reliable no_timer_check cryptomgr.notests mitigations=off ${agent:+agent=$agent} ${GUEST_APPEND:-}"
		-device "vhost-vsock-pci,guest-cid=$cid"
		-drive "if=none,id=disk,format=raw,file=$vm/disk" -device virtio-blk-pci,drive=disk
		"$@")
}

# The guests' initramfs: drivers and trace-cmd from the image, the rest from this run.
lab_guest_initrd() {
	local k
	for k in "$LAB"/guest/*; do
		[ -d "$k" ] && [ ! -e "$k/initrd.full" ] && cat "$k/initrd" "$LAB/guest.cpio" >"$k/initrd.full"
	done
	return 0
}
lab_guest_kernels() { (cd "$LAB/guest" && echo *); }

# guest_start NAME [QEMU-ARG...]: starts it in the background. Words in the array
# GUEST_PREFIX go before the command, for example (as_lab) or ("$ONETSC" zero --).
guest_start() {
	local name=$1
	guest_command "$@"
	"${GUEST_PREFIX[@]}" "${GUEST_COMMAND[@]}" >"$(guest_dir "$name")/qemu.log" 2>&1 7>&- &
	echo $! >"$LAB_RUN/vm/$name/job"
	wait_for 30 lab_vm_is_up "$name" && return
	diag "guest $name did not start: $(cat "$(guest_dir "$name")/qemu.log")"
	return 1
}
lab_vm_is_up() { [ -s "$LAB_RUN/vm/$1/pid" ]; }
GUEST_PREFIX=()

# guest_wait NAME [SECONDS]: until its command channel answers.
guest_wait() {
	local name=$1 end=$((SECONDS + ${2:-120}))
	until labctl run "$(guest_cid "$name")" 5 true 2>/dev/null; do
		if [ $SECONDS -ge $end ] || ! kill -0 "$(vm_pid "$name")" 2>/dev/null ||
			grep -aq 'Kernel panic' "$(guest_dir "$name")/console.log"; then
			diag "guest $name does not answer; last of its console:"
			diag "$(tail -n 15 "$(guest_dir "$name")/console.log")"
			return 1
		fi
		sleep 0.2
	done
}

# guest_run NAME COMMAND [SECONDS]: a shell command in the guest; its output, its
# status; 124 after SECONDS, 125 when the guest is not there.
guest_run() { labctl run "$(guest_cid "$1")" "${3:-60}" "$2"; }
# guest_put NAME FILE PATH / guest_get NAME PATH FILE
guest_put() { labctl run -i "$(guest_cid "$1")" 60 "cat >'$3' && chmod 755 '$3'" <"$2"; }
guest_get() { labctl run "$(guest_cid "$1")" 60 "cat '$2'" >"$3"; }

# guest_qmp NAME JSON: the answer, one line. guest_event NAME EVENT [SECONDS]: waits for one.
guest_qmp() { labctl qmp "$LAB_RUN/vm/$1/qmp" 20 "$2"; }
guest_event() { labctl event "$LAB_RUN/vm/$1/qmp2" "${3:-60}" "$2"; }

# guest_plug_cpu NAME: adds the next free vCPU.
guest_plug_cpu() {
	local slot
	slot=$(guest_qmp "$1" '{"execute":"query-hotpluggable-cpus"}' |
		jq -c '[.return[] | select(."qom-path" | not)][-1] | {driver: .type, id: "hot"} + .props')
	guest_qmp "$1" "{\"execute\":\"device_add\",\"arguments\":$slot}" >/dev/null
}

guest_reset() { guest_qmp "$1" '{"execute":"system_reset"}' >/dev/null; }

guest_stop() {
	local pid
	pid=$(vm_pid "$1" 2>/dev/null) || return 0
	guest_qmp "$1" '{"execute":"quit"}' >/dev/null 2>&1
	wait_for 5 lab_gone "$pid" || kill -KILL "$pid"
	rm -f "$LAB_RUN/vm/$1/pid"
	wait "$(cat "$LAB_RUN/vm/$1/job" 2>/dev/null)" 2>/dev/null
	return 0
}
lab_gone() { ! kill -0 "$1"; }

# --- TSC ---------------------------------------------------------------------

# vm_offsets NAME: one line "VCPU OFFSET" for each vCPU, from debugfs.
vm_offsets() {
	local f
	for f in "/sys/kernel/debug/kvm/$(vm_pid "$1")"-*/vcpu*/tsc-offset; do
		echo "$(basename "$(dirname "$f")" | tr -dc 0-9) $(cat "$f")"
	done | sort -n
}

# tsc_step NAME CPU TICKS: the guest itself writes the TSC of its CPU (0-based), TICKS from now.
tsc_step() { guest_run "$1" "tscstep $2 $3"; }

# tsc_check NAME VCPU [OFFSET [SAMPLES]]: success when every guest RDTSC, less
# OFFSET, lies between a host RDTSC before and one after it. Prints the counts.
tsc_check() {
	guest_run "$1" 'pidof tscsample || tscsample serve' >/dev/null
	tscsample check "$(guest_cid "$1")" "$2" "${4:-1000}" "${3:-0}"
}
