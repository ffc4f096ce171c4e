//! A function that panics.

/// Panics.
#[uniffi::export]
#[expect(clippy::panic, reason = "tests see where it stops")]
pub fn panic_on_purpose() {
    panic!("on purpose");
}

/// Panics inside a future.
#[uniffi::export]
#[expect(clippy::panic, reason = "tests see where it stops")]
pub async fn panic_on_purpose_later() {
    panic!("on purpose, later");
}
