//! The declared protobuf messages against the schema of the web client, and known encodings.
#![expect(clippy::unwrap_used, reason = "helpers outside the test functions")]

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use sendpath_protocol::pb::{self, Declared, Field};
use serde_json::Value;

type Types = BTreeMap<String, Value>;

fn schema() -> Types {
    let file: Value = serde_json::from_str(include_str!("data/proto_subset.json")).unwrap();
    let types = file["types"].as_array().unwrap().iter();
    types
        .map(|t| (t["path"].as_str().unwrap().to_owned(), t.clone()))
        .collect()
}

/// `rawId` and `raw_id` are the same name, `type` and `r#type` too.
fn plain(name: &str) -> String {
    let name = name.strip_prefix("r#").unwrap_or(name);
    name.replace('_', "").to_lowercase()
}

fn check_field(path: &str, field: &Field, known: &Value) {
    let at = format!("{path}.{}", field.name);
    assert_eq!(
        plain(field.name),
        plain(known["name"].as_str().unwrap()),
        "{at}"
    );
    let packed = known["packed"].as_bool() == Some(true);
    let label = if packed {
        "packed"
    } else {
        known["label"].as_str().unwrap()
    };
    assert_eq!(field.label, label, "{at}");
    let kind = known["type"].as_str().unwrap();
    match kind.strip_prefix('.') {
        Some(_) if field.kind == "raw" => {}
        Some(path) => assert_eq!(field.kind, path, "{at}"),
        None => assert_eq!(field.kind, kind, "{at}"),
    }
}

#[test]
fn every_declared_field_is_the_one_of_the_schema() {
    let types = schema();
    let mut fields = 0;
    for declared in pb::schema() {
        let Declared::Message(path, declared) = declared else {
            continue;
        };
        let known = &types[*path];
        assert_eq!(known["kind"], "message", "{path}");
        let mut numbers = BTreeSet::new();
        for field in *declared {
            assert!(numbers.insert(field.number), "{path} {}", field.number);
            let known = known["fields"].as_array().unwrap().iter();
            let mut known = known.filter(|known| known["number"] == field.number);
            check_field(path, field, known.next().unwrap());
            fields += 1;
        }
    }
    assert!(fields > 250, "{fields}");
}

#[test]
fn every_declared_raw_field_is_a_message_in_the_schema() {
    let types = schema();
    for declared in pb::schema() {
        let Declared::Message(path, fields) = declared else {
            continue;
        };
        for field in fields.iter().filter(|field| field.kind == "raw") {
            let known = types[*path]["fields"].as_array().unwrap().iter();
            let mut known = known.filter(|known| known["number"] == field.number);
            let kind = known.next().unwrap()["type"].as_str().unwrap().to_owned();
            assert_eq!(types[kind.trim_start_matches('.')]["kind"], "message");
        }
    }
}

#[test]
fn every_declared_code_is_the_one_of_the_schema() {
    let types = schema();
    for declared in pb::schema() {
        let Declared::Codes(path, codes) = declared else {
            continue;
        };
        let known: BTreeSet<(&str, i64)> = types[*path]["values"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| (v["name"].as_str().unwrap(), v["number"].as_i64().unwrap()))
            .collect();
        for (name, number) in *codes {
            assert!(
                known.contains(&(*name, i64::from(*number))),
                "{path}.{name}"
            );
        }
    }
}

fn again<M: prost::Message + Default>(bytes: &[u8]) -> Vec<u8> {
    M::decode(bytes).unwrap().encode_to_vec()
}

/// Whether a sample has content that we write but do not read.
fn is_composed(case: &Value) -> bool {
    let written = ["pollCreationMessageV3", "locationMessage", "contactMessage"];
    written
        .iter()
        .any(|field| case["json"].get(field).is_some())
}

#[test]
fn every_sample_of_a_declared_type_encodes_to_the_same_bytes() {
    let file: Value = serde_json::from_str(include_str!("vectors/proto_samples.json")).unwrap();
    let mut same = 0;
    for case in file["cases"].as_array().unwrap() {
        let bytes = hex::decode(case["hex"].as_str().unwrap()).unwrap();
        let encoded = match case["type"].as_str().unwrap() {
            "Message.HistorySyncNotification" => again::<pb::HistorySyncNotification>(&bytes),
            "SyncActionValue" => again::<pb::SyncActionValue>(&bytes),
            "ADVSignedDeviceIdentity" => again::<pb::AdvSignedDeviceIdentity>(&bytes),
            "Message" if is_composed(case) => again::<pb::Composed>(&bytes),
            "Message" => again::<pb::Message>(&bytes),
            "ClientPayload" => again::<pb::ClientPayload>(&bytes),
            "SyncdPatch" => again::<pb::SyncdPatch>(&bytes),
            "LIDMigrationMappingSyncPayload" => again::<pb::LidMigrationMappingSyncPayload>(&bytes),
            "HistorySync" | "ServerErrorReceipt" => continue,
            other => panic!("no check for {other}"),
        };
        assert_eq!(hex::encode(encoded), case["hex"], "{case}");
        same += 1;
    }
    assert_eq!(same, 15);
}

#[test]
fn a_history_sync_gives_what_sending_needs() {
    let file: Value = serde_json::from_str(include_str!("vectors/proto_samples.json")).unwrap();
    let case = &file["cases"][0];
    let bytes = hex::decode(case["hex"].as_str().unwrap()).unwrap();
    let sync = pb::HistorySync::decode(bytes.as_slice()).unwrap();
    assert_eq!(sync.nct_salt.map(|salt| salt.len()), Some(32));
    let chat = &sync.conversations[0];
    assert_eq!(chat.tc_token.as_ref().map(Vec::len), Some(20));
    assert_eq!(chat.tc_token_timestamp, Some(1_767_225_600));
    assert_eq!(chat.tc_token_sender_timestamp, Some(1_767_139_200));
    assert_eq!(chat.lid_jid.as_deref(), Some("123456789012345@lid"));
    assert_eq!(sync.conversations[1].tc_token, None);
    let mapping = &sync.phone_number_to_lid_mappings[0];
    assert_eq!(
        mapping.pn_jid.as_deref(),
        Some("5511999998888@s.whatsapp.net")
    );
}

#[test]
fn a_copy_for_own_devices_carries_the_content_byte_for_byte() {
    let content = b"\x0a\x02hi\xfa\x3f\x03new".to_vec();
    let copy = pb::DeviceCopy {
        device_sent_message: Some(pb::DeviceSentMessage {
            destination_jid: Some("1@lid".into()),
            message: Some(content.clone()),
            phash: None,
        }),
        message_context_info: Some(b"\x1a\x01x\xfa\x3f\x03new".to_vec()),
    };
    let bytes = copy.encode_to_vec();
    assert!(bytes.windows(content.len()).any(|part| part == content));
    let read = pb::Message::decode(bytes.as_slice()).unwrap();
    let context = read.message_context_info.unwrap();
    assert_eq!(context.message_secret.as_deref(), Some(&b"x"[..]));
    assert_eq!(read.device_sent_message.unwrap().message, Some(content));
}

#[test]
fn debug_of_a_message_shows_its_length_only() {
    let message = pb::Message {
        conversation: Some("secret text".into()),
        ..pb::Message::default()
    };
    assert_eq!(format!("{message:?}"), "Message(13 bytes)");
    assert_eq!(format!("{:?}", Some(&message)), "Some(Message(13 bytes))");
}
