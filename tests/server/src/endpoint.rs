//! A model device: a full Signal endpoint with its own keys and sessions.

use std::collections::{BTreeMap, BTreeSet};

use sendpath_protocol::crypto::curve::{KeyPair, PublicKey};
use sendpath_protocol::error::Fault;
use sendpath_protocol::peer::DeviceAddress;
use sendpath_protocol::secret::{Entropy, EntropyExt};
use sendpath_protocol::signal::keys::{PreKeyRecord, SignedPreKeyRecord};
use sendpath_protocol::signal::{self, Ciphertext, EncType, OneTimePreKey, OwnIdentity, padding};
use sendpath_protocol::time::Now;
use sendpath_protocol::txn::{Cx, Fence, MemoryStore, Scope, Store, step};

use crate::bundle::Bundle;
use crate::groupkey::{Reader, Writer};
use crate::people::SignedPreKey;

/// One device of a model person.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) device: u16,
    /// Index of a companion in its account's signed list; `None` for the phone.
    pub(crate) key_index: Option<u32>,
    /// The signed device identity of a companion.
    pub(crate) device_identity: Option<Vec<u8>>,
    /// Plaintexts by message id, for retry receipts.
    pub(crate) sent: BTreeMap<String, Vec<u8>>,
    /// Message ids that were read.
    pub(crate) read: BTreeSet<String>,
    /// What it was given to read groups with, by group and sending device.
    pub(crate) group_keys: BTreeMap<(String, String), Reader>,
    /// Its own keys, by group.
    pub(crate) group_writers: BTreeMap<String, Writer>,
    ours: OwnIdentity,
    signed_prekey: SignedPreKeyRecord,
    next_prekey: u32,
    store: MemoryStore,
    fence: Fence,
    scope: Scope,
}

impl Endpoint {
    /// A device with fresh keys.
    pub(crate) fn generate(
        rng: &mut dyn Entropy,
        now: Now,
        device: u16,
        key_index: Option<u32>,
    ) -> Self {
        let identity = KeyPair::generate(rng);
        let scope = Scope::slot("model");
        let mut store = MemoryStore::default();
        let fence = store.acquire(&scope).unwrap_or_else(|_| Fence {
            scope: scope.clone(),
            generation: 0,
        });
        let mut endpoint = Self {
            device,
            key_index,
            device_identity: None,
            sent: BTreeMap::new(),
            read: BTreeSet::new(),
            group_keys: BTreeMap::new(),
            group_writers: BTreeMap::new(),
            signed_prekey: SignedPreKeyRecord::generate(rng, &identity, 1, now.unix()),
            ours: OwnIdentity {
                identity,
                registration_id: 1 + rng.below(16_380),
            },
            next_prekey: 1,
            store,
            fence,
            scope,
        };
        let signed = endpoint.signed_prekey.clone();
        // A store in memory without injected failures does not fail.
        let _ = endpoint.run(rng, now, |cx, scope, _| {
            signed.store(&mut cx.txn, scope);
            Ok(())
        });
        endpoint
    }

    pub(crate) const fn identity(&self) -> &KeyPair {
        &self.ours.identity
    }

    pub(crate) const fn registration_id(&self) -> u32 {
        self.ours.registration_id
    }

    /// A bundle with a one-time key that nobody else gets.
    pub(crate) fn bundle(&mut self, rng: &mut dyn Entropy, now: Now) -> Bundle {
        let record = PreKeyRecord {
            id: self.next_prekey,
            pair: KeyPair::generate(rng),
            uploaded: true,
        };
        self.next_prekey += 1;
        let one_time = (record.id, *record.pair.public.as_bytes());
        let stored = self.run(rng, now, |cx, scope, _| {
            record.store(&mut cx.txn, scope);
            Ok(())
        });
        Bundle {
            registration_id: self.ours.registration_id,
            identity: self.ours.identity.public,
            signed_prekey: SignedPreKey {
                id: self.signed_prekey.id,
                key: *self.signed_prekey.pair.public.as_bytes(),
                signature: self.signed_prekey.signature,
            },
            one_time: stored.is_ok().then_some(one_time),
            device_identity: self.device_identity.clone(),
        }
    }

    /// Decrypts and unpads; the error is the reason in words.
    pub(crate) fn open(
        &mut self,
        rng: &mut dyn Entropy,
        now: Now,
        from: &DeviceAddress,
        kind: &str,
        bytes: &[u8],
    ) -> Result<Vec<u8>, String> {
        let kind = EncType::parse(kind).ok_or("no such enc type")?;
        let opened = self.run(rng, now, |cx, scope, ours| {
            signal::decrypt(cx, scope, ours, from, kind, bytes)
        });
        let decrypted = opened
            .map_err(|fault| fault.to_string())?
            .map_err(|error| format!("{error:?}"))?;
        padding::unpad(decrypted.plaintext).ok_or_else(|| "bad padding".into())
    }

    /// Pads and encrypts; `None` without a session.
    pub(crate) fn seal(
        &mut self,
        rng: &mut dyn Entropy,
        now: Now,
        to: &DeviceAddress,
        plain: &[u8],
    ) -> Option<Ciphertext> {
        let padded = padding::pad(rng, plain.to_vec());
        self.run(rng, now, |cx, scope, ours| {
            signal::encrypt(cx, scope, ours, to, &padded)
        })
        .ok()?
    }

    /// Starts a session from a bundle.
    pub(crate) fn establish(
        &mut self,
        rng: &mut dyn Entropy,
        now: Now,
        to: &DeviceAddress,
        bundle: &Bundle,
    ) -> Result<(), String> {
        let bundle = signal_bundle(bundle).ok_or("the bundle has a broken key")?;
        let established = self.run(rng, now, |cx, scope, ours| {
            signal::establish(cx, scope, ours, to, &bundle)
        });
        established
            .map_err(|fault| fault.to_string())?
            .map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Forgets the session with a device.
    pub(crate) fn forget(&mut self, rng: &mut dyn Entropy, now: Now, device: &DeviceAddress) {
        // As above: this store does not fail.
        let _ = self.run(rng, now, |cx, scope, _| {
            signal::delete_session(&mut cx.txn, scope, device);
            Ok(())
        });
    }

    fn run<R>(
        &mut self,
        rng: &mut dyn Entropy,
        now: Now,
        work: impl FnOnce(&mut Cx<'_>, &Scope, &OwnIdentity) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let mut result = None;
        let step = step(now, rng, &self.store, |cx| {
            result = Some(work(cx, &self.scope, &self.ours)?);
            Ok(())
        })?;
        step.commit(&mut self.store, &self.fence)?;
        result.ok_or(Fault::Bug("a step without a result"))
    }
}

fn signal_bundle(bundle: &Bundle) -> Option<signal::Bundle> {
    let one_time = match bundle.one_time {
        Some((id, key)) => Some(OneTimePreKey {
            id,
            key: PublicKey::from_raw(&key)?,
        }),
        None => None,
    };
    Some(signal::Bundle {
        registration_id: bundle.registration_id,
        identity: bundle.identity,
        signed_prekey: signal::SignedPreKey {
            id: bundle.signed_prekey.id,
            key: PublicKey::from_raw(&bundle.signed_prekey.key)?,
            signature: bundle.signed_prekey.signature,
        },
        one_time,
    })
}
