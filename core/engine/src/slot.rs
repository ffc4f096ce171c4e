//! One account as the driver sees it: its session, its connection, what waits for it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use sendpath_handoff::{Answerer, Completer, ConnectionState, Shared, Status};
use sendpath_protocol::effect::{Effect, OpId, Reconnect, Stanza};
use sendpath_protocol::error::Fault;
use sendpath_protocol::event::DisconnectReason;
use sendpath_protocol::media::fetch::{Fetch, FetchError, FetchId, Fetched};
use sendpath_protocol::noise::LinkOutput;
use sendpath_protocol::secret::Entropy;
use sendpath_protocol::session::{Input, SessionConfig};
use sendpath_protocol::stream::backoff::Backoff;
use sendpath_protocol::time::{Millis, Mono, Now};
use sendpath_protocol::txn::Fence;
use sendpath_transport::Proxy;
use tokio::sync::OwnedSemaphorePermit;

use crate::machine::{Link, Machine};
use crate::shard::Opening;
use crate::socket::{Task, Writer};

/// Time for dialling, and again for the handshake.
pub(crate) const LIMIT: Millis = Millis::from_secs(20);
/// A deadline that a tick did not move is not asked again sooner.
const TICK_PAUSE: Millis = Millis(10);

/// An input that waits for the session.
pub(crate) struct Work {
    pub(crate) input: Input,
    pub(crate) completer: Option<Completer>,
    /// Lets the socket read on once the input is done.
    pub(crate) _permit: Option<Arc<OwnedSemaphorePermit>>,
}

impl From<Input> for Work {
    fn from(input: Input) -> Self {
        Self {
            input,
            completer: None,
            _permit: None,
        }
    }
}

/// One connection, from dialling on.
pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) link: Box<dyn Link>,
    pub(crate) writer: Writer,
    /// When it is given up unless it is established; `None` once it is.
    pub(crate) limit: Option<Mono>,
}

pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) fence: Fence,
    pub(crate) config: SessionConfig,
    pub(crate) proxy: Option<Arc<Proxy>>,
    pub(crate) shared: Arc<Shared>,
    /// `None` between a fault and `retry`.
    pub(crate) machine: Option<Box<dyn Machine>>,
    pub(crate) inbox: VecDeque<Work>,
    pub(crate) operations: HashMap<OpId, Completer>,
    /// Requests that wait for their reply.
    pub(crate) requests: HashMap<OpId, Answerer>,
    /// Blobs that are not asked for yet.
    pub(crate) wanted_blobs: Vec<Fetch>,
    pub(crate) fetches: HashMap<FetchId, Task>,
    pub(crate) wanted: bool,
    pub(crate) connection: Option<Connection>,
    /// When to dial, or to rebuild the session.
    pub(crate) retry: Option<Mono>,
    pub(crate) backoff: Backoff,
    pub(crate) fault: Option<Fault>,
    /// The entry in the shard's table of deadlines.
    pub(crate) armed: Option<Mono>,
    pub(crate) ticked: Option<Mono>,
    /// Whether the shard's list of ready slots has it.
    pub(crate) queued: bool,
}

impl Slot {
    /// A slot whose session is yet to be built.
    pub(crate) fn new(opening: Opening, fence: Fence) -> Self {
        Self {
            name: opening.name,
            fence,
            config: opening.config,
            proxy: opening.proxy,
            shared: opening.shared,
            machine: None,
            inbox: VecDeque::new(),
            operations: HashMap::new(),
            requests: HashMap::new(),
            wanted_blobs: Vec::new(),
            fetches: HashMap::new(),
            wanted: false,
            connection: None,
            retry: None,
            backoff: Backoff::default(),
            fault: None,
            armed: None,
            ticked: None,
            queued: false,
        }
    }

    /// Whether an input can be handled.
    pub(crate) fn is_ready(&self) -> bool {
        self.machine.is_some() && !self.inbox.is_empty()
    }

    /// Bytes came in. On `Err` the connection is useless.
    pub(crate) fn receive(
        &mut self,
        now: Now,
        bytes: &[u8],
        permit: OwnedSemaphorePermit,
    ) -> Result<(), DisconnectReason> {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let permit = Arc::new(permit);
        for output in connection.link.receive(now.unix(), bytes)? {
            let input = match output {
                LinkOutput::Established => {
                    connection.limit = None;
                    self.backoff.established(now.mono);
                    Input::Established
                }
                LinkOutput::Stanza(stanza) => Input::Received(stanza),
                LinkOutput::Write(bytes) => {
                    connection.writer.write(bytes)?;
                    continue;
                }
                _ => continue,
            };
            self.inbox.push_back(Work {
                _permit: Some(permit.clone()),
                ..input.into()
            });
        }
        Ok(())
    }

    /// Acts on the effects of a committed step, in order.
    pub(crate) fn act(&mut self, now: Now, rng: &mut dyn Entropy, effects: Vec<Effect>) {
        self.publish(now);
        for effect in effects {
            match effect {
                Effect::Transmit(stanza) => {
                    if let Err(reason) = self.transmit(&stanza) {
                        self.lose(now, rng, reason);
                    }
                }
                Effect::Event(event) => self.shared.events.push(event),
                Effect::Done(op, outcome) => {
                    if let Some(completer) = self.operations.remove(&op) {
                        completer.complete(outcome);
                    }
                }
                Effect::Fetch(fetch) => self.wanted_blobs.push(fetch),
                Effect::Reply(op, reply) => {
                    if let Some(answerer) = self.requests.remove(&op) {
                        answerer.answer(reply);
                    }
                }
                Effect::Disconnect(how) => {
                    self.hang_up();
                    self.plan(now, rng, how);
                }
                // A kind this driver does not know is nothing it could act on.
                _ => {}
            }
        }
    }

    /// A blob is there, or it is not to be had.
    pub(crate) fn fetched(&mut self, id: FetchId, end: Result<Fetched, FetchError>) {
        if self.fetches.remove(&id).is_some() {
            self.inbox.push_back(Input::Fetched(id, end).into());
        }
    }

    /// Encrypts and writes. Without a connection there is nobody to write to, and the session knows
    /// or will know.
    fn transmit(&mut self, stanza: &Stanza) -> Result<(), DisconnectReason> {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let frame = connection.link.seal(&stanza.0)?;
        connection.writer.write(frame)
    }

    /// The connection ended without the session's doing. What it said before that is still heard:
    /// the server closes right behind its last word.
    pub(crate) fn lose(&mut self, now: Now, rng: &mut dyn Entropy, reason: DisconnectReason) {
        if self.connection.take().is_some() {
            self.inbox.push_back(Input::Lost(reason).into());
            self.plan(now, rng, Reconnect::Backoff);
        }
    }

    /// Whether the session has yet to hear the end of the last connection.
    pub(crate) fn is_ending(&self) -> bool {
        let lost = |work: &Work| matches!(work.input, Input::Lost(_));
        self.inbox.iter().any(lost)
    }

    /// Ends the connection. What it still had to say is not heard any more: stanzas without an
    /// acknowledgement come again.
    pub(crate) fn hang_up(&mut self) {
        self.connection = None;
        self.inbox.retain(|work| {
            !matches!(
                work.input,
                Input::Established | Input::Received(_) | Input::Lost(_)
            )
        });
    }

    /// Plans the next connection.
    pub(crate) fn plan(&mut self, now: Now, rng: &mut dyn Entropy, how: Reconnect) {
        let wait = match how {
            Reconnect::BackoffPenalty => self.backoff.penalty(now.mono, rng),
            Reconnect::NotBefore(time) => {
                let seconds = u64::try_from(time.since(now.unix())).unwrap_or(0);
                Millis::from_secs(seconds)
            }
            Reconnect::Now => self.backoff.restart(now.mono, rng),
            Reconnect::Stop => {
                self.wanted = false;
                Millis(0)
            }
            _ => self.backoff.wait(now.mono, rng),
        };
        self.retry = self.wanted.then(|| now.mono.plus(wait));
    }

    /// Drops the session; it is rebuilt from the store at `retry`. What the host asked for and the
    /// session never saw stays.
    pub(crate) fn fail(&mut self, now: Now, rng: &mut dyn Entropy, fault: Fault) {
        self.machine = None;
        self.hang_up();
        self.inbox
            .retain(|work| !matches!(work.input, Input::Tick | Input::Cancel(_)));
        self.operations.clear();
        self.forget_requests();
        // A new session asks again.
        self.fetches.clear();
        self.ticked = None;
        self.retry = Some(now.mono.plus(self.backoff.wait(now.mono, rng)));
        self.fault = Some(fault);
    }

    /// What has run out by now, the plan for the next connection apart.
    pub(crate) fn expire(&mut self, now: Now, rng: &mut dyn Entropy) {
        let over = |at: Option<Mono>| at.is_some_and(|at| at <= now.mono);
        if over(self.limit()) {
            let reason = "no connection within 20 seconds".to_owned();
            self.lose(now, rng, DisconnectReason::Network(reason));
        }
        if over(self.tick()) {
            self.inbox.push_back(Input::Tick.into());
        }
    }

    /// The host no longer wants `op`.
    pub(crate) fn cancel(&mut self, op: OpId) {
        let queued = |work: &Work| work.completer.as_ref().is_some_and(|c| c.op == op);
        if let Some(at) = self.inbox.iter().position(queued) {
            // Its completer says so.
            self.inbox.remove(at);
        } else if self.operations.contains_key(&op) || self.requests.remove(&op).is_some() {
            self.inbox.push_back(Input::Cancel(op).into());
        }
    }

    /// Requests that a session has seen have no other one to answer them.
    fn forget_requests(&mut self) {
        let waits = |op: &OpId| {
            let asks = |work: &Work| matches!(&work.input, Input::Command(asked, _) if asked == op);
            self.inbox.iter().any(asks)
        };
        self.requests.retain(|op, _| waits(op));
    }

    /// When the driver has to look again.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        let all = [self.tick(), self.limit(), self.retry];
        all.into_iter().flatten().min()
    }

    fn limit(&self) -> Option<Mono> {
        self.connection.as_ref()?.limit
    }

    /// When the session wants its next tick; `None` while one waits.
    fn tick(&self) -> Option<Mono> {
        let waiting = |work: &Work| matches!(work.input, Input::Tick);
        if self.inbox.iter().any(waiting) {
            return None;
        }
        let at = self.machine.as_ref()?.deadline()?;
        let soonest = self.ticked.map(|ticked| ticked.plus(TICK_PAUSE));
        Some(soonest.map_or(at, |soonest| at.max(soonest)))
    }

    /// Shows the handles where we stand.
    pub(crate) fn publish(&self, now: Now) {
        let connection = match (&self.connection, self.retry) {
            (Some(_), _) if self.limit().is_none() => ConnectionState::Up,
            (Some(_), _) => ConnectionState::Connecting,
            (None, Some(retry)) => {
                let wait = i64::try_from(retry.since(now.mono).0.div_ceil(1000));
                ConnectionState::Waiting {
                    retry: now.unix().plus(wait.unwrap_or(i64::MAX)),
                }
            }
            (None, None) => ConnectionState::Idle,
        };
        self.shared.publish(Status {
            session: self.machine.as_ref().map(|machine| machine.status()),
            connection,
            fault: self.fault.clone(),
        });
    }
}

/// Every operation ends, then the queue closes, however the slot goes.
impl Drop for Slot {
    fn drop(&mut self) {
        self.connection = None;
        self.inbox.clear();
        self.operations.clear();
        self.requests.clear();
        let fault = self.fault.take();
        self.shared.publish(Status {
            fault,
            ..Status::default()
        });
        self.shared.events.close();
    }
}
