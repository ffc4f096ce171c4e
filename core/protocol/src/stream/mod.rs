//! The rules of the stanza stream itself, whatever feature a stanza belongs to.

pub mod ack;
pub mod backoff;
pub mod ending;
pub mod iq;
pub mod keepalive;
pub mod offline;
pub mod pause;
pub mod receipts;

pub use ending::Ending;
