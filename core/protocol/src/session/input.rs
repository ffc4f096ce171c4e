//! What a driver feeds into a session, and what a host may ask of it.

use crate::account::Settings;
use crate::appstate;
use crate::config::{DeviceConfig, ServerConfig};
use crate::content::Draft;
use crate::effect::OpId;
use crate::event::DisconnectReason;
use crate::jid::Jid;
use crate::limits::gate::RecipientHint;
use crate::media::fetch::{FetchError, FetchId, Fetched};
use crate::pair::code::CodeRequest;
use crate::pair::passkey::PasskeyAnswer;
use crate::request::AnyRequest;
use crate::tctoken::Counters;
use crate::time::Mono;
use crate::verdict::MessageId;

/// How a session is set up.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SessionConfig {
    /// The server.
    pub server: ServerConfig,
    /// How we present ourselves.
    pub device: DeviceConfig,
    /// What the host chose for the account.
    pub account: Settings,
}

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// The host asks for something.
    Command(OpId, Command),
    /// The host no longer wants it. A message that has left stays sent.
    Cancel(OpId),
    /// The Noise handshake of a new connection is complete.
    Established,
    /// A blob of [`Effect::Fetch`](crate::effect::Effect::Fetch) is there, decrypted and verified, or
    /// it cannot be had.
    Fetched(FetchId, Result<Fetched, FetchError>),
    /// A decrypted frame arrived.
    Received(Vec<u8>),
    /// The connection is gone.
    Lost(DisconnectReason),
    /// A deadline passed.
    Tick,
    /// The host closes the session: every open operation ends now.
    Stop,
}

/// What a host may ask.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// The account's owner signed what `Event::PasskeyRequest` asks for.
    AnswerPasskey(PasskeyAnswer),
    /// The phone shows the code of `Event::PasskeyCode`.
    ConfirmPasskey,
    /// Unlink this device and delete its credentials.
    Logout {
        /// Keep the account's tokens, so that a later link of the same account can use them.
        keep_tokens: bool,
    },
    /// Link by a code that the user types into the phone: `Event::PairCode` shows it.
    PairByCode(CodeRequest),
    /// Ask the server for the account's limits.
    RefreshLimits,
    /// Ask for something that ends in one [`Effect::Reply`](crate::effect::Effect::Reply).
    Request(AnyRequest),
    /// Send a message.
    Send(SendRequest),
    /// Follow the presence of a contact until the connection ends; does nothing without one.
    Subscribe(Jid),
}

/// A message to send.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SendRequest {
    /// The account to send to, whose device part is ignored, a group, or a channel. An edit or a
    /// revoke in a channel leaves, and is answered, under the id of the message it is about.
    pub to: Jid,
    /// What to send.
    pub content: Content,
    /// What the host knows about the recipient.
    pub recipient: RecipientHint,
    /// The id to use; `None` for a fresh one.
    pub id: Option<MessageId>,
    /// Do not send after this instant. What has left by then is not called back.
    pub deadline: Option<Mono>,
    /// The handle that the upload of its file gave, for a channel.
    pub media_id: Option<String>,
}

/// The content of a message.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum Content {
    /// Something to compose: media, a poll, a reaction, an edit..
    Draft(Box<Draft>),
    /// An encoded `Message` that the host built itself, unpadded and without the wrapper for own
    /// devices. What its stanza says is derived from the bytes; what the server would drop is
    /// refused.
    Raw(Vec<u8>),
    /// Text: 1 to 65536 bytes of UTF-8.
    Text(String),
}

impl core::fmt::Debug for Content {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Draft(draft) => draft.fmt(f),
            Self::Raw(bytes) => write!(f, "Raw({} bytes)", bytes.len()),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
        }
    }
}

/// Where a session stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Status {
    /// The connection.
    pub phase: Phase,
    /// Our device by phone number, once paired.
    pub jid: Option<Jid>,
    /// Our device by LID, if known.
    pub lid: Option<Jid>,
    /// Messages without an answer.
    pub outbox: usize,
    /// Requests of the host that are not yet sent.
    pub queued: usize,
    /// Stanzas and parts of stanzas that were ignored because they made no sense.
    pub ignored: u64,
    /// What the token machine left aside.
    pub tokens: Counters,
    /// Blobs that were fetched.
    pub blobs: Blobs,
    /// What app state brought and what of it was left aside.
    pub app_state: appstate::Counters,
}

/// Blobs since the session was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Blobs {
    /// Fetched, verified and opened.
    pub fetched: u64,
    /// Not to be had: damaged, gone, or no server answered.
    pub failed: u64,
}

/// The connection of a session.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Phase {
    /// No connection.
    #[default]
    Offline,
    /// Connected, waiting for the server to accept our login.
    Authenticating,
    /// Connected without an account: waiting for the phone.
    Pairing,
    /// Logged in.
    Online,
}
