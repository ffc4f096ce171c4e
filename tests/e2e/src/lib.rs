//! A model server, an engine and a linked account: where each end-to-end test begins.
//!
//! Waiting is always for something: an outcome, an event, or a condition that the server sees. The
//! timeouts only guard against a test that would hang.
#![expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod clock;
mod seen;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sendpath_engine::{
    Account, AccountConfig, AccountEvent, Engine, EngineConfig, Proxy, SendOptions, Sending,
    StoreSpec,
};
use sendpath_model_server::{
    Command, Condition, Config, Gate, ModelServer, Reply, TimeSource, Violation,
};
use sendpath_protocol::account::{Answer, Inquiry, MaySend};
use sendpath_protocol::config::ServerConfig;
use sendpath_protocol::event::Event;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::limits::snapshot::Limits;
use sendpath_protocol::tctoken::explain::Explanation;
use sendpath_protocol::verdict::{Attached, Outcome, Refusal};

pub use clock::ManualClock;

const GUARD: Duration = Duration::from_secs(30);

/// A contact: phone number and LID.
pub type Person = (&'static str, &'static str);

/// Alice, whom most tests write to.
pub const ALICE: Person = ("4915550001", "100000000000001");

/// Bob, the other one.
pub const BOB: Person = ("4915550002", "100000000000002");

/// Carol, who is in no group at first.
pub const CAROL: Person = ("4915550003", "100000000000003");

/// The account that is linked.
pub const OWN: Person = ("15550100001", "900100001");

/// The second at which the scenarios of the token specification play.
pub const NOW: i64 = 1_786_074_400;

/// The kind of IQ that asks for limits.
pub const MEX: &str = "w:mex/query";

/// More than the day after which a link is not new any more.
const A_DAY: i64 = 86_401;

/// A server, an engine, and an account that is linked and online.
pub struct World {
    /// The model WhatsApp.
    pub server: ModelServer,
    /// The engine.
    pub engine: Engine,
    /// The account `shop`.
    pub account: Account,
    store: String,
    clock: Option<Arc<ManualClock>>,
}

impl World {
    /// A linked account on a store in memory.
    pub fn linked() -> Self {
        Self::linked_on("memory:")
    }

    /// A linked account on that store.
    pub fn linked_on(store: &str) -> Self {
        let world = Self::new(Config::default(), store, None);
        world.link(Command::scan_qr);
        world
    }

    /// A linked account whose connections go through that proxy.
    pub fn linked_through(proxy: Proxy) -> Self {
        let mut world = Self::new(Config::default(), "memory:", None);
        world.account.close().expect("this is not a fork");
        let (url, root_key) = (world.server.url(), world.server.root_key());
        world.account = open_account_with(&world.engine, &url, root_key, Some(proxy));
        world.link(Command::scan_qr);
        world
    }

    /// A linked account in a world where it is [`NOW`] until somebody moves the clock.
    pub fn at_now(store: &str) -> Self {
        let world = Self::unlinked(Config::default(), store);
        world.link(Command::scan_qr);
        world
    }

    /// As [`World::at_now`], linked more than a day ago, and the phone has sent its history: a
    /// contact without a token is cold.
    pub fn settled(store: &str) -> Self {
        let world = Self::manual(Config::default(), store, NOW - A_DAY);
        world.link(Command::scan_qr);
        // The answers to the questions of the login lie before the history.
        world.pulled(2);
        world.order(Command::PhoneHistory {
            account: None,
            chats: Vec::new(),
            salt: None,
            progress: 100,
        });
        world.event(|event| matches!(event, Event::HistoryApplied { .. }).then_some(()));
        world.wait_for(Condition::Answered { account: None });
        world.reconnect(|| world.pass(86_401));
        // Only for the lock: the props are known now, and there is no quota in them.
        world.pulled(3);
        world
    }

    /// As [`World::at_now`], before the account is linked; `config` says what the server knows.
    pub fn unlinked(config: Config, store: &str) -> Self {
        Self::manual(config, store, NOW)
    }

    fn manual(config: Config, store: &str, second: i64) -> Self {
        let time = TimeSource::Fixed(second);
        let clock = Arc::new(ManualClock::at(second));
        Self::new(Config { time, ..config }, store, Some(clock))
    }

    fn new(config: Config, store: &str, clock: Option<Arc<ManualClock>>) -> Self {
        let server = ModelServer::start(config).expect("a server on loopback");
        let engine = open_engine_with(StoreSpec::Uri(store.into()), clock.clone());
        let account = open_account(&engine, &server);
        Self {
            server,
            engine,
            account,
            store: store.into(),
            clock,
        }
    }

    /// Ends the engine and starts another one on the same store; it connects and logs in.
    pub fn restart(&mut self) {
        self.engine.close().expect("this is not a fork");
        let store = StoreSpec::Uri(self.store.clone());
        self.engine = open_engine_with(store, self.clock.clone());
        self.account = open_account(&self.engine, &self.server);
        self.account.connect().expect("an open account");
        self.online();
    }

    /// Disconnects, lets `away` happen, and connects again.
    pub fn reconnect(&self, away: impl FnOnce()) {
        self.account.disconnect().expect("an open account");
        // A connection that follows before the session heard of the end waits for the clock.
        self.event(|event| matches!(event, Event::Disconnected { .. }).then_some(()));
        self.wait_for(Condition::Disconnected { account: None });
        away();
        self.account.connect().expect("an open account");
        self.online();
    }

    /// Lets seconds pass for the server and for us. More than the pause between two signs of life
    /// ends the connection.
    pub fn pass(&self, seconds: u32) {
        self.order(Command::AdvanceTime {
            seconds: seconds.into(),
        });
        self.pass_here(seconds);
    }

    /// Lets 15 seconds pass that often. Bob, who must have been added, writes in between: two
    /// steps before an answer to a sign of life is seen here would end the connection.
    pub fn pass_in_steps(&self, steps: u32) {
        for _ in 0..steps {
            self.pass(15);
            self.peer_writes(BOB, "tick");
            self.event(|event| matches!(event, Event::Message(_)).then_some(()));
        }
    }

    /// Lets seconds pass for us alone.
    pub fn pass_here(&self, seconds: u32) {
        let clock = self.clock.as_ref().expect("a clock that is moved by hand");
        clock.advance(seconds);
    }

    /// Pairs the account; `scan` makes the phone's order from the QR text.
    pub fn link(&self, scan: impl Fn(String) -> Command) {
        self.pair(scan);
        self.online();
    }

    /// As [`World::link`], without the login that follows.
    pub fn pair(&self, scan: impl Fn(String) -> Command) {
        self.account.connect().expect("an open account");
        let qr = self.event(|event| match event {
            Event::PairQr { text, .. } => Some(text.clone()),
            _ => None,
        });
        self.order(scan(qr));
        self.event(|event| matches!(event, Event::Paired { .. }).then_some(()));
    }

    /// Waits for the login.
    pub fn online(&self) {
        self.event(|event| matches!(event, Event::Connected).then_some(()));
    }

    /// Gives an order that must succeed.
    pub fn order(&self, command: Command) -> Reply {
        match self.server.control(command) {
            Reply::Error { message } => panic!("the server refuses the order: {message}"),
            reply => reply,
        }
    }

    /// Waits until the server sees it.
    pub fn wait_for(&self, condition: Condition) {
        let wait = Command::WaitFor {
            condition: condition.clone(),
            timeout_ms: 30_000,
        };
        assert_eq!(
            self.order(wait),
            Reply::Waited { met: true },
            "{condition:?}"
        );
    }

    /// Waits until the server was asked for limits that often.
    pub fn pulled(&self, count: u64) {
        let kind = MEX.into();
        self.wait_for(Condition::Iq { kind, count });
    }

    /// Adds a contact with one device.
    pub fn add(&self, person: Person, gate: Gate) {
        self.add_with_devices(person, gate, 1);
    }

    /// Adds a contact.
    pub fn add_with_devices(&self, person: Person, gate: Gate, devices: u16) {
        let (pn, lid) = (person.0.into(), person.1.into());
        self.order(Command::AddPeer {
            pn,
            lid,
            devices,
            gate,
            aliases: Vec::new(),
        });
    }

    /// The contact issues a token to us; its bytes in hex.
    pub fn issue(&self, person: Person, t: Option<i64>) -> String {
        let issue = Command::IssueToken {
            peer: person.0.into(),
            account: None,
            bytes: None,
            t,
            push: true,
            from_lid: true,
        };
        match self.order(issue) {
            Reply::Token { bytes, .. } => bytes,
            other => panic!("unexpected reply {other:?}"),
        }
    }

    /// As [`World::issue`], and waits until the token is durable here.
    pub fn give_token(&self, person: Person, t: Option<i64>) -> String {
        let bytes = self.issue(person, t);
        self.event(|event| matches!(event, Event::TokenStored { .. }).then_some(()));
        bytes
    }

    /// The contact writes to us.
    pub fn peer_writes(&self, person: Person, text: &str) -> String {
        let send = Command::PeerSend {
            peer: person.0.into(),
            text: text.into(),
            account: None,
            device: 0,
            id: None,
            from_lid: true,
        };
        match self.order(send) {
            Reply::Sent { id } => id,
            other => panic!("unexpected reply {other:?}"),
        }
    }

    /// Starts a send.
    pub fn start(&self, to: &str, text: &str) -> Sending {
        self.account
            .send_text(to, text, SendOptions::default())
            .expect("an open account")
    }

    /// Sends and waits for the outcome.
    pub fn send(&self, to: &str, text: &str) -> Outcome {
        outcome(&self.start(to, text))
    }

    /// Sends a text that must be refused.
    pub fn refused(&self, to: &str, text: &str) -> Refusal {
        match self.send(to, text) {
            Outcome::Refused(refusal) => refusal,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    /// Waits for an event, passing over others.
    pub fn event<T>(&self, wanted: impl Fn(&Event) -> Option<T>) -> T {
        loop {
            let next = self
                .account
                .next_event(Some(GUARD))
                .expect("an open account");
            match next.expect("an event before the guard's time") {
                AccountEvent::Event(event) => {
                    if let Some(found) = wanted(&event) {
                        return found;
                    }
                }
                other => assert!(!matches!(other, AccountEvent::Overflow { .. })),
            }
        }
    }

    /// What is known about a contact, and what happened with it.
    pub fn explain(&self, pn: &str) -> Explanation {
        match self.ask(Inquiry::Explain(Jid::pn(pn))) {
            Answer::Explanation { told, .. } => *told,
            other => panic!("unexpected answer {other:?}"),
        }
    }

    /// Whether a message may be sent to a contact.
    pub fn may_send(&self, pn: &str) -> MaySend {
        let inquiry = Inquiry::CanSend {
            to: vec![Jid::pn(pn)],
            hint: RecipientHint::Ordinary,
        };
        match self.ask(inquiry) {
            Answer::CanSend(mut answers) => answers.remove(0).answer,
            other => panic!("unexpected answer {other:?}"),
        }
    }

    /// The account's limits.
    pub fn limits(&self) -> Limits {
        match self.ask(Inquiry::Limits) {
            Answer::Limits(limits) => *limits,
            other => panic!("unexpected answer {other:?}"),
        }
    }

    fn ask(&self, inquiry: Inquiry) -> Answer {
        let answer = self.account.ask(inquiry).expect("an open account");
        answer.expect("a linked account")
    }

    /// Broken rules that the server saw.
    pub fn violations(&self) -> Vec<Violation> {
        match self.order(Command::Violations) {
            Reply::Violations { violations } => violations,
            other => panic!("unexpected reply {other:?}"),
        }
    }

    /// Every test ends with this: the server saw no broken rule.
    pub fn no_violations(&self) {
        assert_eq!(self.violations(), Vec::new());
    }
}

/// Opens an engine on a store.
pub fn open_engine(store: &str) -> Engine {
    open_engine_with(StoreSpec::Uri(store.into()), None)
}

/// Opens an engine with a clock; `None` for the operating system's.
pub fn open_engine_with(store: StoreSpec, clock: Option<Arc<ManualClock>>) -> Engine {
    let mut config = EngineConfig::new(store);
    config.clock = clock.map(|clock| clock as _);
    Engine::open(config).expect("a store")
}

/// Opens the account `shop` for the model server.
pub fn open_account(engine: &Engine, server: &ModelServer) -> Account {
    open_account_at(engine, &server.url(), server.root_key())
}

/// As [`open_account`], for a server in another process.
pub fn open_account_at(engine: &Engine, url: &str, root_key: [u8; 32]) -> Account {
    open_account_with(engine, url, root_key, None)
}

/// As [`open_account_at`], through a proxy.
pub fn open_account_with(
    engine: &Engine,
    url: &str,
    root_key: [u8; 32],
    proxy: Option<Proxy>,
) -> Account {
    let mut config = AccountConfig::default();
    config.server = ServerConfig {
        url: url.into(),
        root_key,
        ..ServerConfig::default()
    };
    config.proxy = proxy;
    engine.account("shop", config).expect("a free account name")
}

/// Waits for the outcome of a send.
pub fn outcome(sending: &Sending) -> Outcome {
    sending
        .wait_blocking(Some(GUARD))
        .expect("an outcome before the guard's time")
}

/// What an accepted message carried.
pub fn attached(outcome: Outcome) -> Attached {
    match outcome {
        Outcome::Accepted { attached, .. } => attached,
        other => panic!("expected an accepted message, got {other:?}"),
    }
}

/// A fresh file name for a store; the folder goes with the value.
pub fn store_in(folder: &Path) -> String {
    folder.join("store.db").display().to_string()
}
