//! One account as foreign hosts see it.

use std::future::Future;
use std::marker::PhantomData;
use std::os::fd::RawFd;
use std::sync::{Arc, Weak};
use std::time::Duration;

use sendpath_engine as core;
use sendpath_protocol::account::Inquiry;
use sendpath_protocol::config::{DeviceConfig, ServerConfig};
use sendpath_protocol::effect::OpId;
use sendpath_protocol::error::ApiMisuse;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::mex::DocIds;
use sendpath_protocol::request::ForgetAccount;
use sendpath_protocol::verdict::{Cause, MessageId, Refusal};
use tokio::runtime::Handle;

use super::AccountStatus;
use super::content::{Draft, Media, MediaKind};
use super::error::Error;
use super::event::{AccountEvent, Completion};
use super::limits::Limits;
use super::pending::Pending;
use super::questions::{self, Asked, CanSend, Explanation};
use super::runtime::{self, Home, InFlight};
use super::transfer::{self, Sink, Source, Transfers};

/// How an account is opened.
#[derive(Clone, Debug, Default)]
pub struct AccountConfig {
    /// The server; WhatsApp's own by default.
    pub server: ServerConfig,
    /// How the device presents itself.
    pub device: DeviceConfig,
    /// Ids of the GraphQL documents by which limits are asked for.
    pub documents: DocIds,
    /// Honour the server if it switches tokens on messages off; newest clients do not.
    pub strict_props: bool,
    /// Events that wait for a slow host before they are dropped and counted; `None` for the
    /// engine's default.
    pub event_capacity: Option<usize>,
    /// Sends without an outcome, more are refused as `OutboxFull`; `None` for the engine's default.
    pub max_pending: Option<usize>,
    /// What all connections of the account go through; `None` to connect directly.
    pub proxy: Option<core::Proxy>,
}

impl From<AccountConfig> for core::AccountConfig {
    fn from(config: AccountConfig) -> Self {
        let mut settings = Self::default();
        settings.server = config.server;
        settings.device = config.device;
        settings.settings.documents = config.documents;
        settings.settings.strict_props = config.strict_props;
        settings.event_capacity = config.event_capacity.unwrap_or(settings.event_capacity);
        settings.proxy = config.proxy;
        settings.max_pending = config.max_pending.unwrap_or(settings.max_pending);
        settings
    }
}

/// What may be said about one message.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SendOptions {
    /// The id to send with; `None` for a fresh one.
    pub id: Option<MessageId>,
    /// What the host knows about the recipient that its address does not tell.
    pub recipient: RecipientHint,
    /// How long from now it may still be sent; `None` for as long as the account is open.
    pub deadline: Option<Duration>,
}

/// An account. Clones are the same account.
#[derive(Clone)]
pub struct Account(Arc<AccountInner>);

pub(super) struct AccountInner {
    core: core::Account,
    home: Home,
    handle: Handle,
    in_flight: Arc<InFlight>,
    transfers: Arc<Transfers>,
}

impl Account {
    pub(super) fn start(core: core::Account, home: Home, handle: Handle) -> Self {
        Self(Arc::new(AccountInner {
            core,
            home,
            handle,
            in_flight: Arc::default(),
            transfers: Arc::default(),
        }))
    }

    pub(super) fn downgrade(&self) -> Weak<AccountInner> {
        Arc::downgrade(&self.0)
    }

    /// Dials and stays connected. An account that is not paired shows QR codes first.
    ///
    /// # Errors
    /// `Closed`, `Forked`.
    pub fn connect(&self) -> Result<(), Error> {
        Ok(self.core()?.connect()?)
    }

    /// Links by a code that the user types into the phone with that number, instead of scanning: a
    /// `PairCode` event shows it, after [`Account::connect`]. `code` is the host's own code, eight
    /// symbols of `123456789ABCDEFGHJKLMNPQRSTVWXYZ`; `None` for a random one. It ends as `Paired` or
    /// `PairFailed`; do not ask in a loop, the server throttles a number for hours.
    ///
    /// # Errors
    /// `BadNumber`, `BadCode`, `Closed`, `Forked`.
    pub fn pair_by_code(&self, number: &str, code: Option<&str>) -> Result<(), Error> {
        Ok(self.core()?.pair_by_code(number, code)?)
    }

    /// Closes the connection and stays offline.
    ///
    /// # Errors
    /// `Closed`, `Forked`.
    pub fn disconnect(&self) -> Result<(), Error> {
        Ok(self.core()?.disconnect()?)
    }

    /// Where the account stands.
    ///
    /// # Errors
    /// `Closed`, `Forked`.
    pub fn status(&self) -> Result<AccountStatus, Error> {
        Ok(self.core()?.status()?.into())
    }

    /// Unlinks the device and deletes its credentials. With `keep_tokens` the account's tokens stay
    /// for a later link of the same account.
    ///
    /// # Errors
    /// `Closed`, `Forked`.
    pub fn logout(&self, keep_tokens: bool) -> Result<(), Error> {
        Ok(self.core()?.logout(keep_tokens)?)
    }

    /// Deletes everything that is stored for the account: tokens, names, limits, timelines. The link
    /// of this device stays. Blocks until it is durable.
    ///
    /// # Errors
    /// `Closed`, `Forked`.
    pub fn forget_account(&self) -> Result<(), Error> {
        let forget = self.core()?.request(ForgetAccount)?;
        // Without a timeout it ends, and only a close ends it in another way.
        match forget.wait_blocking(None) {
            Some(Err(_)) => Err(Error::closed()),
            _ => Ok(()),
        }
    }

    /// Asks the server for the account's limits; a change is an event, and the answer is then in
    /// [`Account::limits`]. Does nothing while there is no connection.
    ///
    /// # Errors
    /// `Closed`, `Forked`.
    pub fn refresh_limits(&self) -> Result<(), Error> {
        Ok(self.core()?.refresh_limits()?)
    }

    /// Follows the presence of a contact until the connection ends, with its token; a new token
    /// renews it. A `Presence` event tells. Does nothing while there is no connection.
    ///
    /// # Errors
    /// `BadAddress`, `Closed`, `Forked`.
    pub fn subscribe_presence(&self, to: &str) -> Result<(), Error> {
        Ok(self.core()?.subscribe_presence(to)?)
    }

    /// Sends a message; the end comes as an [`AccountEvent::Outcome`]. `to` is a person or a group.
    ///
    /// # Errors
    /// A misuse, `Closed` or `Forked`; then there is no operation and no outcome.
    pub fn send_start(&self, to: &str, draft: Draft, options: SendOptions) -> Result<OpId, Error> {
        Ok(self.start_send(to, draft, options, true)?.op)
    }

    /// Sends a message and returns something to wait for.
    ///
    /// # Errors
    /// As [`Account::send_start`].
    pub fn send(&self, to: &str, draft: Draft, options: SendOptions) -> Result<Pending, Error> {
        let sending = self.start_send(to, draft, options, false)?;
        Ok(Pending::new(self.0.core.clone(), sending))
    }

    fn start_send(
        &self,
        to: &str,
        draft: Draft,
        options: SendOptions,
        report: bool,
    ) -> Result<core::Sending, Error> {
        let mut settings = core::SendOptions::default();
        settings.id = options.id;
        settings.recipient = options.recipient;
        settings.deadline = options.deadline;
        settings.report = report;
        let to = Jid::chat(to).ok_or(ApiMisuse::BadAddress)?;
        let content = draft.content(&to)?;
        Ok(self.core()?.send(to, content, settings)?)
    }

    /// Sends a message; `done` runs exactly once on a library thread, also after a cancel and on close.
    ///
    /// # Errors
    /// As [`Account::send_start`]; `done` is then dropped without being called.
    pub fn send_then(
        &self,
        to: &str,
        draft: Draft,
        options: SendOptions,
        done: impl FnOnce(Completion) + Send + 'static,
    ) -> Result<OpId, Error> {
        let sending = self.start_send(to, draft, options, false)?;
        let op = sending.op;
        let lost = move || Completion {
            op,
            result: Err(Error::closed()),
        };
        let completer = Completer::new(done, lost, Arc::clone(&self.0.in_flight));
        self.0
            .handle
            .spawn(async move { completer.complete(Completion::new(op, sending.await)) });
        Ok(op)
    }

    /// Encrypts and uploads a file for a message. Dropped, it is given up.
    ///
    /// # Errors
    /// The 300s, `Closed`, `Forked`.
    pub async fn upload(&self, kind: MediaKind, source: Source) -> Result<Media, Error> {
        transfer::upload(self.core()?.clone(), kind, source).await
    }

    /// As [`Account::upload`], waiting up to `timeout` (`None`: for ever).
    ///
    /// # Errors
    /// As [`Account::upload`]; `Timeout`, `WouldDeadlock`.
    pub fn upload_wait(
        &self,
        kind: MediaKind,
        source: Source,
        timeout: Option<Duration>,
    ) -> Result<Media, Error> {
        let upload = transfer::upload(self.core()?.clone(), kind, source);
        transfer::wait(&self.0.handle, timeout, upload)
    }

    /// As [`Account::upload`]; `done` runs exactly once on a library thread.
    ///
    /// # Errors
    /// `Closed`, `Forked`; `done` is then dropped without being called.
    pub fn upload_then(
        &self,
        kind: MediaKind,
        source: Source,
        done: impl FnOnce(OpId, Result<Media, Error>) + Send + 'static,
    ) -> Result<OpId, Error> {
        let upload = transfer::upload(self.core()?.clone(), kind, source);
        self.transfer(upload, done)
    }

    /// Downloads a file to a path or a writer, which sees nothing of it before all of it was verified;
    /// the number of bytes. Dropped, it is given up.
    ///
    /// # Errors
    /// The 300s, `InvalidArgument`, `Closed`, `Forked`.
    pub async fn download(&self, media: Media, sink: Sink) -> Result<u64, Error> {
        let (core, runtime) = (self.core()?.clone(), self.0.handle.clone());
        transfer::download(core, runtime, media, sink).await
    }

    /// As [`Account::download`], waiting up to `timeout` (`None`: for ever).
    ///
    /// # Errors
    /// As [`Account::download`]; `Timeout`, `WouldDeadlock`.
    pub fn download_wait(
        &self,
        media: Media,
        sink: Sink,
        timeout: Option<Duration>,
    ) -> Result<u64, Error> {
        transfer::wait(&self.0.handle, timeout, self.download(media, sink))
    }

    /// As [`Account::download`]; `done` runs exactly once on a library thread.
    ///
    /// # Errors
    /// `Closed`, `Forked`; `done` is then dropped without being called.
    pub fn download_then(
        &self,
        media: Media,
        sink: Sink,
        done: impl FnOnce(OpId, Result<u64, Error>) + Send + 'static,
    ) -> Result<OpId, Error> {
        let (core, runtime) = (self.core()?.clone(), self.0.handle.clone());
        self.transfer(transfer::download(core, runtime, media, sink), done)
    }

    /// Gives up an upload or a download that has a callback. An ended or unknown one is left alone.
    ///
    /// # Errors
    /// `Forked`.
    pub fn cancel_transfer(&self, op: OpId) -> Result<(), Error> {
        self.0.home.check()?;
        self.0.transfers.cancel(op);
        Ok(())
    }

    fn transfer<T: Send + 'static>(
        &self,
        transfer: impl Future<Output = Result<T, Error>> + Send + 'static,
        done: impl FnOnce(OpId, Result<T, Error>) + Send + 'static,
    ) -> Result<OpId, Error> {
        let (op, given_up) = self.0.transfers.begin()?;
        let (transfers, in_flight) = (&self.0.transfers, &self.0.in_flight);
        let running = Arc::clone(transfers);
        let end = move |result| {
            running.end(op);
            done(op, result);
        };
        let lost = || Err(Error::closed());
        let completer = Completer::new(end, lost, Arc::clone(in_flight));
        self.0.handle.spawn(async move {
            completer.complete(transfer::unless(&given_up, transfer).await);
        });
        Ok(op)
    }

    /// Whether messages to these may be sent, by what is known here; the server is not asked. `to`
    /// as in [`Account::send`].
    ///
    /// # Errors
    /// `NotPaired`, a misuse, a failing store, `Closed`, `Forked`, `WouldDeadlock`.
    pub fn can_send(&self, to: &[&str], hint: RecipientHint) -> Result<Vec<CanSend>, Error> {
        self.ask(questions::can_send(to, hint)?)
    }

    /// What happened with a contact, and what is known about it.
    ///
    /// # Errors
    /// As [`Account::can_send`].
    pub fn explain(&self, to: &str) -> Result<Explanation, Error> {
        self.ask(questions::explain(to)?)
    }

    /// The limits of the account, with when and from whom each is known.
    ///
    /// # Errors
    /// As [`Account::can_send`].
    pub fn limits(&self) -> Result<Limits, Error> {
        self.ask(Inquiry::Limits)
    }

    fn ask<A: Asked>(&self, inquiry: Inquiry) -> Result<A, Error> {
        runtime::may_block()?;
        let answer = self.core()?.ask(inquiry)?;
        let unpaired = || Refusal::local(None, Cause::NotPaired);
        A::of(answer.ok_or_else(unpaired)?)
    }

    /// The host no longer wants the operation. What has left stays sent; its end comes as usual.
    ///
    /// # Errors
    /// `Closed`, `Forked`.
    pub fn cancel(&self, op: OpId) -> Result<(), Error> {
        Ok(self.core()?.cancel(op)?)
    }

    /// The next event, waiting up to `timeout` (`None`: for ever).
    ///
    /// # Errors
    /// `Timeout`, `Closed`, `Forked`, `WouldDeadlock`.
    pub fn next_event(&self, timeout: Option<Duration>) -> Result<AccountEvent, Error> {
        let core = self.core()?;
        if timeout != Some(Duration::ZERO) {
            runtime::may_block()?;
        }
        let event = core.next_event(timeout)?;
        event.map(Into::into).ok_or_else(Error::timeout)
    }

    /// The next event, for a task.
    ///
    /// # Errors
    /// `Closed`, `Forked`.
    pub async fn event(&self) -> Result<AccountEvent, Error> {
        Ok(self.core()?.event().await?.into())
    }

    /// Waits until [`Account::next_event`] has something to say, and takes nothing.
    ///
    /// # Errors
    /// `Forked`.
    pub async fn readable(&self) -> Result<(), Error> {
        Ok(self.core()?.readable().await?)
    }

    /// A descriptor that is readable while an event waits, and once the account is closed. It is
    /// only to be polled, and belongs to the account.
    ///
    /// # Errors
    /// `Runtime` when the system has no descriptor left; `Forked`.
    pub fn event_fd(&self) -> Result<RawFd, Error> {
        Ok(self.core()?.event_fd()?)
    }

    /// Ends the connection and every open send, runs their callbacks and wakes everybody who waits.
    /// What is still in the queue can be taken. A second call does nothing.
    ///
    /// # Errors
    /// `WouldDeadlock` in a callback; `Forked` in a child process.
    pub fn close(&self) -> Result<(), Error> {
        self.0.home.check()?;
        runtime::may_block()?;
        self.0.close()
    }

    fn core(&self) -> Result<&core::Account, Error> {
        self.0.home.check()?;
        Ok(&self.0.core)
    }
}

impl AccountInner {
    pub(super) fn close(&self) -> Result<(), Error> {
        self.core.close()?;
        self.transfers.close();
        self.in_flight.wait_idle();
        Ok(())
    }
}

/// Calls `done` exactly once: with the end, or with what `lost` gives when the task that waits for the
/// end is dropped.
struct Completer<T, F: FnOnce(T), L: FnOnce() -> T> {
    done: Option<(F, L)>,
    in_flight: Arc<InFlight>,
    _end: PhantomData<fn(T)>,
}

impl<T, F: FnOnce(T), L: FnOnce() -> T> Completer<T, F, L> {
    fn new(done: F, lost: L, in_flight: Arc<InFlight>) -> Self {
        in_flight.enter();
        Self {
            done: Some((done, lost)),
            in_flight,
            _end: PhantomData,
        }
    }

    fn complete(mut self, end: T) {
        if let Some((done, _)) = self.done.take() {
            runtime::within_library(|| done(end));
        }
    }
}

impl<T, F: FnOnce(T), L: FnOnce() -> T> Drop for Completer<T, F, L> {
    fn drop(&mut self) {
        if let Some((done, lost)) = self.done.take() {
            runtime::within_library(|| done(lost()));
        }
        self.in_flight.leave();
    }
}
