//! The facade of `sendpath` for uniffi: the private payload of the Python wheel and the JVM jar.
//!
//! ```text
//! host facade (Python, Kotlin) -> generated code -> this crate -> sendpath::facade
//! ```
//!
//! No logic lives here, only the shape uniffi needs. Its exported symbols follow uniffi's version
//! and are nobody's API; the public one is the package of each language.
//!
//! A future of an exported function carries no result: it only says that one is there, and a
//! synchronous call takes it. So a host that cancels between the two loses nothing.
#![expect(
    clippy::result_large_err,
    reason = "uniffi copies an error into a buffer at once; a box would be one copy more"
)]

mod account;
mod content;
mod engine;
mod error;
mod event;
mod guest;
mod guest_fact;
mod guest_plan;
#[cfg(feature = "panic-test")]
pub mod panic_test;
mod questions;
mod sending;
mod transfer;

pub use account::{Account, AccountConfig, AccountStatus, SendOptions, TokenCounters};
pub use engine::Engine;
pub use error::{ErrorDetails, NativeError, StatusEntry, status_table};
pub use event::Event;
pub use guest::{Documents, Guest, GuestConfig, GuestStatus, GuestStore, ManualClock};
pub use guest_fact::{MessageKind, Prop, Row};
pub use guest_plan::{Plan, WorkItem, WorkResult};
pub use questions::{CanSend, Explanation, Recipient};
pub use sending::{Accepted, Sending};

uniffi::setup_scaffolding!();

/// The version of the library.
#[uniffi::export]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// The file that a received message speaks of, if it speaks of one.
#[uniffi::export]
pub fn media_of_message(payload: Vec<u8>) -> Option<content::Media> {
    sendpath::facade::Media::of_message(&payload).map(Into::into)
}
