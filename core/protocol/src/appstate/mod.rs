//! App state: the account's settings, kept equal on all its devices.
//!
//! ```text
//! server_sync | key share | login ─▶ <sync><collection name version/></sync> ─▶ snapshot, patches ─▶ actions
//! ```
//!
//! A collection is a set of encrypted rows with a version. The server holds it without being able to
//! read it: the keys come from the phone in a message, and every row, every patch and the whole set
//! carry MACs. We follow the collections that hold what sending needs, the NCT salt above all; what
//! they hold besides is counted and passed by (spec: "App state").

mod action;
mod apply;
mod fields;
pub mod keys;
mod lthash;
mod rows;
mod seal;
mod set;
mod stanza;
mod sync;
#[cfg(test)]
pub(crate) mod testdata;

pub use action::{Action, Findings};
pub use apply::{Applied, Forgery, apply_patch, apply_snapshot};
pub use lthash::LtHash;
pub use rows::State;
pub use seal::{Opened, Record, open};
pub use set::{Mutation, Patch, Snapshot};
pub use sync::{AppState, Counters, Work};

/// A set of rows. The variants are in the order in which the web client asks for them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Collection {
    /// `critical_block`: our own display name.
    CriticalBlock,
    /// `critical_unblock_low`: contacts.
    CriticalUnblockLow,
    /// `regular_high`: the NCT salt.
    RegularHigh,
    /// `regular_low`.
    RegularLow,
    /// `regular`.
    Regular,
}

impl Collection {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::CriticalBlock,
        Self::CriticalUnblockLow,
        Self::RegularHigh,
        Self::RegularLow,
        Self::Regular,
    ];

    /// Those that we keep in step. The others hold nothing that sending needs, and each costs a row
    /// for every chat.
    pub const FOLLOWED: [Self; 3] = [
        Self::CriticalBlock,
        Self::CriticalUnblockLow,
        Self::RegularHigh,
    ];

    /// The name on the wire, which the MACs cover.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CriticalBlock => "critical_block",
            Self::CriticalUnblockLow => "critical_unblock_low",
            Self::RegularHigh => "regular_high",
            Self::RegularLow => "regular_low",
            Self::Regular => "regular",
        }
    }

    /// `None` for a name that we do not know.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// The bytes are not what they should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the bytes are not a part of app state")]
pub struct Malformed;
