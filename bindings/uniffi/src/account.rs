//! One account.

use std::sync::Arc;
use std::time::Duration;

use sendpath::facade::{self, Status};
use sendpath_protocol::config::{DeviceConfig, ServerConfig};
use sendpath_protocol::error::ApiMisuse;
use sendpath_protocol::verdict::MessageId;

use crate::error::{ErrorDetails, NativeError};
use crate::event::Event;
use crate::questions::{CanSend, Explanation, Recipient, answers, texts};
use crate::sending::Sending;

/// How an account is opened; what is `None` has the library's default.
#[derive(Clone, Debug, uniffi::Record)]
pub struct AccountConfig {
    /// `wss://..`, or `ws://..` without TLS (tests).
    pub server_url: Option<String>,
    /// Public key that signs the server's certificates: 32 bytes.
    pub server_root_key: Option<Vec<u8>>,
    /// Shown in the phone's list of linked devices.
    pub device_name: Option<String>,
    /// Events that wait for a slow host before they are dropped and counted.
    pub event_capacity: Option<u32>,
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
        let pending = self.0.send_text(&to, &body, options.try_into()?)?;
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
        let event_capacity = config.event_capacity.map(usize::try_from).transpose();
        let wrong = |_| facade::Error::new(Status::InvalidArgument, "event capacity is too large");
        Ok(Self {
            server,
            device,
            event_capacity: event_capacity.map_err(wrong)?,
            ..Self::default()
        })
    }
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
            fault: status.fault.as_ref().map(ErrorDetails::from),
        }
    }
}
