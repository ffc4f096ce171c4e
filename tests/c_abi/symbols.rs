//! What the libraries show of themselves, and that they live beside others.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::build::{Link, ROOT, compile_with, localised, output, scratch, shared, succeed};

#[test]
fn both_libraries_show_the_listed_functions_and_nothing_else() {
    let mut listed: BTreeSet<&str> = include_str!("../../ffi/symbols.txt").lines().collect();
    if cfg!(feature = "panic-injection") {
        listed.insert("sp_test_panic_next");
    }
    for (option, library) in [("-D", &*shared()), ("-g", localised())] {
        let found = output(
            Command::new("nm")
                .args([option, "--defined-only"])
                .arg(library),
        );
        let shown = found.lines().filter_map(|line| line.split(' ').nth(2));
        assert_eq!(shown.collect::<BTreeSet<_>>(), listed, "{option}");
    }
    let header = include_str!("../../include/sendpath.h");
    for name in listed {
        assert!(header.contains(&format!("{name}(")), "{name}");
    }
}

#[test]
fn the_shared_library_has_its_soname() {
    let dynamic = output(Command::new("readelf").arg("-d").arg(shared()));
    assert!(
        dynamic.contains("Library soname: [libsendpath.so.0]"),
        "{dynamic}"
    );
}

/// The bindings of Python and Kotlin have a library of their own; nothing of it ships to C.
#[test]
fn the_c_libraries_hold_nothing_of_the_other_bindings() {
    for library in [&*shared(), localised()] {
        let all = output(Command::new("nm").arg(library)).to_lowercase();
        assert!(
            all.contains("sendpath"),
            "not stripped, or this proves nothing"
        );
        assert!(!all.contains("uniffi"), "{}", library.display());
    }
}

/// The host brings its own SQLite and another Rust library, each with names that ours has too.
#[test]
fn a_host_keeps_its_own_sqlite_and_other_rust_libraries() {
    let other = scratch().join("libother.a");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    succeed(
        Command::new(rustc)
            .args([
                "--edition=2024",
                "--crate-type=staticlib",
                "--crate-name=other",
            ])
            .args(["-Copt-level=2", "-Clto=fat", "-Ccodegen-units=1", "-o"])
            .arg(&other)
            .arg(Path::new(ROOT).join("tests/c/other.rs")),
    );
    for link in [Link::Static, Link::Shared] {
        let program = compile_with("beside", "gcc", "-std=c99", link, &[&other]);
        let folder = scratch().join(format!("beside-{link:?}.db"));
        let _ = std::fs::remove_file(&folder);
        succeed(Command::new(program).arg(&folder));
        let written = std::fs::read(&folder).unwrap();
        assert!(written.starts_with(b"SQLite format 3\0"), "{link:?}");
    }
}
