//! One account as foreign hosts see it.

use std::os::fd::RawFd;
use std::sync::{Arc, Weak};
use std::time::Duration;

use sendpath_engine as core;
use sendpath_protocol::account::Inquiry;
use sendpath_protocol::config::{DeviceConfig, ServerConfig};
use sendpath_protocol::effect::OpId;
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::mex::DocIds;
use sendpath_protocol::request::ForgetAccount;
use sendpath_protocol::verdict::{Cause, MessageId, Refusal};
use tokio::runtime::Handle;

use super::AccountStatus;
use super::error::Error;
use super::event::{AccountEvent, Completion};
use super::limits::Limits;
use super::pending::Pending;
use super::questions::{self, Asked, CanSend, Explanation};
use super::runtime::{self, Home, InFlight};

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
}

impl From<AccountConfig> for core::AccountConfig {
    fn from(config: AccountConfig) -> Self {
        let mut settings = Self::default();
        settings.server = config.server;
        settings.device = config.device;
        settings.settings.documents = config.documents;
        settings.settings.strict_props = config.strict_props;
        settings.event_capacity = config.event_capacity.unwrap_or(settings.event_capacity);
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
}

impl Account {
    pub(super) fn start(core: core::Account, home: Home, handle: Handle) -> Self {
        Self(Arc::new(AccountInner {
            core,
            home,
            handle,
            in_flight: Arc::default(),
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

    /// Sends a text; the end comes as an [`AccountEvent::Outcome`].
    ///
    /// # Errors
    /// A misuse, `Closed` or `Forked`; then there is no operation and no outcome.
    pub fn send_text_start(
        &self,
        to: &str,
        text: &str,
        options: SendOptions,
    ) -> Result<OpId, Error> {
        Ok(self.start_text(to, text, options, true)?.op)
    }

    /// Sends a text and returns something to wait for.
    ///
    /// # Errors
    /// As [`Account::send_text_start`].
    pub fn send_text(&self, to: &str, text: &str, options: SendOptions) -> Result<Pending, Error> {
        let sending = self.start_text(to, text, options, false)?;
        Ok(Pending::new(self.0.core.clone(), sending))
    }

    fn start_text(
        &self,
        to: &str,
        text: &str,
        options: SendOptions,
        report: bool,
    ) -> Result<core::Sending, Error> {
        let mut settings = core::SendOptions::default();
        settings.id = options.id;
        settings.recipient = options.recipient;
        settings.deadline = options.deadline;
        settings.report = report;
        Ok(self.core()?.send_text(to, text, settings)?)
    }

    /// Sends a text; `done` runs exactly once on a library thread, also after a cancel and on close.
    ///
    /// # Errors
    /// As [`Account::send_text_start`]; `done` is then dropped without being called.
    pub fn send_text_then(
        &self,
        to: &str,
        text: &str,
        options: SendOptions,
        done: impl FnOnce(Completion) + Send + 'static,
    ) -> Result<OpId, Error> {
        let sending = self.start_text(to, text, options, false)?;
        let op = sending.op;
        let completer = Completer::new(op, done, Arc::clone(&self.0.in_flight));
        self.0
            .handle
            .spawn(async move { completer.complete(Completion::new(op, sending.await)) });
        Ok(op)
    }

    /// Whether messages to these may be sent, by what is known here; the server is not asked. `to`
    /// as in [`Account::send_text`].
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
        self.in_flight.wait_idle();
        Ok(())
    }
}

/// Calls `done` exactly once: with the end, or with `Closed` when the task that waits for the end is
/// dropped.
struct Completer<F: FnOnce(Completion)> {
    op: OpId,
    done: Option<F>,
    in_flight: Arc<InFlight>,
}

impl<F: FnOnce(Completion)> Completer<F> {
    fn new(op: OpId, done: F, in_flight: Arc<InFlight>) -> Self {
        in_flight.enter();
        Self {
            op,
            done: Some(done),
            in_flight,
        }
    }

    fn complete(mut self, completion: Completion) {
        self.call(completion);
    }

    fn call(&mut self, completion: Completion) {
        if let Some(done) = self.done.take() {
            runtime::within_library(|| done(completion));
        }
    }
}

impl<F: FnOnce(Completion)> Drop for Completer<F> {
    fn drop(&mut self) {
        self.call(Completion {
            op: self.op,
            result: Err(Error::closed()),
        });
        self.in_flight.leave();
    }
}
