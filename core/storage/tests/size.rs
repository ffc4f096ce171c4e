//! What many contacts take on disk.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

use sendpath_protocol::peer::{AccountKey, PeerKey};
use sendpath_protocol::secret::{Entropy, SecretBytes};
use sendpath_protocol::tctoken::record::{Issued, Source, Theirs, TokenRecord};
use sendpath_protocol::time::{Mono, Now, UnixMillis, UnixSeconds};
use sendpath_protocol::txn::{self, Scope};

const CONTACTS: u64 = 100_000;

/// Contacts of one step; a chunk of the history has as many.
const CHUNK: u64 = 5_000;

const MIB: u64 = 1 << 20;

#[test]
fn a_hundred_thousand_contacts_fit_into_32_mib() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut store = sendpath_storage::open(path.to_str().unwrap()).unwrap();
    let own = PeerKey::Lid("900000000000009".into());
    let account = Scope::account(&AccountKey(own));
    let fence = store.acquire(&Scope::slot("shop")).unwrap();
    for chunk in 0..CONTACTS / CHUNK {
        let step = txn::step(now(), &mut Counting(chunk), &*store, |cx| {
            for contact in chunk * CHUNK..(chunk + 1) * CHUNK {
                let mut bytes = vec![0; 32];
                cx.rng.fill(&mut bytes);
                // Far apart, as LIDs are: rows do not arrive in the order of their keys.
                let lid =
                    100_000_000_000_000 + contact.wrapping_mul(7_777_777_777) % 99_999_999_977;
                let peer = PeerKey::Lid(lid.to_string().into());
                cx.txn.put(&account, peer.storage(), &record(bytes));
            }
            Ok(())
        });
        step.unwrap().commit(&mut *store, &fence).unwrap();
    }
    let open = taken(folder.path());
    assert!(
        open <= 32 * MIB,
        "{open} bytes with the log of the last steps"
    );
    drop(store);
    let closed = taken(folder.path());
    assert!(closed <= 16 * MIB, "{closed} bytes");
    assert!(
        closed >= CONTACTS * 64,
        "the rows are there: {closed} bytes"
    );
}

fn taken(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).unwrap();
    files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum()
}

fn record(bytes: Vec<u8>) -> TokenRecord {
    let t = UnixSeconds(1_786_074_400);
    TokenRecord {
        theirs: Some(Theirs {
            bytes: SecretBytes::new(bytes),
            t,
            source: Source::History,
            seen: t,
            suspect: false,
        }),
        ours: Some(Issued { t }),
    }
}

fn now() -> Now {
    Now::new(Mono(0), UnixMillis(1_786_074_400_000))
}

/// Bytes that do not repeat.
struct Counting(u64);

impl Entropy for Counting {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            *byte = self.0.to_be_bytes()[0];
        }
    }
}
