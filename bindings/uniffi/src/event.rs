//! Events with typed fields, from the flat view that all surfaces share.

use sendpath::facade::{AccountEvent, EventKind, Field, Fields};

use crate::error::ErrorDetails;

/// Something that happened.
#[derive(Clone, Debug, Eq, PartialEq, uniffi::Enum)]
pub enum Event {
    /// The account's quota of new chats changed.
    CappingChanged {
        /// The server's word for the state.
        what: String,
        /// New chats in a cycle; -1 for no limit.
        total: Option<i64>,
        /// New chats used up.
        used: Option<i64>,
        /// When the cycle ends, in Unix seconds.
        until: Option<i64>,
    },
    /// Logged in; sending works.
    Connected,
    /// The connection ended.
    Disconnected {
        /// Why.
        end: End,
    },
    /// A part of the phone's history was taken over.
    HistoryApplied {
        /// Chats with people and businesses.
        conversations: i64,
        /// Tokens that were new, or newer than the stored ones.
        tokens: i64,
        /// Times of our own issues that were later than the stored ones.
        sender_times: i64,
        /// Pairs of phone number and LID, known ones included.
        mappings: i64,
        /// The salt of cstokens was taken over.
        salt: bool,
    },
    /// A part of the phone's history could not be had or read.
    HistoryFailed {
        /// Why, as a stable word.
        reason: String,
        /// For people.
        message: String,
    },
    /// A contact's device was registered anew.
    IdentityChanged {
        /// JID of the contact.
        peer: String,
    },
    /// The link to the account is gone.
    LoggedOut {
        /// Why.
        end: End,
    },
    /// The refusal of these messages may be over.
    MayRetry {
        /// JID of the contact.
        peer: String,
        /// The refused messages.
        ids: Vec<String>,
    },
    /// A message arrived and is durable.
    Message {
        /// The message.
        incoming: Incoming,
    },
    /// A kind that this crate has no fields for.
    Other {
        /// The stable word of the kind.
        kind: String,
        /// All fields, as a JSON object.
        json: String,
    },
    /// A send ended that nobody waited for.
    Outcome {
        /// The operation; 0 for a message that an earlier run of the program had sent.
        op: u64,
        /// Id of the message.
        id: Option<String>,
        /// The server's time stamp in Unix seconds.
        time: Option<i64>,
        /// What the message carried to open the chat, as a stable word.
        attached: Option<String>,
        /// Why it did not end well; `None` when it was accepted.
        error: Option<ErrorDetails>,
    },
    /// The host was too slow: events are missing here.
    Overflow {
        /// How many.
        dropped: i64,
    },
    /// Let the user type this code into the phone; it replaces the one before.
    PairCode {
        /// The code.
        code: String,
        /// For how long the phone takes it.
        seconds: i64,
    },
    /// Pairing ended without a link.
    PairFailed {
        /// Why, as a stable word.
        reason: String,
        /// The server's code.
        code: Option<i64>,
    },
    /// Show this as a QR code; it replaces the one before.
    PairQr {
        /// The text to encode.
        text: String,
        /// For how long.
        seconds: i64,
    },
    /// The phone accepted the link.
    Paired {
        /// Our device JID by phone number.
        jid: String,
        /// Our device JID by LID.
        lid: Option<String>,
    },
    /// A contact that is followed came or went.
    Presence {
        /// JID of the contact.
        peer: String,
        /// It is there now.
        available: bool,
        /// When it was there last, in Unix seconds.
        last_seen: Option<i64>,
    },
    /// Another device got or read our message.
    Receipt {
        /// The messages.
        ids: Vec<String>,
        /// JID of the device.
        sender: String,
        /// What, as a stable word.
        what: String,
        /// The server's time stamp in Unix seconds.
        time: Option<i64>,
    },
    /// The server took these messages under a lock, and nobody has confirmed them.
    SilentDrop {
        /// JID of the contact.
        peer: String,
        /// The messages.
        ids: Vec<String>,
    },
    /// The account's reachout timelock changed.
    TimelockChanged {
        /// Active from now on.
        active: bool,
        /// When it ends, in Unix seconds.
        until: Option<i64>,
        /// The server's word for the kind.
        what: Option<String>,
    },
    /// A contact's token was stored.
    TokenStored {
        /// JID of the contact.
        peer: String,
        /// The token's own time stamp in Unix seconds.
        time: i64,
        /// False when the same bytes were already there.
        fresh: bool,
    },
}

/// Why a connection or a link ended.
#[derive(Clone, Debug, Eq, PartialEq, uniffi::Record)]
pub struct End {
    /// Why, as a stable word.
    pub reason: String,
    /// The server's code.
    pub code: Option<i64>,
    /// The server's detail of a ban.
    pub detail: Option<i64>,
    /// When it ends, in Unix seconds.
    pub until: Option<i64>,
    /// For people.
    pub message: Option<String>,
}

/// A decrypted message.
#[derive(Clone, Eq, PartialEq, uniffi::Record)]
pub struct Incoming {
    /// Id given by the sender.
    pub id: String,
    /// JID of the chat.
    pub chat: String,
    /// JID of the sending device.
    pub sender: String,
    /// Sent by another device of this account.
    pub from_me: bool,
    /// The server's time stamp in Unix seconds.
    pub time: i64,
    /// The sender's display name.
    pub push_name: Option<String>,
    /// The text, when it is a text message.
    pub text: Option<String>,
    /// The `Message` protobuf as it was sent.
    pub payload: Vec<u8>,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Incoming({:?}, {} bytes)", self.id, self.payload.len())
    }
}

impl From<AccountEvent> for Event {
    fn from(event: AccountEvent) -> Self {
        let fields = Fields::of(event);
        let view = View(&fields);
        view.event().unwrap_or_else(|| view.other())
    }
}

/// Reads fields by name; a kind without a field it must have is shown as an unknown kind.
struct View<'a>(&'a Fields);

impl View<'_> {
    fn event(&self) -> Option<Event> {
        Some(match self.0.kind() {
            EventKind::CappingChanged => Event::CappingChanged {
                what: self.text(Field::What)?,
                total: self.number(Field::Total),
                used: self.number(Field::Used),
                until: self.number(Field::Until),
            },
            EventKind::Connected => Event::Connected,
            EventKind::Disconnected => Event::Disconnected { end: self.end()? },
            EventKind::HistoryApplied => Event::HistoryApplied {
                conversations: self.number(Field::Conversations)?,
                tokens: self.number(Field::Tokens)?,
                sender_times: self.number(Field::SenderTimes)?,
                mappings: self.number(Field::Mappings)?,
                salt: self.flag(Field::Salt)?,
            },
            EventKind::HistoryFailed => Event::HistoryFailed {
                reason: self.text(Field::Reason)?,
                message: self.text(Field::Message)?,
            },
            EventKind::IdentityChanged => Event::IdentityChanged {
                peer: self.text(Field::Peer)?,
            },
            EventKind::LoggedOut => Event::LoggedOut { end: self.end()? },
            EventKind::MayRetry => Event::MayRetry {
                peer: self.text(Field::Peer)?,
                ids: self.ids(),
            },
            EventKind::Message => Event::Message {
                incoming: self.incoming()?,
            },
            EventKind::Outcome => self.outcome()?,
            EventKind::Overflow => Event::Overflow {
                dropped: self.number(Field::Dropped)?,
            },
            EventKind::PairCode => Event::PairCode {
                code: self.text(Field::PairCode)?,
                seconds: self.number(Field::Seconds)?,
            },
            EventKind::PairFailed => Event::PairFailed {
                reason: self.text(Field::Reason)?,
                code: self.number(Field::Code),
            },
            EventKind::PairQr => Event::PairQr {
                text: self.text(Field::Qr)?,
                seconds: self.number(Field::Seconds)?,
            },
            EventKind::Paired => Event::Paired {
                jid: self.text(Field::Jid)?,
                lid: self.text(Field::Lid),
            },
            EventKind::Presence => Event::Presence {
                peer: self.text(Field::Peer)?,
                available: self.flag(Field::Available)?,
                last_seen: self.number(Field::LastSeen),
            },
            EventKind::Receipt => Event::Receipt {
                ids: self.ids(),
                sender: self.text(Field::Sender)?,
                what: self.text(Field::What)?,
                time: self.number(Field::Time),
            },
            EventKind::SilentDrop => Event::SilentDrop {
                peer: self.text(Field::Peer)?,
                ids: self.ids(),
            },
            EventKind::TimelockChanged => Event::TimelockChanged {
                active: self.flag(Field::Active)?,
                until: self.number(Field::Until),
                what: self.text(Field::What),
            },
            EventKind::TokenStored => Event::TokenStored {
                peer: self.text(Field::Peer)?,
                time: self.number(Field::Time)?,
                fresh: self.flag(Field::Fresh)?,
            },
            _ => return None,
        })
    }

    fn other(&self) -> Event {
        Event::Other {
            kind: self.0.kind().as_str().to_owned(),
            json: self.0.to_json(),
        }
    }

    fn outcome(&self) -> Option<Event> {
        Some(Event::Outcome {
            op: u64::try_from(self.number(Field::Op)?).ok()?,
            id: self.text(Field::Id),
            time: self.number(Field::Time),
            attached: self.text(Field::Attached),
            error: self.0.error().map(ErrorDetails::from),
        })
    }

    fn incoming(&self) -> Option<Incoming> {
        Some(Incoming {
            id: self.text(Field::Id)?,
            chat: self.text(Field::Chat)?,
            sender: self.text(Field::Sender)?,
            from_me: self.flag(Field::FromMe)?,
            time: self.number(Field::Time)?,
            push_name: self.text(Field::PushName),
            text: self.text(Field::Text),
            payload: self.0.payload().unwrap_or_default().to_vec(),
        })
    }

    fn end(&self) -> Option<End> {
        Some(End {
            reason: self.text(Field::Reason)?,
            code: self.number(Field::Code),
            detail: self.number(Field::Detail),
            until: self.number(Field::Until),
            message: self.text(Field::Message),
        })
    }

    fn ids(&self) -> Vec<String> {
        let texts = (0..).map_while(|index| self.0.text(Field::Ids, index));
        texts.map(str::to_owned).collect()
    }

    fn text(&self, field: Field) -> Option<String> {
        self.0.text(field, 0).map(str::to_owned)
    }

    fn number(&self, field: Field) -> Option<i64> {
        self.0.number(field)
    }

    fn flag(&self, field: Field) -> Option<bool> {
        self.number(field).map(|flag| flag != 0)
    }
}
