//! The token by which a recipient can prove to the server what was sent.
//!
//! ```text
//! <reporting><reporting_token v="2">HMAC-SHA256(key, content)[0..16]</reporting_token></reporting>
//! key = HKDF-SHA256(messageSecret, no salt, id || sender || to || "Report Token", 32)
//! ```
//! `content` is made of some fields of the encoded message, in ascending order, as they are on the
//! wire. Source: spec "Reporting token" and its table of fields, version 2.

use super::context::{CONTEXT_INFO, message_secret, with_context};
use super::secret::{About, UseCase};
use super::wire::{Field, Level, Value, push_bytes};
use crate::crypto::symmetric::hmac_sha256;
use crate::pb;
use crate::secret::{Entropy, EntropyExt};

/// How deep messages in messages are followed.
const MAX_DEPTH: usize = 16;

/// How much of a field counts.
#[derive(Clone, Copy)]
enum Take {
    /// All of it.
    Whole,
    /// A message to which the whole table applies again.
    Message,
    /// These fields of it.
    Some(&'static [(u32, Self)]),
}

use Take::{Message, Some as Parts, Whole};

const FORWARDING: Take = Parts(&[(21, Whole), (22, Whole)]);
const WRAPPED: Take = Parts(&[(1, Message)]);
const OPTION: Take = Parts(&[(1, Whole), (2, Whole)]);
const POLL: Take = Parts(&[(2, Whole), (3, OPTION), (5, FORWARDING), (8, OPTION)]);
const VIDEO: Take = Parts(&[
    (2, Whole),
    (6, Whole),
    (7, Whole),
    (13, Whole),
    (17, FORWARDING),
    (20, Whole),
]);

/// The fields of a `Message` that count.
const FIELDS: &[(u32, Take)] = &[
    (1, Whole),
    (
        3,
        Parts(&[
            (2, Whole),
            (3, Whole),
            (8, Whole),
            (11, Whole),
            (17, FORWARDING),
            (25, Whole),
        ]),
    ),
    (4, Parts(&[(1, Whole), (16, Whole), (17, FORWARDING)])),
    (
        5,
        Parts(&[
            (3, Whole),
            (4, Whole),
            (5, Whole),
            (16, Whole),
            (17, FORWARDING),
        ]),
    ),
    (6, Parts(&[(1, Whole), (17, FORWARDING), (30, Whole)])),
    (
        7,
        Parts(&[
            (2, Whole),
            (7, Whole),
            (10, Whole),
            (17, FORWARDING),
            (20, Whole),
        ]),
    ),
    (
        8,
        Parts(&[
            (2, Whole),
            (7, Whole),
            (9, Whole),
            (17, FORWARDING),
            (21, Whole),
        ]),
    ),
    (9, VIDEO),
    (
        12,
        Parts(&[(1, Whole), (2, Whole), (14, Message), (15, Whole)]),
    ),
    (18, Parts(&[(6, Whole), (16, Whole), (17, FORWARDING)])),
    (
        26,
        Parts(&[
            (4, Whole),
            (5, Whole),
            (8, Whole),
            (13, Whole),
            (17, FORWARDING),
        ]),
    ),
    (
        28,
        Parts(&[
            (1, Whole),
            (2, Whole),
            (4, Whole),
            (5, Whole),
            (6, Whole),
            (7, FORWARDING),
        ]),
    ),
    (37, WRAPPED),
    (49, POLL),
    (53, WRAPPED),
    (55, WRAPPED),
    (58, WRAPPED),
    (59, WRAPPED),
    (60, POLL),
    (64, POLL),
    (66, VIDEO),
    (74, WRAPPED),
    (87, WRAPPED),
    (
        88,
        Parts(&[(1, Whole), (2, Parts(&[(1, Whole)])), (3, FORWARDING)]),
    ),
    (92, WRAPPED),
    (93, WRAPPED),
    (94, WRAPPED),
];

/// Version of the table and of the token.
const VERSION: i32 = 2;

/// Its field in the context of a message.
const REPORTING_TOKEN_VERSION: u32 = 8;

/// Reactions, votes and answers carry no token.
const EXCLUDED: [u32; 4] = [46, 50, 56, 76];

/// `message` made ready for a token: with a secret, unless it has one, and the version of the token.
/// Content that carries no token comes back as it is.
pub fn prepare(message: Vec<u8>, rng: &mut dyn Entropy) -> Vec<u8> {
    let Some(level) = Level::parse(&message).filter(|level| !is_excluded(*level)) else {
        return message;
    };
    let version = level
        .level(CONTEXT_INFO)
        .and_then(|context| context.varint(REPORTING_TOKEN_VERSION));
    if version.is_some() && message_secret(&message).is_some() {
        return message;
    }
    let secret = message_secret(&message)
        .is_none()
        .then(|| rng.bytes::<32>().to_vec());
    let added = pb::MessageContextInfo {
        message_secret: secret,
        reporting_token_version: Some(VERSION),
        ..pb::MessageContextInfo::default()
    };
    with_context(level, &added)
}

/// The token of an encoded message; `about.author` is the sender's account and `about.modifier` the
/// chat. `None` without a message secret, and for content that carries no token.
pub fn token(message: &[u8], about: &About<'_>) -> Option<[u8; 16]> {
    let level = Level::parse(message)?;
    if is_excluded(level) {
        return None;
    }
    let secret = message_secret(message)?;
    let key = about.key(&secret, UseCase::ReportToken);
    let mac = hmac_sha256(key.expose(), &[&content(level)]);
    mac.first_chunk().copied()
}

fn is_excluded(level: Level<'_>) -> bool {
    level.fields().any(|field| EXCLUDED.contains(&field.number))
}

/// What of a message counts.
fn content(message: Level<'_>) -> Vec<u8> {
    filter(message, FIELDS, MAX_DEPTH)
}

fn filter(level: Level<'_>, wanted: &[(u32, Take)], depth: usize) -> Vec<u8> {
    let mut fields: Vec<Field<'_>> = level.fields().collect();
    fields.sort_by_key(|field| field.number);
    let mut out = Vec::new();
    for field in fields {
        let Some((_, take)) = wanted.iter().find(|(number, _)| *number == field.number) else {
            continue;
        };
        let parts = match take {
            Whole => {
                out.extend_from_slice(field.raw);
                continue;
            }
            Message => FIELDS,
            Parts(parts) => parts,
        };
        let inner = match field.value {
            Value::Bytes(bytes) => Level::parse(bytes),
            Value::Fixed | Value::Varint(_) => None,
        };
        let inner = inner.filter(|_| depth > 0);
        let inner = inner.map(|inner| filter(inner, parts, depth - 1));
        if let Some(inner) = inner.filter(|inner| !inner.is_empty()) {
            push_bytes(&mut out, field.number, &inner);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::jid::Jid;
    use crate::verdict::MessageId;

    const VECTORS: &str = include_str!("../../tests/vectors/reporting_token.json");
    const TABLE: &str = include_str!("../../tests/data/reporting_fields.json");

    fn bytes(case: &Json, field: &str) -> Option<Vec<u8>> {
        case[field].as_str().map(|hex| hex::decode(hex).unwrap())
    }

    fn parties(case: &Json) -> Option<(MessageId, Jid, Jid)> {
        let text = |field: &str| case[field].as_str();
        let id = MessageId::parse(text("stanza_id")?)?;
        let jids = ["sender", "remote"].map(|field| text(field).unwrap().parse::<Jid>().unwrap());
        let [sender, remote] = jids;
        Some((id, sender, remote))
    }

    #[test]
    fn keys_contents_and_tokens_are_those_of_the_vectors() {
        let vectors: Json = serde_json::from_str(VECTORS).unwrap();
        let (mut keys, mut tokens) = (0, 0);
        for case in vectors["cases"].as_array().unwrap() {
            let expected = bytes(case, "token");
            let Some((id, author, modifier)) = parties(case) else {
                let mac = hmac_sha256(
                    &bytes(case, "key").unwrap(),
                    &[&bytes(case, "content").unwrap()],
                );
                assert_eq!(mac[..16], expected.unwrap());
                continue;
            };
            let about = About {
                id: &id,
                author: &author,
                modifier: &modifier,
            };
            let secret = bytes(case, "message_secret").unwrap();
            let secret = crate::secret::Secret::from_slice(&secret).unwrap();
            let key = about.key(&secret, UseCase::ReportToken);
            assert_eq!(key.expose()[..], bytes(case, "key").unwrap(), "{case}");
            keys += 1;
            if let Some(message) = bytes(case, "message") {
                let level = Level::parse(&message).unwrap();
                assert_eq!(content(level), bytes(case, "content").unwrap(), "{case}");
                assert_eq!(token(&message, &about).unwrap()[..], expected.unwrap());
                tokens += 1;
            }
        }
        assert_eq!((keys, tokens), (6, 5));
    }

    fn check(at: &str, table: &Json, fields: &[(u32, Take)]) {
        let rows = table.as_array().unwrap();
        assert_eq!(rows.len(), fields.len(), "{at}");
        for (row, (number, take)) in rows.iter().zip(fields) {
            assert_eq!(row["f"], *number, "{at}");
            match take {
                Whole => assert_eq!((row.get("s"), row.get("m")), (None, None), "{at}.{number}"),
                Message => assert_eq!(row["m"], true, "{at}.{number}"),
                Parts(parts) => check(&format!("{at}.{number}"), &row["s"], parts),
            }
        }
    }

    #[test]
    fn the_fields_are_those_of_the_table() {
        let table: Json = serde_json::from_str(TABLE).unwrap();
        check("Message", &table["fields_v2"], FIELDS);
    }

    #[test]
    fn a_message_is_made_ready_once_and_keeps_a_secret_it_has() {
        let rng = &mut crate::testkit::Seeded::new(1);
        let ready = prepare(b"\x0a\x02hi".to_vec(), rng);
        let context = Level::parse(&ready).unwrap().level(35).unwrap();
        assert_eq!(context.varint(8), Some(2));
        assert!(message_secret(&ready).is_some());
        assert_eq!(prepare(ready.clone(), rng), ready);
        assert_eq!(prepare(b"\xf2\x02\x00".to_vec(), rng), b"\xf2\x02\x00");
    }

    #[test]
    fn without_a_secret_and_for_reactions_there_is_no_token() {
        let id = MessageId::parse("A").unwrap();
        let jid = Jid::lid("7");
        let about = About {
            id: &id,
            author: &jid,
            modifier: &jid,
        };
        let secret = [&b"\x9a\x02\x22\x1a\x20"[..], &[7; 32]].concat();
        let with = |content: &[u8]| token(&[content, &secret].concat(), &about);
        assert!(with(b"\x0a\x02hi").is_some());
        assert_eq!(token(b"\x0a\x02hi", &about), None);
        assert_eq!(with(b"\xf2\x02\x00"), None);
    }
}
