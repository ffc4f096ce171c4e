#!/usr/bin/env bash
# Builds the jar and runs the tests against it.
# SENDPATH_MODEL_SERVER: the model server program (built here when unset).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../native.sh"
require mvn "Maven 3.8 or newer"
work=$root/build/kotlin
"$here/build.sh" >/dev/null
model_server
# The same library with functions that panic, under another package.
rm -rf "$work/panic"
panic_library kotlin "$work/panic" "$here/src/test/panic.toml"
mv "$work/panic/libsendpath_uniffi.so" "$work/panic/libsendpath_panic.so"
mvn -q -B -ntp -Dstyle.color=never -f "$here/pom.xml" verify "$@"
