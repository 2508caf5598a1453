#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds onetsc and shows its main job on a throw-away VM: zero, record, report, check.
set -eu
cd "$(dirname "$0")"
tools/setup demo
[ -f build-demo/build.ninja ] || meson setup build-demo --buildtype=release -Dtests=false >/dev/null
ninja -C build-demo >build-demo.log 2>&1 || { tail -n 40 build-demo.log; exit 1; }
exec build-demo/onetsc demo "$@"
