//! What a guest answers, and what it asks its host to send.

use sendpath::facade;

use crate::error::{ErrorDetails, NativeError};
use crate::guest::Guest;
use crate::guest_fact::{MessageKind, Row};
use crate::questions::{CanSend, Explanation, Recipient, answers, texts};

/// The decision for one message.
#[derive(Clone, uniffi::Record)]
pub struct Plan {
    /// Which element it carries, as a stable word.
    pub attach: String,
    /// The content of the element.
    pub bytes: Vec<u8>,
    /// The time stamp of the contact's token in Unix seconds.
    pub token_time: Option<i64>,
    /// The server has not said yet how old a token may be, and this one may be too old.
    pub ambiguous: bool,
    /// Why no tctoken, as a stable word.
    pub no_tctoken: Option<String>,
    /// Why not even a cstoken, as a stable word.
    pub no_cstoken: Option<String>,
    /// Why the message must not leave; `None` when it may.
    pub refusal: Option<ErrorDetails>,
}

/// An IQ to send: as it is, or built anew from the parts.
#[derive(Clone, Debug, uniffi::Record)]
pub struct WorkItem {
    /// The number to report it under.
    pub id: u64,
    /// What it is for, as a stable word.
    pub kind: String,
    /// For `issue`: the address in the IQ.
    pub peer: Option<String>,
    /// For `issue`: the time stamp in the IQ, in Unix seconds.
    pub time: Option<i64>,
    /// For `mex`: the document id.
    pub query_id: Option<String>,
    /// For `mex`: the variables, as JSON text.
    pub variables: Option<String>,
    /// The `id` in the IQ.
    pub iq_id: String,
    /// The whole IQ, encoded (flag byte first).
    pub iq: Vec<u8>,
}

/// How work ended.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum WorkResult {
    /// The server answered with an error.
    Failed {
        /// Its code.
        code: u16,
    },
    /// The JSON text in the answer to a GraphQL query.
    Json {
        /// The text.
        text: String,
    },
    /// It could not be sent, or nothing came back in time.
    Lost,
    /// The server took it; the answer says nothing more.
    Taken,
    /// The whole answer (flag byte first).
    Stanza {
        /// The bytes.
        bytes: Vec<u8>,
    },
}

#[uniffi::export]
impl Guest {
    /// What a message carries, and whether it may leave.
    pub fn plan(
        &self,
        to: String,
        kind: MessageKind,
        recipient: Recipient,
    ) -> Result<Plan, NativeError> {
        Ok(self.0.plan(&to, kind.into(), recipient.into())?.into())
    }

    /// The work that is not done, oldest first.
    pub fn outgoing(&self) -> Result<Vec<WorkItem>, NativeError> {
        let work = self.0.outgoing()?;
        Ok(work.into_iter().map(WorkItem::from).collect())
    }

    /// Work ended.
    pub fn work_done(&self, id: u64, result: WorkResult) -> Result<(), NativeError> {
        Ok(self.0.work_done(id, result.into())?)
    }

    /// The row of a contact as the host's library must see it; `None` for no row.
    pub fn row_get(&self, peer: String) -> Result<Option<Row>, NativeError> {
        Ok(self.0.row_get(&peer)?.map(Row::from))
    }

    /// The salt as the host's library must see it; `None` when no cstoken may be sent.
    pub fn salt_get(&self) -> Result<Option<Vec<u8>>, NativeError> {
        Ok(self.0.salt_get()?.map(|salt| salt.expose().to_vec()))
    }

    /// Whether messages to these may be sent, by what is known here.
    pub fn can_send(
        &self,
        to: Vec<String>,
        recipient: Recipient,
    ) -> Result<Vec<CanSend>, NativeError> {
        Ok(answers(self.0.can_send(&texts(&to), recipient.into())?))
    }

    /// What happened with a contact, and what is known about it.
    pub fn explain(&self, to: String) -> Result<Explanation, NativeError> {
        Ok(self.0.explain(&to)?.into())
    }

    /// The limits of the account, as a JSON object.
    pub fn limits(&self) -> Result<String, NativeError> {
        Ok(self.0.limits()?.to_json())
    }
}

impl From<facade::Plan> for Plan {
    fn from(plan: facade::Plan) -> Self {
        Self {
            attach: plan.attach.as_str().to_owned(),
            bytes: plan.bytes.expose().to_vec(),
            token_time: plan.token_time.map(|t| t.0),
            ambiguous: plan.ambiguous,
            no_tctoken: plan.no_tctoken.map(str::to_owned),
            no_cstoken: plan.no_cstoken.map(str::to_owned),
            refusal: plan.refusal.as_ref().map(ErrorDetails::from),
        }
    }
}

impl From<facade::WorkItem> for WorkItem {
    fn from(item: facade::WorkItem) -> Self {
        Self {
            id: item.id,
            kind: item.kind.as_str().to_owned(),
            peer: item.peer,
            time: item.t.map(|t| t.0),
            query_id: item.query_id,
            variables: item.variables,
            iq_id: item.iq_id,
            iq: item.iq,
        }
    }
}

impl From<WorkResult> for facade::WorkResult {
    fn from(result: WorkResult) -> Self {
        match result {
            WorkResult::Failed { code } => Self::Error(code),
            WorkResult::Json { text } => Self::Json(text),
            WorkResult::Lost => Self::Lost,
            WorkResult::Taken => Self::Ok,
            WorkResult::Stanza { bytes } => Self::Stanza(bytes),
        }
    }
}
