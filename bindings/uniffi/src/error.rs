//! The facade's error in the shape of uniffi: an enum by class, each with the same details.

use sendpath::facade::{Class, Error, Status};
use sendpath_protocol::verdict::{Cause, MessageId, Next};

/// Why a call or a send failed. The details are a record because Kotlin exceptions have a `message`
/// and a `cause` of their own.
#[derive(Clone, Debug, thiserror::Error, uniffi::Error)]
pub enum NativeError {
    /// A bug in sendpath.
    #[error("{}", details.message)]
    Bug {
        /// What is known.
        details: ErrorDetails,
    },
    /// A file could not be brought up or down.
    #[error("{}", details.message)]
    Media {
        /// What is known.
        details: ErrorDetails,
    },
    /// The caller used the library wrongly.
    #[error("{}", details.message)]
    Misuse {
        /// What is known.
        details: ErrorDetails,
    },
    /// The send was refused, here or by the server.
    #[error("{}", details.message)]
    Refused {
        /// What is known.
        details: ErrorDetails,
    },
    /// The surroundings: closed, forked, out of time, out of resources.
    #[error("{}", details.message)]
    Runtime {
        /// What is known.
        details: ErrorDetails,
    },
    /// The store failed.
    #[error("{}", details.message)]
    Store {
        /// What is known.
        details: ErrorDetails,
    },
    /// The end of the send is not known.
    #[error("{}", details.message)]
    Unknown {
        /// What is known.
        details: ErrorDetails,
    },
}

/// What is known about a failure; what does not apply is `None`.
#[derive(Clone, Debug, Eq, PartialEq, uniffi::Record)]
pub struct ErrorDetails {
    /// The stable number.
    pub status: i32,
    /// The stable name of the number.
    pub name: String,
    /// For people: what happened.
    pub message: String,
    /// Why a send was refused, as a stable word.
    pub cause: Option<String>,
    /// What to do, as a stable word.
    pub next: Option<String>,
    /// When the cause ends, in Unix seconds.
    pub until: Option<i64>,
    /// How long to wait before trying once more.
    pub retry_after_ms: Option<u64>,
    /// Whether the same message can succeed later.
    pub may_retry: Option<bool>,
    /// The server's nack code, or the HTTP status of the media servers.
    pub code: Option<u16>,
    /// For people: what it means and what to do.
    pub advice: Option<String>,
    /// What the message carried to open the chat, as a stable word.
    pub attached: Option<String>,
    /// Id of the message.
    pub message_id: Option<String>,
    /// Whether a message without an answer will be sent again by itself.
    pub still_trying: Option<bool>,
}

/// One line of the table of numbers.
#[derive(Clone, Debug, Eq, PartialEq, uniffi::Record)]
pub struct StatusEntry {
    /// The stable number.
    pub status: i32,
    /// The stable name.
    pub name: String,
    /// Who has to act, as a stable word.
    pub class: String,
}

/// Every number that can occur, for the tests of the bindings.
#[uniffi::export]
pub fn status_table() -> Vec<StatusEntry> {
    let entry = |status: Status| StatusEntry {
        status: status.number(),
        name: status.as_str().to_owned(),
        class: status.class().as_str().to_owned(),
    };
    Status::ALL.into_iter().map(entry).collect()
}

impl From<Error> for NativeError {
    fn from(error: Error) -> Self {
        let details = ErrorDetails::from(&error);
        match error.class() {
            Class::Media => Self::Media { details },
            Class::Misuse => Self::Misuse { details },
            Class::Refused => Self::Refused { details },
            Class::Runtime => Self::Runtime { details },
            Class::Store => Self::Store { details },
            Class::Unknown => Self::Unknown { details },
            _ => Self::Bug { details },
        }
    }
}

impl From<&Error> for ErrorDetails {
    fn from(error: &Error) -> Self {
        Self {
            status: error.status().number(),
            name: error.status().as_str().to_owned(),
            message: error.message().to_owned(),
            cause: error.cause().map(Cause::as_str).map(str::to_owned),
            next: error.next().map(Next::as_str).map(str::to_owned),
            until: error.until().map(|t| t.0),
            retry_after_ms: error.retry_after().map(|wait| wait.0),
            may_retry: error.may_retry(),
            code: error.nack_code(),
            advice: error.advice().map(str::to_owned),
            attached: error.attached().map(str::to_owned),
            message_id: error.message_id().map(MessageId::as_str).map(str::to_owned),
            still_trying: error.still_trying(),
        }
    }
}
