//! The account's own proof for first messages, and the salt it is made from.
//!
//! ```text
//! cstoken = HMAC-SHA256(key = salt, message = "<user>@lid" of the recipient)
//! ```
//!
//! The LID is the recipient's, bare: no device, no agent (whatsmeow, whatsapp-rust; spec:
//! "cstoken"). The salt comes from app state (`nct_salt_sync`), or from history sync while app state
//! never spoke of it. Many accounts have none.

mod mutation;

use prost::Message;

use crate::crypto::symmetric::hmac_sha256;
use crate::error::{Fault, StoreError};
use crate::peer::PeerKey;
use crate::secret::SecretBytes;
use crate::txn::{Cx, Namespace, Record, Scope, Txn};

pub use mutation::{Mutated, Mutation, Operation, apply, apply_mutation};

/// Id of the one salt row of an account.
const ROW: &str = "nct";

/// Bytes of a salt; longer ones are ignored. 32 were seen.
pub const MAX_SALT_BYTES: usize = 1_024;

/// The cstoken for `recipient`; `None` unless it is a LID.
pub fn cstoken(salt: &SecretBytes, recipient: &PeerKey) -> Option<[u8; 32]> {
    match recipient {
        PeerKey::Lid(user) => Some(hmac_sha256(
            salt.expose(),
            &[user.as_bytes(), b"@lid".as_slice()],
        )),
        PeerKey::Pn(_) => None,
    }
}

/// Why no cstoken can be made.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum NoCstoken {
    /// The server switched it off for this account (AB prop 24941).
    GateOff,
    /// The recipient's LID is not known.
    NoLid,
    /// The account has no salt.
    NoSalt,
    /// Self, bots, groups and the like never carry one.
    NotEligible,
    /// The salt could not be read.
    StoreError,
}

/// The salt of an account and who told it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SaltRecord {
    /// `None` when there is none, or it was removed.
    pub salt: Option<SecretBytes>,
    /// App state spoke about the salt, so history sync may not set it any more; otherwise a removed
    /// salt would come back after a restart.
    pub authoritative: bool,
}

/// The salt of the account; a damaged row counts as none.
///
/// # Errors
/// What the store says.
pub fn salt(txn: &Txn<'_>, account: &Scope) -> Result<Option<SecretBytes>, StoreError> {
    Ok(load(txn, account)?.salt)
}

/// App state set the salt. An empty or oversized one is ignored: false.
///
/// # Errors
/// What the store says.
pub fn set(cx: &mut Cx<'_>, account: &Scope, salt: SecretBytes) -> Result<bool, Fault> {
    if !usable(&salt) {
        return Ok(false);
    }
    let record = SaltRecord {
        salt: Some(salt),
        authoritative: true,
    };
    put(cx, account, &record)
}

/// App state removed the salt. False when that was known.
///
/// # Errors
/// What the store says.
pub fn clear(cx: &mut Cx<'_>, account: &Scope) -> Result<bool, Fault> {
    let record = SaltRecord {
        salt: None,
        authoritative: true,
    };
    put(cx, account, &record)
}

/// App state holds no salt. One that app state told before is gone; one that only history sync told
/// stays, because many accounts get theirs that way. False when nothing changed.
///
/// # Errors
/// What the store says.
pub fn absent(cx: &mut Cx<'_>, account: &Scope) -> Result<bool, Fault> {
    match load(&cx.txn, account)?.authoritative {
        true => clear(cx, account),
        false => Ok(false),
    }
}

/// History sync brought a salt: used only if there is none and app state never spoke of it. False
/// when it was not used.
///
/// # Errors
/// What the store says.
pub fn backfill(cx: &mut Cx<'_>, account: &Scope, salt: SecretBytes) -> Result<bool, Fault> {
    let stored = load(&cx.txn, account)?;
    if stored.authoritative || stored.salt.is_some() || !usable(&salt) {
        return Ok(false);
    }
    let record = SaltRecord {
        salt: Some(salt),
        authoritative: false,
    };
    put(cx, account, &record)
}

fn usable(salt: &SecretBytes) -> bool {
    (1..=MAX_SALT_BYTES).contains(&salt.len())
}

fn put(cx: &mut Cx<'_>, account: &Scope, record: &SaltRecord) -> Result<bool, Fault> {
    let changed = load(&cx.txn, account)? != *record;
    if changed {
        cx.txn.put(account, ROW, record);
    }
    Ok(changed)
}

fn load(txn: &Txn<'_>, account: &Scope) -> Result<SaltRecord, StoreError> {
    Ok(txn.get_or_none(account, ROW)?.unwrap_or_default())
}

impl Record for SaltRecord {
    const NAMESPACE: Namespace = Namespace::Salt;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        let row = Row {
            salt: self.salt.as_ref().map(|salt| salt.expose().to_vec()),
            authoritative: self.authoritative,
        };
        row.encode_to_vec()
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        let row = Row::decode(body).ok()?;
        Some(Self {
            salt: row.salt.map(SecretBytes::new),
            authoritative: row.authoritative,
        })
    }
}

#[derive(Clone, PartialEq, Message)]
struct Row {
    #[prost(bytes = "vec", optional, tag = "1")]
    salt: Option<Vec<u8>>,
    #[prost(bool, tag = "2")]
    authoritative: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::jid::Jid;
    use crate::peer::AccountKey;
    use crate::secret::Entropy;
    use crate::time::{Mono, Now, UnixMillis};
    use crate::txn::{MemoryStore, Store, step};

    struct NoEntropy;

    impl Entropy for NoEntropy {
        fn fill(&mut self, _out: &mut [u8]) {}
    }

    fn account() -> Scope {
        Scope::account(&AccountKey(PeerKey::Lid("9".into())))
    }

    fn run(store: &mut MemoryStore, body: impl FnOnce(&mut Cx<'_>) -> Result<bool, Fault>) -> bool {
        let now = Now::new(Mono(0), UnixMillis(0));
        let mut changed = false;
        let step = step(now, &mut NoEntropy, store, |cx| {
            changed = body(cx)?;
            Ok(())
        });
        let fence = store.acquire(&account()).unwrap();
        step.unwrap().commit(store, &fence).unwrap();
        changed
    }

    fn stored(store: &mut MemoryStore) -> Option<SecretBytes> {
        let mut found = None;
        run(store, |cx| {
            found = salt(&cx.txn, &account())?;
            Ok(false)
        });
        found
    }

    fn bytes(text: &str) -> SecretBytes {
        SecretBytes::new(text.as_bytes().to_vec())
    }

    #[test]
    fn cstokens_agree_with_the_vectors() {
        let file: Value =
            serde_json::from_str(include_str!("../tests/vectors/tokens.json")).unwrap();
        let cases = file["cases"][0]["cases"].as_array().unwrap();
        assert!(cases.len() >= 4);
        for case in cases {
            let text = |key: &str| case[key].as_str().unwrap();
            let salt = SecretBytes::new(hex::decode(text("salt")).unwrap());
            let peer = PeerKey::of(&text("recipient_lid").parse().unwrap()).unwrap();
            assert_eq!(
                cstoken(&salt, &peer).map(hex::encode),
                Some(text("cstoken").into())
            );
        }
    }

    #[test]
    fn the_cstoken_is_made_for_the_bare_lid_only() {
        let salt = SecretBytes::new((0..32).collect());
        let lid: Jid = "123456789012345:7@lid".parse().unwrap();
        let peer = PeerKey::of(&lid).unwrap();
        assert_eq!(
            cstoken(&salt, &peer).map(hex::encode).as_deref(),
            Some("8fb920b283f629fca32fa4a14a4fb9bd852ab9d1c269840c269d1ef65941ba0c")
        );
        assert_eq!(cstoken(&salt, &PeerKey::Pn("123456789012345".into())), None);
    }

    #[test]
    fn the_bytes_of_a_row_never_change() {
        let record = SaltRecord {
            salt: Some(bytes("s")),
            authoritative: true,
        };
        assert_eq!(hex::encode(record.to_row()), "010a01731001");
        assert_eq!(SaltRecord::from_row(&record.to_row()), Ok(record));
    }

    #[test]
    fn app_state_wins_over_history_and_a_removed_salt_stays_removed() {
        let mut store = MemoryStore::default();
        assert!(run(&mut store, |cx| backfill(cx, &account(), bytes("h"))));
        assert!(run(&mut store, |cx| set(cx, &account(), bytes("a"))));
        assert!(!run(&mut store, |cx| backfill(cx, &account(), bytes("h"))));
        assert_eq!(stored(&mut store), Some(bytes("a")));
        assert!(run(&mut store, |cx| clear(cx, &account())));
        assert!(!run(&mut store, |cx| backfill(cx, &account(), bytes("h"))));
        assert_eq!(stored(&mut store), None);
    }

    #[test]
    fn a_salt_that_app_state_holds_no_more_is_gone_but_not_one_of_history() {
        let mut store = MemoryStore::default();
        run(&mut store, |cx| backfill(cx, &account(), bytes("h")));
        assert!(!run(&mut store, |cx| absent(cx, &account())));
        assert_eq!(stored(&mut store), Some(bytes("h")));
        run(&mut store, |cx| set(cx, &account(), bytes("a")));
        assert!(run(&mut store, |cx| absent(cx, &account())));
        assert_eq!(stored(&mut store), None);
    }

    #[test]
    fn empty_and_oversized_salts_are_ignored() {
        let mut store = MemoryStore::default();
        run(&mut store, |cx| set(cx, &account(), bytes("a")));
        for bad in [SecretBytes::default(), SecretBytes::new(vec![1; 1_025])] {
            assert!(!run(&mut store, |cx| set(cx, &account(), bad)));
        }
        assert_eq!(stored(&mut store), Some(bytes("a")));
    }
}
