//! What a host is told: events of the account and the ends of its sends, in one queue.

use sendpath_engine as core;
use sendpath_protocol::effect::OpId;
use sendpath_protocol::event::Event;
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::verdict::{Attached, MessageId, Outcome};

use super::error::Error;
use super::status::Status;

/// One entry of an account's queue.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AccountEvent {
    /// Something happened to the account.
    Account(Event),
    /// A send ended.
    Outcome(Completion),
    /// The host was too slow: that many events were dropped. Outcomes never are.
    Overflow {
        /// How many since the last report.
        dropped: u64,
    },
    /// Something that this surface has no form for.
    Unknown,
}

impl From<core::AccountEvent> for AccountEvent {
    fn from(event: core::AccountEvent) -> Self {
        match event {
            core::AccountEvent::Done { op, outcome } => Self::Outcome(Completion::new(op, outcome)),
            // The message of an earlier run; the numbers of this one begin at 1.
            core::AccountEvent::Event(Event::Settled(outcome)) => {
                Self::Outcome(Completion::new(OpId(0), outcome))
            }
            core::AccountEvent::Event(event) => Self::Account(event),
            core::AccountEvent::Overflow { dropped } => Self::Overflow { dropped },
            _ => Self::Unknown,
        }
    }
}

/// The end of an operation; every operation has exactly one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Completion {
    /// The operation; 0 for a message that an earlier run of the program had sent.
    pub op: OpId,
    /// How it ended.
    pub result: Result<Receipt, Error>,
}

impl Completion {
    /// The end of `op` as the engine tells it.
    pub fn new(op: OpId, outcome: Outcome) -> Self {
        let result = match outcome {
            Outcome::Accepted {
                id,
                server_time,
                attached,
            } => Ok(Receipt {
                id,
                server_time,
                attached,
            }),
            Outcome::Refused(refusal) => Err(refusal.into()),
            Outcome::Unknown(lost) => Err(lost.into()),
            _ => Err(Error::new(Status::Bug, "an outcome without a number")),
        };
        Self { op, result }
    }
}

/// An accepted message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Receipt {
    /// The id the message was sent with.
    pub id: MessageId,
    /// The server's time stamp, when it gave one.
    pub server_time: Option<UnixSeconds>,
    /// What the message carried to open the chat.
    pub attached: Attached,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_earlier_runs_message_is_an_outcome_without_an_operation() {
        let accepted = Outcome::Accepted {
            id: MessageId::parse("3EB0").unwrap(),
            server_time: None,
            attached: Attached::Undecided,
        };
        let settled = core::AccountEvent::Event(Event::Settled(accepted.clone()));
        let told = AccountEvent::Outcome(Completion::new(OpId(0), accepted));
        assert_eq!(AccountEvent::from(settled), told);
    }
}
