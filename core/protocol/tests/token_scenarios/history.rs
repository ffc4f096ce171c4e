//! History sync and app state as sources.

use proptest::prelude::*;
use prost::Message;
use sendpath_protocol::event::Event;
use sendpath_protocol::history::{HistoryError, HistoryReport};
use sendpath_protocol::lidmap;
use sendpath_protocol::nct::{self, Mutated, Operation};
use sendpath_protocol::pb::{
    Conversation, HistorySync, NctSaltSyncAction, PhoneNumberToLidMapping, SyncActionValue,
};
use sendpath_protocol::peer::Names;
use sendpath_protocol::secret::SecretBytes;
use sendpath_protocol::tctoken::timeline::What;
use sendpath_protocol::tctoken::{Attach, HistoryEntry};
use sendpath_protocol::txn::{Key, Namespace};
use sendpath_protocol::verdict::Cause;

use crate::world::*;

fn chat(id: &str) -> Conversation {
    Conversation {
        id: Some(id.into()),
        ..Conversation::default()
    }
}

fn with_token(id: &str, bytes: &str, t: u64) -> Conversation {
    Conversation {
        tc_token: Some(bytes.into()),
        tc_token_timestamp: Some(t),
        ..chat(id)
    }
}

fn chats(conversations: impl IntoIterator<Item = Conversation>) -> HistorySync {
    HistorySync {
        conversations: conversations.into_iter().collect(),
        ..HistorySync::default()
    }
}

fn mapping(pn: &str, lid: &str) -> PhoneNumberToLidMapping {
    PhoneNumberToLidMapping {
        pn_jid: Some(pn.into()),
        lid_jid: Some(lid.into()),
    }
}

impl World {
    fn sync(&mut self, sync: &HistorySync) -> HistoryReport {
        self.apply(&sync.encode_to_vec()).unwrap()
    }

    fn names(&mut self, known: &str) -> Names {
        let (scope, known) = (self.scope(), peer(known));
        self.step(|_, cx| lidmap::resolve(&cx.txn, &scope, &known))
            .unwrap()
    }

    /// App state sets the salt, or removes it.
    fn mutation(&mut self, operation: Operation, salt: &[u8]) -> Mutated {
        let value = SyncActionValue {
            nct_salt_sync_action: Some(NctSaltSyncAction {
                salt: Some(salt.to_vec()),
            }),
            ..SyncActionValue::default()
        };
        let (scope, value) = (self.scope(), value.encode_to_vec());
        let index = br#"["nct_salt_sync"]"#;
        self.step(|_, cx| nct::apply_mutation(cx, &scope, index, operation, &value))
            .unwrap()
    }

    /// The cstoken of a message to A.
    fn cstoken(&mut self) -> Option<[u8; 32]> {
        match self.attach() {
            Attach::Cstoken { bytes, .. } => Some(bytes),
            _ => None,
        }
    }
}

fn cstoken(salt: &[u8]) -> Option<[u8; 32]> {
    nct::cstoken(&SecretBytes::new(salt.to_vec()), &peer(LID))
}

#[test]
fn scenario_27_a_contact_with_two_chats_in_a_chunk_gets_one_row() {
    for lid_first in [false, true] {
        let mut world = World::new();
        let by_pn = Conversation {
            account_lid: Some(LID.into()),
            ..with_token(PN, "older", 1_785_000_000)
        };
        let mut of_a = vec![by_pn, with_token(LID, "newer", 1_785_500_000)];
        if lid_first {
            of_a.reverse();
        }
        let others = (0..200).map(|n| {
            let id = format!("{}@lid", 200_000_000_000_000_u64 + n);
            with_token(&id, "x", 1_785_000_000 + n)
        });
        // Far apart, so that they are not in one block.
        let second = of_a.pop();
        let report = world.sync(&chats(of_a.into_iter().chain(others).chain(second)));
        assert_eq!(
            world.stored().0,
            Some(("newer".into(), 1_785_500_000)),
            "{lid_first}"
        );
        assert_eq!(world.row(PN), None);
        assert_eq!(report.conversations, 202);
        // 201 tokens, the map in both directions.
        assert_eq!(world.store.len(), 201 + 2);
        let last = world.row("200000000000199@lid").unwrap();
        assert_eq!(last.theirs.unwrap().t.0, 1_785_000_199);
    }
}

#[test]
fn scenario_28_empty_fields_of_a_blob_erase_nothing() {
    let mut world = World::new();
    world.give("x", 1_786_000_000);
    world.issued();
    let before = world.stored();
    let empty = with_token(LID, "", 1_786_070_000);
    for sender_t in [None, Some(0), Some(1_700_000_000)] {
        let report = world.sync(&chats([Conversation {
            tc_token_sender_timestamp: sender_t,
            ..empty.clone()
        }]));
        assert_eq!((report.stored.tokens, report.stored.sender_times), (0, 0));
        assert_eq!(world.stored(), before);
    }
    for t in [None, Some(0)] {
        world.sync(&chats([Conversation {
            tc_token_timestamp: t,
            ..with_token(LID, "untimed", 0)
        }]));
        assert_eq!(world.stored(), before);
    }

    let other = "200000000000002@lid";
    let report = world.sync(&chats([Conversation {
        tc_token_sender_timestamp: Some(1_786_000_000),
        ..chat(other)
    }]));
    assert_eq!((report.stored.tokens, report.stored.sender_times), (0, 1));
    let row = world.row(other).unwrap();
    assert_eq!(
        (row.theirs, row.ours.map(|ours| ours.t.0)),
        (None, Some(1_786_000_000))
    );
}

#[test]
fn scenario_29_the_pairs_of_a_chunk_come_before_its_tokens() {
    let mut world = World::new();
    let sync = HistorySync {
        phone_number_to_lid_mappings: vec![mapping(PN, LID)],
        ..chats([with_token(PN, "x", 1_786_000_000)])
    };
    let report = world.sync(&sync);
    assert_eq!((report.mappings, report.stored.tokens), (1, 1));
    assert_eq!(world.stored().0, Some(("x".into(), 1_786_000_000)));
    assert_eq!(world.row(PN), None);
    assert_eq!(world.names(PN), a());
}

#[test]
fn scenario_38_app_state_has_the_last_word_on_the_salt() {
    let mut world = World::new();
    let sync = HistorySync {
        nct_salt: Some(b"history".to_vec()),
        ..HistorySync::default()
    };
    assert!(world.sync(&sync).salt);
    assert_eq!(world.cstoken(), cstoken(b"history"));
    assert_eq!(world.mutation(Operation::Set, b"S2"), Mutated::Changed);
    assert_eq!(world.cstoken(), cstoken(b"S2"));
    assert_eq!(world.mutation(Operation::Set, b""), Mutated::Odd);
    assert!(!world.sync(&sync).salt);
    assert_eq!(world.cstoken(), cstoken(b"S2"));

    assert_eq!(world.mutation(Operation::Remove, b""), Mutated::Changed);
    world.restart(own(12), known_props());
    assert!(!world.sync(&sync).salt, "a removed salt stays removed");
    assert_eq!(world.cstoken(), None);
}

#[test]
fn a_row_under_the_number_joins_the_one_under_the_lid() {
    let mut world = World::new();
    world.sync(&chats([with_token(PN, "provisional", 1_786_000_000)]));
    assert!(world.row(PN).is_some());
    world.sync(&HistorySync {
        phone_number_to_lid_mappings: vec![mapping(PN, LID)],
        ..HistorySync::default()
    });
    assert_eq!(
        world.stored().0,
        Some(("provisional".into(), 1_786_000_000))
    );
    assert_eq!(world.row(PN), None);
}

#[test]
fn a_token_and_a_story_under_the_number_both_come_to_the_lid() {
    let mut world = World::new();
    let (to, number, now) = (jid(LID), Names::of(peer(PN)), world.clock());
    let refused = What::Refused {
        code: Some(463),
        cause: Cause::ColdRefused,
    };
    world.sync(&chats([with_token(PN, "provisional", 1_786_000_000)]));
    world.step(|tokens, cx| tokens.note(cx, &jid(PN), &number, refused, now));
    world.sync(&HistorySync {
        phone_number_to_lid_mappings: vec![mapping(PN, LID)],
        ..HistorySync::default()
    });
    assert_eq!(world.row(PN), None);
    let by_lid = Names::of(peer(LID));
    let told = world
        .step(|tokens, cx| tokens.explain(&cx.txn, &to, &by_lid, now))
        .unwrap();
    assert!(told.timeline.iter().any(|entry| entry.what == refused));
    assert!(world.stored().0.is_some());
}

#[test]
fn pairs_read_nobodys_row_while_nothing_lies_under_a_number() {
    for (provisional, damaged) in [(false, 0), (true, 1)] {
        let mut world = World::new();
        if provisional {
            let other = with_token("4915550002@s.whatsapp.net", "x", 1_786_000_000);
            world.sync(&chats([other]));
        }
        let row = Key::new(&world.scope(), Namespace::Token, peer(LID).storage());
        world.put_row(row, vec![1, 0xff]);
        world.sync(&HistorySync {
            phone_number_to_lid_mappings: vec![mapping(PN, LID)],
            ..HistorySync::default()
        });
        assert_eq!(world.tokens.counters().damaged_rows, damaged);
    }
}

#[test]
fn the_phones_map_wins_over_what_a_chat_says() {
    let mut world = World::new();
    let sync = HistorySync {
        phone_number_to_lid_mappings: vec![mapping(PN, LID)],
        ..chats([Conversation {
            lid_jid: Some("900@lid".into()),
            ..with_token(PN, "x", 1_786_000_000)
        }])
    };
    world.sync(&sync);
    assert_eq!(world.names(PN), a());
    assert_eq!(world.stored().0, Some(("x".into(), 1_786_000_000)));
}

#[test]
fn chats_of_nobody_who_has_tokens_are_passed_by() {
    let mut world = World::new();
    let ids = [
        "900000000000009@lid",
        "4915559999@s.whatsapp.net",
        "0@s.whatsapp.net",
        "0@c.us",
        "13135550002@s.whatsapp.net",
        "867051314767696@bot",
        "120363000000000000@g.us",
        "status@broadcast",
        "120363000000000000@newsletter",
        "",
        "no address",
    ];
    let report = world.sync(&chats(ids.map(|id| Conversation {
        tc_token_sender_timestamp: Some(1_786_000_000),
        ..with_token(id, "x", 1_786_000_000)
    })));
    assert_eq!((report.conversations, report.others), (0, 11));
    assert!(world.store.is_empty());
}

#[test]
fn one_event_tells_what_a_chunk_brought() {
    let mut world = World::new();
    let sync = HistorySync {
        phone_number_to_lid_mappings: vec![mapping(PN, LID)],
        nct_salt: Some(b"s".to_vec()),
        ..chats([
            Conversation {
                tc_token_sender_timestamp: Some(5),
                ..with_token(LID, "x", 1_786_000_000)
            },
            with_token("7@lid", "y", 1_786_000_000),
            chat("8@lid"),
            chat("1@g.us"),
        ])
    };
    let told = |tokens, sender_times, salt| Event::HistoryApplied {
        conversations: 3,
        tokens,
        sender_times,
        mappings: 1,
        salt,
    };
    world.sync(&sync);
    world.sync(&sync);
    assert_eq!(world.events, [told(2, 1, true), told(0, 0, false)]);
}

#[test]
fn a_token_over_the_limit_is_left_out_and_counted() {
    let mut world = World::new();
    let t = u64::try_from(NOW).unwrap();
    world.history(&a(), Some(&"x".repeat(16_385)), t, 0);
    assert_eq!(world.row(LID), None);
    assert_eq!(world.tokens.counters().ignored.too_much, 1);
    world.history(&a(), Some(&"x".repeat(16_384)), t, 0);
    assert!(world.attach().has_token());
}

#[test]
fn a_damaged_blob_changes_nothing() {
    let mut world = World::new();
    let sync = HistorySync {
        phone_number_to_lid_mappings: vec![mapping(PN, LID)],
        nct_salt: Some(b"s".to_vec()),
        ..chats([with_token(PN, "x", 1_786_000_000)])
    };
    let mut blob = sync.encode_to_vec();
    blob.push(0x07);
    assert_eq!(world.apply(&blob), Err(HistoryError::Malformed));
    assert!(world.store.is_empty());
    assert_eq!(world.events, []);
}

proptest! {
    #[test]
    fn a_chunk_is_as_good_as_its_chats_one_by_one(
        told in prop::collection::vec((0u8..3, 0u8..3, 0u8..3, 1u64..9, 0u64..9), 1..24),
    ) {
        let (mut at_once, mut one_by_one) = (World::new(), World::new());
        let now = at_once.clock();
        let entries = told.into_iter().map(|(who, by, byte, t, sender_t)| {
            let lid = peer(&format!("7{who}@lid"));
            let pn = peer(&format!("4{who}@s.whatsapp.net"));
            let names = match by {
                0 => Names::of(lid),
                1 => Names::of(pn),
                _ => Names::pair(lid, pn),
            };
            let entry = HistoryEntry {
                token: (byte > 0).then(|| SecretBytes::new(vec![byte])),
                t: Some(t),
                sender_t: Some(sender_t),
            };
            (names, entry)
        });
        let entries: Vec<_> = entries.collect();
        let whole = entries.clone();
        at_once.step(|tokens, cx| tokens.receive_chunk(cx, whole, now)).unwrap();
        for entry in entries {
            one_by_one.step(|tokens, cx| tokens.receive_chunk(cx, [entry], now)).unwrap();
        }
        for who in 0..3 {
            for id in [format!("7{who}@lid"), format!("4{who}@s.whatsapp.net")] {
                prop_assert_eq!(at_once.row(&id), one_by_one.row(&id));
            }
        }
    }
}
