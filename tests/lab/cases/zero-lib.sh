# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# For the zero cases: onetsc zero in the background, and tinyvmm.

# zero_start [ARG...]: watches; output in $ZERO_OUT, messages in $ZERO_ERR.
ZERO_OUT='' ZERO_ERR='' zero_pid='' zero_runs=0
zero_start() {
	zero_runs=$((zero_runs + 1))
	ZERO_OUT=/tmp/zero$zero_runs.out ZERO_ERR=/tmp/zero$zero_runs.err
	"$ONETSC" zero "$@" >"$ZERO_OUT" 2>"$ZERO_ERR" 7>&- &
	zero_pid=$!
	wait_for 30 zero_watches && return
	diag "zero $* does not watch: $(cat "$ZERO_ERR")"
	return 1
}
zero_watches() { grep -q watching: "$ZERO_ERR"; }
# zero_stop [SIGNAL]: ends it. Its status; the sanitizers' complaints are a failure of their own.
zero_stop() {
	local status
	kill "-${1:-INT}" "$zero_pid"
	wait "$zero_pid"
	status=$?
	zero_keep
	if grep -qE 'Sanitizer|runtime error:' "$ZERO_ERR"; then
		fail 'no complaint of the sanitizers'
		diag "$(grep -vE '^onetsc: debug' "$ZERO_ERR" | head -n 40)"
	fi
	return $status
}
zero_keep() { cp "$ZERO_OUT" "$ZERO_ERR" "$LAB_OUT/"; }
# zero_said REGEX [SECONDS]: on stderr.
zero_said() { wait_for "${2:-10}" grep -qE "$1" "$ZERO_ERR"; }
zero_listed() { wait_for "${2:-10}" grep -qE "$1" "$ZERO_OUT"; }

# tiny_start NAME [ARG...]: a tinyvmm (of 2 vCPUs) whose VM exists and has not run; TINY_PREFIX goes
# before its command. tiny_pid NAME.
declare -A tiny_pids=() tiny_in=() tiny_out=()
tiny_start() {
	local in out name=$1
	shift
	mkfifo "/tmp/tiny.$name.in" "/tmp/tiny.$name.out"
	"${TINY_PREFIX[@]}" tinyvmm "${@:-2}" <"/tmp/tiny.$name.in" >"/tmp/tiny.$name.out" 2>"/tmp/tiny.$name.err" 7>&- &
	tiny_pids[$name]=$!
	exec {in}>"/tmp/tiny.$name.in" {out}<"/tmp/tiny.$name.out"
	rm "/tmp/tiny.$name.in" "/tmp/tiny.$name.out"
	tiny_in[$name]=$in tiny_out[$name]=$out
	tiny_answer "$name" >/dev/null
}
TINY_PREFIX=()
tiny_pid() { echo "${tiny_pids[$1]}"; }
# tiny NAME COMMAND: its answer. tiny_ask and tiny_answer are the two halves.
tiny() { tiny_ask "$1" "$2" && tiny_answer "$1"; }
tiny_ask() { echo "$2" >&"${tiny_in[$1]}"; }
tiny_answer() {
	local line
	while read -r -t 60 line <&"${tiny_out[$1]}"; do
		[ "$line" = ok ] && return
		echo "$line"
	done
	echo "tinyvmm $1 does not answer: $(cat "/tmp/tiny.$1.err")"
	return 1
}
tiny_stop() {
	local in=${tiny_in[$1]} out=${tiny_out[$1]}
	tiny_ask "$1" quit
	wait "${tiny_pids[$1]}"
	exec {in}>&- {out}<&-
	unset "tiny_pids[$1]"
}

# all_inside NAME SAMPLES TEXT: from its first instruction on the guest reads the host's TSC.
# none_inside NAME SAMPLES TEXT
all_inside() { tiny_inside "$1" "$2" "$2" "$3"; }
none_inside() { tiny_inside "$1" "$2" 0 "$3"; }
tiny_inside() { # NAME SAMPLES INSIDE TEXT
	local answer
	answer=$(tiny "$1" "run $2")
	is "$(grep -c " samples=$2 inside=$3 " <<<"$answer") of $(grep -c '' <<<"$answer")" \
		"$(grep -c ^vcpu= <<<"$answer") of $(grep -c '' <<<"$answer")" "$4" && return
	diag "$answer"
	return 1
}
# tiny_offsets NAME: "0 0 1 0"
tiny_offsets() { tiny "$1" offsets | xargs; }

# bios_qemu [ARG...]: becomes a QEMU whose guest needs no disk and no kernel: a firmware of a few
# instructions that writes dots to port 0xe9, slowly.
bios_qemu() {
	local bios=/tmp/dots.bin
	if [ ! -e $bios ]; then
		{
			printf '\x66\xb9\x00\x00\x02\x00' # mov ecx, 0x20000
			printf '\xf3\x90\x66\x49\x75\xfa' # pause; dec ecx; jnz pause
			printf '\xb0\x2e\xe6\xe9\xeb\xee' # mov al, '.'; out 0xe9, al; jmp 0
			head -c $((0xfff0 - 18)) /dev/zero
			printf '\xe9\x0d\x00' # at the reset vector: jmp 0
			head -c 13 /dev/zero
		} >$bios.$BASHPID
		mv $bios.$BASHPID $bios
	fi
	exec qemu-system-x86_64 -name dots -M pc -accel kvm -cpu host -smp 2 -m 16 -nodefaults -display none -bios $bios "$@"
}
