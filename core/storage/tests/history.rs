//! A chunk of the phone's history in a real store.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use prost::Message;
use sendpath_protocol::history::{self, Blob, HistoryReport};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::pb::{Conversation, HistorySync};
use sendpath_protocol::secret::Entropy;
use sendpath_protocol::tctoken::Tokens;
use sendpath_protocol::tctoken::policy::{Own, TokenProps};
use sendpath_protocol::tctoken::record::TokenRecord;
use sendpath_protocol::time::{Mono, Now, UnixMillis};
use sendpath_protocol::txn::{self, Key, Namespace, Record, Scope, Store};
use sendpath_storage::sqlite::{Options, SqliteStore};

const NOW: Now = Now::new(Mono(0), UnixMillis(1_786_074_400_000));

#[test]
fn scenario_27_a_contact_with_two_chats_in_a_chunk_gets_one_row_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    one_row_for_two_chats(&mut SqliteStore::open(&path, Options::default()).unwrap());
}

/// Where one statement writes a whole chunk, a contact that comes twice must not stop it.
#[cfg(feature = "postgres")]
#[test]
fn scenario_27_a_contact_with_two_chats_in_a_chunk_gets_one_row_in_postgresql() {
    let uri = sendpath_test_postgres::shared().database().uri();
    one_row_for_two_chats(&mut *sendpath_storage::open(&uri).unwrap());
}

fn one_row_for_two_chats(store: &mut dyn Store) {
    let own = Own::new(Some(&Jid::lid("900000000000009")), None).unwrap();
    let mut tokens = Tokens::new(own, TokenProps::default()).unwrap();
    let blob = chunk().encode_to_vec();
    for (again, stored) in [(false, 201), (true, 0)] {
        let report = apply(store, &mut tokens, &blob);
        assert_eq!((report.conversations, report.mappings), (202, 1));
        // A's two chats are one contact; nothing is stored again.
        assert_eq!(report.stored.tokens, stored, "{again}");
        let rows = rows(store, tokens.scope());
        assert_eq!(rows.len(), 201);
        let (id, row) = &rows[0];
        let token = TokenRecord::from_row(row).unwrap().theirs.unwrap();
        assert_eq!(&**id, b"lid:100000000000001");
        assert_eq!(
            (token.t.0, token.bytes.expose()),
            (1_785_500_000, &b"newer"[..])
        );
    }
}

fn chunk() -> HistorySync {
    let chat = |id: String, token: &[u8], t: u64| Conversation {
        id: Some(id),
        tc_token: Some(token.into()),
        tc_token_timestamp: Some(t),
        ..Conversation::default()
    };
    let by_pn = Conversation {
        lid_jid: Some("100000000000001@lid".into()),
        ..chat("4915550001@s.whatsapp.net".into(), b"older", 1_785_000_000)
    };
    let by_lid = chat("100000000000001@lid".into(), b"newer", 1_785_500_000);
    let others = (0..200).map(|n| {
        let id = format!("{}@lid", 200_000_000_000_000_u64 + n);
        chat(id, b"x", 1_785_000_000)
    });
    HistorySync {
        conversations: [by_pn, by_lid].into_iter().chain(others).collect(),
        ..HistorySync::default()
    }
}

fn apply(store: &mut dyn Store, tokens: &mut Tokens, blob: &[u8]) -> HistoryReport {
    let slot = Scope::slot("test");
    let mut report = None;
    let step = txn::step(NOW, &mut NoEntropy, &*store, |cx| {
        let blob = Blob::new(blob);
        report = history::apply(cx, tokens, &slot, &blob, NOW.unix())?.ok();
        Ok(())
    });
    let fence = store.acquire(&slot).unwrap();
    step.unwrap().commit(store, &fence).unwrap();
    report.unwrap()
}

fn rows(store: &dyn Store, account: &Scope) -> txn::Rows {
    let rows = store.scan(account, Namespace::Token, b"", None, 1_000);
    assert_eq!(
        store.get(&Key::new(account, Namespace::Token, "pn:4915550001")),
        Ok(None)
    );
    rows.unwrap()
}

struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&mut self, _out: &mut [u8]) {}
}
