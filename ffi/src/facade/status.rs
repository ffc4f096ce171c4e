//! The status numbers of every foreign surface.
//!
//! ```text
//! 0          fine
//! 1 .. 99    the caller or the runtime: nothing was done
//! 100 .. 199 the store
//! 200 .. 299 a send whose end nobody knows
//! 300 .. 399 a file on its way up or down
//! 400 .. 499 a refused send: the numbers of [`Cause`]
//! ```
//!
//! A number is never changed and never used again; `tests/error_codes.rs` holds them down.

use sendpath_protocol::verdict::Cause;

/// What a call returned, as a stable number.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
#[repr(i32)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// A pointer that must not be NULL was NULL.
    NullPointer = 1,
    /// An argument is outside its range; the message says which.
    InvalidArgument = 2,
    /// A text is not UTF-8; the message says from which byte on.
    InvalidUtf8 = 3,
    /// The handle was never given out, was closed already, or belongs to another kind of object.
    BadHandle = 4,
    /// A bug in sendpath: a call panicked. The object it ran on is poisoned.
    Panic = 5,
    /// An earlier call on this object panicked; close it and open a new one.
    Poisoned = 6,
    /// A blocking call on one of the library's own threads, inside a callback.
    WouldDeadlock = 7,
    /// The process was forked after the engine was opened; the child must open its own.
    Forked = 8,
    /// The engine or account is closed.
    Closed = 9,
    /// The given time passed first. A send goes on; its outcome comes as an event.
    Timeout = 10,
    /// `struct_size` is smaller than the first release of that struct.
    StructSize = 11,
    /// The operating system refused a thread, a socket or memory.
    Runtime = 12,
    /// The account is already open in this process.
    AlreadyOpen = 13,
    /// The text is not an address one can send to.
    BadAddress = 20,
    /// Empty, too long or otherwise not sendable content.
    BadContent = 21,
    /// A message id must be 1 to 128 visible ASCII characters.
    BadMessageId = 22,
    /// An account name must be 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
    BadAccountName = 23,
    /// Bytes handed in do not decode.
    BadBytes = 24,
    /// A pairing code has eight symbols, without 0, I, O and U.
    BadCode = 25,
    /// A phone number in international form has 7 to 15 digits.
    BadNumber = 26,
    /// A bug in sendpath; please report the message.
    Bug = 99,
    /// Another process holds the store's lock.
    StoreBusy = 100,
    /// The store is damaged or not a sendpath store.
    StoreCorrupt = 101,
    /// The host's own store failed.
    StoreHost = 102,
    /// The account was opened elsewhere; this handle must not write any more.
    StoreFenced = 103,
    /// No room left for the store.
    StoreFull = 104,
    /// The operating system failed to read or write the store.
    StoreIo = 105,
    /// The store cannot be written.
    StoreReadOnly = 106,
    /// The store was written by a newer sendpath.
    StoreSchema = 107,
    /// A record was written by a newer sendpath.
    StoreVersion = 108,
    /// The store failed in a way this build has no number for.
    StoreOther = 199,
    /// The answer to a send was lost; nobody knows whether the message arrived.
    OutcomeUnknown = 200,
    /// There is no connection, which tells the media servers.
    MediaNotConnected = 300,
    /// No media server could be reached.
    MediaUnreachable = 301,
    /// The media servers refuse, or answer nothing of use; the code is the last HTTP status.
    MediaRefused = 302,
    /// The media servers do not have the file any more, or not for us: HTTP 403, 404, 410.
    MediaGone = 303,
    /// What the media servers have is not what the message announced; nothing of it was given out.
    MediaDamaged = 304,
    /// The file here could not be read or written.
    MediaFile = 305,
    /// The account may not start new chats for now.
    AccountTimelocked = 401,
    /// As `AccountTimelocked`, although a valid token was attached.
    TimelockedTokenRefused = 402,
    /// A contact that never wrote to this account; nothing was attached.
    ColdRefused = 403,
    /// A contact that never wrote to this account; a cstoken was attached.
    ColdRefusedWithCstoken = 404,
    /// A known contact whose token has not reached this device.
    TokenMissingWarm = 405,
    /// The contact's token was not accepted.
    TokenRefused = 406,
    /// A newer token arrived while the message was on its way.
    TokenArrivedLate = 407,
    /// A stored token was not usable when the message left.
    LocalTokenLost = 408,
    /// Refused with 463, and the account's state could not be read.
    #[expect(non_camel_case_types, reason = "the header shall say UNDETERMINED_463")]
    Undetermined_463 = 409,
    /// The quota of new chats is used up.
    NewChatCapped = 410,
    /// The server rejects the form of the message.
    StanzaInvalid = 411,
    /// Wrong address form for this account.
    Addressing = 412,
    /// The server does not allow this message.
    NotAllowed = 413,
    /// The recipient does not exist.
    RecipientNotFound = 414,
    /// The server could not take the message.
    ServerBusy = 415,
    /// A refusal without a known meaning.
    ServerRefused = 416,
    /// The number is not on WhatsApp.
    NotOnWhatsapp = 417,
    /// The server gave no hidden identity for the number.
    NoLid = 418,
    /// The recipient has no device that can receive.
    NoRecipientDevice = 419,
    /// The account is not paired.
    NotPaired = 420,
    /// The account was logged out or banned.
    LoggedOut = 421,
    /// A message with this id was already handed in.
    DuplicateId = 422,
    /// Too many messages wait for an answer.
    OutboxFull = 423,
    /// The content or the address cannot be sent.
    BadRequest = 424,
    /// The deadline passed before anything was sent.
    DeadlineBeforeSend = 425,
    /// Cancelled, or the library was closed, before anything was sent.
    Cancelled = 426,
    /// Refused here: the server refused several first messages in a row.
    CircuitOpen = 427,
    /// Accepted, but nobody received it while the account is locked.
    SilentDropSuspected = 428,
}

/// Who has to act on a status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
#[repr(i32)]
pub enum Class {
    /// Nobody: it is fine.
    None = 0,
    /// The caller used the library wrongly.
    Misuse = 1,
    /// The surroundings: closed, forked, out of time, out of resources.
    Runtime = 2,
    /// The store failed.
    Store = 3,
    /// The send was refused, here or by the server.
    Refused = 4,
    /// The end of the send is not known.
    Unknown = 5,
    /// A bug in sendpath.
    Bug = 6,
    /// A file could not be brought up or down.
    Media = 7,
}

impl Status {
    /// Every status, for tables and tests.
    ///
    /// cbindgen:ignore
    pub const ALL: [Self; 67] = [
        Self::Ok,
        Self::NullPointer,
        Self::InvalidArgument,
        Self::InvalidUtf8,
        Self::BadHandle,
        Self::Panic,
        Self::Poisoned,
        Self::WouldDeadlock,
        Self::Forked,
        Self::Closed,
        Self::Timeout,
        Self::StructSize,
        Self::Runtime,
        Self::AlreadyOpen,
        Self::BadAddress,
        Self::BadContent,
        Self::BadMessageId,
        Self::BadAccountName,
        Self::BadBytes,
        Self::BadCode,
        Self::BadNumber,
        Self::Bug,
        Self::StoreBusy,
        Self::StoreCorrupt,
        Self::StoreHost,
        Self::StoreFenced,
        Self::StoreFull,
        Self::StoreIo,
        Self::StoreReadOnly,
        Self::StoreSchema,
        Self::StoreVersion,
        Self::StoreOther,
        Self::OutcomeUnknown,
        Self::MediaNotConnected,
        Self::MediaUnreachable,
        Self::MediaRefused,
        Self::MediaGone,
        Self::MediaDamaged,
        Self::MediaFile,
        Self::AccountTimelocked,
        Self::TimelockedTokenRefused,
        Self::ColdRefused,
        Self::ColdRefusedWithCstoken,
        Self::TokenMissingWarm,
        Self::TokenRefused,
        Self::TokenArrivedLate,
        Self::LocalTokenLost,
        Self::Undetermined_463,
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
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The status with that number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.number() == number)
    }

    /// Who has to act.
    pub const fn class(self) -> Class {
        match self.number() {
            0 => Class::None,
            5 | 6 | 99 => Class::Bug,
            7..=10 | 12 => Class::Runtime,
            1..=98 => Class::Misuse,
            100..=199 => Class::Store,
            200..=299 => Class::Unknown,
            300..=399 => Class::Media,
            _ => Class::Refused,
        }
    }

    /// The stable name, as in the C header without its prefix.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::NullPointer => "NULL_POINTER",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::InvalidUtf8 => "INVALID_UTF8",
            Self::BadHandle => "BAD_HANDLE",
            Self::Panic => "PANIC",
            Self::Poisoned => "POISONED",
            Self::WouldDeadlock => "WOULD_DEADLOCK",
            Self::Forked => "FORKED",
            Self::Closed => "CLOSED",
            Self::Timeout => "TIMEOUT",
            Self::StructSize => "STRUCT_SIZE",
            Self::Runtime => "RUNTIME",
            Self::AlreadyOpen => "ALREADY_OPEN",
            Self::BadAddress => "BAD_ADDRESS",
            Self::BadContent => "BAD_CONTENT",
            Self::BadMessageId => "BAD_MESSAGE_ID",
            Self::BadAccountName => "BAD_ACCOUNT_NAME",
            Self::BadBytes => "BAD_BYTES",
            Self::BadCode => "BAD_CODE",
            Self::BadNumber => "BAD_NUMBER",
            Self::Bug => "BUG",
            Self::StoreBusy => "STORE_BUSY",
            Self::StoreCorrupt => "STORE_CORRUPT",
            Self::StoreHost => "STORE_HOST",
            Self::StoreFenced => "STORE_FENCED",
            Self::StoreFull => "STORE_FULL",
            Self::StoreIo => "STORE_IO",
            Self::StoreReadOnly => "STORE_READ_ONLY",
            Self::StoreSchema => "STORE_SCHEMA",
            Self::StoreVersion => "STORE_VERSION",
            Self::StoreOther => "STORE_OTHER",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::MediaNotConnected => "MEDIA_NOT_CONNECTED",
            Self::MediaUnreachable => "MEDIA_UNREACHABLE",
            Self::MediaRefused => "MEDIA_REFUSED",
            Self::MediaGone => "MEDIA_GONE",
            Self::MediaDamaged => "MEDIA_DAMAGED",
            Self::MediaFile => "MEDIA_FILE",
            Self::AccountTimelocked => Cause::AccountTimelocked.as_str(),
            Self::TimelockedTokenRefused => Cause::TimelockedTokenRefused.as_str(),
            Self::ColdRefused => Cause::ColdRefused.as_str(),
            Self::ColdRefusedWithCstoken => Cause::ColdRefusedWithCstoken.as_str(),
            Self::TokenMissingWarm => Cause::TokenMissingWarm.as_str(),
            Self::TokenRefused => Cause::TokenRefused.as_str(),
            Self::TokenArrivedLate => Cause::TokenArrivedLate.as_str(),
            Self::LocalTokenLost => Cause::LocalTokenLost.as_str(),
            Self::Undetermined_463 => Cause::Undetermined463.as_str(),
            Self::NewChatCapped => Cause::NewChatCapped.as_str(),
            Self::StanzaInvalid => Cause::StanzaInvalid.as_str(),
            Self::Addressing => Cause::Addressing.as_str(),
            Self::NotAllowed => Cause::NotAllowed.as_str(),
            Self::RecipientNotFound => Cause::RecipientNotFound.as_str(),
            Self::ServerBusy => Cause::ServerBusy.as_str(),
            Self::ServerRefused => Cause::ServerRefused.as_str(),
            Self::NotOnWhatsapp => Cause::NotOnWhatsapp.as_str(),
            Self::NoLid => Cause::NoLid.as_str(),
            Self::NoRecipientDevice => Cause::NoRecipientDevice.as_str(),
            Self::NotPaired => Cause::NotPaired.as_str(),
            Self::LoggedOut => Cause::LoggedOut.as_str(),
            Self::DuplicateId => Cause::DuplicateId.as_str(),
            Self::OutboxFull => Cause::OutboxFull.as_str(),
            Self::BadRequest => Cause::BadRequest.as_str(),
            Self::DeadlineBeforeSend => Cause::DeadlineBeforeSend.as_str(),
            Self::Cancelled => Cause::Cancelled.as_str(),
            Self::CircuitOpen => Cause::CircuitOpen.as_str(),
            Self::SilentDropSuspected => Cause::SilentDropSuspected.as_str(),
        }
    }
}

impl From<Cause> for Status {
    /// The status with the cause's own number; `Bug` for a cause that is missing in this table,
    /// which a test rules out.
    fn from(cause: Cause) -> Self {
        Self::from_number(i32::from(cause.code())).unwrap_or(Self::Bug)
    }
}

impl Class {
    /// The stable word for hosts and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Misuse => "misuse",
            Self::Runtime => "runtime",
            Self::Store => "store",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Bug => "bug",
            Self::Media => "media",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_and_names_are_unique() {
        let numbers: BTreeSet<_> = Status::ALL.iter().map(|s| s.number()).collect();
        let names: BTreeSet<_> = Status::ALL.iter().map(|s| s.as_str()).collect();
        assert_eq!(numbers.len(), Status::ALL.len());
        assert_eq!(names.len(), Status::ALL.len());
    }

    #[test]
    fn every_cause_of_the_core_has_its_own_number_and_name_here() {
        for cause in Cause::ALL {
            let status = Status::from(cause);
            assert_eq!(status.number(), i32::from(cause.code()));
            assert_eq!(status.as_str(), cause.as_str());
            assert_eq!(status.class(), Class::Refused);
        }
        let refused = Status::ALL.iter().filter(|s| s.class() == Class::Refused);
        assert_eq!(refused.count(), Cause::ALL.len());
    }

    #[test]
    fn classes_follow_the_hundreds_of_a_number() {
        let class = |number| Status::from_number(number).map(Status::class);
        assert_eq!(class(0), Some(Class::None));
        assert_eq!(class(4), Some(Class::Misuse));
        assert_eq!(class(5), Some(Class::Bug));
        assert_eq!(class(11), Some(Class::Misuse));
        assert_eq!(class(10), Some(Class::Runtime));
        assert_eq!(class(103), Some(Class::Store));
        assert_eq!(class(200), Some(Class::Unknown));
        assert_eq!(class(303), Some(Class::Media));
        assert_eq!(class(7777), None);
    }
}
