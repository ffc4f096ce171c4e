//! Sessions as rows, and messages of peers.
//!
//! Nobody can forge: what opens is what the peer wrote, and what does not open changes no row.

use std::cell::RefCell;

use sendpath_protocol::crypto::curve::KeyPair;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::peer::DeviceAddress;
use sendpath_protocol::signal::keys::{PreKeyRecord, SignedPreKeyRecord, prekey_row_id};
use sendpath_protocol::signal::{
    self, Bundle, Ciphertext, EncType, OneTimePreKey, OwnIdentity, SignedPreKey,
};
use sendpath_protocol::txn::{Key, Namespace, Reader};

use crate::bench::{Bench, NOW, Steady, split};

/// What is always said.
const SAID: &[u8] = b"hello\x03\x03\x03";

/// One side of a session.
#[derive(Clone)]
struct Side {
    bench: Bench,
    ours: OwnIdentity,
    peer: DeviceAddress,
}

/// Two devices. Alice has written three messages that Bob has not read; one session is older.
#[derive(Clone)]
pub(crate) struct Pair {
    alice: Side,
    bob: Side,
    /// First messages, and one within the session.
    pub(crate) messages: Vec<Ciphertext>,
}

impl Side {
    fn new(seed: u64, peer: &str) -> Self {
        let mut rng = Steady::new(seed);
        let ours = OwnIdentity {
            identity: KeyPair::generate(&mut rng),
            registration_id: 7,
        };
        Self {
            bench: Bench::new(seed + 10),
            ours,
            peer: DeviceAddress::of(&Jid::lid(peer)).expect("a device"),
        }
    }

    fn bundle(&mut self) -> Bundle {
        let (mut rng, identity) = (Steady::new(5), self.ours.identity.clone());
        let signed = SignedPreKeyRecord::generate(&mut rng, &identity, 1, NOW.unix());
        let one_time = PreKeyRecord {
            id: 2,
            pair: KeyPair::generate(&mut rng),
            uploaded: true,
        };
        self.bench.step(|cx, slot| {
            signed.store(&mut cx.txn, slot);
            one_time.store(&mut cx.txn, slot);
            Ok(())
        });
        Bundle {
            registration_id: self.ours.registration_id,
            identity: self.ours.identity.public,
            signed_prekey: SignedPreKey {
                id: 1,
                key: signed.pair.public,
                signature: signed.signature,
            },
            one_time: Some(OneTimePreKey {
                id: 2,
                key: one_time.pair.public,
            }),
        }
    }

    fn seal(&mut self) -> Option<Ciphertext> {
        let Self { bench, ours, peer } = self;
        let sealed = bench.step(|cx, slot| signal::encrypt(cx, slot, ours, peer, SAID));
        sealed.0
    }

    /// The plaintext. Unless there is one, no row changed.
    fn open(&mut self, kind: EncType, bytes: &[u8]) -> Option<Vec<u8>> {
        let Self { bench, ours, peer } = self;
        let (opened, wrote) =
            bench.step(|cx, slot| signal::decrypt(cx, slot, ours, peer, kind, bytes));
        assert!(opened.is_ok() == wrote, "rows change with a message only");
        opened.ok().map(|opened| opened.plaintext)
    }

    fn row(&self) -> Vec<u8> {
        let key = Key::new(&self.bench.slot, Namespace::Session, self.peer.storage());
        self.bench
            .store
            .get(&key)
            .expect("memory")
            .unwrap_or_default()
    }
}

impl Pair {
    fn new() -> Self {
        let (mut alice, mut bob) = (Side::new(1, "2"), Side::new(2, "1"));
        let bundle = bob.bundle();
        let (ours, peer) = (alice.ours.clone(), alice.peer.clone());
        let (started, _) = alice
            .bench
            .step(|cx, slot| signal::establish(cx, slot, &ours, &peer, &bundle));
        started.expect("a good bundle");
        let first = alice.seal().expect("a session");
        bob.open(first.kind, &first.bytes).expect("a good message");
        let answer = bob.seal().expect("a session");
        alice
            .open(answer.kind, &answer.bytes)
            .expect("a good answer");
        let mut messages = vec![first];
        messages.extend((0..3).filter_map(|_| alice.seal()));
        Self {
            alice,
            bob,
            messages,
        }
    }

    pub(crate) fn get() -> Self {
        thread_local!(static PAIR: RefCell<Option<Pair>> = const { RefCell::new(None) });
        PAIR.with_borrow_mut(|pair| pair.get_or_insert_with(Self::new).clone())
    }

    /// The row of Alice's session, and of Bob's.
    pub(crate) fn rows(&self) -> [Vec<u8>; 2] {
        [self.alice.row(), self.bob.row()]
    }
}

/// A message for Bob: with a session, and without one but with the prekeys.
pub(crate) fn message(data: &[u8]) {
    let Some((kind, bytes)) = split(data) else {
        return;
    };
    let Pair { mut bob, .. } = Pair::get();
    let kind_of = match kind & 1 {
        0 => EncType::Msg,
        _ => EncType::Pkmsg,
    };
    if kind & 2 != 0 {
        // Nothing is left but the keys that the server gave out.
        let device = bob.peer.clone();
        bob.bench.step(|cx, slot| {
            signal::delete_session(&mut cx.txn, slot, &device);
            Ok(())
        });
        bob.bundle();
    }
    if let Some(said) = bob.open(kind_of, bytes) {
        assert!(said == SAID, "nobody wrote that");
        let again = bob.open(kind_of, bytes);
        assert!(again.is_none(), "one message opens twice");
    }
}

/// A row that the store gives back changed: our own session, or that of a peer who writes to us.
pub(crate) fn row(data: &[u8]) {
    let Some((which, row)) = split(data) else {
        return;
    };
    let Pair {
        mut alice,
        mut bob,
        messages,
    } = Pair::get();
    let session = |side: &Side| side.peer.storage();
    match which % 5 {
        0 => {
            let id = session(&alice);
            alice.bench.put(Namespace::Session, id, row);
        }
        1 => {
            let id = session(&bob);
            bob.bench.put(Namespace::Session, id, row);
        }
        2 => {
            let id = session(&bob);
            bob.bench.put(Namespace::Identity, id, row);
        }
        3 => bob.bench.put(Namespace::PreKey, prekey_row_id(2), row),
        _ => bob
            .bench
            .put(Namespace::SignedPreKey, prekey_row_id(1), row),
    }
    for message in &messages {
        bob.open(message.kind, &message.bytes);
    }
    // Their chain may be anything now, and its messages are genuine all the same.
    for _ in 0..2 {
        if let Some(sealed) = alice.seal()
            && let Some(said) = bob.open(sealed.kind, &sealed.bytes)
        {
            assert!(said == SAID, "nobody wrote that");
        }
        if let Some(sealed) = bob.seal() {
            alice.open(sealed.kind, &sealed.bytes);
        }
    }
}
