//! Account limits as the MEX queries and notifications show them.
//!
//! Source: tokens spec 6.1 to 6.4; times and quotas travel as strings.

use sendpath_protocol::time::UnixSeconds;
use serde_json::{Value, json};

/// The reachout timelock of an account.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Timelock {
    pub(crate) active: bool,
    /// End of the restriction; `None` when the server does not say.
    pub(crate) until: Option<UnixSeconds>,
    pub(crate) kind: Option<String>,
}

impl Timelock {
    /// Whether new chats are refused at `now`.
    pub(crate) fn holds(&self, now: UnixSeconds) -> bool {
        self.active && self.until.is_none_or(|until| now < until)
    }

    /// The object of queries and notifications.
    pub(crate) fn json(&self, now: UnixSeconds) -> Value {
        if !self.holds(now) {
            return json!({"is_active": false, "time_enforcement_ends": "0", "enforcement_type": "DEFAULT"});
        }
        json!({
            "is_active": true,
            "time_enforcement_ends": self.until.map(|until| until.to_string()),
            "enforcement_type": self.kind,
        })
    }
}

/// The quota of new chats.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Capping {
    /// `NONE`, `FIRST_WARNING`, `SECOND_WARNING` or `CAPPED`.
    pub(crate) status: String,
    pub(crate) total: i64,
    pub(crate) used: i64,
    pub(crate) cycle_start: UnixSeconds,
    pub(crate) cycle_end: UnixSeconds,
}

impl Default for Capping {
    fn default() -> Self {
        Self {
            status: "NONE".into(),
            total: -1,
            used: 0,
            cycle_start: UnixSeconds(0),
            cycle_end: UnixSeconds(0),
        }
    }
}

impl Capping {
    /// Whether new chats are refused at `now`.
    pub(crate) fn holds(&self, now: UnixSeconds) -> bool {
        self.status == "CAPPED" && now <= self.cycle_end
    }

    /// The object of queries and notifications.
    pub(crate) fn json(&self, now: UnixSeconds) -> Value {
        json!({
            "total_quota": self.total.to_string(),
            "used_quota": self.used.to_string(),
            "cycle_start_timestamp": self.cycle_start.to_string(),
            "cycle_end_timestamp": self.cycle_end.to_string(),
            "server_sent_timestamp": now.to_string(),
            "ote_status": "NOT_ELIGIBLE",
            "mv_status": "NOT_ELIGIBLE",
            "capping_status": self.status,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timelock_ends_by_itself() {
        let lock = Timelock {
            active: true,
            until: Some(UnixSeconds(100)),
            kind: Some("RESTRICT_ALL_COMPANIONS".into()),
        };
        assert_eq!(lock.json(UnixSeconds(99))["time_enforcement_ends"], "100");
        assert_eq!(lock.json(UnixSeconds(100))["is_active"], false);
    }

    #[test]
    fn a_cap_holds_until_its_cycle_ends() {
        let cap = Capping {
            status: "CAPPED".into(),
            cycle_end: UnixSeconds(10),
            ..Capping::default()
        };
        assert!(cap.holds(UnixSeconds(10)) && !cap.holds(UnixSeconds(11)));
    }
}
