//! What a test can order and ask, as values and as JSON lines.
//!
//! ```text
//! {"cmd": "add_peer", "pn": "4915550001", "lid": "1001"}      ->  {"reply": "done"}
//! ```
//! `account` and `peer` are phone numbers or LIDs in any spelling; without `account` the only
//! account with a linked client is meant.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cert::CertFault;
use crate::faults::{AckMode, DropWhen, IqError};
use crate::gate::Gate;
use crate::login::Failure;
use crate::media::FileFault;
use crate::nodejson::NodeJson;
use crate::reply::Condition;
use crate::syncd::{PatchFault, RowChange};
use crate::time::TimeSource;

/// An order or a question.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "cmd", rename_all = "snake_case", deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "every command and field is explained in README.md"
)]
pub enum Command {
    AckMode {
        #[serde(default)]
        account: Option<String>,
        mode: AckMode,
    },
    AddDevice {
        peer: String,
        #[serde(default = "yes")]
        announce: bool,
    },
    AddGroup {
        group: String,
        members: Vec<String>,
        #[serde(default)]
        account: Option<String>,
        #[serde(default = "yes")]
        lid: bool,
    },
    AddPeer {
        pn: String,
        lid: String,
        #[serde(default = "one")]
        devices: u16,
        #[serde(default)]
        gate: Gate,
        #[serde(default)]
        aliases: Vec<String>,
    },
    AdvanceTime {
        seconds: i64,
    },
    CertFault {
        fault: CertFault,
    },
    ChangeAppState {
        #[serde(default)]
        account: Option<String>,
        collection: String,
        changes: Vec<RowChange>,
        #[serde(default)]
        fresh_key: bool,
        #[serde(default)]
        fault: Option<PatchFault>,
        #[serde(default)]
        external: bool,
        #[serde(default = "yes")]
        push: bool,
    },
    ClearViolations,
    CompactAppState {
        #[serde(default)]
        account: Option<String>,
        collection: String,
    },
    DemandPasskey {
        #[serde(default = "yes")]
        options: bool,
    },
    DropConnection {
        #[serde(default)]
        account: Option<String>,
        when: DropWhen,
    },
    EchoTokens {
        on: bool,
    },
    FailLogin(Failure),
    GroupJoin {
        group: String,
        peer: String,
        #[serde(default = "yes")]
        announce: bool,
    },
    GroupLeave {
        group: String,
        peer: String,
        #[serde(default = "yes")]
        announce: bool,
    },
    GroupMode {
        group: String,
        lid: bool,
    },
    GroupSend {
        group: String,
        peer: String,
        text: String,
        #[serde(default)]
        device: u16,
        #[serde(default = "yes")]
        with_key: bool,
    },
    Heard {
        #[serde(default)]
        tag: Option<String>,
    },
    IdentityChange {
        peer: String,
        #[serde(default = "yes")]
        announce: bool,
    },
    IqFault {
        #[serde(default)]
        account: Option<String>,
        kind: String,
        #[serde(default)]
        error: Option<IqError>,
        #[serde(default = "once")]
        count: u32,
    },
    IssueToken {
        peer: String,
        #[serde(default)]
        account: Option<String>,
        #[serde(default)]
        bytes: Option<String>,
        #[serde(default)]
        t: Option<i64>,
        #[serde(default = "yes")]
        push: bool,
        #[serde(default = "yes")]
        from_lid: bool,
    },
    Issued {
        #[serde(default)]
        peer: Option<String>,
    },
    Messages,
    NackNext {
        #[serde(default)]
        account: Option<String>,
        code: u16,
        #[serde(default = "once")]
        count: u32,
    },
    Payloads,
    PeerPicture {
        peer: String,
        bytes: u32,
        #[serde(default)]
        fault: Option<FileFault>,
    },
    PeerSend {
        peer: String,
        text: String,
        #[serde(default)]
        account: Option<String>,
        #[serde(default)]
        device: u16,
        #[serde(default)]
        id: Option<String>,
        #[serde(default = "yes")]
        from_lid: bool,
    },
    PhoneCode,
    PeerWithholds {
        peer: String,
        text: String,
    },
    PhoneHistory {
        #[serde(default)]
        account: Option<String>,
        #[serde(default)]
        chats: Vec<HistoryChat>,
        #[serde(default)]
        salt: Option<String>,
        #[serde(default = "all")]
        progress: u32,
    },
    MediaFaults {
        #[serde(default)]
        statuses: Vec<u16>,
        #[serde(default)]
        cut_after: Option<usize>,
        #[serde(default)]
        renew: bool,
    },
    MediaFile {
        path: String,
    },
    MediaRequests,
    PhoneUploads {
        #[serde(default)]
        account: Option<String>,
        #[serde(default)]
        strangers: u32,
        #[serde(default)]
        salt: Option<String>,
        #[serde(default = "all")]
        progress: u32,
        #[serde(default)]
        fault: Option<FileFault>,
        #[serde(default)]
        repairs: bool,
    },
    PrekeysLow {
        #[serde(default)]
        account: Option<String>,
        value: u32,
    },
    Push {
        #[serde(default)]
        account: Option<String>,
        node: NodeJson,
    },
    Receipts,
    Received {
        #[serde(default)]
        peer: Option<String>,
    },
    ReleaseAcks {
        #[serde(default)]
        account: Option<String>,
    },
    RemoveDevice {
        peer: String,
        device: u16,
        #[serde(default = "yes")]
        announce: bool,
    },
    RetryRequest {
        peer: String,
        #[serde(default)]
        account: Option<String>,
        #[serde(default)]
        device: u16,
        id: String,
        #[serde(default = "once")]
        count: u32,
    },
    Routing,
    ScanQr {
        qr: String,
        #[serde(default)]
        pn: Option<String>,
        #[serde(default)]
        lid: Option<String>,
        #[serde(default)]
        lid_migrated: Option<bool>,
    },
    SetBehaviour {
        peer: String,
        #[serde(default)]
        receipts: Option<bool>,
        #[serde(default)]
        retries: Option<bool>,
        #[serde(default)]
        hidden_by_pn: Option<bool>,
    },
    SetCap {
        #[serde(default)]
        account: Option<String>,
        status: String,
        #[serde(default)]
        total: i64,
        #[serde(default)]
        used: i64,
        #[serde(default)]
        cycle_end: i64,
        #[serde(default)]
        push: bool,
    },
    SetGate {
        peer: String,
        gate: Gate,
    },
    SetProfile {
        peer: String,
        #[serde(default)]
        picture: Option<String>,
        #[serde(default)]
        contacts_only: bool,
        #[serde(default = "yes")]
        read_receipts: bool,
    },
    SetMigration {
        #[serde(default)]
        pn: Option<String>,
        lid: bool,
        #[serde(default = "yes")]
        told: bool,
    },
    SetProps {
        props: BTreeMap<String, String>,
        #[serde(default)]
        push: bool,
    },
    SetSalt {
        #[serde(default)]
        account: Option<String>,
        salt: Option<String>,
    },
    SetTime {
        time: TimeSource,
    },
    SetTimelock {
        #[serde(default)]
        account: Option<String>,
        active: bool,
        #[serde(default)]
        until: Option<i64>,
        #[serde(default)]
        kind: Option<String>,
        #[serde(default)]
        push: bool,
    },
    ShareKeys {
        #[serde(default)]
        account: Option<String>,
    },
    Stats {
        #[serde(default)]
        account: Option<String>,
    },
    StreamError {
        #[serde(default)]
        account: Option<String>,
        kind: StreamErrorKind,
    },
    TypeCode {
        code: String,
        #[serde(default)]
        pn: Option<String>,
    },
    Unanswered {
        #[serde(default)]
        account: Option<String>,
    },
    Unexpected,
    Unlink {
        #[serde(default)]
        account: Option<String>,
    },
    Violations,
    WaitFor {
        condition: Condition,
        #[serde(default = "ten_seconds")]
        timeout_ms: u64,
    },
}

impl Command {
    /// A scan by the default account.
    pub fn scan_qr(qr: impl Into<String>) -> Self {
        Self::ScanQr {
            qr: qr.into(),
            pn: None,
            lid: None,
            lid_migrated: None,
        }
    }
}

/// How a stream ends.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "every kind is explained in README.md")]
pub enum StreamErrorKind {
    Ack { id: String },
    Code(u16),
    DeviceRemoved,
    End,
    NotWellFormed,
    Replaced,
}

/// A chat as the account's phone knows it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryChat {
    /// The contact; the chat is listed under its phone number, beside a pair with its LID.
    pub peer: String,
    /// The contact's token in hex; it is one that the contact gave to the account.
    #[serde(default)]
    pub token: Option<String>,
    /// Time stamp of the token.
    #[serde(default)]
    pub t: Option<i64>,
    /// When the account issued its own token to the contact.
    #[serde(default)]
    pub sender_t: Option<i64>,
}

const fn yes() -> bool {
    true
}

const fn one() -> u16 {
    1
}

const fn once() -> u32 {
    1
}

const fn all() -> u32 {
    100
}

const fn ten_seconds() -> u64 {
    10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_keep_their_json_form() {
        for (json, command) in [
            (r#"{"cmd":"scan_qr","qr":"x"}"#, Command::scan_qr("x")),
            (
                r#"{"cmd":"set_gate","peer":"1","gate":{"refuse":403}}"#,
                Command::SetGate {
                    peer: "1".into(),
                    gate: Gate::Refuse(403),
                },
            ),
            (
                r#"{"cmd":"wait_for","condition":{"logins":{"count":2}}}"#,
                Command::WaitFor {
                    condition: Condition::Logins { count: 2 },
                    timeout_ms: 10_000,
                },
            ),
            (
                r#"{"cmd":"set_props","props":{"909":"26"}}"#,
                Command::SetProps {
                    props: BTreeMap::from([("909".into(), "26".into())]),
                    push: false,
                },
            ),
            (r#"{"cmd":"violations"}"#, Command::Violations),
        ] {
            let parsed: Command = serde_json::from_str(json).unwrap();
            assert_eq!(parsed, command, "{json}");
            let again = serde_json::to_string(&command).unwrap();
            assert_eq!(serde_json::from_str::<Command>(&again).unwrap(), command);
        }
    }

    #[test]
    fn a_misspelt_field_is_an_error() {
        let json = r#"{"cmd":"set_time","time":{"fixed":1},"tme":2}"#;
        assert!(serde_json::from_str::<Command>(json).is_err());
    }

    #[test]
    fn every_example_of_the_readme_is_a_command() {
        let readme = include_str!("../README.md");
        let examples = readme
            .split('`')
            .filter(|code| code.starts_with("{\"cmd\""));
        let mut count = 0;
        for example in examples {
            let parsed = serde_json::from_str::<Command>(example);
            assert!(parsed.is_ok(), "{example}: {parsed:?}");
            count += 1;
        }
        assert!(count > 35, "{count}");
    }
}
