//! The loop: take what has come, let sessions handle it, commit once, only then act.
//!
//! ```text
//! messages -> inboxes -> round { up to 64 sessions or 2 ms; one input each; ONE commit; effects }
//! ```
//! One thread owns the store and every session, so nothing here needs a lock. An input waits for
//! the next round while a step of its session, or of a session of the same account, is not yet
//! committed. While a commit is flushed to the disk the next round's inputs gather, which makes
//! groups large exactly when commits are slow.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender};

use sendpath_handoff::{Answerer, Completer, Shared};
use sendpath_protocol::account::{Answer, Inquiry};
use sendpath_protocol::effect::{Effect, OpId};
use sendpath_protocol::error::{Fault, StoreError};
use sendpath_protocol::event::DisconnectReason;
use sendpath_protocol::media::fetch::{FetchError, FetchId, Fetched};
use sendpath_protocol::request::AnyRequest;
use sendpath_protocol::session::{Command, Input, SendRequest, SessionConfig};
use sendpath_protocol::time::{Millis, Mono};
use sendpath_protocol::txn::{Batch, Scope, Store};
use sendpath_transport::Proxy;

use crate::clock::{Clock, Random};
use crate::engine::EngineError;
use crate::machine::{Machine, Open};
use crate::slot::{self, Slot, Work};
use crate::socket::{Dial, Outlet, SocketEvent};

/// Steps in one commit. More makes the first of them wait longer for its effects.
const ROUND_STEPS: usize = 64;
/// Time for handling inputs before what there is gets committed.
const ROUND_TIME: Millis = Millis(2);
/// Messages taken between two rounds.
const INTAKE: usize = 256;

/// The number of an open account; never used again.
pub(crate) type SlotId = u64;

/// Everything that reaches a shard.
pub(crate) enum Message {
    Host(SlotId, Request),
    Fetched(SlotId, FetchId, Result<Fetched, FetchError>),
    Open(Box<Opening>),
    Shutdown,
    Socket(SlotId, u64, SocketEvent),
    /// The clock was moved.
    Wake,
}

/// An account to open.
pub(crate) struct Opening {
    pub(crate) name: String,
    pub(crate) config: SessionConfig,
    pub(crate) proxy: Option<Arc<Proxy>>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) reply: SyncSender<Result<SlotId, EngineError>>,
}

/// What a host asks of an account.
pub(crate) enum Request {
    Ask(Inquiry, SyncSender<Result<Option<Answer>, EngineError>>),
    Cancel(OpId),
    /// The sender is dropped when it is done.
    Close(Option<SyncSender<()>>),
    /// A command that ends without an outcome.
    Command(OpId, Command),
    Connect,
    Disconnect,
    Send(SendRequest, Completer),
    /// A command that ends in a reply.
    Server(OpId, AnyRequest, Answerer),
}

/// One store, the sessions in it, and their connections.
pub(crate) struct Shard {
    pub(crate) store: Box<dyn Store + Send>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dialer: Box<dyn Dial>,
    pub(crate) open: Open,
    /// For the inlets of connections.
    pub(crate) inbox: Sender<Message>,
    pub(crate) slots: HashMap<SlotId, Slot>,
    pub(crate) scopes: HashSet<Scope>,
    pub(crate) ready: VecDeque<SlotId>,
    pub(crate) deadlines: BTreeSet<(Mono, SlotId)>,
    pub(crate) last_slot: SlotId,
    pub(crate) last_connection: u64,
    stopping: bool,
}

impl Shard {
    pub(crate) fn new(
        store: Box<dyn Store + Send>,
        clock: Arc<dyn Clock>,
        dialer: Box<dyn Dial>,
        open: Open,
        inbox: Sender<Message>,
    ) -> Self {
        Self {
            store,
            clock,
            dialer,
            open,
            inbox,
            slots: HashMap::new(),
            scopes: HashSet::new(),
            ready: VecDeque::new(),
            deadlines: BTreeSet::new(),
            last_slot: 0,
            last_connection: 0,
            stopping: false,
        }
    }

    /// Runs until told to shut down.
    pub(crate) fn run(mut self, messages: &Receiver<Message>) {
        while !self.stopping {
            if self.ready.is_empty() {
                self.wait(messages);
            }
            let waiting = messages.try_iter().take(INTAKE);
            waiting.for_each(|message| self.take(message));
            self.fire();
            self.round();
        }
    }

    fn wait(&mut self, messages: &Receiver<Message>) {
        let next = self.deadlines.first();
        let message = match next.and_then(|(at, _)| self.clock.until(*at)) {
            Some(sleep) => messages.recv_timeout(sleep).ok(),
            None => messages.recv().ok(),
        };
        if let Some(message) = message {
            self.take(message);
        }
    }

    /// Sorts one message in.
    pub(crate) fn take(&mut self, message: Message) {
        match message {
            Message::Host(id, request) => self.request(id, request),
            Message::Open(opening) => {
                let reply = opening.reply.clone();
                // A host that no longer waits has dropped the account, which closes it.
                let _ = reply.send(self.open_slot(*opening));
            }
            Message::Fetched(id, fetch, end) => {
                if let Some(slot) = self.slots.get_mut(&id) {
                    slot.fetched(fetch, end);
                    self.settle(id);
                }
            }
            Message::Shutdown => {
                self.stopping = true;
                let ids: Vec<_> = self.slots.keys().copied().collect();
                ids.into_iter().for_each(|id| self.close(id));
            }
            Message::Socket(id, connection, event) => self.socket(id, connection, event),
            Message::Wake => {}
        }
    }

    fn request(&mut self, id: SlotId, request: Request) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let (now, rng) = (self.clock.now(), &mut Random(&*self.clock));
        let command = |op, command| Work::from(Input::Command(op, command));
        match request {
            Request::Ask(inquiry, reply) => {
                let (store, machine) = (&*self.store, slot.machine.as_mut());
                let ask =
                    |machine: &mut Box<dyn Machine>| machine.ask_account(now, store, &inquiry);
                let answer = guarded(|| Ok(machine.map(ask).transpose()?.flatten()));
                // A host that no longer waits wants no answer.
                let _ = reply.send(answer.map_err(EngineError::from));
            }
            Request::Cancel(op) => slot.cancel(op),
            Request::Close(_reply) => return self.close(id),
            Request::Connect => {
                if !slot.wanted {
                    slot.wanted = true;
                    slot.retry = slot.retry.or(Some(now.mono));
                }
            }
            Request::Disconnect => {
                slot.wanted = false;
                slot.lose(now, rng, DisconnectReason::Stopped);
                slot.retry = slot.retry.filter(|_| slot.machine.is_none());
            }
            Request::Command(op, given) => slot.inbox.push_back(command(op, given)),
            Request::Server(op, request, answerer) => {
                slot.requests.insert(op, answerer);
                slot.inbox.push_back(command(op, Command::Request(request)));
            }
            Request::Send(request, completer) => {
                let send = command(completer.op, Command::Send(request));
                let completer = Some(completer);
                slot.inbox.push_back(Work { completer, ..send });
            }
        }
        self.settle(id);
    }

    fn socket(&mut self, id: SlotId, connection: u64, event: SocketEvent) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let Some(current) = slot.connection.as_mut().filter(|c| c.id == connection) else {
            return;
        };
        let (now, rng) = (self.clock.now(), &mut Random(&*self.clock));
        match event {
            SocketEvent::Bytes(bytes, permit) => {
                if let Err(reason) = slot.receive(now, &bytes, permit) {
                    slot.lose(now, rng, reason);
                }
            }
            SocketEvent::Ended(reason) => slot.lose(now, rng, reason),
            SocketEvent::Opened => current.limit = Some(now.mono.plus(slot::LIMIT)),
        }
        self.settle(id);
    }

    /// Looks after everything whose time has come.
    pub(crate) fn fire(&mut self) {
        let now = self.clock.now();
        while let Some(&(at, id)) = self.deadlines.first() {
            if at > now.mono {
                break;
            }
            self.deadlines.remove(&(at, id));
            let Some(slot) = self.slots.get_mut(&id) else {
                continue;
            };
            slot.armed = None;
            slot.expire(now, &mut Random(&*self.clock));
            if slot.retry.is_some_and(|retry| retry <= now.mono) {
                slot.retry = None;
                self.revive(id);
            }
            self.settle(id);
        }
    }

    /// One input of each session that has one, one commit for all of them.
    pub(crate) fn round(&mut self) {
        let start = self.clock.now().mono;
        let mut batch = Batch::default();
        let (mut taken, mut later) = (Vec::new(), Vec::new());
        for _ in 0..self.ready.len() {
            let over = self.clock.now().mono.since(start) >= ROUND_TIME;
            if batch.len() >= ROUND_STEPS || (over && !batch.is_empty()) {
                break;
            }
            let Some(id) = self.ready.pop_front() else {
                break;
            };
            match self.handle(id, &mut batch) {
                Handled::Later => later.push(id),
                Handled::Nothing => {}
                Handled::Stepped(op) => taken.push((id, op)),
            }
        }
        self.ready.extend(later);
        let committed = guarded(|| Ok(batch.commit(&mut *self.store)));
        let mut committed: HashMap<_, _> = committed.into_iter().flatten().collect();
        for (id, op) in taken {
            let Some(slot) = self.slots.get_mut(&id) else {
                continue;
            };
            let panicked = || Err(StoreError::Host("the store panicked".into()));
            match committed.remove(&slot.fence.scope).unwrap_or_else(panicked) {
                Ok(effects) => {
                    let operation = op.and_then(|op| slot.operations.get_mut(&op));
                    operation.into_iter().for_each(Completer::kept);
                    self.release(id, effects);
                }
                Err(error) => self.fail(id, error.into()),
            }
        }
    }

    /// Lets a session handle its next input.
    fn handle(&mut self, id: SlotId, batch: &mut Batch) -> Handled {
        let Some(slot) = self.slots.get_mut(&id) else {
            return Handled::Nothing;
        };
        let account = slot.machine.as_ref().and_then(|m| m.account_scope());
        if account.is_some_and(|scope| batch.touches(scope)) {
            return Handled::Later;
        }
        slot.queued = false;
        let Some(machine) = &mut slot.machine else {
            return Handled::Nothing;
        };
        let Some(work) = slot.inbox.pop_front() else {
            return Handled::Nothing;
        };
        let (now, rng) = (self.clock.now(), &mut Random(&*self.clock));
        let op = work.completer.map(|mut completer| {
            let op = completer.op;
            completer.handed();
            slot.operations.insert(op, completer);
            op
        });
        if matches!(work.input, Input::Tick) {
            slot.ticked = Some(now.mono);
        }
        match guarded(|| machine.handle(now, rng, &*self.store, work.input)) {
            Ok(step) => {
                batch.add(slot.fence.clone(), step);
                Handled::Stepped(op)
            }
            Err(fault) => {
                self.fail(id, fault);
                Handled::Nothing
            }
        }
    }

    /// Acts on the effects of a committed step.
    pub(crate) fn release(&mut self, id: SlotId, effects: Vec<Effect>) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.act(self.clock.now(), &mut Random(&*self.clock), effects);
            for fetch in std::mem::take(&mut slot.wanted_blobs) {
                let shard = self.inbox.clone();
                let (name, outlet) = (fetch.id, Outlet { slot: id, shard });
                let task = self.dialer.fetch(fetch, slot.proxy.clone(), outlet);
                slot.fetches.insert(name, task);
            }
            self.settle(id);
        }
    }

    /// Puts a slot where it belongs after anything happened to it.
    pub(crate) fn settle(&mut self, id: SlotId) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        slot.publish(self.clock.now());
        if slot.machine.is_none() && slot.retry.is_none() {
            // Nobody will ever handle these.
            slot.inbox.clear();
            slot.requests.clear();
        }
        if slot.is_ready() && !slot.queued {
            slot.queued = true;
            self.ready.push_back(id);
        }
        let deadline = slot.deadline();
        if deadline != slot.armed {
            if let Some(old) = slot.armed {
                self.deadlines.remove(&(old, id));
            }
            if let Some(new) = deadline {
                self.deadlines.insert((new, id));
            }
            slot.armed = deadline;
        }
    }
}

enum Handled {
    /// The account's rows are being written by another session.
    Later,
    /// There was nothing to handle, or it failed.
    Nothing,
    /// A step is in the batch; an operation that started in it.
    Stepped(Option<OpId>),
}

/// A panic of a session or of a host's store costs that session, not the shard.
pub(crate) fn guarded<T>(body: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(Err(Fault::Bug("a panic in a step")))
}
