//! What can be asked without sending.

use sendpath::facade;

use crate::error::ErrorDetails;

/// What the host knows about a recipient that its address does not tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq, uniffi::Enum)]
pub enum Recipient {
    /// A verified official business.
    Enterprise,
    /// Nothing special.
    Ordinary,
    /// WhatsApp's own support.
    Support,
}

/// Whether a message to an address may be sent.
#[derive(Clone, Debug, uniffi::Record)]
pub struct CanSend {
    /// The address, as JID.
    pub to: String,
    /// The answer, as a stable word.
    pub answer: String,
    /// What the message would carry to open the chat, as a stable word.
    pub attached: Option<String>,
    /// Why not, and until when.
    pub error: Option<ErrorDetails>,
}

/// What is known about a contact, and what happened.
#[derive(Clone, uniffi::Record)]
pub struct Explanation {
    /// For people; names nobody.
    pub text: String,
    /// The same with the contact's addresses.
    pub revealing: String,
    /// The data, as a JSON object that names nobody.
    pub json: String,
}

impl From<Recipient> for facade::RecipientHint {
    fn from(recipient: Recipient) -> Self {
        match recipient {
            Recipient::Enterprise => Self::Enterprise,
            Recipient::Ordinary => Self::Ordinary,
            Recipient::Support => Self::Support,
        }
    }
}

impl From<facade::CanSend> for CanSend {
    fn from(told: facade::CanSend) -> Self {
        Self {
            answer: told.answer.as_str().to_owned(),
            attached: told.attached_word().map(str::to_owned),
            error: told.error.as_ref().map(ErrorDetails::from),
            to: told.to,
        }
    }
}

impl From<facade::Explanation> for Explanation {
    fn from(told: facade::Explanation) -> Self {
        Self {
            text: told.text(false),
            revealing: told.text(true),
            json: told.to_json(),
        }
    }
}

/// The answers about all addresses.
pub(crate) fn answers(told: Vec<facade::CanSend>) -> Vec<CanSend> {
    told.into_iter().map(CanSend::from).collect()
}

/// The addresses as the facade takes them.
pub(crate) fn texts(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}
