//! What the guest asks its host to send.

use sendpath_protocol::guest::{Fact, Work, WorkEnd, WorkKind};
use sendpath_protocol::time::UnixSeconds;

use super::Guest;
use super::facts::node;
use crate::facade::error::Error;

/// What work is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
#[repr(i32)]
pub enum WorkItemKind {
    /// Something that this surface has no fields for: send the IQ as it is.
    Other = 0,
    /// Ask for the AB props.
    Props = 1,
    /// Issue our token to a contact: its address and the time stamp.
    Issue = 2,
    /// A GraphQL query: the document id and the variables.
    Mex = 3,
}

impl WorkItemKind {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Props => "props",
            Self::Issue => "issue",
            Self::Mex => "mex",
        }
    }
}

/// An IQ to send: as it is, or built anew from the parts by the host's library.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct WorkItem {
    /// The number to report it under; never used again.
    pub id: u64,
    /// What it is for.
    pub kind: WorkItemKind,
    /// For `Issue`: the address in the IQ.
    pub peer: Option<String>,
    /// For `Issue`: the time stamp in the IQ.
    pub t: Option<UnixSeconds>,
    /// For `Mex`: the document id.
    pub query_id: Option<String>,
    /// For `Mex`: the variables, as JSON text.
    pub variables: Option<String>,
    /// The `id` in the IQ.
    pub iq_id: String,
    /// The whole IQ, encoded as it goes into the Noise layer (flag byte first).
    pub iq: Vec<u8>,
}

impl From<&Work> for WorkItem {
    fn from(work: &Work) -> Self {
        let item = Self {
            id: work.id,
            kind: WorkItemKind::Other,
            peer: None,
            t: None,
            query_id: None,
            variables: None,
            iq_id: work.iq_id.clone(),
            iq: work.iq.clone(),
        };
        match &work.kind {
            WorkKind::Props => Self {
                kind: WorkItemKind::Props,
                ..item
            },
            WorkKind::Issue { target, t } => Self {
                kind: WorkItemKind::Issue,
                peer: Some(target.to_string()),
                t: Some(*t),
                ..item
            },
            WorkKind::Mex {
                query_id,
                variables,
            } => Self {
                kind: WorkItemKind::Mex,
                query_id: Some(query_id.clone()),
                variables: Some(variables.clone()),
                ..item
            },
            _ => item,
        }
    }
}

/// How work ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum WorkResult {
    /// The server answered with an error code.
    Error(u16),
    /// The JSON text in the answer to a `Mex` query.
    Json(String),
    /// It could not be sent, or nothing came back in time.
    Lost,
    /// The server took it; the answer says nothing more. Enough for `Issue`.
    Ok,
    /// The whole answer as it came out of the Noise layer (flag byte first).
    Stanza(Vec<u8>),
}

impl Guest {
    /// The work that is not done, oldest first: the same entries until they are reported or lost with
    /// the connection. A host that shows every stanza to [`Guest::observe_stanza`] and sends the IQs
    /// as they are has nothing to report.
    ///
    /// # Errors
    /// `Closed`, `Forked`, `WouldDeadlock`.
    pub fn outgoing(&self) -> Result<Vec<WorkItem>, Error> {
        self.with(|machine, events| {
            let guest = machine.guest(events);
            Ok(guest.map_or_else(Vec::new, |guest| {
                guest.outgoing().map(WorkItem::from).collect()
            }))
        })
    }

    /// Work ended. Numbers that are done already, or never were, change nothing.
    ///
    /// # Errors
    /// `BadBytes` for a stanza that does not decode; the work stays open. `Closed`, `Forked`,
    /// `WouldDeadlock`, what the store says.
    pub fn work_done(&self, id: u64, result: WorkResult) -> Result<(), Error> {
        let end = match result {
            WorkResult::Error(code) => WorkEnd::Error(code),
            WorkResult::Json(text) => WorkEnd::Json(text),
            WorkResult::Lost => WorkEnd::Lost,
            WorkResult::Ok => WorkEnd::Taken,
            WorkResult::Stanza(bytes) => WorkEnd::of(&node(&bytes)?),
        };
        self.handle(Fact::WorkDone { id, end })
    }
}
