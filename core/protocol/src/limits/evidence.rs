//! What is known about a refused message.

use crate::limits::gate::RecipientHint;
use crate::tctoken::policy::Class;
use crate::tctoken::{AttachRecord, TokenEvidence};
use crate::time::UnixSeconds;

/// Something that may not be known.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Fact {
    /// It is not so.
    No,
    /// Nobody recorded it.
    #[default]
    Unknown,
    /// It is so.
    Yes,
}

/// The answer about a limit, asked for after the refusal.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Limit {
    /// In force, until then if known.
    Active(Option<UnixSeconds>),
    /// Not in force.
    Inactive,
    /// The question failed.
    #[default]
    Unknown,
}

/// Everything that was recorded about a refused message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Evidence {
    /// `ack@error`.
    pub code: u16,
    /// The chat.
    pub class: Class,
    /// What the host knows about the recipient.
    pub hint: RecipientHint,
    /// What the stanza carried, why nothing else, and by which window that was decided.
    pub carried: AttachRecord,
    /// The reachout timelock, by a fresh pull.
    pub timelock: Limit,
    /// The quota of new chats.
    pub capping: Limit,
    /// What the rows say now.
    pub token: TokenEvidence,
    /// The contact wrote within [`WARM`](crate::limits::classify::WARM).
    pub wrote_recently: Fact,
    /// History sync is complete.
    pub history_complete: Fact,
    /// Seconds since this device was paired, if known.
    pub paired_for: Option<i64>,
    /// The address form fits the account's migration state.
    pub address_fits: Fact,
}

impl Evidence {
    /// A refusal with `code` of a message that carried `carried`; nothing else is known yet.
    pub fn new(code: u16, class: Class, carried: impl Into<AttachRecord>) -> Self {
        Self {
            code,
            class,
            hint: RecipientHint::Ordinary,
            carried: carried.into(),
            timelock: Limit::Unknown,
            capping: Limit::Unknown,
            token: TokenEvidence::default(),
            wrote_recently: Fact::Unknown,
            history_complete: Fact::Unknown,
            paired_for: None,
            address_fits: Fact::Unknown,
        }
    }
}
