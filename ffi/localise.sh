#!/bin/sh
# localise.sh IN.a OUT.a: makes one object of a static library that shows nothing but sp_*.
#
# Without it a program that links another Rust library fails on duplicate runtime symbols, and one
# that links its own SQLite silently gives it to ours.
set -eu
in=$1 out=$2
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
roots=$(sed -n 's/^.*[ *]\(sp_[a-z0-9_]*\)(.*$/-u \1/p' "$root/include/sendpath.h" | sort -u)
# shellcheck disable=SC2086
ld -r --force-group-allocation --gc-sections $roots -o "$work/all.o" "$in"
objcopy --wildcard --keep-global-symbol='sp_*' --remove-section=.llvmbc \
    --remove-section=.llvmcmd --strip-debug "$work/all.o" "$work/sendpath.o"
rm -f "$out"
ar rcs "$out" "$work/sendpath.o"
