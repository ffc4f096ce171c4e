//! Questions and orders: one place that checks their frame, one file for each subject.
//!
//! Source: spec 6.2 and 12.1. What is not known is answered with 501 and remembered.

mod account;
mod encrypt;
mod mex;
mod privacy;
mod profile;
mod usync;

use sendpath_protocol::jid::Jid;
use sendpath_protocol::wap::Node;

use crate::connection::{ConnectionId, Out};
use crate::faults::IqError;
use crate::people::ClientId;
use crate::world::World;

/// What a handler says.
pub(crate) enum Answer {
    /// `<iq type="error">`.
    Error(IqError),
    /// `<iq type="result">` with these children.
    Result(Vec<Node>),
    /// Nothing at all, as the real server does in a few cases.
    Silence,
}

impl Answer {
    pub(crate) const fn empty() -> Self {
        Self::Result(Vec::new())
    }

    pub(crate) fn error(code: u16, text: &str) -> Self {
        Self::Error(IqError {
            code,
            text: text.into(),
            backoff: None,
        })
    }

    pub(crate) fn bad_request() -> Self {
        Self::error(400, "bad-request")
    }
}

impl World {
    pub(crate) fn on_iq(&mut self, connection: ConnectionId, client: ClientId, node: &Node) {
        if !node.is("type", "get") && !node.is("type", "set") {
            return;
        }
        let kind = kind(node);
        let account = self.people[client.person].pn.clone();
        *self.journal.iqs.entry((account, kind.clone())).or_default() += 1;
        if !self.well_framed(connection, node, &kind) {
            return;
        }
        let answer = match self.faults(client).iq(&kind) {
            Some(Some(error)) => Answer::Error(error),
            Some(None) => Answer::Silence,
            None => self.answer(connection, client, node, &kind),
        };
        self.respond(connection, node, answer);
        if kind == "passive/active" {
            self.drain(connection, client, usize::MAX);
        } else if kind == "md/remove-companion-device" {
            self.unlink(client);
        }
    }

    fn well_framed(&mut self, connection: ConnectionId, node: &Node, kind: &str) -> bool {
        let Some(id) = node.text("id").filter(|id| !id.is_empty()) else {
            self.violation(connection, "iq_without_id", kind);
            return false;
        };
        if node.value("to").is_none() {
            self.violation(connection, "iq_without_to", kind);
        }
        let fresh = self
            .connections
            .get_mut(&connection)
            .is_some_and(|state| state.iq_ids.insert(id.into_owned()));
        if !fresh {
            self.violation(connection, "iq_id_used_twice", kind);
        }
        true
    }

    fn answer(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        node: &Node,
        kind: &str,
    ) -> Answer {
        let (xmlns, child) = kind.split_once('/').unwrap_or((kind, ""));
        match (xmlns, child) {
            ("encrypt", "count") => self.prekey_count(client),
            ("encrypt", "digest") => self.prekey_digest(client),
            ("encrypt", "key") => self.prekey_bundles(client, node),
            ("encrypt", "rotate") => self.rotate_signed_prekey(connection, client, node),
            ("encrypt", _) if node.is("type", "set") => {
                self.upload_prekeys(connection, client, node)
            }
            ("usync", "usync") => self.usync(connection, client, node),
            ("privacy", "tokens") => self.issue_tokens(connection, client, node),
            ("privacy", "privacy") => self.privacy_settings(client),
            ("abt" | "w", "props") => self.ab_props(node),
            ("w:mex", "query") => self.mex(client, node),
            ("w:p", _) | ("urn:xmpp:ping", _) => Answer::empty(),
            ("w:profile:picture", "picture") => self.picture(connection, client, node),
            ("disappearing_mode", _) => Self::account_timer(node),
            ("w:g2", "ephemeral" | "not_ephemeral") => self.group_timer(client, node),
            ("w:sync:app:state", "sync") => self.app_state(connection, client, node),
            ("blocklist", _) => Answer::Result(vec![Node::new("list")]),
            ("status", "privacy") => Answer::Result(vec![Self::status_privacy()]),
            ("w:m", "media_conn") => Answer::Result(vec![self.media.conn()]),
            ("w:g2", "query") => {
                self.check_group_query(connection, node);
                match self.group_metadata(client, node) {
                    Ok(children) => Answer::Result(children),
                    Err(404) => Answer::error(404, "item-not-found"),
                    Err(code) => Answer::error(code, "forbidden"),
                }
            }
            ("passive", _)
            | ("md", "remove-companion-device")
            | ("urn:xmpp:whatsapp:dirty", "clean")
            | ("urn:xmpp:whatsapp:push", _) => Answer::empty(),
            _ => {
                self.journal.unexpected.push(format!("iq {kind}"));
                Answer::error(501, "feature-not-implemented")
            }
        }
    }

    /// An IQ that makes no sense before login.
    pub(crate) fn unknown_iq(&mut self, connection: ConnectionId, node: &Node) {
        let kind = kind(node);
        self.journal
            .unexpected
            .push(format!("iq {kind} before login"));
        let answer = Answer::error(501, "feature-not-implemented");
        self.respond(connection, node, answer);
    }

    pub(crate) fn respond(&self, connection: ConnectionId, asked: &Node, answer: Answer) {
        let from = asked.address("to").unwrap_or_else(Jid::whatsapp);
        let id = asked.text("id").unwrap_or_default().into_owned();
        let iq = Node::new("iq").jid("from", from).attr("id", id);
        let iq = match answer {
            Answer::Error(IqError {
                code,
                text,
                backoff,
            }) => iq.attr("type", "error").child(
                Node::new("error")
                    .num("code", code)
                    .attr("text", text)
                    .maybe("backoff", backoff.map(|seconds| seconds.to_string())),
            ),
            Answer::Result(children) if children.is_empty() => {
                iq.attr("type", "result").num("t", self.now())
            }
            Answer::Result(children) => iq.attr("type", "result").children(children),
            Answer::Silence => return,
        };
        self.out(connection, Out::Stanza(iq));
    }
}

/// `xmlns/child`, the name of an IQ in logs and commands.
pub(crate) fn kind(node: &Node) -> String {
    let xmlns = node.text("xmlns").unwrap_or_default();
    let child = node.nodes().first().map_or("", |child| &child.tag);
    format!("{xmlns}/{child}")
}
