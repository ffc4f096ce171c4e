//! The driver of sendpath: sockets, one thread for the store and its sessions, the clock.
//!
//! It moves bytes and commits; it never looks inside a stanza. [`Engine::open`] opens a store,
//! [`Engine::account`] a slot in it, and [`Account::send_text`] returns a [`Sending`] that ends in
//! exactly one outcome, whatever happens. [`Account::request`] asks for everything else. Read on in
//! `shard`.
#![forbid(unsafe_code)]

mod account;
pub mod clock;
mod engine;
mod lifecycle;
mod machine;
mod shard;
mod slot;
mod socket;
#[cfg(test)]
mod tests;
mod transfer;

pub use account::{Account, AccountConfig, SendOptions};
pub use engine::{Engine, EngineConfig, EngineError, StoreSpec};
pub use sendpath_handoff::{AccountEvent, ConnectionState, Pending, Sending, Status};
pub use sendpath_transport::{BadProxy, Proxy};
