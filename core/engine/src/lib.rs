//! The driver of sendpath: sockets, one thread for the store and its sessions, the clock.
#![forbid(unsafe_code)]

pub mod clock;
mod events;
mod operation;
mod reconnect;

pub use events::AccountEvent;
pub use operation::Sending;
