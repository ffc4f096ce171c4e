//! The phone's history: one chunk, streamed, merged and committed.

use std::path::Path;

use prost::Message;
use sendpath_protocol::history::{self, Blob};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::pb::{Conversation, HistorySync, PhoneNumberToLidMapping};
use sendpath_protocol::secret::Entropy;
use sendpath_protocol::tctoken::Tokens;
use sendpath_protocol::tctoken::policy::{Own, TokenProps};
use sendpath_protocol::txn::{Key, Namespace, Scope, Store};
use sendpath_storage::open;

use crate::harness::{Case, Operation, each};
use crate::world::{NOW, Seeded, step};

const FIRST: &str = "history, 10 000 chats, SQLite";

const CHATS: u64 = 10_000;

pub(crate) fn cases() -> Vec<Case> {
    let row = |name, of, make| Case {
        name,
        of,
        operations: 1,
        make,
    };
    vec![
        row(FIRST, None, first as _),
        row("the same chunk again", Some(FIRST), again),
    ]
}

/// Into an empty store: every pair and token is new.
fn first(folder: &Path) -> Operation {
    let blob = blob();
    let folder = folder.to_owned();
    each(move |meter| {
        let folder = tempfile::tempdir_in(&folder).unwrap();
        let mut store = open(folder.path().join("bench.db").to_str().unwrap()).unwrap();
        link(&mut *store);
        let stored = meter.measure(|| apply(&mut *store, &blob));
        assert_eq!(stored, CHATS);
    })
}

/// Rows of the device, as there are by the time its phone sends the history.
fn link(store: &mut dyn Store) {
    let fence = store.acquire(&slot()).unwrap();
    let ((), step) = step(store, &mut Seeded::new(1), |cx| {
        for id in 0..100_u32 {
            let key = Key::new(&slot(), Namespace::PreKey, id.to_be_bytes());
            cx.txn.put_row(key, vec![1; 80]);
        }
        Ok(())
    });
    step.commit(store, &fence).unwrap();
}

fn again(folder: &Path) -> Operation {
    let blob = blob();
    let folder = tempfile::tempdir_in(folder).unwrap();
    let mut store = open(folder.path().join("bench.db").to_str().unwrap()).unwrap();
    link(&mut *store);
    apply(&mut *store, &blob);
    each(move |meter| {
        let _ = &folder;
        let stored = meter.measure(|| apply(&mut *store, &blob));
        assert_eq!(stored, 0);
    })
}

/// Number of tokens that were new.
fn apply(store: &mut dyn Store, blob: &[u8]) -> u64 {
    let own = Own::new(Some(&Jid::lid("900000000000009")), None).unwrap();
    let mut tokens = Tokens::new(own, TokenProps::default()).unwrap();
    let fence = store.acquire(&slot()).unwrap();
    let (report, step) = step(store, &mut Seeded::new(1), |cx| {
        let blob = Blob::new(blob);
        history::apply(cx, &mut tokens, &slot(), &blob, NOW.unix())
    });
    step.commit(store, &fence).unwrap();
    report.unwrap().stored.tokens
}

fn slot() -> Scope {
    Scope::slot("bench")
}

/// Every chat has both names, a token, an issue of ours and two messages; the phone's map has all
/// pairs too. About 9 MB inflated.
fn blob() -> Vec<u8> {
    let mut rng = Seeded::new(1);
    let names = |n: u64| {
        // In no order, as identities are.
        let lid = Jid::lid((100_000_000_000_000 + n * 7_919 % 10_007).to_string());
        (lid, Jid::pn((4_915_550_000_000 + n * 6_007).to_string()))
    };
    let mut sync = Vec::new();
    for n in 0..CHATS {
        let (lid, pn) = names(n);
        let mut token = vec![0; 64];
        rng.fill(&mut token);
        let chat = Conversation {
            id: Some(lid.reveal()),
            tc_token: Some(token),
            tc_token_timestamp: Some(NOW.unix().0.unsigned_abs()),
            tc_token_sender_timestamp: Some(NOW.unix().0.unsigned_abs()),
            pn_jid: Some(pn.reveal()),
            lid_jid: Some(lid.reveal()),
            account_lid: None,
        };
        let mut chat = chat.encode_to_vec();
        for _ in 0..2 {
            let mut message = b"a message that says little ".repeat(10);
            rng.fill(&mut message[..100]);
            chat.extend([0x12]);
            prost::encode_length_delimiter(message.len(), &mut chat).unwrap();
            chat.extend(message);
        }
        sync.extend([0x12]);
        prost::encode_length_delimiter(chat.len(), &mut sync).unwrap();
        sync.extend(chat);
    }
    let pairs = (0..CHATS).map(names);
    let rest = HistorySync {
        phone_number_to_lid_mappings: pairs
            .map(|(lid, pn)| PhoneNumberToLidMapping {
                pn_jid: Some(pn.reveal()),
                lid_jid: Some(lid.reveal()),
            })
            .collect(),
        ..HistorySync::default()
    };
    sync.extend(rest.encode_to_vec());
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, &sync).unwrap();
    packed.finish().unwrap()
}
