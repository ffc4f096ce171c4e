//! Where an account stands, as flat facts.

use sendpath_engine as core;
use sendpath_protocol::session::{self, Blobs};
use sendpath_protocol::tctoken::Counters;
use sendpath_protocol::time::UnixSeconds;

use super::counters;
use super::error::Error;
use super::json::Object;

/// How far the connection of an account is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
#[repr(i32)]
pub enum Phase {
    /// No connection, and none wanted.
    Offline = 0,
    /// Dialling or shaking hands.
    Connecting = 1,
    /// Waiting for the server to accept the login.
    Authenticating = 2,
    /// Connected without an account: waiting for the phone.
    Pairing = 3,
    /// Logged in; sending works.
    Online = 4,
    /// No connection; the next attempt comes by itself.
    Waiting = 5,
}

/// Where an account stands.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AccountStatus {
    /// How far the connection is.
    pub phase: Phase,
    /// Our device by phone number, once paired.
    pub jid: Option<String>,
    /// Our device by LID, if known.
    pub lid: Option<String>,
    /// When `Waiting`: the next attempt.
    pub retry_at: Option<UnixSeconds>,
    /// Messages without an answer.
    pub outbox: usize,
    /// Requests of the host that are not yet sent.
    pub queued: usize,
    /// Stanzas and parts of stanzas that were ignored because they made no sense.
    pub ignored: u64,
    /// What the token machine left aside.
    pub tokens: Counters,
    /// Blobs that were fetched.
    pub blobs: Blobs,
    /// Why the session is being rebuilt, if it is.
    pub fault: Option<Error>,
}

impl Phase {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Connecting => "connecting",
            Self::Authenticating => "authenticating",
            Self::Pairing => "pairing",
            Self::Online => "online",
            Self::Waiting => "waiting",
        }
    }
}

impl AccountStatus {
    /// The facts as one JSON object; what is not known is absent.
    pub fn to_json(&self) -> String {
        let mut object = Object::new();
        object.text("phase", self.phase.as_str());
        for (name, text) in [("jid", &self.jid), ("lid", &self.lid)] {
            if let Some(text) = text {
                object.text(name, text);
            }
        }
        if let Some(t) = self.retry_at {
            object.number("retry_at", t.0);
        }
        object.raw("outbox", &self.outbox.to_string());
        object.raw("queued", &self.queued.to_string());
        object.raw("ignored", &self.ignored.to_string());
        object.raw("tokens", &counters::to_json(&self.tokens));
        object.raw("blobs_fetched", &self.blobs.fetched.to_string());
        object.raw("blobs_failed", &self.blobs.failed.to_string());
        if let Some(fault) = &self.fault {
            object.raw("fault", &fault.to_json());
        }
        object.finish()
    }
}

impl From<core::Status> for AccountStatus {
    fn from(status: core::Status) -> Self {
        let session = status.session.as_ref();
        let (phase, retry_at) = match status.connection {
            core::ConnectionState::Connecting => (Phase::Connecting, None),
            core::ConnectionState::Up => (session.map_or(Phase::Connecting, phase), None),
            core::ConnectionState::Waiting { retry } => (Phase::Waiting, Some(retry)),
            _ => (Phase::Offline, None),
        };
        Self {
            phase,
            jid: session
                .and_then(|s| s.jid.as_ref())
                .map(ToString::to_string),
            lid: session
                .and_then(|s| s.lid.as_ref())
                .map(ToString::to_string),
            retry_at,
            outbox: session.map_or(0, |s| s.outbox),
            queued: session.map_or(0, |s| s.queued),
            ignored: session.map_or(0, |s| s.ignored),
            tokens: session.map(|s| s.tokens).unwrap_or_default(),
            blobs: session.map(|s| s.blobs).unwrap_or_default(),
            fault: status.fault.map(Into::into),
        }
    }
}

fn phase(session: &session::Status) -> Phase {
    match session.phase {
        session::Phase::Offline => Phase::Connecting,
        session::Phase::Authenticating => Phase::Authenticating,
        session::Phase::Pairing => Phase::Pairing,
        session::Phase::Online => Phase::Online,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_absent_from_the_json() {
        let status = AccountStatus {
            phase: Phase::Waiting,
            jid: Some("49:2@s.whatsapp.net".into()),
            lid: None,
            retry_at: Some(UnixSeconds(7)),
            outbox: 1,
            queued: 2,
            ignored: 3,
            tokens: Counters::default(),
            blobs: Blobs {
                fetched: 4,
                failed: 5,
            },
            fault: None,
        };
        let json: serde_json::Value = serde_json::from_str(&status.to_json()).unwrap();
        let expected = serde_json::json!({
            "phase": "waiting", "jid": "49:2@s.whatsapp.net", "retry_at": 7,
            "outbox": 1, "queued": 2, "ignored": 3, "tokens": json["tokens"],
            "blobs_fetched": 4, "blobs_failed": 5
        });
        assert_eq!(json, expected);
        assert_eq!(json["tokens"]["older"], 0);
    }
}
