#!/usr/bin/env bash
# Runs clients that we did not write against the model server. One line a check; fails if one fails.
#
#   tests/interop/run.sh [whatsmeow|baileys]...
#
# SENDPATH_MODEL_SERVER names the server program; without it, it is built here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build/interop
install_limit=1200 # seconds; whatsmeow's generated code compiles for minutes when nothing is cached
run_limit=180

server() {
	if [ -z "${SENDPATH_MODEL_SERVER:-}" ]; then
		cargo build --quiet --manifest-path "$root/Cargo.toml" -p sendpath-model-server
		SENDPATH_MODEL_SERVER=${CARGO_TARGET_DIR:-$root/target}/debug/sendpath-model-server
	fi
	export SENDPATH_MODEL_SERVER
}

whatsmeow() {
	cd "$here/whatsmeow"
	timeout "$install_limit" go mod download
	timeout "$install_limit" go test -c -o "$build/whatsmeow.test" .
	timeout "$run_limit" "$build/whatsmeow.test" -test.timeout "$((run_limit - 10))s"
}

baileys() {
	mkdir -p "$build/baileys"
	cp "$here"/baileys/{package.json,package-lock.json,.npmrc,*.mjs} "$build/baileys"
	cd "$build/baileys"
	if ! cmp -s package-lock.json installed-lock.json; then
		timeout "$install_limit" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
		cp package-lock.json installed-lock.json
	fi
	timeout "$run_limit" node scenario.mjs
}

[ $# -gt 0 ] || set -- whatsmeow baileys
mkdir -p "$build"
server
failed=0
for client in "$@"; do
	case $client in
	whatsmeow | baileys) (set -e; "$client") || { echo "FAIL $client" && failed=1; } ;;
	*) echo "no such client: $client" >&2 && exit 2 ;;
	esac
done
exit "$failed"
