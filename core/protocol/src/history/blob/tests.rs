use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use proptest::prelude::*;
use prost::Message;
use serde_json::Value as Json;

use super::*;
use crate::history::Blob;
use crate::pb;

fn parts(bytes: &[u8]) -> Result<Vec<Part>, HistoryError> {
    Blob::new(bytes).parts().collect()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

fn secret(bytes: &[u8]) -> SecretBytes {
    SecretBytes::new(bytes.to_vec())
}

#[test]
fn blobs_agree_with_the_vectors() {
    let file = include_str!("../../../tests/vectors/history_sync_blob.json");
    let file: Json = serde_json::from_str(file).unwrap();
    let case = &file["cases"][0];
    let bytes = |value: &Json| hex::decode(value.as_str().unwrap()).unwrap();
    let expect = &case["expect"];
    let [pn, lid] = [0, 1].map(|n| jid(expect["lid_mappings"][0][n].as_str().unwrap()));
    let pair = Mapping::of(&pn, &lid);
    let token = &expect["tc_tokens"][0];
    let chat = Conversation {
        id: Some(jid(token["jid"].as_str().unwrap())),
        pair: pair.clone(),
        entry: HistoryEntry {
            token: Some(secret(&bytes(&token["token"]))),
            t: token["t"].as_u64(),
            sender_t: token["sender_t"].as_u64(),
        },
    };
    let group = Conversation {
        id: Some(jid("120363042123456789@g.us")),
        ..Conversation::default()
    };
    let expected = [
        Part::Conversation(chat),
        Part::Conversation(group),
        Part::Mapping(pair),
        Part::Salt(secret(&bytes(&expect["nct_salt"]))),
    ];
    for form in ["protobuf", "zlib"] {
        assert_eq!(parts(&bytes(&case[form])).unwrap(), expected, "{form}");
    }
}

#[test]
fn a_chat_by_number_takes_its_lid_from_either_field() {
    let chat = pb::Conversation {
        id: Some("49@s.whatsapp.net".into()),
        account_lid: Some("7@lid".into()),
        ..pb::Conversation::default()
    };
    let by_lid_jid = pb::Conversation {
        account_lid: None,
        lid_jid: Some("7@lid".into()),
        ..chat.clone()
    };
    let conversations = vec![chat, by_lid_jid];
    let sync = pb::HistorySync {
        conversations,
        ..pb::HistorySync::default()
    };
    for part in parts(&sync.encode_to_vec()).unwrap() {
        let Part::Conversation(chat) = part else {
            panic!("{part:?}");
        };
        assert_eq!(chat.pair, Mapping::of(&jid("49@c.us"), &jid("7@lid")));
    }
}

#[test]
fn what_is_too_long_is_cut_or_left_out() {
    let sync = pb::HistorySync {
        conversations: vec![pb::Conversation {
            id: Some(format!("{}@lid", "7".repeat(MAX_JID_BYTES))),
            tc_token: Some(vec![1; MAX_TOKEN_BYTES + 9]),
            tc_token_timestamp: Some(5),
            ..pb::Conversation::default()
        }],
        nct_salt: Some(vec![1; MAX_SALT_BYTES + 9]),
        ..pb::HistorySync::default()
    };
    let expected = [
        Part::Conversation(Conversation {
            entry: HistoryEntry {
                token: Some(secret(&[1; MAX_TOKEN_BYTES + 1])),
                t: Some(5),
                sender_t: None,
            },
            ..Conversation::default()
        }),
        Part::Salt(secret(&[1; MAX_SALT_BYTES + 1])),
    ];
    assert_eq!(parts(&sync.encode_to_vec()), Ok(expected.to_vec()));
}

#[test]
fn fields_of_every_wire_type_are_passed_by() {
    let chat = b"\x0a\x057@lid\x10\x07\x19abcdefgh\x25abcd\x12\x03abc\xb0\x01\x05";
    let sync = [b"\x08\x01\x19abcdefgh\x12\x1f", &chat[..], b"\x25abcd"].concat();
    let expected = Conversation {
        id: Some(jid("7@lid")),
        entry: HistoryEntry {
            t: Some(5),
            ..HistoryEntry::default()
        },
        pair: None,
    };
    assert_eq!(parts(&sync), Ok(vec![Part::Conversation(expected)]));
}

#[test]
fn what_is_not_protobuf_is_malformed() {
    for bytes in [
        &b"\x12"[..],
        b"\x12\x05\x0a\x01",
        b"\x12\x02\x0a\x02ab",
        b"\x12\x03\x19ab\x08\x01",
        b"\x13",
        b"\x07\x01",
        b"\x00\x01",
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
        b"\xf8\xff\xff\xff\x7f\x01",
        b"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ] {
        let mut parts = Blob::new(bytes).parts();
        assert_eq!(
            parts.next(),
            Some(Err(HistoryError::Malformed)),
            "{bytes:x?}"
        );
        assert_eq!(parts.next(), None, "nothing behind an error");
    }
}

fn any_jid() -> impl Strategy<Value = Option<String>> {
    let text = prop_oneof!["[1-3]{1,2}@lid", "[1-3]{1,2}@s.whatsapp.net", ".{0,9}"];
    prop::option::of(text)
}

prop_compose! {
    fn any_chat()(
        (id, pn_jid, lid_jid, account_lid) in (any_jid(), any_jid(), any_jid(), any_jid()),
        tc_token in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
        tc_token_timestamp: Option<u64>,
        tc_token_sender_timestamp: Option<u64>,
    ) -> pb::Conversation {
        pb::Conversation {
            id, pn_jid, lid_jid, account_lid,
            tc_token, tc_token_timestamp, tc_token_sender_timestamp,
        }
    }
}

fn read_by_prost(sync: pb::HistorySync) -> Vec<Part> {
    let jid = |text: Option<String>| text.and_then(|text| text.parse::<Jid>().ok());
    let chats = sync.conversations.into_iter().map(|chat| {
        let id = jid(chat.id);
        let others = [chat.account_lid, chat.lid_jid, chat.pn_jid].map(jid);
        let pair = others.iter().flatten();
        let pair = pair.map(|other| Mapping::of(id.as_ref()?, other));
        Part::Conversation(Conversation {
            pair: pair.flatten().next(),
            id: id.clone(),
            entry: HistoryEntry {
                token: chat.tc_token.map(SecretBytes::new),
                t: chat.tc_token_timestamp,
                sender_t: chat.tc_token_sender_timestamp,
            },
        })
    });
    let pairs = sync.phone_number_to_lid_mappings.into_iter().map(|pair| {
        let (pn, lid) = (jid(pair.pn_jid), jid(pair.lid_jid));
        Part::Mapping(pn.zip(lid).and_then(|(pn, lid)| Mapping::of(&pn, &lid)))
    });
    let salt = sync.nct_salt.map(|salt| Part::Salt(SecretBytes::new(salt)));
    let settings = sync
        .global_settings
        .and_then(|settings| settings.chat_db_lid_migration_timestamp);
    let migrated = settings.filter(|t| *t != 0).map(|_| Part::Migrated);
    chats.chain(migrated).chain(pairs).chain(salt).collect()
}

proptest! {
    #[test]
    fn the_walker_reads_what_prost_reads(
        conversations in prop::collection::vec(any_chat(), 0..6),
        pairs in prop::collection::vec((any_jid(), any_jid()), 0..4),
        nct_salt in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
        settings in prop::option::of(prop::option::of(-1_i64..3)),
    ) {
        let pair = |(pn_jid, lid_jid)| pb::PhoneNumberToLidMapping { pn_jid, lid_jid };
        let sync = pb::HistorySync {
            conversations,
            phone_number_to_lid_mappings: pairs.into_iter().map(pair).collect(),
            nct_salt,
            global_settings: settings.map(|t| pb::GlobalSettings {
                chat_db_lid_migration_timestamp: t,
            }),
        };
        let bytes = sync.encode_to_vec();
        let expected = read_by_prost(sync);
        for form in [packed(&bytes), bytes] {
            prop_assert_eq!(parts(&form), Ok(expected.clone()));
        }
    }

    #[test]
    fn any_bytes_end_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parts(&bytes);
        let _ = parts(&packed(&bytes));
    }

    #[test]
    fn a_damaged_blob_ends_without_a_panic(
        chat in any_chat(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index,
    ) {
        let conversations = vec![chat; 3];
        let sync = pb::HistorySync { conversations, ..pb::HistorySync::default() };
        for mut bytes in [sync.encode_to_vec(), packed(&sync.encode_to_vec())] {
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
            let _ = parts(&bytes);
            let _ = parts(&bytes[..cut.index(bytes.len())]);
        }
    }
}
