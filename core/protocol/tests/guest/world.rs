//! A host with a store, virtual time and one guest.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sendpath_protocol::account::Settings;
use sendpath_protocol::effect::Effect;
use sendpath_protocol::event::Event;
use sendpath_protocol::guest::{Fact, Guest, GuestConfig, GuestPlan, Row, RowPut, Work, WorkEnd};
use sendpath_protocol::guest::{WorkKind, WorkKind::Issue};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::secret::{Entropy, SecretBytes};
use sendpath_protocol::tctoken::Attach;
use sendpath_protocol::tctoken::policy::{MessageKind, Own};
use sendpath_protocol::time::{Mono, Now, UnixMillis, UnixSeconds};
use sendpath_protocol::txn::{Changes, Fence, Key, MemoryStore, Namespace, Scope, Store};
use sendpath_protocol::verdict::{MessageId, Outcome, Refusal};

/// Start of bucket 2954, Thursday 2026-08-13.
pub(crate) const NEXT_BUCKET: i64 = 1_786_579_200;
/// In bucket 2953.
pub(crate) const NOW: i64 = 1_786_074_400;
/// The oldest token time that four buckets allow in bucket 2953.
pub(crate) const CUTOFF: i64 = 1_784_160_000;

pub(crate) const LID: &str = "100000000000001@lid";
pub(crate) const PN: &str = "4915550001@s.whatsapp.net";
pub(crate) const OTHER: &str = "100000000000002@lid";

pub(crate) struct Seeded(ChaCha8Rng);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }
}

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

pub(crate) struct Host {
    pub(crate) store: MemoryStore,
    pub(crate) guest: Guest,
    pub(crate) events: Vec<Event>,
    pub(crate) now: i64,
    pub(crate) mono: u64,
    fence: Fence,
    rng: Seeded,
    config: GuestConfig,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with(GuestConfig::default())
    }

    /// A host whose library issues by itself.
    pub(crate) fn issuing() -> Self {
        Self::with(GuestConfig {
            host_issues: true,
            ..GuestConfig::default()
        })
    }

    /// A host that honours every setting of the server.
    pub(crate) fn strict() -> Self {
        Self::with(GuestConfig {
            account: Settings {
                strict_props: true,
                ..Settings::default()
            },
            ..GuestConfig::default()
        })
    }

    fn with(config: GuestConfig) -> Self {
        let mut store = MemoryStore::default();
        let fence = store.acquire(&Scope::slot("host")).unwrap();
        let (now, mut rng) = (clock(NOW, 1_000_000), Seeded::new(7));
        let (guest, step) =
            Guest::open("host", own(), config.clone(), now, &mut rng, &store).unwrap();
        step.commit(&mut store, &fence).unwrap();
        Self {
            store,
            guest,
            events: Vec::new(),
            now: NOW,
            mono: 1_000_000,
            fence,
            rng,
            config,
        }
    }

    /// The process starts again.
    pub(crate) fn restart(&mut self) {
        let (now, config) = (self.clock(), self.config.clone());
        let opened = Guest::open("host", own(), config, now, &mut self.rng, &self.store);
        let (guest, step) = opened.unwrap();
        self.guest = guest;
        self.commit(step);
    }

    pub(crate) fn clock(&self) -> Now {
        clock(self.now, self.mono)
    }

    /// Lets seconds pass on both clocks.
    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        self.mono += u64::try_from(seconds).unwrap() * 1_000;
    }

    pub(crate) fn tell(&mut self, fact: Fact) {
        let now = self.clock();
        let step = self.guest.handle(now, &mut self.rng, &self.store, fact);
        self.commit(step.unwrap());
    }

    /// Damages a row of the account, as a defect would.
    pub(crate) fn damage(&mut self, ns: Namespace, id: &str) {
        let mut changes = Changes::default();
        let key = Key::new(self.guest.account_scope(), ns, id);
        changes.put(key, vec![1, 0xff]);
        self.store.commit(&[(&changes, &self.fence)]).unwrap();
    }

    fn commit(&mut self, step: sendpath_protocol::txn::Step) {
        let effects = step.commit(&mut self.store, &self.fence).unwrap();
        self.events
            .extend(effects.into_iter().map(|effect| match effect {
                Effect::Event(event) => event,
                other => panic!("a guest has no connection: {other:?}"),
            }));
    }

    pub(crate) fn plan(&mut self, to: &str) -> GuestPlan {
        self.plan_of(to, MessageKind::Content)
    }

    pub(crate) fn plan_of(&mut self, to: &str, kind: MessageKind) -> GuestPlan {
        let (now, hint) = (self.clock(), RecipientHint::Ordinary);
        self.guest.plan(now, &self.store, &jid(to), kind, hint)
    }

    /// The token that a message carries now.
    pub(crate) fn token(&mut self, to: &str) -> Option<Vec<u8>> {
        match self.plan(to).attach {
            Attach::Tctoken { bytes, .. } => Some(bytes.expose().to_vec()),
            _ => None,
        }
    }

    pub(crate) fn row(&mut self, peer: &str) -> Option<Row> {
        let now = self.clock();
        self.guest.row(now, &self.store, &jid(peer)).unwrap()
    }

    pub(crate) fn put(&mut self, peer: &str, row: Row) {
        let peer = jid(peer);
        self.tell(Fact::RowPut(Box::new(RowPut { peer, row })));
    }

    pub(crate) fn gives(&mut self, from: &str, bytes: &str, t: i64) {
        self.tell(Fact::Token {
            from: jid(from),
            bytes: secret(bytes),
            t: UnixSeconds(t),
        });
    }

    pub(crate) fn hand(&mut self, message: &str, to: &str) {
        self.tell(Fact::Handed {
            id: id(message),
            to: jid(to),
            kind: MessageKind::Content,
        });
    }

    pub(crate) fn ack(&mut self, message: &str, code: Option<u16>) {
        let id = id(message);
        self.tell(Fact::Ack { id, code });
    }

    pub(crate) fn props(&mut self, values: &[(u32, &str)]) {
        let values = values.iter().map(|(code, value)| (*code, (*value).into()));
        self.tell(Fact::Props(values.collect()));
    }

    pub(crate) fn work(&self) -> Vec<Work> {
        self.guest.outgoing().cloned().collect()
    }

    /// Open work of one kind.
    pub(crate) fn pulls(&self) -> Vec<Work> {
        let mut work = self.work();
        work.retain(|work| matches!(work.kind, WorkKind::Mex { .. }));
        work
    }

    pub(crate) fn issues(&self) -> Vec<Work> {
        let mut work = self.work();
        work.retain(|work| matches!(work.kind, Issue { .. }));
        work
    }

    pub(crate) fn done(&mut self, id: u64, end: WorkEnd) {
        self.tell(Fact::WorkDone { id, end });
    }

    /// The ends of refused messages that were told since the last look.
    pub(crate) fn settled(&mut self) -> Vec<Refusal> {
        let ends = std::mem::take(&mut self.events).into_iter();
        ends.filter_map(|event| match event {
            Event::Settled(Outcome::Refused(refusal)) => Some(refusal),
            _ => None,
        })
        .collect()
    }
}

fn clock(now: i64, mono: u64) -> Now {
    Now::new(Mono(mono), UnixMillis(now * 1_000))
}

fn own() -> Own {
    Own::new(
        Some(&jid("900000000000009:12@lid")),
        Some(&jid("4915559999@s.whatsapp.net")),
    )
    .unwrap()
}

pub(crate) fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

pub(crate) fn id(text: &str) -> MessageId {
    MessageId::parse(text).unwrap()
}

pub(crate) fn secret(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}

/// The answer to the timelock question.
pub(crate) fn timelock(active: bool, ends: i64) -> WorkEnd {
    WorkEnd::Json(format!(
        r#"{{"data":{{"xwa2_fetch_account_reachout_timelock":{{"is_active":{active},"time_enforcement_ends":"{ends}","enforcement_type":"DEFAULT"}}}}}}"#
    ))
}
