//! Keys of groups: distributions, messages, and the rows of both.

use std::cell::RefCell;

use sendpath_protocol::jid::{Jid, Server};
use sendpath_protocol::peer::{DeviceAddress, PeerKey};
use sendpath_protocol::signal::senderkey::{self, OwnSenderKey};
use sendpath_protocol::txn::{Key, Namespace, Reader};

use crate::bench::{Bench, Steady, split};

/// What is always said.
const SAID: &[u8] = b"to all of you\x02\x02";

/// A device that has the key of another, and what that one wrote.
#[derive(Clone)]
pub(crate) struct Group {
    bench: Bench,
    pub(crate) distribution: Vec<u8>,
    pub(crate) messages: Vec<Vec<u8>>,
    pub(crate) own_row: Vec<u8>,
    pub(crate) peer_row: Vec<u8>,
}

fn group() -> Jid {
    Jid::user("120363000000000001", Server::Group)
}

fn peer() -> DeviceAddress {
    DeviceAddress::of(&Jid::lid("1")).expect("a device")
}

fn own() -> PeerKey {
    PeerKey::of(&Jid::lid("9")).expect("an account")
}

fn own_id() -> String {
    format!("own:{}/{}", own().storage(), group().reveal())
}

fn peer_id() -> String {
    format!("{}/{}", peer().storage(), group().reveal())
}

impl Group {
    fn new() -> Self {
        let mut rng = Steady::new(3);
        let mut key = OwnSenderKey::generate(&mut rng);
        let distribution = key.distribution();
        let messages = (0..4).filter_map(|_| key.encrypt(&mut rng, SAID)).collect();
        let mut bench = Bench::new(3);
        bench.step(|cx, slot| {
            let known = senderkey::process(cx, slot, &group(), &peer(), &distribution)?;
            known.expect("a good distribution");
            senderkey::store_own(&mut cx.txn, slot, &group(), &own(), &key);
            Ok(())
        });
        let row = |id: String| {
            let key = Key::new(&bench.slot, Namespace::SenderKey, id);
            bench.store.get(&key).expect("memory").unwrap_or_default()
        };
        Self {
            own_row: row(own_id()),
            peer_row: row(peer_id()),
            distribution,
            messages,
            bench,
        }
    }

    pub(crate) fn get() -> Self {
        thread_local!(static GROUP: RefCell<Option<Group>> = const { RefCell::new(None) });
        GROUP.with_borrow_mut(|group| group.get_or_insert_with(Self::new).clone())
    }

    fn open(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (opened, wrote) = self
            .bench
            .step(|cx, slot| Ok(senderkey::decrypt(cx, slot, &group(), &peer(), bytes)?));
        assert!(opened.is_ok() == wrote, "rows change with a message only");
        opened.ok()
    }
}

pub(crate) fn run(data: &[u8]) {
    let Some((which, bytes)) = split(data) else {
        return;
    };
    let mut group = Group::get();
    match which % 4 {
        0 => {
            if let Some(said) = group.open(bytes) {
                assert!(said == SAID, "nobody wrote that");
                assert!(group.open(bytes).is_none(), "one message opens twice");
            }
        }
        1 => {
            let (known, wrote) = group.bench.step(|cx, slot| {
                let known = senderkey::process(cx, slot, &self::group(), &peer(), bytes);
                Ok(known?)
            });
            assert!(known.is_ok() == wrote, "rows change with a key only");
        }
        2 => group.bench.put(Namespace::SenderKey, peer_id(), bytes),
        _ => own_row(&mut group, bytes),
    }
    for message in &group.messages.clone() {
        if let Some(said) = group.open(message)
            && which % 4 != 2
        {
            assert!(said == SAID, "nobody wrote that");
        }
    }
}

/// Our own key as the store gives it back: if it is one, it encrypts.
fn own_row(group: &mut Group, row: &[u8]) {
    group.bench.put(Namespace::SenderKey, own_id(), row);
    let mut rng = Steady::new(4);
    group.bench.step(|cx, slot| {
        let found = senderkey::own(&cx.txn, slot, &self::group(), &own());
        if let Ok(Some(mut key)) = found {
            let before = key.iteration();
            if key.encrypt(&mut rng, SAID).is_some() {
                assert!(key.iteration() == before + 1, "a key is used once");
            }
            let _ = key.distribution();
        }
        Ok(())
    });
}
