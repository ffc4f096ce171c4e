//! Who sent a message, and to which chat.
//!
//! ```text
//! from=<group | broadcast>  participant                 chat = from, sender = participant
//! from=<own device>         [recipient]                 chat = recipient, or what the content says
//! from=<device>                                         chat = its account
//! from=<newsletter>                                     chat = sender = from
//! ```
//! Source: spec "Message source". The second name of each is learnt by
//! [`Mapping::all_in`](crate::lidmap::Mapping::all_in).

use crate::inbox::Carrier;
use crate::jid::{Jid, Server};
use crate::time::UnixSeconds;
use crate::verdict::MessageId;
use crate::wap::Node;

/// Seconds after which a status is gone: nobody would see it any more.
const STATUS_LIVES: i64 = 24 * 3600;

/// Who sent a message, and to which chat.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) id: MessageId,
    pub(super) chat: Jid,
    pub(super) sender: Jid,
    pub(super) from_me: bool,
    /// It came to this account alone, not to a group or a list.
    pub(super) pairwise: bool,
    /// The server's time stamp, if there is one.
    pub(super) t: Option<UnixSeconds>,
}

impl Source {
    /// Reads a message stanza; `None` when it does not say who sent it.
    pub(super) fn of(message: &Node, is_own: impl Fn(&Jid) -> bool) -> Option<Self> {
        let id = MessageId::parse(&message.text("id")?)?;
        let from = message.address("from")?;
        let pairwise = !matches!(from.server_part(), Server::Group | Server::Broadcast);
        let sender = match pairwise {
            true => from.clone(),
            false => message.address("participant")?,
        };
        let from_me = is_own(&sender);
        let chat = match (pairwise, from_me) {
            (true, true) => message
                .address("recipient")
                .unwrap_or_else(|| from.account()),
            (true, false) => from.account(),
            (false, _) => from,
        };
        Some(Self {
            id,
            chat,
            sender,
            from_me,
            pairwise,
            t: message.number("t").map(UnixSeconds),
        })
    }

    /// The stanza itself.
    pub(super) fn carrier(&self) -> Carrier {
        Carrier {
            id: self.id.clone(),
            sender: self.sender.clone(),
        }
    }

    /// A status that has gone by `now`.
    pub(super) fn is_expired_status(&self, now: UnixSeconds) -> bool {
        let old = |t: UnixSeconds| now.since(t) > STATUS_LIVES;
        self.chat.is_status() && self.t.is_some_and(old)
    }
}
