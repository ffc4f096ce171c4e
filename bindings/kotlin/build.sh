#!/usr/bin/env bash
# Builds the jar into build/kotlin/target. Its tests run in test.sh.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../native.sh"
require mvn "Maven 3.8 or newer"
require java "JDK 17 or newer"

work=$root/build/kotlin
native_build
rm -rf "$work/generated" "$work/native"
mkdir -p "$work/generated"
native_generate kotlin "$work/generated"
# JNA's name of the platform.
native_install "$work/native/linux-$(uname -m | sed 's/x86_64/x86-64/')/libsendpath_uniffi.so"
mvn -q -B -ntp -Dstyle.color=never -f "$here/pom.xml" -DskipTests -Dmaven.test.skip=true package
ls "$work"/target/sendpath-*.jar
