//! What hosts are told.

use crate::error::Fault;
use crate::history::HistoryError;
use crate::jid::Jid;
use crate::media::fetch::FetchError;
use crate::noise::LinkError;
use crate::peer::PeerKey;
use crate::time::UnixSeconds;
use crate::verdict::{MessageId, Outcome};

/// Something that happened. Hosts must tolerate kinds they do not know.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The account's quota of new chats changed.
    CappingChanged {
        /// The server's word: `NONE`, `FIRST_WARNING`, `SECOND_WARNING`, `CAPPED`, or a newer one.
        status: String,
        /// New chats in a cycle; -1 for no limit, `None` if unknown.
        total: Option<i64>,
        /// New chats used up; `None` if unknown.
        used: Option<i64>,
        /// When the cycle ends, if known.
        until: Option<UnixSeconds>,
    },
    /// The server will refuse this build of the web client from a time on: update before.
    ClientExpires {
        /// When; `None` when the announcement was withdrawn.
        at: Option<UnixSeconds>,
    },
    /// Logged in; sending works.
    Connected,
    /// The connection ended.
    Disconnected {
        /// Why.
        reason: DisconnectReason,
    },
    /// A chunk of the phone's history was taken over: counts, instead of an event for each token.
    HistoryApplied {
        /// Chats with people and businesses.
        conversations: u64,
        /// Tokens that were new, or newer than the stored ones.
        tokens: u64,
        /// Times of our own issues that were later than the stored ones.
        sender_times: u64,
        /// Pairs of phone number and LID, known ones included.
        mappings: u64,
        /// The salt of cstokens was taken over.
        salt: bool,
    },
    /// A part of the history could not be had or read. What it said about tokens is lost to us.
    HistoryFailed {
        /// Why.
        reason: HistoryFailure,
    },
    /// A contact's device was registered anew; its sessions were reset.
    IdentityChanged {
        /// The contact.
        peer: PeerKey,
    },
    /// The link to the account is gone: credentials were deleted.
    LoggedOut {
        /// Why.
        reason: DisconnectReason,
    },
    /// The refusal of these messages may be over: a new token of the contact arrived.
    MayRetry {
        /// The contact.
        peer: PeerKey,
        /// The refused messages.
        ids: Vec<MessageId>,
    },
    /// A message arrived and is durable.
    Message(Box<IncomingMessage>),
    /// Pairing ended without a link.
    PairFailed {
        /// Why.
        reason: PairFailure,
    },
    /// Show this as a QR code; it replaces the one before.
    PairQr {
        /// The text to encode.
        text: String,
        /// For how many seconds it is shown before the next one replaces it.
        seconds: u32,
    },
    /// Let the user type this code into the phone; it replaces the one before.
    PairCode {
        /// The code, as `XXXX-XXXX`.
        code: String,
        /// For how many seconds the phone takes it.
        seconds: u32,
    },
    /// Compare this code with the one that the phone shows, and tell when it is the same: the server
    /// cannot have stepped in between then.
    PasskeyCode {
        /// The code, as `XXXX-XXXX`.
        code: String,
        /// For how many seconds it is waited for.
        seconds: u32,
    },
    /// The server wants the account's owner to prove a passkey before it links this device. Let the
    /// owner's authenticator sign `options`, and answer with what it says.
    PasskeyRequest {
        /// `PublicKeyCredentialRequestOptions` of WebAuthn as JSON, such as a browser's
        /// `PublicKeyCredential.parseRequestOptionsFromJSON()` takes. Its `rpId` is `whatsapp.com`,
        /// so it has to be a page of that site, or something that acts for one.
        options: String,
        /// For how many seconds the answer is waited for.
        seconds: u32,
    },
    /// The phone accepted the link; the connection restarts now.
    Paired {
        /// Our device JID by phone number.
        jid: Jid,
        /// Our device JID by LID, if the server told it.
        lid: Option<Jid>,
    },
    /// A contact whose presence we follow came or went.
    Presence {
        /// The contact.
        from: Jid,
        /// It is there now.
        available: bool,
        /// When it was there last, if it lets us know.
        last_seen: Option<UnixSeconds>,
    },
    /// The phone changed our own display name.
    PushNameChanged {
        /// The new one.
        name: DisplayName,
    },
    /// Another device got or read our message.
    Receipt {
        /// The messages.
        ids: Vec<MessageId>,
        /// Who.
        from: Jid,
        /// What.
        kind: ReceiptKind,
        /// The server's time stamp.
        t: Option<UnixSeconds>,
    },
    /// The server took these messages while the account is timelocked, and no device of the contact
    /// has confirmed them: they were probably dropped
    /// ([`Cause::SilentDropSuspected`](crate::verdict::Cause)).
    SilentDrop {
        /// The contact.
        peer: PeerKey,
        /// The messages.
        ids: Vec<MessageId>,
    },
    /// The account's reachout timelock changed.
    TimelockChanged {
        /// Active from now on.
        active: bool,
        /// When it ends, if known.
        until: Option<UnixSeconds>,
        /// The server's word for the kind, such as `RESTRICT_ALL_COMPANIONS`.
        kind: Option<String>,
    },
    /// A message that an earlier run of the program had sent was answered now.
    Settled(Outcome),
    /// A contact's token was stored.
    TokenStored {
        /// The contact.
        peer: PeerKey,
        /// The token's own time stamp.
        t: UnixSeconds,
        /// False when the same bytes were already there.
        fresh: bool,
    },
}

/// A display name; `Debug` shows its length.
#[derive(Clone, Eq, PartialEq)]
pub struct DisplayName(pub String);

impl core::fmt::Debug for DisplayName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "DisplayName({} bytes)", self.0.len())
    }
}

/// A decrypted message.
#[derive(Clone, Eq, PartialEq)]
pub struct IncomingMessage {
    /// Id given by the sender.
    pub id: MessageId,
    /// The chat.
    pub chat: Jid,
    /// The sending device.
    pub sender: Jid,
    /// Sent by another device of this account.
    pub from_me: bool,
    /// The server's time stamp.
    pub t: UnixSeconds,
    /// The sender's display name.
    pub push_name: Option<String>,
    /// The text, when it is a text message.
    pub text: Option<String>,
    /// The `Message` protobuf as it was sent.
    pub payload: Vec<u8>,
}

impl core::fmt::Debug for IncomingMessage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "IncomingMessage({:?}, {} bytes)",
            self.id,
            self.payload.len()
        )
    }
}

/// What a receipt says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ReceiptKind {
    /// The device has the message.
    Delivered,
    /// Voice note or view-once was played.
    Played,
    /// The person has read it.
    Read,
    /// A kind we do not tell apart.
    Other,
}

/// Why a connection ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The account or device is banned or locked.
    Banned {
        /// The failure's reason number.
        code: u16,
        /// The cause of a temporary ban: 101 too many messages to strangers, 102 blocked by too
        /// many, 103 groups of strangers, 104 the same message to too many, 106 broadcast lists.
        detail: Option<u16>,
        /// When a temporary ban ends.
        until: Option<UnixSeconds>,
    },
    /// The store failed or a bug of ours was met; the session is rebuilt from the store.
    Fault(Fault),
    /// The server's certificate chain or the handshake failed.
    Handshake(LinkError),
    /// The server sent nothing for too long.
    KeepAliveTimeout,
    /// The transport ended or could not be opened.
    Network(String),
    /// The account does not take part in multi-device any more; only its owner can change that, on
    /// the phone.
    NotMultiDevice,
    /// This build of the web client is too old for the server.
    OutdatedClient,
    /// The server refuses the login, for a reason that waiting does not mend.
    Refused {
        /// The failure's number, if it had one.
        code: Option<u16>,
    },
    /// The same credentials connected elsewhere.
    Replaced,
    /// The server asked for a restart.
    Restart,
    /// The server is in trouble, or ended the connection for a reason of its own.
    Server {
        /// The number.
        code: Option<u16>,
    },
    /// The host closed it.
    Stopped,
    /// The server took the link away by itself, not the account's owner: stream error 516.
    Expelled {
        /// The stream error number.
        code: u16,
    },
    /// The phone or the account's owner removed this device.
    Unlinked {
        /// The failure or stream error number, if there was one.
        code: Option<u16>,
    },
}

/// What is to be done after a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Remedy {
    /// Nothing: it connects again by itself.
    Automatic,
    /// The host decides when to connect again; the same may happen then.
    ConnectAgain,
    /// Link the device again: its credentials are deleted.
    LinkAgain,
    /// The account's owner must look at the phone: the account is locked or banned, or links are
    /// switched off.
    SeePhone,
    /// Use a newer build of the web client: [`DeviceConfig::version`](crate::config::DeviceConfig).
    UpdateClient,
    /// Nothing before that time: it connects then by itself.
    WaitUntil(UnixSeconds),
}

impl DisconnectReason {
    /// What is to be done.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Banned {
                until: Some(until), ..
            } => Remedy::WaitUntil(*until),
            Self::Banned { .. } | Self::NotMultiDevice => Remedy::SeePhone,
            Self::Expelled { .. } | Self::Unlinked { .. } => Remedy::LinkAgain,
            Self::Fault(_)
            | Self::Handshake(_)
            | Self::KeepAliveTimeout
            | Self::Network(_)
            | Self::Restart
            | Self::Server { .. } => Remedy::Automatic,
            Self::OutdatedClient => Remedy::UpdateClient,
            Self::Refused { .. } | Self::Replaced | Self::Stopped => Remedy::ConnectAgain,
        }
    }
}

impl From<LinkError> for DisconnectReason {
    fn from(error: LinkError) -> Self {
        Self::Handshake(error)
    }
}

/// Why a part of the history was given up.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryFailure {
    /// It was fetched, and what it holds cannot be read.
    #[error(transparent)]
    Content(#[from] HistoryError),
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// Why pairing failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PairFailure {
    /// The device is linked already; log out first.
    AlreadyLinked,
    /// The server did not open a code for this number, or the phone did not accept ours: 400 for a
    /// bad or throttled number or a wrong code, 429 for too many attempts, 452 when codes are not
    /// offered for the account. Wait before asking again.
    CodeRefused {
        /// The server's number.
        code: u16,
    },
    /// Nobody typed the code in time.
    CodeTimeout,
    /// The connection ended while a code was open or a passkey was wanted.
    ConnectionLost,
    /// The server did not take the passkey, or the phone refused after it.
    PasskeyRefused {
        /// The server's number.
        code: u16,
    },
    /// The owner did not sign or compare in time, or server or phone did not answer.
    PasskeyTimeout,
    /// The phone's proof did not match the QR code shown.
    HmacMismatch,
    /// The server's data did not decode.
    Malformed,
    /// Nobody scanned any of the codes.
    QrTimeout,
    /// The account's signature over our identity is wrong.
    SignatureMismatch,
}
