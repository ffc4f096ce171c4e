//! Signs of life in a chat: read, typing, here.
//!
//! ```text
//! <receipt id to [participant] type="read|read-self|played|played-self" t>[<list><item id/>..</list>]</receipt>
//! <chatstate from to><composing [media="audio"]/> | <paused/></chatstate>
//! <presence name type="available|unavailable"/>
//! ```
//! Source: spec "Receipts we send" and "Presence, push name"; the shape of a chat state is that of
//! whatsmeow and Baileys. Tokens go with none of them.

use crate::jid::Jid;
use crate::time::UnixSeconds;
use crate::verdict::MessageId;
use crate::wap::Node;

/// Ids in one receipt. More makes a longer stanza, fewer makes more of them.
const IDS: usize = 256;

/// Tell the sender, and our own other devices, that messages were read or played. If the account's
/// privacy setting hides that, only our own devices are told. The reply comes when it has left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MarkRead {
    chat: Jid,
    sender: Option<Jid>,
    ids: Vec<MessageId>,
    played: bool,
    t: Option<UnixSeconds>,
}

impl MarkRead {
    /// Messages of a person in the chat with it, as
    /// [`IncomingMessage::chat`](crate::event::IncomingMessage) names it. Without ids nothing is
    /// told.
    pub fn chat(chat: &Jid, ids: Vec<MessageId>) -> Self {
        Self {
            chat: chat.account(),
            sender: None,
            ids,
            played: false,
            t: None,
        }
    }

    /// Messages of one member in a group; another member is another request.
    pub fn group(group: Jid, sender: Jid, ids: Vec<MessageId>) -> Self {
        Self {
            sender: Some(sender),
            ..Self::chat(&group, ids)
        }
    }

    /// They are voice notes or view-once messages that were played.
    #[must_use]
    pub fn played(self) -> Self {
        Self {
            played: true,
            ..self
        }
    }

    /// When that was; now if nobody says.
    #[must_use]
    pub fn at(self, t: UnixSeconds) -> Self {
        Self { t: Some(t), ..self }
    }

    /// The receipts to send at server time `now`; `told` as the privacy setting says.
    pub(crate) fn stanzas(&self, told: bool, now: UnixSeconds) -> Vec<Node> {
        let kind = match (self.played, told) {
            (false, true) => "read",
            (false, false) => "read-self",
            (true, true) => "played",
            (true, false) => "played-self",
        };
        let t = self.t.unwrap_or(now);
        let receipt = |ids: &[MessageId]| {
            let (first, more) = ids.split_first()?;
            let receipt = Node::new("receipt")
                .attr("id", first.as_str().to_owned())
                .jid("to", self.chat.clone())
                .maybe_jid("participant", self.sender.clone())
                .attr("type", kind)
                .num("t", t);
            let item = |id: &MessageId| Node::new("item").attr("id", id.as_str().to_owned());
            Some(match more {
                [] => receipt,
                more => receipt.child(Node::new("list").children(more.iter().map(item))),
            })
        };
        self.ids.chunks(IDS).filter_map(receipt).collect()
    }
}

/// Show in a chat that we are typing. Others see it only while we are
/// [available](SetPresence::Available). The reply comes when it has left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChatState {
    /// The person or group.
    pub to: Jid,
    /// What they see.
    pub typing: Typing,
}

/// What others see in the chat.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Typing {
    /// A text is being written.
    Composing,
    /// Neither, any more.
    Paused,
    /// A voice note is being recorded.
    Recording,
}

impl ChatState {
    /// The stanza; `own` is our account in the names of the chat.
    pub(crate) fn stanza(&self, own: Option<Jid>) -> Node {
        let state = match self.typing {
            Typing::Composing => Node::new("composing"),
            Typing::Paused => Node::new("paused"),
            Typing::Recording => Node::new("composing").attr("media", "audio"),
        };
        Node::new("chatstate")
            .maybe_jid("from", own)
            .jid("to", self.to.account())
            .child(state)
    }
}

/// Whether we are here, for the rest of this connection. While we are, the phone does not notify,
/// contacts see us online, and senders learn that their messages were delivered to somebody active.
/// The reply comes when it has left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SetPresence {
    /// Somebody looks at the messages.
    Available,
    /// Nobody does: the state after each login.
    Unavailable,
}

impl SetPresence {
    /// The stanza of an account with that display name.
    pub(crate) fn stanza(self, name: &str) -> Node {
        let kind = match self {
            Self::Available => "available",
            Self::Unavailable => "unavailable",
        };
        Node::new("presence")
            .attr("name", name.to_owned())
            .attr("type", kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(n: usize) -> Vec<MessageId> {
        let id = |n: usize| MessageId::parse(&format!("ID{n}")).unwrap();
        (0..n).map(id).collect()
    }

    #[test]
    fn further_ids_go_into_a_list_and_many_into_several_receipts() {
        let now = UnixSeconds(9);
        let read = MarkRead::chat(&Jid::device("7", 3, crate::jid::Server::Lid), ids(300));
        let receipts = read.stanzas(true, now);
        assert_eq!(receipts.len(), 2);
        assert!(receipts[0].is("id", "ID0") && receipts[0].is("type", "read"));
        assert!(receipts[0].is("to", "7@lid") && receipts[0].is("t", "9"));
        assert_eq!(receipts[0].find("list").unwrap().nodes().len(), 255);
        assert_eq!(receipts[1].find("list").unwrap().nodes().len(), 43);
        let one = MarkRead::chat(&Jid::lid("7"), ids(1)).at(UnixSeconds(5));
        let one = one.stanzas(true, now).remove(0);
        assert!(one.is("t", "5") && one.find("list").is_none());
        assert_eq!(
            MarkRead::chat(&Jid::lid("7"), ids(0)).stanzas(true, now),
            []
        );
    }

    #[test]
    fn privacy_tells_our_own_devices_only_and_groups_name_the_sender() {
        let group: Jid = "1@g.us".parse().unwrap();
        let read = MarkRead::group(group, Jid::lid("7"), ids(1));
        let hidden = read.stanzas(false, UnixSeconds(9)).remove(0);
        assert!(hidden.is("type", "read-self") && hidden.is("participant", "7@lid"));
        let played = read.played();
        assert!(played.stanzas(true, UnixSeconds(9))[0].is("type", "played"));
        assert!(played.stanzas(false, UnixSeconds(9))[0].is("type", "played-self"));
    }

    #[test]
    fn recording_is_composing_sound() {
        let state = |typing| {
            let to = Jid::lid("7");
            let stanza = ChatState { to, typing }.stanza(Some(Jid::lid("9")));
            assert!(stanza.is("from", "9@lid") && stanza.is("to", "7@lid"));
            stanza.nodes()[0].clone()
        };
        assert_eq!(state(Typing::Composing), Node::new("composing"));
        assert_eq!(
            state(Typing::Recording),
            Node::new("composing").attr("media", "audio")
        );
        assert_eq!(state(Typing::Paused), Node::new("paused"));
    }

    #[test]
    fn presence_carries_our_name() {
        let here = SetPresence::Available.stanza("Ann");
        assert!(here.is("name", "Ann") && here.is("type", "available"));
        assert!(
            SetPresence::Unavailable
                .stanza("Ann")
                .is("type", "unavailable")
        );
    }
}
