#!/usr/bin/env bash
# Runs clients that we did not write, and then ours, against the model server; compares what they
# send. One line a check; the status is 1 if one fails.
#
#   tests/interop/run.sh [whatsmeow|baileys|sendpath|compare]...
#
# SENDPATH_MODEL_SERVER names the server program; without it, it is built here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build/interop
stanzas=$build/stanzas
target=${CARGO_TARGET_DIR:-$root/target}/debug
install_limit=1200 # seconds; whatsmeow's generated code compiles for minutes when nothing is cached
run_limit=120

server() {
	if [ -z "${SENDPATH_MODEL_SERVER:-}" ]; then
		cargo build --quiet --manifest-path "$root/Cargo.toml" -p sendpath-model-server
		SENDPATH_MODEL_SERVER=$target/sendpath-model-server
	fi
	export SENDPATH_MODEL_SERVER
}

whatsmeow() {
	cd "$here/whatsmeow"
	timeout "$install_limit" go mod download
	timeout "$install_limit" go test -c -o "$build/whatsmeow.test" .
	scenario "$build/whatsmeow.test" -test.timeout "${run_limit}s"
}

baileys() {
	mkdir -p "$build/baileys"
	cp "$here"/baileys/{package.json,package-lock.json,.npmrc,*.mjs} "$build/baileys"
	cd "$build/baileys"
	if ! cmp -s package-lock.json installed-lock.json; then
		timeout "$install_limit" npm ci --ignore-scripts --no-audit --no-fund --silent
		cp package-lock.json installed-lock.json
	fi
	scenario node scenario.mjs
}

sendpath() {
	cargo build --quiet --manifest-path "$root/Cargo.toml" -p sendpath-interop
	scenario "$target/sendpath-interop"
}

compare() {
	cd "$stanzas"
	node "$here/compare.mjs" sendpath.json whatsmeow.json baileys.json
}

# The calling function's name is the client's.
scenario() {
	local saved=$stanzas/${FUNCNAME[1]}.json
	rm -f "$saved"
	INTEROP_STANZAS=$saved timeout "$run_limit" "$@"
}

[ $# -gt 0 ] || set -- whatsmeow baileys sendpath compare
mkdir -p "$stanzas"
server
failed=0
for part in "$@"; do
	case $part in
	whatsmeow | baileys | sendpath | compare) ;;
	*) echo "no such part: $part" >&2 && exit 2 ;;
	esac
	# A function in a condition would ignore its own failures; a program of its own does not.
	status=0
	( "$part" ) & wait $! || status=$?
	if [ "$status" != 0 ]; then
		echo "FAIL $part: status $status"
		failed=1
	fi
done
exit "$failed"
