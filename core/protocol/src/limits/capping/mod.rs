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
use crate::time::{Millis, Mono, Now, UnixSeconds};
use crate::txn::{Cx, Kept, Scope, Txn};

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
    row: Kept<CappingRecord>,
    pulls: Pulls,
    /// When a refresh was asked for last.
    asked: Option<UnixSeconds>,
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
        Ok(Self {
            row: Kept::load(txn, account, ROW)?,
            pulls: Pulls::default(),
            asked: None,
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
        let mut record = self.row.get().cloned().unwrap_or_default();
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
        let record = self.row.get()?;
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

    /// Whether to ask again: a quota that is watched has not been told for the refresh time. Without
    /// a quota there is nothing to watch.
    pub fn is_stale(&self, now: UnixSeconds, props: &CappingProps) -> bool {
        self.stale_at(props).is_some_and(|at| at <= now)
    }

    /// When [`Capping::is_stale`] becomes true; `None` for never.
    pub fn refresh_at(&self, now: Now, server: UnixSeconds, props: &CappingProps) -> Option<Mono> {
        let seconds = u64::try_from(self.stale_at(props)?.since(server)).unwrap_or(0);
        Some(now.mono.plus(Millis::from_secs(seconds)))
    }

    fn stale_at(&self, props: &CappingProps) -> Option<UnixSeconds> {
        let record = self.row.get()?;
        let on = props.kill_switch != Some(true) && props.limit != Some(0);
        let watched = on && (record.status != NONE || props.limit.is_some());
        let last = UnixSeconds(record.observed).max(self.asked.unwrap_or_default());
        watched.then(|| last.plus(props.refresh.unwrap_or(REFRESH)))
    }

    /// A refresh was asked for at server time `now`; whatever becomes of it, the next one waits.
    pub const fn refreshing(&mut self, now: UnixSeconds) {
        self.asked = Some(now);
    }

    /// The state at server time `now` with what is known about it, for hosts.
    pub fn state(&self, props: &CappingProps, now: UnixSeconds) -> CappingState {
        let Some(record) = self.row.get().cloned() else {
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
        self.row.get()
    }

    fn observe(&mut self, cx: &mut Cx<'_>, seen: CappingRecord) {
        let known = self.row.get().and_then(|record| record.server_sent);
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
        if self.row.get().unwrap_or(&nothing).told() != told {
            cx.effect(told);
        }
        self.row.put(cx, record);
    }
}

#[cfg(test)]
mod tests;
