//! The send path of WhatsApp Web without input or output.
//!
//! This crate has no socket, file, thread, lock, clock or OS randomness. A driver feeds it inputs and
//! the instant at which they happened; each input becomes one [`txn::Step`], whose effects exist only
//! after its changes are durable. Read on in `txn`, then `tctoken`, then `session`.
#![forbid(unsafe_code)]

pub mod abprops;
pub mod account;
pub mod adv;
pub mod appstate;
pub mod config;
pub mod content;
pub mod crypto;
pub mod device;
pub mod devices;
pub mod effect;
pub mod error;
pub mod event;
pub mod fanout;
pub mod groups;
pub mod guest;
pub mod history;
pub mod inbox;
pub mod jid;
pub mod lidmap;
pub mod limits;
pub mod login;
pub mod media;
pub mod mex;
pub mod nct;
pub mod noise;
pub mod pair;
pub mod pb;
pub mod peer;
pub mod placeholder;
pub mod prekeys;
pub mod request;
pub mod secret;
pub mod secrets;
pub mod send;
pub mod session;
pub mod signal;
pub mod stream;
pub mod tctoken;
#[cfg(test)]
mod testkit;
pub mod time;
pub mod txn;
pub mod user;
pub mod usync;
pub mod verdict;
pub mod wap;
