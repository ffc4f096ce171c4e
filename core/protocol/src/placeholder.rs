//! Messages that nobody could give us: our own phone is asked for them.
//!
//! ```text
//! Placeholder / <message id> -> MissingRecord                              (slot scope, at most CAPACITY)
//! wanted -> some time later: asked, 32 at a time -> answered, or 120 s over
//!        \-> it came by itself: forgotten
//! ```
//! Source: spec "Placeholder resend". A row lives until the end of its story, so a restart asks anew.

use std::collections::BTreeMap;

use crate::error::StoreError;
use crate::jid::Jid;
use crate::pb::MessageKey;
use crate::prost_record;
use crate::time::{Millis, Mono, UnixSeconds};
use crate::txn::{Cx, Namespace, Record, Scope, Txn};
use crate::verdict::MessageId;

/// Messages wanted at a time; further ones are not asked for.
pub const CAPACITY: usize = 256;

/// Messages of one question, as other clients have it.
pub const BATCH: usize = 32;

/// How long others may join a question about a message that was withheld from us.
pub const DEBOUNCE: Millis = Millis(200);

/// How long the sender of what we could not read has to answer the retry receipt first.
pub const PATIENCE: Millis = Millis::from_secs(5);

/// How long the phone may take; one was seen to answer after 30 s.
const ANSWER: Millis = Millis::from_secs(120);

/// Pause before the phone is asked again when the question could not leave.
const PAUSE: Millis = Millis::from_secs(10);

/// Questions for one message that may fail to leave.
const MOST_TRIES: u8 = 3;

/// Seconds after which the phone is not asked any more.
const TOO_OLD: i64 = 14 * 24 * 3600;

/// A message that is missing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Missing {
    /// Its id.
    pub id: MessageId,
    /// Its chat.
    pub chat: Jid,
    /// The device that sent it.
    pub sender: Jid,
    /// Another device of our account sent it.
    pub from_me: bool,
    /// The server's time stamp.
    pub t: UnixSeconds,
}

impl Missing {
    /// What the phone calls it.
    pub fn key(&self) -> MessageKey {
        let participant = (!self.chat.is_user()).then(|| self.sender.account().reveal());
        MessageKey {
            remote_jid: Some(self.chat.reveal()),
            from_me: Some(self.from_me),
            id: Some(self.id.as_str().into()),
            participant,
        }
    }
}

#[derive(Clone, Eq, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct MissingRecord {
    #[prost(string, tag = "1")]
    chat: String,
    #[prost(string, tag = "2")]
    sender: String,
    #[prost(bool, tag = "3")]
    from_me: bool,
    /// The server's time stamp, in seconds.
    #[prost(int64, tag = "4")]
    t: i64,
}

impl core::fmt::Debug for MissingRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("MissingRecord")
    }
}

prost_record!(MissingRecord, Placeholder, version 1);

#[derive(Debug)]
struct Wanted {
    missing: Missing,
    stage: Stage,
    tries: u8,
}

#[derive(Debug)]
enum Stage {
    /// The phone has the question, or will.
    Asked {
        question: MessageId,
        /// The server has it.
        taken: bool,
        until: Mono,
    },
    /// It is asked for then.
    Due(Mono),
}

/// What is wanted.
#[derive(Debug, Default)]
pub struct Placeholders {
    wanted: BTreeMap<MessageId, Wanted>,
}

impl Placeholders {
    /// What an earlier run still wanted; it is due at once.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(txn: &Txn<'_>, slot: &Scope, now: Mono) -> Result<Self, StoreError> {
        let rows = txn.scan(slot, Namespace::Placeholder, b"", None, CAPACITY)?;
        let wanted = rows.into_iter().filter_map(|(id, row)| {
            let record = MissingRecord::from_row(&row).ok()?;
            let missing = Missing {
                id: MessageId::parse(core::str::from_utf8(&id).ok()?)?,
                chat: record.chat.parse().ok()?,
                sender: record.sender.parse().ok()?,
                from_me: record.from_me,
                t: UnixSeconds(record.t),
            };
            Some((missing.id.clone(), Wanted::due(missing, now)))
        });
        Ok(Self {
            wanted: wanted.collect(),
        })
    }

    /// Nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// A message is missing; false when it is not asked for: there are too many, or it is too old.
    pub fn want(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        missing: Missing,
        server_now: UnixSeconds,
        wait: Millis,
    ) -> bool {
        if self.wanted.contains_key(&missing.id) {
            return true;
        }
        if self.wanted.len() >= CAPACITY || server_now.since(missing.t) > TOO_OLD {
            return false;
        }
        let record = MissingRecord {
            chat: missing.chat.reveal(),
            sender: missing.sender.reveal(),
            from_me: missing.from_me,
            t: missing.t.0,
        };
        cx.txn.put(slot, missing.id.as_str(), &record);
        let wanted = Wanted::due(missing, cx.now.mono.plus(wait));
        self.wanted.insert(wanted.missing.id.clone(), wanted);
        true
    }

    /// The message is here; what was known of it, if it was wanted.
    pub fn arrived(&mut self, cx: &mut Cx<'_>, slot: &Scope, id: &MessageId) -> Option<Missing> {
        let wanted = self.wanted.remove(id)?;
        cx.txn.delete(slot, Namespace::Placeholder, id.as_str());
        Some(wanted.missing)
    }

    /// The messages of the next question; `None` when nothing is due. They stay due until
    /// [`Placeholders::asked`] or [`Placeholders::put_off`].
    pub fn question(&self, now: Mono) -> Option<Vec<Missing>> {
        let due = |wanted: &&Wanted| matches!(wanted.stage, Stage::Due(at) if at <= now);
        let due = self.wanted.values().filter(due).take(BATCH);
        let due: Vec<_> = due.map(|wanted| wanted.missing.clone()).collect();
        (!due.is_empty()).then_some(due)
    }

    /// The question about these has left.
    pub fn asked(&mut self, about: &[Missing], question: &MessageId, now: Mono) {
        for missing in about {
            if let Some(wanted) = self.wanted.get_mut(&missing.id) {
                wanted.stage = Stage::Asked {
                    question: question.clone(),
                    taken: false,
                    until: now.plus(ANSWER),
                };
            }
        }
    }

    /// The question about these could not leave. Those for which that happened too often are given
    /// up: how many.
    pub fn put_off(&mut self, cx: &mut Cx<'_>, slot: &Scope, about: &[Missing]) -> u64 {
        let mut given_up = 0;
        for missing in about {
            let Some(wanted) = self.wanted.get_mut(&missing.id) else {
                continue;
            };
            wanted.tries += 1;
            wanted.stage = Stage::Due(cx.now.mono.plus(PAUSE));
            if wanted.tries >= MOST_TRIES {
                self.arrived(cx, slot, &missing.id);
                given_up += 1;
            }
        }
        given_up
    }

    /// The phone can be reached now: what was put off is due.
    pub fn reachable(&mut self, now: Mono) {
        for wanted in self.wanted.values_mut().filter(|wanted| wanted.tries > 0) {
            if matches!(wanted.stage, Stage::Due(_)) {
                wanted.stage = Stage::Due(now);
            }
        }
    }

    /// The server has answered a message; false when it was no question of ours. What it refuses is
    /// given up.
    pub fn acked(&mut self, cx: &mut Cx<'_>, slot: &Scope, id: &MessageId, refused: bool) -> bool {
        let mut of_it = Vec::new();
        for wanted in self.wanted.values_mut() {
            match &mut wanted.stage {
                Stage::Asked {
                    question, taken, ..
                } if question == id => {
                    *taken = true;
                    of_it.push(wanted.missing.id.clone());
                }
                _ => {}
            }
        }
        if refused {
            for id in &of_it {
                self.arrived(cx, slot, id);
            }
        }
        !of_it.is_empty()
    }

    /// The connection is gone, and with it the questions that the server did not take.
    pub fn disconnected(&mut self, now: Mono) {
        for wanted in self.wanted.values_mut() {
            if matches!(wanted.stage, Stage::Asked { taken: false, .. }) {
                wanted.stage = Stage::Due(now);
            }
        }
    }

    /// Gives up what the phone has not answered in time: how many.
    pub fn tick(&mut self, cx: &mut Cx<'_>, slot: &Scope) -> u64 {
        let now = cx.now.mono;
        let over =
            |wanted: &&Wanted| matches!(wanted.stage, Stage::Asked { until, .. } if until <= now);
        let over = self.wanted.values().filter(over);
        let over: Vec<MessageId> = over.map(|wanted| wanted.missing.id.clone()).collect();
        let mut given_up = 0;
        for id in over {
            self.arrived(cx, slot, &id);
            given_up += 1;
        }
        given_up
    }

    /// When something is due; nobody can be asked while we are not online.
    pub fn deadline(&self, online: bool) -> Option<Mono> {
        let deadlines = self
            .wanted
            .values()
            .filter_map(|wanted| match wanted.stage {
                Stage::Asked { until, .. } => Some(until),
                Stage::Due(at) => online.then_some(at),
            });
        deadlines.min()
    }
}

impl Wanted {
    const fn due(missing: Missing, at: Mono) -> Self {
        Self {
            missing,
            stage: Stage::Due(at),
            tries: 0,
        }
    }
}
