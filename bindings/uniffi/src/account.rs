//! One account.

use std::sync::Arc;
use std::time::Duration;

use sendpath::facade::{self, Status};
use sendpath_protocol::config::{DeviceConfig, ServerConfig};
use sendpath_protocol::error::ApiMisuse;
use sendpath_protocol::verdict::MessageId;

use crate::content::Draft;
use crate::error::{ErrorDetails, NativeError};
use crate::event::Event;
use crate::guest::Documents;
use crate::questions::{CanSend, Explanation, Recipient, answers, texts};
use crate::sending::Sending;

/// How an account is opened; what is `None` has the library's default.
#[derive(Clone, Debug, uniffi::Record)]
pub struct AccountConfig {
    /// `wss://..`, or `ws://..` without TLS (tests).
    pub server_url: Option<String>,
    /// Public key that signs the server's certificates: 32 bytes.
    pub server_root_key: Option<Vec<u8>>,
    /// How far our clock may be off when the server's certificate is checked, in seconds.
    pub clock_tolerance: Option<i64>,
    /// Shown in the phone's list of linked devices.
    pub device_name: Option<String>,
    /// The web build we claim to be: three numbers.
    pub version: Option<Vec<u32>>,
    /// Ids of the GraphQL documents by which limits are asked for.
    pub documents: Option<Documents>,
    /// Honour the server if it switches tokens on messages off.
    pub strict_props: bool,
    /// Messages carry a token by which recipients can prove to the server what was sent.
    pub reporting_tokens: bool,
    /// Events that wait for a slow host before they are dropped and counted.
    pub event_capacity: Option<u32>,
    /// Sends without an outcome; more are refused.
    pub max_pending: Option<u32>,
    /// What all connections of the account go through, as a URL.
    #[uniffi(default = None)]
    pub proxy: Option<String>,
    /// What the phone shows the device runs in.
    #[uniffi(default = None)]
    pub browser: Option<Browser>,
}

/// What may be said about one message.
#[derive(Clone, Debug, uniffi::Record)]
pub struct SendOptions {
    /// The id to send with; `None` for a fresh one.
    pub id: Option<String>,
    /// What the host knows about the recipient.
    pub recipient: Recipient,
    /// How long from now it may still be sent, in milliseconds.
    pub deadline_ms: Option<u64>,
}

/// An account on an engine.
#[derive(uniffi::Object)]
pub struct Account(pub(crate) facade::Account);

#[uniffi::export]
impl Account {
    /// Dials and stays connected; shows QR codes first if the account is not paired.
    pub fn connect(&self) -> Result<(), NativeError> {
        Ok(self.0.connect()?)
    }

    /// Links by a code that the user types into the phone; `None` for a random one.
    pub fn pair_by_code(&self, number: String, code: Option<String>) -> Result<(), NativeError> {
        Ok(self.0.pair_by_code(&number, code.as_deref())?)
    }

    /// Closes the connection and stays offline.
    pub fn disconnect(&self) -> Result<(), NativeError> {
        Ok(self.0.disconnect()?)
    }

    /// Where the account stands.
    pub fn status(&self) -> Result<AccountStatus, NativeError> {
        Ok(self.0.status()?.into())
    }

    /// Unlinks the device and deletes its credentials.
    pub fn logout(&self, keep_tokens: bool) -> Result<(), NativeError> {
        Ok(self.0.logout(keep_tokens)?)
    }

    /// Deletes everything that is stored for the account, except the link of this device.
    pub fn forget_account(&self) -> Result<(), NativeError> {
        Ok(self.0.forget_account()?)
    }

    /// Asks the server for the account's limits; does nothing without a connection.
    pub fn refresh_limits(&self) -> Result<(), NativeError> {
        Ok(self.0.refresh_limits()?)
    }

    /// Follows the presence of a contact; does nothing without a connection.
    pub fn subscribe_presence(&self, to: String) -> Result<(), NativeError> {
        Ok(self.0.subscribe_presence(&to)?)
    }

    /// Whether messages to these may be sent, by what is known here. Blocks shortly.
    pub fn can_send(
        &self,
        to: Vec<String>,
        recipient: Recipient,
    ) -> Result<Vec<CanSend>, NativeError> {
        Ok(answers(self.0.can_send(&texts(&to), recipient.into())?))
    }

    /// What happened with a contact, and what is known about it. Blocks shortly.
    pub fn explain(&self, to: String) -> Result<Explanation, NativeError> {
        Ok(self.0.explain(&to)?.into())
    }

    /// The limits of the account, as a JSON object. Blocks shortly.
    pub fn limits(&self) -> Result<String, NativeError> {
        Ok(self.0.limits()?.to_json())
    }

    /// Starts to send a text.
    pub fn send_text(
        &self,
        to: String,
        body: String,
        options: SendOptions,
    ) -> Result<Arc<Sending>, NativeError> {
        let draft = facade::Draft::text(&body);
        let pending = self.0.send(&to, draft, options.try_into()?)?;
        Ok(Arc::new(Sending::new(self.0.clone(), pending)))
    }

    /// Starts to send a message of any kind.
    pub fn send(
        &self,
        to: String,
        draft: Draft,
        options: SendOptions,
    ) -> Result<Arc<Sending>, NativeError> {
        let pending = self.0.send(&to, draft.into(), options.try_into()?)?;
        Ok(Arc::new(Sending::new(self.0.clone(), pending)))
    }

    /// Returns when [`Account::take_event`] has something to say.
    pub async fn event_ready(&self) -> Result<(), NativeError> {
        Ok(self.0.readable().await?)
    }

    /// The next event; `None` when there is none now. Fails with `Closed` after the last one.
    pub fn take_event(&self) -> Result<Option<Event>, NativeError> {
        match self.0.next_event(Some(Duration::ZERO)) {
            Ok(event) => Ok(Some(event.into())),
            Err(error) if error.status() == Status::Timeout => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the connection and every open send and wakes everybody who waits. Blocks; a second call
    /// does nothing.
    pub fn shutdown(&self) -> Result<(), NativeError> {
        Ok(self.0.close()?)
    }
}

impl TryFrom<AccountConfig> for facade::AccountConfig {
    type Error = facade::Error;

    fn try_from(config: AccountConfig) -> Result<Self, facade::Error> {
        let (mut server, mut device) = (ServerConfig::default(), DeviceConfig::default());
        if let Some(url) = config.server_url {
            server.url = url;
        }
        if let Some(key) = config.server_root_key {
            let wrong = |_| facade::Error::new(Status::InvalidArgument, "a root key has 32 bytes");
            server.root_key = key.try_into().map_err(wrong)?;
        }
        if let Some(name) = config.device_name {
            device.name = name;
        }
        if let Some(seconds) = config.clock_tolerance {
            server.clock_tolerance = seconds;
        }
        if let Some(version) = config.version {
            let wrong = |_| facade::Error::new(Status::InvalidArgument, "a version has 3 numbers");
            device.version = version.try_into().map_err(wrong)?;
        }
        device.reporting_tokens = config.reporting_tokens;
        device.browser = config.browser.map(Into::into).unwrap_or_default();
        Ok(Self {
            server,
            device,
            documents: config.documents.map(Into::into).unwrap_or_default(),
            strict_props: config.strict_props,
            event_capacity: capacity(config.event_capacity)?,
            max_pending: capacity(config.max_pending)?,
            proxy: config
                .proxy
                .map(|url| url.parse().map_err(wrong_proxy))
                .transpose()?,
        })
    }
}

fn wrong_proxy(error: facade::BadProxy) -> facade::Error {
    facade::Error::new(Status::InvalidArgument, error.to_string())
}

/// What a linked device runs in, as the phone shows it.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Browser {
    /// Google Chrome.
    Chrome,
    /// Mozilla Firefox.
    Firefox,
    /// Microsoft Edge.
    Edge,
    /// Opera.
    Opera,
    /// Safari.
    Safari,
}

impl From<Browser> for facade::Browser {
    fn from(browser: Browser) -> Self {
        match browser {
            Browser::Chrome => Self::Chrome,
            Browser::Edge => Self::Edge,
            Browser::Firefox => Self::Firefox,
            Browser::Opera => Self::Opera,
            Browser::Safari => Self::Safari,
        }
    }
}

pub(crate) fn capacity(number: Option<u32>) -> Result<Option<usize>, facade::Error> {
    let wrong = |_| facade::Error::new(Status::InvalidArgument, "a capacity is too large");
    number.map(usize::try_from).transpose().map_err(wrong)
}

impl TryFrom<SendOptions> for facade::SendOptions {
    type Error = facade::Error;

    fn try_from(options: SendOptions) -> Result<Self, facade::Error> {
        let parse = |id: String| MessageId::parse(&id).ok_or(ApiMisuse::BadMessageId);
        Ok(Self {
            id: options.id.map(parse).transpose()?,
            recipient: options.recipient.into(),
            deadline: options.deadline_ms.map(Duration::from_millis),
        })
    }
}

/// Where an account stands.
#[derive(Clone, Debug, uniffi::Record)]
pub struct AccountStatus {
    /// How far the connection is, as a stable word.
    pub phase: String,
    /// Our device by phone number, once paired.
    pub jid: Option<String>,
    /// Our device by LID, if known.
    pub lid: Option<String>,
    /// The next attempt to connect, in Unix seconds, while waiting for it.
    pub retry_at: Option<i64>,
    /// Messages without an answer.
    pub outbox: u64,
    /// Sends that have not left yet.
    pub queued: u64,
    /// Stanzas that were ignored because they made no sense.
    pub ignored: u64,
    /// What the token machine left aside.
    pub tokens: TokenCounters,
    /// Blobs that were fetched, verified and opened.
    pub blobs_fetched: u64,
    /// Blobs that were not to be had.
    pub blobs_failed: u64,
    /// Why the session is being rebuilt, if it is.
    pub fault: Option<ErrorDetails>,
}

impl From<facade::AccountStatus> for AccountStatus {
    fn from(status: facade::AccountStatus) -> Self {
        let count = |n| u64::try_from(n).unwrap_or(u64::MAX);
        Self {
            phase: status.phase.as_str().to_owned(),
            jid: status.jid,
            lid: status.lid,
            retry_at: status.retry_at.map(|t| t.0),
            outbox: count(status.outbox),
            queued: count(status.queued),
            ignored: status.ignored,
            tokens: status.tokens.into(),
            blobs_fetched: status.blobs.fetched,
            blobs_failed: status.blobs.failed,
            fault: status.fault.as_ref().map(ErrorDetails::from),
        }
    }
}

/// What the token machine left aside, by reason.
#[derive(Clone, Copy, Debug, uniffi::Record)]
pub struct TokenCounters {
    /// Tokens without a usable time stamp.
    pub bad_time: u64,
    /// Tokens without bytes.
    pub empty: u64,
    /// Tokens that are too long or too many.
    pub too_much: u64,
    /// Tokens of another type.
    pub unknown_type: u64,
    /// Tokens without a contact they could belong to.
    pub not_a_contact: u64,
    /// Tokens older than the stored one.
    pub older: u64,
    /// Tokens and issues stamped in the far future, taken as now.
    pub from_the_future: u64,
    /// Damaged rows treated as absent.
    pub damaged_rows: u64,
    /// Writes left out because a newer version wrote the row.
    pub newer_rows: u64,
    /// Reads that failed while a message was sent.
    pub failed_reads: u64,
    /// Results of IQs that are not ours, or came twice.
    pub unknown_results: u64,
}

impl From<facade::Counters> for TokenCounters {
    fn from(counters: facade::Counters) -> Self {
        Self {
            bad_time: counters.ignored.bad_time,
            empty: counters.ignored.empty,
            too_much: counters.ignored.too_much,
            unknown_type: counters.ignored.unknown_type,
            not_a_contact: counters.not_a_contact,
            older: counters.older,
            from_the_future: counters.from_the_future,
            damaged_rows: counters.damaged_rows,
            newer_rows: counters.newer_rows,
            failed_reads: counters.failed_reads,
            unknown_results: counters.unknown_results,
        }
    }
}
