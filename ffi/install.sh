#!/bin/sh
# install.sh PREFIX [TARGET_FOLDER]: installs header, libraries and the pkg-config file, from what
# `cargo build --release -p sendpath` has left in TARGET_FOLDER.
set -eu
prefix=$1
root=$(cd "$(dirname "$0")/.." && pwd)
from=${2:-$root/target/release}
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml")
lib=$prefix/lib
mkdir -p "$prefix/include" "$lib/pkgconfig"
install -m 644 "$root/include/sendpath.h" "$prefix/include/sendpath.h"
install -m 755 "$from/libsendpath.so" "$lib/libsendpath.so.$version"
ln -sf "libsendpath.so.$version" "$lib/libsendpath.so.0"
ln -sf libsendpath.so.0 "$lib/libsendpath.so"
"$root/ffi/localise.sh" "$from/libsendpath.a" "$lib/libsendpath.a"
cat > "$lib/pkgconfig/sendpath.pc" <<END
prefix=$prefix
includedir=\${prefix}/include
libdir=\${prefix}/lib

Name: sendpath
Description: The send path of WhatsApp Web as a library
Version: $version
Cflags: -I\${includedir}
Libs: -L\${libdir} -lsendpath
Libs.private: -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
END
