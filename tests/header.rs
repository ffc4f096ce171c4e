//! The committed header is the one that `ffi/src` generates.

#[test]
fn the_committed_header_is_up_to_date() {
    let generated = include_str!(env!("SENDPATH_GENERATED_HEADER"));
    let committed = include_str!("../include/sendpath.h");
    assert!(
        generated == committed,
        "include/sendpath.h is stale: run `SENDPATH_WRITE_HEADER=1 cargo check --features header`"
    );
}
