//! sendpath as a library for other languages: the C ABI of `include/sendpath.h`, and the facade
//! that it shares with the uniffi bindings.
//!
//! Rust programs use `sendpath-engine` directly.

mod c;
pub mod facade;
