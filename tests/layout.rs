//! The shape of the tree: small files, small functions, unsafe code and clocks where they belong.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail like tests"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MOST_LINES: usize = 500;
const MOST_LINES_OF_A_FUNCTION: usize = 80;

/// Files that are data or generated, with the reason.
const EXEMPT: &[(&str, &str)] = &[("core/protocol/src/wap/dictionary.rs", "token tables")];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Tracked and new files with one of these endings, relative to the root.
fn sources(endings: &[&str]) -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    let listed = String::from_utf8(listed.stdout).expect("paths are UTF-8");
    let wanted = |path: &&str| {
        endings.iter().any(|ending| path.ends_with(ending))
            && !path.contains("/generated/")
            && root().join(path).is_file()
            && !EXEMPT.iter().any(|(exempt, _)| exempt == path)
    };
    listed.lines().filter(wanted).map(str::to_owned).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(Path::new(path))).expect("a listed file is readable")
}

#[test]
fn hand_written_files_hold_one_concept() {
    let endings = [".rs", ".go", ".py", ".kt", ".c"];
    let long: Vec<_> = sources(&endings)
        .into_iter()
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .collect();
    assert!(long.is_empty(), "split these: {long:?}");
}

#[test]
fn functions_fit_on_a_screen() {
    let mut long = Vec::new();
    for path in sources(&[".rs"]) {
        let mut open: Option<(usize, String)> = None;
        for (number, line) in read(&path).lines().enumerate() {
            let code = line.trim_start();
            let indent = line.len() - code.len();
            let starts = [
                "fn ",
                "pub fn ",
                "pub(super) fn ",
                "pub(crate) fn ",
                "async fn ",
                "pub async fn ",
            ];
            if starts.iter().any(|start| code.starts_with(start)) && !line.ends_with(';') {
                open = Some((number, " ".repeat(indent) + "}"));
            } else if let Some((start, end)) = &open
                && line == end
            {
                if number - start > MOST_LINES_OF_A_FUNCTION {
                    long.push(format!("{path}:{}", start + 1));
                }
                open = None;
            }
        }
    }
    assert!(long.is_empty(), "shorten these: {long:?}");
}

#[test]
fn unsafe_code_lives_at_the_c_boundary_only() {
    let allowed = |path: &str| {
        path.starts_with("ffi/src/c/")
            || path.starts_with("bindings/uniffi/")
            // They count the heap and processor time, which the standard library does not tell.
            || path == "benches/src/heap.rs"
            || path == "benches/src/cpu.rs"
    };
    // They look for the words themselves.
    let searching = ["tests/layout.rs", "tests/guard.rs"];
    let stray: Vec<_> = sources(&[".rs"])
        .into_iter()
        .filter(|path| !allowed(path) && !searching.contains(&&**path))
        .filter(|path| {
            read(path)
                .lines()
                .any(|line| line.contains("unsafe {") || line.contains("unsafe fn "))
        })
        .collect();
    assert!(stray.is_empty(), "unsafe code in {stray:?}");
}

#[test]
fn the_driver_is_thin_and_looks_into_no_node() {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    let mut lines = 0;
    for path in sources(&[".rs"]).iter().filter(|path| {
        path.starts_with("core/engine/src/") && !path.starts_with("core/engine/src/tests/")
    }) {
        let text = read(path);
        let code = text.split("#[cfg(test)]\nmod tests {").next();
        let code = code.unwrap_or_default();
        lines += code.lines().filter(is_code).count();
        assert!(!code.contains("wap::"), "{path} looks into nodes");
    }
    assert!(lines > 0 && lines < 1600, "the driver has {lines} lines");
}

#[test]
fn the_core_reads_no_clock_and_no_randomness() {
    for path in sources(&[".rs"])
        .iter()
        .filter(|path| path.starts_with("core/protocol/src/"))
    {
        let text = read(path);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for word in [
            "SystemTime",
            "Instant::",
            "OsRng",
            "getrandom",
            "std::thread",
            "std::net",
            "std::fs",
            "tokio",
        ] {
            assert!(!code.contains(word), "{path} uses {word}");
        }
    }
}
