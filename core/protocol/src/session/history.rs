//! Parts of the phone's history: announced, fetched, taken over, and only then receipted.
//!
//! ```text
//! historySyncNotification { inline }       -> taken over -> <receipt type="hist_sync"/>
//! historySyncNotification { directPath }   -> row -> fetch -> taken over -> receipt -> ack -> no row
//! not to be had -> <receipt type="server-error"/> -> <notification type="mediaretry"/> -> fetch
//! ```
//! Spec: 10.8. The message that announces a part is answered at once, because its ratchet has moved; the
//! row stands for the part from then on, so a crash at any point fetches it again. One part is fetched
//! at a time.

use std::collections::BTreeMap;

use prost::Message as _;

use crate::error::{Fault, StoreError};
use crate::event::{Event, HistoryFailure};
use crate::history::{Blob, HistoryError};
use crate::media::download::Reference;
use crate::media::fetch::{FetchError, Fetched};
use crate::media::retry;
use crate::pb::{HistorySyncNotification, HistorySyncNotificationType};
use crate::session::media::Want;
use crate::session::{Phase, Session};
use crate::time::{Millis, Mono};
use crate::txn::{Cx, Namespace, Record, Scope, Txn};
use crate::verdict::MessageId;
use crate::wap::Node;

/// Parts that may wait; phones send about twenty. More are receipted and left aside.
const MOST_PARTS: usize = 128;

/// How often a part is fetched, over all connections, before it is given up.
const MOST_TRIES: u32 = 6;

/// The pause after the first try in vain; it doubles each time.
const PAUSE: Millis = Millis::from_secs(30);

/// How long the phone may take to upload a part again (spec: 30 to 60 s).
const PHONE: Millis = Millis::from_secs(60);

/// How often a receipt leaves that the server does not confirm.
const MOST_RECEIPTS: u32 = 3;

/// A part, from its announcement until the server has our receipt.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct PartRecord {
    /// The notification; empty once it is `done`.
    #[prost(bytes = "vec", tag = "1")]
    notification: Vec<u8>,
    /// Fetches that failed; once it is `done`, receipts that left.
    #[prost(uint32, tag = "2")]
    tries: u32,
    /// The phone was asked to upload it again.
    #[prost(bool, tag = "3")]
    phone_asked: bool,
    /// Behind it the history is complete, if nothing else is waiting.
    #[prost(bool, tag = "4")]
    last: bool,
    /// It is taken over or given up.
    #[prost(bool, tag = "5")]
    done: bool,
}

crate::prost_record!(PartRecord, History, version 1);

impl core::fmt::Debug for PartRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PartRecord(tries {}, done {})", self.tries, self.done)
    }
}

/// The parts that have rows.
#[derive(Debug, Default)]
pub(super) struct Parts {
    rows: BTreeMap<MessageId, PartRecord>,
    /// Not fetched before that.
    pause: Option<Mono>,
    /// How long the phone is waited for, and what it was asked for.
    phone: BTreeMap<MessageId, (Mono, FetchError)>,
}

impl Parts {
    /// Reads the rows.
    pub(super) fn load(txn: &Txn<'_>, slot: &Scope) -> Result<Self, StoreError> {
        let mut parts = Self::default();
        for (id, row) in txn.scan(slot, Namespace::History, b"", None, MOST_PARTS)? {
            let id = str::from_utf8(&id).ok().and_then(MessageId::parse);
            if let (Some(id), Ok(record)) = (id, PartRecord::from_row(&row)) {
                parts.rows.insert(id, record);
            }
        }
        Ok(parts)
    }

    /// When something is to be done.
    pub(super) fn deadline(&self) -> Option<Mono> {
        let phone = self.phone.values().map(|(until, _)| *until);
        phone.chain(self.pause).min()
    }

    /// A part that can be fetched now.
    fn next(&self) -> Option<(&MessageId, &PartRecord)> {
        let free =
            |(id, part): &(&MessageId, &PartRecord)| !part.done && !self.phone.contains_key(*id);
        self.rows.iter().find(free).filter(|_| self.pause.is_none())
    }
}

impl Session {
    /// Our phone announces a part.
    pub(super) fn history_announced(
        &mut self,
        cx: &mut Cx<'_>,
        id: &MessageId,
        notification: HistorySyncNotification,
    ) -> Result<(), Fault> {
        let last = matches!(
            notification.sync_type,
            Some(HistorySyncNotificationType::FULL | HistorySyncNotificationType::RECENT)
        ) && notification.progress.unwrap_or(0) >= 100;
        if let Some(blob) = &notification.initial_hist_bootstrap_inline_payload {
            match self.take_history(cx, &Blob::new(blob))? {
                Ok(()) => self.history_complete(cx, last),
                Err(_) => self.ignored += 1,
            }
            self.receipt_history(cx, id);
            return Ok(());
        }
        if self.history.rows.contains_key(id) {
            return Ok(());
        }
        let full = self.history.rows.len() >= MOST_PARTS;
        if full || Reference::history(&notification).is_none() {
            // Nothing to fetch is what some kinds look like.
            self.ignored += u64::from(full || notification.direct_path.is_some());
            self.receipt_history(cx, id);
            return Ok(());
        }
        let part = PartRecord {
            notification: notification.encode_to_vec(),
            last,
            ..PartRecord::default()
        };
        self.keep_part(cx, id, part);
        self.fetch_history(cx);
        Ok(())
    }

    /// The connection works: what was left undone goes on, what was done is said once more.
    pub(super) fn history_online(&mut self, cx: &mut Cx<'_>) {
        let done = |(id, part): (&MessageId, &PartRecord)| part.done.then(|| id.clone());
        let done: Vec<_> = self.history.rows.iter().filter_map(done).collect();
        for id in done {
            self.finish_part(cx, &id);
        }
        self.history.pause = None;
        self.fetch_history(cx);
    }

    pub(super) fn tick_history(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let now = cx.now.mono;
        if self.history.pause.is_some_and(|pause| pause <= now) {
            self.history.pause = None;
        }
        let phone = std::mem::take(&mut self.history.phone);
        let (silent, waiting): (BTreeMap<_, _>, _) =
            phone.into_iter().partition(|(_, (until, _))| *until <= now);
        self.history.phone = waiting;
        for (id, (_, error)) in silent {
            self.give_up(cx, &id, error.into());
        }
        self.fetch_history(cx);
        Ok(())
    }

    /// The blob of a part is there, or it is not to be had.
    pub(super) fn history_fetched(
        &mut self,
        cx: &mut Cx<'_>,
        id: &MessageId,
        end: Result<Fetched, FetchError>,
    ) -> Result<(), Fault> {
        let Some(part) = self.history.rows.get(id).filter(|part| !part.done).cloned() else {
            return Ok(());
        };
        match end {
            Ok(blob) => match self.take_history(cx, &Blob::of(&blob))? {
                Ok(()) => {
                    self.finish_part(cx, id);
                    self.history_complete(cx, part.last);
                }
                Err(HistoryError::Unread) => {
                    let why = FetchError::NoRoom("the blob cannot be read back".to_owned());
                    self.try_again(cx, id, part, why);
                }
                Err(error) => self.give_up(cx, id, error.into()),
            },
            Err(error) if error.is_passing() => self.try_again(cx, id, part, error),
            Err(error) if part.phone_asked => self.give_up(cx, id, error.into()),
            Err(error) => self.ask_phone(cx, id, part, error),
        }
        self.fetch_history(cx);
        Ok(())
    }

    /// `mediaretry`: the phone has uploaded a part again, or says that it cannot.
    pub(super) fn uploaded_again(&mut self, cx: &mut Cx<'_>, node: &Node) -> Result<(), Fault> {
        let id = retry::subject(node).and_then(|id| MessageId::parse(&id));
        let Some(id) = id.filter(|id| self.history.phone.contains_key(id)) else {
            return Ok(());
        };
        let Some(mut part) = self.history.rows.get(&id).cloned() else {
            return Ok(());
        };
        let mut notification =
            HistorySyncNotification::decode(&*part.notification).unwrap_or_default();
        let reference = Reference::history(&notification);
        let answer = reference.and_then(|reference| retry::answer(node, reference.media_key()));
        let Some(answer) = answer else {
            self.ignored += 1;
            return Ok(());
        };
        let asked = self.history.phone.remove(&id);
        match (answer, asked) {
            (retry::Answer::At(path), _) => {
                notification.direct_path = Some(path);
                part.notification = notification.encode_to_vec();
                self.keep_part(cx, &id, part);
            }
            (retry::Answer::Never, Some((_, error))) => self.give_up(cx, &id, error.into()),
            (retry::Answer::Never, None) => {}
        }
        self.fetch_history(cx);
        Ok(())
    }

    /// The server has a receipt of ours.
    pub(super) fn history_receipted(&mut self, cx: &mut Cx<'_>, id: &MessageId) {
        if self.history.rows.get(id).is_some_and(|part| part.done) {
            self.drop_part(cx, id);
        }
    }

    /// Fetches the next part, unless one is on its way.
    fn fetch_history(&mut self, cx: &mut Cx<'_>) {
        while !self.media.wants(|want| matches!(want, Want::History(_))) {
            let Some((id, part)) = self.history.next() else {
                return;
            };
            let id = id.clone();
            let notification = HistorySyncNotification::decode(&*part.notification);
            let reference = notification.ok().as_ref().and_then(Reference::history);
            let Some(reference) = reference else {
                // A path from the phone that is none.
                self.give_up(cx, &id, HistoryError::Malformed.into());
                continue;
            };
            if !self.fetch(cx, Want::History(id), reference) {
                return;
            }
        }
    }

    fn take_history(
        &mut self,
        cx: &mut Cx<'_>,
        blob: &Blob<'_>,
    ) -> Result<Result<(), HistoryError>, Fault> {
        let now = self.server_now(cx);
        match &mut self.account {
            Some(account) => {
                let applied = account.history(cx, &self.slot, blob, now)?;
                if applied.as_ref().is_ok_and(|report| report.migrated) {
                    self.migrated(cx, true);
                }
                Ok(applied.map(|_| ()))
            }
            None => Ok(Ok(())),
        }
    }

    /// The phone has said that this was all. Parts that still wait carry that on.
    fn history_complete(&mut self, cx: &mut Cx<'_>, last: bool) {
        if !last {
            return;
        }
        let waiting = self.history.rows.iter().find(|(_, part)| !part.done);
        if let Some((id, part)) = waiting.map(|(id, part)| (id.clone(), part.clone())) {
            self.keep_part(cx, &id, PartRecord { last, ..part });
        } else if let Some(paired) = self.device.paired_mut() {
            paired.history_complete = Some(true);
            self.save_device(cx);
            self.tell_background();
        }
    }

    fn try_again(
        &mut self,
        cx: &mut Cx<'_>,
        id: &MessageId,
        mut part: PartRecord,
        error: FetchError,
    ) {
        part.tries += 1;
        if part.tries >= MOST_TRIES {
            self.give_up(cx, id, error.into());
            return;
        }
        let pause = Millis(PAUSE.0 << part.tries.min(8));
        self.history.pause = Some(cx.now.mono.plus(pause));
        self.keep_part(cx, id, part);
    }

    /// The servers lost or spoiled it; the phone has it.
    fn ask_phone(
        &mut self,
        cx: &mut Cx<'_>,
        id: &MessageId,
        mut part: PartRecord,
        error: FetchError,
    ) {
        let notification = HistorySyncNotification::decode(&*part.notification);
        let reference = notification.ok().as_ref().and_then(Reference::history);
        if let (Some(paired), Some(reference)) = (self.device.paired(), reference) {
            let request = retry::request(cx.rng, id.as_str(), &paired.jid, reference.media_key());
            self.transmit(cx, &request);
        }
        part.phone_asked = true;
        self.keep_part(cx, id, part);
        let until = cx.now.mono.plus(PHONE);
        self.history.phone.insert(id.clone(), (until, error));
    }

    fn give_up(&mut self, cx: &mut Cx<'_>, id: &MessageId, reason: HistoryFailure) {
        cx.effect(Event::HistoryFailed { reason });
        self.finish_part(cx, id);
    }

    /// Nothing is left to do but to say so, until the server has heard it.
    fn finish_part(&mut self, cx: &mut Cx<'_>, id: &MessageId) {
        let Some(old) = self.history.rows.get(id) else {
            return;
        };
        let part = PartRecord {
            done: true,
            tries: if old.done { old.tries + 1 } else { 1 },
            ..PartRecord::default()
        };
        if part.tries > MOST_RECEIPTS {
            self.drop_part(cx, id);
            return;
        }
        self.keep_part(cx, id, part);
        self.receipt_history(cx, id);
    }

    fn receipt_history(&self, cx: &mut Cx<'_>, id: &MessageId) {
        let Some(paired) = self
            .device
            .paired()
            .filter(|_| self.phase != Phase::Offline)
        else {
            return;
        };
        let receipt = Node::new("receipt")
            .attr("id", id.as_str().to_owned())
            .attr("type", "hist_sync")
            .jid("to", paired.jid.account());
        self.transmit(cx, &receipt);
    }

    fn keep_part(&mut self, cx: &mut Cx<'_>, id: &MessageId, part: PartRecord) {
        cx.txn.put(&self.slot, id.as_str(), &part);
        self.history.rows.insert(id.clone(), part);
    }

    fn drop_part(&mut self, cx: &mut Cx<'_>, id: &MessageId) {
        cx.txn.delete(&self.slot, Namespace::History, id.as_str());
        self.history.rows.remove(id);
    }
}
