//! Known answers, limits, and random traffic in one group.

use proptest::prelude::*;

use super::key::{MessageKeys, OwnSenderKey};
use super::*;
use crate::crypto::curve::{KeyPair, PrivateKey};
use crate::secret::{Entropy, Secret};
use crate::signal::chain::ChainKey;
use crate::signal::testdata::{array, bytes, pair, vector};
use crate::testkit::{Bench, Seeded};
use crate::txn::{Key, Reader, Record};

struct Fixed(u8);

impl Entropy for Fixed {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill(self.0);
    }
}

fn group() -> Jid {
    "120363021@g.us".parse().unwrap()
}

fn sender() -> DeviceAddress {
    DeviceAddress::of(&"7:3@lid".parse().unwrap()).unwrap()
}

/// A member that got keys of [`sender`].
struct Member(Bench);

impl Member {
    fn new(key: &OwnSenderKey) -> Self {
        let mut member = Self(Bench::new(1));
        member.learn(&key.distribution()).unwrap();
        member
    }

    fn learn(&mut self, distribution: &[u8]) -> Result<(), DecryptError> {
        let slot = self.0.slot.clone();
        self.0
            .run(|cx| Ok(process(cx, &slot, &group(), &sender(), distribution)?))
    }

    fn read(&mut self, message: &[u8]) -> Result<Vec<u8>, DecryptError> {
        let (slot, before) = (self.0.slot.clone(), self.row());
        let read = self
            .0
            .run(|cx| Ok(decrypt(cx, &slot, &group(), &sender(), message)?));
        if read.is_err() {
            assert_eq!(self.row(), before, "a failure changed the row");
        }
        read
    }

    fn row(&self) -> Option<Vec<u8>> {
        let id = peer_id(&group(), &sender());
        let key = Key::new(&self.0.slot, Namespace::SenderKey, id);
        self.0.store.get(&key).unwrap()
    }

    fn keys(&mut self) -> PeerKeys {
        PeerKeys::from_row(&self.row().unwrap()).unwrap()
    }
}

fn fresh(seed: u64) -> OwnSenderKey {
    OwnSenderKey::generate(&mut Seeded::new(seed))
}

fn sealed(key: &mut OwnSenderKey, text: &[u8]) -> Vec<u8> {
    key.encrypt(&mut Seeded::new(9), text).unwrap()
}

#[test]
fn a_whole_group_message_matches_the_known_answer_of_the_specification() {
    let signing = core::array::from_fn(|i| 0xc1 + u8::try_from(i).unwrap());
    let mut key = OwnSenderKey {
        id: 0x0102_0304,
        chain: ChainKey::new(Secret::new([0x11; 32])),
        signing: KeyPair::from_private(PrivateKey::from_bytes(signing)),
    };
    assert_eq!(
        hex::encode(key.distribution()),
        "33088486880810001a20111111111111111111111111111111111111111111111111111111111111111122\
         21053a553d74792d727efa9b9a4cde3da1ad93f1a2d0c09cb639b1a3c0fda14cbe24"
    );
    let message = key.encrypt(&mut Fixed(0x55), b"hello group").unwrap();
    assert_eq!(
        hex::encode(message),
        "33088486880810001a10277b22dcee0d0401633057e837d08cb354cb876e44af7a6c71792daea5523431af45\
         484ae17c45c5bcd24205f0563b7e50ebde950b9a45b4f9be5caee10d87716bc3fd7ba06b57c86d22aedaf61d\
         2a80"
    );
}

#[test]
fn the_vectors_are_written_and_read() {
    let case = vector("sender key");
    let mut key = OwnSenderKey {
        id: u32::try_from(case["key_id"].as_u64().unwrap()).unwrap(),
        chain: ChainKey::new(Secret::new(array(&case, "initial_chain_key"))),
        signing: pair(&case, "signing"),
    };
    assert_eq!(key.distribution(), bytes(&case, "distribution_message"));
    let mut member = Member::new(&key);
    let messages = case["messages"].as_array().unwrap();
    for message in messages {
        let plaintext = message["plaintext"].as_str().unwrap().as_bytes();
        assert_eq!(key.chain.key, Secret::new(array(message, "chain_key")));
        let keys = MessageKeys::from(key.chain.clone().advance().unwrap());
        assert_eq!(keys.iv, array(message, "iv"));
        assert_eq!(keys.cipher, Secret::new(array(message, "cipher_key")));
        let known = bytes(message, "hex");
        let ours = sealed(&mut key, plaintext);
        let unsigned = known.len() - 64;
        assert_eq!(ours[..unsigned], known[..unsigned]);
        assert_eq!(member.read(&known).unwrap(), plaintext);
    }
    assert_eq!(messages.len(), 3);
}

#[test]
fn a_message_is_read_once_and_a_changed_one_never() {
    let mut key = fresh(1);
    let mut member = Member::new(&key);
    let message = sealed(&mut key, b"one");
    for at in [1, message.len() - 70, message.len() - 1] {
        let mut changed = message.clone();
        changed[at] ^= 1;
        assert!(member.read(&changed).is_err(), "{at}");
    }
    let mut forged = message.clone();
    forged[message.len() - 1] ^= 1;
    assert_eq!(member.read(&forged), Err(DecryptError::InvalidSignature));
    assert_eq!(member.read(&message).unwrap(), b"one");
    assert_eq!(member.read(&message), Err(DecryptError::Duplicate));
}

#[test]
fn a_key_that_did_not_come_is_asked_for() {
    let mut key = fresh(1);
    let mut member = Member::new(&fresh(2));
    let message = sealed(&mut key, b"one");
    let error = member.read(&message).unwrap_err();
    assert_eq!(error, DecryptError::NoSenderKey);
    assert_eq!(error.retry_reason(), Some(1));
    assert_eq!(DecryptError::InvalidSignature.retry_reason(), Some(5));
}

#[test]
fn what_was_written_before_the_key_came_is_asked_for_and_not_a_duplicate() {
    let mut key = fresh(3);
    let before = sealed(&mut key, b"before");
    let mut member = Member::new(&key);
    let after = sealed(&mut key, b"after");
    assert_eq!(member.read(&before), Err(DecryptError::NoSenderKey));
    assert_eq!(member.read(&after).unwrap(), b"after");
    assert_eq!(member.read(&before), Err(DecryptError::NoSenderKey));
    assert_eq!(member.read(&after), Err(DecryptError::Duplicate));
}

#[test]
fn keys_of_other_devices_and_groups_open_nothing() {
    let mut key = fresh(1);
    let mut member = Member::new(&key);
    let message = sealed(&mut key, b"one");
    let slot = member.0.slot.clone();
    let other_group: Jid = "2@g.us".parse().unwrap();
    let mut other_device = sender();
    other_device.device = 4;
    for (group, device) in [(other_group, sender()), (group(), other_device)] {
        let read = member
            .0
            .run(|cx| Ok(decrypt(cx, &slot, &group, &device, &message)?));
        assert_eq!(read, Err(DecryptError::NoSenderKey));
    }
}

#[test]
fn a_jump_of_2000_is_taken_and_2001_is_not() {
    let mut key = fresh(1);
    let mut near = Member::new(&key);
    let mut far = Member::new(&key);
    (0..2000).for_each(|_| drop(key.chain.advance()));
    let message = sealed(&mut key, b"2000");
    assert_eq!(near.read(&message).unwrap(), b"2000");
    assert_eq!(near.keys().0[0].skipped.len(), 2000);
    let message = sealed(&mut key, b"2001");
    assert_eq!(far.read(&message), Err(DecryptError::TooFarAhead));
    far.learn(&key.distribution()).unwrap();
    let message = sealed(&mut key, b"2002");
    assert_eq!(
        far.read(&message).unwrap(),
        b"2002",
        "told again, it follows"
    );
}

#[test]
fn skipped_keys_are_bounded_over_all_keys_of_a_device() {
    let mut old = fresh(1);
    let mut member = Member::new(&old);
    let overtaken = sealed(&mut old, b"overtaken");
    (0..1499).for_each(|_| drop(old.chain.advance()));
    let message = sealed(&mut old, b"old");
    member.read(&message).unwrap();
    let mut new = fresh(2);
    member.learn(&new.distribution()).unwrap();
    (0..1000).for_each(|_| drop(new.chain.advance()));
    let message = sealed(&mut new, b"new");
    member.read(&message).unwrap();
    let counts: Vec<usize> = member.keys().0.iter().map(|s| s.skipped.len()).collect();
    assert_eq!(counts, [1000, 1000]);
    assert_eq!(member.read(&overtaken), Err(DecryptError::Duplicate));
}

#[test]
fn five_keys_of_a_device_are_kept() {
    let mut keys: Vec<OwnSenderKey> = (1..=6).map(fresh).collect();
    let mut member = Member::new(&keys[0]);
    for key in &keys[1..] {
        member.learn(&key.distribution()).unwrap();
    }
    let first = sealed(&mut keys[0], b"1");
    assert_eq!(member.read(&first), Err(DecryptError::NoSenderKey));
    for key in &mut keys[1..] {
        let message = sealed(key, b"more");
        assert_eq!(member.read(&message).unwrap(), b"more");
    }
}

#[test]
fn a_repeated_distribution_does_not_turn_the_chain_back() {
    let mut key = fresh(1);
    let first = key.distribution();
    let mut member = Member::new(&key);
    let message = sealed(&mut key, b"one");
    member.read(&message).unwrap();
    member.learn(&first).unwrap();
    assert_eq!(member.read(&message), Err(DecryptError::Duplicate));
    let message = sealed(&mut key, b"two");
    assert_eq!(member.read(&message).unwrap(), b"two");
}

#[test]
fn another_key_with_the_same_id_replaces_the_first() {
    let (mut one, mut two) = (fresh(1), fresh(2));
    two.id = one.id;
    let mut member = Member::new(&one);
    member.learn(&two.distribution()).unwrap();
    let (of_one, of_two) = (sealed(&mut one, b"1"), sealed(&mut two, b"2"));
    assert_eq!(member.read(&of_one), Err(DecryptError::InvalidSignature));
    assert_eq!(member.read(&of_two).unwrap(), b"2");
}

#[test]
fn our_own_key_comes_back_from_the_store_and_goes_with_a_rotation() {
    let mut bench = Bench::new(1);
    let slot = bench.slot.clone();
    let us = PeerKey::Lid("1".into());
    let mut key = fresh(1);
    sealed(&mut key, b"one");
    bench.run(|cx| {
        store_own(&mut cx.txn, &slot, &group(), &us, &key);
        Ok(())
    });
    let found = bench.run(|cx| Ok(own(&cx.txn, &slot, &group(), &us)?));
    let mut found = found.unwrap();
    assert_eq!((found.id(), found.iteration()), (key.id(), 1));
    assert_eq!(sealed(&mut found, b"two"), sealed(&mut key, b"two"));
    bench.run(|cx| {
        rotate(&mut cx.txn, &slot, &group(), &us);
        Ok(())
    });
    let gone = bench.run(|cx| Ok(own(&cx.txn, &slot, &group(), &us)?));
    assert!(gone.is_none());
}

#[test]
fn malformed_input_is_refused_without_a_row() {
    let mut key = fresh(1);
    let (told, message) = (key.distribution(), sealed(&mut key, b"one"));
    let mut member = Member(Bench::new(1));
    for length in 0..told.len() {
        assert!(member.learn(&told[..length]).is_err(), "{length}");
    }
    for length in 0..65 {
        let read = member.read(&message[..length]);
        assert_eq!(read, Err(DecryptError::Malformed));
    }
    let mut version = told;
    version[0] = 0x43;
    assert_eq!(member.learn(&version), Err(DecryptError::Malformed));
    assert_eq!(member.row(), None);
}

#[test]
fn the_bytes_of_rows_stay_as_they_are() {
    let private = PrivateKey::from_bytes([8; 32]);
    let own = OwnSenderKey {
        id: 5,
        chain: ChainKey {
            index: 3,
            key: Secret::new([1; 32]),
        },
        signing: KeyPair::from_private(private),
    };
    let public = hex::encode(own.signing.public.as_bytes());
    let chain = format!("122408031220{}", "01".repeat(32));
    let private = format!("{}48", "08".repeat(31));
    assert_eq!(
        hex::encode(own.to_row()),
        format!("010805{chain}1a20{private}2220{public}")
    );
    let mut peer = PeerKeys::default();
    peer.learn(Distribution::parse(&own.distribution()).unwrap());
    let state = format!("08051220{public}1a2408031220{}2803", "01".repeat(32));
    assert_eq!(
        hex::encode(peer.to_row()),
        format!("010a{:02x}{state}", state.len() / 2)
    );
}

#[derive(Clone, Debug)]
enum Event {
    Send,
    Deliver { at: usize },
    Repeat { at: usize },
    Damage { at: usize, byte: usize },
    TellAgain,
    Rotate,
}

fn event() -> impl Strategy<Value = Event> {
    let at = any::<prop::sample::Index>().prop_map(|index| index.index(1 << 16));
    prop_oneof![
        6 => Just(Event::Send),
        6 => at.clone().prop_map(|at| Event::Deliver { at }),
        1 => at.clone().prop_map(|at| Event::Repeat { at }),
        1 => (at, any::<usize>()).prop_map(|(at, byte)| Event::Damage { at, byte }),
        1 => Just(Event::TellAgain),
        1 => Just(Event::Rotate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 64,
        ..ProptestConfig::default()
    })]

    #[test]
    fn each_message_is_read_once_in_any_order(
        events in prop::collection::vec(event(), 1..60),
    ) {
        let mut keys = vec![fresh(0)];
        let mut member = Member::new(&keys[0]);
        let mut under_way: Vec<(usize, Vec<u8>, Vec<u8>)> = Vec::new();
        let mut arrived: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut sent = 0u32;
        for event in &events {
            let current = keys.len() - 1;
            match *event {
                Event::Send => {
                    let text = sent.to_be_bytes().to_vec();
                    sent += 1;
                    let message = sealed(&mut keys[current], &text);
                    under_way.push((current, text, message));
                }
                Event::Deliver { at } if !under_way.is_empty() => {
                    let (key, text, message) = under_way.remove(at % under_way.len());
                    if current - key < 5 {
                        prop_assert_eq!(member.read(&message), Ok(text));
                    }
                    arrived.push((key, message));
                }
                Event::Repeat { at } if !arrived.is_empty() => {
                    let (_, message) = &arrived[at % arrived.len()];
                    prop_assert!(member.read(message).is_err());
                }
                Event::Damage { at, byte } if !under_way.is_empty() => {
                    let mut damaged = under_way[at % under_way.len()].2.clone();
                    let at = byte % damaged.len();
                    damaged[at] ^= 1;
                    prop_assert!(member.read(&damaged).is_err());
                }
                Event::TellAgain => member.learn(&keys[current].distribution()).unwrap(),
                Event::Rotate => {
                    keys.push(fresh(keys.len() as u64));
                    member.learn(&keys[current + 1].distribution()).unwrap();
                }
                Event::Deliver { .. } | Event::Repeat { .. } | Event::Damage { .. } => {}
            }
        }
    }
}
