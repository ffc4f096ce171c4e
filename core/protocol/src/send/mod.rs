//! A message on its way: stages, order, and what is durable when.
//!
//! ```text
//! gate -> resolve LID -> device lists -> sessions -> encrypt + outbox + transmit -> ack
//! ```
//! Every stage but the last asks the server at most once and then tries again from the top, so that
//! a stage whose answer is already known costs nothing. Messages to one chat keep their order;
//! different chats do not wait for each other.

pub mod id;
pub mod outbox;
pub mod recent;

use std::collections::BTreeSet;

use crate::content::Draft;
use crate::effect::OpId;
use crate::jid::Jid;
use crate::limits::gate::RecipientHint;
use crate::peer::{DeviceAddress, PeerKey};
use crate::time::Mono;
use crate::verdict::MessageId;

/// A message that has not left yet.
#[derive(Debug)]
pub struct Outgoing {
    /// The operation to answer; `None` when the outbox has the message and the operation: it left
    /// before, and is being built anew.
    pub op: Option<OpId>,
    /// Its id.
    pub id: MessageId,
    /// The account as the host named it, or the group.
    pub to: Jid,
    /// What the host knows about the recipient.
    pub hint: RecipientHint,
    /// What it says.
    pub payload: Payload,
    /// Do not send after this.
    pub deadline: Option<Mono>,
    /// It goes to the contact's number, because the server refused it for its LID.
    pub by_number: bool,
    /// The upload's handle, for a channel.
    pub media_id: Option<String>,
    /// What it waits for.
    pub stage: Stage,
    /// What was asked for already.
    pub asked: Asked,
}

/// What a message says; nothing of it shows in logs.
#[derive(Clone, Eq, PartialEq)]
pub enum Payload {
    /// Still to be composed.
    Draft(Box<Draft>),
    /// The `Message` protobuf, unpadded.
    Ready(Vec<u8>),
}

impl core::fmt::Debug for Payload {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Draft(draft) => draft.fmt(f),
            Self::Ready(bytes) => write!(f, "Ready({} bytes)", bytes.len()),
        }
    }
}

/// What a message waits for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Stage {
    /// The metadata of its group.
    Grouping,
    /// Prekey bundles of devices.
    Keying(BTreeSet<DeviceAddress>),
    /// Device lists of accounts.
    Listing(BTreeSet<PeerKey>),
    /// The AB props, which decide whether its token is too old; not longer than that.
    Props(Mono),
    /// Nothing but a connection and its turn.
    Ready,
    /// The LID of a phone number.
    Resolving(PeerKey),
    /// The answer to an earlier message that brings our key to its group; not longer than that.
    Spreading(Mono),
}

/// Questions already answered for one message, whether the answer helped or not.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Asked {
    /// The LID.
    pub lid: bool,
    /// The AB props.
    pub props: bool,
    /// Whether the key of its group has arrived.
    pub spread: bool,
    /// The server says that the number is on WhatsApp.
    pub registered: bool,
    /// The metadata of its group.
    pub group: bool,
    /// Device lists.
    pub lists: BTreeSet<PeerKey>,
    /// Bundles.
    pub keys: BTreeSet<DeviceAddress>,
}

impl Outgoing {
    /// Whether this answer lets the message go on.
    pub fn resume(&mut self, answered: &Answered) -> bool {
        let goes_on = match (&self.stage, answered) {
            (Stage::Resolving(peer), Answered::Lid(answered)) if peer == answered => {
                self.asked.lid = true;
                true
            }
            (Stage::Grouping, Answered::Group(group)) if self.to == *group => {
                self.asked.group = true;
                true
            }
            (Stage::Listing(wanted), Answered::Lists(answered)) => {
                self.asked.lists.extend(answered.iter().cloned());
                wanted.is_subset(&self.asked.lists)
            }
            (Stage::Keying(wanted), Answered::Keys(answered)) => {
                self.asked.keys.extend(answered.iter().cloned());
                wanted.is_subset(&self.asked.keys)
            }
            _ => false,
        };
        if goes_on {
            self.stage = Stage::Ready;
        }
        goes_on
    }

    /// The instants at which something happens to it by itself.
    pub fn deadlines(&self) -> impl Iterator<Item = Mono> {
        let props = match self.stage {
            Stage::Props(until) | Stage::Spreading(until) => Some(until),
            _ => None,
        };
        self.deadline.into_iter().chain(props)
    }

    /// The AB props came, or it waited long enough for them at `now`.
    pub fn resume_props(&mut self, came: bool, now: Mono) {
        if matches!(self.stage, Stage::Props(until) if came || until <= now) {
            self.asked.props = true;
            self.stage = Stage::Ready;
        }
    }

    /// An earlier message to its group was answered, or it waited long enough for that at `now`.
    pub fn resume_spread(&mut self, answered: bool, now: Mono) {
        if matches!(self.stage, Stage::Spreading(until) if answered || until <= now) {
            self.asked.spread = true;
            self.stage = Stage::Ready;
        }
    }

    /// The connection is gone: whatever was asked must be asked again.
    pub fn restart(&mut self) {
        self.stage = Stage::Ready;
        self.asked = Asked::default();
    }
}

/// A question of ours that was answered, or that nobody will answer any more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answered {
    /// The metadata of this group.
    Group(Jid),
    /// Bundles of these devices.
    Keys(BTreeSet<DeviceAddress>),
    /// The LID of this number.
    Lid(PeerKey),
    /// Device lists of these accounts.
    Lists(BTreeSet<PeerKey>),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(stage: Stage) -> Outgoing {
        Outgoing {
            op: Some(OpId(1)),
            id: MessageId::parse("A").unwrap(),
            to: Jid::pn("1"),
            hint: RecipientHint::Ordinary,
            payload: Payload::Ready(vec![1]),
            deadline: None,
            by_number: false,
            media_id: None,
            stage,
            asked: Asked::default(),
        }
    }

    fn lid(user: &str) -> PeerKey {
        PeerKey::Lid(user.into())
    }

    #[test]
    fn a_message_goes_on_when_all_its_lists_were_answered() {
        let mut message = outgoing(Stage::Listing([lid("1"), lid("2")].into()));
        message.resume(&Answered::Lists([lid("1")].into()));
        assert_ne!(message.stage, Stage::Ready);
        message.resume(&Answered::Lists([lid("2"), lid("3")].into()));
        assert_eq!(message.stage, Stage::Ready);
    }

    #[test]
    fn a_message_waits_for_its_own_group() {
        let mut message = outgoing(Stage::Grouping);
        message.to = "1@g.us".parse().unwrap();
        message.resume(&Answered::Group("2@g.us".parse().unwrap()));
        assert_eq!(message.stage, Stage::Grouping);
        message.resume(&Answered::Group(message.to.clone()));
        assert_eq!((message.stage, message.asked.group), (Stage::Ready, true));
    }

    #[test]
    fn a_message_waits_for_the_props_but_not_for_ever() {
        let mut message = outgoing(Stage::Props(Mono(5)));
        message.resume_props(false, Mono(4));
        assert_eq!(message.stage, Stage::Props(Mono(5)));
        message.resume_props(false, Mono(5));
        assert_eq!((message.stage, message.asked.props), (Stage::Ready, true));
        let mut message = outgoing(Stage::Props(Mono(5)));
        message.resume_props(true, Mono(1));
        assert_eq!(message.stage, Stage::Ready);
    }

    #[test]
    fn a_message_waits_for_the_key_of_its_group_but_not_for_ever() {
        let mut message = outgoing(Stage::Spreading(Mono(5)));
        assert_eq!(message.deadlines().min(), Some(Mono(5)));
        message.resume_spread(false, Mono(4));
        assert_eq!(message.stage, Stage::Spreading(Mono(5)));
        message.resume_spread(false, Mono(5));
        assert_eq!((message.stage, message.asked.spread), (Stage::Ready, true));
        let mut message = outgoing(Stage::Spreading(Mono(5)));
        message.resume_spread(true, Mono(1));
        assert_eq!(message.stage, Stage::Ready);
    }

    #[test]
    fn the_answer_to_another_question_changes_nothing() {
        let mut message = outgoing(Stage::Resolving(PeerKey::Pn("1".into())));
        message.resume(&Answered::Lid(PeerKey::Pn("2".into())));
        assert!(!message.asked.lid);
        message.restart();
        assert_eq!(message.stage, Stage::Ready);
    }
}
