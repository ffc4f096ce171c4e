//! The limits of an account as JSON, with the names that WAHA publishes.
//!
//! ```text
//! {"reachoutTimelock":{"state","isActive","enforcementType","timeEnforcementEnds","checkedAt","source",..},
//!  "messageCapping":{"state","cappingStatus","totalQuota","usedQuota","cycleStart","cycleEnd",..},
//!  "circuitBreaker":{"isOpen","until","times"}}
//! ```
//!
//! Times are Unix seconds. What nobody knows is `null` beside a `state` that says so: hosts that
//! showed a missing lock as `null` had it read as "no lock". `source` is `push`, `pull` or `local`.

use sendpath_protocol::limits::Origin;
use sendpath_protocol::limits::snapshot::{self, BreakerState, CappingState, Quota, TimelockState};
use sendpath_protocol::time::UnixSeconds;

use super::json::Object;

/// The kind of a lock whose kind the server did not tell.
const NO_KIND: &str = "DEFAULT";

/// What an account may do at an instant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits(snapshot::Limits);

impl From<snapshot::Limits> for Limits {
    fn from(limits: snapshot::Limits) -> Self {
        Self(limits)
    }
}

impl Limits {
    /// One JSON object, as the module says.
    pub fn to_json(&self) -> String {
        let mut object = Object::new();
        object.raw("reachoutTimelock", &timelock(&self.0.timelock));
        object.raw("messageCapping", &capping(&self.0.capping));
        object.raw("circuitBreaker", &breaker(self.0.breaker));
        object.finish()
    }
}

fn timelock(state: &TimelockState) -> String {
    let mut object = Object::new();
    match state {
        TimelockState::Active {
            kind,
            until,
            provisional,
            since,
            checked_at,
            source,
        } => {
            object.text("state", "active");
            object.flag("isActive", true);
            object.text("enforcementType", kind.as_deref().unwrap_or(NO_KIND));
            object.number("timeEnforcementEnds", until.0);
            object.flag("provisional", *provisional);
            object.number("since", since.0);
            heard(&mut object, *checked_at, *source);
        }
        TimelockState::Inactive { checked_at, source } => {
            object.text("state", "inactive");
            object.flag("isActive", false);
            object.raw("enforcementType", NULL);
            object.raw("timeEnforcementEnds", NULL);
            heard(&mut object, *checked_at, *source);
        }
        TimelockState::Over {
            kind,
            until,
            checked_at,
            source,
        } => {
            object.text("state", "over");
            object.flag("isActive", false);
            object.text("enforcementType", kind.as_deref().unwrap_or(NO_KIND));
            object.number("timeEnforcementEnds", until.0);
            heard(&mut object, *checked_at, *source);
        }
        TimelockState::Unknown => unknown(
            &mut object,
            &["isActive", "enforcementType", "timeEnforcementEnds"],
        ),
    }
    object.finish()
}

fn capping(state: &CappingState) -> String {
    let mut object = Object::new();
    match state {
        CappingState::Known(quota) => known(&mut object, quota),
        CappingState::Unknown => unknown(
            &mut object,
            &[
                "cappingStatus",
                "totalQuota",
                "usedQuota",
                "cycleStart",
                "cycleEnd",
                "mvStatus",
                "oteStatus",
                "cappedUntil",
            ],
        ),
    }
    object.finish()
}

fn known(object: &mut Object, quota: &Quota) {
    object.text("state", "known");
    object.text("cappingStatus", &quota.status);
    number(object, "totalQuota", quota.total);
    number(object, "usedQuota", quota.used);
    number(object, "cycleStart", quota.cycle_start.map(|t| t.0));
    number(object, "cycleEnd", quota.cycle_end.map(|t| t.0));
    text(object, "mvStatus", quota.mv.as_deref());
    text(object, "oteStatus", quota.ote.as_deref());
    number(object, "cappedUntil", quota.capped_until.map(|t| t.0));
    heard(object, quota.checked_at, quota.source);
}

fn breaker(state: BreakerState) -> String {
    let mut object = Object::new();
    let open = match state {
        BreakerState::Closed => None,
        BreakerState::Open { until, times } => Some((until.0, i64::from(times))),
    };
    object.flag("isOpen", open.is_some());
    number(&mut object, "until", open.map(|(until, _)| until));
    number(&mut object, "times", open.map(|(_, times)| times));
    object.finish()
}

const NULL: &str = "null";

fn unknown(object: &mut Object, names: &[&str]) {
    object.text("state", "unknown");
    for name in names.iter().chain(&["checkedAt", "source"]) {
        object.raw(name, NULL);
    }
}

fn heard(object: &mut Object, checked_at: UnixSeconds, source: Option<Origin>) {
    object.number("checkedAt", checked_at.0);
    text(object, "source", source.map(Origin::as_str));
}

fn number(object: &mut Object, name: &str, value: Option<i64>) {
    match value {
        Some(value) => object.number(name, value),
        None => object.raw(name, NULL),
    }
}

fn text(object: &mut Object, name: &str, value: Option<&str>) {
    match value {
        Some(value) => object.text(name, value),
        None => object.raw(name, NULL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_786_074_400);
    const END: UnixSeconds = UnixSeconds(1_786_218_427);

    fn quota() -> Quota {
        Quota {
            status: "FIRST_WARNING".into(),
            capped_until: None,
            total: Some(-1),
            used: Some(7),
            cycle_start: None,
            cycle_end: Some(END),
            ote: Some("ELIGIBLE".into()),
            mv: None,
            checked_at: NOW,
            source: Some(Origin::Pull),
        }
    }

    fn json(timelock: TimelockState, capping: CappingState, breaker: BreakerState) -> String {
        let limits = snapshot::Limits {
            timelock,
            capping,
            breaker,
        };
        Limits::from(limits).to_json()
    }

    #[test]
    fn the_json_has_the_published_names_and_never_changes() {
        let active = TimelockState::Active {
            kind: Some("RESTRICT_ALL_COMPANIONS".into()),
            until: END,
            provisional: false,
            since: NOW,
            checked_at: NOW,
            source: Some(Origin::Push),
        };
        let open = BreakerState::Open {
            until: END,
            times: 2,
        };
        assert_eq!(
            json(active, CappingState::Known(quota()), open),
            concat!(
                r#"{"reachoutTimelock":{"state":"active","isActive":true,"#,
                r#""enforcementType":"RESTRICT_ALL_COMPANIONS","timeEnforcementEnds":1786218427,"#,
                r#""provisional":false,"since":1786074400,"checkedAt":1786074400,"source":"push"},"#,
                r#""messageCapping":{"state":"known","cappingStatus":"FIRST_WARNING","#,
                r#""totalQuota":-1,"usedQuota":7,"cycleStart":null,"cycleEnd":1786218427,"#,
                r#""mvStatus":null,"oteStatus":"ELIGIBLE","cappedUntil":null,"#,
                r#""checkedAt":1786074400,"source":"pull"},"#,
                r#""circuitBreaker":{"isOpen":true,"until":1786218427,"times":2}}"#,
            )
        );
    }

    #[test]
    fn what_nobody_knows_is_never_a_bare_null() {
        let unknown = json(
            TimelockState::Unknown,
            CappingState::Unknown,
            BreakerState::Closed,
        );
        assert_eq!(
            unknown,
            concat!(
                r#"{"reachoutTimelock":{"state":"unknown","isActive":null,"enforcementType":null,"#,
                r#""timeEnforcementEnds":null,"checkedAt":null,"source":null},"#,
                r#""messageCapping":{"state":"unknown","cappingStatus":null,"totalQuota":null,"#,
                r#""usedQuota":null,"cycleStart":null,"cycleEnd":null,"mvStatus":null,"#,
                r#""oteStatus":null,"cappedUntil":null,"checkedAt":null,"source":null},"#,
                r#""circuitBreaker":{"isOpen":false,"until":null,"times":null}}"#,
            )
        );
    }

    #[test]
    fn a_lock_that_is_over_or_was_never_there_is_not_active() {
        let (checked_at, source) = (NOW, None);
        let over = TimelockState::Over {
            kind: None,
            until: END,
            checked_at,
            source,
        };
        let inactive = TimelockState::Inactive { checked_at, source };
        for (state, word, kind, ends) in [
            (over, "over", serde_json::json!("DEFAULT"), Some(END.0)),
            (inactive, "inactive", serde_json::Value::Null, None),
        ] {
            let json = json(state, CappingState::Unknown, BreakerState::Closed);
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(
                json["reachoutTimelock"],
                serde_json::json!({
                    "state": word, "isActive": false, "enforcementType": kind,
                    "timeEnforcementEnds": ends, "checkedAt": NOW.0, "source": null
                })
            );
        }
    }
}
