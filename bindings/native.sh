# Builds the private library and its generator; sourced by the build scripts of Python and Kotlin.
#
# One cargo call each: together, the generator's features would end up in the library. The generator
# reads the library's symbols, so the order is build, generate, strip.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# `release` for what is shipped; tests take the cheaper `ffi`.
profile=${SENDPATH_PROFILE:-ffi}
out=${CARGO_TARGET_DIR:-$root/target}/$profile

# require NAME HINT: fails in one line when a program is missing.
require() {
    command -v "$1" >/dev/null || {
        echo "${0##*/}: $1 is missing ($2)" >&2
        exit 2
    }
}

# native_build [FEATURES]: builds the library with these features, and the generator.
native_build() {
    require cargo "https://rustup.rs"
    (
        cd "$root"
        cargo build --quiet --locked --profile "$profile" -p sendpath-uniffi --features "${1-}"
        cargo build --quiet --locked --profile ffi -p uniffi-bindgen
    )
    native_check "$out/libsendpath_uniffi.so"
}

# native_check FILE: fails unless a built library has the symbols that the generator reads, and
# nothing of the generator, whose features must not have come along.
native_check() {
    require nm "binutils"
    local symbols
    symbols=$(nm -C "$1" 2>/dev/null)
    case $symbols in
        *uniffi_bindgen::*) echo "${0##*/}: $1 contains the generator" >&2; exit 1 ;;
        *UNIFFI_META_*) ;;
        *) echo "${0##*/}: $1 has no metadata: stripped too early" >&2; exit 1 ;;
    esac
}

# native_generate LANGUAGE FOLDER [CONFIG]
native_generate() {
    (
        cd "$root"
        "${CARGO_TARGET_DIR:-target}/ffi/uniffi-bindgen" generate --language "$1" --no-format \
            ${3:+--config "$3"} --out-dir "$2" "$out/libsendpath_uniffi.so" >/dev/null
    )
}

# native_install FILE: puts a stripped copy there.
native_install() {
    require strip "binutils"
    mkdir -p "$(dirname "$1")"
    cp "$out/libsendpath_uniffi.so" "$1.new"
    strip --strip-unneeded "$1.new"
    mv "$1.new" "$1"
}

# native_glibc FILE: the newest glibc a library asks for, such as 2.34.
native_glibc() {
    require objdump "binutils"
    objdump -T "$1" | grep -o 'GLIBC_2\.[0-9]*' | sort -uV | tail -1 | cut -d_ -f2
}

# panic_library LANGUAGE FOLDER [CONFIG]: the library with functions that panic, and its code. Leaves
# the library without them behind.
panic_library() {
    native_build panic-test
    mkdir -p "$2"
    native_generate "$1" "$2" "${3-}"
    cp "$out/libsendpath_uniffi.so" "$2"
    native_build
}

# model_server: exports SENDPATH_MODEL_SERVER, built if it is not set.
model_server() {
    if [ -z "${SENDPATH_MODEL_SERVER-}" ]; then
        (cd "$root" && cargo build --quiet --locked --profile ffi -p sendpath-model-server)
        SENDPATH_MODEL_SERVER=${CARGO_TARGET_DIR:-$root/target}/ffi/sendpath-model-server
    fi
    export SENDPATH_MODEL_SERVER
}
