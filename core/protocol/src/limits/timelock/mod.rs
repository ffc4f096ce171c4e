//! The reachout timelock: for some days the account may not start chats.
//!
//! ```text
//! pull  data.xwa2_fetch_account_reachout_timelock
//! push  op NotificationUserReachoutTimelockUpdate, data.xwa2_notify_account_reachout_timelock
//!       { is_active, time_enforcement_ends: "<unix s>" | "0" | null, enforcement_type }
//!
//! unknown ──▶ inactive ◀──▶ active(until) ──until passed──▶ over, one pull ──▶ ..
//! ```
//!
//! The push is sent once, so the state is kept in the account's rows (spec: "timelock state
//! machine"; payloads seen by whatsmeow, Baileys, zapo).

mod record;

use crate::error::StoreError;
use crate::event::Event;
use crate::limits::Origin;
use crate::limits::pull::{Pull, Pulls, Reason};
use crate::limits::snapshot::TimelockState;
use crate::mex::{Fields, Update};
use crate::time::{Millis, Mono, Now, UnixSeconds};
use crate::txn::{Cx, Kept, Scope, Txn};

pub use record::{Lock, TimelockRecord};

/// `op_name` of the push.
pub const PUSH: &str = "NotificationUserReachoutTimelockUpdate";

/// Where the push has its data.
pub const PUSH_ROOT: &str = "xwa2_notify_account_reachout_timelock";

/// Where the answer to a pull has its data.
pub const PULL_ROOT: &str = "xwa2_fetch_account_reachout_timelock";

/// Seconds an active lock without an end is believed before it is asked for again, as WhatsApp Web
/// does. Shorter asks all the time; longer blocks an account whose lock is over.
pub const PROVISIONAL: i64 = 60;

/// Seconds by which a push may seem older than what is known and still count. Both stamps are whole
/// seconds of a clock that is corrected by whole seconds; a live push comes in order, and one that
/// waited for us offline is older than this.
pub const ORDER_TOLERANCE: i64 = 5;

const ROW: &str = "timelock";

/// What the server said about the lock.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Observation {
    /// Active. Anything but a clear yes is a no.
    pub active: bool,
    /// When it ends; `None` when the server did not say.
    pub ends: Option<UnixSeconds>,
    /// The server's word for the kind, such as `RESTRICT_ALL_COMPANIONS`; an open set.
    pub kind: Option<String>,
}

impl Observation {
    /// From the object of a push or a pull.
    pub fn read(fields: &Fields) -> Self {
        Self {
            active: fields.flag("is_active") == Some(true),
            ends: fields.time("time_enforcement_ends"),
            kind: fields.word("enforcement_type").map(Into::into),
        }
    }
}

/// The state at an instant.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Phase {
    /// New chats are refused.
    Active {
        /// The end; the first second that is free again.
        until: UnixSeconds,
        /// The server gave no end; `until` is when to ask again.
        provisional: bool,
    },
    /// The server said that there is none.
    Inactive,
    /// The end has passed, the server has not said so yet. Sending is allowed.
    Over,
    /// The server never said anything.
    Unknown,
}

/// The lock of one account.
#[derive(Debug)]
pub struct Timelock {
    row: Kept<TimelockRecord>,
    pulls: Pulls,
    asked_after: Option<UnixSeconds>,
}

impl Timelock {
    /// The state as stored; a damaged row counts as unknown.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(txn: &Txn<'_>, account: &Scope) -> Result<Self, StoreError> {
        Ok(Self {
            row: Kept::load(txn, account, ROW)?,
            pulls: Pulls::default(),
            asked_after: None,
        })
    }

    /// A push arrived at server time `now`; other pushes, and ones older than what is known, change
    /// nothing.
    pub fn pushed(&mut self, cx: &mut Cx<'_>, update: &Update, now: UnixSeconds) {
        if update.op != PUSH {
            return;
        }
        let Some(fields) = update.data(PUSH_ROOT) else {
            return;
        };
        let stamped = update.t.map_or(now, |t| t.min(now));
        let newest = self.row.get().map(|record| record.observed);
        if newest.is_none_or(|newest| stamped.plus(ORDER_TOLERANCE) >= newest) {
            self.observe(cx, Observation::read(&fields), stamped, Origin::Push);
        }
    }

    /// Whether to ask the server.
    pub fn pull(&mut self, reason: Reason, now: Mono) -> Pull {
        self.pulls.want(reason, now)
    }

    /// A pull ended; `None` for any failure. Without a question of ours it changes nothing.
    pub fn pulled(&mut self, cx: &mut Cx<'_>, answer: Option<&Fields>, now: UnixSeconds) {
        if !self.pulls.ended(answer.is_some(), cx.now.mono) {
            return;
        }
        match (answer, self.row.get()) {
            (Some(fields), _) => self.observe(cx, Observation::read(fields), now, Origin::Pull),
            (None, Some(record)) if record.unknown_since.is_none() => {
                let record = TimelockRecord {
                    unknown_since: Some(now),
                    ..record.clone()
                };
                self.row.put(cx, record);
            }
            (None, _) => {}
        }
    }

    /// True when the end has passed and the server must be asked; once for each end.
    pub fn tick(&mut self, now: Mono, server: UnixSeconds) -> bool {
        if !self.unasked(server) {
            return false;
        }
        self.asked_after = self.lock().map(|lock| lock.until);
        self.pull(Reason::Ended, now) == Pull::Ask
    }

    /// When [`Timelock::tick`] has something to do.
    pub fn deadline(&self, now: Now, server: UnixSeconds) -> Option<Mono> {
        match self.phase(server) {
            Phase::Active { until, .. } => {
                let seconds = u64::try_from(until.since(server)).unwrap_or(0);
                Some(now.mono.plus(Millis::from_secs(seconds)))
            }
            Phase::Over if self.unasked(server) => Some(now.mono),
            _ => None,
        }
    }

    /// The state at server time `now`.
    pub fn phase(&self, now: UnixSeconds) -> Phase {
        match (self.row.get(), self.lock()) {
            (None, _) => Phase::Unknown,
            (Some(_), None) => Phase::Inactive,
            (Some(_), Some(lock)) if now >= lock.until => Phase::Over,
            (Some(_), Some(lock)) => Phase::Active {
                until: lock.until,
                provisional: lock.provisional,
            },
        }
    }

    /// The state at server time `now` with what is known about it, for hosts.
    pub fn state(&self, now: UnixSeconds) -> TimelockState {
        let Some(record) = self.row.get() else {
            return TimelockState::Unknown;
        };
        let (checked_at, source) = (record.observed, record.source);
        match &record.lock {
            None => TimelockState::Inactive { checked_at, source },
            Some(lock) if now >= lock.until => TimelockState::Over {
                kind: lock.kind.clone(),
                until: lock.until,
                checked_at,
                source,
            },
            Some(lock) => TimelockState::Active {
                kind: lock.kind.clone(),
                until: lock.until,
                provisional: lock.provisional,
                since: lock.since,
                checked_at,
                source,
            },
        }
    }

    /// The lock that was last heard of, over or not.
    pub fn lock(&self) -> Option<&Lock> {
        self.row.get()?.lock.as_ref()
    }

    /// Since when the state may be wrong because pulls fail.
    pub fn unknown_since(&self) -> Option<UnixSeconds> {
        self.row.get()?.unknown_since
    }

    fn unasked(&self, now: UnixSeconds) -> bool {
        self.phase(now) == Phase::Over && self.asked_after != self.lock().map(|lock| lock.until)
    }

    fn observe(&mut self, cx: &mut Cx<'_>, seen: Observation, at: UnixSeconds, source: Origin) {
        let old = self.lock().cloned();
        let lock = seen.active.then(|| Lock {
            until: seen.ends.unwrap_or_else(|| at.plus(PROVISIONAL)),
            provisional: seen.ends.is_none(),
            kind: seen.kind,
            since: old.as_ref().map_or(at, |old| old.since),
        });
        if told(old.as_ref()) != told(lock.as_ref()) {
            let (until, kind) = told(lock.as_ref()).unwrap_or_default();
            cx.effect(Event::TimelockChanged {
                active: lock.is_some(),
                until,
                kind: kind.map(Into::into),
            });
        }
        let record = TimelockRecord {
            lock,
            observed: at,
            unknown_since: None,
            source: Some(source),
        };
        self.row.put(cx, record);
        self.asked_after = None;
    }
}

/// What a host is told about a lock; only a change of this is an event.
fn told(lock: Option<&Lock>) -> Option<(Option<UnixSeconds>, Option<&str>)> {
    lock.map(|lock| {
        let until = (!lock.provisional).then_some(lock.until);
        (until, lock.kind.as_deref())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Bench;
    use crate::wap::Node;

    const NOW: UnixSeconds = UnixSeconds(1_786_074_400);
    const END: UnixSeconds = UnixSeconds(1_786_218_427);

    fn update(t: Option<i64>, inner: &str) -> Update {
        let json = format!(r#"{{"data":{{"{PUSH_ROOT}":{inner}}}}}"#);
        let update = Node::new("update").attr("op_name", PUSH).bytes(json);
        let t = t.map(|t| t.to_string());
        Update::parse(&Node::new("notification").maybe("t", t).child(update)).unwrap()
    }

    fn fields(inner: &str) -> Fields {
        update(None, inner).data(PUSH_ROOT).unwrap()
    }

    fn lock(bench: &mut Bench) -> Timelock {
        let account = bench.slot.clone();
        bench.step(|cx| Ok(Timelock::load(&cx.txn, &account)?)).0
    }

    fn active(until: UnixSeconds, provisional: bool) -> Phase {
        Phase::Active { until, provisional }
    }

    const LOCKED: &str = r#"{"enforcement_type":"RESTRICT_ALL_COMPANIONS","is_active":true,"time_enforcement_ends":"1786218427","x":[]}"#;

    #[test]
    fn a_push_locks_until_its_end_and_survives_a_restart() {
        let mut bench = Bench::new(1);
        let mut machine = lock(&mut bench);
        assert_eq!(machine.phase(NOW), Phase::Unknown);
        let (_, effects) = bench.step(|cx| {
            machine.pushed(cx, &update(None, LOCKED), NOW);
            machine.pushed(cx, &update(None, LOCKED), NOW);
            Ok(())
        });
        assert_eq!(
            effects,
            [Event::TimelockChanged {
                active: true,
                until: Some(END),
                kind: Some("RESTRICT_ALL_COMPANIONS".into())
            }
            .into()]
        );
        let restarted = lock(&mut bench);
        assert_eq!(restarted.phase(END.plus(-1)), active(END, false));
        assert_eq!(restarted.phase(END), Phase::Over);
        assert_eq!(
            restarted.lock().unwrap().kind.as_deref(),
            Some("RESTRICT_ALL_COMPANIONS")
        );
    }

    #[test]
    fn the_end_of_a_lock_asks_once() {
        let mut bench = Bench::new(1);
        let mut machine = lock(&mut bench);
        bench.step(|cx| {
            machine.pushed(cx, &update(None, LOCKED), NOW);
            Ok(())
        });
        let wait = Millis::from_secs(u64::try_from(END.since(NOW)).unwrap());
        let (now, mono) = (bench.now, bench.now.mono);
        assert_eq!(machine.deadline(now, NOW), Some(mono.plus(wait)));
        assert!(!machine.tick(mono, NOW));
        assert_eq!(machine.deadline(now, END), Some(mono));
        assert!(machine.tick(mono, END) && !machine.tick(mono, END));
        bench.step(|cx| {
            machine.pulled(cx, None, END);
            Ok(())
        });
        let later = Mono(mono.0 + 3_600_000);
        assert_eq!(machine.pull(Reason::Connected, later), Pull::Ask);
        bench.step(|cx| {
            machine.pulled(cx, None, END.plus(3_600));
            Ok(())
        });
        assert!(!machine.tick(mono, END.plus(1)));
        assert_eq!(machine.deadline(now, END.plus(1)), None);
        assert_eq!(machine.unknown_since(), Some(END));
    }

    #[test]
    fn without_an_end_it_holds_for_a_minute_and_then_asks() {
        for inner in [
            r#"{"is_active":true}"#,
            r#"{"is_active":true,"time_enforcement_ends":null}"#,
            r#"{"is_active":true,"time_enforcement_ends":"0"}"#,
            r#"{"is_active":"true","time_enforcement_ends":0}"#,
        ] {
            let mut bench = Bench::new(1);
            let mut machine = lock(&mut bench);
            bench.step(|cx| {
                machine.pushed(cx, &update(None, inner), NOW);
                Ok(())
            });
            assert_eq!(machine.phase(NOW), active(NOW.plus(60), true), "{inner}");
            assert!(machine.tick(bench.now.mono, NOW.plus(60)));
            let again = fields(inner);
            let (_, effects) = bench.step(|cx| {
                machine.pulled(cx, Some(&again), NOW.plus(61));
                Ok(())
            });
            assert_eq!(effects, [], "still the same lock: {inner}");
            assert_eq!(machine.phase(NOW.plus(61)), active(NOW.plus(121), true));
        }
    }

    #[test]
    fn anything_but_a_clear_yes_lifts_the_lock() {
        for inner in [
            r#"{"is_active":false,"time_enforcement_ends":"1786218427"}"#,
            r#"{"is_active":null}"#,
            "{}",
        ] {
            let mut bench = Bench::new(1);
            let mut machine = lock(&mut bench);
            let (_, effects) = bench.step(|cx| {
                machine.pushed(cx, &update(None, LOCKED), NOW);
                machine.pushed(cx, &update(None, inner), NOW);
                Ok(())
            });
            assert_eq!((machine.phase(NOW), effects.len()), (Phase::Inactive, 2));
        }
    }

    #[test]
    fn an_older_push_does_not_override_a_newer_pull() {
        let mut bench = Bench::new(1);
        let mut machine = lock(&mut bench);
        assert_eq!(machine.pull(Reason::Connected, bench.now.mono), Pull::Ask);
        let (_, effects) = bench.step(|cx| {
            machine.pulled(cx, Some(&fields(r#"{"is_active":false}"#)), NOW);
            let late = NOW.0 - ORDER_TOLERANCE - 1;
            machine.pushed(cx, &update(Some(late), LOCKED), NOW.plus(5));
            Ok(())
        });
        assert_eq!((machine.phase(NOW), effects), (Phase::Inactive, vec![]));
        bench.step(|cx| {
            let in_time = NOW.0 - ORDER_TOLERANCE;
            machine.pushed(cx, &update(Some(in_time), LOCKED), NOW.plus(5));
            Ok(())
        });
        assert_eq!(machine.phase(NOW), active(END, false));
    }

    #[test]
    fn an_answer_nobody_asked_for_changes_nothing() {
        let mut bench = Bench::new(1);
        let mut machine = lock(&mut bench);
        bench.step(|cx| {
            machine.pulled(cx, Some(&fields(LOCKED)), NOW);
            Ok(())
        });
        assert_eq!(machine.phase(NOW), Phase::Unknown);
        assert!(bench.store.is_empty());
    }

    #[test]
    fn every_state_says_when_and_from_whom_we_know_it() {
        let mut bench = Bench::new(1);
        let mut machine = lock(&mut bench);
        assert_eq!(machine.state(NOW), TimelockState::Unknown);
        bench.step(|cx| {
            machine.pushed(cx, &update(None, LOCKED), NOW);
            Ok(())
        });
        let (kind, source) = (Some("RESTRICT_ALL_COMPANIONS".into()), Some(Origin::Push));
        let active = TimelockState::Active {
            kind: kind.clone(),
            until: END,
            provisional: false,
            since: NOW,
            checked_at: NOW,
            source,
        };
        assert_eq!(lock(&mut bench).state(NOW), active);
        let over = TimelockState::Over {
            kind,
            until: END,
            checked_at: NOW,
            source,
        };
        assert_eq!(machine.state(END), over);
        machine.pull(Reason::Ended, bench.now.mono);
        bench.step(|cx| {
            machine.pulled(cx, Some(&fields("{}")), END.plus(1));
            Ok(())
        });
        let inactive = TimelockState::Inactive {
            checked_at: END.plus(1),
            source: Some(Origin::Pull),
        };
        assert_eq!(lock(&mut bench).state(END.plus(2)), inactive);
    }
}
