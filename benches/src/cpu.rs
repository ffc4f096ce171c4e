//! Processor time of this process, all its threads together.

use std::time::Duration;

/// Since the process began.
#[expect(unsafe_code, reason = "the standard library does not tell it")]
pub(crate) fn time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a `timespec` of ours, and the clock is one that every system has.
    let told = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(told, 0);
    let nanos = u32::try_from(time.tv_nsec).unwrap();
    Duration::new(time.tv_sec.unsigned_abs(), nanos)
}
