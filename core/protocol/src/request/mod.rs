//! What a host asks of the server through a session, and how each question ends: exactly once, in a
//! reply of its own type or in a [`RequestError`].
//!
//! ```text
//! Command::Request(request) -> stanza -> answer -> Effect::Reply(op, Ok(reply) | Err(why))
//! ```
//! Every request is a type that names its reply, so a driver needs one way for all of them. Without
//! a connection a request ends at once; it never waits for one.

mod chat;
mod group;
mod picture;
mod resolve;
mod timer;

pub use chat::{ChatState, MarkRead, SetPresence, Typing};
pub use group::{GroupInfo, GroupQuery};
pub use picture::{Picture, PictureReply, ProfilePicture};
pub use resolve::{MAX_NUMBERS, Registration, Resolve, Resolved};
pub use timer::{SetTimer, TimerOf};

use crate::media::ticket::Ticket;
use crate::stream::iq::IqEnd;

/// A request with a reply of its own type.
pub trait Request: Into<AnyRequest> {
    /// What it ends in when all is well.
    type Reply;

    /// Its reply; `None` for the reply of another request.
    fn read(reply: AnyReply) -> Option<Self::Reply>;
}

/// Any request, as it travels to a session.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AnyRequest {
    /// We are typing, recording, or have stopped.
    ChatState(ChatState),
    /// Delete what is stored for the account.
    ForgetAccount(ForgetAccount),
    /// A group's metadata.
    GroupQuery(GroupQuery),
    /// Messages were read or played.
    MarkRead(MarkRead),
    /// The media servers.
    MediaTicket(MediaTicket),
    /// Somebody's picture.
    ProfilePicture(ProfilePicture),
    /// Who is behind phone numbers.
    Resolve(Resolve),
    /// We are here, or not.
    SetPresence(SetPresence),
    /// How long messages stay.
    SetTimer(SetTimer),
}

/// Any reply, as it travels from a session.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AnyReply {
    /// It is done, or has left where nobody answers.
    Done,
    /// To [`GroupQuery`].
    Group(Box<GroupInfo>),
    /// To [`ProfilePicture`].
    Picture(PictureReply),
    /// To [`Resolve`].
    Resolved(Vec<Resolved>),
    /// To [`MediaTicket`].
    Ticket(Ticket),
}

/// Why a request has no reply.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Too many requests of this account are open.
    #[error("too many requests are open")]
    Busy,
    /// The account was closed, or its session had to be rebuilt; what was asked may have been done.
    #[error("the account was closed before the answer")]
    Closed,
    /// The connection ended before the answer; what was asked may have been done.
    #[error("the connection ended before the answer")]
    ConnectionLost,
    /// The account has no display name yet, and the server takes no presence without one. It comes
    /// with the first app state of the phone: `Event::PushNameChanged`.
    #[error("the account's display name is not known yet")]
    NameUnknown,
    /// There is no connection; nothing was asked.
    #[error("not connected")]
    NotConnected,
    /// The device is not linked; nothing was asked.
    #[error("not linked to an account")]
    NotPaired,
    /// The server refuses, by its number: 401 and 403 not allowed, 404 not found, 429 too often.
    #[error("the server refuses: {code}")]
    Refused {
        /// The server's number; 0 when it gave none.
        code: u16,
        /// For how many seconds not to ask again, if somebody said so.
        backoff: Option<u32>,
    },
    /// The server's answer cannot be read.
    #[error("the server's answer cannot be read")]
    Strange,
    /// No answer in time; what was asked may have been done.
    #[error("no answer in time")]
    Timeout,
}

impl RequestError {
    /// Why a question has no result; `None` if it has one.
    pub fn of(end: &IqEnd) -> Option<Self> {
        match *end {
            IqEnd::Disconnected => Some(Self::ConnectionLost),
            IqEnd::Error { code, backoff } => Some(Self::Refused { code, backoff }),
            IqEnd::Result(_) => None,
            IqEnd::Timeout => Some(Self::Timeout),
        }
    }
}

/// Delete everything that is stored for the account: tokens, names, limits, timelines. The link of
/// this device stays. The reply comes when it is durable; without an account there is nothing to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ForgetAccount;

/// The media servers, and our leave to upload to them. Asks the server only when they are not known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MediaTicket {
    /// Do not use what is known: the servers refused it.
    pub renew: bool,
}

/// Makes a type the request of that name. A reply without a value is [`AnyReply::Done`].
macro_rules! request {
    ($name:ident) => {
        request!($name, (), AnyReply::Done => Some(()));
    };
    ($name:ident, $variant:ident($reply:ty)) => {
        request!($name, $reply, AnyReply::$variant(reply) => Some(reply));
    };
    ($name:ident, $reply:ty, $pattern:pat => $read:expr) => {
        impl From<$name> for AnyRequest {
            fn from(request: $name) -> Self {
                Self::$name(request)
            }
        }

        impl Request for $name {
            type Reply = $reply;

            fn read(reply: AnyReply) -> Option<$reply> {
                match reply {
                    $pattern => $read,
                    _ => None,
                }
            }
        }
    };
}

request!(ChatState);
request!(ForgetAccount);
request!(GroupQuery, Group(Box<GroupInfo>));
request!(MarkRead);
request!(MediaTicket, Ticket(Ticket));
request!(ProfilePicture, Picture(PictureReply));
request!(Resolve, Resolved(Vec<Resolved>));
request!(SetPresence);
request!(SetTimer);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_its_own_reply_only() {
        assert_eq!(SetPresence::read(AnyReply::Done), Some(()));
        assert_eq!(Resolve::read(AnyReply::Done), None);
        let none = AnyReply::Resolved(Vec::new());
        assert_eq!(Resolve::read(none.clone()), Some(Vec::new()));
        assert_eq!(SetPresence::read(none), None);
    }

    #[test]
    fn every_end_but_a_result_is_an_error() {
        use crate::wap::Node;
        let refused = IqEnd::Error {
            code: 429,
            backoff: Some(7),
        };
        let told = [
            (IqEnd::Disconnected, Some(RequestError::ConnectionLost)),
            (
                refused,
                Some(RequestError::Refused {
                    code: 429,
                    backoff: Some(7),
                }),
            ),
            (IqEnd::Timeout, Some(RequestError::Timeout)),
            (IqEnd::Result(Node::new("iq")), None),
        ];
        for (end, error) in told {
            assert_eq!(RequestError::of(&end), error);
        }
    }
}
