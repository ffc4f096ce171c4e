//! Random conversations over a network that loses, reorders and repeats.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::signal::message::{PreKeyMessage, Received};

#[derive(Clone, Debug)]
enum Event {
    Send { from: usize },
    Deliver { at: usize },
    Repeat { at: usize },
    Damage { at: usize, byte: usize },
    Lose { at: usize },
    StartAnew { from: usize },
}

fn event() -> impl Strategy<Value = Event> {
    let at = any::<prop::sample::Index>().prop_map(|index| index.index(1 << 16));
    prop_oneof![
        6 => (0..2usize).prop_map(|from| Event::Send { from }),
        6 => at.clone().prop_map(|at| Event::Deliver { at }),
        1 => at.clone().prop_map(|at| Event::Repeat { at }),
        1 => (at.clone(), any::<usize>()).prop_map(|(at, byte)| Event::Damage { at, byte }),
        1 => at.prop_map(|at| Event::Lose { at }),
        1 => (0..2usize).prop_map(|from| Event::StartAnew { from }),
    ]
}

struct Letter {
    from: usize,
    text: Vec<u8>,
    sealed: Ciphertext,
}

/// Two parties, what is under way, what arrived, and which message keys were used.
struct World {
    parties: [Party; 2],
    under_way: Vec<Letter>,
    arrived: Vec<Letter>,
    used: BTreeSet<(PublicKey, u32)>,
    /// By receiver: the sender's ratchet keys in the order they arrived.
    chains: [Vec<PublicKey>; 2],
    sent: u32,
}

fn header(sealed: &Ciphertext) -> (PublicKey, u32) {
    let inner = match sealed.kind {
        EncType::Msg => sealed.bytes.clone(),
        EncType::Pkmsg => PreKeyMessage::parse(&sealed.bytes).unwrap().message,
    };
    let received = Received::parse(&inner).unwrap();
    (received.ratchet, received.counter)
}

impl World {
    fn new() -> Self {
        let mut parties = [Party::new(1), Party::new(2)];
        let [alice, bob] = &mut parties;
        alice.establish(bob);
        Self {
            parties,
            under_way: Vec::new(),
            arrived: Vec::new(),
            used: BTreeSet::new(),
            chains: [Vec::new(), Vec::new()],
            sent: 0,
        }
    }

    /// The party `at` and the other one.
    fn pair(&mut self, at: usize) -> (&mut Party, &mut Party) {
        let [alice, bob] = &mut self.parties;
        if at == 0 { (alice, bob) } else { (bob, alice) }
    }

    fn send(&mut self, from: usize) {
        let text = self.sent.to_be_bytes().to_vec();
        self.sent += 1;
        let (sender, receiver) = self.pair(from);
        let to = receiver.address.clone();
        let sealed = sender.run(|cx, slot, ours| encrypt(cx, slot, ours, &to, &text));
        let Some(sealed) = sealed else {
            return;
        };
        let key = header(&sealed);
        assert!(self.used.insert(key), "a message key was used twice");
        self.under_way.push(Letter { from, text, sealed });
    }

    fn open(&mut self, letter: &Letter) -> Result<Vec<u8>, DecryptError> {
        let (sender, receiver) = self.pair(letter.from);
        let before = receiver.rows();
        let opened = receiver.read(sender, &letter.sealed);
        if opened.is_err() {
            assert_eq!(receiver.rows(), before, "a failure changed a row");
        }
        opened
    }

    /// Whether the chain was dropped because five newer ones of its session arrived. Counts chains
    /// of all sessions, so it may only say so too early.
    fn may_be_forgotten(&self, letter: &Letter) -> bool {
        let (ratchet, _) = header(&letter.sealed);
        let chains = &self.chains[1 - letter.from];
        let at = chains.iter().position(|known| *known == ratchet);
        at.is_some_and(|at| chains.len() - at > 5)
    }

    fn deliver(&mut self, at: usize) {
        let letter = self.under_way.remove(at);
        let opened = self.open(&letter);
        if opened.is_err() && self.may_be_forgotten(&letter) {
            return;
        }
        assert_eq!(opened.as_ref(), Ok(&letter.text));
        let (ratchet, _) = header(&letter.sealed);
        let chains = &mut self.chains[1 - letter.from];
        if !chains.contains(&ratchet) {
            chains.push(ratchet);
        }
        self.arrived.push(letter);
    }

    fn repeat(&mut self, at: usize) {
        let letter = self.arrived.swap_remove(at);
        let opened = self.open(&letter);
        if !self.may_be_forgotten(&letter) {
            assert_eq!(opened, Err(DecryptError::Duplicate));
        }
        assert!(opened.is_err(), "a message was decrypted twice");
        self.arrived.push(letter);
    }

    /// A byte changes under way; the original is still there and arrives later.
    fn damage(&mut self, at: usize, byte: usize) {
        let Letter { from, text, sealed } = &self.under_way[at];
        let mut damaged = Letter {
            from: *from,
            text: text.clone(),
            sealed: sealed.clone(),
        };
        // No MAC covers what a first message has around its inner message, nor that one's length.
        let inner = match sealed.kind {
            EncType::Msg => sealed.bytes.clone(),
            EncType::Pkmsg => PreKeyMessage::parse(&sealed.bytes).unwrap().message,
        };
        let mut parts = sealed.bytes.windows(inner.len());
        let start = parts.position(|part| part == inner).unwrap();
        let at = start + byte % inner.len();
        damaged.sealed.bytes[at] ^= 1;
        assert!(self.open(&damaged).is_err(), "a damaged message was read");
    }

    fn apply(&mut self, event: &Event) {
        let pick = |at: usize, all: &[Letter]| (!all.is_empty()).then(|| at % all.len());
        match *event {
            Event::Send { from } => self.send(from),
            Event::Deliver { at } => {
                if let Some(at) = pick(at, &self.under_way) {
                    self.deliver(at);
                }
            }
            Event::Repeat { at } => {
                if let Some(at) = pick(at, &self.arrived) {
                    self.repeat(at);
                }
            }
            Event::Damage { at, byte } => {
                if let Some(at) = pick(at, &self.under_way) {
                    self.damage(at, byte);
                }
            }
            Event::Lose { at } => {
                if let Some(at) = pick(at, &self.under_way) {
                    self.under_way.remove(at);
                }
            }
            Event::StartAnew { from } => {
                let (sender, receiver) = self.pair(from);
                sender.establish(receiver);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 64,
        ..ProptestConfig::default()
    })]

    #[test]
    fn each_message_is_read_once_and_no_key_is_used_twice(
        events in prop::collection::vec(event(), 1..80),
    ) {
        let mut world = World::new();
        for event in &events {
            world.apply(event);
        }
        while !world.under_way.is_empty() {
            world.deliver(0);
        }
        for at in 0..world.arrived.len() {
            world.repeat(at);
        }
    }
}
