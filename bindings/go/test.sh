#!/usr/bin/env bash
# Builds the static library, then tests the package and the example with the race detector.
# SENDPATH_MODEL_SERVER: the model server program (built here when unset).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
command -v go >/dev/null || { echo "test.sh: go is missing (Go 1.24 or newer)" >&2; exit 2; }
if [ -z "${SENDPATH_MODEL_SERVER-}" ]; then
	(cd "$root" && cargo build --quiet --locked -p sendpath-model-server)
	SENDPATH_MODEL_SERVER=${CARGO_TARGET_DIR:-$root/target}/debug/sendpath-model-server
fi
export SENDPATH_MODEL_SERVER
"$here/build.sh" ffi
# Go does not notice a new archive, so nothing may come from its cache.
for module in "$here" "$root/examples/go"; do
	(cd "$module" && go vet ./... && go test -race -count=1 ./...)
done
