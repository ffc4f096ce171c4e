//! Many contacts at once: a chunk of the history sync, and the pairs of names that come with it.
//!
//! The rules are those of a notification. What differs is the traffic with the store: the rows of a
//! block of contacts are read together, and the host gets a count instead of an event for each.

use crate::error::Fault;
use crate::peer::{Names, PeerKey};
use crate::secret::SecretBytes;
use crate::tctoken::record::{Change, Source, Theirs};
use crate::tctoken::stanza::MAX_TOKEN_BYTES;
use crate::tctoken::{Tokens, journal};
use crate::time::UnixSeconds;
use crate::txn::{Cx, Key, Namespace, blocks};

/// What a chat in a history sync says about tokens.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HistoryEntry {
    /// `tcToken`; often present but empty.
    pub token: Option<SecretBytes>,
    /// `tcTokenTimestamp`; zero means unknown.
    pub t: Option<u64>,
    /// `tcTokenSenderTimestamp`; zero means unknown.
    pub sender_t: Option<u64>,
}

impl HistoryEntry {
    /// Says nothing about tokens.
    pub fn is_empty(&self) -> bool {
        self.token.as_ref().is_none_or(SecretBytes::is_empty) && stamp(self.sender_t).is_none()
    }
}

/// What a chunk changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ChunkReport {
    /// Tokens that were new, or newer than the stored ones.
    pub tokens: u64,
    /// Times of our own issues that were later than the stored ones.
    pub sender_times: u64,
}

impl core::ops::AddAssign for ChunkReport {
    fn add_assign(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.sender_times += other.sender_times;
    }
}

impl Tokens {
    /// Chats of a history sync, their contacts' names resolved with the mappings of the same chunk.
    /// A contact may come several times, under either name.
    ///
    /// # Errors
    /// What the store says.
    pub fn receive_chunk(
        &mut self,
        cx: &mut Cx<'_>,
        entries: impl IntoIterator<Item = (Names, HistoryEntry)>,
        now: UnixSeconds,
    ) -> Result<ChunkReport, Fault> {
        let mut report = ChunkReport::default();
        for block in blocks(entries) {
            self.read_ahead(cx, block.iter().map(|(names, _)| names), [])?;
            for (names, entry) in block {
                self.history_entry(cx, &names, entry, now, &mut report)?;
            }
        }
        Ok(report)
    }

    /// [`Tokens::mapping_learned`] for many pairs of phone number and LID, with few reads.
    ///
    /// # Errors
    /// What the store says.
    pub fn mappings_learned(
        &mut self,
        cx: &mut Cx<'_>,
        pairs: &[(PeerKey, PeerKey)],
    ) -> Result<(), Fault> {
        let pairs = pairs
            .iter()
            .filter(|pair| matches!(pair, (PeerKey::Pn(_), PeerKey::Lid(_))));
        for (pn, lid) in pairs.clone() {
            self.issuance.rename(pn, lid, cx.now.mono);
        }
        if !self.holds_provisional(cx)? {
            return Ok(());
        }
        for block in blocks(pairs) {
            let names: Vec<_> = block
                .iter()
                .map(|(pn, lid)| Names::pair(lid.clone(), pn.clone()))
                .collect();
            let timelines = block.iter().map(|(pn, _)| journal::key(&self.scope, pn));
            self.read_ahead(cx, &names, timelines)?;
            for (pn, lid) in block {
                self.join_rows(cx, pn, lid)?;
            }
        }
        Ok(())
    }

    /// Whether any row lies under a phone number; few do, since LIDs became the rule.
    fn holds_provisional(&self, cx: &Cx<'_>) -> Result<bool, Fault> {
        for ns in [Namespace::Token, Namespace::Timeline] {
            if !cx.txn.scan(&self.scope, ns, b"pn:", None, 1)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn read_ahead<'n>(
        &self,
        cx: &mut Cx<'_>,
        names: impl IntoIterator<Item = &'n Names>,
        others: impl IntoIterator<Item = Key>,
    ) -> Result<(), Fault> {
        let peers = names.into_iter().flat_map(|names| [&names.lid, &names.pn]);
        let keys = peers
            .flatten()
            .map(|peer| Key::new(&self.scope, Namespace::Token, peer.storage()));
        Ok(cx.txn.read_ahead(keys.chain(others).collect())?)
    }

    fn history_entry(
        &mut self,
        cx: &mut Cx<'_>,
        names: &Names,
        entry: HistoryEntry,
        now: UnixSeconds,
        report: &mut ChunkReport,
    ) -> Result<(), Fault> {
        if !self.may_give(names) {
            self.counters.not_a_contact += 1;
            return Ok(());
        }
        let theirs = self.history_token(entry.token, entry.t, now);
        let issued = stamp(entry.sender_t).map(|t| self.not_from_the_future(t, now));
        if theirs.is_none() && issued.is_none() {
            return Ok(());
        }
        let mut change = Change::None;
        let mut moved = false;
        self.update(cx, names, |row| {
            change = theirs.map_or(Change::None, |theirs| row.receive(theirs));
            moved = issued.is_some_and(|t| row.touch_sender(t));
            moved || matches!(change, Change::Advanced | Change::Stored)
        })?;
        match change {
            Change::Advanced | Change::Stored => report.tokens += 1,
            Change::Older => self.counters.older += 1,
            Change::None => {}
        }
        report.sender_times += u64::from(moved);
        Ok(())
    }

    fn history_token(
        &mut self,
        token: Option<SecretBytes>,
        t: Option<u64>,
        now: UnixSeconds,
    ) -> Option<Theirs> {
        let token = token.filter(|token| !token.is_empty())?;
        if token.len() > MAX_TOKEN_BYTES {
            self.counters.ignored.too_much += 1;
            return None;
        }
        let Some(t) = stamp(t) else {
            self.counters.ignored.bad_time += 1;
            return None;
        };
        Some(self.theirs(token, t, Source::History, now))
    }
}

fn stamp(t: Option<u64>) -> Option<UnixSeconds> {
    t.filter(|t| *t > 0)
        .map(|t| UnixSeconds(i64::try_from(t).unwrap_or(i64::MAX)))
}
