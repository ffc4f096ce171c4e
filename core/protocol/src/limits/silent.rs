//! Messages that the server took and dropped.
//!
//! ```text
//! ack ok under a lock ──▶ watched ──delivery receipt──▶ forgotten
//!                            └──10 minutes──▶ suspected
//! ```
//!
//! A timelocked account gets positive acks for messages that never arrive (seen with whatsmeow, its
//! issue 1197; spec: "diagnosis", row 13). Without a lock nothing is watched, so it costs nothing.

use std::collections::VecDeque;

use prost::Message;

use crate::error::StoreError;
use crate::peer::PeerKey;
use crate::time::{Millis, Mono, Now, UnixSeconds};
use crate::txn::{Cx, Namespace, Scope, Txn};
use crate::verdict::MessageId;

/// Seconds that a delivery receipt may take. A phone with a connection answers within seconds;
/// shorter would suspect everybody in a tunnel, longer would warn when many more messages are lost.
pub const GRACE: i64 = 600;

/// Messages that are watched at a time; of more the oldest are forgotten.
pub const MOST: usize = 256;

/// Ids of the rows, one a message, in the slot that sent it.
const PREFIX: &str = "silent/";

/// Accepted messages that nobody has confirmed yet. A program that starts again goes on watching:
/// the receipts may come while it is away.
#[derive(Debug)]
pub struct Watch {
    slot: Scope,
    /// Oldest first.
    waiting: VecDeque<Accepted>,
}

#[derive(Debug)]
struct Accepted {
    id: MessageId,
    peer: PeerKey,
    at: UnixSeconds,
}

/// The stored part; the message is in the id of the row.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SilentRecord {
    /// The contact, as in ids of its rows.
    #[prost(string, tag = "1")]
    pub peer: String,
    /// Server time at which the server took it, Unix seconds.
    #[prost(int64, tag = "2")]
    pub at: i64,
}

crate::prost_record!(SilentRecord, Limits, version 1);

impl Watch {
    /// What an earlier run watched.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(txn: &Txn<'_>, slot: &Scope) -> Result<Self, StoreError> {
        let mut waiting = Vec::new();
        for (row, _) in txn.scan(slot, Namespace::Limits, PREFIX.as_bytes(), None, MOST)? {
            let record: Option<SilentRecord> = txn.get_or_none(slot, &row)?;
            waiting.extend(record.and_then(|record| accepted(&row, &record)));
        }
        waiting.sort_by_key(|accepted| accepted.at);
        Ok(Self {
            slot: slot.clone(),
            waiting: waiting.into(),
        })
    }

    /// The server accepted a message to a contact at server time `at`; `locked` when the account is
    /// timelocked.
    pub fn accepted(
        &mut self,
        cx: &mut Cx<'_>,
        id: MessageId,
        peer: PeerKey,
        at: UnixSeconds,
        locked: bool,
    ) {
        if !locked {
            return;
        }
        self.receipt(cx, &id);
        if self.waiting.len() >= MOST {
            self.pop(cx);
        }
        let record = SilentRecord {
            peer: peer.storage(),
            at: at.0,
        };
        cx.txn.put(&self.slot, row(&id), &record);
        self.waiting.push_back(Accepted { id, peer, at });
    }

    /// A device of the contact has the message. Receipts of our own devices do not belong here.
    pub fn receipt(&mut self, cx: &mut Cx<'_>, id: &MessageId) {
        let found = self.waiting.iter().position(|accepted| accepted.id == *id);
        if found.and_then(|at| self.waiting.remove(at)).is_some() {
            cx.txn.delete(&self.slot, Namespace::Limits, row(id));
        }
    }

    /// Messages that should have been confirmed by server time `now`, by contact; each is given
    /// once. While receipts may still be on their way here it must not be asked.
    pub fn due(&mut self, cx: &mut Cx<'_>, now: UnixSeconds) -> Vec<(PeerKey, Vec<MessageId>)> {
        let mut suspected: Vec<(PeerKey, Vec<MessageId>)> = Vec::new();
        while self.end().is_some_and(|end| end <= now) {
            let Some(accepted) = self.pop(cx) else {
                break;
            };
            match suspected
                .iter_mut()
                .find(|(peer, _)| *peer == accepted.peer)
            {
                Some((_, ids)) => ids.push(accepted.id),
                None => suspected.push((accepted.peer, vec![accepted.id])),
            }
        }
        suspected
    }

    /// When [`Watch::due`] has something to give; `None` for never.
    pub fn deadline(&self, now: Now, server: UnixSeconds) -> Option<Mono> {
        let seconds = u64::try_from(self.end()?.since(server)).unwrap_or(0);
        Some(now.mono.plus(Millis::from_secs(seconds)))
    }

    /// Nothing is watched any more.
    pub fn clear(&mut self, cx: &mut Cx<'_>) {
        while self.pop(cx).is_some() {}
    }

    fn end(&self) -> Option<UnixSeconds> {
        let oldest = self.waiting.front()?;
        Some(oldest.at.plus(GRACE))
    }

    fn pop(&mut self, cx: &mut Cx<'_>) -> Option<Accepted> {
        let oldest = self.waiting.pop_front()?;
        cx.txn
            .delete(&self.slot, Namespace::Limits, row(&oldest.id));
        Some(oldest)
    }
}

fn row(id: &MessageId) -> String {
    format!("{PREFIX}{}", id.as_str())
}

fn accepted(row: &[u8], record: &SilentRecord) -> Option<Accepted> {
    let id = core::str::from_utf8(row).ok()?.strip_prefix(PREFIX)?;
    Some(Accepted {
        id: MessageId::parse(id)?,
        peer: PeerKey::parse_storage(&record.peer)?,
        at: UnixSeconds(record.at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Bench;
    use crate::txn::Record;

    const T: UnixSeconds = UnixSeconds(1_786_000_000);
    const END: UnixSeconds = UnixSeconds(1_786_000_600);
    const NOBODY: [(PeerKey, Vec<MessageId>); 0] = [];

    fn id(number: usize) -> MessageId {
        MessageId::parse(&format!("3EB0{number}")).unwrap()
    }

    fn peer(user: &str) -> PeerKey {
        PeerKey::Lid(user.into())
    }

    fn load(bench: &mut Bench) -> Watch {
        let slot = bench.slot.clone();
        bench.run(|cx| Ok(Watch::load(&cx.txn, &slot)?))
    }

    fn accept(bench: &mut Bench, watch: &mut Watch, number: usize, user: &str, at: UnixSeconds) {
        bench.run(|cx| {
            watch.accepted(cx, id(number), peer(user), at, true);
            Ok(())
        });
    }

    fn due(
        bench: &mut Bench,
        watch: &mut Watch,
        now: UnixSeconds,
    ) -> Vec<(PeerKey, Vec<MessageId>)> {
        bench.run(|cx| Ok(watch.due(cx, now)))
    }

    #[test]
    fn the_bytes_of_a_row_never_change() {
        let record = SilentRecord {
            peer: "lid:7".into(),
            at: 5,
        };
        assert_eq!(hex::encode(record.to_row()), "010a056c69643a371005");
        assert_eq!(SilentRecord::from_row(&record.to_row()), Ok(record));
    }

    #[test]
    fn what_nobody_confirmed_is_suspected_once_by_contact_over_restarts() {
        for restarts in [false, true] {
            let mut bench = Bench::new(1);
            let mut watch = load(&mut bench);
            for (number, user) in ["1", "2", "1", "3"].into_iter().enumerate() {
                let at = T.plus(i64::try_from(number).unwrap());
                accept(&mut bench, &mut watch, number, user, at);
            }
            if restarts {
                watch = load(&mut bench);
            }
            bench.run(|cx| {
                watch.receipt(cx, &id(3));
                Ok(())
            });
            let (now, server) = (bench.now, T.plus(590));
            let at = now.mono.plus(Millis::from_secs(10));
            assert_eq!(watch.deadline(now, server), Some(at));
            assert_eq!(due(&mut bench, &mut watch, END.plus(-1)), NOBODY);
            if restarts {
                watch = load(&mut bench);
            }
            let suspected = [(peer("1"), vec![id(0), id(2)]), (peer("2"), vec![id(1)])];
            assert_eq!(due(&mut bench, &mut watch, END.plus(2)), suspected);
            assert_eq!(due(&mut bench, &mut watch, END.plus(9)), NOBODY);
            assert_eq!((bench.store.len(), watch.deadline(now, END)), (0, None));
        }
    }

    #[test]
    fn younger_messages_are_given_time() {
        let mut bench = Bench::new(1);
        let mut watch = load(&mut bench);
        accept(&mut bench, &mut watch, 0, "1", T);
        accept(&mut bench, &mut watch, 1, "1", T.plus(1));
        assert_eq!(due(&mut bench, &mut watch, END), [(peer("1"), vec![id(0)])]);
        assert_eq!(load(&mut bench).waiting.len(), 1);
    }

    #[test]
    fn without_a_lock_nothing_is_watched() {
        let mut bench = Bench::new(1);
        let mut watch = load(&mut bench);
        bench.run(|cx| {
            watch.accepted(cx, id(0), peer("1"), T, false);
            Ok(())
        });
        assert_eq!((watch.waiting.len(), bench.store.len()), (0, 0));
    }

    #[test]
    fn a_cleared_watch_leaves_nothing_behind() {
        let mut bench = Bench::new(1);
        let mut watch = load(&mut bench);
        for number in 0..3 {
            accept(&mut bench, &mut watch, number, "1", T);
        }
        bench.run(|cx| {
            watch.clear(cx);
            Ok(())
        });
        assert_eq!((bench.store.len(), watch.deadline(bench.now, T)), (0, None));
        assert_eq!(due(&mut bench, &mut watch, END), NOBODY);
    }

    #[test]
    fn of_too_many_the_oldest_are_forgotten() {
        let mut bench = Bench::new(1);
        let mut watch = load(&mut bench);
        for number in 0..=MOST {
            accept(&mut bench, &mut watch, number, "1", T);
        }
        assert_eq!(bench.store.len(), MOST);
        let (_, ids) = due(&mut bench, &mut watch, END).remove(0);
        assert_eq!((ids.len(), ids.first()), (MOST, Some(&id(1))));
    }
}
