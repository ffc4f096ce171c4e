//! When issue IQs leave: one in flight for a contact, few at a time, none into a refusal.
//!
//! Nothing here is stored. After a restart the queue is empty and the next message to a contact
//! brings its issue back, because its row still lacks our time (spec: "when to issue").

use std::collections::{BTreeMap, VecDeque};

use crate::jid::Jid;
use crate::peer::PeerKey;
use crate::tctoken::stanza;
use crate::time::{Millis, Mono, UnixSeconds};
use crate::wap::Node;

/// IQs in flight at a time. On Thursdays at 00:00 UTC all contacts fall due at once; more in
/// parallel would look like a burst of reach-outs.
pub const MAX_IN_FLIGHT: usize = 4;

/// Least time between two IQs: two a second.
pub const SPACING: Millis = Millis(500);

/// Waiting issues; beyond it the newest is dropped, the contact's next message brings it back.
pub const MAX_QUEUED: usize = 1_000;

/// First pause of a contact after a lost answer; doubles each time.
pub const BACKOFF_FIRST: Millis = Millis::from_secs(60);

/// Longest pause of a contact after a lost answer.
pub const BACKOFF_MAX: Millis = Millis::from_secs(6 * 3600);

/// Pause of a contact that the server refuses (400, 401, 403, 404, 405, 406).
pub const REFUSED_PAUSE: Millis = Millis::from_secs(24 * 3600);

/// First pause of all issuing when the server is overloaded; doubles each time.
pub const BREAKER_FIRST: Millis = Millis::from_secs(5 * 60);

/// Longest pause of all issuing.
pub const BREAKER_MAX: Millis = Millis::from_secs(2 * 3600);

/// This many 503 in a row mean that it is not about one contact. A 429 means it at once. Spec:
/// "when to issue" stops everything at the first 503, scenario 13 repeats after a minute; this does
/// the second for one contact and the first when it is the server.
pub const BREAKER_AFTER_503: u32 = 3;

/// Further identity changes of a contact within this time after a re-issue cause no other one.
pub const REISSUE_QUIET: Millis = Millis::from_secs(60);

/// Contacts whose pauses are remembered; the ones that end first are forgotten first.
const MAX_PAUSES: usize = 10_000;

/// An IQ to send.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issue {
    /// The contact; hand it back with the result.
    pub peer: PeerKey,
    /// The address in the IQ.
    pub target: Jid,
    /// The time stamp in the IQ; hand it back with the result.
    pub t: UnixSeconds,
    /// The IQ without its id.
    pub node: Node,
}

/// How an issue IQ ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IqEnd {
    /// The connection went away.
    Disconnected,
    /// The server answered with an error code.
    Error(u16),
    /// The server took it.
    Ok,
    /// No answer in time.
    Timeout,
}

/// Why an issue exists.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reason {
    /// The contact registered anew: it gets the issue it had, and our time stays.
    IdentityChange,
    /// We wrote to the contact: our time moves forward when the server has taken it.
    Message,
}

/// Queue, flights and pauses.
#[derive(Debug, Default)]
pub(super) struct Issuance {
    queue: VecDeque<Work>,
    flights: Vec<Flight>,
    pauses: BTreeMap<PeerKey, Pause>,
    reissued: BTreeMap<PeerKey, Mono>,
    breaker: Option<Pause>,
    busy_in_a_row: u32,
    last_sent: Option<Mono>,
    held: bool,
    stopped: bool,
}

#[derive(Debug)]
struct Work {
    peer: PeerKey,
    target: Jid,
    t: UnixSeconds,
    reason: Reason,
}

#[derive(Debug)]
struct Flight {
    peer: PeerKey,
    /// The name it was handed out under; `peer` may have become the LID since.
    handed_out: PeerKey,
    t: UnixSeconds,
    reason: Reason,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Pause {
    until: Mono,
    length: Millis,
}

/// An issue that the server took and that must be recorded.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Taken {
    pub(super) peer: PeerKey,
    pub(super) t: UnixSeconds,
}

impl Issuance {
    /// Queues an issue unless one is on its way or the contact is paused. False when it was not
    /// queued.
    pub(super) fn want(
        &mut self,
        peer: PeerKey,
        target: Jid,
        t: UnixSeconds,
        reason: Reason,
        now: Mono,
    ) -> bool {
        if self.stopped || self.is_open(now) || self.in_flight(&peer) || self.paused(&peer, now) {
            return false;
        }
        if reason == Reason::IdentityChange && !self.note_reissue(&peer, now) {
            return false;
        }
        if let Some(queued) = self.queue.iter_mut().find(|work| work.peer == peer) {
            if t > queued.t {
                (queued.target, queued.t, queued.reason) = (target, t, reason);
            }
            return false;
        }
        if self.queue.len() >= MAX_QUEUED {
            return false;
        }
        self.queue.push_back(Work {
            peer,
            target,
            t,
            reason,
        });
        true
    }

    /// What may leave now.
    pub(super) fn due(&mut self, now: Mono) -> Vec<Issue> {
        let mut due = Vec::new();
        while self.next_at().is_some_and(|at| at <= now) {
            let Some(work) = self.queue.pop_front() else {
                break;
            };
            self.last_sent = Some(now);
            self.flights.push(Flight {
                peer: work.peer.clone(),
                handed_out: work.peer.clone(),
                t: work.t,
                reason: work.reason,
            });
            due.push(Issue {
                node: stanza::issue_iq(&work.target, work.t),
                peer: work.peer,
                target: work.target,
                t: work.t,
            });
        }
        due
    }

    /// When [`Issuance::due`] has something next; `None` while nothing waits or all slots are used.
    pub(super) fn next_at(&self) -> Option<Mono> {
        if self.held || self.queue.is_empty() || self.flights.len() >= MAX_IN_FLIGHT {
            return None;
        }
        let spaced = self.last_sent.map_or(Mono(0), |sent| sent.plus(SPACING));
        let closed = self.breaker.map_or(Mono(0), |breaker| breaker.until);
        Some(spaced.max(closed))
    }

    /// Takes a result; unknown and late ones change nothing and give `Err`. `Ok(Some)` must be
    /// recorded.
    pub(super) fn ended(
        &mut self,
        peer: &PeerKey,
        t: UnixSeconds,
        end: IqEnd,
        now: Mono,
    ) -> Result<Option<Taken>, Unknown> {
        let ours = |flight: &Flight| flight.handed_out == *peer && flight.t == t;
        let flight = self.flights.iter().position(ours).ok_or(Unknown)?;
        let Flight { peer, reason, .. } = self.flights.swap_remove(flight);
        if end == IqEnd::Ok {
            self.pauses.remove(&peer);
            self.breaker = self.breaker.filter(|breaker| now < breaker.until);
            self.busy_in_a_row = 0;
            return Ok((reason == Reason::Message).then_some(Taken { peer, t }));
        }
        self.failed(peer, end, now);
        Ok(None)
    }

    /// Forgets a queued issue; one in flight goes on.
    pub(super) fn cancel(&mut self, peer: &PeerKey) {
        self.queue.retain(|work| work.peer != *peer);
    }

    /// The phone number `pn` is the contact `lid`: one key from now on. The longer pause stays, and
    /// the later of two waiting issues unless the contact is paused or one is in flight; of two in
    /// flight both come back.
    pub(super) fn rename(&mut self, pn: &PeerKey, lid: &PeerKey, now: Mono) {
        for flight in self.flights.iter_mut().filter(|work| work.peer == *pn) {
            flight.peer = lid.clone();
        }
        if let Some(pause) = self.pauses.remove(pn) {
            let known = self.pauses.entry(lid.clone()).or_insert(pause);
            *known = pause.max(*known);
        }
        if let Some(at) = self.reissued.remove(pn) {
            let known = self.reissued.entry(lid.clone()).or_insert(at);
            *known = at.max(*known);
        }
        let queued = |peer: &PeerKey| {
            let work = self.queue.iter().find(|work| work.peer == *peer);
            work.map(|work| work.t)
        };
        let pn_is_later = queued(pn) > queued(lid);
        let none = self.in_flight(lid) || self.paused(lid, now);
        if none || pn_is_later {
            self.cancel(lid);
        }
        if none || !pn_is_later {
            self.cancel(pn);
        }
        for work in self.queue.iter_mut().filter(|work| work.peer == *pn) {
            work.peer = lid.clone();
        }
    }

    /// Holds everything back, or lets it go: while the server delivers what we missed offline.
    pub(super) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Nothing leaves any more; what is in flight may still end.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
        self.queue.clear();
    }

    fn failed(&mut self, peer: PeerKey, end: IqEnd, now: Mono) {
        match end {
            IqEnd::Error(400 | 401 | 403..=406) => {
                self.pause(peer, REFUSED_PAUSE, now);
                return;
            }
            IqEnd::Error(429) => self.open_breaker(now),
            IqEnd::Error(503) => {
                self.busy_in_a_row += 1;
                if self.busy_in_a_row >= BREAKER_AFTER_503 {
                    self.open_breaker(now);
                }
            }
            IqEnd::Disconnected | IqEnd::Error(_) | IqEnd::Ok | IqEnd::Timeout => {}
        }
        let next = doubled(self.pauses.get(&peer), BACKOFF_FIRST, BACKOFF_MAX);
        self.pause(peer, next, now);
    }

    /// Answers that come while it is open tell nothing new: their IQs had left before.
    fn open_breaker(&mut self, now: Mono) {
        if self.is_open(now) {
            return;
        }
        let length = doubled(self.breaker.as_ref(), BREAKER_FIRST, BREAKER_MAX);
        let until = now.plus(length);
        self.breaker = Some(Pause { until, length });
    }

    fn pause(&mut self, peer: PeerKey, length: Millis, now: Mono) {
        if self.pauses.len() >= MAX_PAUSES {
            let first = self.pauses.iter().min_by_key(|(_, pause)| pause.until);
            if let Some(first) = first.map(|(peer, _)| peer.clone()) {
                self.pauses.remove(&first);
            }
        }
        let until = now.plus(length);
        self.pauses.insert(peer, Pause { until, length });
    }

    fn in_flight(&self, peer: &PeerKey) -> bool {
        self.flights.iter().any(|flight| flight.peer == *peer)
    }

    fn paused(&self, peer: &PeerKey, now: Mono) -> bool {
        self.pauses.get(peer).is_some_and(|pause| now < pause.until)
    }

    fn is_open(&self, now: Mono) -> bool {
        self.breaker.is_some_and(|breaker| now < breaker.until)
    }

    /// False when the contact was served within [`REISSUE_QUIET`].
    fn note_reissue(&mut self, peer: &PeerKey, now: Mono) -> bool {
        self.reissued.retain(|_, at| now.since(*at) < REISSUE_QUIET);
        if self.reissued.contains_key(peer) || self.reissued.len() >= MAX_PAUSES {
            return false;
        }
        self.reissued.insert(peer.clone(), now);
        true
    }
}

/// The result belongs to no issue of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Unknown;

fn doubled(last: Option<&Pause>, first: Millis, max: Millis) -> Millis {
    last.map_or(first, |pause| {
        Millis(pause.length.0.saturating_mul(2)).min(max)
    })
}

#[cfg(test)]
mod tests;
