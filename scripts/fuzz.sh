#!/usr/bin/env bash
# Fuzzes every target, or those that are named: scripts/fuzz.sh SECONDS [TARGET..]
# It works in build/fuzz, begins with what is committed, and stops at the first finding of a target.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?seconds for each target}
shift
work=${FUZZ_WORK:-build/fuzz}
mkdir -p "$work"
work=$(cd "$work" && pwd)
triple=$(rustc -vV | sed -n 's/^host: //p')
# What cargo-fuzz passes, without its need of another compiler. For the target only: a build script
# that counts its branches would not link.
RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing" \
    cargo build --quiet --locked --release --manifest-path fuzz/runner/Cargo.toml \
    --target "$triple" --target-dir "$work/target"
runner=$work/target/$triple/release/sendpath-fuzz-runner
[ $# -gt 0 ] || set -- $(ls fuzz/corpus)
failed=()
for target; do
    mkdir -p "$work/corpus/$target" "$work/findings/$target"
    echo "$target: $seconds s"
    FUZZ_TARGET=$target "$runner" -max_total_time="$seconds" -max_len=8192 -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$work/findings/$target/" \
        "$work/corpus/$target" "fuzz/corpus/$target" >"$work/$target.log" 2>&1 || failed+=("$target")
    grep -E '^(Done|stat::(number_of_executed|new_units|peak))' "$work/$target.log" || true
done
[ ${#failed[@]} -eq 0 ] || {
    echo "findings in: ${failed[*]}; see $work/findings and the logs beside it" >&2
    exit 1
}
