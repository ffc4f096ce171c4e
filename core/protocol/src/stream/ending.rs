//! Why the server ends a connection, and what follows from it.
//!
//! ```text
//! <failure reason="402" code="101" expire="21600" .. />        instead of <success>
//! <stream:error code="515"/>                                   at any time
//! <stream:error code="401"><conflict type="device_removed"/></stream:error>
//! <xmlstreamend/>                                              routine recycling
//! ```
//!
//! Source: the tables of reasons on which whatsmeow, whatsapp-rust and zapo agree.

use crate::effect::Reconnect;
use crate::event::DisconnectReason;
use crate::time::UnixSeconds;
use crate::wap::Node;

/// How a connection ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ending {
    /// What hosts are told.
    pub reason: DisconnectReason,
    /// What the driver does next.
    pub reconnect: Reconnect,
    /// The link to the account is gone: keys and sessions of this device are worthless.
    pub delete_credentials: bool,
}

impl Ending {
    const fn keep(reason: DisconnectReason, reconnect: Reconnect) -> Self {
        Self {
            reason,
            reconnect,
            delete_credentials: false,
        }
    }

    const fn unlink(reason: DisconnectReason) -> Self {
        Self {
            reason,
            reconnect: Reconnect::Stop,
            delete_credentials: true,
        }
    }

    /// What a `<failure>` says; `now` is where a ban's duration starts.
    pub fn failure(node: &Node, now: UnixSeconds) -> Self {
        let Some(reason) = node.number::<u16>("reason") else {
            return Self::keep(DisconnectReason::Refused { code: None }, Reconnect::Stop);
        };
        let server = DisconnectReason::Server { code: Some(reason) };
        match reason {
            401 => Self::unlink(DisconnectReason::Unlinked { code: Some(reason) }),
            402 => temporary_ban(node, now),
            403 | 406 => Self::unlink(DisconnectReason::Banned {
                code: reason,
                detail: None,
                until: None,
            }),
            405 => Self::keep(DisconnectReason::OutdatedClient, Reconnect::Stop),
            500 | 503 => Self::keep(server, Reconnect::Backoff),
            _ => {
                let code = Some(reason);
                Self::keep(DisconnectReason::Refused { code }, Reconnect::Stop)
            }
        }
    }

    /// What a `<stream:error>` says. A conflict counts before the code.
    pub fn stream_error(node: &Node) -> Self {
        let code = node.number::<u16>("code");
        if let Some(conflict) = node.find("conflict") {
            return if conflict.is("type", "replaced") {
                Self::keep(DisconnectReason::Replaced, Reconnect::Stop)
            } else {
                Self::unlink(DisconnectReason::Unlinked { code })
            };
        }
        let server = DisconnectReason::Server { code };
        match code {
            Some(409) => Self::keep(DisconnectReason::Replaced, Reconnect::Stop),
            Some(429) => Self::keep(server, Reconnect::BackoffPenalty),
            Some(515) => Self::stream_end(),
            Some(code @ 516) => Self::unlink(DisconnectReason::Expelled { code }),
            // A bare 401 lands here too: if the device is gone, the next login says so, and only
            // a certain answer may cost the credentials.
            _ => Self::keep(server, Reconnect::Backoff),
        }
    }

    /// What `<xmlstreamend/>` means: the server recycles the connection, nothing is wrong.
    pub const fn stream_end() -> Self {
        Self::keep(DisconnectReason::Restart, Reconnect::Now)
    }
}

fn temporary_ban(node: &Node, now: UnixSeconds) -> Ending {
    let until = node
        .number::<u32>("expire")
        .map(|seconds| now.plus(i64::from(seconds)));
    let reason = DisconnectReason::Banned {
        code: 402,
        detail: node.number("code"),
        until,
    };
    Ending::keep(reason, until.map_or(Reconnect::Stop, Reconnect::NotBefore))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::event::Remedy;

    const NOW: UnixSeconds = UnixSeconds(1_790_000_000);

    fn table(text: &str, rows: &str) -> Vec<Value> {
        let file: Value = serde_json::from_str(text).unwrap();
        file[rows].as_array().unwrap().clone()
    }

    #[test]
    fn every_known_failure_reason_does_what_the_table_says() {
        let rows = table(
            include_str!("../../tests/data/connect_failure.json"),
            "reasons",
        );
        assert_eq!(rows.len(), 14);
        for row in rows {
            let reason = row["reason"].as_u64().unwrap();
            let ending = Ending::failure(&Node::new("failure").num("reason", reason), NOW);
            assert_eq!(
                ending.delete_credentials, row["logged_out"],
                "reason {reason}"
            );
            assert_eq!(
                ending.reconnect == Reconnect::Backoff,
                row["auto_reconnect"],
                "reason {reason}"
            );
            let told = match reason {
                401 => DisconnectReason::Unlinked { code: Some(401) },
                402 | 403 | 406 => DisconnectReason::Banned {
                    code: u16::try_from(reason).unwrap(),
                    detail: None,
                    until: None,
                },
                405 => DisconnectReason::OutdatedClient,
                500 | 503 => DisconnectReason::Server {
                    code: u16::try_from(reason).ok(),
                },
                other => DisconnectReason::Refused {
                    code: u16::try_from(other).ok(),
                },
            };
            assert_eq!(ending.reason, told, "reason {reason}");
            assert_eq!(ending.reason.remedy(), remedy_of(&row), "reason {reason}");
        }
    }

    /// What the table's own words ask for.
    fn remedy_of(row: &Value) -> Remedy {
        match row["name"].as_str().unwrap() {
            "LoggedOut" => Remedy::LinkAgain,
            "TempBanned" | "MainDeviceGone / AccountLocked" | "UnknownLogout / Banned" => {
                Remedy::SeePhone
            }
            "ClientOutdated" => Remedy::UpdateClient,
            _ if row["auto_reconnect"] == true => Remedy::Automatic,
            _ => Remedy::ConnectAgain,
        }
    }

    #[test]
    fn a_temporary_ban_says_until_when() {
        let node = Node::new("failure")
            .attr("reason", "402")
            .attr("code", "101")
            .attr("expire", "21600");
        let until = UnixSeconds(NOW.0 + 21_600);
        let ending = Ending::failure(&node, NOW);
        assert_eq!(ending.reason.remedy(), Remedy::WaitUntil(until));
        assert_eq!(
            ending,
            Ending {
                reason: DisconnectReason::Banned {
                    code: 402,
                    detail: Some(101),
                    until: Some(until),
                },
                reconnect: Reconnect::NotBefore(until),
                delete_credentials: false,
            }
        );
    }

    #[test]
    fn an_unknown_failure_stops_and_keeps_the_credentials() {
        for node in [
            Node::new("failure"),
            Node::new("failure").attr("reason", "599"),
            Node::new("failure").attr("reason", "x"),
        ] {
            let ending = Ending::failure(&node, NOW);
            assert_eq!(
                (ending.reconnect, ending.delete_credentials),
                (Reconnect::Stop, false)
            );
        }
    }

    fn stream_error_of(row: &Value) -> Node {
        let mut node = Node::new("stream:error");
        if let Some(code) = row["code"].as_u64() {
            node = node.num("code", code);
        }
        if let Some(conflict) = row["conflict"].as_str() {
            node.push(Node::new("conflict").attr("type", conflict.to_owned()));
        }
        if let Some(child) = row["child"].as_str() {
            node.push(Node::new(child.to_owned()).attr("id", "1"));
        }
        node
    }

    #[test]
    fn every_known_stream_error_does_what_the_table_says() {
        use Reconnect::{Backoff, BackoffPenalty, Now, Stop};
        let rows = table(
            include_str!("../../tests/data/stream_errors.json"),
            "errors",
        );
        assert_eq!(rows.len(), 12);
        for row in rows {
            let name = row["name"].as_str().unwrap();
            let code = row["code"]
                .as_u64()
                .map(|code| u16::try_from(code).unwrap());
            let server = DisconnectReason::Server { code };
            let (reason, reconnect, remedy) = match name {
                "force login / restart required" => {
                    (DisconnectReason::Restart, Now, Remedy::Automatic)
                }
                "force logout" => {
                    let reason = DisconnectReason::Expelled { code: 516 };
                    (reason, Stop, Remedy::LinkAgain)
                }
                "companion unlinked" => {
                    (DisconnectReason::Unlinked { code }, Stop, Remedy::LinkAgain)
                }
                "another connection with the same keys" | "conflict" => {
                    (DisconnectReason::Replaced, Stop, Remedy::ConnectAgain)
                }
                "rate limited" => (server, BackoffPenalty, Remedy::Automatic),
                "service unavailable"
                | "CAT expired (Messenger)"
                | "CAT invalid (Messenger)"
                | "an un-acked stanza is owed"
                | "malformed frame"
                | "server side" => (server, Backoff, Remedy::Automatic),
                other => panic!("no expectation for {other}"),
            };
            let ending = Ending::stream_error(&stream_error_of(&row));
            assert_eq!(
                (ending.reconnect, ending.delete_credentials),
                (reconnect, remedy == Remedy::LinkAgain),
                "{name}"
            );
            assert_eq!(ending.reason.remedy(), remedy, "{name}");
            assert_eq!(ending.reason, reason, "{name}");
        }
    }

    #[test]
    fn a_conflict_counts_before_the_code() {
        let replaced = Node::new("stream:error")
            .attr("code", "515")
            .child(Node::new("conflict").attr("type", "replaced"));
        assert_eq!(
            Ending::stream_error(&replaced).reason,
            DisconnectReason::Replaced
        );
        let unheard_of = Node::new("stream:error").child(Node::new("conflict").attr("type", "x"));
        assert!(Ending::stream_error(&unheard_of).delete_credentials);
    }

    #[test]
    fn a_bare_401_keeps_the_credentials() {
        let ending = Ending::stream_error(&Node::new("stream:error").attr("code", "401"));
        assert_eq!(
            (ending.reconnect, ending.delete_credentials),
            (Reconnect::Backoff, false)
        );
    }

    proptest! {
        #[test]
        fn only_the_listed_failures_cost_the_credentials(reason in 0u16..1000) {
            let ending = Ending::failure(&Node::new("failure").num("reason", reason), NOW);
            prop_assert_eq!(ending.delete_credentials, matches!(reason, 401 | 403 | 406));
        }
    }
}
