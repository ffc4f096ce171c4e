//! What a host tells: facts of its connection, typed, coarse or raw.

use crate::account::{Background, Purpose, Settings};
use crate::jid::Jid;
use crate::nct::Operation;
use crate::secret::SecretBytes;
use crate::stream::iq::IqEnd;
use crate::tctoken::policy::MessageKind;
use crate::time::UnixSeconds;
use crate::verdict::MessageId;
use crate::wap::Node;

/// How a guest is set up.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GuestConfig {
    /// What the host chose for the account.
    pub account: Settings,
    /// The host issues our token itself behind its sends (as whatsmeow does) and reports it by
    /// [`Fact::RowPut`]; the guest then keeps it from doing so twice and issues nothing.
    pub host_issues: bool,
}

/// One thing that happened on the host's connection. Facts are idempotent: late or repeated ones
/// change nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The server answered a message; `code` is `ack@error`, `None` for a yes.
    Ack {
        /// The message.
        id: MessageId,
        /// The nack code.
        code: Option<u16>,
    },
    /// A mutation of app state, decrypted; only the one that tells the salt counts.
    AppState {
        /// The index, as JSON.
        index: Vec<u8>,
        /// Set or remove.
        operation: Operation,
        /// The `SyncActionValue`; may be empty for a removal.
        value: Vec<u8>,
    },
    /// What is known about the link of the account, for the diagnosis of refusals.
    Background(Background),
    /// The server begins (true) or has ended to deliver what it kept while the host was away.
    Backlog(bool),
    /// Logged in.
    Connected,
    /// The connection is gone; work that was taken is lost.
    Disconnected,
    /// Delete everything that is stored for the account.
    Forget,
    /// A history sync: the blob as downloaded (compressed) or inflated. One that cannot be read is
    /// counted and changes nothing.
    History(Vec<u8>),
    /// A message was handed to the connection.
    Handed {
        /// The message.
        id: MessageId,
        /// The wire recipient.
        to: Jid,
        /// What it is.
        kind: MessageKind,
    },
    /// The keys of a contact's device are new.
    IdentityChanged(Jid),
    /// Two addresses of one account, by phone number and by LID.
    Mapping(Jid, Jid),
    /// The host wants the limits to be asked for.
    RefreshLimits,
    /// A receipt for messages of ours: they arrived.
    Receipt(Vec<MessageId>),
    /// The host's store writes a row of its coarse interface.
    RowPut(Box<RowPut>),
    /// App state set (`Some`) or removed (`None`) the salt.
    Salt(Option<SecretBytes>),
    /// History sync told the salt; counts only while app state never spoke of it.
    SaltFromHistory(SecretBytes),
    /// The server's time, from any stanza that has one.
    ServerTime(UnixSeconds),
    /// AB props as pairs of code and value.
    Props(Vec<(u32, String)>),
    /// Any stanza that arrived, decrypted and decoded: notifications, acks, receipts, answers to
    /// queries of the work list, `<success>`, `<ib>`. Others change nothing.
    Stanza(Box<Node>),
    /// The host closes: no work any more.
    Stop,
    /// A deadline passed.
    Tick,
    /// A token that a contact gave us, with the time stamp of its notification.
    Token {
        /// Who gave it.
        from: Jid,
        /// Opaque.
        bytes: SecretBytes,
        /// The token's own time stamp.
        t: UnixSeconds,
    },
    /// Work of the list ended.
    WorkDone {
        /// Its number.
        id: u64,
        /// How.
        end: WorkEnd,
    },
    /// A contact wrote to us.
    Wrote(Jid),
}

/// How work ended.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkEnd {
    /// The server answered with an error code.
    Error(u16),
    /// It could not be sent, or nothing came back in time.
    Lost,
    /// The server's whole answer.
    Result(Box<Node>),
    /// The JSON text in the answer to a GraphQL query.
    Json(String),
    /// The server took it; the answer says nothing more.
    Taken,
}

impl WorkEnd {
    /// From the whole answer, `<iq type="result">` or `<iq type="error">`.
    pub fn of(answer: &Node) -> Self {
        if answer.is("type", "error") {
            let code = answer.find("error").and_then(|error| error.number("code"));
            return Self::Error(code.unwrap_or(0));
        }
        Self::Result(Box::new(answer.clone()))
    }

    pub(super) fn into_iq(self, purpose: &Purpose) -> IqEnd {
        match (self, purpose) {
            (Self::Error(code), _) => IqEnd::Error {
                code,
                backoff: None,
            },
            (Self::Lost, _) => IqEnd::Timeout,
            (Self::Result(node), _) => IqEnd::Result(*node),
            (Self::Json(text), _) => {
                let result = Node::new("result").bytes(text);
                IqEnd::Result(Node::new("iq").child(result))
            }
            (Self::Taken, _) => IqEnd::Result(Node::new("iq")),
        }
    }
}

/// A row as a host's store sees it: whatsmeow's `PrivacyToken`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Row {
    /// The token, or one placeholder byte when none may be attached but something is known.
    pub token: SecretBytes,
    /// The time the host compares with its own window; `None` for "not valid any more".
    pub t: Option<UnixSeconds>,
    /// When our token was issued to the contact last.
    pub sender_t: Option<UnixSeconds>,
}

/// A write of the host's store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RowPut {
    /// The contact.
    pub peer: Jid,
    /// The row as the host has it.
    pub row: Row,
}
