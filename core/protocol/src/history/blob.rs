//! The parts of a blob, one after the other.
//!
//! ```text
//! HistorySync   conversations 2, phoneNumberToLidMappings 15 { pnJid 1, lidJid 2 }, nctSalt 19
//! Conversation  ID 1, tcToken 21, tcTokenTimestamp 22, tcTokenSenderTimestamp 28,
//!               pnJID 39, lidJID 42, accountLid 49
//! ```
//! Everything else, messages above all, is passed by without being kept. The numbers are those of
//! [`pb::HistorySync`](crate::pb::HistorySync), which a test compares with what is read here.

use std::io::BufRead;

use super::inflate::Stream;
use super::{HistoryError, Limits};
use crate::jid::Jid;
use crate::lidmap::Mapping;
use crate::nct::MAX_SALT_BYTES;
use crate::peer::PeerKey;
use crate::secret::SecretBytes;
use crate::tctoken::HistoryEntry;
use crate::tctoken::policy::{Class, Own, class};
use crate::tctoken::stanza::MAX_TOKEN_BYTES;

/// Longer addresses are none; an account id has 15 digits.
const MAX_JID_BYTES: usize = 128;

/// One part of a history sync that matters here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Part {
    /// A chat.
    Conversation(Conversation),
    /// A pair of names; `None` when the two are not a phone number and a LID of a person.
    Mapping(Option<Mapping>),
    /// The NCT salt.
    Salt(SecretBytes),
}

/// A chat, without its messages.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Conversation {
    /// Its address; `None` when there is none that can be read.
    pub id: Option<Jid>,
    /// The pair of names that the chat states by itself.
    pub pair: Option<Mapping>,
    /// What it says about tokens.
    pub entry: HistoryEntry,
}

impl Conversation {
    /// The person or business it is with; `None` for ourselves and for everybody without tokens.
    pub fn contact(&self, own: &Own) -> Option<PeerKey> {
        let id = self.id.as_ref()?;
        PeerKey::of(id).filter(|_| class(id, own) == Class::Contact)
    }

    /// The contact and what the chat says about tokens, if anything.
    pub(super) fn telling(self, own: &Own) -> Option<(PeerKey, HistoryEntry)> {
        let contact = self.contact(own).filter(|_| !self.entry.is_empty())?;
        Some((contact, self.entry))
    }
}

/// What is read; the rest is passed by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// Everything.
    All,
    /// Addresses of chats, and what these say about tokens.
    Tokens,
}

/// Reads a blob from its beginning. Ends after the first error.
pub struct Parts<'a> {
    stream: Stream<'a>,
    wanted: Wanted,
    /// Parts that may still come.
    left: u64,
    failed: bool,
}

impl<'a> Parts<'a> {
    pub(super) fn new(input: Box<dyn BufRead + 'a>, limits: Limits, wanted: Wanted) -> Self {
        Self {
            stream: Stream::new(input, limits.bytes),
            wanted,
            left: limits.parts,
            failed: false,
        }
    }

    fn part(&mut self) -> Result<Option<Part>, HistoryError> {
        let names = self.wanted != Wanted::Tokens;
        while !self.stream.at_end()? {
            match self.field(u64::MAX)? {
                (2, Value::Bytes(length)) => {
                    return Ok(Some(Part::Conversation(self.conversation(length)?)));
                }
                (15, Value::Bytes(length)) if names => {
                    return Ok(Some(Part::Mapping(self.mapping(length)?)));
                }
                (19, Value::Bytes(length)) if names => {
                    return Ok(Some(Part::Salt(self.secret(length, MAX_SALT_BYTES)?)));
                }
                (_, other) => self.pass(other)?,
            }
        }
        Ok(None)
    }

    fn conversation(&mut self, length: u64) -> Result<Conversation, HistoryError> {
        let end = self.end(length);
        let names = self.wanted != Wanted::Tokens;
        let mut chat = Conversation::default();
        let (mut pn, mut lid, mut account_lid) = (None, None, None);
        while self.stream.position() < end {
            match self.field(end)? {
                (1, Value::Bytes(length)) => chat.id = self.jid(length)?,
                (21, Value::Bytes(length)) => {
                    chat.entry.token = Some(self.secret(length, MAX_TOKEN_BYTES)?);
                }
                (22, Value::Number(t)) => chat.entry.t = Some(t),
                (28, Value::Number(t)) => chat.entry.sender_t = Some(t),
                (39, Value::Bytes(length)) if names => pn = self.jid(length)?,
                (42, Value::Bytes(length)) if names => lid = self.jid(length)?,
                (49, Value::Bytes(length)) if names => account_lid = self.jid(length)?,
                (_, other) => self.pass(other)?,
            }
        }
        chat.pair = chat.id.as_ref().and_then(|id| {
            let others = [account_lid, lid, pn];
            others
                .iter()
                .flatten()
                .find_map(|other| Mapping::of(id, other))
        });
        Ok(chat)
    }

    fn mapping(&mut self, length: u64) -> Result<Option<Mapping>, HistoryError> {
        let end = self.end(length);
        let (mut pn, mut lid) = (None, None);
        while self.stream.position() < end {
            match self.field(end)? {
                (1, Value::Bytes(length)) => pn = self.jid(length)?,
                (2, Value::Bytes(length)) => lid = self.jid(length)?,
                (_, other) => self.pass(other)?,
            }
        }
        Ok(pn
            .zip(lid)
            .and_then(|(pn, lid): (Jid, Jid)| Mapping::of(&pn, &lid)))
    }

    /// The next field of the message that ends at `end`; its bytes are still to be read.
    fn field(&mut self, end: u64) -> Result<(u32, Value), HistoryError> {
        let tag = u32::try_from(self.stream.varint()?).map_err(|_| HistoryError::Malformed)?;
        let value = match tag & 7 {
            0 => Value::Number(self.stream.varint()?),
            1 => Value::Fixed(8),
            2 => Value::Bytes(self.stream.varint()?),
            5 => Value::Fixed(4),
            _ => return Err(HistoryError::Malformed),
        };
        let behind = match value {
            Value::Bytes(length) | Value::Fixed(length) => self.end(length),
            Value::Number(_) => self.stream.position(),
        };
        if tag >> 3 == 0 || behind > end {
            return Err(HistoryError::Malformed);
        }
        Ok((tag >> 3, value))
    }

    fn end(&self, length: u64) -> u64 {
        self.stream.position().saturating_add(length)
    }

    fn pass(&mut self, value: Value) -> Result<(), HistoryError> {
        match value {
            Value::Bytes(length) | Value::Fixed(length) => self.stream.skip(length),
            Value::Number(_) => Ok(()),
        }
    }

    fn jid(&mut self, length: u64) -> Result<Option<Jid>, HistoryError> {
        let mut text = [0; MAX_JID_BYTES];
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(text) = text.get_mut(..size) else {
            self.stream.skip(length)?;
            return Ok(None);
        };
        self.stream.read(text)?;
        Ok(str::from_utf8(text).ok().and_then(|text| text.parse().ok()))
    }

    /// Cut one byte above `most`, so that who takes it sees that it is too long.
    fn secret(&mut self, length: u64, most: usize) -> Result<SecretBytes, HistoryError> {
        let size = usize::try_from(length).unwrap_or(usize::MAX).min(most + 1);
        let mut bytes = vec![0; size];
        self.stream.read(&mut bytes)?;
        self.stream
            .skip(length - u64::try_from(size).unwrap_or(length))?;
        Ok(SecretBytes::new(bytes))
    }
}

impl Iterator for Parts<'_> {
    type Item = Result<Part, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let part = match self.part() {
            Ok(Some(_)) if self.left == 0 => Err(HistoryError::TooMuch("chats and pairs")),
            part => part,
        };
        self.left = self.left.saturating_sub(1);
        self.failed = part.is_err();
        part.transpose()
    }
}

/// What follows a field's tag.
#[derive(Clone, Copy)]
enum Value {
    /// That many bytes, still to be read.
    Bytes(u64),
    /// A number of that many bytes, still to be read; no field kept here is one.
    Fixed(u64),
    /// A varint, read.
    Number(u64),
}

#[cfg(test)]
mod tests {
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
        let file = include_str!("../../tests/vectors/history_sync_blob.json");
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
        chats.chain(pairs).chain(salt).collect()
    }

    proptest! {
        #[test]
        fn the_walker_reads_what_prost_reads(
            conversations in prop::collection::vec(any_chat(), 0..6),
            pairs in prop::collection::vec((any_jid(), any_jid()), 0..4),
            nct_salt in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
        ) {
            let pair = |(pn_jid, lid_jid)| pb::PhoneNumberToLidMapping { pn_jid, lid_jid };
            let sync = pb::HistorySync {
                conversations,
                phone_number_to_lid_mappings: pairs.into_iter().map(pair).collect(),
                nct_salt,
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
}
