//! The machine under test on its store, beside the model; both do each operation.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sendpath_protocol::effect::Effect;
use sendpath_protocol::error::StoreError;
use sendpath_protocol::event::Event;
use sendpath_protocol::peer::PeerKey;
use sendpath_protocol::secret::Entropy;
use sendpath_protocol::tctoken::Tokens;
use sendpath_protocol::tctoken::bucket::{BucketCount, BucketSpan, Window};
use sendpath_protocol::tctoken::issue::Issue;
use sendpath_protocol::tctoken::policy::{MessageKind, Own, TokenProps};
use sendpath_protocol::tctoken::record::TokenRecord;
use sendpath_protocol::time::{Mono, Now, UnixMillis};
use sendpath_protocol::txn::{
    Changes, CommitFailure, Fence, Key, MemoryStore, Namespace, Reader, Record, Scope, Store, step,
};
use sendpath_protocol::verdict::Attached;

use crate::counted::Counted;
use crate::model::{Buckets, Model, Name, OWN, Props, Row, Token, Told};
use crate::ops::{Addr, CONTACTS, Op, jid};
use crate::pacing::Pacing;
use crate::pair::Pair;

/// A Friday in bucket 2953.
const NOW: i64 = 1_786_074_400;

/// Messages whose evidence is compared.
const SENDS: usize = 3;

pub(crate) struct World {
    pub(crate) model: Model,
    store: MemoryStore,
    fence: Fence,
    tokens: Tokens,
    rng: Seeded,
    /// Every IQ that was handed out, and to whom it belongs.
    issues: Vec<(Name, Issue)>,
    sends: Vec<Sent>,
    turn: u8,
}

/// A message: to whom, what it carried, when it was built.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) to: Addr,
    pub(crate) attached: Attached,
    pub(crate) built: i64,
}

struct Seeded(ChaCha8Rng);

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

/// What the commit of an operation does.
#[derive(Clone, Copy, PartialEq)]
enum Commit {
    Fails,
    Never,
    Unknown,
    Works,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut store = MemoryStore::default();
        Self {
            model: Model::new(NOW),
            fence: store.acquire(&Scope::slot("test")).unwrap(),
            store,
            tokens: machine(Props::default()),
            rng: Seeded(ChaCha8Rng::seed_from_u64(7)),
            issues: Vec::new(),
            sends: Vec::new(),
            turn: 0,
        }
    }

    /// Does one operation on both, and compares everything that can be seen.
    pub(crate) fn run(&mut self, op: &Op) {
        match op {
            Op::Crash(op) => self.perform(op, Commit::Never),
            Op::CommitFails(op) => self.perform(op, Commit::Fails),
            Op::CommitUnknown(op) => self.perform(op, Commit::Unknown),
            Op::Damage(name) => self.damage(*name),
            Op::Restart => self.restart(),
            Op::Unreadable(op) => {
                self.store.fail_reads(Some(StoreError::Io("gone".into())));
                self.model.blind = true;
                self.perform(op, Commit::Works);
                self.store.fail_reads(None);
                self.model.blind = false;
            }
            op => self.perform(op, Commit::Works),
        }
        self.compare();
    }

    fn perform(&mut self, op: &Op, commit: Commit) {
        let now = Now::new(Mono(self.model.mono), UnixMillis(self.model.now * 1_000));
        let mut after = self.model.clone();
        after.told.clear();
        let (mut issues, mut sent) = (Vec::new(), None);
        let ended = self.ended(op);
        let tokens = &mut self.tokens;
        let sends = &self.sends;
        let step = step(now, &mut self.rng, &self.store, |cx| {
            let mut both = Pair {
                tokens,
                model: &mut after,
            };
            match op {
                Op::Send(to, kind) => {
                    let (message, out) = both.send(cx, *to, *kind);
                    (sent, issues) = (Some(message), out);
                }
                Op::End { end, .. } => issues = both.end(cx, ended, *end)?,
                Op::Refused(back) => {
                    if let Some(message) = sends.iter().rev().nth(*back) {
                        both.refused(cx, message)?;
                    }
                }
                op => issues = both.apply(cx, op)?,
            }
            Ok(())
        });
        let Ok(step) = step else {
            assert!(self.model.blind, "a machine fails only when its store does");
            return self.restart();
        };
        if commit == Commit::Never {
            return self.restart();
        }
        let error = StoreError::Full;
        match commit {
            _ if step.is_read_only() => {}
            Commit::Fails => self.store.fail_next_commit(CommitFailure::Clean(error)),
            Commit::Unknown => self
                .store
                .fail_next_commit(CommitFailure::AfterWrite(error)),
            Commit::Never | Commit::Works => {}
        }
        match (step.commit(&mut self.store, &self.fence), commit) {
            (Ok(effects), _) => {
                let told: Vec<_> = effects.iter().map(told).collect();
                assert_eq!(told, after.told, "events");
                self.model = after;
                let leave = issues
                    .into_iter()
                    .map(|issue| (name_of(&issue.peer), issue));
                self.issues.extend(leave);
                self.sends.extend(sent);
                self.sends.drain(..self.sends.len().saturating_sub(SENDS));
            }
            (Err(_), commit) => {
                assert!(commit != Commit::Works, "the commit works");
                if commit == Commit::Unknown {
                    self.model = after;
                }
                self.restart();
            }
        }
    }

    /// Which IQ an operation ends; made up when there was none.
    fn ended(&self, op: &Op) -> (Name, i64) {
        let Op::End { back, wrong_t, .. } = op else {
            return (Name::Lid(OWN), 0);
        };
        match self.issues.iter().rev().nth(*back) {
            Some((name, issue)) => (*name, issue.t.0 + i64::from(*wrong_t)),
            None => (Name::Lid(0), self.model.now),
        }
    }

    /// A new machine on the same store.
    fn restart(&mut self) {
        self.tokens = machine(self.model.props);
        self.model.pacing = Pacing::default();
        self.model.counted = Counted::default();
    }

    fn damage(&mut self, name: Name) {
        let mut changes = Changes::default();
        changes.put(row_key(&self.tokens, name), vec![1, 0xff]);
        self.store.commit(&[(&changes, &self.fence)]).unwrap();
        self.model.rows.remove(&name);
    }

    fn compare(&mut self) {
        let scope = self.tokens.scope().clone();
        let rows = self.store.scan(&scope, Namespace::Token, b"", None, 100);
        let rows: BTreeMap<_, _> = rows.unwrap().into_iter().filter_map(stored).collect();
        assert_eq!(rows, self.model.rows, "rows");

        let counted = Counted::from(self.tokens.counters());
        let expected = &mut self.model.counted;
        // The timeline counts its own failed reads as well.
        expected.failed_reads = expected.failed_reads.max(counted.failed_reads);
        assert_eq!(counted, *expected, "counters");
        assert_eq!(*self.tokens.props(), token_props(self.model.props));
        assert_eq!(
            self.tokens.deadline().map(|at| at.0),
            self.model.pacing.next(),
            "deadline"
        );
        let now = Now::new(Mono(self.model.mono), UnixMillis(self.model.now * 1_000));
        self.turn = self.turn.wrapping_add(1);
        let turn = self.turn;
        let (tokens, model, sends) = (&mut self.tokens, &mut self.model, &self.sends);
        let mut damaged = 0;
        let step = step(now, &mut self.rng, &self.store, |cx| {
            let mut both = Pair { tokens, model };
            for number in 0..CONTACTS {
                // By one of its names, by the other one after the next operation; not all that can
                // be asked each time.
                let name = match (number ^ turn) % 2 {
                    0 => Name::Lid(number),
                    _ => Name::Pn(number),
                };
                both.attach(cx, Addr::Person(name, 0), MessageKind::Content);
                if number == turn % (CONTACTS + 1) {
                    both.row(cx, name)?;
                }
            }
            for sent in sends {
                both.evidence(cx, sent)?;
            }
            damaged = cx.txn.damaged();
            Ok(())
        });
        let silent = step.unwrap().is_read_only();
        assert_eq!(silent, damaged == 0, "questions write nothing of their own");
    }
}

fn machine(props: Props) -> Tokens {
    let own = Own::new(
        Some(&jid(Name::Lid(OWN)).with_device(12)),
        Some(&jid(Name::Pn(OWN))),
    );
    Tokens::new(own.unwrap(), token_props(props)).unwrap()
}

pub(crate) fn token_props(props: Props) -> TokenProps {
    let window = |(span, count): Buckets| Window {
        span: BucketSpan::new(span),
        count: BucketCount::new(count),
    };
    TokenProps {
        receive: props.receive.map(window),
        send: props.send.map(window),
        issue_to_lid: props.issue_to_lid,
        cstoken: props.cstoken,
    }
}

pub(crate) fn key(name: Name) -> PeerKey {
    PeerKey::of(&jid(name)).unwrap()
}

/// The name behind a key; reads [`jid`] back.
pub(crate) fn name_of(peer: &PeerKey) -> Name {
    let number = |user: &str| user[user.len() - 2..].parse().unwrap();
    let name = match peer {
        PeerKey::Lid(user) => Name::Lid(number(user)),
        PeerKey::Pn(user) if user.len() == 15 => Name::Pn(5),
        PeerKey::Pn(user) => Name::Pn(number(user)),
    };
    assert_eq!(key(name), *peer);
    name
}

fn row_key(tokens: &Tokens, name: Name) -> Key {
    Key::new(tokens.scope(), Namespace::Token, key(name).storage())
}

/// A row of the store in the words of the model; `None` for a damaged one.
fn stored((id, row): (Box<[u8]>, Vec<u8>)) -> Option<(Name, Row)> {
    let record = TokenRecord::from_row(&row).ok()?;
    let peer = PeerKey::parse_storage(core::str::from_utf8(&id).unwrap()).unwrap();
    let token = record.theirs.map(|theirs| Token {
        bytes: theirs.bytes.expose().to_vec(),
        t: theirs.t.0,
        seen: theirs.seen.0,
        suspect: theirs.suspect,
    });
    let sender_t = record.ours.map(|ours| ours.t.0);
    Some((name_of(&peer), Row { token, sender_t }))
}

fn told(effect: &Effect) -> Told {
    match effect {
        Effect::Event(Event::TokenStored { peer, t, fresh }) => (name_of(peer), t.0, *fresh),
        other => panic!("tokens do not ask for {other:?}"),
    }
}
