//! What the driver's tests drive it with.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sendpath_handoff::{AccountEvent, Sending, Shared, operation};
use sendpath_protocol::account::{Answer, Inquiry};
use sendpath_protocol::effect::{Effect, OpId, Reconnect, Stanza};
use sendpath_protocol::error::{Fault, StoreError};
use sendpath_protocol::event::{DisconnectReason, Event};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::media::fetch::Fetch;
use sendpath_protocol::noise::{LinkError, LinkOutput};
use sendpath_protocol::secret::Entropy;
use sendpath_protocol::session::{
    Command, Content, Input, Phase, SendRequest, SessionConfig, Status,
};
use sendpath_protocol::time::{Millis, Mono, Now, UnixMillis, UnixSeconds};
use sendpath_protocol::txn::{self, Cx, Namespace, Reader, Record, Scope, Step};
use sendpath_protocol::verdict::{Attached, Cause, MessageId, Outcome, Refusal};
use sendpath_transport::Proxy;
use tokio::sync::{Semaphore, mpsc as frames};

use super::store::SharedStore;
use crate::clock::Clock;
use crate::machine::{Link, Machine};
use crate::shard::{Message, Opening, Request, Shard, SlotId};
use crate::socket::{Dial, Inlet, Outlet, SocketEvent, Task, Writer};

/// A guard against a test that hangs; nothing waits that long when the code is right.
pub(super) const GUARD: Option<Duration> = Some(Duration::from_secs(30));

/// A shard without its thread: the test moves it.
pub(super) struct Rig {
    pub(super) shard: Shard,
    messages: Receiver<Message>,
    pub(super) clock: Arc<DrivenClock>,
    pub(super) store: SharedStore,
    dials: Receiver<Dialed>,
    last_op: u64,
}

impl Rig {
    pub(super) fn new() -> Self {
        let (clock, store) = (Arc::new(DrivenClock::default()), SharedStore::default());
        let (dialer, dials) = FakeDialer::new();
        let boxed = Box::new(store.clone());
        let (inbox, messages) = mpsc::channel();
        let dialer = Box::new(dialer);
        let shard = Shard::new(boxed, clock.clone(), dialer, open_scripted, inbox);
        Self {
            shard,
            messages,
            clock,
            store,
            dials,
            last_op: 0,
        }
    }

    /// Lets everything happen that can happen now.
    pub(super) fn settle(&mut self) {
        loop {
            let mut quiet = true;
            while let Ok(message) = self.messages.try_recv() {
                self.shard.take(message);
                quiet = false;
            }
            self.shard.fire();
            if quiet && self.shard.ready.is_empty() {
                return;
            }
            self.shard.round();
        }
    }

    pub(super) fn advance(&mut self, millis: u64) {
        self.clock.advance(millis);
        self.settle();
    }

    pub(super) fn open(&mut self, name: &str) -> Handle {
        let shared = Shared::new(1000);
        let (reply, opened) = mpsc::sync_channel(1);
        self.shard.take(Message::Open(Box::new(Opening {
            name: name.into(),
            config: SessionConfig::default(),
            proxy: None,
            shared: shared.clone(),
            reply,
        })));
        let id = opened.recv().unwrap().unwrap();
        Handle { id, shared }
    }

    pub(super) fn ask(&mut self, handle: &Handle, request: Request) {
        self.shard.take(Message::Host(handle.id, request));
    }

    pub(super) fn send(&mut self, handle: &Handle, text: &str) -> Sending {
        self.last_op += 1;
        let (op, id) = (OpId(self.last_op), message_id(self.last_op));
        let (inbox, slot) = (self.shard.inbox.clone(), handle.id);
        let cancel = move || drop(inbox.send(Message::Host(slot, Request::Cancel(op))));
        let (sending, completer) = operation(op, id.clone(), None, None, Box::new(cancel));
        let request = SendRequest {
            to: Jid::pn("1"),
            recipient: RecipientHint::Ordinary,
            content: Content::Text(text.into()),
            id: Some(id),
            deadline: None,
            media_id: None,
        };
        self.ask(handle, Request::Send(request, completer));
        sending
    }

    /// The connection dialled since the last call, if there was one.
    pub(super) fn dialed(&self) -> Option<Dialed> {
        let dialed = self.dials.try_recv().ok();
        assert!(self.dials.try_recv().is_err(), "one dial at a time");
        dialed
    }

    /// Connects and completes the handshake.
    pub(super) fn connected(&mut self, handle: &Handle) -> Dialed {
        self.ask(handle, Request::Connect);
        self.settle();
        let dialed = self.dialed().expect("connecting dials");
        dialed.establish();
        self.settle();
        dialed
    }
}

/// An account as its host sees it.
pub(super) struct Handle {
    pub(super) id: SlotId,
    pub(super) shared: Arc<Shared>,
}

impl Handle {
    pub(super) fn events(&self) -> Vec<AccountEvent> {
        let next = || self.shared.events.next(Some(Duration::ZERO)).ok().flatten();
        std::iter::from_fn(next).collect()
    }
}

/// The far end of a connection.
pub(super) struct Dialed {
    inlet: Inlet,
    pub(super) first: Vec<u8>,
    frames: frames::Receiver<Vec<u8>>,
}

impl Dialed {
    pub(super) fn opened(&self) {
        self.inlet.tell(SocketEvent::Opened);
    }

    pub(super) fn establish(&self) {
        self.opened();
        self.says(b"E");
    }

    pub(super) fn says(&self, bytes: &[u8]) {
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        self.inlet.tell(SocketEvent::Bytes(bytes.to_vec(), permit));
    }

    /// What was written since the last call.
    pub(super) fn heard(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.frames.try_recv().ok()).collect()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.frames.is_closed()
    }
}

pub(super) struct FakeDialer(Sender<Dialed>);

impl FakeDialer {
    pub(super) fn new() -> (Self, Receiver<Dialed>) {
        let (dialer, dials) = mpsc::channel();
        (Self(dialer), dials)
    }
}

impl Dial for FakeDialer {
    fn dial(&self, _: &str, _: Option<Arc<Proxy>>, first: Vec<u8>, inlet: Inlet) -> Writer {
        let (writer, frames) = Writer::new();
        let dialed = Dialed {
            inlet,
            first,
            frames,
        };
        // A test that is over has no use for it.
        let _ = self.0.send(dialed);
        writer
    }

    fn fetch(&self, _: Fetch, _: Option<Arc<Proxy>>, _: Outlet) -> Task {
        panic!("no scripted session fetches")
    }
}

/// Time stands still until it is moved.
pub(super) struct DrivenClock {
    mono: Mutex<u64>,
    rng: Mutex<ChaCha8Rng>,
    wake: Mutex<Option<Box<dyn Fn() + Send + Sync>>>,
}

impl Default for DrivenClock {
    fn default() -> Self {
        Self {
            mono: Mutex::new(1000),
            rng: Mutex::new(ChaCha8Rng::seed_from_u64(7)),
            wake: Mutex::default(),
        }
    }
}

impl DrivenClock {
    pub(super) fn mono(&self) -> u64 {
        *self.mono.lock().unwrap()
    }

    pub(super) fn advance(&self, millis: u64) {
        *self.mono.lock().unwrap() += millis;
        if let Some(wake) = &*self.wake.lock().unwrap() {
            wake();
        }
    }
}

impl Clock for DrivenClock {
    fn now(&self) -> Now {
        let mono = *self.mono.lock().unwrap();
        let wall = 1_700_000_000_000 + i64::try_from(mono).unwrap();
        Now::new(Mono(mono), UnixMillis(wall))
    }

    fn until(&self, at: Mono) -> Option<Duration> {
        (at <= self.now().mono).then_some(Duration::ZERO)
    }

    fn fill(&self, out: &mut [u8]) {
        self.rng.lock().unwrap().fill_bytes(out);
    }

    fn subscribe(&self, wake: Box<dyn Fn() + Send + Sync>) {
        *self.wake.lock().unwrap() = Some(wake);
    }
}

/// A session whose behaviour is in its inputs. It answers each `Send` by its text:
///
/// ```text
/// accept   counts in the account's rows, transmits the count, accepts
/// hold     stays open until it is cancelled or stopped    forget   stays open, even when stopped
/// break    fails as a bug        panic   panics           tick     wants a tick in 5 s
/// ```
/// and each stanza by its first byte: `N P S B` ask to reconnect now, with a penalty, never, later;
/// any other is transmitted back twice, numbered.
struct Scripted {
    slot: Scope,
    account: Option<Scope>,
    held: Vec<(OpId, MessageId)>,
    deadline: Option<Mono>,
    phase: Phase,
}

/// A session of the slot `name`; slots named `twin..` are of one account.
pub(super) fn open_scripted(
    name: &str,
    _config: SessionConfig,
    now: Now,
    rng: &mut dyn Entropy,
    reader: &dyn Reader,
) -> Result<(Box<dyn Machine>, Step), Fault> {
    let twins = || Scope::from_text("acct:twins");
    let scripted = Scripted {
        slot: Scope::slot(name),
        account: name.starts_with("twin").then(twins),
        held: Vec::new(),
        deadline: None,
        phase: Phase::Offline,
    };
    let step = txn::step(now, rng, reader, |_| Ok(()))?;
    Ok((Box::new(scripted), step))
}

impl Scripted {
    fn send(&mut self, cx: &mut Cx<'_>, op: OpId, request: SendRequest) -> Result<(), Fault> {
        let id = request.id.ok_or(Fault::Bug("the engine names messages"))?;
        let Content::Text(text) = request.content else {
            panic!("the rig knows text only");
        };
        match text.as_str() {
            "accept" => {
                let scope = self.account.as_ref().unwrap_or(&self.slot);
                let count = cx.txn.get::<Count>(scope, "n")?.map_or(1, |n| n.0 + 1);
                cx.txn.put(scope, "n", &Count(count));
                cx.effect(Stanza(vec![count]));
                cx.effect(Effect::Done(op, accepted(id)));
            }
            "hold" | "forget" => {
                cx.txn.put(&self.slot, id.as_str(), &Count(0));
                if text == "hold" {
                    self.held.push((op, id));
                }
            }
            "tick" => self.deadline = Some(cx.now.mono.plus(Millis::from_secs(5))),
            "panic" => panic!("on purpose"),
            _ => return Err(Fault::Bug("on purpose")),
        }
        Ok(())
    }

    fn received(cx: &mut Cx<'_>, bytes: &[u8]) {
        let how = match bytes {
            b"N" => Reconnect::Now,
            b"P" => Reconnect::BackoffPenalty,
            b"S" => Reconnect::Stop,
            b"B" => Reconnect::Backoff,
            b"T" => Reconnect::NotBefore(cx.now.unix().plus(3600)),
            other => {
                for number in [1, 2] {
                    cx.effect(Stanza([other, &[number]].concat()));
                }
                return;
            }
        };
        cx.effect(Effect::Disconnect(how));
    }

    fn cancelled(cx: &mut Cx<'_>, op: OpId, id: MessageId) {
        let refusal = Refusal::local(Some(id), Cause::Cancelled);
        cx.effect(Effect::Done(op, Outcome::Refused(refusal)));
    }
}

impl Machine for Scripted {
    fn handle(
        &mut self,
        now: Now,
        rng: &mut dyn Entropy,
        reader: &dyn Reader,
        input: Input,
    ) -> Result<Step, Fault> {
        txn::step(now, rng, reader, |cx| {
            match input {
                Input::Command(op, Command::Send(request)) => self.send(cx, op, request)?,
                Input::Command(_, Command::Logout { .. }) => {
                    let reason = DisconnectReason::Stopped;
                    cx.effect(Event::LoggedOut { reason });
                }
                Input::Command(..) => {}
                Input::Cancel(op) => {
                    if let Some(at) = self.held.iter().position(|(held, _)| *held == op) {
                        let (op, id) = self.held.remove(at);
                        Self::cancelled(cx, op, id);
                    }
                }
                Input::Established => {
                    self.phase = Phase::Online;
                    cx.effect(Event::Connected);
                }
                Input::Fetched(..) => {}
                Input::Received(bytes) => Self::received(cx, &bytes),
                Input::Lost(reason) => {
                    self.phase = Phase::Offline;
                    cx.effect(Event::Disconnected { reason });
                }
                Input::Tick => {
                    self.deadline = None;
                    cx.effect(Stanza(b"tick".to_vec()));
                }
                Input::Stop => {
                    for (op, id) in std::mem::take(&mut self.held) {
                        Self::cancelled(cx, op, id);
                    }
                }
            }
            Ok(())
        })
    }

    fn link(&self, _rng: &mut dyn Entropy) -> (Box<dyn Link>, Vec<u8>) {
        (Box::new(PlainLink), b"hello".to_vec())
    }

    fn deadline(&self) -> Option<Mono> {
        self.deadline
    }

    fn status(&self) -> Status {
        Status {
            phase: self.phase,
            jid: None,
            lid: None,
            outbox: self.held.len(),
            queued: 0,
            ignored: 0,
            tokens: Default::default(),
            blobs: Default::default(),
            app_state: Default::default(),
        }
    }

    fn ask_account(
        &mut self,
        _now: Now,
        _reader: &dyn Reader,
        _inquiry: &Inquiry,
    ) -> Result<Option<Answer>, StoreError> {
        Ok(None)
    }

    fn account_scope(&self) -> Option<&Scope> {
        self.account.as_ref()
    }
}

/// `E` completes the handshake, `!` breaks the link, anything else is a stanza.
struct PlainLink;

impl Link for PlainLink {
    fn receive(&mut self, _now: UnixSeconds, bytes: &[u8]) -> Result<Vec<LinkOutput>, LinkError> {
        match bytes {
            b"E" => Ok(vec![
                LinkOutput::Write(b"finish".to_vec()),
                LinkOutput::Established,
            ]),
            b"!" => Err(LinkError::Decrypt),
            stanza => Ok(vec![LinkOutput::Stanza(stanza.to_vec())]),
        }
    }

    fn seal(&mut self, stanza: &[u8]) -> Result<Vec<u8>, LinkError> {
        Ok(stanza.to_vec())
    }
}

struct Count(u8);

impl Record for Count {
    const NAMESPACE: Namespace = Namespace::Scratch;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        vec![self.0]
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        body.first().copied().map(Self)
    }
}

pub(super) fn message_id(number: u64) -> MessageId {
    MessageId::parse(&format!("M{number}")).unwrap()
}

pub(super) fn accepted(id: MessageId) -> Outcome {
    Outcome::Accepted {
        id,
        server_time: None,
        attached: Attached::Undecided,
    }
}

/// The cause of a refusal, `None` for any other outcome.
pub(super) fn cause(outcome: Option<Outcome>) -> Option<Cause> {
    match outcome {
        Some(Outcome::Refused(refusal)) => Some(refusal.cause),
        _ => None,
    }
}
