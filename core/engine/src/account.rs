//! What hosts hold of one account.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;
use std::time::Duration;

use sendpath_handoff::{
    AccountEvent, Admission, Pending, Sending, Shared, Status, operation, request as halves,
};
use sendpath_protocol::account::{Answer, Inquiry, Settings};
use sendpath_protocol::config::{DeviceConfig, ServerConfig};
use sendpath_protocol::effect::OpId;
use sendpath_protocol::error::ApiMisuse;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::pair::code::{CodeRequest, PairCode, PhoneNumber};
use sendpath_protocol::pair::passkey::PasskeyAnswer;
use sendpath_protocol::request::Request as Ask;
use sendpath_protocol::send;
use sendpath_protocol::session::{Command, Content, SendRequest};
use sendpath_protocol::time::Millis;
use sendpath_protocol::verdict::{Cause, MessageId};
use sendpath_transport::Proxy;

use crate::clock::{Random, millis};
use crate::engine::{Core, EngineError, system};
use crate::shard::{Message, Request, SlotId};

/// A handle on one open account. Clones are the same account; it closes when the last one is
/// dropped.
#[derive(Clone)]
pub struct Account(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) core: Arc<Core>,
    pub(crate) slot: SlotId,
    shared: Arc<Shared>,
    pub(crate) proxy: Option<Arc<Proxy>>,
    pending: Arc<AtomicUsize>,
    max_pending: usize,
}

impl Account {
    pub(crate) fn new(
        core: Arc<Core>,
        slot: SlotId,
        shared: Arc<Shared>,
        proxy: Option<Arc<Proxy>>,
        max_pending: usize,
    ) -> Self {
        Self(Arc::new(Inner {
            core,
            slot,
            shared,
            proxy,
            pending: Arc::default(),
            max_pending,
        }))
    }

    /// Connects and stays connected until [`Account::disconnect`], a logout or an end that only the
    /// host can mend. An account without a link starts to pair: `Event::PairQr`.
    ///
    /// # Errors
    /// [`EngineError::Closed`], [`EngineError::Forked`].
    pub fn connect(&self) -> Result<(), EngineError> {
        self.tell(Request::Connect)
    }

    /// Ends the connection. What the outbox holds waits for the next one.
    ///
    /// # Errors
    /// [`EngineError::Closed`], [`EngineError::Forked`].
    pub fn disconnect(&self) -> Result<(), EngineError> {
        self.tell(Request::Disconnect)
    }

    /// Unlinks this device and deletes its keys; `Event::LoggedOut` tells when it is done.
    /// `keep_tokens` keeps the account's tokens for a later link of the same account.
    ///
    /// # Errors
    /// [`EngineError::Closed`], [`EngineError::Forked`].
    pub fn logout(&self, keep_tokens: bool) -> Result<(), EngineError> {
        self.command(Command::Logout { keep_tokens })
    }

    /// Links by a code that the user types into the phone with that number, instead of scanning:
    /// `Event::PairCode` shows it as soon as the server is ready, after [`Account::connect`]. `code`
    /// is the host's own code, eight symbols of `123456789ABCDEFGHJKLMNPQRSTVWXYZ`; `None` for a
    /// random one. A code ends as `Event::Paired` or `Event::PairFailed`; do not ask in a loop, the
    /// server throttles a number for hours.
    ///
    /// # Errors
    /// [`ApiMisuse::BadNumber`], [`ApiMisuse::BadCode`], [`EngineError::Closed`],
    /// [`EngineError::Forked`].
    pub fn pair_by_code(&self, number: &str, code: Option<&str>) -> Result<(), EngineError> {
        let number = PhoneNumber::parse(number).ok_or(ApiMisuse::BadNumber)?;
        let parsed = code.map(|code| PairCode::parse(code).ok_or(ApiMisuse::BadCode));
        let code = parsed.transpose()?;
        self.command(Command::PairByCode(CodeRequest { number, code }))
    }

    /// Answers `Event::PasskeyRequest`: `json` is what the owner's authenticator made of it, as a
    /// browser's `PublicKeyCredential.toJSON()` writes it. `Event::PasskeyCode` or
    /// `Event::PairFailed` follows. Does nothing while no passkey is wanted.
    ///
    /// # Errors
    /// [`ApiMisuse::BadPasskey`], [`EngineError::Closed`], [`EngineError::Forked`].
    pub fn answer_passkey(&self, json: &str) -> Result<(), EngineError> {
        let answer = PasskeyAnswer::parse(json).ok_or(ApiMisuse::BadPasskey)?;
        self.command(Command::AnswerPasskey(answer))
    }

    /// The phone shows the code of `Event::PasskeyCode`: `Event::Paired` or `Event::PairFailed`
    /// follows. Does nothing while no code is shown. Do not call it unseen; the comparison is what
    /// shows that nobody stepped in between.
    ///
    /// # Errors
    /// [`EngineError::Closed`], [`EngineError::Forked`].
    pub fn confirm_passkey(&self) -> Result<(), EngineError> {
        self.command(Command::ConfirmPasskey)
    }

    /// Asks the server for the account's limits; a change is an event, and the answer is then in
    /// [`Inquiry::Limits`]. Does nothing while there is no connection.
    ///
    /// # Errors
    /// [`EngineError::Closed`], [`EngineError::Forked`].
    pub fn refresh_limits(&self) -> Result<(), EngineError> {
        self.command(Command::RefreshLimits)
    }

    /// Follows the presence of a contact until the connection ends, with its token; a new token
    /// renews it. `Event::Presence` tells. Does nothing while there is no connection.
    ///
    /// # Errors
    /// [`ApiMisuse::BadAddress`], [`EngineError::Closed`], [`EngineError::Forked`].
    pub fn subscribe_presence(&self, to: &str) -> Result<(), EngineError> {
        let to = Jid::recipient(to).ok_or(ApiMisuse::BadAddress)?;
        self.command(Command::Subscribe(to))
    }

    /// Asks for something that ends in a reply of its own type: `Resolve`, `MarkRead`, `SetPresence`
    /// and the others in [`sendpath_protocol::request`]. Returns at once; the reply is in the
    /// [`Pending`], to await or to block for. Nothing waits for a connection.
    ///
    /// # Errors
    /// [`EngineError::Closed`], [`EngineError::Forked`].
    pub fn request<R: Ask>(&self, request: R) -> Result<Pending<R::Reply>, EngineError> {
        self.enter()?;
        Ok(ask(&self.0.core, self.0.slot, request))
    }

    /// Sends a text. `to` is `<digits>@s.whatsapp.net`, `<digits>@lid`, the digits of a number, or a
    /// group, `<id>@g.us`. Returns at once; the outcome is in the [`Sending`].
    ///
    /// # Errors
    /// [`ApiMisuse::BadAddress`], [`EngineError::Closed`], [`EngineError::Forked`].
    pub fn send_text(
        &self,
        to: &str,
        body: &str,
        options: SendOptions,
    ) -> Result<Sending, EngineError> {
        let to = Jid::chat(to).ok_or(ApiMisuse::BadAddress)?;
        self.send(to, Content::Text(body.into()), options)
    }

    /// Sends `content`. Returns at once; the outcome is in the [`Sending`].
    ///
    /// # Errors
    /// [`EngineError::Closed`], [`EngineError::Forked`].
    pub fn send(
        &self,
        to: Jid,
        content: Content,
        options: SendOptions,
    ) -> Result<Sending, EngineError> {
        self.enter()?;
        let (core, slot, shared) = (&self.0.core, &self.0.slot, &self.0.shared);
        let op = core.op();
        let now = core.clock.now();
        let id = options.id.unwrap_or_else(|| {
            let session = shared.status().session;
            let own = session.and_then(|session| session.jid);
            let user = own.as_ref().map_or("", Jid::user_part);
            send::id::generate(&mut Random(&*core.clock), now.unix(), user)
        });
        let admission = Admission::take(&self.0.pending, self.0.max_pending);
        let full = admission.is_none();
        let report = options.report.then(|| shared.events.promise());
        let (shard, slot) = (core.shard.clone(), *slot);
        // A shard that is gone has completed the operation.
        let cancel = move || drop(shard.send(Message::Host(slot, Request::Cancel(op))));
        let (sending, completer) = operation(
            op,
            id.clone(),
            report.transpose()?,
            admission,
            Box::new(cancel),
        );
        if full {
            completer.refuse(Cause::OutboxFull);
            return Ok(sending);
        }
        let request = SendRequest {
            to,
            content,
            recipient: options.recipient,
            id: Some(id),
            deadline: options
                .deadline
                .map(|after| now.mono.plus(Millis(millis(after)))),
            media_id: options.media_id,
        };
        // A shard that is gone drops the completer, so the operation ends all the same.
        let _ = core.tell(Message::Host(slot, Request::Send(request, completer)));
        Ok(sending)
    }

    /// Gives up waiting for a send that was started without `SendOptions::report`: its outcome goes
    /// into the event queue, as [`AccountEvent::Done`].
    ///
    /// # Errors
    /// `sending`, when the account is closed; its outcome comes at once then.
    pub fn report(&self, sending: Sending) -> Result<(), Sending> {
        self.0.shared.events.report(sending)
    }

    /// As [`Sending::cancel`], by number. An operation that has ended is left alone.
    ///
    /// # Errors
    /// [`EngineError::Closed`], [`EngineError::Forked`].
    pub fn cancel(&self, op: OpId) -> Result<(), EngineError> {
        self.tell(Request::Cancel(op))
    }

    /// Where the account stands.
    ///
    /// # Errors
    /// [`EngineError::Forked`].
    pub fn status(&self) -> Result<Status, EngineError> {
        self.0.core.enter()?;
        Ok(self.0.shared.status())
    }

    /// Answers from what is known here, without the server: whether messages may be sent, what
    /// happened with a contact, the account's limits. `None` while the account is not paired, or
    /// its session is being rebuilt.
    ///
    /// # Errors
    /// [`EngineError::Fault`] if the store fails, [`EngineError::Closed`], [`EngineError::Forked`],
    /// [`EngineError::WouldDeadlock`].
    pub fn ask(&self, inquiry: Inquiry) -> Result<Option<Answer>, EngineError> {
        self.0.core.enter_blocking()?;
        let (reply, answer) = mpsc::sync_channel(1);
        self.tell(Request::Ask(inquiry, reply))?;
        answer.recv().unwrap_or(Err(EngineError::Closed))
    }

    /// Waits for the next event; `None` when `timeout` has passed, no timeout waits for ever. After
    /// the close what was queued can still be taken.
    ///
    /// # Errors
    /// [`EngineError::Closed`] when nothing is left, [`EngineError::Forked`],
    /// [`EngineError::WouldDeadlock`].
    pub fn next_event(
        &self,
        timeout: Option<Duration>,
    ) -> Result<Option<AccountEvent>, EngineError> {
        self.0.core.enter_blocking()?;
        Ok(self.0.shared.events.next(timeout)?)
    }

    /// As [`Account::next_event`] without a timeout; cancel-safe.
    ///
    /// # Errors
    /// [`EngineError::Closed`] when nothing is left, [`EngineError::Forked`].
    pub async fn event(&self) -> Result<AccountEvent, EngineError> {
        self.0.core.enter()?;
        Ok(self.0.shared.events.next_async().await?)
    }

    /// Waits until [`Account::next_event`] has something to say: an event, or that the account is
    /// closed. For hosts that may give up waiting at any moment and must not lose an event then.
    ///
    /// # Errors
    /// [`EngineError::Forked`].
    pub async fn readable(&self) -> Result<(), EngineError> {
        self.0.core.enter()?;
        self.0.shared.events.readable().await;
        Ok(())
    }

    /// A descriptor for `poll`, readable while there is an event to take and for ever after the
    /// close. Do not read from it; it belongs to the account.
    ///
    /// # Errors
    /// [`EngineError::System`] when the operating system gives none, [`EngineError::Forked`].
    #[cfg(unix)]
    pub fn event_fd(&self) -> Result<std::os::fd::RawFd, EngineError> {
        self.0.core.enter()?;
        self.0.shared.events.descriptor().map_err(system)
    }

    /// Closes the account: every operation completes, every waiter wakes, nothing is queued
    /// afterwards. Blocks until that is done; calling it again does nothing.
    ///
    /// # Errors
    /// [`EngineError::Forked`], [`EngineError::WouldDeadlock`].
    pub fn close(&self) -> Result<(), EngineError> {
        self.0.core.enter_blocking()?;
        let (reply, done) = mpsc::sync_channel(1);
        let close = Message::Host(self.0.slot, Request::Close(Some(reply)));
        if self.0.core.tell(close).is_ok() {
            // The shard answers by dropping the sender.
            let _ = done.recv();
        }
        Ok(())
    }

    pub(crate) fn enter(&self) -> Result<(), EngineError> {
        self.0.core.enter()?;
        if self.0.shared.events.is_closed() {
            return Err(EngineError::Closed);
        }
        Ok(())
    }

    fn command(&self, command: Command) -> Result<(), EngineError> {
        self.tell(Request::Command(self.0.core.op(), command))
    }

    fn tell(&self, request: Request) -> Result<(), EngineError> {
        self.enter()?;
        self.0.core.tell(Message::Host(self.0.slot, request))
    }
}

/// Asks the session of a slot.
pub(crate) fn ask<R: Ask>(core: &Arc<Core>, slot: SlotId, request: R) -> Pending<R::Reply> {
    let op = core.op();
    let shard = core.shard.clone();
    // A shard that is gone has answered.
    let cancel = move || drop(shard.send(Message::Host(slot, Request::Cancel(op))));
    let (pending, answerer) = halves::<R>(op, Box::new(cancel));
    // A shard that is gone drops the answerer, so the request ends all the same.
    let _ = core.tell(Message::Host(
        slot,
        Request::Server(op, request.into(), answerer),
    ));
    pending
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.core.enter().is_ok() {
            // Nobody to tell means it is closed.
            let _ = self
                .core
                .tell(Message::Host(self.slot, Request::Close(None)));
        }
    }
}

/// How to open an [`Account`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AccountConfig {
    /// The server.
    pub server: ServerConfig,
    /// How we present ourselves.
    pub device: DeviceConfig,
    /// Document ids of limits, and how strictly the server's settings are taken.
    pub settings: Settings,
    /// Events kept for a slow host; behind that they are dropped and counted.
    pub event_capacity: usize,
    /// Sends without an outcome; more are refused as [`Cause::OutboxFull`].
    pub max_pending: usize,
    /// What all connections of the account go through: the chat, uploads and downloads. `None` to
    /// connect directly.
    pub proxy: Option<Proxy>,
}

impl Default for AccountConfig {
    fn default() -> Self {
        Self {
            server: ServerConfig::default(),
            device: DeviceConfig::default(),
            settings: Settings::default(),
            event_capacity: 1024,
            max_pending: 1024,
            proxy: None,
        }
    }
}

/// Settings of one send.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SendOptions {
    /// The message's id; `None` for a fresh one.
    pub id: Option<MessageId>,
    /// What the host knows about the recipient that its address does not tell.
    pub recipient: RecipientHint,
    /// Do not send later than this from now.
    pub deadline: Option<Duration>,
    /// The handle that the upload of a file gave, for messages to a channel.
    pub media_id: Option<String>,
    /// Also put the outcome into the event queue, as [`AccountEvent::Done`].
    pub report: bool,
}
