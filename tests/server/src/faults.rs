//! What a test asked to go wrong for one client.

use std::collections::VecDeque;

use sendpath_protocol::wap::Node;
use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::obey::Obeyed;
use crate::reply::Reply;
use crate::world::World;

/// What happens to acks of messages.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AckMode {
    /// Never written.
    Drop,
    /// Kept until `release_acks`.
    Hold,
    /// Written at once.
    #[default]
    Normal,
}

/// When the connection is cut, without a closing handshake.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropWhen {
    /// Right behind the ack of the next message.
    AfterAck,
    /// The next message is delivered, its ack is not written.
    BeforeAck,
    /// The next message is lost.
    BeforeDelivery,
    /// Immediately.
    Now,
}

/// An answer that replaces the honest one to a kind of IQ.
#[derive(Clone, Debug)]
pub(crate) struct IqFault {
    pub(crate) kind: String,
    pub(crate) left: u32,
    /// `None`: no answer at all.
    pub(crate) error: Option<IqError>,
}

/// The `<error>` of an IQ.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct IqError {
    /// Such as 429.
    pub code: u16,
    /// Such as `rate-overlimit`.
    pub text: String,
    /// Seconds to stay away.
    #[serde(default)]
    pub backoff: Option<u32>,
}

/// Everything that was asked for one client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) nacks: VecDeque<u16>,
    pub(crate) acks: AckMode,
    pub(crate) held: Vec<Node>,
    pub(crate) drop: Option<DropWhen>,
    pub(crate) iqs: Vec<IqFault>,
}

impl Faults {
    /// The fault that is due for an IQ of `kind`: outer `None` when there is none.
    pub(crate) fn iq(&mut self, kind: &str) -> Option<Option<IqError>> {
        let fault = self
            .iqs
            .iter_mut()
            .find(|fault| fault.left > 0 && fault.kind == kind)?;
        fault.left -= 1;
        Some(fault.error.clone())
    }

    /// Takes the cut if it is due at that point.
    pub(crate) fn cut(&mut self, when: DropWhen) -> bool {
        let due = self.drop == Some(when);
        if due {
            self.drop = None;
        }
        due
    }
}

impl World {
    /// What is to go wrong for a client.
    pub(crate) fn obey_about_faults(&mut self, command: Command) -> Obeyed {
        match command {
            Command::AckMode { account, mode } => {
                let client = self.linked(account.as_deref())?;
                self.faults(client).acks = mode;
            }
            Command::DropConnection { account, when } => {
                let client = self.linked(account.as_deref())?;
                if when == DropWhen::Now {
                    self.end(client, None)?;
                } else {
                    self.faults(client).drop = Some(when);
                }
            }
            Command::IqFault {
                account,
                kind,
                error,
                count,
            } => {
                let client = self.linked(account.as_deref())?;
                self.faults(client).iqs.push(IqFault {
                    kind,
                    left: count,
                    error,
                });
            }
            Command::NackNext {
                account,
                code,
                count,
            } => {
                let client = self.linked(account.as_deref())?;
                let nacks = &mut self.faults(client).nacks;
                nacks.extend((0..count).map(|_| code));
            }
            _ => return Err("not about faults".into()),
        }
        Ok(Reply::Done)
    }
}
