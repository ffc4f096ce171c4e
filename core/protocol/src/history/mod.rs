//! History sync as a source of names, salt and tokens.
//!
//! ```text
//! blob ──▶ pairs (field 15, and each chat's own) ──▶ salt (backfill) ──▶ tokens, in blocks
//! ```
//!
//! The phone sends its history in chunks: a protobuf `HistorySync`, usually zlib-compressed. The
//! names come first, so that a token lands under its contact's LID (spec: "history sync"). A blob is
//! never inflated as a whole: it is streamed twice, the first time to learn its pairs and to see that
//! all of it can be read, so that a damaged blob changes nothing.

mod blob;
mod inflate;

use std::collections::BTreeSet;

use crate::error::Fault;
use crate::event::Event;
use crate::lidmap::{self, Learned, Mapping};
use crate::nct;
use crate::peer::PeerKey;
use crate::secret::SecretBytes;
use crate::tctoken::policy::Own;
use crate::tctoken::{ChunkReport, HistoryEntry, Tokens};
use crate::time::UnixSeconds;
use crate::txn::{Cx, Scope, blocks};

pub use blob::{Conversation, Part, Parts};

/// A chunk of the history, as downloaded and decrypted: zlib-compressed or already inflated.
#[derive(Clone, Copy)]
pub struct Blob<'a> {
    bytes: &'a [u8],
    limits: Limits,
}

/// How much of a blob is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes it may inflate to. It costs time only; the largest real chunks are below 100 MiB.
    pub bytes: u64,
    /// Chats and pairs it may hold. Each costs about 300 bytes of memory until the step is
    /// committed.
    pub parts: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 512 << 20,
            parts: 200_000,
        }
    }
}

/// Why a blob cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The zlib stream is damaged or not complete.
    #[error("the zlib stream is damaged or not complete")]
    Inflate,
    /// The bytes are not a protobuf message.
    #[error("the bytes are not a protobuf message")]
    Malformed,
    /// It holds more than [`Limits`] allows, in that unit.
    #[error("it holds more {0} than allowed")]
    TooMuch(&'static str),
}

/// What a blob brought.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HistoryReport {
    /// Chats with people and businesses other than ourselves.
    pub conversations: u64,
    /// Chats of other kinds, passed by: groups, channels, broadcast, bots, announcements, our own.
    pub others: u64,
    /// Pairs of phone number and LID, known ones included.
    pub mappings: u64,
    /// The NCT salt was taken over.
    pub salt: bool,
    /// What was stored about tokens.
    pub stored: ChunkReport,
}

impl<'a> Blob<'a> {
    /// With the default limits.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::limited(bytes, Limits::default())
    }

    /// With limits of one's own.
    pub const fn limited(bytes: &'a [u8], limits: Limits) -> Self {
        Self { bytes, limits }
    }

    /// Its parts in the order of the blob. Memory: one piece of 16 KiB and one part.
    pub fn parts(&self) -> Parts<'a> {
        Parts::new(self.bytes, self.limits)
    }
}

/// Takes over what a blob says. One [`Event::HistoryApplied`] tells the host, instead of one event
/// for each token. `slot` holds the device's sessions, which follow the pairs.
///
/// The inner error is for a blob that cannot be read; nothing has changed then, also not in `cx`.
///
/// # Errors
/// What the store says.
pub fn apply(
    cx: &mut Cx<'_>,
    tokens: &mut Tokens,
    slot: &Scope,
    blob: &Blob<'_>,
    now: UnixSeconds,
) -> Result<Result<HistoryReport, HistoryError>, Fault> {
    let survey = match Survey::of(blob, tokens.own()) {
        Ok(survey) => survey,
        Err(error) => return Ok(Err(error)),
    };
    let account = tokens.scope().clone();
    let mut report = HistoryReport {
        conversations: survey.conversations,
        others: survey.others,
        ..HistoryReport::default()
    };
    for block in blocks(survey.stated.into_iter().chain(survey.mapped)) {
        let learned = lidmap::learn_all(cx, &account, slot, &block)?;
        let news = block.iter().zip(learned);
        let news = news.filter(|(_, learned)| *learned != Learned::Known);
        let pairs: Vec<_> = news.map(|(pair, _)| (pair.pn(), pair.lid())).collect();
        tokens.mappings_learned(cx, &pairs)?;
        report.mappings += u64::try_from(block.len()).unwrap_or(u64::MAX);
    }
    if let Some(salt) = survey.salt {
        report.salt = nct::backfill(cx, &account, salt)?;
    }
    let own = tokens.own().clone();
    for block in blocks(telling(blob, &own)) {
        let (peers, entries): (Vec<_>, Vec<_>) = block.into_iter().unzip();
        let names = lidmap::resolve_all(&mut cx.txn, &account, &peers)?;
        report.stored += tokens.receive_chunk(cx, names.into_iter().zip(entries), now)?;
    }
    cx.effect(Event::HistoryApplied {
        conversations: report.conversations,
        tokens: report.stored.tokens,
        sender_times: report.stored.sender_times,
        mappings: report.mappings,
        salt: report.salt,
    });
    Ok(Ok(report))
}

/// The contacts of a blob that say something about tokens. The survey has seen that every part can
/// be read.
fn telling<'a>(blob: &Blob<'a>, own: &Own) -> impl Iterator<Item = (PeerKey, HistoryEntry)> {
    blob.parts().flatten().filter_map(|part| match part {
        Part::Conversation(chat) if !chat.entry.is_empty() => {
            Some((chat.contact(own)?, chat.entry))
        }
        _ => None,
    })
}

/// What the first reading of a blob finds: that all of it can be read, and what must be known
/// before its tokens.
#[derive(Default)]
struct Survey {
    /// What chats say of themselves.
    stated: BTreeSet<Mapping>,
    /// The phone's own map. It comes last: where the two disagree it wins.
    mapped: BTreeSet<Mapping>,
    salt: Option<SecretBytes>,
    conversations: u64,
    others: u64,
}

impl Survey {
    fn of(blob: &Blob<'_>, own: &Own) -> Result<Self, HistoryError> {
        let mut survey = Self::default();
        for part in blob.parts() {
            match part? {
                Part::Conversation(chat) => {
                    match chat.contact(own) {
                        Some(_) => survey.conversations += 1,
                        None => survey.others += 1,
                    }
                    survey.stated.extend(chat.pair);
                }
                Part::Mapping(pair) => survey.mapped.extend(pair),
                Part::Salt(salt) => survey.salt = Some(salt),
            }
        }
        survey.stated.retain(|pair| !survey.mapped.contains(pair));
        Ok(survey)
    }
}
