//! The targets, by what they read.

pub(crate) mod appstate;
pub(crate) mod history;
pub(crate) mod jid;
pub(crate) mod media;
pub(crate) mod noise;
pub(crate) mod pairing;
pub(crate) mod parsers;
pub(crate) mod pb;
pub(crate) mod senderkey;
pub(crate) mod signal;
pub(crate) mod stanza;
pub(crate) mod wap;
