//! The causes of refusals: numbers, names, advice, and what to do next.

use crate::time::{Millis, UnixSeconds};
use crate::verdict::Next;

/// Why a send was refused. Numbers are stable and never reused; hosts see them as error codes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
#[repr(u16)]
pub enum Cause {
    /// 463 while the account is reachout-timelocked and no valid token was attached; also refused
    /// here, before anything is sent, while the lock is known to be active.
    AccountTimelocked = 401,
    /// 463 under an active lock although a valid token was attached.
    TimelockedTokenRefused = 402,
    /// 463, no lock, nothing attached, a contact we never heard from.
    ColdRefused = 403,
    /// 463, no lock, only a cstoken attached.
    ColdRefusedWithCstoken = 404,
    /// 463, no lock, nothing attached, but the contact wrote recently or history is still loading.
    TokenMissingWarm = 405,
    /// 463, no lock, although a valid token was attached.
    TokenRefused = 406,
    /// A newer token arrived while the stanza was on its way.
    TokenArrivedLate = 407,
    /// 463, no lock, nothing attached although an unusable or misfiled token row exists.
    LocalTokenLost = 408,
    /// 463 and the state of the account could not be read.
    Undetermined463 = 409,
    /// The quota of new chats is used up.
    NewChatCapped = 410,
    /// 479: the server rejects the shape of the stanza.
    StanzaInvalid = 411,
    /// 400: wrong address form for this account.
    Addressing = 412,
    /// 401, 403, 405, 406: the server does not allow this message.
    NotAllowed = 413,
    /// 404: the recipient does not exist.
    RecipientNotFound = 414,
    /// 408, 429, 500, 503 after the bounded retries.
    ServerBusy = 415,
    /// Any other nack code.
    ServerRefused = 416,
    /// The number is not on WhatsApp.
    NotOnWhatsapp = 417,
    /// No LID is known for the number and the server gave none.
    NoLid = 418,
    /// The recipient has no device that can receive.
    NoRecipientDevice = 419,
    /// The account is not paired.
    NotPaired = 420,
    /// The account was logged out or banned.
    LoggedOut = 421,
    /// A message with this id was already sent.
    DuplicateId = 422,
    /// The outbox is full; wait for answers first.
    OutboxFull = 423,
    /// The content or the address cannot be sent.
    BadRequest = 424,
    /// The deadline passed before anything was sent.
    DeadlineBeforeSend = 425,
    /// The library was closed, or the send cancelled, before anything was sent.
    Cancelled = 426,
    /// Refused here, before anything was sent: the server refused several first messages in a row.
    CircuitOpen = 427,
    /// Accepted, but nobody received it while the account is timelocked.
    SilentDropSuspected = 428,
}

impl Cause {
    /// Every cause, for tables and tests.
    pub const ALL: [Self; 28] = [
        Self::AccountTimelocked,
        Self::TimelockedTokenRefused,
        Self::ColdRefused,
        Self::ColdRefusedWithCstoken,
        Self::TokenMissingWarm,
        Self::TokenRefused,
        Self::TokenArrivedLate,
        Self::LocalTokenLost,
        Self::Undetermined463,
        Self::NewChatCapped,
        Self::StanzaInvalid,
        Self::Addressing,
        Self::NotAllowed,
        Self::RecipientNotFound,
        Self::ServerBusy,
        Self::ServerRefused,
        Self::NotOnWhatsapp,
        Self::NoLid,
        Self::NoRecipientDevice,
        Self::NotPaired,
        Self::LoggedOut,
        Self::DuplicateId,
        Self::OutboxFull,
        Self::BadRequest,
        Self::DeadlineBeforeSend,
        Self::Cancelled,
        Self::CircuitOpen,
        Self::SilentDropSuspected,
    ];

    /// The stable number.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountTimelocked => "ACCOUNT_TIMELOCKED",
            Self::TimelockedTokenRefused => "TIMELOCKED_TOKEN_REFUSED",
            Self::ColdRefused => "COLD_REFUSED",
            Self::ColdRefusedWithCstoken => "COLD_REFUSED_WITH_CSTOKEN",
            Self::TokenMissingWarm => "TOKEN_MISSING_WARM",
            Self::TokenRefused => "TOKEN_REFUSED",
            Self::TokenArrivedLate => "TOKEN_ARRIVED_LATE",
            Self::LocalTokenLost => "LOCAL_TOKEN_LOST",
            Self::Undetermined463 => "UNDETERMINED_463",
            Self::NewChatCapped => "NEW_CHAT_CAPPED",
            Self::StanzaInvalid => "STANZA_INVALID",
            Self::Addressing => "ADDRESSING",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::RecipientNotFound => "RECIPIENT_NOT_FOUND",
            Self::ServerBusy => "SERVER_BUSY",
            Self::ServerRefused => "SERVER_REFUSED",
            Self::NotOnWhatsapp => "NOT_ON_WHATSAPP",
            Self::NoLid => "NO_LID",
            Self::NoRecipientDevice => "NO_RECIPIENT_DEVICE",
            Self::NotPaired => "NOT_PAIRED",
            Self::LoggedOut => "LOGGED_OUT",
            Self::DuplicateId => "DUPLICATE_ID",
            Self::OutboxFull => "OUTBOX_FULL",
            Self::BadRequest => "BAD_REQUEST",
            Self::DeadlineBeforeSend => "DEADLINE_BEFORE_SEND",
            Self::Cancelled => "CANCELLED",
            Self::CircuitOpen => "CIRCUIT_OPEN",
            Self::SilentDropSuspected => "SILENT_DROP_SUSPECTED",
        }
    }

    /// What it means and what to do, in plain English.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::AccountTimelocked => {
                "WhatsApp does not let this account start new chats for now. Chats whose contact gave us a token still work. Stop sending to new contacts until the lock ends; the phone may still be able to send."
            }
            Self::TimelockedTokenRefused => {
                "The account may not start chats for now, and the stored token of this contact was not accepted. Wait for the end of the lock or for a message from the contact."
            }
            Self::ColdRefused => {
                "WhatsApp does not let this account write to this contact first: the contact has given it no token. Waiting does not help; the contact must write, or write once from the phone."
            }
            Self::ColdRefusedWithCstoken => {
                "A first message to this contact is refused by WhatsApp although it carried the account's own proof. Waiting does not help: the contact must write first, or write once from the phone."
            }
            Self::TokenMissingWarm => {
                "The contact is known, or this device was linked less than a day ago, and the contact's token is not here yet. It comes with history sync or with the contact's next message; send again then."
            }
            Self::TokenRefused => {
                "The stored token of this contact was not accepted: the contact may have re-registered or blocked this account. Send again after the contact has written."
            }
            Self::TokenArrivedLate => {
                "The contact's token arrived just after the message had left. Send it once more."
            }
            Self::LocalTokenLost => {
                "A token of this contact is stored but was not usable when the message left. Send it once more."
            }
            Self::Undetermined463 => {
                "WhatsApp refused the message (463) and the state of the account could not be read. Wait a minute; do not send to new contacts until the state is known."
            }
            Self::NewChatCapped => {
                "The account has used up its quota of new chats. Replies in existing chats still work. Wait until the cycle ends."
            }
            Self::StanzaInvalid => {
                "WhatsApp rejected the form of the message (479). This is a defect; please report it with the library's version."
            }
            Self::Addressing => {
                "WhatsApp rejected the address form for this account (400). Send it once more; if that fails too, please report it."
            }
            Self::NotAllowed => "WhatsApp does not allow this message to this recipient.",
            Self::RecipientNotFound => "The recipient does not exist.",
            Self::ServerBusy => "WhatsApp could not take the message now. Try again later.",
            Self::ServerRefused => {
                "WhatsApp refused the message with a code that has no known meaning."
            }
            Self::NotOnWhatsapp => "The number is not on WhatsApp.",
            Self::NoLid => {
                "WhatsApp gave no hidden identity (LID) for this number, so no message can be addressed to it."
            }
            Self::NoRecipientDevice => {
                "The recipient has no device that could receive the message."
            }
            Self::NotPaired => "The account is not linked yet. Pair it first.",
            Self::LoggedOut => "The account was unlinked or locked. Pair it again.",
            Self::DuplicateId => "A message with this id was already handed in.",
            Self::OutboxFull => {
                "Too many messages wait for an answer. Wait for their outcomes first."
            }
            Self::BadRequest => "The address or the content cannot be sent.",
            Self::DeadlineBeforeSend => {
                "The deadline passed before the message could be sent. Nothing was sent."
            }
            Self::Cancelled => "The send was cancelled before anything was sent.",
            Self::CircuitOpen => {
                "WhatsApp refused several first messages in a row, so sendpath sends no more of them for a while: each one makes it worse. Chats whose contact gave us a token still work. Nothing was sent."
            }
            Self::SilentDropSuspected => {
                "WhatsApp took the message, but no device of the contact has confirmed it and this account may not start new chats for now. It was probably dropped. Stop sending to new contacts until the lock ends."
            }
        }
    }

    /// The next action; `until` is the end of the cause if known.
    pub fn next(self, until: Option<UnixSeconds>) -> Next {
        match (self, until) {
            (
                Self::AccountTimelocked
                | Self::CircuitOpen
                | Self::NewChatCapped
                | Self::SilentDropSuspected
                | Self::Undetermined463,
                Some(until),
            ) => Next::WaitUntil(until),
            (
                Self::ColdRefused
                | Self::ColdRefusedWithCstoken
                | Self::TimelockedTokenRefused
                | Self::TokenMissingWarm
                | Self::TokenRefused,
                _,
            ) => Next::AskContactToWrite,
            (
                Self::Addressing
                | Self::Cancelled
                | Self::DeadlineBeforeSend
                | Self::LocalTokenLost
                | Self::TokenArrivedLate,
                _,
            ) => Next::RetryAfter(Millis(0)),
            (
                Self::CircuitOpen | Self::OutboxFull | Self::ServerBusy | Self::Undetermined463,
                _,
            ) => Next::RetryAfter(Millis::from_secs(60)),
            (
                Self::BadRequest
                | Self::DuplicateId
                | Self::LoggedOut
                | Self::NoLid
                | Self::NotOnWhatsapp
                | Self::NotPaired
                | Self::RecipientNotFound,
                _,
            ) => Next::FixInput,
            (
                Self::AccountTimelocked
                | Self::NewChatCapped
                | Self::NoRecipientDevice
                | Self::NotAllowed
                | Self::ServerRefused
                | Self::SilentDropSuspected
                | Self::StanzaInvalid,
                _,
            ) => Next::DoNotRetry,
        }
    }
}
