//! The guest's machine by itself: what does this message carry, and may it leave?

use std::path::Path;

use sendpath_protocol::guest::{Fact, Guest, GuestConfig};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::tctoken::policy::{MessageKind, Own};
use sendpath_protocol::txn::{Fence, MemoryStore, Scope, Store};
use sendpath_storage::open;

use super::tokens::{CONTACTS, contact, filled, own};
use crate::harness::{Case, Operation, each, repeated};
use crate::world::{NOW, Seeded};

const WARM: &str = "plan, asked before";

pub(crate) fn cases() -> Vec<Case> {
    let row = |name, of, make| Case {
        name,
        of,
        operations: 1,
        make,
    };
    vec![
        row(WARM, None, warm as _),
        row("plan, SQLite, first", Some(WARM), first_touch),
    ]
}

fn warm(_: &Path) -> Operation {
    let mut store = filled(Box::new(MemoryStore::default()));
    let mut asking = Asking::new(&mut *store);
    asking.plan(&*store);
    repeated(move || asking.plan(&*store))
}

/// By a guest and with a connection that have read nothing of the contact yet; the file is in the
/// system's cache.
fn first_touch(folder: &Path) -> Operation {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let path = folder.path().join("bench.db");
    let path = path.to_str().unwrap().to_owned();
    drop(filled(open(&path).unwrap()));
    each(move |meter| {
        let _ = &folder;
        let mut store = open(&path).unwrap();
        let mut asking = Asking::new(&mut *store);
        meter.measure(|| asking.plan(&*store));
    })
}

struct Asking {
    guest: Guest,
    to: Jid,
}

impl Asking {
    fn new(store: &mut dyn Store) -> Self {
        let (mut rng, own): (_, Own) = (Seeded::new(1), own());
        let fence: Fence = store.acquire(&Scope::slot("bench")).unwrap();
        let config = GuestConfig::default();
        let opened = Guest::open("bench", own, config, NOW, &mut rng, store);
        let (mut guest, step) = opened.unwrap();
        step.commit(store, &fence).unwrap();
        let time = Fact::ServerTime(NOW.unix());
        let step = guest.handle(NOW, &mut rng, store, time);
        step.unwrap().commit(store, &fence).unwrap();
        let to = contact(CONTACTS / 2).canonical().unwrap().jid();
        Self { guest, to }
    }

    fn plan(&mut self, store: &dyn Store) {
        let (kind, hint) = (MessageKind::Content, RecipientHint::Ordinary);
        let plan = self.guest.plan(NOW, store, &self.to, kind, hint);
        assert!(plan.attach.has_token() && plan.refusal.is_none());
    }
}
