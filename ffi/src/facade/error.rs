//! One table: fault or refusal -> status, class, message and what to do next.

use core::fmt;

use sendpath_engine::EngineError;
use sendpath_protocol::error::{ApiMisuse, Fault, StoreError};
use sendpath_protocol::media::fetch::FetchError;
use sendpath_protocol::media::upload::UploadError;
use sendpath_protocol::time::{Millis, UnixSeconds};
use sendpath_protocol::verdict::{Attached, Cause, Lost, MessageId, Next, Refusal, WhyNot};

use super::evidence;
use super::json::Object;
use super::status::{Class, Status};

/// Why a call or a send failed. Attributes that do not apply are `None`, never a sentinel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error {
    status: Status,
    message: Box<str>,
    detail: Detail,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Detail {
    None,
    Refusal(Box<Refusal>),
    Lost(Box<Lost>),
    /// A transfer: the HTTP status, and whether trying once more can help.
    Media(Option<u16>, bool),
}

impl Error {
    /// An error of the foreign surface itself.
    pub fn new(status: Status, message: impl Into<Box<str>>) -> Self {
        Self {
            status,
            message: message.into(),
            detail: Detail::None,
        }
    }

    fn media(status: Status, message: String, code: Option<u16>, passing: bool) -> Self {
        Self {
            status,
            message: message.into(),
            detail: Detail::Media(code, passing),
        }
    }

    /// The engine or account is closed.
    pub fn closed() -> Self {
        Self::new(Status::Closed, "the engine or account is closed")
    }

    /// The process was forked after the engine was opened.
    pub fn forked() -> Self {
        let message = "the process was forked after the engine was opened; open one in the child";
        Self::new(Status::Forked, message)
    }

    /// The given time passed first.
    pub fn timeout() -> Self {
        Self::new(Status::Timeout, "the given time passed first")
    }

    /// A blocking call on a library thread.
    pub fn would_deadlock() -> Self {
        let message = "a blocking call from a callback would wait for its own thread";
        Self::new(Status::WouldDeadlock, message)
    }

    /// The number.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Who has to act.
    pub fn class(&self) -> Class {
        self.status.class()
    }

    /// For people: what happened.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Why a send was refused; `None` for everything else.
    pub fn cause(&self) -> Option<Cause> {
        self.refusal().map(|refusal| refusal.cause)
    }

    /// What to do; `None` unless a send was refused.
    pub fn next(&self) -> Option<Next> {
        self.refusal().map(Refusal::next)
    }

    /// When the cause of a refusal ends, if anybody knows.
    pub fn until(&self) -> Option<UnixSeconds> {
        self.refusal().and_then(|refusal| refusal.until)
    }

    /// How long to wait before trying once more.
    pub fn retry_after(&self) -> Option<Millis> {
        match self.next()? {
            Next::RetryAfter(wait) => Some(wait),
            _ => None,
        }
    }

    /// The instant before which trying again is useless.
    pub fn retry_at(&self) -> Option<UnixSeconds> {
        match self.next()? {
            Next::WaitUntil(t) => Some(t),
            _ => None,
        }
    }

    /// Whether the same message may be sent once more after [`Error::retry_after`], with nothing else
    /// to wait for; for a file, whether another try can help. `None` for everything else.
    pub fn may_retry(&self) -> Option<bool> {
        match &self.detail {
            Detail::Media(_, passing) => Some(*passing),
            _ => self.refusal().map(Refusal::may_retry),
        }
    }

    /// The server's nack code, or the HTTP status of the media servers; `None` when they said nothing.
    pub fn nack_code(&self) -> Option<u16> {
        match &self.detail {
            Detail::Media(code, _) => *code,
            _ => self.refusal().and_then(|refusal| refusal.code),
        }
    }

    /// For people: what it means and what to do; `None` unless a send was refused.
    pub fn advice(&self) -> Option<&'static str> {
        self.cause().map(Cause::advice)
    }

    /// What the refused message carried to open the chat, as a stable word.
    pub fn attached(&self) -> Option<&'static str> {
        attached_word(self.refusal()?.attached)
    }

    /// Id of the message the error is about.
    pub fn message_id(&self) -> Option<&MessageId> {
        match &self.detail {
            Detail::None | Detail::Media(..) => None,
            Detail::Refusal(refusal) => refusal.id.as_ref(),
            Detail::Lost(lost) => Some(&lost.id),
        }
    }

    /// For `OutcomeUnknown`: whether the outbox still holds the message and will send it again.
    pub fn still_trying(&self) -> Option<bool> {
        match &self.detail {
            Detail::Lost(lost) => Some(lost.still_trying),
            _ => None,
        }
    }

    /// Everything as one JSON object; what does not apply is absent.
    pub fn to_json(&self) -> String {
        let mut object = Object::new();
        object.number("status", self.status.number().into());
        object.text("name", self.status.as_str());
        object.text("class", self.class().as_str());
        object.text("message", &self.message);
        let texts = [
            ("cause", self.cause().map(Cause::as_str)),
            ("next", self.next().map(Next::as_str)),
            ("advice", self.advice()),
            ("attached", self.attached()),
            ("id", self.message_id().map(MessageId::as_str)),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                object.text(name, text);
            }
        }
        let numbers = [
            ("until", self.until().map(|t| t.0)),
            ("retry_at", self.retry_at().map(|t| t.0)),
            (
                "retry_after_ms",
                self.retry_after()
                    .map(|t| i64::try_from(t.0).unwrap_or(i64::MAX)),
            ),
            ("nack_code", self.nack_code().map(i64::from)),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                object.number(name, number);
            }
        }
        for (name, flag) in [
            ("may_retry", self.may_retry()),
            ("still_trying", self.still_trying()),
        ] {
            if let Some(flag) = flag {
                object.flag(name, flag);
            }
        }
        if let Some(evidence) = self
            .refusal()
            .and_then(|refusal| refusal.evidence.as_deref())
        {
            object.raw("evidence", &evidence::to_json(evidence));
        }
        object.finish()
    }

    fn refusal(&self) -> Option<&Refusal> {
        match &self.detail {
            Detail::Refusal(refusal) => Some(refusal),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status.as_str(), self.message)
    }
}

impl std::error::Error for Error {}

/// What a message carried to open the chat, or why nothing, as a stable word; `None` while
/// undecided.
pub fn attached_word(attached: Attached) -> Option<&'static str> {
    Some(match attached {
        Attached::Cstoken => "cstoken",
        Attached::Tctoken { .. } => "tctoken",
        Attached::Nothing(WhyNot::Expired { .. }) => "nothing_expired",
        Attached::Nothing(WhyNot::NeverReceived) => "nothing_never_received",
        Attached::Nothing(WhyNot::NotEligible) => "nothing_not_eligible",
        Attached::Nothing(WhyNot::GateOff) => "nothing_gate_off",
        Attached::Nothing(WhyNot::StoreError) => "nothing_store_error",
        _ => return None,
    })
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let message = match refusal.code {
            Some(code) => format!("{} (server code {code})", refusal.cause.advice()),
            None => refusal.cause.advice().to_owned(),
        };
        Self {
            status: refusal.cause.into(),
            message: message.into(),
            detail: Detail::Refusal(Box::new(refusal)),
        }
    }
}

impl From<Lost> for Error {
    fn from(lost: Lost) -> Self {
        let message = if lost.still_trying {
            "the answer was lost; the same bytes are sent again after a reconnect"
        } else {
            "the answer was lost; the message may or may not have arrived"
        };
        Self {
            status: Status::OutcomeUnknown,
            message: message.into(),
            detail: Detail::Lost(Box::new(lost)),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Store(error) => error.into(),
            other => Self::new(Status::Bug, other.to_string()),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::Busy => Status::StoreBusy,
            StoreError::Corrupt(_) => Status::StoreCorrupt,
            StoreError::Fenced => Status::StoreFenced,
            StoreError::Full => Status::StoreFull,
            StoreError::Host(_) => Status::StoreHost,
            StoreError::Io(_) => Status::StoreIo,
            StoreError::ReadOnly => Status::StoreReadOnly,
            StoreError::Schema { .. } => Status::StoreSchema,
            StoreError::Version { .. } => Status::StoreVersion,
            _ => Status::StoreOther,
        };
        Self::new(status, error.to_string())
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        let status = match error {
            EngineError::AlreadyOpen => Status::AlreadyOpen,
            EngineError::Closed => return Self::closed(),
            EngineError::Download(error) => return error.into(),
            EngineError::Fault(fault) => return fault.into(),
            EngineError::Forked => return Self::forked(),
            EngineError::Misuse(misuse) => return misuse.into(),
            EngineError::System(_) => Status::Runtime,
            EngineError::Upload(error) => return error.into(),
            EngineError::Uri(_) => Status::InvalidArgument,
            EngineError::WouldDeadlock => return Self::would_deadlock(),
            _ => Status::Bug,
        };
        Self::new(status, error.to_string())
    }
}

impl From<UploadError> for Error {
    fn from(error: UploadError) -> Self {
        let (status, code, passing) = match &error {
            UploadError::File(_) => (Status::MediaFile, None, false),
            UploadError::NotConnected => (Status::MediaNotConnected, None, true),
            UploadError::Refused(code) => (Status::MediaRefused, Some(*code), *code >= 500),
            UploadError::Unreachable(_) => (Status::MediaUnreachable, None, true),
            _ => (Status::MediaRefused, None, true),
        };
        Self::media(status, error.to_string(), code, passing)
    }
}

impl From<FetchError> for Error {
    fn from(error: FetchError) -> Self {
        let (status, code) = match &error {
            FetchError::Damaged(_) => (Status::MediaDamaged, None),
            FetchError::Gone(code) => (Status::MediaGone, Some(*code)),
            FetchError::NoRoom(_) => (Status::MediaFile, None),
            FetchError::NotConnected => (Status::MediaNotConnected, None),
            FetchError::Refused(code) => (Status::MediaRefused, Some(*code)),
            _ => (Status::MediaUnreachable, None),
        };
        Self::media(status, error.to_string(), code, error.is_passing())
    }
}

impl From<ApiMisuse> for Error {
    fn from(misuse: ApiMisuse) -> Self {
        let status = match misuse {
            ApiMisuse::BadAccountName => Status::BadAccountName,
            ApiMisuse::BadAddress => Status::BadAddress,
            ApiMisuse::BadBytes => Status::BadBytes,
            ApiMisuse::BadCode => Status::BadCode,
            ApiMisuse::BadContent => Status::BadContent,
            ApiMisuse::BadMessageId => Status::BadMessageId,
            ApiMisuse::BadNumber => Status::BadNumber,
            _ => Status::InvalidArgument,
        };
        Self::new(status, misuse.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(cause: Cause, until: Option<i64>) -> Error {
        Error::from(Refusal {
            id: MessageId::parse("3EB0A1"),
            cause,
            code: Some(463),
            attached: Attached::Nothing(WhyNot::NeverReceived),
            until: until.map(UnixSeconds),
            evidence: None,
        })
    }

    #[test]
    fn a_refusal_tells_cause_code_end_and_next_step() {
        let error = refusal(Cause::AccountTimelocked, Some(1_800_000_000));
        assert_eq!(error.status(), Status::AccountTimelocked);
        assert_eq!(error.class(), Class::Refused);
        assert_eq!(error.nack_code(), Some(463));
        assert_eq!(error.until(), Some(UnixSeconds(1_800_000_000)));
        assert_eq!(error.retry_at(), Some(UnixSeconds(1_800_000_000)));
        assert_eq!(error.retry_after(), None);
        assert_eq!(error.attached(), Some("nothing_never_received"));
        assert_eq!(error.message_id().map(MessageId::as_str), Some("3EB0A1"));
        assert_eq!(error.advice(), Some(Cause::AccountTimelocked.advice()));
        assert!(error.message().contains("(server code 463)"));
    }

    #[test]
    fn an_attribute_that_does_not_apply_is_absent() {
        let error = Error::from(StoreError::Fenced);
        assert_eq!(error.status(), Status::StoreFenced);
        assert_eq!((error.cause(), error.next()), (None, None));
        assert_eq!((error.until(), error.nack_code()), (None, None));
        assert_eq!((error.advice(), error.attached()), (None, None));
        assert_eq!((error.message_id(), error.still_trying()), (None, None));
    }

    #[test]
    fn a_lost_answer_says_whether_it_is_still_being_tried() {
        let error = Error::from(Lost {
            id: MessageId::parse("3EB0A1").unwrap(),
            still_trying: true,
        });
        assert_eq!(error.status(), Status::OutcomeUnknown);
        assert_eq!(error.still_trying(), Some(true));
    }

    #[test]
    fn every_store_error_and_misuse_has_a_number_of_its_own() {
        use std::collections::BTreeSet;
        let text = String::new;
        let all: Vec<Error> = vec![
            StoreError::Busy.into(),
            StoreError::Corrupt(text()).into(),
            StoreError::Fenced.into(),
            StoreError::Full.into(),
            StoreError::Host(text()).into(),
            StoreError::Io(text()).into(),
            StoreError::ReadOnly.into(),
            ApiMisuse::BadAccountName.into(),
            ApiMisuse::BadAddress.into(),
            ApiMisuse::BadBytes.into(),
            ApiMisuse::BadCode.into(),
            ApiMisuse::BadContent.into(),
            ApiMisuse::BadMessageId.into(),
            ApiMisuse::BadNumber.into(),
            Fault::Bug("x").into(),
        ];
        let numbers: BTreeSet<_> = all.iter().map(|e| e.status().number()).collect();
        assert_eq!(numbers.len(), all.len());
        assert!(!numbers.contains(&Status::StoreOther.number()));
        assert!(!numbers.contains(&Status::InvalidArgument.number()));
    }
}
