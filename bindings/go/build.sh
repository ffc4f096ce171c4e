#!/bin/sh
# build.sh [PROFILE]: puts the static library for this machine where the package links it from.
set -eu
profile=${1:-release}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
case $profile in dev) folder=debug ;; *) folder=$profile ;; esac
lib=$here/lib/$(go env GOOS)_$(go env GOARCH)
(cd "$root" && cargo build -p sendpath --lib --profile "$profile")
mkdir -p "$lib"
"$root/ffi/localise.sh" "${CARGO_TARGET_DIR:-$root/target}/$folder/libsendpath.a" "$lib/libsendpath.a"
