//! The parts of a blob, one after the other.
//!
//! ```text
//! HistorySync   conversations 2, globalSettings 8 { chatDbLidMigrationTimestamp 20 },
//!               phoneNumberToLidMappings 15 { pnJid 1, lidJid 2 }, nctSalt 19
//! Conversation  ID 1, tcToken 21, tcTokenTimestamp 22, tcTokenSenderTimestamp 28,
//!               pnJID 39, lidJID 42, accountLid 49
//! ```
//! Everything else, messages above all, is passed by without being kept. The numbers are those of
//! [`pb::HistorySync`](crate::pb::HistorySync), which a test compares with what is read here.

#[cfg(test)]
mod tests;

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
    /// The account's chats are addressed by LID.
    Migrated,
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
                (8, Value::Bytes(length)) if names => {
                    if self.migrated(length)? {
                        return Ok(Some(Part::Migrated));
                    }
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

    /// Whether settings tell when the account's chats went over to LIDs.
    fn migrated(&mut self, length: u64) -> Result<bool, HistoryError> {
        let end = self.end(length);
        let mut migrated = false;
        while self.stream.position() < end {
            match self.field(end)? {
                (20, Value::Number(t)) => migrated = t != 0,
                (_, other) => self.pass(other)?,
            }
        }
        Ok(migrated)
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
