//! One account through one linked device: inputs in, steps out.
//!
//! ```text
//! Session::open(slot) -> handle(Established) -> handle(Received ..) .. -> handle(Lost) -> ..
//! ```
//! This module composes: it routes inputs to the features and keeps what only lives as long as a
//! connection. Everything that must survive is in the store, so a session that met a [`Fault`] is
//! dropped and opened again.

mod addressing;
mod answers;
mod appstate;
mod composing;
mod group;
mod history;
mod ib;
mod input;
mod media;
mod newsletter;
mod notify;
mod online;
mod pairing;
mod peer;
mod placeholder;
mod protocol;
mod queries;
mod receipt;
mod receive;
mod rekey;
mod requests;
mod resolving;
mod retry;
mod roster;
mod route;
mod sending;
mod source;
mod upkeep;

use std::collections::BTreeMap;

use crate::account::{Account, Answer, Background, Inquiry};
use crate::appstate::AppState;
use crate::crypto::curve::KeyPair;
use crate::device::DeviceRecord;
use crate::effect::{Effect, OpId, Reconnect, Stanza};
use crate::error::{Fault, StoreError};
use crate::event::{DisconnectReason, Event};
use crate::inbox::Inbox;
use crate::jid::Jid;
use crate::login;
use crate::noise::{Link, LinkConfig};
use crate::pair::Pairing;
use crate::placeholder::Placeholders;
use crate::request::RequestError;
use crate::secret::Entropy;
use crate::send::Outgoing;
use crate::send::outbox::Outbox;
use crate::signal::OwnIdentity;
use crate::stream::iq::{IQ_TIMEOUT, IqEnd, Pending};
use crate::stream::keepalive::KeepAlive;
use crate::stream::offline::OfflineQueue;
use crate::stream::receipts::Receipts;
use crate::tctoken::policy::Own;
use crate::time::{Mono, Now, UnixSeconds};
use crate::txn::{self, Cx, Reader, Scope, Step, Txn};
use crate::verdict::{Cause, Lost, MessageId, Outcome, Refusal};
use crate::wap::{self, Node};

pub use input::{Blobs, Command, Content, Input, Phase, SendRequest, SessionConfig, Status};
use queries::Purpose;

/// One account through one linked device.
#[derive(Debug)]
pub struct Session {
    slot: Scope,
    config: SessionConfig,
    device: DeviceRecord,
    account: Option<Account>,
    phase: Phase,
    /// Connections opened by this process, for the login payload.
    attempts: u32,
    iqs: Pending<Purpose>,
    pairing: Pairing,
    keepalive: Option<KeepAlive>,
    offline_queue: OfflineQueue,
    /// Receipts of the backlog that have not left.
    receipts: Receipts,
    /// Connections in a row that did not come up although we gave routing bytes.
    routing_failures: u8,
    /// When an unanswered login is given up.
    login_deadline: Option<Mono>,
    sends: Vec<Outgoing>,
    outbox: Outbox,
    inbox: Inbox,
    /// Operations of refused messages whose cause is not known yet.
    refused: BTreeMap<MessageId, Option<OpId>>,
    /// The instant of the last input.
    last: Option<Now>,
    retries: retry::Counts,
    /// Groups to which a message without an answer brings our key.
    spreading: BTreeMap<Jid, MessageId>,
    /// How often we encrypted a group message anew, by device.
    answered_retries: retry::Counts,
    /// Sessions that devices fail in.
    bases: retry::Bases,
    rekeys: Vec<rekey::Rekey>,
    requests: requests::Requests,
    upkeep: upkeep::Upkeep,
    media: media::Media,
    history: history::Parts,
    app_state: AppState,
    key_questions: peer::KeyQuestions,
    placeholders: Placeholders,
    published: newsletter::Published,
    /// Inputs that made no sense and were answered, but changed nothing.
    ignored: u64,
}

impl Session {
    /// Opens the slot `name`: reads what is stored, or makes the keys of a new device. Commit the
    /// step before anything else.
    ///
    /// # Errors
    /// [`Fault::Store`] if the store fails.
    pub fn open(
        name: &str,
        config: SessionConfig,
        now: Now,
        rng: &mut dyn Entropy,
        reader: &dyn Reader,
    ) -> Result<(Self, Step), Fault> {
        let slot = Scope::slot(name);
        let mut opened = None;
        let step = txn::step(now, rng, reader, |cx| {
            let device = DeviceRecord::load_or_create(cx, &slot)?;
            let outbox = Outbox::load(&cx.txn, &slot)?;
            let inbox = Inbox::load(&cx.txn, &slot)?;
            let mut session = Self {
                account: None,
                attempts: 0,
                device,
                phase: Phase::Offline,
                iqs: Pending::new(cx.rng),
                pairing: Pairing::default(),
                keepalive: None,
                offline_queue: OfflineQueue::default(),
                receipts: Receipts::default(),
                routing_failures: 0,
                login_deadline: None,
                sends: Vec::new(),
                outbox,
                inbox,
                refused: BTreeMap::new(),
                last: None,
                retries: retry::Counts::default(),
                spreading: BTreeMap::new(),
                answered_retries: retry::Counts::default(),
                bases: retry::Bases::default(),
                rekeys: Vec::new(),
                requests: requests::Requests::default(),
                upkeep: upkeep::Upkeep::default(),
                media: media::Media::default(),
                history: history::Parts::load(&cx.txn, &slot)?,
                app_state: AppState::default(),
                key_questions: peer::KeyQuestions::default(),
                placeholders: Placeholders::load(&cx.txn, &slot, cx.now.mono)?,
                published: newsletter::Published::default(),
                ignored: 0,
                slot,
                config,
            };
            session.load_account(cx)?;
            opened = Some(session);
            Ok(())
        })?;
        let session = opened.ok_or(Fault::Bug("a session opens or fails"))?;
        Ok((session, step))
    }

    /// Handles one input. Commit the step before the next input; after an `Err` drop the session
    /// and open it again.
    ///
    /// # Errors
    /// [`Fault::Store`] if the store fails, [`Fault::Bug`] for a broken assumption of ours.
    pub fn handle(
        &mut self,
        now: Now,
        rng: &mut dyn Entropy,
        reader: &dyn Reader,
        input: Input,
    ) -> Result<Step, Fault> {
        if let Some(earlier) = self
            .last
            .replace(now)
            .filter(|_| self.phase == Phase::Online)
        {
            self.device.clock.steady(earlier, now);
        }
        let step = txn::step(now, rng, reader, |cx| self.input(cx, input))?;
        let server = self.device.clock.unix(now);
        if let Some(account) = &mut self.account {
            account.wind(now, server);
        }
        Ok(step)
    }

    fn input(&mut self, cx: &mut Cx<'_>, input: Input) -> Result<(), Fault> {
        self.dispatch(cx, input)?;
        self.follow_app_state(cx)?;
        self.follow_account(cx);
        Ok(())
    }

    fn dispatch(&mut self, cx: &mut Cx<'_>, input: Input) -> Result<(), Fault> {
        match input {
            Input::Command(op, Command::Send(request)) => self.admit(cx, op, request),
            Input::Command(_, Command::Logout { keep_tokens }) => self.logout(cx, keep_tokens),
            Input::Command(_, Command::RefreshLimits) => {
                if let Some(account) = &mut self.account {
                    account.refresh_limits(cx);
                }
                Ok(())
            }
            Input::Command(op, Command::Request(request)) => self.requested(cx, op, request),
            Input::Command(_, Command::Subscribe(to)) => self.subscribe(cx, &to),
            Input::Command(_, Command::AnswerPasskey(answer)) => self.passkey_signed(cx, answer),
            Input::Command(_, Command::ConfirmPasskey) => self.passkey_confirmed(cx),
            Input::Command(_, Command::PairByCode(request)) => self.pair_by_code(cx, request),
            Input::Cancel(op) => self.cancel(cx, op),
            Input::Established => {
                self.established(cx);
                Ok(())
            }
            Input::Fetched(id, end) => self.fetched(cx, id, end),
            Input::Received(frame) => self.received(cx, &frame),
            Input::Lost(reason) => self.lost(cx, reason),
            Input::Tick => self.tick(cx),
            Input::Stop => self.stop(cx),
        }
    }

    /// Answers a host's question from what is known here, without the server; `None` while there is
    /// no account.
    ///
    /// # Errors
    /// What the store says.
    pub fn ask_account(
        &mut self,
        now: Now,
        reader: &dyn Reader,
        inquiry: &Inquiry,
    ) -> Result<Option<Answer>, StoreError> {
        let server = self.device.clock.unix(now);
        let txn = Txn::reading(reader);
        let answer = |account: &mut Account| account.answer(&txn, inquiry, server);
        self.account.as_mut().map(answer).transpose()
    }

    /// What a connection introduces itself with: the static key of its handshake and the client
    /// payload in it. [`Session::link`] uses both; a driver with a transport of its own, such as a
    /// simulation, asks here.
    pub fn introduction(&self) -> (KeyPair, Vec<u8>) {
        let login = |paired| login::login_payload(paired, &self.config.device, self.attempts);
        let payload = match self.device.paired() {
            // Without a number of our own the payload is empty, and the server refuses it.
            Some(paired) => login(paired).unwrap_or_default(),
            None => login::registration_payload(&self.device, &self.config.device),
        };
        (self.device.noise.clone(), payload)
    }

    /// A Noise link for a new connection, with its first bytes to write.
    pub fn link(&self, rng: &mut dyn Entropy) -> (Link, Vec<u8>) {
        let (static_key, payload) = self.introduction();
        let config = LinkConfig {
            root_key: self.config.server.root_key,
            clock_tolerance: self.config.server.clock_tolerance,
            static_key,
            payload,
            routing: self.device.routing.clone(),
        };
        Link::new(config, rng)
    }

    /// When [`Input::Tick`] has something to do; `None` while nothing is scheduled.
    pub fn deadline(&self) -> Option<Mono> {
        let sends = self.sends.iter().flat_map(Outgoing::deadlines);
        [
            self.iqs.deadline(),
            self.pairing.deadline(),
            self.keepalive.as_ref().map(KeepAlive::deadline),
            self.login_deadline,
            self.offline_queue.deadline(),
            self.outbox.deadline(self.phase == Phase::Online),
            self.history.deadline(),
            self.account.as_ref().and_then(Account::deadline),
            self.app_state.deadline(),
            self.upkeep.deadline(),
            self.placeholders.deadline(self.phase == Phase::Online),
        ]
        .into_iter()
        .flatten()
        .chain(sends)
        .min()
    }

    /// Where the session stands.
    pub fn status(&self) -> Status {
        let paired = self.device.paired();
        Status {
            phase: self.phase,
            jid: paired.map(|paired| paired.jid.clone()),
            lid: paired.and_then(|paired| paired.lid.clone()),
            outbox: self.outbox.len(),
            queued: self.sends.len(),
            ignored: self.ignored + self.account.as_ref().map_or(0, Account::ignored),
            blobs: self.media.counted,
            app_state: *self.app_state.counters(),
            tokens: self
                .account
                .as_ref()
                .map(|account| *account.counters())
                .unwrap_or_default(),
        }
    }

    /// The scope of the account's own rows, once paired; two sessions of one account share it.
    pub fn account_scope(&self) -> Option<&Scope> {
        self.account.as_ref().map(Account::scope)
    }

    fn load_account(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        self.account = None;
        let Some(paired) = self.device.paired() else {
            return Ok(());
        };
        let nameless = Fault::Bug("a linked device has an account");
        let own = Own::new(paired.lid.as_ref(), Some(&paired.jid)).ok_or(nameless.clone())?;
        let account = Account::load(cx, &self.slot, own, self.config.account.clone())?;
        self.account = Some(account.ok_or(nameless)?);
        self.tell_background();
        Ok(())
    }

    /// Tells the account what is known about its link.
    fn tell_background(&mut self) {
        if let (Some(account), Some(paired)) = (&mut self.account, self.device.paired()) {
            account.set_background(Background {
                linked_at: paired.linked_at,
                history_complete: paired.history_complete,
                lid_migrated: paired.lid_migrated,
            });
        }
    }

    fn cancel(&mut self, cx: &mut Cx<'_>, op: OpId) -> Result<(), Fault> {
        if let Some(at) = self.sends.iter().position(|send| send.op == Some(op)) {
            let send = self.sends.remove(at);
            self.end_send(cx, &send, Cause::Cancelled)?;
        } else if let Some(id) = self.outbox.cancel(op) {
            lose(cx, op, id, true);
        } else {
            self.requests.cancel(op);
        }
        self.progress(cx)
    }

    fn tick(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let now = cx.now.mono;
        for purpose in self.iqs.expired(now) {
            self.answered(cx, purpose, IqEnd::Timeout)?;
        }
        if self.login_deadline.is_some_and(|deadline| deadline <= now) {
            self.disconnect(cx, DisconnectReason::KeepAliveTimeout, Reconnect::Backoff)?;
        }
        self.tick_keepalive(cx)?;
        self.tick_pairing(cx)?;
        self.tick_offline_queue(cx)?;
        self.tick_sends(cx)?;
        self.tick_history(cx)?;
        self.tick_placeholders(cx)?;
        self.tick_account(cx)?;
        self.tick_upkeep(cx)?;
        self.app_state.tick(cx, &self.slot)?;
        self.progress(cx)
    }

    fn stop(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        self.drop_sends(cx, Cause::Cancelled);
        for (op, id) in self.outbox.release() {
            lose(cx, op, id, false);
        }
        self.stop_account(cx)?;
        self.end_requests(cx, &RequestError::Closed);
        if self.phase != Phase::Offline {
            self.offline(cx)?;
            cx.effect(Effect::Disconnect(Reconnect::Stop));
        }
        Ok(())
    }

    /// We end the connection: tells the host and the driver.
    fn disconnect(
        &mut self,
        cx: &mut Cx<'_>,
        reason: DisconnectReason,
        then: Reconnect,
    ) -> Result<(), Fault> {
        self.offline(cx)?;
        cx.effect(Event::Disconnected { reason });
        cx.effect(Effect::Disconnect(then));
        Ok(())
    }

    /// The connection ended by itself, or could not be opened.
    fn lost(&mut self, cx: &mut Cx<'_>, reason: DisconnectReason) -> Result<(), Fault> {
        if self.phase == Phase::Offline && reason != DisconnectReason::Stopped {
            self.routing_failed(cx);
        }
        self.offline(cx)?;
        cx.effect(Event::Disconnected { reason });
        Ok(())
    }

    /// Nothing that belonged to the connection survives it: requests end, messages that had not
    /// left ask again on the next one.
    fn offline(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        self.phase = Phase::Offline;
        self.keepalive = None;
        self.offline_queue.ended();
        self.receipts = Receipts::default();
        self.login_deadline = None;
        self.pairing.connection_lost(cx);
        if let Some(account) = &mut self.account {
            account.disconnected();
        }
        self.app_state.disconnected();
        self.upkeep.disconnected();
        self.key_questions = peer::KeyQuestions::default();
        self.placeholders.disconnected(cx.now.mono);
        for purpose in self.iqs.drain() {
            self.answered(cx, purpose, IqEnd::Disconnected)?;
        }
        self.requests.disconnected();
        self.spreading.clear();
        for send in &mut self.sends {
            send.restart();
        }
        Ok(())
    }

    fn transmit(&self, cx: &mut Cx<'_>, node: &Node) {
        cx.effect(Stanza(wap::encode(node)));
    }

    fn ask(&mut self, cx: &mut Cx<'_>, request: Node, purpose: Purpose) {
        let request = self.iqs.add(request, purpose, cx.now.mono, IQ_TIMEOUT);
        self.transmit(cx, &request);
    }

    fn server_now(&self, cx: &Cx<'_>) -> UnixSeconds {
        self.device.clock.unix(cx.now)
    }

    fn own_identity(&self) -> OwnIdentity {
        OwnIdentity {
            identity: self.device.identity.clone(),
            registration_id: self.device.registration_id,
        }
    }

    fn save_device(&self, cx: &mut Cx<'_>) {
        self.device.save(cx, &self.slot);
    }
}

fn refuse(cx: &mut Cx<'_>, op: OpId, refusal: Refusal) {
    cx.effect(Effect::Done(op, Outcome::Refused(refusal)));
}

/// Nobody waits for the answer to that message any more.
fn lose(cx: &mut Cx<'_>, op: OpId, id: MessageId, still_trying: bool) {
    let lost = Lost { id, still_trying };
    cx.effect(Effect::Done(op, Outcome::Unknown(lost)));
}
