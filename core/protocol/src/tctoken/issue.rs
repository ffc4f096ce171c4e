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

/// This many 503 in a row mean that it is not about one contact. A 429 means it at once.
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
    flights: BTreeMap<PeerKey, Flight>,
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
    /// The name it was handed out under; the key may have become the LID since.
    handed_out: PeerKey,
    t: UnixSeconds,
    reason: Reason,
}

#[derive(Clone, Copy, Debug)]
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
        if self.stopped || self.flights.contains_key(&peer) || self.paused(&peer, now) {
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
            self.flights.insert(
                work.peer.clone(),
                Flight {
                    handed_out: work.peer.clone(),
                    t: work.t,
                    reason: work.reason,
                },
            );
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
        let known = self
            .flights
            .iter()
            .find(|(key, flight)| (*key == peer || flight.handed_out == *peer) && flight.t == t);
        let Some((key, flight)) = known.map(|(key, flight)| (key.clone(), flight.reason)) else {
            return Err(Unknown);
        };
        self.flights.remove(&key);
        if end == IqEnd::Ok {
            self.pauses.remove(&key);
            self.breaker = self.breaker.filter(|breaker| now < breaker.until);
            self.busy_in_a_row = 0;
            return Ok((flight == Reason::Message).then_some(Taken { peer: key, t }));
        }
        self.failed(key, end, now);
        Ok(None)
    }

    /// Forgets a queued issue; one in flight goes on. True when there was one.
    pub(super) fn cancel(&mut self, peer: &PeerKey) -> bool {
        let before = self.queue.len();
        self.queue.retain(|work| work.peer != *peer);
        self.queue.len() < before
    }

    /// The phone number `pn` is the contact `lid`: one key from now on.
    pub(super) fn rename(&mut self, pn: &PeerKey, lid: &PeerKey) {
        if let Some(flight) = self.flights.remove(pn) {
            self.flights.entry(lid.clone()).or_insert(flight);
        }
        if let Some(pause) = self.pauses.remove(pn) {
            self.pauses.entry(lid.clone()).or_insert(pause);
        }
        if self.queue.iter().any(|work| work.peer == *lid) {
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

    fn open_breaker(&mut self, now: Mono) {
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

    fn paused(&self, peer: &PeerKey, now: Mono) -> bool {
        let running = |pause: &Pause| now < pause.until;
        self.breaker.as_ref().is_some_and(running) || self.pauses.get(peer).is_some_and(running)
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
mod tests {
    use super::*;

    const T: UnixSeconds = UnixSeconds(1_785_974_400);

    fn peer(number: usize) -> PeerKey {
        PeerKey::Lid(number.to_string().into())
    }

    fn want(issuance: &mut Issuance, number: usize, now: Mono) -> bool {
        let peer = peer(number);
        let target = peer.jid();
        issuance.want(peer, target, T, Reason::Message, now)
    }

    /// One issue from queue to result.
    fn issue(issuance: &mut Issuance, number: usize, end: IqEnd, now: Mono) {
        assert!(want(issuance, number, now));
        assert_eq!(issuance.due(now).len(), 1);
        issuance.ended(&peer(number), T, end, now).unwrap();
    }

    #[test]
    fn a_thousand_contacts_leave_two_a_second_and_four_at_a_time() {
        let mut issuance = Issuance::default();
        let queued = (0..3_000)
            .filter(|n| want(&mut issuance, *n, Mono(0)))
            .count();
        assert_eq!(queued, MAX_QUEUED);
        let at: Vec<_> = [0, 499, 500, 1_000, 1_500, 9_000]
            .into_iter()
            .map(|at| issuance.due(Mono(at)).len())
            .collect();
        assert_eq!(at, [1, 0, 1, 1, 1, 0]);
        assert_eq!(issuance.next_at(), None);
        issuance.ended(&peer(0), T, IqEnd::Ok, Mono(9_000)).unwrap();
        assert_eq!(issuance.due(Mono(9_000)).len(), 1);
    }

    #[test]
    fn pauses_of_a_contact_double_up_to_six_hours() {
        let mut issuance = Issuance::default();
        let mut now = Mono(0);
        for seconds in [
            60, 120, 240, 480, 960, 1_920, 3_840, 7_680, 15_360, 21_600, 21_600,
        ] {
            issue(&mut issuance, 1, IqEnd::Timeout, now);
            let end = now.plus(Millis::from_secs(seconds));
            assert!(!want(&mut issuance, 1, Mono(end.0 - 1)), "{seconds}");
            now = end;
        }
    }

    #[test]
    fn a_refused_contact_rests_for_a_day() {
        let mut issuance = Issuance::default();
        issue(&mut issuance, 1, IqEnd::Error(403), Mono(0));
        assert!(!want(&mut issuance, 1, Mono(REFUSED_PAUSE.0 - 1)));
        assert!(want(&mut issuance, 1, Mono(REFUSED_PAUSE.0)));
    }

    #[test]
    fn too_many_requests_stop_all_issues_for_longer_each_time() {
        let mut issuance = Issuance::default();
        issue(&mut issuance, 1, IqEnd::Error(429), Mono(0));
        assert!(!want(&mut issuance, 2, Mono(BREAKER_FIRST.0 - 1)));
        let second = Mono(BREAKER_FIRST.0);
        issue(&mut issuance, 2, IqEnd::Error(429), second);
        assert!(!want(
            &mut issuance,
            3,
            second.plus(Millis(2 * BREAKER_FIRST.0 - 1))
        ));
        assert!(want(
            &mut issuance,
            3,
            second.plus(Millis(2 * BREAKER_FIRST.0))
        ));
    }

    #[test]
    fn only_the_third_overload_in_a_row_stops_all_issues() {
        let mut issuance = Issuance::default();
        for (number, at) in [(1, 0), (2, 1_000), (3, 2_000)] {
            issue(&mut issuance, number, IqEnd::Error(503), Mono(at));
        }
        assert!(!want(&mut issuance, 4, Mono(3_000)));
    }

    #[test]
    fn a_message_wins_over_a_queued_reissue() {
        let mut issuance = Issuance::default();
        issuance.hold(true);
        let older = UnixSeconds(T.0 - 1);
        let jid = peer(1).jid();
        assert!(issuance.want(peer(1), jid, older, Reason::IdentityChange, Mono(0)));
        assert!(!want(&mut issuance, 1, Mono(1)));
        issuance.hold(false);
        let due = issuance.due(Mono(2));
        assert_eq!(due.iter().map(|issue| issue.t).collect::<Vec<_>>(), [T]);
        let taken = issuance.ended(&peer(1), T, IqEnd::Ok, Mono(3)).unwrap();
        assert_eq!(
            taken,
            Some(Taken {
                peer: peer(1),
                t: T
            })
        );
    }

    #[test]
    fn a_result_under_the_old_name_is_recorded_under_the_new_one() {
        let mut issuance = Issuance::default();
        let pn = PeerKey::Pn("49".into());
        assert!(issuance.want(pn.clone(), pn.jid(), T, Reason::Message, Mono(0)));
        assert_eq!(issuance.due(Mono(0)).len(), 1);
        issuance.rename(&pn, &peer(1));
        assert!(!want(&mut issuance, 1, Mono(1)), "still in flight");
        let taken = issuance.ended(&pn, T, IqEnd::Ok, Mono(2)).unwrap();
        assert_eq!(
            taken,
            Some(Taken {
                peer: peer(1),
                t: T
            })
        );
    }

    #[test]
    fn unknown_and_repeated_results_change_nothing() {
        let mut issuance = Issuance::default();
        assert_eq!(
            issuance.ended(&peer(1), T, IqEnd::Ok, Mono(0)),
            Err(Unknown)
        );
        issue(&mut issuance, 1, IqEnd::Ok, Mono(0));
        assert_eq!(
            issuance.ended(&peer(1), T, IqEnd::Error(403), Mono(1)),
            Err(Unknown)
        );
        assert!(want(&mut issuance, 1, Mono(1)));
    }

    #[test]
    fn nothing_leaves_after_a_stop() {
        let mut issuance = Issuance::default();
        want(&mut issuance, 1, Mono(0));
        issuance.stop();
        assert!(issuance.due(Mono(0)).is_empty() && !want(&mut issuance, 2, Mono(0)));
    }
}
