//! From a frame to the feature that handles it. Every stanza with an id gets exactly one answer.

use crate::account::presence;
use crate::effect::{Effect, Reconnect};
use crate::error::Fault;
use crate::event::{DisconnectReason, Event};
use crate::session::Session;
use crate::stream::ack::{self, Nack};
use crate::stream::{Ending, keepalive};
use crate::txn::Cx;
use crate::wap::{self, Node};

impl Session {
    pub(super) fn received(&mut self, cx: &mut Cx<'_>, frame: &[u8]) -> Result<(), Fault> {
        if let Some(watch) = &mut self.keepalive {
            watch.heard();
        }
        match wap::decode(frame) {
            Ok(node) => self.route(cx, node),
            Err(_) => {
                self.ignored += 1;
                Ok(())
            }
        }
    }

    fn route(&mut self, cx: &mut Cx<'_>, node: Node) -> Result<(), Fault> {
        self.offline_queue.heard(&node, cx.now.mono);
        match &*node.tag {
            "ack" => self.acked(cx, &node),
            "failure" => {
                let ending = Ending::failure(&node, self.server_now(cx));
                self.end(cx, ending)
            }
            "ib" => self.info(cx, &node),
            "iq" => self.iq(cx, node),
            "message" | "status" => self.message(cx, &node),
            "notification" => self.notification(cx, &node),
            "receipt" => self.receipt(cx, &node),
            "stream:error" => self.end(cx, Ending::stream_error(&node)),
            "success" => self.success(cx, &node),
            "xmlstreamend" => self.end(cx, Ending::stream_end()),
            "presence" => {
                match presence(&node) {
                    Some(event) => cx.effect(event),
                    None => self.ignored += 1,
                }
                self.answer(cx, ack::ack(&node));
                Ok(())
            }
            "call" | "chatstate" => {
                self.answer(cx, ack::ack(&node));
                Ok(())
            }
            _ => {
                self.ignored += 1;
                let answer = ack::ack(&node);
                let unknown = |ack| ack::refusing(ack, Nack::UnrecognizedStanza);
                self.answer(cx, answer.map(unknown));
                Ok(())
            }
        }
    }

    /// Writes the one answer to a stanza, if it expects one.
    pub(super) fn answer(&self, cx: &mut Cx<'_>, answer: Option<Node>) {
        if let Some(answer) = answer {
            self.transmit(cx, &answer);
        }
    }

    fn iq(&mut self, cx: &mut Cx<'_>, node: Node) -> Result<(), Fault> {
        if node.is("type", "result") || node.is("type", "error") {
            return match self.iqs.take(node) {
                Some((purpose, end)) => self.answered(cx, purpose, end),
                None => {
                    self.ignored += 1;
                    Ok(())
                }
            };
        }
        if node.find("pair-device").is_some() || node.find("pair-success").is_some() {
            return self.pair(cx, &node);
        }
        let Some(id) = node.text("id") else {
            return Ok(());
        };
        let answer = Node::new("iq")
            .jid("to", crate::jid::Jid::whatsapp())
            .attr("id", id.into_owned());
        if node.is("xmlns", "urn:xmpp:ping") {
            self.transmit(cx, &answer.attr("type", "result"));
        } else {
            self.ignored += 1;
            let error = Node::new("error")
                .attr("code", "501")
                .attr("text", "feature-not-implemented");
            self.transmit(cx, &answer.attr("type", "error").child(error));
        }
        Ok(())
    }

    /// The server ends the connection, or the account's link.
    pub(super) fn end(&mut self, cx: &mut Cx<'_>, ending: Ending) -> Result<(), Fault> {
        if ending.delete_credentials && self.device.paired().is_some() {
            self.forget(cx)?;
            self.offline(cx)?;
            cx.effect(Event::LoggedOut {
                reason: ending.reason,
            });
            cx.effect(Effect::Disconnect(Reconnect::Stop));
            return Ok(());
        }
        self.disconnect(cx, ending.reason, ending.reconnect)
    }

    pub(super) fn tick_keepalive(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let Some(watch) = &mut self.keepalive else {
            return Ok(());
        };
        match watch.tick(cx.now.mono, cx.rng) {
            keepalive::Due::Nothing => {}
            keepalive::Due::Ping => self.ask(cx, keepalive::ping(), super::Purpose::Ping),
            keepalive::Due::Dead => {
                self.disconnect(cx, DisconnectReason::KeepAliveTimeout, Reconnect::Backoff)?;
            }
        }
        Ok(())
    }
}
