//! The session, its store, its connection and the server, moved one piece at a time.

use std::collections::VecDeque;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sendpath_model_server::bare::{Bare, Line, Spoken};
use sendpath_model_server::{Command, Config, Gate, Reply, TimeSource};
use sendpath_protocol::crypto::symmetric::sha256;
use sendpath_protocol::effect::{Effect, Reconnect};
use sendpath_protocol::error::{Fault, StoreError};
use sendpath_protocol::event::{DisconnectReason, Event};
use sendpath_protocol::media::fetch::Fetch;
use sendpath_protocol::secret::Entropy;
use sendpath_protocol::session::{Input, Phase, Session, SessionConfig};
use sendpath_protocol::time::{Millis, Mono, Now, UnixMillis};
use sendpath_protocol::txn::{Fence, MemoryStore, Scope, Step, Store};

use crate::host::Host;
use crate::phone::Phone;

/// Name of the only slot.
pub(crate) const SLOT: &str = "sim";

/// The second at which a simulation begins.
const BEGIN: i64 = 1_786_074_400;

/// Contacts: number, LID, what they demand, devices.
pub(crate) const CONTACTS: [(&str, &str, Gate, u16); 3] = [
    ("4915550001", "100000000000001", Gate::Open, 1),
    ("4915550002", "100000000000002", Gate::Open, 2),
    ("4915550003", "100000000000003", Gate::Token, 1),
];

/// A group with the first two of them; the third comes and goes.
pub(crate) const GROUP: &str = "120363001@g.us";

/// Stands for the group where a contact is numbered.
pub(crate) const TO_GROUP: usize = CONTACTS.len();

/// Randomness of a seed.
#[derive(Clone)]
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// A number in `0..sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        let sides = u64::try_from(sides).expect("a small number");
        usize::try_from(self.0.next_u64() % sides).expect("a small number")
    }
}

impl Entropy for Dice {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

/// How the process ends in the next step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Crash {
    BeforeCommit,
    AfterCommit,
}

pub(crate) struct World {
    pub(crate) server: Bare,
    pub(crate) store: MemoryStore,
    pub(crate) host: Host,
    /// The last token of each contact, in hex.
    pub(crate) newest: [Option<String>; CONTACTS.len()],
    /// What the phone changed last in app state.
    pub(crate) phone: Phone,
    /// Files that the session wants.
    pub(crate) fetches: VecDeque<Fetch>,
    pub(crate) log: Vec<String>,
    /// Actions of the script come from here, so that what the session draws does not change them.
    pub(crate) dice: Dice,
    entropy: Dice,
    fence: Fence,
    pub(crate) session: Option<Session>,
    line: Option<Line>,
    /// On the way to the session.
    pub(crate) inbound: VecDeque<Vec<u8>>,
    /// On the way to the server.
    outbound: VecDeque<Vec<u8>>,
    /// The line carries nothing, and nobody has noticed.
    pub(crate) half_open: bool,
    /// When to connect again; `None` when the session said to stop.
    dial: Option<Mono>,
    pub(crate) now: Now,
    pub(crate) crash: Option<Crash>,
    /// Digests of all frames, in order.
    pub(crate) carried: Vec<[u8; 32]>,
}

impl World {
    /// A linked device that has logged in once, with its contacts, offline.
    pub(crate) fn linked() -> Self {
        let config = Config {
            time: TimeSource::Fixed(BEGIN),
            ..Config::default()
        };
        let mut store = MemoryStore::default();
        let fence = store.acquire(&Scope::slot(SLOT)).expect("memory");
        let dice = || Dice(ChaCha8Rng::seed_from_u64(0));
        let mut world = Self {
            server: Bare::new(&config),
            store,
            host: Host::default(),
            newest: [const { None }; CONTACTS.len()],
            phone: Phone::default(),
            fetches: VecDeque::new(),
            log: Vec::new(),
            dice: dice(),
            entropy: dice(),
            fence,
            session: None,
            line: None,
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
            half_open: false,
            dial: Some(Mono(0)),
            now: Now::new(Mono(1_000_000), UnixMillis(BEGIN * 1_000)),
            crash: None,
            carried: Vec::new(),
        };
        world.link();
        for (pn, lid, gate, devices) in CONTACTS {
            world.order(Command::AddPeer {
                pn: pn.into(),
                lid: lid.into(),
                devices,
                gate,
                aliases: Vec::new(),
            });
        }
        let members = CONTACTS[..2].iter().map(|(pn, ..)| (*pn).into());
        world.order(Command::AddGroup {
            group: GROUP.trim_end_matches("@g.us").into(),
            members: members.collect(),
            account: None,
            lid: true,
        });
        world.order(Command::ShareKeys { account: None });
        world.token(2);
        world.carry_all();
        world.cut();
        world
    }

    fn link(&mut self) {
        self.revive();
        let mut guard = 0;
        while !self.online() {
            guard += 1;
            assert!(guard < 100, "linking does not end");
            self.carry_all();
            if let Some(qr) = self.qr() {
                self.order(Command::scan_qr(qr));
            }
            self.pass(1_000);
        }
    }

    /// A world of its own, offline, with the rows and people of this one.
    pub(crate) fn copy(&self) -> Self {
        Self {
            server: self.server.clone(),
            store: self.store.clone(),
            host: Host::default(),
            newest: self.newest.clone(),
            phone: self.phone.clone(),
            fetches: VecDeque::new(),
            log: Vec::new(),
            dice: self.dice.clone(),
            entropy: self.entropy.clone(),
            fence: self.fence.clone(),
            session: None,
            line: None,
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
            half_open: false,
            dial: Some(self.now.mono),
            now: self.now,
            crash: None,
            carried: Vec::new(),
        }
    }

    /// Randomness from `seed` from here on.
    pub(crate) fn begin(&mut self, seed: u64) {
        self.dice = Dice(ChaCha8Rng::seed_from_u64(seed));
        self.entropy = Dice(ChaCha8Rng::seed_from_u64(!seed));
        self.server.reseed(seed.wrapping_mul(3));
        self.revive();
    }

    /// Gives the server an order that must succeed.
    pub(crate) fn order(&mut self, command: Command) -> Reply {
        match self.server.control(command) {
            Reply::Error { message } => panic!("the server refuses the order: {message}"),
            reply => reply,
        }
    }

    /// A contact issues a token to us.
    pub(crate) fn token(&mut self, contact: usize) {
        let issued = self.order(Command::IssueToken {
            peer: CONTACTS[contact].0.into(),
            account: None,
            bytes: None,
            t: None,
            push: true,
            from_lid: true,
        });
        if let Reply::Token { bytes, .. } = issued {
            self.newest[contact] = Some(bytes);
        }
    }

    pub(crate) fn online(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.status().phase == Phase::Online)
    }

    /// One input. After a fault or a crash the session is built anew from the store.
    pub(crate) fn input(&mut self, input: Input) {
        let Some(session) = &mut self.session else {
            return;
        };
        match session.handle(self.now, &mut self.entropy, &self.store, input) {
            Ok(step) => self.commit(step),
            Err(fault) => self.fault(&fault),
        }
    }

    fn commit(&mut self, step: Step) {
        match self.crash.take() {
            Some(Crash::BeforeCommit) => return self.die(),
            Some(Crash::AfterCommit) => {
                // The rows are there, or they are not: the process does not live to know.
                let _ = step.commit(&mut self.store, &self.fence);
                return self.die();
            }
            None => {}
        }
        match step.commit(&mut self.store, &self.fence) {
            Ok(effects) => effects.into_iter().for_each(|effect| self.act(effect)),
            Err(error) => self.fault(&Fault::Store(error)),
        }
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Transmit(stanza) => self.outbound.push_back(stanza.0),
            Effect::Event(event) => self.event(event),
            Effect::Done(op, outcome) => self.host.done(op, outcome),
            Effect::Fetch(fetch) => self.fetches.push_back(fetch),
            Effect::Reply(op, _) => self.host.reply(op),
            Effect::Disconnect(then) => {
                self.cut();
                let wait = match then {
                    Reconnect::Now => Some(0),
                    Reconnect::Backoff => Some(1_000),
                    Reconnect::BackoffPenalty | Reconnect::NotBefore(_) => Some(30_000),
                    _ => None,
                };
                self.dial = wait.map(|wait| self.now.mono.plus(Millis(wait)));
            }
            other => panic!("an effect of which nothing is known: {other:?}"),
        }
    }

    fn event(&mut self, event: Event) {
        if let Event::PairQr { text, .. } = &event {
            self.log.push(text.clone());
        }
        self.host.event(event);
    }

    /// The QR code shown last; only while linking.
    fn qr(&mut self) -> Option<String> {
        std::mem::take(&mut self.log).pop()
    }

    /// The session is dropped; whoever waits is told by the driver that nobody knows.
    fn fault(&mut self, fault: &Fault) {
        assert!(
            matches!(fault, Fault::Store(_)),
            "a bug of ours: {fault:?}\n{}",
            self.log.join("\n")
        );
        self.die();
    }

    /// The process ends, with everything that was in memory or on its way out.
    fn die(&mut self) {
        self.session = None;
        self.fetches.clear();
        self.host.crash();
        self.drop_line();
    }

    /// The connection breaks, and both sides notice.
    pub(crate) fn cut(&mut self) {
        self.drop_line();
        self.input(Input::Lost(DisconnectReason::Network("cut".into())));
    }

    fn drop_line(&mut self) {
        if let Some(line) = self.line.take() {
            self.server.leave(line);
        }
        self.inbound.clear();
        self.outbound.clear();
        self.half_open = false;
        self.dial = Some(self.now.mono.plus(Millis(1_000)));
    }

    /// Opens the session if there is none, and connects if it is time to.
    pub(crate) fn revive(&mut self) {
        if self.session.is_none() {
            self.open();
        }
        let Some(session) = &self.session else {
            return;
        };
        let due = self.dial.is_some_and(|dial| dial <= self.now.mono);
        if self.line.is_none() && due {
            let (noise, payload) = session.introduction();
            self.line = Some(self.server.connect(*noise.public.as_bytes(), &payload));
            self.dial = None;
            self.input(Input::Established);
        }
    }

    fn open(&mut self) {
        let config = SessionConfig::default();
        match Session::open(SLOT, config, self.now, &mut self.entropy, &self.store) {
            Ok((session, step)) => {
                self.session = Some(session);
                self.commit(step);
            }
            Err(fault) => self.fault(&fault),
        }
    }

    /// Another process opens the account: what this one still writes must be refused.
    pub(crate) fn usurp(&mut self) {
        let old = (self.session.take(), self.fence.clone());
        self.fence = self.store.acquire(&Scope::slot(SLOT)).expect("memory");
        self.die();
        self.open();
        if let (Some(mut session), fence) = old
            && let Ok(step) = session.handle(self.now, &mut self.entropy, &self.store, Input::Stop)
            && !step.is_read_only()
        {
            let refused = step.commit(&mut self.store, &fence);
            assert_eq!(
                refused,
                Err(StoreError::Fenced),
                "the first process goes on"
            );
        }
    }

    /// Carries one frame, if one waits; whether it did.
    pub(crate) fn carry(&mut self, to_server: bool) -> bool {
        let Some(line) = self.line.filter(|_| !self.half_open) else {
            return false;
        };
        if to_server {
            let Some(frame) = self.outbound.pop_front() else {
                return false;
            };
            self.carried.push(sha256(&frame));
            self.server.hear(line, &frame);
            return true;
        }
        self.collect(line);
        let Some(frame) = self.inbound.pop_front() else {
            return false;
        };
        if frame.is_empty() {
            self.cut();
        } else {
            self.carried.push(sha256(&frame));
            self.input(Input::Received(frame));
        }
        true
    }

    /// Takes what the server has said; an empty frame stands for the end of the connection.
    fn collect(&mut self, line: Line) {
        for spoken in self.server.speak(line) {
            self.inbound.push_back(match spoken {
                Spoken::Frame(frame) => frame,
                Spoken::End => Vec::new(),
            });
        }
    }

    /// Carries until nothing waits.
    pub(crate) fn carry_all(&mut self) {
        let mut guard = 0;
        while self.carry(true) || self.carry(false) || self.fetch() {
            guard += 1;
            assert!(
                guard < 10_000,
                "they never stop talking\n{}",
                self.log.join("\n")
            );
        }
    }

    /// Lets time pass, stopping where the session has something to do.
    pub(crate) fn pass(&mut self, millis: u64) {
        let end = self.now.mono.plus(Millis(millis));
        let mut guard = 0;
        loop {
            let deadline = self.session.as_ref().and_then(Session::deadline);
            let next = deadline.into_iter().chain(self.dial).min();
            let at = next.map_or(end, |next| next.max(self.now.mono).min(end));
            self.advance(at.since(self.now.mono).0);
            let due = next.is_some_and(|next| next <= self.now.mono);
            if due {
                self.input(Input::Tick);
                self.revive();
            }
            if at >= end {
                break;
            }
            guard += 1;
            assert!(
                guard < 10_000,
                "time stands still at {:?} {:?}\n{}",
                self.now,
                self.session,
                self.log.join("\n")
            );
        }
        if self.session.is_none() {
            self.revive();
        }
    }

    fn advance(&mut self, millis: u64) {
        let step = i64::try_from(millis).expect("a short time");
        self.now = Now::new(
            self.now.mono.plus(Millis(millis)),
            UnixMillis(self.now.wall.0 + step),
        );
        let elapsed = i64::try_from(self.now.mono.0 - 1_000_000).expect("a short time");
        let time = TimeSource::Fixed(BEGIN + elapsed / 1_000);
        self.order(Command::SetTime { time });
    }

    /// Our own wall clock jumps; the server's does not.
    pub(crate) fn jump(&mut self, seconds: i64) {
        self.now.wall.0 += seconds * 1_000;
    }
}

#[cfg(test)]
mod tests {
    use sendpath_protocol::txn::{Namespace, Reader};

    use super::*;

    #[test]
    fn a_message_with_a_confirmed_receipt_leaves_no_text_behind() {
        let mut world = crate::prepared();
        world.begin(1);
        world.carry_all();
        world.order(Command::PeerSend {
            peer: CONTACTS[0].0.into(),
            text: "hello".into(),
            account: None,
            device: 0,
            id: None,
            from_lid: true,
        });
        world.carry_all();
        assert_eq!(world.host.got.len(), 1);
        let kept = world
            .store
            .scan(&Scope::slot(SLOT), Namespace::Seen, b"", None, 9);
        assert_eq!(kept, Ok(Vec::new()));
    }
}
