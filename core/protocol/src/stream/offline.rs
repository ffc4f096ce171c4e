//! What the server kept while we were away.
//!
//! ```text
//! <- <ib><offline_preview count/></ib>   -> <ib><offline_batch count="200"/></ib>
//! <- stanzas with `offline`, 100 ms after the first of each batch the next is asked for
//! <- <ib><offline count/></ib>           the end; or 60 s without such a stanza
//! ```
//! Source: spec "Offline queue"; the end may never be announced.

use crate::time::{Millis, Mono};
use crate::wap::Node;

/// Stanzas asked for at a time, as the web client does. More means longer bursts.
const BATCH: &str = "200";

const NEXT_BATCH: Millis = Millis(100);
const IDLE: Millis = Millis::from_secs(60);

/// The queue of one connection.
#[derive(Debug, Default)]
pub struct OfflineQueue(State);

#[derive(Debug, Default)]
enum State {
    /// Nothing is kept, or all of it was delivered.
    #[default]
    Done,
    /// A batch is on its way; without a stanza by `idle` nothing comes any more.
    Asked { idle: Mono },
    /// A batch has begun; the next is asked for at `next`.
    Begun { next: Mono },
}

/// What is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Due {
    /// Ask for the next batch.
    Batch,
    /// Nothing came for too long: this was all.
    End,
    /// Nothing yet.
    Nothing,
}

impl OfflineQueue {
    /// `<offline_preview>`: whether to ask for a batch.
    pub fn announced(&mut self, preview: &Node, now: Mono) -> bool {
        let any = preview.number::<u32>("count").unwrap_or(0) > 0;
        if any {
            self.0 = State::Asked {
                idle: now.plus(IDLE),
            };
        }
        any
    }

    /// A stanza arrived; only those of the queue count. The attribute may be "0".
    pub fn heard(&mut self, stanza: &Node, now: Mono) {
        if matches!(self.0, State::Asked { .. }) && stanza.value("offline").is_some() {
            self.0 = State::Begun {
                next: now.plus(NEXT_BATCH),
            };
        }
    }

    /// `<offline>`: this was all.
    pub fn ended(&mut self) {
        self.0 = State::Done;
    }

    /// Whether the server still delivers.
    pub const fn is_open(&self) -> bool {
        !matches!(self.0, State::Done)
    }

    /// What is due at `now`; a batch counts as asked for.
    pub fn tick(&mut self, now: Mono) -> Due {
        match self.0 {
            State::Begun { next } if next <= now => {
                self.0 = State::Asked {
                    idle: now.plus(IDLE),
                };
                Due::Batch
            }
            State::Asked { idle } if idle <= now => {
                self.0 = State::Done;
                Due::End
            }
            _ => Due::Nothing,
        }
    }

    /// When [`OfflineQueue::tick`] has something to do.
    pub const fn deadline(&self) -> Option<Mono> {
        match self.0 {
            State::Done => None,
            State::Asked { idle } => Some(idle),
            State::Begun { next } => Some(next),
        }
    }
}

/// The request for a batch.
pub fn batch() -> Node {
    Node::new("ib").child(Node::new("offline_batch").attr("count", BATCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(count: &'static str) -> Node {
        Node::new("offline_preview").attr("count", count)
    }

    #[test]
    fn the_next_batch_is_asked_for_behind_the_first_stanza_of_one() {
        let mut queue = OfflineQueue::default();
        assert!(queue.announced(&preview("500"), Mono(0)));
        queue.heard(&Node::new("message"), Mono(10));
        assert_eq!(queue.tick(Mono(1_000)), Due::Nothing, "that one was live");
        let kept = Node::new("message").attr("offline", "0");
        queue.heard(&kept, Mono(2_000));
        queue.heard(&kept, Mono(2_050));
        assert_eq!(queue.deadline(), Some(Mono(2_100)));
        assert_eq!(queue.tick(Mono(2_099)), Due::Nothing);
        assert_eq!(queue.tick(Mono(2_100)), Due::Batch);
        assert_eq!(queue.tick(Mono(2_101)), Due::Nothing);
        queue.ended();
        assert_eq!((queue.is_open(), queue.deadline()), (false, None));
    }

    #[test]
    fn an_end_that_is_never_announced_comes_by_itself() {
        let mut queue = OfflineQueue::default();
        queue.announced(&preview("1"), Mono(0));
        assert_eq!(queue.tick(Mono(59_999)), Due::Nothing);
        assert_eq!(queue.tick(Mono(60_000)), Due::End);
        assert!(!queue.is_open());
    }

    #[test]
    fn nothing_kept_means_nothing_to_ask() {
        assert!(!OfflineQueue::default().announced(&preview("0"), Mono(0)));
    }
}
