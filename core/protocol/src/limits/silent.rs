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

use crate::peer::PeerKey;
use crate::time::{Millis, Mono};
use crate::verdict::MessageId;

/// How long a delivery receipt may take. A phone with a connection answers within seconds; shorter
/// would suspect everybody in a tunnel, longer would warn when many more messages are lost.
pub const GRACE: Millis = Millis::from_secs(600);

/// Messages that are watched at a time; of more the oldest are forgotten.
pub const MOST: usize = 256;

/// Accepted messages that nobody has confirmed yet. Not stored: the suspicion is about now.
#[derive(Debug, Default)]
pub struct Watch {
    /// Oldest first.
    waiting: VecDeque<Accepted>,
}

#[derive(Debug)]
struct Accepted {
    id: MessageId,
    peer: PeerKey,
    at: Mono,
}

impl Watch {
    /// The server accepted a message to a contact; `locked` when the account is timelocked.
    pub fn accepted(&mut self, id: MessageId, peer: PeerKey, at: Mono, locked: bool) {
        if !locked {
            return;
        }
        if self.waiting.len() >= MOST {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Accepted { id, peer, at });
    }

    /// A device of the contact has the message. Receipts of our own devices do not belong here.
    pub fn receipt(&mut self, id: &MessageId) {
        self.waiting.retain(|accepted| accepted.id != *id);
    }

    /// Messages that should have been confirmed by now, by contact; each is given once.
    pub fn due(&mut self, now: Mono) -> Vec<(PeerKey, Vec<MessageId>)> {
        let mut suspected: Vec<(PeerKey, Vec<MessageId>)> = Vec::new();
        while self.deadline().is_some_and(|at| at <= now) {
            let Some(accepted) = self.waiting.pop_front() else {
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
    pub fn deadline(&self) -> Option<Mono> {
        self.waiting.front().map(|accepted| accepted.at.plus(GRACE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Mono = Mono(600_000);

    fn id(number: usize) -> MessageId {
        MessageId::parse(&format!("3EB0{number}")).unwrap()
    }

    fn peer(user: &str) -> PeerKey {
        PeerKey::Lid(user.into())
    }

    #[test]
    fn what_nobody_confirmed_is_suspected_once_by_contact() {
        let mut watch = Watch::default();
        for (number, user) in ["1", "2", "1", "3"].into_iter().enumerate() {
            watch.accepted(id(number), peer(user), Mono(0), true);
        }
        watch.receipt(&id(3));
        assert_eq!(watch.deadline(), Some(END));
        assert_eq!(watch.due(Mono(END.0 - 1)), []);
        let suspected = [(peer("1"), vec![id(0), id(2)]), (peer("2"), vec![id(1)])];
        assert_eq!(watch.due(END), suspected);
        assert_eq!((watch.due(END), watch.deadline()), (vec![], None));
    }

    #[test]
    fn younger_messages_are_given_time() {
        let mut watch = Watch::default();
        watch.accepted(id(0), peer("1"), Mono(0), true);
        watch.accepted(id(1), peer("1"), Mono(1), true);
        assert_eq!(watch.due(END), [(peer("1"), vec![id(0)])]);
        assert_eq!(watch.deadline(), Some(Mono(END.0 + 1)));
    }

    #[test]
    fn without_a_lock_nothing_is_watched() {
        let mut watch = Watch::default();
        watch.accepted(id(0), peer("1"), Mono(0), false);
        assert_eq!(watch.deadline(), None);
    }

    #[test]
    fn of_too_many_the_oldest_are_forgotten() {
        let mut watch = Watch::default();
        for number in 0..=MOST {
            watch.accepted(id(number), peer("1"), Mono(0), true);
        }
        let (_, ids) = watch.due(END).remove(0);
        assert_eq!((ids.len(), ids.first()), (MOST, Some(&id(1))));
    }
}
