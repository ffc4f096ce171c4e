//! libFuzzer over one target: `FUZZ_TARGET=wap runner [options] CORPUS..`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sendpath_fuzz::Target;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    sendpath_fuzz::find(&name).expect("FUZZ_TARGET names a target")
});

fuzz_target!(|data: &[u8]| (TARGET.run)(data));
