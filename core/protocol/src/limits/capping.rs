//! The quota of new chats in a cycle.
//!
//! ```text
//! pull  data.xwa2_message_capping_info
//! push  op MessageCappingInfoNotification, data.xwa2_notify_new_chat_messages_capping_info_update
//!       { total_quota, used_quota, cycle_start_timestamp, cycle_end_timestamp,
//!         server_sent_timestamp, capping_status, ote_status, mv_status }     any may be missing
//! ack   error="475"                                                          it is used up
//! ```
//!
//! Spec: "capping payloads and semantics" (whatsapp-rust, zapo, whatsmeow PR 1104).

use prost::Message;

use crate::error::StoreError;
use crate::event::Event;
use crate::limits::Origin;
use crate::limits::pull::{Pull, Pulls, Reason};
use crate::limits::snapshot::{CappingState, Quota};
use crate::mex::{Fields, Update};
use crate::time::{Mono, UnixSeconds};
use crate::txn::{Cx, Key, Namespace, Record, Scope, Txn};

/// `op_name` of the push.
pub const PUSH: &str = "MessageCappingInfoNotification";

/// Where the push has its data.
pub const PUSH_ROOT: &str = "xwa2_notify_new_chat_messages_capping_info_update";

/// Where the answer to a pull has its data.
pub const PULL_ROOT: &str = "xwa2_message_capping_info";

/// Seconds after which the state should be asked for again: the default of AB prop 20649. A cap
/// whose end is unknown is believed as long.
pub const REFRESH: i64 = 3_600;

/// The one status that refuses new chats; the others (`NONE`, `FIRST_WARNING`, `SECOND_WARNING`, and
/// what we do not know) do not.
const CAPPED: &str = "CAPPED";

/// No cap.
const NONE: &str = "NONE";

const ROW: &str = "capping";

/// The AB props that concern capping; `None` means that the server never told us.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CappingProps {
    /// 29369, in older releases 17845: the limit; zero switches capping off.
    pub limit: Option<i64>,
    /// 34795: capping is switched off altogether.
    pub kill_switch: Option<bool>,
    /// 20649: seconds after which the state should be asked for again, by [`CappingProps::refresh_of`];
    /// `None` for [`REFRESH`].
    pub refresh: Option<i64>,
}

impl CappingProps {
    /// A number of seconds between questions, cut to a minute and a day: more often would press the
    /// server, more rarely would believe a cap long after it ended. `None` when it means nothing.
    pub fn refresh_of(seconds: i64) -> Option<i64> {
        (seconds > 0).then(|| seconds.clamp(60, 86_400))
    }
}

/// The quota is used up.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Capped {
    /// The last second of the cycle, or when to ask again if the server gave no end.
    pub until: UnixSeconds,
    /// New chats in a cycle; -1 for no limit, `None` if unknown.
    pub total: Option<i64>,
    /// New chats used up; `None` if unknown.
    pub used: Option<i64>,
}

/// The quota of one account.
#[derive(Debug)]
pub struct Capping {
    account: Scope,
    record: Option<CappingRecord>,
    pulls: Pulls,
}

/// The stored state: the server's last words.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CappingRecord {
    /// `capping_status` as it was written.
    #[prost(string, tag = "1")]
    pub status: String,
    /// `total_quota`.
    #[prost(int64, optional, tag = "2")]
    pub total: Option<i64>,
    /// `used_quota`.
    #[prost(int64, optional, tag = "3")]
    pub used: Option<i64>,
    /// `cycle_start_timestamp`, Unix seconds.
    #[prost(int64, optional, tag = "4")]
    pub cycle_start: Option<i64>,
    /// `cycle_end_timestamp`, Unix seconds.
    #[prost(int64, optional, tag = "5")]
    pub cycle_end: Option<i64>,
    /// `server_sent_timestamp`, Unix seconds: orders pushes and pulls.
    #[prost(int64, optional, tag = "6")]
    pub server_sent: Option<i64>,
    /// `ote_status` as it was written.
    #[prost(string, optional, tag = "7")]
    pub ote: Option<String>,
    /// `mv_status` as it was written.
    #[prost(string, optional, tag = "8")]
    pub mv: Option<String>,
    /// Server time at which we heard it.
    #[prost(int64, tag = "9")]
    pub observed: i64,
    /// Who said it, as a number of [`Origin`].
    #[prost(uint32, tag = "10")]
    source: u32,
}

crate::prost_record!(CappingRecord, Limits, version 1);

impl CappingRecord {
    fn read(fields: &Fields, now: UnixSeconds, source: Origin) -> Self {
        let seconds = |key| fields.time(key).map(|t| t.0);
        Self {
            status: fields.word("capping_status").unwrap_or(NONE).into(),
            total: fields.whole("total_quota"),
            used: fields.whole("used_quota"),
            cycle_start: seconds("cycle_start_timestamp"),
            cycle_end: seconds("cycle_end_timestamp"),
            server_sent: seconds("server_sent_timestamp"),
            ote: fields.word("ote_status").map(Into::into),
            mv: fields.word("mv_status").map(Into::into),
            observed: now.0,
            source: Origin::number(Some(source)),
        }
    }

    /// What a host is told; only a change of this is an event.
    fn told(&self) -> Event {
        Event::CappingChanged {
            status: self.status.clone(),
            total: self.total,
            used: self.used,
            until: self.cycle_end.map(UnixSeconds),
        }
    }
}

impl Capping {
    /// The state as stored; a damaged row counts as none.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(txn: &Txn<'_>, account: &Scope) -> Result<Self, StoreError> {
        let row = txn.row(&Key::new(account, Namespace::Limits, ROW))?;
        let record = match row.as_deref().map(CappingRecord::from_row).transpose() {
            Err(StoreError::Corrupt(_)) => None,
            record => record?,
        };
        Ok(Self {
            account: account.clone(),
            record,
            pulls: Pulls::default(),
        })
    }

    /// A push arrived at server time `now`; other pushes change nothing.
    pub fn pushed(&mut self, cx: &mut Cx<'_>, update: &Update, now: UnixSeconds) {
        if update.op != PUSH {
            return;
        }
        if let Some(fields) = update.data(PUSH_ROOT) {
            self.observe(cx, CappingRecord::read(&fields, now, Origin::Push));
        }
    }

    /// A message was refused with 475: used up, whatever the server said before. A pull should
    /// follow.
    pub fn refused(&mut self, cx: &mut Cx<'_>, now: UnixSeconds) {
        let mut record = self.record.clone().unwrap_or_default();
        record.status = CAPPED.into();
        record.cycle_end = record.cycle_end.filter(|end| *end >= now.0);
        record.observed = now.0;
        record.source = Origin::number(Some(Origin::Local));
        self.put(cx, record);
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
        if let Some(fields) = answer {
            self.observe(cx, CappingRecord::read(fields, now, Origin::Pull));
        }
    }

    /// Whether new chats are refused at server time `now`. After the end of the cycle they are not,
    /// without waiting for the server's word.
    pub fn capped(&self, props: &CappingProps, now: UnixSeconds) -> Option<Capped> {
        let record = self.record.as_ref()?;
        let on = props.limit.is_none_or(|limit| limit > 0) && props.kill_switch != Some(true);
        let until = match record.cycle_end {
            Some(end) => UnixSeconds(end),
            None => UnixSeconds(record.observed).plus(props.refresh.unwrap_or(REFRESH)),
        };
        (on && record.status == CAPPED && now <= until).then_some(Capped {
            until,
            total: record.total,
            used: record.used,
        })
    }

    /// The state at server time `now` with what is known about it, for hosts.
    pub fn state(&self, props: &CappingProps, now: UnixSeconds) -> CappingState {
        let Some(record) = self.record.clone() else {
            return CappingState::Unknown;
        };
        let capped_until = self.capped(props, now).map(|capped| capped.until);
        let over = record.status == CAPPED && capped_until.is_none();
        CappingState::Known(Quota {
            status: if over { NONE.into() } else { record.status },
            capped_until,
            total: record.total,
            used: record.used,
            cycle_start: record.cycle_start.map(UnixSeconds),
            cycle_end: record.cycle_end.map(UnixSeconds),
            ote: record.ote,
            mv: record.mv,
            checked_at: UnixSeconds(record.observed),
            source: Origin::from_number(record.source),
        })
    }

    /// The server's last words.
    pub const fn record(&self) -> Option<&CappingRecord> {
        self.record.as_ref()
    }

    fn observe(&mut self, cx: &mut Cx<'_>, seen: CappingRecord) {
        let known = self.record.as_ref().and_then(|record| record.server_sent);
        let older = matches!((known, seen.server_sent), (Some(known), Some(seen)) if seen < known);
        if !older {
            self.put(cx, seen);
        }
    }

    fn put(&mut self, cx: &mut Cx<'_>, record: CappingRecord) {
        let nothing = CappingRecord {
            status: NONE.into(),
            ..CappingRecord::default()
        };
        let told = record.told();
        if self.record.as_ref().unwrap_or(&nothing).told() != told {
            cx.effect(told);
        }
        cx.txn.put(&self.account, ROW, &record);
        self.record = Some(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Bench;
    use crate::wap::Node;

    const NOW: UnixSeconds = UnixSeconds(1_786_074_400);
    const END: UnixSeconds = UnixSeconds(1_787_000_000);
    const USED_UP: &str = r#"{"capping_status":"CAPPED","total_quota":"50","used_quota":50,"cycle_end_timestamp":"1787000000","server_sent_timestamp":100}"#;

    fn update(inner: &str) -> Update {
        let json = format!(r#"{{"data":{{"{PUSH_ROOT}":{inner}}}}}"#);
        let update = Node::new("update").attr("op_name", PUSH).bytes(json);
        Update::parse(&Node::new("notification").child(update)).unwrap()
    }

    fn capping(bench: &mut Bench) -> Capping {
        let account = bench.slot.clone();
        bench.step(|cx| Ok(Capping::load(&cx.txn, &account)?)).0
    }

    fn push(bench: &mut Bench, machine: &mut Capping, inner: &str) {
        bench.step(|cx| {
            machine.pushed(cx, &update(inner), NOW);
            Ok(())
        });
    }

    fn until(machine: &Capping, now: UnixSeconds) -> Option<UnixSeconds> {
        let capped = machine.capped(&CappingProps::default(), now)?;
        Some(capped.until)
    }

    #[test]
    fn a_cap_holds_to_the_end_of_the_cycle_and_over_a_restart() {
        let mut bench = Bench::new(1);
        let mut machine = capping(&mut bench);
        push(&mut bench, &mut machine, USED_UP);
        let restarted = capping(&mut bench);
        assert_eq!(until(&restarted, END), Some(END));
        assert_eq!(until(&restarted, END.plus(1)), None);
        let capped = restarted.capped(&CappingProps::default(), NOW).unwrap();
        assert_eq!((capped.total, capped.used), (Some(50), Some(50)));
    }

    #[test]
    fn an_answer_counts_when_it_was_asked_for() {
        let mut bench = Bench::new(1);
        let mut machine = capping(&mut bench);
        let fields = update(USED_UP).data(PUSH_ROOT).unwrap();
        for (asked, capped) in [(false, None), (true, Some(END))] {
            if asked {
                let asks = machine.pull(Reason::Connected, bench.now.mono);
                assert_eq!(asks, Pull::Ask);
            }
            bench.step(|cx| {
                machine.pulled(cx, Some(&fields), NOW);
                Ok(())
            });
            assert_eq!(until(&machine, NOW), capped);
        }
    }

    #[test]
    fn known_props_can_switch_it_off() {
        let mut bench = Bench::new(1);
        let mut machine = capping(&mut bench);
        push(&mut bench, &mut machine, USED_UP);
        for (limit, kill_switch, on) in [
            (None, None, true),
            (Some(50), Some(false), true),
            (Some(0), None, false),
            (None, Some(true), false),
        ] {
            let props = CappingProps {
                limit,
                kill_switch,
                refresh: None,
            };
            assert_eq!(machine.capped(&props, NOW).is_some(), on, "{props:?}");
        }
    }

    #[test]
    fn a_475_caps_until_the_known_end_or_for_an_hour() {
        let mut bench = Bench::new(1);
        let mut machine = capping(&mut bench);
        bench.step(|cx| {
            machine.refused(cx, NOW);
            Ok(())
        });
        assert_eq!(until(&machine, NOW), Some(NOW.plus(REFRESH)));
        let often = CappingProps {
            refresh: Some(60),
            ..CappingProps::default()
        };
        let capped = machine.capped(&often, NOW).unwrap();
        assert_eq!(capped.until, NOW.plus(60));
        push(
            &mut bench,
            &mut machine,
            r#"{"capping_status":"NONE","cycle_end_timestamp":1787000000}"#,
        );
        assert_eq!(until(&machine, NOW), None);
        bench.step(|cx| {
            machine.refused(cx, NOW);
            Ok(())
        });
        assert_eq!(until(&machine, NOW), Some(END));
        bench.step(|cx| {
            machine.refused(cx, END.plus(9));
            Ok(())
        });
        assert_eq!(until(&machine, END.plus(9)), Some(END.plus(9 + REFRESH)));
    }

    #[test]
    fn quotas_are_numbers_text_or_missing() {
        let mut bench = Bench::new(1);
        let mut machine = capping(&mut bench);
        for (inner, total) in [
            (r#"{"total_quota":"50"}"#, Some(50)),
            (r#"{"total_quota":50}"#, Some(50)),
            (r#"{"total_quota":-1}"#, Some(-1)),
            (r#"{"total_quota":0,"capping_status":"NEW_ONE"}"#, Some(0)),
            ("{}", None),
        ] {
            push(&mut bench, &mut machine, inner);
            assert_eq!(machine.record().unwrap().total, total, "{inner}");
            assert_eq!(until(&machine, NOW), None);
        }
    }

    #[test]
    fn an_older_word_of_the_server_is_dropped() {
        let mut bench = Bench::new(1);
        let mut machine = capping(&mut bench);
        push(&mut bench, &mut machine, USED_UP);
        let older = r#"{"capping_status":"NONE","server_sent_timestamp":"99"}"#;
        push(&mut bench, &mut machine, older);
        assert_eq!(until(&machine, NOW), Some(END));
    }

    #[test]
    fn hosts_hear_of_real_changes_only() {
        let mut bench = Bench::new(1);
        let mut machine = capping(&mut bench);
        let mut heard = |inner: &str| {
            let push = |cx: &mut Cx<'_>| {
                machine.pushed(cx, &update(inner), NOW);
                Ok(())
            };
            bench.step(push).1
        };
        assert_eq!(heard(r#"{"capping_status":"NONE"}"#), []);
        let changed = Event::CappingChanged {
            status: CAPPED.into(),
            total: Some(50),
            used: Some(50),
            until: Some(END),
        };
        assert_eq!(heard(USED_UP), [changed.into()]);
        assert_eq!(heard(&USED_UP.replace(":100", ":101")), []);
        let raised = USED_UP
            .replace(":100", ":102")
            .replace(r#""50""#, r#""60""#);
        assert_eq!(heard(&raised).len(), 1);
    }

    #[test]
    fn the_state_says_when_and_from_whom_we_know_it() {
        let mut bench = Bench::new(1);
        let mut machine = capping(&mut bench);
        let props = CappingProps::default();
        assert_eq!(machine.state(&props, NOW), CappingState::Unknown);
        push(&mut bench, &mut machine, USED_UP);
        let quota = Quota {
            status: CAPPED.into(),
            capped_until: Some(END),
            total: Some(50),
            used: Some(50),
            cycle_start: None,
            cycle_end: Some(END),
            ote: None,
            mv: None,
            checked_at: NOW,
            source: Some(Origin::Push),
        };
        assert_eq!(
            machine.state(&props, END),
            CappingState::Known(quota.clone())
        );
        let over = Quota {
            status: NONE.into(),
            capped_until: None,
            ..quota.clone()
        };
        assert_eq!(
            machine.state(&props, END.plus(1)),
            CappingState::Known(over)
        );
        bench.step(|cx| {
            machine.refused(cx, NOW.plus(1));
            Ok(())
        });
        let local = Quota {
            checked_at: NOW.plus(1),
            source: Some(Origin::Local),
            ..quota
        };
        assert_eq!(machine.state(&props, END), CappingState::Known(local));
    }

    #[test]
    fn the_bytes_of_a_row_never_change() {
        let record = CappingRecord {
            status: "CAPPED".into(),
            total: Some(50),
            used: Some(0),
            cycle_end: Some(9),
            observed: 7,
            ..CappingRecord::default()
        };
        assert_eq!(
            hex::encode(record.to_row()),
            "010a064341505045441032180028094807"
        );
        let source = Origin::number(Some(Origin::Local));
        let heard = CappingRecord { source, ..record };
        assert_eq!(
            hex::encode(heard.to_row()),
            "010a0643415050454410321800280948075001"
        );
    }
}
