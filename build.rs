//! Gives the shared library its identity, and writes the C header when asked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    match std::env::var_os("CARGO_CFG_TARGET_OS")
        .as_deref()
        .and_then(std::ffi::OsStr::to_str)
    {
        Some("linux" | "freebsd" | "android") => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libsendpath.so.0");
        }
        Some("macos") => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libsendpath.0.dylib");
        }
        _ => {}
    }
    #[cfg(feature = "header")]
    header::write();
}

#[cfg(feature = "header")]
mod header {
    use std::env::var_os;
    use std::path::PathBuf;

    /// The header that belongs to `ffi/src` as it is now; `tests/header.rs` compares it with the
    /// committed one.
    pub(super) fn write() {
        println!("cargo::rerun-if-changed=ffi");
        println!("cargo::rerun-if-env-changed=SENDPATH_WRITE_HEADER");
        let root = folder("CARGO_MANIFEST_DIR");
        let config = cbindgen::Config::from_file(root.join("ffi/cbindgen.toml"))
            .expect("ffi/cbindgen.toml is a cbindgen configuration");
        let generated =
            cbindgen::generate_with_config(&root, config).expect("the header of ffi/src");
        let path = folder("OUT_DIR").join("sendpath.h");
        generated.write_to_file(&path);
        println!(
            "cargo::rustc-env=SENDPATH_GENERATED_HEADER={}",
            path.display()
        );
        if var_os("SENDPATH_WRITE_HEADER").is_some() {
            // The Go module is fetched without the rest of the repository, so it has its own copy.
            generated.write_to_file(root.join("include/sendpath.h"));
            generated.write_to_file(root.join("bindings/go/sendpath.h"));
        }
    }

    fn folder(name: &str) -> PathBuf {
        PathBuf::from(var_os(name).expect("set by cargo"))
    }
}
