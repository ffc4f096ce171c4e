//! The reference for when issue IQs leave. The machine chooses among what may leave; the model
//! says what may, and whether something must.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::model::Name;

const AT_A_TIME: usize = 4;
const SPACING: u64 = 500;
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// An issue that waits or flies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) who: Name,
    pub(crate) target: Name,
    pub(crate) t: i64,
    /// The time is stored on success: not for an identity change.
    pub(crate) recorded: bool,
}

#[derive(Clone, Copy, Debug)]
struct Rest {
    until: u64,
    length: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Pacing {
    waiting: Vec<Wanted>,
    /// With the name each was handed out under.
    flying: Vec<(Name, Wanted)>,
    resting: Vec<(Name, Rest)>,
    /// Identity changes that were served.
    served: Vec<(Name, u64)>,
    breaker: Option<Rest>,
    busy: u32,
    last: Option<u64>,
    pub(crate) held: bool,
    stopped: bool,
}

impl Pacing {
    pub(crate) fn want(&mut self, wanted: Wanted, now: u64) {
        let who = wanted.who;
        if self.stopped || self.flies(who) || self.rests(who, now) || !self.breaker_is_closed(now) {
            return;
        }
        // "debounce per peer"
        if !wanted.recorded {
            self.served.retain(|(_, at)| now < at + MINUTE);
            if self.served.iter().any(|(served, _)| *served == who) {
                return;
            }
            self.served.push((who, now));
        }
        // "same single-flight key, the later t"
        match self.waiting.iter_mut().find(|waiting| waiting.who == who) {
            Some(waiting) if wanted.t > waiting.t => *waiting = wanted,
            Some(_) => {}
            None => self.waiting.push(wanted),
        }
    }

    /// The machine hands an IQ out.
    pub(crate) fn leaves(&mut self, issue: (Name, Name, i64), now: u64) {
        assert!(!self.held, "held back");
        assert!(self.flying.len() < AT_A_TIME, "too many in flight");
        assert!(
            self.last.is_none_or(|last| now >= last + SPACING),
            "too soon"
        );
        assert!(self.breaker_is_closed(now), "into a refusal");
        let same = |waiting: &Wanted| (waiting.who, waiting.target, waiting.t) == issue;
        let found = self.waiting.iter().position(same);
        let Some(found) = found else {
            panic!("{issue:?} leaves, yet only {:?} wait", self.waiting);
        };
        let wanted = self.waiting.remove(found);
        assert!(!self.flies(wanted.who), "two in flight for one contact");
        self.flying.push((wanted.who, wanted));
        self.last = Some(now);
    }

    /// When something leaves if nothing else happens.
    pub(crate) fn next(&self) -> Option<u64> {
        if self.held || self.waiting.is_empty() || self.flying.len() >= AT_A_TIME {
            return None;
        }
        let spaced = self.last.map_or(0, |last| last + SPACING);
        Some(self.breaker.map_or(spaced, |rest| rest.until.max(spaced)))
    }

    /// An IQ ended: taken, refused with a code, or lost. `None` when it is not ours, else what must
    /// be recorded.
    pub(crate) fn ended(
        &mut self,
        handed_out: Name,
        t: i64,
        end: Result<(), Option<u16>>,
        now: u64,
    ) -> Option<Option<Wanted>> {
        let found = self
            .flying
            .iter()
            .position(|(name, flying)| (*name, flying.t) == (handed_out, t))?;
        let (_, wanted) = self.flying.remove(found);
        match end {
            Ok(()) => {
                self.resting.retain(|(resting, _)| *resting != wanted.who);
                self.busy = 0;
                if self.breaker_is_closed(now) {
                    self.breaker = None;
                }
                return Some(wanted.recorded.then_some(wanted));
            }
            // "suppress this peer for 24 h"
            Err(Some(400 | 401 | 403 | 404 | 405 | 406)) => {
                self.rest(wanted.who, 24 * HOUR, now);
                return Some(None);
            }
            // "on 429/503 open a global breaker"; a single 503 is the contact's (scenario 13).
            Err(Some(429)) => self.open_breaker(now),
            Err(Some(503)) => {
                self.busy += 1;
                if self.busy >= 3 {
                    self.open_breaker(now);
                }
            }
            Err(_) => {}
        }
        // "60 s, doubling, max 6 h"
        let last = self
            .resting
            .iter()
            .find(|(resting, _)| *resting == wanted.who);
        let length = last.map_or(MINUTE, |(_, rest)| (2 * rest.length).min(6 * HOUR));
        self.rest(wanted.who, length, now);
        Some(None)
    }

    /// The two names are one contact: one in flight, or the longer rest, or the later one waits.
    pub(crate) fn join(&mut self, pn: Name, lid: Name, now: u64) {
        let rename = |who: &mut Name| {
            if *who == pn {
                *who = lid;
            }
        };
        self.flying
            .iter_mut()
            .for_each(|(_, flying)| rename(&mut flying.who));
        // LID first: it wins ties.
        self.waiting.sort_by_key(|waiting| waiting.who == pn);
        self.waiting
            .iter_mut()
            .for_each(|waiting| rename(&mut waiting.who));
        self.resting
            .sort_by_key(|(who, rest)| (Reverse(rest.until), *who == pn));
        self.resting.iter_mut().for_each(|(who, _)| rename(who));
        self.served.sort_by_key(|(_, at)| Reverse(*at));
        self.served.iter_mut().for_each(|(who, _)| rename(who));

        let mut seen = BTreeSet::new();
        self.resting.retain(|(who, _)| seen.insert(*who));
        seen.clear();
        self.served.retain(|(who, _)| seen.insert(*who));
        let newest = self.waiting.iter().filter(|waiting| waiting.who == lid);
        let newest = newest.rev().max_by_key(|waiting| waiting.t).copied();
        self.waiting.retain(|waiting| waiting.who != lid);
        let none = self.flies(lid) || self.rests(lid, now);
        self.waiting.extend(newest.filter(|_| !none));
    }

    /// "if a nack arrives first, cancel if still queued"
    pub(crate) fn cancel(&mut self, who: Name) {
        self.waiting.retain(|waiting| waiting.who != who);
    }

    /// "no new issuance after stop is requested"
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
        self.waiting.clear();
    }

    fn flies(&self, who: Name) -> bool {
        self.flying.iter().any(|(_, flying)| flying.who == who)
    }

    fn rests(&self, who: Name, now: u64) -> bool {
        let rests = |(resting, rest): &(Name, Rest)| *resting == who && now < rest.until;
        self.resting.iter().any(rests)
    }

    fn breaker_is_closed(&self, now: u64) -> bool {
        self.breaker.is_none_or(|rest| now >= rest.until)
    }

    /// "5 min, doubling, max 2 h". Answers that come while it is open tell nothing new: their IQs
    /// left before.
    fn open_breaker(&mut self, now: u64) {
        if self.breaker_is_closed(now) {
            let length = self
                .breaker
                .map_or(5 * MINUTE, |rest| (2 * rest.length).min(2 * HOUR));
            let until = now + length;
            self.breaker = Some(Rest { until, length });
        }
    }

    fn rest(&mut self, who: Name, length: u64, now: u64) {
        self.resting.retain(|(resting, _)| *resting != who);
        let until = now + length;
        self.resting.push((who, Rest { until, length }));
    }
}
