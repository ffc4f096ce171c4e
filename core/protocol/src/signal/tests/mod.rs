//! Two parties with a store each, for the tests of this folder.

mod interleaving;
mod rules;
mod vectors;

use super::keys::{PreKeyRecord, SignedPreKeyRecord};
use super::*;
use crate::crypto::curve::KeyPair;
use crate::peer::PeerKey;
use crate::secret::Entropy;
use crate::testkit::Seeded;
use crate::time::{Mono, Now, UnixMillis, UnixSeconds};
use crate::txn::{self, Fence, MemoryStore, Reader, Rows, Store};

/// One side of a conversation.
struct Party {
    store: MemoryStore,
    slot: Scope,
    fence: Fence,
    rng: Seeded,
    ours: OwnIdentity,
    address: DeviceAddress,
    next_prekey: u32,
}

const SIGNED: u32 = 7;

impl Party {
    fn new(seed: u64) -> Self {
        let mut rng = Seeded::new(seed);
        let identity = KeyPair::generate(&mut rng);
        let signed = SignedPreKeyRecord::generate(&mut rng, &identity, SIGNED, UnixSeconds(0));
        let ours = OwnIdentity {
            identity,
            registration_id: u32::try_from(1000 + seed).unwrap(),
        };
        Self::with(ours, &signed, rng)
    }

    fn with(ours: OwnIdentity, signed: &SignedPreKeyRecord, rng: Seeded) -> Self {
        let mut store = MemoryStore::default();
        let slot = Scope::slot("test");
        let fence = store.acquire(&slot).unwrap();
        let address = DeviceAddress {
            peer: PeerKey::Lid(ours.registration_id.to_string().into()),
            device: 3,
            hosted: false,
        };
        let mut party = Self {
            store,
            slot,
            fence,
            rng,
            ours,
            address,
            next_prekey: 1,
        };
        party.run(|cx, slot, _| {
            signed.store(&mut cx.txn, slot);
            Ok(())
        });
        party
    }

    fn run<T>(
        &mut self,
        body: impl FnOnce(&mut Cx<'_>, &Scope, &OwnIdentity) -> Result<T, Fault>,
    ) -> T {
        let mut rng = std::mem::replace(&mut self.rng, Seeded::new(0));
        let answer = self.run_with(&mut rng, body);
        self.rng = rng;
        answer
    }

    fn run_with<T>(
        &mut self,
        rng: &mut dyn Entropy,
        body: impl FnOnce(&mut Cx<'_>, &Scope, &OwnIdentity) -> Result<T, Fault>,
    ) -> T {
        let mut answer = None;
        let now = Now::new(Mono(0), UnixMillis(0));
        let step = txn::step(now, rng, &self.store, |cx| {
            answer = Some(body(cx, &self.slot, &self.ours)?);
            Ok(())
        });
        step.unwrap().commit(&mut self.store, &self.fence).unwrap();
        answer.unwrap()
    }

    /// What the server would give for us, with a fresh one-time prekey.
    fn bundle(&mut self) -> Bundle {
        let id = self.next_prekey;
        self.next_prekey += 1;
        let (signed, one_time) = self.run(|cx, slot, _| {
            let record = PreKeyRecord {
                id,
                pair: KeyPair::generate(cx.rng),
                uploaded: true,
            };
            record.store(&mut cx.txn, slot);
            let signed = SignedPreKeyRecord::load(&cx.txn, slot, SIGNED)?;
            Ok((signed.unwrap(), record.pair.public))
        });
        Bundle {
            registration_id: self.ours.registration_id,
            identity: self.ours.identity.public,
            signed_prekey: SignedPreKey {
                id: SIGNED,
                key: signed.pair.public,
                signature: signed.signature,
            },
            one_time: Some(OneTimePreKey { id, key: one_time }),
        }
    }

    fn establish(&mut self, with: &mut Self) -> Established {
        let bundle = with.bundle();
        self.establish_from(&with.address, &bundle).unwrap()
    }

    fn establish_from(
        &mut self,
        to: &DeviceAddress,
        bundle: &Bundle,
    ) -> Result<Established, BundleError> {
        self.run(|cx, slot, ours| establish(cx, slot, ours, to, bundle))
    }

    fn encrypt(&mut self, to: &Self, text: &[u8]) -> Ciphertext {
        let sealed = self.run(|cx, slot, ours| encrypt(cx, slot, ours, &to.address, text));
        sealed.unwrap()
    }

    fn decrypt(&mut self, from: &Self, sealed: &Ciphertext) -> Result<Decrypted, DecryptError> {
        self.run(|cx, slot, ours| {
            decrypt(cx, slot, ours, &from.address, sealed.kind, &sealed.bytes)
        })
    }

    fn read(&mut self, from: &Self, sealed: &Ciphertext) -> Result<Vec<u8>, DecryptError> {
        self.decrypt(from, sealed).map(|opened| opened.plaintext)
    }

    fn rows(&self) -> Vec<Rows> {
        [Namespace::Session, Namespace::Identity, Namespace::PreKey]
            .map(|ns| self.store.scan(&self.slot, ns, b"", None, 1000).unwrap())
            .into()
    }
}

/// Alice with a session to Bob that Bob has answered, so both send `msg`.
fn talking() -> (Party, Party) {
    let (mut alice, mut bob) = (Party::new(1), Party::new(2));
    alice.establish(&mut bob);
    let hello = alice.encrypt(&bob, b"hello");
    assert_eq!(bob.read(&alice, &hello), Ok(b"hello".to_vec()));
    let hi = bob.encrypt(&alice, b"hi");
    assert_eq!(alice.read(&bob, &hi), Ok(b"hi".to_vec()));
    (alice, bob)
}
