//! The question of every message: what opens the chat with this contact?

use std::path::Path;

use sendpath_protocol::jid::Jid;
use sendpath_protocol::peer::{Names, PeerKey};
use sendpath_protocol::tctoken::policy::{MessageKind, Own, TokenProps};
use sendpath_protocol::tctoken::{Attach, Tokens};
use sendpath_protocol::txn::{Key, MemoryStore, Namespace, Scope, Store};
use sendpath_storage::open;

use crate::harness::{Case, Operation, each, repeated};
use crate::world::{NOW, Seeded, step, token};

const ROW: &str = "tctoken row alone, memory";
const ATTACH: &str = "tctoken attach, memory";

/// Contacts with a token in the store.
pub(super) const CONTACTS: u64 = 5_000;

pub(crate) fn cases() -> Vec<Case> {
    let row = |name, of, make| Case {
        name,
        of,
        operations: 1,
        make,
    };
    vec![
        row(ROW, None, read as _),
        row(ATTACH, Some(ROW), in_memory),
        row("tctoken attach, SQLite", Some(ATTACH), in_file),
        row("tctoken attach, SQLite, first", Some(ATTACH), first_touch),
    ]
}

fn read(_: &Path) -> Operation {
    let store = filled(Box::new(MemoryStore::default()));
    let names = contact(CONTACTS / 2);
    let peer = names.canonical().unwrap().storage();
    let key = Key::new(tokens().scope(), Namespace::Token, peer);
    repeated(move || store.get(&key).unwrap().unwrap())
}

fn in_memory(_: &Path) -> Operation {
    let store = filled(Box::new(MemoryStore::default()));
    let mut asking = Asking::new();
    repeated(move || asking.attach(&*store))
}

fn in_file(folder: &Path) -> Operation {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let store = filled(open(folder.path().join("bench.db").to_str().unwrap()).unwrap());
    let mut asking = Asking::new();
    repeated(move || {
        let _ = &folder;
        asking.attach(&*store)
    })
}

/// With a connection that has read nothing yet; the file is in the system's cache.
fn first_touch(folder: &Path) -> Operation {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let path = folder.path().join("bench.db");
    let path = path.to_str().unwrap().to_owned();
    drop(filled(open(&path).unwrap()));
    let mut asking = Asking::new();
    each(move |meter| {
        let _ = &folder;
        let store = open(&path).unwrap();
        meter.measure(|| asking.attach(&*store));
    })
}

/// Our account's machine, asked about a contact whose two names are known.
struct Asking {
    tokens: Tokens,
    names: Names,
    to: Jid,
    rng: Seeded,
}

impl Asking {
    fn new() -> Self {
        let names = contact(CONTACTS / 2);
        Self {
            tokens: tokens(),
            to: names.canonical().unwrap().jid(),
            names,
            rng: Seeded::new(1),
        }
    }

    fn attach(&mut self, store: &dyn Store) -> Attach {
        let Self {
            tokens,
            names,
            to,
            rng,
        } = self;
        let (attach, _) = step(store, rng, |cx| {
            Ok(tokens.attach(&cx.txn, to, names, MessageKind::Content, NOW.unix()))
        });
        assert!(attach.has_token());
        attach
    }
}

pub(super) fn own() -> Own {
    let lid = Jid::lid("900000000000009").with_device(12);
    Own::new(Some(&lid), Some(&Jid::pn("4915559999"))).unwrap()
}

fn tokens() -> Tokens {
    Tokens::new(own(), TokenProps::default()).unwrap()
}

pub(super) fn contact(number: u64) -> Names {
    let key = |jid: Jid| PeerKey::of(&jid).unwrap();
    Names::pair(
        key(Jid::lid((100_000_000_000_000 + number).to_string())),
        key(Jid::pn((4_915_550_000_000 + number).to_string())),
    )
}

pub(super) fn filled(mut store: Box<dyn Store>) -> Box<dyn Store> {
    let account = tokens().scope().clone();
    let ((), step) = step(&*store, &mut Seeded::new(1), |cx| {
        for number in 0..CONTACTS {
            let peer = contact(number).canonical().unwrap().storage();
            cx.txn.put(&account, peer, &token());
        }
        Ok(())
    });
    let fence = store.acquire(&Scope::slot("bench")).unwrap();
    step.commit(&mut *store, &fence).unwrap();
    store
}
