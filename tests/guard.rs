//! Every function that C can call begins with the guard, so no panic crosses the boundary.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail like tests"
)]

use std::fs;
use std::path::Path;

#[test]
fn every_exported_function_begins_with_the_guard() {
    let mut functions = 0;
    for (path, source) in sources() {
        for item in source.split("#[unsafe(no_mangle)]").skip(1) {
            let body = item.split_once(" {\n").expect("a body").1.trim_start();
            let guarded = ["guard(", "guard_on(", "guard_value("];
            assert!(
                guarded.iter().any(|call| body.starts_with(call)),
                "{path}: {}",
                item.lines().nth(1).unwrap_or_default()
            );
            functions += 1;
        }
        assert!(
            !source.contains("#[no_mangle]"),
            "{path}: use unsafe(no_mangle)"
        );
    }
    assert!(functions > 40, "only {functions} functions were found");
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    for (path, source) in sources() {
        let lines: Vec<_> = source.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let block = code.contains("unsafe {") || code.contains("unsafe impl");
            let above = &lines[number.saturating_sub(5)..number];
            assert!(
                !block || above.iter().any(|line| line.contains("SAFETY:")),
                "{path}:{}: {line}",
                number + 1
            );
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ffi/src/c");
    let files = fs::read_dir(folder).unwrap();
    files
        .map(|file| file.unwrap().path())
        .map(|path| {
            (
                path.display().to_string(),
                fs::read_to_string(path).unwrap(),
            )
        })
        .collect()
}
