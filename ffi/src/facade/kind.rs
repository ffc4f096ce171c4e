//! Names and numbers of events and their fields.

/// What an event is. Hosts must tolerate numbers they do not know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
#[repr(i32)]
pub enum EventKind {
    /// A kind that this surface has no fields for.
    Other = 0,
    /// Logged in; sending works.
    Connected = 1,
    /// The connection ended: REASON, and CODE, DETAIL, UNTIL, MESSAGE if known.
    Disconnected = 2,
    /// The link to the account is gone: as for DISCONNECTED.
    LoggedOut = 3,
    /// Show QR as a QR code for SECONDS; it replaces the one before.
    PairQr = 4,
    /// The phone accepted the link: JID, and LID if known.
    Paired = 5,
    /// Pairing ended without a link: REASON, and CODE if the server gave one.
    PairFailed = 6,
    /// A message arrived: ID, CHAT, SENDER, FROM_ME, TIME, and PUSH_NAME, TEXT if present.
    Message = 7,
    /// Another device got or read our message: IDS, SENDER, WHAT, and TIME if known.
    Receipt = 8,
    /// A send ended: OP, STATUS, and ID, TIME, ATTACHED if known; the error tells the rest. OP is 0
    /// for a message that an earlier run of the program had sent, and for those of a guest.
    Outcome = 9,
    /// The refusal of IDS may be over: PEER.
    MayRetry = 10,
    /// A contact's token was stored: PEER, TIME, FRESH.
    TokenStored = 11,
    /// The account's reachout timelock changed: ACTIVE, and UNTIL, WHAT if known.
    TimelockChanged = 12,
    /// A contact's device was registered anew: PEER.
    IdentityChanged = 13,
    /// The host was too slow: DROPPED events are missing.
    Overflow = 14,
    /// The account's quota of new chats changed: WHAT, and TOTAL, USED, UNTIL if known.
    CappingChanged = 15,
    /// The server took IDS to PEER under a lock, and nobody has confirmed them.
    SilentDrop = 16,
    /// A contact that is followed came or went: PEER, AVAILABLE, and LAST_SEEN if it lets us know.
    Presence = 17,
    /// A part of the phone's history was taken over: CONVERSATIONS, TOKENS, SENDER_TIMES, MAPPINGS,
    /// SALT.
    HistoryApplied = 18,
    /// Let the user type PAIR_CODE into the phone, which takes it for SECONDS; it replaces the one
    /// before.
    PairCode = 19,
    /// A part of the phone's history could not be had or read: REASON, MESSAGE.
    HistoryFailed = 20,
}

/// A field of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
#[repr(i32)]
pub enum Field {
    /// Text: what to show as a QR code.
    Qr = 1,
    /// Number: for how long.
    Seconds = 2,
    /// Text: message id.
    Id = 3,
    /// Texts: message ids.
    Ids = 4,
    /// Text: JID of the chat.
    Chat = 5,
    /// Text: JID of the sending device.
    Sender = 6,
    /// Flag: sent by another device of this account.
    FromMe = 7,
    /// Number: the server's time stamp in Unix seconds.
    Time = 8,
    /// Text: the sender's display name.
    PushName = 9,
    /// Text: the content of a text message.
    Text = 10,
    /// Text: our JID by phone number.
    Jid = 11,
    /// Text: our JID by LID.
    Lid = 12,
    /// Text: JID of a contact.
    Peer = 13,
    /// Text: why, as a stable word.
    Reason = 14,
    /// Number: the server's code.
    Code = 15,
    /// Number: the server's detail of a ban.
    Detail = 16,
    /// Number: when it ends, in Unix seconds.
    Until = 17,
    /// Text: what kind of receipt or lock, or the state of a quota.
    What = 18,
    /// Flag: active from now on.
    Active = 19,
    /// Flag: not seen before.
    Fresh = 20,
    /// Number: the operation.
    Op = 21,
    /// Number: how it ended, an `sp_status`.
    Status = 22,
    /// Text: what a message carried to open the chat, as a stable word.
    Attached = 23,
    /// Number: how many.
    Dropped = 24,
    /// Text: for people.
    Message = 25,
    /// Number: new chats in a cycle; -1 for no limit.
    Total = 26,
    /// Number: new chats used up.
    Used = 27,
    /// Flag: the contact is there now.
    Available = 28,
    /// Number: when the contact was there last, in Unix seconds.
    LastSeen = 29,
    /// Number: chats with people and businesses.
    Conversations = 30,
    /// Number: tokens that were new, or newer than the stored ones.
    Tokens = 31,
    /// Number: times of our own issues that were later than the stored ones.
    SenderTimes = 32,
    /// Number: pairs of phone number and LID, known ones included.
    Mappings = 33,
    /// Flag: the salt of cstokens was taken over.
    Salt = 34,
    /// Text: what to type into the phone.
    PairCode = 35,
}

impl EventKind {
    /// The stable word, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::LoggedOut => "logged_out",
            Self::PairQr => "pair_qr",
            Self::Paired => "paired",
            Self::PairFailed => "pair_failed",
            Self::Message => "message",
            Self::Receipt => "receipt",
            Self::Outcome => "outcome",
            Self::MayRetry => "may_retry",
            Self::TokenStored => "token_stored",
            Self::TimelockChanged => "timelock_changed",
            Self::IdentityChanged => "identity_changed",
            Self::Overflow => "overflow",
            Self::CappingChanged => "capping_changed",
            Self::SilentDrop => "silent_drop",
            Self::Presence => "presence",
            Self::HistoryApplied => "history_applied",
            Self::PairCode => "pair_code",
            Self::HistoryFailed => "history_failed",
        }
    }
}

impl Field {
    /// Every field.
    ///
    /// cbindgen:ignore
    pub const ALL: [Self; 35] = [
        Self::Qr,
        Self::Seconds,
        Self::Id,
        Self::Ids,
        Self::Chat,
        Self::Sender,
        Self::FromMe,
        Self::Time,
        Self::PushName,
        Self::Text,
        Self::Jid,
        Self::Lid,
        Self::Peer,
        Self::Reason,
        Self::Code,
        Self::Detail,
        Self::Until,
        Self::What,
        Self::Active,
        Self::Fresh,
        Self::Op,
        Self::Status,
        Self::Attached,
        Self::Dropped,
        Self::Message,
        Self::Total,
        Self::Used,
        Self::Available,
        Self::LastSeen,
        Self::Conversations,
        Self::Tokens,
        Self::SenderTimes,
        Self::Mappings,
        Self::Salt,
        Self::PairCode,
    ];

    /// The field with that number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|field| *field as i32 == number)
    }

    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Qr => "qr",
            Self::Seconds => "seconds",
            Self::Id => "id",
            Self::Ids => "ids",
            Self::Chat => "chat",
            Self::Sender => "sender",
            Self::FromMe => "from_me",
            Self::Time => "time",
            Self::PushName => "push_name",
            Self::Text => "text",
            Self::Jid => "jid",
            Self::Lid => "lid",
            Self::Peer => "peer",
            Self::Reason => "reason",
            Self::Code => "code",
            Self::Detail => "detail",
            Self::Until => "until",
            Self::What => "what",
            Self::Active => "active",
            Self::Fresh => "fresh",
            Self::Op => "op",
            Self::Status => "status",
            Self::Attached => "attached",
            Self::Dropped => "dropped",
            Self::Message => "message",
            Self::Total => "total",
            Self::Used => "used",
            Self::Available => "available",
            Self::LastSeen => "last_seen",
            Self::Conversations => "conversations",
            Self::Tokens => "tokens",
            Self::SenderTimes => "sender_times",
            Self::Mappings => "mappings",
            Self::Salt => "salt",
            Self::PairCode => "pair_code",
        }
    }

    pub(super) const fn is_flag(self) -> bool {
        matches!(
            self,
            Self::FromMe | Self::Active | Self::Fresh | Self::Available | Self::Salt
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_numbers_are_unique_and_read_back() {
        for field in Field::ALL {
            assert_eq!(Field::from_number(field as i32), Some(field));
        }
        assert_eq!(Field::from_number(0), None);
    }
}
