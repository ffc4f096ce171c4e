//! How a send ended, for hosts: what happened, why, until when, and what to do next.

mod cause;

use core::fmt;

use crate::limits::classify::Evidence;
use crate::time::{Millis, UnixSeconds};

pub use cause::Cause;

/// A message id, unique for the sender: 1 to 128 visible ASCII characters.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MessageId(Box<str>);

impl MessageId {
    /// `None` unless the text is 1 to 128 visible ASCII characters.
    pub fn parse(text: &str) -> Option<Self> {
        let good = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        good.then(|| Self(text.into()))
    }

    /// An id we built ourselves from visible ASCII.
    pub(crate) fn from_ascii(text: String) -> Self {
        Self(text.into())
    }

    /// The id on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The end of a send.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// The server took the message.
    Accepted {
        /// The id the message was sent with.
        id: MessageId,
        /// The server's time stamp, when it gave one.
        server_time: Option<UnixSeconds>,
        /// What the stanza carried to open the chat.
        attached: Attached,
    },
    /// The message was refused, here or by the server; it will not be sent again by itself.
    Refused(Refusal),
    /// Nobody knows yet: the answer was lost.
    Unknown(Lost),
}

/// A refused send.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Id of the message; `None` when it was refused before it had one.
    pub id: Option<MessageId>,
    /// Why.
    pub cause: Cause,
    /// The server's nack code; `None` when nothing was sent.
    pub code: Option<u16>,
    /// What the stanza carried, or would have carried, to open the chat.
    pub attached: Attached,
    /// When the cause ends, if anybody knows.
    pub until: Option<UnixSeconds>,
    /// What the diagnosis of a refusal of the server rests on; `None` when nothing was sent.
    pub evidence: Option<Box<Evidence>>,
}

impl Refusal {
    /// A refusal of ours: nothing was sent.
    pub const fn local(id: Option<MessageId>, cause: Cause) -> Self {
        Self {
            id,
            cause,
            code: None,
            attached: Attached::Undecided,
            until: None,
            evidence: None,
        }
    }

    /// What the host should do.
    pub fn next(&self) -> Next {
        self.cause.next(self.until)
    }

    /// Whether the same message may be sent once more without anything else happening first: no
    /// end to wait for, no word of the contact, no correction.
    pub fn may_retry(&self) -> bool {
        matches!(self.next(), Next::RetryAfter(_))
    }
}

/// What a host should do after a refusal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Next {
    /// Wait until the contact has written; its token comes with that.
    AskContactToWrite,
    /// Sending it again cannot help.
    DoNotRetry,
    /// The request itself is wrong; correct it.
    FixInput,
    /// Try once more after that time.
    RetryAfter(Millis),
    /// Nothing of this kind will pass before that time.
    WaitUntil(UnixSeconds),
}

impl Next {
    /// A stable word for hosts and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AskContactToWrite => "ask_contact_to_write",
            Self::DoNotRetry => "do_not_retry",
            Self::FixInput => "fix_input",
            Self::RetryAfter(_) => "retry_after",
            Self::WaitUntil(_) => "wait_until",
        }
    }
}

/// What a stanza carried to open the chat, or why it carried nothing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Attached {
    /// A cstoken.
    Cstoken,
    /// Nothing, for this reason.
    Nothing(WhyNot),
    /// Nothing was decided yet.
    #[default]
    Undecided,
    /// A tctoken received at that time.
    Tctoken {
        /// The token's own time stamp.
        t: UnixSeconds,
    },
}

/// Why no tctoken was attached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum WhyNot {
    /// The stored token is older than the window the server accepts.
    Expired {
        /// The token's time stamp.
        t: UnixSeconds,
    },
    /// The contact never gave us a token.
    NeverReceived,
    /// The server does not want tokens on messages, and the host wants that honoured.
    GateOff,
    /// Self, bots, groups and the like never carry one.
    NotEligible,
    /// The token store could not be read; the send goes on without.
    StoreError,
}

/// A send without an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lost {
    /// Id of the message.
    pub id: MessageId,
    /// The outbox still holds it and will send the same bytes again after a reconnect.
    pub still_trying: bool,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn cause_numbers_and_names_are_unique() {
        let codes: BTreeSet<_> = Cause::ALL.iter().map(|c| c.code()).collect();
        let names: BTreeSet<_> = Cause::ALL.iter().map(|c| c.as_str()).collect();
        assert_eq!(
            (codes.len(), names.len()),
            (Cause::ALL.len(), Cause::ALL.len())
        );
    }

    #[test]
    fn a_lock_with_a_known_end_says_until_when() {
        let until = UnixSeconds(1_786_218_427);
        assert_eq!(
            Cause::AccountTimelocked.next(Some(until)),
            Next::WaitUntil(until)
        );
        assert_eq!(Cause::ColdRefused.next(None), Next::AskContactToWrite);
    }

    #[test]
    fn each_row_of_the_diagnosis_allows_what_its_last_column_says() {
        let end = UnixSeconds(9);
        let once = Next::RetryAfter(Millis(0));
        for (row, cause, next) in [
            (1, Cause::NewChatCapped, Next::WaitUntil(end)),
            (2, Cause::TokenArrivedLate, once),
            (3, Cause::AccountTimelocked, Next::WaitUntil(end)),
            (4, Cause::TimelockedTokenRefused, Next::AskContactToWrite),
            (5, Cause::LocalTokenLost, once),
            (6, Cause::TokenMissingWarm, Next::AskContactToWrite),
            (7, Cause::ColdRefusedWithCstoken, Next::AskContactToWrite),
            (8, Cause::ColdRefused, Next::AskContactToWrite),
            (9, Cause::TokenRefused, Next::AskContactToWrite),
            (10, Cause::Undetermined463, Next::WaitUntil(end)),
            (11, Cause::StanzaInvalid, Next::DoNotRetry),
            (12, Cause::Addressing, once),
            (13, Cause::SilentDropSuspected, Next::WaitUntil(end)),
        ] {
            let refusal = Refusal {
                until: Some(end),
                ..Refusal::local(None, cause)
            };
            assert_eq!(refusal.next(), next, "row {row}");
            assert_eq!(refusal.may_retry(), matches!(row, 2 | 5 | 12), "row {row}");
        }
    }

    #[test]
    fn message_ids_are_short_visible_ascii() {
        assert!(MessageId::parse("3EB0AB").is_some());
        for bad in ["", "a b", "é", &"x".repeat(129)] {
            assert!(MessageId::parse(bad).is_none(), "{bad}");
        }
    }
}
