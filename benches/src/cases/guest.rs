//! A host that owns its connection asks what a message carries, through the facade and its lock.

use std::path::Path;

use sendpath::facade::{
    AttachKind, Guest, GuestSetup, GuestStore, MessageKind, RecipientHint, StoreSpec,
};

use crate::harness::{Case, Operation, each, repeated};
use crate::world::NOW;

const WARM: &str = "guest plan, asked before";

const PEER: &str = "100000000000001@lid";

pub(crate) fn cases() -> Vec<Case> {
    let row = |name, of, make| Case {
        name,
        of,
        operations: 1,
        make,
    };
    vec![
        row(WARM, None, warm as _),
        row("guest plan, SQLite", Some(WARM), cold),
    ]
}

fn warm(_: &Path) -> Operation {
    let guest = open("memory:");
    repeated(move || plan(&guest))
}

/// Behind a fact, which makes the guest forget what it remembers.
fn cold(folder: &Path) -> Operation {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let guest = open(folder.path().join("bench.db").to_str().unwrap());
    each(move |meter| {
        let _ = &folder;
        guest.props(&[]).unwrap();
        meter.measure(|| plan(&guest));
    })
}

fn open(uri: &str) -> Guest {
    let store = GuestStore::open(StoreSpec::Uri(uri.into())).unwrap();
    let mut setup = GuestSetup::new(store, "bench");
    setup.own_lid = Some("900000000000009@lid".into());
    let guest = Guest::open(setup).unwrap();
    guest.server_time(NOW.unix().0).unwrap();
    guest.token_received(PEER, &[7; 32], NOW.unix().0).unwrap();
    guest
}

fn plan(guest: &Guest) {
    let hint = RecipientHint::Ordinary;
    let plan = guest.plan(PEER, MessageKind::Content, hint).unwrap();
    assert_eq!(plan.attach, AttachKind::Tctoken);
}
