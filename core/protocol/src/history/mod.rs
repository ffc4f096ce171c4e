//! History sync as a source of names, salt and tokens.
//!
//! ```text
//! blob ──▶ pairs (field 15, and each chat's own) ──▶ salt (backfill) ──▶ tokens, in blocks
//! ```
//!
//! The phone sends its history in chunks: a protobuf `HistorySync`, usually zlib-compressed. The
//! names come first, so that a token lands under its contact's LID (spec: "history sync"). A blob is
//! never inflated as a whole: it is streamed, to its end before anything changes, so that a damaged
//! one changes nothing; and once more for the tokens if they are too many to be kept meanwhile.

mod blob;
mod inflate;

use std::io::BufRead;

use crate::error::{Fault, StoreError};
use crate::event::Event;
use crate::lidmap::{self, Learned, Mapping};
use crate::media::fetch::Fetched;
use crate::nct;
use crate::peer::PeerKey;
use crate::secret::SecretBytes;
use crate::tctoken::policy::Own;
use crate::tctoken::{ChunkReport, HistoryEntry, Tokens};
use crate::time::UnixSeconds;
use crate::txn::{Cx, Scope, blocks};

use blob::Wanted;
pub use blob::{Conversation, Part, Parts};

/// A chunk of the history, as downloaded and decrypted: zlib-compressed or already inflated.
#[derive(Clone, Copy)]
pub struct Blob<'a> {
    bytes: Bytes<'a>,
    limits: Limits,
}

/// Where the bytes are.
#[derive(Clone, Copy)]
enum Bytes<'a> {
    Fetched(&'a Fetched),
    Here(&'a [u8]),
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
    /// The file it was kept in cannot be read.
    #[error("the file it was kept in cannot be read")]
    Unread,
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
    /// The phone says that the account's chats are addressed by LID.
    pub migrated: bool,
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
        let bytes = Bytes::Here(bytes);
        Self { bytes, limits }
    }

    /// One that was fetched, with the default limits.
    pub fn of(fetched: &'a Fetched) -> Self {
        Self {
            bytes: Bytes::Fetched(fetched),
            limits: Limits::default(),
        }
    }

    /// Its parts in the order of the blob. Memory: one piece of 16 KiB and one part.
    pub fn parts(&self) -> Parts<'a> {
        self.read(Wanted::All)
    }

    fn read(&self, wanted: Wanted) -> Parts<'a> {
        let input: Box<dyn BufRead + 'a> = match self.bytes {
            Bytes::Fetched(fetched) => fetched.open(),
            Bytes::Here(bytes) => Box::new(bytes),
        };
        Parts::new(input, self.limits, wanted)
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
        migrated: survey.migrated,
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
    let mut unread = false;
    let chats: Box<dyn Iterator<Item = Telling>> = match survey.telling {
        Some(chats) => Box::new(chats.into_iter()),
        None => {
            let chats = telling(blob, tokens.own().clone());
            Box::new(chats.map_while(|chat| chat.map_err(|_| unread = true).ok()))
        }
    };
    for block in blocks(chats) {
        let (peers, entries): (Vec<_>, Vec<_>) = block.into_iter().unzip();
        let names = lidmap::resolve_all(&mut cx.txn, &account, &peers)?;
        report.stored += tokens.receive_chunk(cx, names.into_iter().zip(entries), now)?;
    }
    if unread {
        // Half of it is in this step, which must not be committed.
        return Err(StoreError::Io(HistoryError::Unread.to_string()).into());
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

/// A contact whose chat says something about tokens.
type Telling = (PeerKey, HistoryEntry);

/// Reads them once more. The survey has seen that every part is sound, but a file can fail.
fn telling(blob: &Blob<'_>, own: Own) -> impl Iterator<Item = Result<Telling, HistoryError>> {
    blob.read(Wanted::Tokens)
        .filter_map(move |part| match part {
            Ok(Part::Conversation(chat)) => chat.telling(&own).map(Ok),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
}

/// What the first reading of a blob finds: that all of it can be read, and what must be known
/// before its tokens.
struct Survey {
    /// What chats say of themselves, without what the phone's map says too.
    stated: Vec<Mapping>,
    /// The phone's own map. It comes last: where the two disagree it wins.
    mapped: Vec<Mapping>,
    salt: Option<SecretBytes>,
    migrated: bool,
    /// By contact, and those of one contact in the order of the blob. `None` when they are more than
    /// [`MOST_KEPT`].
    telling: Option<Vec<Telling>>,
    conversations: u64,
    others: u64,
}

/// Chats whose tokens are kept while the names are learnt; each costs about 200 bytes. A blob with
/// more of them is read twice.
const MOST_KEPT: usize = 12_000;

impl Survey {
    fn of(blob: &Blob<'_>, own: &Own) -> Result<Self, HistoryError> {
        let mut survey = Self {
            stated: Vec::new(),
            mapped: Vec::new(),
            salt: None,
            migrated: false,
            telling: Some(Vec::new()),
            conversations: 0,
            others: 0,
        };
        for part in blob.parts() {
            match part? {
                Part::Conversation(chat) => survey.chat(chat, own),
                Part::Mapping(pair) => survey.mapped.extend(pair),
                Part::Migrated => survey.migrated = true,
                Part::Salt(salt) => survey.salt = Some(salt),
            }
        }
        let Self {
            stated,
            mapped,
            telling,
            ..
        } = &mut survey;
        for pairs in [&mut *stated, &mut *mapped] {
            pairs.sort_unstable();
            pairs.dedup();
        }
        stated.retain(|pair| mapped.binary_search(pair).is_err());
        if let Some(telling) = telling {
            telling.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        Ok(survey)
    }

    fn chat(&mut self, mut chat: Conversation, own: &Own) {
        self.stated.extend(chat.pair.take());
        if chat.contact(own).is_none() {
            self.others += 1;
            return;
        }
        self.conversations += 1;
        if let Some(telling) = &mut self.telling {
            telling.extend(chat.telling(own));
            if telling.len() > MOST_KEPT {
                self.telling = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::jid::Jid;
    use crate::pb;
    use crate::tctoken::policy::TokenProps;
    use crate::testkit::Bench;

    fn own() -> Own {
        Own::new(Some(&Jid::lid("9")), None).unwrap()
    }

    fn blob(chats: impl Iterator<Item = u64>) -> Vec<u8> {
        let chats = chats.map(|n| pb::Conversation {
            id: Some(format!("{}@lid", 1_000 + n % 12_100)),
            tc_token: Some(n.to_be_bytes().to_vec()),
            tc_token_timestamp: Some(1 + n),
            ..pb::Conversation::default()
        });
        let sync = pb::HistorySync {
            conversations: chats.collect(),
            ..pb::HistorySync::default()
        };
        sync.encode_to_vec()
    }

    #[test]
    fn what_is_kept_is_what_a_second_reading_gives() {
        // Every contact twice, and in no order.
        let bytes = blob((0..600).map(|n| n * 7 % 300 + n / 300 * 12_100));
        let blob = Blob::new(&bytes);
        let mut read: Vec<_> = telling(&blob, own()).map(Result::unwrap).collect();
        read.sort_by(|(one, _), (other, _)| one.cmp(other));
        let kept = Survey::of(&blob, &own()).unwrap().telling.unwrap();
        assert_eq!((kept.len(), &kept), (600, &read));
    }

    #[test]
    fn more_chats_than_are_kept_are_stored_all_the_same() {
        let chats = u64::try_from(MOST_KEPT).unwrap() + 50;
        let bytes = blob(0..chats);
        assert_eq!(
            Survey::of(&Blob::new(&bytes), &own()).unwrap().telling,
            None
        );
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let mut tokens = Tokens::new(own(), TokenProps::default()).unwrap();
        let now = bench.now.unix();
        let report = bench.run(|cx| apply(cx, &mut tokens, &slot, &Blob::new(&bytes), now));
        let report = report.unwrap();
        assert_eq!((report.conversations, report.stored.tokens), (chats, chats));
        assert_eq!(u64::try_from(bench.store.len()), Ok(chats));
    }

    #[test]
    fn a_blob_over_its_limits_is_refused() {
        let bytes = blob(0..5);
        let survey = |limits| Survey::of(&Blob::limited(&bytes, limits), &own()).err();
        let within = Limits {
            bytes: u64::try_from(bytes.len()).unwrap(),
            parts: 5,
        };
        assert_eq!(survey(within), None);
        let bytes = within.bytes - 1;
        let too_much = |what| Some(HistoryError::TooMuch(what));
        assert_eq!(survey(Limits { bytes, ..within }), too_much("bytes"));
        let parts = within.parts - 1;
        let what = "chats and pairs";
        assert_eq!(survey(Limits { parts, ..within }), too_much(what));
    }
}
