//! The circuit breaker: after several refused first messages in a row we stop sending more.
//!
//! ```text
//! 3 verdicts of rows 3, 7, 8, 10 in a row, within 10 minutes ──▶ open for 10 min, 30 min, 2 h, 6 h
//! pull says "not locked" and a message was accepted          ──▶ closed, counting from the start
//! ```
//!
//! Every further first message counts against an account in trouble, so operators stop by hand in
//! this pattern (spec: "diagnosis", circuit breaker). The state is kept in the account's rows: a
//! program that crashes and starts again must not begin anew.

use prost::Message;

use crate::error::StoreError;
use crate::limits::snapshot::BreakerState;
use crate::time::UnixSeconds;
use crate::txn::{Cx, Kept, Scope, Txn};
use crate::verdict::{Attached, Cause, WhyNot};

/// Verdicts in a row that open it. Fewer would punish a single unlucky contact list; more would be
/// a burst.
pub const STRIKES: usize = 3;

/// Seconds within which the verdicts must lie.
pub const WINDOW: i64 = 600;

/// Seconds it stays open, the first time and then each further time without a success between.
pub const PAUSES: [i64; 4] = [600, 1_800, 7_200, 21_600];

const ROW: &str = "breaker";

/// The breaker of one account.
#[derive(Debug)]
pub struct Breaker {
    row: Kept<BreakerRecord>,
}

/// The stored state.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct BreakerRecord {
    /// Server times of the verdicts in a row so far, Unix seconds, oldest first.
    #[prost(int64, repeated, tag = "1")]
    pub strikes: Vec<i64>,
    /// How often it opened since the last success.
    #[prost(uint32, tag = "2")]
    pub opened: u32,
    /// When it last opened, Unix seconds.
    #[prost(int64, optional, tag = "3")]
    pub since: Option<i64>,
    /// The end of the pause, Unix seconds; the first second that is free again.
    #[prost(int64, optional, tag = "4")]
    pub until: Option<i64>,
    /// A pull has said that the account is not locked, since it last opened.
    #[prost(bool, tag = "5")]
    pub unlocked: bool,
    /// A message was accepted, since it last opened.
    #[prost(bool, tag = "6")]
    pub accepted: bool,
}

crate::prost_record!(BreakerRecord, Limits, version 1);

impl Breaker {
    /// The state as stored; a damaged row counts as none.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(txn: &Txn<'_>, account: &Scope) -> Result<Self, StoreError> {
        let row = Kept::load(txn, account, ROW)?;
        Ok(Self { row })
    }

    /// The server refused a message for `cause` at server time `now`. Refusals of our own gate do
    /// not belong here. While it is open further verdicts change nothing: they answer what had left
    /// before.
    pub fn verdict(&mut self, cx: &mut Cx<'_>, cause: Cause, now: UnixSeconds) {
        if self.open_until(now).is_some() {
            return;
        }
        let mut next = self.record();
        if counts(cause) {
            next.strikes
                .retain(|t| (0..=WINDOW).contains(&now.since(UnixSeconds(*t))));
            next.strikes.push(now.0);
        } else {
            next.strikes.clear();
        }
        if next.strikes.len() >= STRIKES {
            let level = usize::try_from(next.opened).unwrap_or(usize::MAX);
            let pause = PAUSES.get(level).unwrap_or(&PAUSES[PAUSES.len() - 1]);
            next = BreakerRecord {
                opened: next.opened.saturating_add(1),
                since: Some(now.0),
                until: Some(now.plus(*pause).0),
                ..BreakerRecord::default()
            };
        }
        self.close_or_put(cx, next);
    }

    /// The server accepted a message that carried `attached`. Only the success of a first message
    /// ends a row of verdicts: chats with a token go on working while the others are refused.
    pub fn accepted(&mut self, cx: &mut Cx<'_>, attached: Attached) {
        let mut next = self.record();
        if opens_a_chat(attached) {
            next.strikes.clear();
        }
        next.accepted = next.opened > 0;
        self.close_or_put(cx, next);
    }

    /// A pull said that the account is not locked.
    pub fn pull_inactive(&mut self, cx: &mut Cx<'_>) {
        let mut next = self.record();
        next.unlocked = next.opened > 0;
        self.close_or_put(cx, next);
    }

    /// Until when first messages are refused; `None` when they are not. A clock that was set back
    /// behind the opening ends the pause, which would otherwise last for as long as the clock moved.
    pub fn open_until(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        let record = self.row.get()?;
        let (since, until) = (record.since?, UnixSeconds(record.until?));
        let held = UnixSeconds(since).plus(-WINDOW) <= now && now < until;
        held.then_some(until)
    }

    /// The state at server time `now`, for hosts.
    pub fn state(&self, now: UnixSeconds) -> BreakerState {
        match self.open_until(now) {
            Some(until) => BreakerState::Open {
                until,
                times: self.record().opened,
            },
            None => BreakerState::Closed,
        }
    }

    fn record(&self) -> BreakerRecord {
        self.row.get().cloned().unwrap_or_default()
    }

    /// A closed breaker has no row; most sends change nothing, and then nothing is written.
    fn close_or_put(&mut self, cx: &mut Cx<'_>, next: BreakerRecord) {
        if next.unlocked && next.accepted || next == BreakerRecord::default() {
            self.row.delete(cx);
        } else {
            self.row.put(cx, next);
        }
    }
}

/// Rows 3, 7, 8 and 10 of the diagnosis.
const fn counts(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::AccountTimelocked
            | Cause::ColdRefused
            | Cause::ColdRefusedWithCstoken
            | Cause::Undetermined463
    )
}

const fn opens_a_chat(attached: Attached) -> bool {
    matches!(
        attached,
        Attached::Cstoken
            | Attached::Nothing(
                WhyNot::Expired { .. }
                    | WhyNot::GateOff
                    | WhyNot::NeverReceived
                    | WhyNot::StoreError
            )
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Bench;
    use crate::txn::Record;

    const NOW: UnixSeconds = UnixSeconds(1_786_074_400);
    const COLD: Attached = Attached::Nothing(WhyNot::NeverReceived);
    const WARM: Attached = Attached::Tctoken { t: NOW };

    fn breaker(bench: &mut Bench) -> Breaker {
        let account = bench.slot.clone();
        bench.run(|cx| Ok(Breaker::load(&cx.txn, &account)?))
    }

    fn verdicts(bench: &mut Bench, machine: &mut Breaker, causes: &[Cause], now: UnixSeconds) {
        bench.run(|cx| {
            for cause in causes {
                machine.verdict(cx, *cause, now);
            }
            Ok(())
        });
    }

    fn cold_times(bench: &mut Bench, machine: &mut Breaker, times: usize, now: UnixSeconds) {
        verdicts(bench, machine, &vec![Cause::ColdRefused; times], now);
    }

    #[test]
    fn three_verdicts_in_a_row_open_it_and_a_restart_does_not_close_it() {
        let mut bench = Bench::new(1);
        let mut machine = breaker(&mut bench);
        let causes = [
            Cause::AccountTimelocked,
            Cause::ColdRefusedWithCstoken,
            Cause::Undetermined463,
        ];
        verdicts(&mut bench, &mut machine, &causes[..2], NOW);
        let mut machine = breaker(&mut bench);
        assert_eq!(machine.open_until(NOW), None);
        verdicts(&mut bench, &mut machine, &causes[2..], NOW);
        let restarted = breaker(&mut bench);
        let end = NOW.plus(600);
        assert_eq!(restarted.open_until(end.plus(-1)), Some(end));
        assert_eq!(restarted.open_until(end), None);
    }

    #[test]
    fn the_verdicts_lie_within_ten_minutes() {
        for (last, open) in [(WINDOW, true), (WINDOW + 1, false)] {
            let mut bench = Bench::new(1);
            let mut machine = breaker(&mut bench);
            cold_times(&mut bench, &mut machine, 1, NOW);
            cold_times(&mut bench, &mut machine, 1, NOW.plus(1));
            let end = NOW.plus(last);
            cold_times(&mut bench, &mut machine, 1, end);
            assert_eq!(machine.open_until(end).is_some(), open, "{last}");
        }
    }

    #[test]
    fn another_verdict_or_an_opened_chat_ends_the_row_and_a_warm_chat_does_not() {
        let mut bench = Bench::new(1);
        for (attached, open) in [
            (COLD, false),
            (Attached::Cstoken, false),
            (WARM, true),
            (Attached::Nothing(WhyNot::NotEligible), true),
            (Attached::Undecided, true),
        ] {
            let mut machine = breaker(&mut Bench::new(1));
            cold_times(&mut bench, &mut machine, 2, NOW);
            bench.run(|cx| {
                machine.accepted(cx, attached);
                Ok(())
            });
            cold_times(&mut bench, &mut machine, 1, NOW);
            assert_eq!(machine.open_until(NOW).is_some(), open, "{attached:?}");
        }
        let counting = [
            Cause::AccountTimelocked,
            Cause::ColdRefused,
            Cause::ColdRefusedWithCstoken,
            Cause::Undetermined463,
        ];
        let others = Cause::ALL.into_iter();
        for other in others.filter(|cause| !counting.contains(cause)) {
            let mut machine = breaker(&mut Bench::new(1));
            let cold = Cause::ColdRefused;
            verdicts(&mut bench, &mut machine, &[cold, cold, other, cold], NOW);
            assert_eq!(machine.open_until(NOW), None, "{other:?}");
        }
    }

    #[test]
    fn each_further_time_is_longer_and_answers_to_older_messages_do_not_count() {
        let mut bench = Bench::new(1);
        let mut machine = breaker(&mut bench);
        let (mut now, mut times) = (NOW, 0);
        for pause in [600, 1_800, 7_200, 21_600, 21_600] {
            cold_times(&mut bench, &mut machine, 20, now);
            assert_eq!(machine.open_until(now), Some(now.plus(pause)));
            times += 1;
            let until = now.plus(pause);
            assert_eq!(machine.state(now), BreakerState::Open { until, times });
            now = until;
            assert_eq!(machine.state(now), BreakerState::Closed);
            cold_times(&mut bench, &mut machine, 2, now);
            assert_eq!(machine.open_until(now), None, "a row counts anew");
            now = now.plus(WINDOW + 1);
        }
    }

    #[test]
    fn a_pull_without_a_lock_and_a_success_close_it_in_either_order() {
        for pull_first in [true, false] {
            let mut bench = Bench::new(1);
            let mut machine = breaker(&mut bench);
            cold_times(&mut bench, &mut machine, 3, NOW);
            for pull in [pull_first, !pull_first] {
                assert!(machine.open_until(NOW).is_some());
                bench.run(|cx| {
                    match pull {
                        true => machine.pull_inactive(cx),
                        false => machine.accepted(cx, WARM),
                    }
                    Ok(())
                });
                machine = breaker(&mut bench);
            }
            assert_eq!(machine.open_until(NOW), None);
            assert!(bench.store.is_empty());
            cold_times(&mut bench, &mut machine, 3, NOW);
            assert_eq!(machine.open_until(NOW), Some(NOW.plus(PAUSES[0])));
        }
    }

    #[test]
    fn what_was_so_before_it_opened_does_not_close_it() {
        let mut bench = Bench::new(1);
        let mut machine = breaker(&mut bench);
        bench.run(|cx| {
            machine.pull_inactive(cx);
            machine.accepted(cx, WARM);
            Ok(())
        });
        assert!(bench.store.is_empty(), "nothing to remember");
        cold_times(&mut bench, &mut machine, 3, NOW);
        bench.run(|cx| {
            machine.accepted(cx, WARM);
            Ok(())
        });
        assert!(machine.open_until(NOW).is_some());
    }

    #[test]
    fn a_clock_set_far_back_ends_the_pause() {
        let mut bench = Bench::new(1);
        let mut machine = breaker(&mut bench);
        cold_times(&mut bench, &mut machine, 3, NOW);
        assert!(machine.open_until(NOW.plus(-WINDOW)).is_some());
        assert_eq!(machine.open_until(NOW.plus(-WINDOW - 1)), None);
    }

    #[test]
    fn the_bytes_of_a_row_never_change() {
        let record = BreakerRecord {
            strikes: vec![3, 4],
            opened: 2,
            since: Some(5),
            until: Some(6),
            unlocked: true,
            accepted: true,
        };
        assert_eq!(
            hex::encode(record.to_row()),
            "010a02030410021805200628013001"
        );
        assert_eq!(BreakerRecord::from_row(&record.to_row()), Ok(record));
    }
}
