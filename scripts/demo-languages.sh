#!/usr/bin/env bash
# Builds the example of each language into build/demo, as programs with the same arguments:
#   NAME STORE TO TEXT [URL ROOT_KEY]
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
out=$root/build/demo
target=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$out"

# Maven alone takes a minute to find out that there is nothing to do.
stamp=$out/stamp
sources=(bindings core examples ffi include scripts Cargo.lock Cargo.toml)
if [ -e "$stamp" ] && [ -z "$(find "${sources[@]}" -type f -newer "$stamp" -print -quit)" ]; then
	exit 0
fi

launcher() { # name, command line
	printf '#!/bin/sh\nexec %s "$@"\n' "$2" >"$out/$1"
	chmod +x "$out/$1"
}

cargo build --quiet --locked --profile ffi -p sendpath
prefix=$out/prefix
ffi/install.sh "$prefix" "$target/ffi" >/dev/null
gcc -O1 -I"$prefix/include" examples/c/send_text.c -o "$out/c" -L"$prefix/lib" -lsendpath -Wl,-rpath,"$prefix/lib"

bindings/go/build.sh ffi >/dev/null
(cd examples/go && go build -o "$out/go" .)

wheel=$(bindings/python/build.sh)
[ -x "$out/venv/bin/pip" ] || python3 -m venv "$out/venv"
"$out/venv/bin/pip" install --quiet --disable-pip-version-check --force-reinstall --no-index --no-deps "$wheel"
launcher python "'$out/venv/bin/python' '$root/examples/python/send_text.py'"

bindings/kotlin/build.sh >/dev/null
jar=$(echo "$root"/build/kotlin/target/sendpath-*.jar)
mvn -q -B -ntp -Dstyle.color=never -f bindings/kotlin/pom.xml -Dsendpath.tests="$out/none" test-compile \
	org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath \
	-DincludeScope=test -Dmdep.outputFile="$out/kotlin.classpath"
launcher kotlin "java -cp '$jar:$root/build/kotlin/target/test-classes:$(cat "$out/kotlin.classpath")' io.github.sendpath.examples.SendTextKt"
touch "$stamp"
