//! A memory store, one account and its token machine, with virtual time.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sendpath_protocol::effect::Effect;
use sendpath_protocol::error::StoreError;
use sendpath_protocol::event::Event;
use sendpath_protocol::history::{self, Blob, HistoryError, HistoryReport};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::nct;
use sendpath_protocol::peer::{Names, PeerKey};
use sendpath_protocol::secret::{Entropy, SecretBytes};
use sendpath_protocol::tctoken::bucket::{BucketCount, BucketSpan, Window};
use sendpath_protocol::tctoken::issue::{IqEnd, Issue};
use sendpath_protocol::tctoken::policy::{MessageKind, Own, TokenProps};
use sendpath_protocol::tctoken::record::TokenRecord;
use sendpath_protocol::tctoken::stanza::Notification;
use sendpath_protocol::tctoken::{Attach, HistoryEntry, Received, Tokens};
use sendpath_protocol::time::{Mono, Now, UnixMillis, UnixSeconds};
use sendpath_protocol::txn::{
    Changes, Cx, Fence, Key, MemoryStore, Namespace, Reader, Record, Scope, Store, step,
};
use sendpath_protocol::wap::Node;

/// Start of bucket 2953, Thursday 2026-08-06, and of 2954.
pub(crate) const T0: i64 = 1_785_974_400;
pub(crate) const T1: i64 = 1_786_579_200;
/// In bucket 2953.
pub(crate) const NOW: i64 = 1_786_074_400;

pub(crate) const LID: &str = "100000000000001@lid";
pub(crate) const PN: &str = "4915550001@s.whatsapp.net";

pub(crate) fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

pub(crate) fn peer(text: &str) -> PeerKey {
    PeerKey::of(&jid(text)).unwrap()
}

/// Both names of contact A.
pub(crate) fn a() -> Names {
    Names::pair(peer(LID), peer(PN))
}

/// Our account, linked as device `device`.
pub(crate) fn own(device: u16) -> Own {
    let lid = jid("900000000000009@lid").with_device(device);
    Own::new(Some(&lid), Some(&jid("4915559999@s.whatsapp.net"))).unwrap()
}

pub(crate) fn window(count: i64) -> Window {
    Window {
        span: BucketSpan::DEFAULT,
        count: BucketCount::new(count),
    }
}

/// "Props known" of the specification.
pub(crate) fn known_props() -> TokenProps {
    TokenProps {
        receive: Some(window(4)),
        send: Some(window(4)),
        issue_to_lid: Some(true),
        cstoken: Some(true),
    }
}

pub(crate) fn token(bytes: &str, t: &str) -> Node {
    let token = Node::new("token").attr("type", "trusted_contact");
    token.attr("t", t.to_owned()).bytes(bytes)
}

/// A notification by A under both names.
pub(crate) fn notification(tokens: impl IntoIterator<Item = Node>) -> Node {
    Node::new("notification")
        .attr("type", "privacy_token")
        .jid("from", jid(PN))
        .jid("sender_lid", jid(LID))
        .child(Node::new("tokens").children(tokens))
}

pub(crate) struct Seeded(ChaCha8Rng);

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) tokens: Tokens,
    pub(crate) now: i64,
    pub(crate) mono: u64,
    pub(crate) events: Vec<Event>,
    fence: Fence,
    rng: Seeded,
}

impl World {
    /// Device 12 of our account at [`NOW`], props known, an empty store.
    pub(crate) fn new() -> Self {
        let mut store = MemoryStore::default();
        Self {
            fence: store.acquire(&Scope::slot("test")).unwrap(),
            store,
            tokens: Tokens::new(own(12), known_props()).unwrap(),
            now: NOW,
            mono: 1_000_000,
            events: Vec::new(),
            rng: Seeded(ChaCha8Rng::seed_from_u64(7)),
        }
    }

    /// The same store, another machine.
    pub(crate) fn restart(&mut self, own: Own, props: TokenProps) {
        self.tokens = Tokens::new(own, props).unwrap();
    }

    pub(crate) fn scope(&self) -> Scope {
        self.tokens.scope().clone()
    }

    /// Runs and commits one step at the current time.
    pub(crate) fn step<T>(&mut self, body: impl FnOnce(&mut Tokens, &mut Cx<'_>) -> T) -> T {
        let now = Now::new(Mono(self.mono), UnixMillis(self.now * 1_000));
        let (tokens, mut answer) = (&mut self.tokens, None);
        let step = step(now, &mut self.rng, &self.store, |cx| {
            answer = Some(body(tokens, cx));
            Ok(())
        });
        let effects = step.unwrap().commit(&mut self.store, &self.fence).unwrap();
        self.events
            .extend(effects.into_iter().map(|effect| match effect {
                Effect::Event(event) => event,
                other => panic!("tokens do not transmit: {other:?}"),
            }));
        answer.unwrap()
    }

    pub(crate) fn clock(&self) -> UnixSeconds {
        UnixSeconds(self.now)
    }

    /// Lets seconds pass on both clocks.
    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        self.mono += u64::try_from(seconds).unwrap() * 1_000;
    }

    /// Sets the wall clock, forward or back; an hour passes, so that pacing hides nothing.
    pub(crate) fn at(&mut self, now: i64) {
        self.now = now;
        self.mono += 3_600_000;
    }

    /// IQs that leave when enough time has passed for everything that waits.
    pub(crate) fn later(&mut self) -> Vec<Issue> {
        self.mono += 3_600_000;
        self.tokens.tick(Mono(self.mono))
    }

    pub(crate) fn attach_as(&mut self, to: &str, known: &Names, kind: MessageKind) -> Attach {
        let (to, now) = (jid(to), self.clock());
        self.step(|tokens, cx| tokens.attach(&cx.txn, &to, known, kind, now))
    }

    /// What a message to A carries.
    pub(crate) fn attach(&mut self) -> Attach {
        self.attach_as(LID, &a(), MessageKind::Content)
    }

    /// The token that a message to A carries.
    pub(crate) fn attached(&mut self) -> Option<Vec<u8>> {
        match self.attach() {
            Attach::Tctoken { bytes, .. } => Some(bytes.expose().to_vec()),
            Attach::Cstoken { .. } | Attach::Nothing { .. } => None,
        }
    }

    pub(crate) fn sent_as(&mut self, to: &str, known: &Names, kind: MessageKind) -> Vec<Issue> {
        let (to, now) = (jid(to), self.clock());
        self.step(|tokens, cx| tokens.sent(cx, &to, known, kind, now))
    }

    /// Hands a message to A over.
    pub(crate) fn sent(&mut self) -> Vec<Issue> {
        self.sent_as(LID, &a(), MessageKind::Content)
    }

    pub(crate) fn ended(&mut self, issue: &Issue, end: IqEnd) -> Vec<Issue> {
        let now = self.clock();
        self.step(|tokens, cx| tokens.iq_result(cx, &issue.peer, issue.t, end, now))
            .unwrap()
    }

    /// Issues to A successfully at the current time.
    pub(crate) fn issued(&mut self) -> i64 {
        let issues = self.sent();
        assert_eq!(issues.len(), 1);
        self.ended(&issues[0], IqEnd::Ok);
        issues[0].t.0
    }

    pub(crate) fn receive(&mut self, node: &Node) -> Received {
        let now = self.clock();
        self.step(|tokens, cx| {
            tokens.receive(cx, Notification::parse(node), &Names::default(), now)
        })
        .unwrap()
    }

    /// A gives us `bytes`, stamped `t`.
    pub(crate) fn give(&mut self, bytes: &str, t: i64) -> Received {
        self.receive(&notification([token(bytes, &t.to_string())]))
    }

    pub(crate) fn history(&mut self, names: &Names, token: Option<&str>, t: u64, sender_t: u64) {
        let entry = HistoryEntry {
            token: token.map(|text| SecretBytes::new(text.into())),
            t: Some(t),
            sender_t: Some(sender_t),
        };
        let now = self.clock();
        let chunk = [(names.clone(), entry)];
        self.step(|tokens, cx| tokens.receive_chunk(cx, chunk, now))
            .unwrap();
    }

    /// The phone sends a chunk of its history.
    pub(crate) fn apply(&mut self, blob: &[u8]) -> Result<HistoryReport, HistoryError> {
        let (now, slot) = (self.clock(), Scope::slot("test"));
        self.step(|tokens, cx| history::apply(cx, tokens, &slot, &Blob::new(blob), now))
            .unwrap()
    }

    pub(crate) fn identity_changed(&mut self, who: &str) -> Vec<Issue> {
        let (who, now) = (jid(who), self.clock());
        self.step(|tokens, cx| tokens.identity_changed(cx, &who, &a(), now))
    }

    pub(crate) fn set_salt(&mut self, salt: &[u8]) {
        let (scope, salt) = (self.scope(), SecretBytes::new(salt.to_vec()));
        self.step(|_, cx| nct::set(cx, &scope, salt)).unwrap();
    }

    /// The stored row under exactly this key.
    pub(crate) fn row(&self, key: &str) -> Option<TokenRecord> {
        let key = Key::new(&self.scope(), Namespace::Token, peer(key).storage());
        let row = self.store.get(&key).unwrap()?;
        Some(TokenRecord::from_row(&row).unwrap())
    }

    /// Bytes, time of the token and time of our issue of A's row.
    pub(crate) fn stored(&self) -> (Option<(String, i64)>, Option<i64>) {
        let row = self.row(LID).unwrap_or_default();
        let theirs = row.theirs.map(|theirs| {
            let text = String::from_utf8(theirs.bytes.expose().to_vec()).unwrap();
            (text, theirs.t.0)
        });
        (theirs, row.ours.map(|ours| ours.t.0))
    }

    /// Writes bytes under a key, as a defect or a newer version would.
    pub(crate) fn put_row(&mut self, key: Key, row: Vec<u8>) {
        let mut changes = Changes::default();
        changes.put(key, row);
        self.store.commit(&[(&changes, &self.fence)]).unwrap();
    }

    pub(crate) fn raw(&self, key: &Key) -> Option<Vec<u8>> {
        self.store.get(key).unwrap()
    }

    pub(crate) fn fail_reads(&mut self, fail: bool) {
        let error = StoreError::Io("gone".into());
        self.store.fail_reads(fail.then_some(error));
    }
}
