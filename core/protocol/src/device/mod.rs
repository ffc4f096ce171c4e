//! This companion device: its keys, and its link to an account.
//!
//! ```text
//! Device / "device"  -> keys, registration id, supply of prekeys, clock, routing, link   (slot scope)
//! ```
//!
//! The keys are made once, before the first connection, and live until the link ends
//! ([`forget`]). What belongs to the account and not to the device (tokens, salt, limits) lies in
//! [`Paired::scope`] and survives a re-link.

mod record;

use core::fmt;

use crate::crypto::curve::{KeyPair, PublicKey};
use crate::error::{Fault, StoreError};
use crate::jid::Jid;
use crate::peer::{AccountKey, PeerKey};
use crate::secret::{EntropyExt, Secret};
use crate::signal::keys::SignedPreKeyRecord;
use crate::time::{ServerClock, UnixSeconds};
use crate::txn::{Cx, Namespace, Scope, Txn};

/// The one id in [`Namespace::Device`].
const ID: &str = "device";

/// Highest registration id that we make: the 14-bit range of classic Signal clients.
const MAX_REGISTRATION_ID: u32 = 16_380;

/// The device of a slot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeviceRecord {
    /// Static key of the Noise handshake.
    pub noise: KeyPair,
    /// Signal identity.
    pub identity: KeyPair,
    /// Signal registration id, 1 to 16380.
    pub registration_id: u32,
    /// The current signed prekey; its private half is a row of its own.
    pub signed_prekey: SignedPreKey,
    /// The one that follows, from when it is made until the server has it.
    pub rotation: Option<Rotation>,
    /// Shared with the phone through the QR code; proves that the phone has seen it.
    pub adv_secret: Secret<32>,
    /// Id of the next one-time prekey to make: 24 bits, never 0.
    pub next_prekey_id: u32,
    /// The keys of an upload that the server has not answered yet.
    pub upload: Option<KeyRange>,
    /// What we know of the server's clock.
    pub clock: ServerClock,
    /// Edge routing bytes for the next connection, if the server gave some.
    pub routing: Option<Vec<u8>>,
    /// The link to an account.
    pub link: Link,
}

/// One-time prekeys with consecutive ids, modulo the wrap at 24 bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyRange {
    /// The first id.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// A change of the signed prekey that the server has not confirmed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rotation {
    /// The next key; its private half is a row of its own.
    pub key: SignedPreKey,
    /// When the server is asked (again) to take it.
    pub at: UnixSeconds,
}

/// The public side of our signed prekey.
#[derive(Clone, Eq, PartialEq)]
pub struct SignedPreKey {
    /// Its 24-bit id.
    pub id: u32,
    /// The key.
    pub public: PublicKey,
    /// Signature of the identity over the typed key.
    pub signature: [u8; 64],
    /// When it was made.
    pub created: UnixSeconds,
}

impl fmt::Debug for SignedPreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedPreKey({})", self.id)
    }
}

/// Whether the device is linked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Link {
    /// It is linked to this account.
    Paired(Box<Paired>),
    /// No phone has accepted it yet.
    Unpaired,
}

/// What pairing told us, and what we learnt since.
#[derive(Clone, Eq, PartialEq)]
pub struct Paired {
    /// Our device by phone number.
    pub jid: Jid,
    /// Our device by LID, if the server told it.
    pub lid: Option<Jid>,
    /// `ADVSignedDeviceIdentity` with the account's key and both signatures.
    pub account: Vec<u8>,
    /// The phone's platform, in the server's word.
    pub platform: Option<String>,
    /// The verified name of a business.
    pub business_name: Option<String>,
    /// Our display name.
    pub push_name: Option<String>,
    /// Whether the account's 1:1 chats are addressed by LID; `None` while nobody told.
    pub lid_migrated: Option<bool>,
    /// Successful logins since pairing.
    pub login_counter: u32,
    /// The server has one-time prekeys of ours.
    pub server_has_prekeys: bool,
    /// Server time of the pairing; `None` in rows that do not say.
    pub linked_at: Option<UnixSeconds>,
    /// Whether the phone has sent all of its history; `None` while it has sent nothing of it.
    pub history_complete: Option<bool>,
}

impl Paired {
    /// A fresh link: nothing is known but what pairing always tells.
    pub const fn new(jid: Jid, lid: Option<Jid>, account: Vec<u8>) -> Self {
        Self {
            jid,
            lid,
            account,
            platform: None,
            business_name: None,
            push_name: None,
            lid_migrated: None,
            login_counter: 0,
            server_has_prekeys: false,
            linked_at: None,
            history_complete: None,
        }
    }

    /// The account as an owner of rows: by LID if it is known.
    pub fn account_key(&self) -> Option<AccountKey> {
        let jid = self.lid.as_ref().unwrap_or(&self.jid);
        PeerKey::of(jid).map(AccountKey)
    }

    /// Where the rows of the account lie.
    pub fn scope(&self) -> Option<Scope> {
        self.account_key().map(|key| Scope::account(&key))
    }
}

impl fmt::Debug for Paired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paired")
            .field("jid", &self.jid)
            .field("lid", &self.lid)
            .field("platform", &self.platform)
            .field("lid_migrated", &self.lid_migrated)
            .field("login_counter", &self.login_counter)
            .field("server_has_prekeys", &self.server_has_prekeys)
            .finish_non_exhaustive()
    }
}

impl DeviceRecord {
    /// The device of `slot`; made now if there is none, together with its signed prekey.
    ///
    /// # Errors
    /// What the store says.
    pub fn load_or_create(cx: &mut Cx<'_>, slot: &Scope) -> Result<Self, Fault> {
        if let Some(device) = Self::load(&cx.txn, slot)? {
            return Ok(device);
        }
        // Rows of a link that was forgotten only half must not meet the new keys.
        while forget(&mut cx.txn, slot)? == Forgotten::More {}
        let (device, signed_prekey) = Self::generate(cx);
        signed_prekey.store(&mut cx.txn, slot);
        device.save(cx, slot);
        Ok(device)
    }

    /// The device of `slot`, if it was made.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(txn: &Txn<'_>, slot: &Scope) -> Result<Option<Self>, StoreError> {
        txn.get(slot, ID)
    }

    /// Writes the record.
    pub fn save(&self, cx: &mut Cx<'_>, slot: &Scope) {
        cx.txn.put(slot, ID, self);
    }

    fn generate(cx: &mut Cx<'_>) -> (Self, SignedPreKeyRecord) {
        let noise = KeyPair::generate(cx.rng);
        let identity = KeyPair::generate(cx.rng);
        let signed = SignedPreKeyRecord::generate(cx.rng, &identity, 1, cx.now.unix());
        let device = Self {
            noise,
            identity,
            registration_id: 1 + cx.rng.below(MAX_REGISTRATION_ID),
            signed_prekey: SignedPreKey {
                id: signed.id,
                public: signed.pair.public,
                signature: signed.signature,
                created: signed.created,
            },
            rotation: None,
            adv_secret: Secret::random(cx.rng),
            next_prekey_id: 1,
            upload: None,
            clock: ServerClock::default(),
            routing: None,
            link: Link::Unpaired,
        };
        (device, signed)
    }

    /// The link, if there is one.
    pub fn paired(&self) -> Option<&Paired> {
        match &self.link {
            Link::Paired(paired) => Some(paired),
            Link::Unpaired => None,
        }
    }

    /// The link, if there is one, to change it.
    pub fn paired_mut(&mut self) -> Option<&mut Paired> {
        match &mut self.link {
            Link::Paired(paired) => Some(paired),
            Link::Unpaired => None,
        }
    }
}

/// Whether a scope is empty now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Forgotten {
    /// Nothing is left.
    Done,
    /// There may be more rows; call again in another step.
    More,
}

/// Rows that one call of [`forget`] deletes at most. More makes fewer, longer commits.
const FORGET_BATCH: usize = 500;

/// What a scope can hold, credentials first: after the first batch nothing can log in any more.
pub(crate) const FORGET_ORDER: [Namespace; 28] = [
    Namespace::Device,
    Namespace::SignedPreKey,
    Namespace::PreKey,
    Namespace::Session,
    Namespace::SenderKey,
    Namespace::AppStateKey,
    Namespace::AppState,
    Namespace::AppStateIndex,
    Namespace::SenderKeyMarks,
    Namespace::Identity,
    Namespace::Devices,
    Namespace::Groups,
    Namespace::Outbox,
    Namespace::Recent,
    Namespace::MessageSecret,
    Namespace::Placeholder,
    Namespace::History,
    Namespace::Seen,
    Namespace::Certs,
    Namespace::Counters,
    Namespace::Quarantine,
    Namespace::Props,
    Namespace::LidOfPn,
    Namespace::PnOfLid,
    Namespace::Limits,
    Namespace::Salt,
    Namespace::Timeline,
    Namespace::Token,
];

/// Deletes one batch of the rows of a scope: of a slot when the link is gone, of an account only
/// when its owner asks for it.
///
/// # Errors
/// What the store says.
pub fn forget(txn: &mut Txn<'_>, scope: &Scope) -> Result<Forgotten, StoreError> {
    let mut left = FORGET_BATCH;
    for ns in FORGET_ORDER {
        let rows = txn.scan(scope, ns, b"", None, left)?;
        left -= rows.len().min(left);
        for (id, _) in rows {
            txn.delete(scope, ns, id);
        }
        if left == 0 {
            return Ok(Forgotten::More);
        }
    }
    Ok(Forgotten::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Bench;
    use crate::txn::{Key, Reader};

    fn create(bench: &mut Bench) -> DeviceRecord {
        let slot = bench.slot.clone();
        bench.run(|cx| DeviceRecord::load_or_create(cx, &slot))
    }

    #[test]
    fn keys_are_made_once() {
        let mut bench = Bench::new(1);
        let device = create(&mut bench);
        let commits = bench.store.commits();
        assert_eq!(create(&mut bench), device);
        assert_eq!(bench.store.commits(), commits);
        assert_eq!(device.link, Link::Unpaired);
        assert!((1..=MAX_REGISTRATION_ID).contains(&device.registration_id));
        assert_ne!(create(&mut Bench::new(2)).noise, device.noise);
    }

    #[test]
    fn the_signed_prekey_is_signed_and_its_private_half_is_kept() {
        let mut bench = Bench::new(1);
        let device = create(&mut bench);
        let SignedPreKey {
            public, signature, ..
        } = device.signed_prekey;
        assert!(device.identity.public.verify(&public.typed(), &signature));
        let slot = bench.slot.clone();
        let row = bench.run(|cx| Ok(cx.txn.get::<SignedPreKeyRecord>(&slot, "000001")?));
        assert_eq!(row.unwrap().pair.public, public);
    }

    #[test]
    fn debug_shows_neither_keys_nor_names() {
        let mut device = create(&mut Bench::new(1));
        device.link = Link::Paired(Box::new(record::tests::paired()));
        let shown = format!("{device:?}");
        assert!(
            !shown.contains("4915551") && !shown.contains("Alice"),
            "{shown}"
        );
        let secret = device.adv_secret.expose();
        assert!(!shown.contains(&format!("{}, {}, {}", secret[0], secret[1], secret[2])));
    }

    #[test]
    fn rows_belong_to_the_lid_if_there_is_one() {
        let mut paired = record::tests::paired();
        assert_eq!(paired.scope().unwrap().as_str(), "acct:lid:77");
        paired.lid = None;
        assert_eq!(paired.scope().unwrap().as_str(), "acct:pn:4915551");
    }

    #[test]
    fn forgetting_goes_in_batches_and_takes_the_credentials_first() {
        let mut bench = Bench::new(1);
        let old = create(&mut bench);
        let slot = bench.slot.clone();
        let other = Scope::slot("other");
        bench.run(|cx| {
            for n in 0..700 {
                let key = Key::new(&slot, Namespace::Session, format!("lid:{n}:0"));
                cx.txn.put_row(key, vec![1]);
            }
            cx.txn
                .put_row(Key::new(&other, Namespace::Token, "lid:1"), vec![1]);
            Ok(())
        });
        let first = bench.run(|cx| Ok(forget(&mut cx.txn, &slot)?));
        assert_eq!(first, Forgotten::More);
        let device = Key::new(&slot, Namespace::Device, ID);
        assert_eq!(bench.store.get(&device).unwrap(), None);
        assert_eq!(bench.store.len(), 703 - FORGET_BATCH);
        let second = bench.run(|cx| Ok(forget(&mut cx.txn, &slot)?));
        assert_eq!((second, bench.store.len()), (Forgotten::Done, 1));
        assert_ne!(create(&mut bench).identity, old.identity);
    }

    #[test]
    fn new_keys_never_meet_rows_of_a_half_forgotten_link() {
        let mut bench = Bench::new(1);
        let stale = Key::new(&bench.slot, Namespace::Session, "lid:7:0");
        bench.run(|cx| {
            cx.txn.put_row(stale.clone(), vec![1]);
            Ok(())
        });
        create(&mut bench);
        assert_eq!(bench.store.get(&stale).unwrap(), None);
    }

    #[test]
    fn a_scope_has_no_namespace_that_is_never_forgotten() {
        let mut numbers: Vec<u8> = FORGET_ORDER.iter().map(|ns| ns.number()).collect();
        numbers.sort_unstable();
        assert_eq!(
            numbers,
            (1..=22).chain(24..=26).chain(28..=30).collect::<Vec<u8>>()
        );
    }
}
