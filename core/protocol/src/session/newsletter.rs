//! Channels: nothing is encrypted, and nobody but the server answers.
//!
//! ```text
//! -> <message id to=<newsletter> type [edit="3|8"] [media_id]><plaintext [mediatype]>Message</plaintext></message>
//! <- <message | status id from=<newsletter> ..><plaintext>Message</plaintext></..>        an ack, no receipt
//! ```
//! Source: spec "Newsletter". Message bytes are not padded. An edit or a revoke goes under the id of
//! the message that it is about: nothing else in the stanza names it.

use std::collections::VecDeque;

use prost::Message as _;

use crate::content::{Edit, Shape};
use crate::error::Fault;
use crate::event::{Event, IncomingMessage};
use crate::jid::Jid;
use crate::pb;
use crate::send::Outgoing;
use crate::send::outbox::OutboxRecord;
use crate::session::receive::End;
use crate::session::sending::Look;
use crate::session::source::Source;
use crate::session::{Phase, Session};
use crate::stream::ack::Nack;
use crate::txn::Cx;
use crate::verdict::{Attached, Cause, MessageId, Refusal, WhyNot};
use crate::wap::{self, Node};

/// Messages that are known when they come again. No ratchet knows them.
const REMEMBERED: usize = 128;

/// The newest messages of channels, for as long as the process runs.
#[derive(Debug, Default)]
pub(super) struct Published(VecDeque<(Jid, MessageId)>);

impl Published {
    /// False for a message that came before.
    fn is_new(&mut self, source: &Source) -> bool {
        let message = (source.chat.clone(), source.id.clone());
        if self.0.contains(&message) {
            return false;
        }
        if self.0.len() >= REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(message);
        true
    }
}

impl Session {
    /// A channel says something. What has no text of its own, such as a count of views, is acked.
    pub(super) fn published(&mut self, cx: &mut Cx<'_>, stanza: &Node, source: &Source) -> End {
        let Some(payload) = stanza.find("plaintext").and_then(Node::payload) else {
            return End::Ack;
        };
        let Ok(message) = pb::Message::decode(payload) else {
            return End::Refused(Nack::InvalidProtobuf);
        };
        if self.published.is_new(source) {
            let message = IncomingMessage {
                id: source.id.clone(),
                chat: source.chat.clone(),
                sender: source.sender.clone(),
                from_me: false,
                t: source.t.unwrap_or_else(|| self.server_now(cx)),
                push_name: stanza.text("notify").map(|name| name.into_owned()),
                text: message.into_text(),
                payload: payload.to_vec(),
            };
            cx.effect(Event::Message(Box::new(message)));
        }
        End::Ack
    }

    /// One look at a message to a channel: it needs nothing but a connection.
    pub(super) fn look_newsletter(
        &mut self,
        cx: &mut Cx<'_>,
        mut send: Outgoing,
    ) -> Result<Look, Fault> {
        let refuse = |id, cause| Ok(Look::Refused(Refusal::local(Some(id), cause)));
        let late = |deadline| deadline <= cx.now.mono;
        if send.deadline.is_some_and(late) {
            return refuse(send.id, Cause::DeadlineBeforeSend);
        }
        if self.phase != Phase::Online {
            return Ok(Look::Waits(send));
        }
        let to = send.to.clone();
        let Some(own) = self.own_names().next() else {
            return refuse(send.id, Cause::LoggedOut);
        };
        let composed = self.compose(cx, &send, &own, &to)?;
        let published = composed
            .and_then(|composed| publication(&composed.bytes, composed.shape.in_newsletter()));
        let Some((about, shape, plaintext)) = published else {
            return refuse(send.id, Cause::BadRequest);
        };
        send.id = about.unwrap_or(send.id);
        let node = Node::new("message")
            .attr("id", send.id.as_str().to_owned())
            .jid("to", to.clone())
            .attr("type", shape.kind.as_str())
            .maybe("edit", shape.edit.map(Edit::as_str))
            .maybe("media_id", send.media_id)
            .child(
                Node::new("plaintext")
                    .maybe("mediatype", shape.mediatype)
                    .bytes(plaintext),
            );
        let now = self.server_now(cx);
        let nothing = Attached::Nothing(WhyNot::NotEligible);
        let record = OutboxRecord::new(&send.id, &to, wap::encode(&node), now, nothing);
        if let Some(op) = send.op {
            self.outbox.add(cx, &self.slot, op, send.id, &record);
        }
        Ok(Look::Left)
    }
}

/// The message that a publication is about, if not a new one; its shape and its plaintext.
fn publication(message: &[u8], shape: Shape) -> Option<(Option<MessageId>, Shape, Vec<u8>)> {
    if !matches!(shape.edit, Some(Edit::Admin | Edit::AdminRevoke)) {
        return Some((None, shape, message.to_vec()));
    }
    let change = pb::Message::decode(message).ok()?.protocol_message?;
    let about = MessageId::parse(&change.key?.id?)?;
    let plaintext = match shape.edit {
        Some(Edit::Admin) => change.edited_message?,
        _ => Vec::new(),
    };
    Some((Some(about), shape, plaintext))
}
