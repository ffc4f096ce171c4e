//! The rules of the stanza stream itself, whatever feature a stanza belongs to.

pub mod ending;
