//! The numbers of the foreign surfaces: the golden list, the header and every binding agree.

use std::collections::BTreeMap;

use sendpath::facade::Status;

/// Never edit a line, never remove one; new numbers go to the end of their hundred.
const GOLDEN: &str = include_str!("error_codes.txt");

#[test]
fn no_number_ever_changed() {
    let now: BTreeMap<_, _> = Status::ALL
        .iter()
        .map(|status| (status.as_str().to_owned(), status.number()))
        .collect();
    assert_eq!(now, golden());
}

#[test]
fn the_header_has_the_same_numbers() {
    let header = include_str!("../include/sendpath.h");
    assert_eq!(numbers(header, "SP_STATUS_", " = ", ","), golden());
}

#[test]
fn the_go_package_has_the_same_numbers() {
    let go = include_str!("../bindings/go/codes.go");
    let found: BTreeMap<_, _> = numbers(go, "Code", " Code = ", "")
        .into_iter()
        .map(|(name, number)| (name.to_lowercase(), number))
        .collect();
    let expected: BTreeMap<_, _> = golden()
        .into_iter()
        .map(|(name, number)| (name.replace('_', "").to_lowercase(), number))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn the_go_package_carries_the_header_itself() {
    let copy = include_str!("../bindings/go/sendpath.h");
    assert!(
        copy == include_str!("../include/sendpath.h"),
        "run `SENDPATH_WRITE_HEADER=1 cargo check --features header`"
    );
}

fn golden() -> BTreeMap<String, i32> {
    numbers(GOLDEN, "", " ", "")
}

/// Lines of the form `<prefix>NAME<between>NUMBER<end>`.
fn numbers(text: &str, prefix: &str, between: &str, end: &str) -> BTreeMap<String, i32> {
    let entry = |line: &str| {
        let line = line.trim().strip_prefix(prefix)?.strip_suffix(end)?;
        let (name, number) = line.split_once(between)?;
        Some((name.trim().to_owned(), number.parse().ok()?))
    };
    text.lines().filter_map(entry).collect()
}
