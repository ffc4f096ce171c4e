//! Requests of the host: each ends in exactly one reply, whatever happens.
//!
//! ```text
//! request -> open -> stanza -> answer | timeout | connection lost | stopped -> reply
//!                 -> cancelled: nobody waits, the answer is only learnt from
//! ```
//! Nothing here is stored, and nothing waits for a connection.

use std::collections::BTreeSet;

use crate::effect::{Effect, OpId};
use crate::error::Fault;
use crate::groups;
use crate::jid::Jid;
use crate::peer::PeerKey;
use crate::request::{
    AnyReply, AnyRequest, GroupInfo, MarkRead, PictureReply, ProfilePicture, RequestError,
    SetPresence,
};
use crate::session::resolving::Resolving;
use crate::session::{Phase, Purpose, Session};
use crate::stream::iq::IqEnd;
use crate::stream::pause::Pause;
use crate::txn::Cx;
use crate::wap::Node;

/// Requests that are open at a time; more are refused.
const MOST: usize = 256;

/// What a question was asked for.
#[derive(Debug)]
pub(super) enum Asked {
    /// For nothing but to be done.
    Done(OpId),
    /// The metadata of a group.
    Group(OpId, Jid),
    /// A picture; `true`: the question named the one we have.
    Picture(OpId, bool),
    /// The account's privacy settings.
    Privacy,
    /// A batch of numbers.
    Resolve(OpId),
}

/// The requests of a session.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// Somebody waits for these.
    open: BTreeSet<OpId>,
    /// Whether senders are told that we read; `None` while we have not asked.
    read_receipts: Option<bool>,
    /// Wait for that.
    reads: Vec<(OpId, MarkRead)>,
    /// We are available, on this connection.
    available: bool,
    pub(super) resolving: Vec<Resolving>,
    /// Questions about users.
    pub(super) pause: Pause,
}

impl Requests {
    /// Nobody waits for its reply any more.
    pub(super) fn cancel(&mut self, op: OpId) {
        self.open.remove(&op);
    }

    /// Whether somebody waits for its reply.
    pub(super) fn is_open(&self, op: OpId) -> bool {
        self.open.contains(&op)
    }

    /// Whether somebody looks at the messages.
    pub(super) const fn is_available(&self) -> bool {
        self.available
    }

    /// The privacy settings changed, or may have.
    pub(super) const fn privacy_changed(&mut self) {
        self.read_receipts = None;
    }

    /// Presence belongs to the connection, and settings may change while there is none.
    pub(super) const fn disconnected(&mut self) {
        self.available = false;
        self.read_receipts = None;
    }
}

impl Session {
    pub(super) fn requested(
        &mut self,
        cx: &mut Cx<'_>,
        op: OpId,
        request: AnyRequest,
    ) -> Result<(), Fault> {
        if self.requests.open.len() >= MOST {
            cx.effect(Effect::Reply(op, Err(RequestError::Busy)));
            return Ok(());
        }
        self.requests.open.insert(op);
        match request {
            AnyRequest::ForgetAccount(_) => {
                self.forget_account(cx)?;
                self.reply(cx, op, Ok(AnyReply::Done));
                return Ok(());
            }
            AnyRequest::MediaTicket(ticket) => {
                self.media_ticket(cx, op, ticket.renew);
                return Ok(());
            }
            _ => {}
        }
        let unable = match (self.phase, self.device.paired()) {
            (_, None) => Some(RequestError::NotPaired),
            (Phase::Online, _) => None,
            _ => Some(RequestError::NotConnected),
        };
        if let Some(unable) = unable {
            self.reply(cx, op, Err(unable));
            return Ok(());
        }
        self.request_online(cx, op, request)
    }

    fn request_online(
        &mut self,
        cx: &mut Cx<'_>,
        op: OpId,
        request: AnyRequest,
    ) -> Result<(), Fault> {
        match request {
            AnyRequest::ChatState(state) => {
                let own = self.own_beside(&state.to);
                self.tell(cx, op, [state.stanza(own)]);
            }
            AnyRequest::GroupQuery(query) => {
                let iq = groups::query(&query.0, None);
                self.ask(cx, iq, Purpose::Request(Asked::Group(op, query.0)));
            }
            AnyRequest::MarkRead(read) => self.mark_read(cx, op, read),
            AnyRequest::ProfilePicture(picture) => self.ask_picture(cx, op, &picture)?,
            AnyRequest::Resolve(resolve) => self.resolve(cx, op, resolve),
            AnyRequest::SetPresence(presence) => self.set_presence(cx, op, presence),
            AnyRequest::SetTimer(timer) => {
                self.ask(cx, timer.query(), Purpose::Request(Asked::Done(op)));
            }
            // They need no connection.
            AnyRequest::ForgetAccount(_) | AnyRequest::MediaTicket(_) => {}
        }
        Ok(())
    }

    /// The end of a request, unless nobody waits for it.
    pub(super) fn reply(
        &mut self,
        cx: &mut Cx<'_>,
        op: OpId,
        reply: Result<AnyReply, RequestError>,
    ) {
        if self.requests.open.remove(&op) {
            cx.effect(Effect::Reply(op, reply));
        }
    }

    /// Every open request ends now.
    pub(super) fn end_requests(&mut self, cx: &mut Cx<'_>, why: &RequestError) {
        for op in std::mem::take(&mut self.requests.open) {
            cx.effect(Effect::Reply(op, Err(why.clone())));
        }
    }

    /// A question for a request ended.
    pub(super) fn request_answered(
        &mut self,
        cx: &mut Cx<'_>,
        asked: Asked,
        end: &IqEnd,
    ) -> Result<(), Fault> {
        match asked {
            Asked::Done(op) => {
                let reply = RequestError::of(end).map_or(Ok(AnyReply::Done), Err);
                self.reply(cx, op, reply);
            }
            Asked::Group(op, group) => {
                let reply = self.group_asked(cx, &group, end)?;
                self.reply(cx, op, reply);
            }
            Asked::Picture(op, known) => {
                let reply = PictureReply::of(end, known).map(AnyReply::Picture);
                self.reply(cx, op, reply);
            }
            Asked::Privacy => self.privacy_told(cx, end),
            Asked::Resolve(op) => self.batch_resolved(cx, op, end)?,
        }
        Ok(())
    }

    /// Writes what nobody answers.
    fn tell(&mut self, cx: &mut Cx<'_>, op: OpId, stanzas: impl IntoIterator<Item = Node>) {
        for stanza in stanzas {
            self.transmit(cx, &stanza);
        }
        self.reply(cx, op, Ok(AnyReply::Done));
    }

    /// Our account under the kind of name that `chat` has.
    fn own_beside(&self, chat: &Jid) -> Option<Jid> {
        let paired = self.device.paired()?;
        let lid = paired.lid.as_ref().filter(|_| chat.is_lid());
        Some(lid.unwrap_or(&paired.jid).account())
    }

    fn set_presence(&mut self, cx: &mut Cx<'_>, op: OpId, presence: SetPresence) {
        let name = self.device.paired().and_then(|p| p.push_name.clone());
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            self.reply(cx, op, Err(RequestError::NameUnknown));
            return;
        };
        self.requests.available = presence == SetPresence::Available;
        self.tell(cx, op, [presence.stanza(&name)]);
    }

    fn mark_read(&mut self, cx: &mut Cx<'_>, op: OpId, read: MarkRead) {
        if let Some(told) = self.requests.read_receipts {
            let now = self.server_now(cx);
            self.tell(cx, op, read.stanzas(told, now));
            return;
        }
        if self.requests.reads.is_empty() {
            let query = Node::new("iq")
                .attr("xmlns", "privacy")
                .attr("type", "get")
                .jid("to", Jid::whatsapp())
                .child(Node::new("privacy"));
            self.ask(cx, query, Purpose::Request(Asked::Privacy));
        }
        self.requests.reads.push((op, read));
    }

    fn privacy_told(&mut self, cx: &mut Cx<'_>, end: &IqEnd) {
        let told = end.result().map(tells_that_read);
        self.requests.read_receipts = told;
        for (op, read) in std::mem::take(&mut self.requests.reads) {
            match RequestError::of(end) {
                Some(error) => self.reply(cx, op, Err(error)),
                None if self.requests.is_open(op) => self.mark_read(cx, op, read),
                None => {}
            }
        }
    }

    fn ask_picture(
        &mut self,
        cx: &mut Cx<'_>,
        op: OpId,
        picture: &ProfilePicture,
    ) -> Result<(), Fault> {
        let now = self.server_now(cx);
        let ProfilePicture { of, size, known } = picture;
        if let Some(account) = &mut self.account {
            let query = account.picture_query(&cx.txn, of, *size, known.as_deref(), now)?;
            let asked = Asked::Picture(op, known.is_some());
            self.ask(cx, query, Purpose::Request(asked));
        }
        Ok(())
    }

    /// What the server tells of a group is kept for sending, too.
    fn group_asked(
        &mut self,
        cx: &mut Cx<'_>,
        group: &Jid,
        end: &IqEnd,
    ) -> Result<Result<AnyReply, RequestError>, Fault> {
        if matches!(
            end,
            IqEnd::Error {
                code: 401 | 403 | 404,
                ..
            }
        ) {
            groups::forget(&mut cx.txn, &self.slot, group);
        }
        let Some(answer) = end.result() else {
            return Ok(Err(RequestError::of(end).unwrap_or(RequestError::Strange)));
        };
        let Some((info, mappings)) = GroupInfo::parse(answer) else {
            self.ignored += 1;
            return Ok(Err(RequestError::Strange));
        };
        self.learn_all(cx, &mappings)?;
        let told = groups::Told::Group(Box::new(info.group.clone()));
        groups::store(&mut cx.txn, &self.slot, group, told, cx.now.unix())?;
        Ok(Ok(AnyReply::Group(Box::new(info))))
    }

    /// The LID of a number, if it is known.
    pub(super) fn lid_of(&self, cx: &Cx<'_>, pn: &Jid) -> Result<Option<Jid>, Fault> {
        let Some(peer) = PeerKey::of(pn) else {
            return Ok(None);
        };
        let known = self.canonical(cx, &peer)?.jid();
        Ok(Some(known).filter(Jid::is_lid))
    }
}

/// Whether senders are told that we read: `<privacy><category name="readreceipts" value/></privacy>`.
/// A setting that is not there is the default, which tells.
fn tells_that_read(answer: &Node) -> bool {
    let privacy = answer.find("privacy");
    let mut settings = privacy.into_iter().flat_map(|node| node.all("category"));
    let setting = settings.find(|setting| setting.is("name", "readreceipts"));
    !setting.is_some_and(|setting| setting.is("value", "none"))
}
