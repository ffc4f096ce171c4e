//! Tokens on their way to the contact, and limits on their way to the account.
//!
//! ```text
//! <notification type="privacy_token" from sender_lid t><tokens>
//!   <token type="trusted_contact" t jid="<target>">BYTES</token></tokens></notification>
//! <notification type="mex" from="s.whatsapp.net"><update op_name>JSON</update></notification>
//! ```
//! Source: tokens spec 1.1 and 6.2 to 6.4.

use sendpath_protocol::jid::Jid;
use sendpath_protocol::wap::Node;
use serde_json::{Value, json};

use crate::people::{PersonId, Token};
use crate::world::World;

impl World {
    /// `issuer` lets `to` write to it.
    pub(crate) fn grant(&mut self, issuer: PersonId, to: PersonId, token: Token) {
        let tokens = &mut self.people[issuer].tokens;
        tokens.entry(to).or_default().push(token);
    }

    /// Delivers the newest token of `issuer` for `to` to the clients of `to`.
    pub(crate) fn push_token(&mut self, issuer: PersonId, to: PersonId, from_lid: bool) {
        let newest = self.people[issuer].tokens.get(&to).and_then(|t| t.last());
        let Some(Token { bytes, t }) = newest.cloned() else {
            return;
        };
        let (from, lid) = (
            self.people[issuer].jid(from_lid),
            self.people[issuer].jid(true),
        );
        let (target, now) = (self.people[to].jid(from_lid), self.now());
        self.post_all(to, |id| {
            let token = Node::new("token")
                .attr("type", "trusted_contact")
                .num("t", t)
                .jid("jid", target.clone())
                .bytes(bytes.clone());
            Node::new("notification")
                .attr("type", "privacy_token")
                .attr("id", id)
                .jid("from", from.clone())
                .jid("sender_lid", lid.clone())
                .num("t", now)
                .child(Node::new("tokens").child(token))
        });
    }

    pub(crate) fn push_timelock(&mut self, account: PersonId) {
        let state = self.people[account].timelock.json(self.now());
        let root = "xwa2_notify_account_reachout_timelock";
        self.push_mex(
            account,
            "NotificationUserReachoutTimelockUpdate",
            root,
            &state,
        );
    }

    pub(crate) fn push_capping(&mut self, account: PersonId) {
        let state = self.people[account].capping.json(self.now());
        let root = "xwa2_notify_new_chat_messages_capping_info_update";
        self.push_mex(account, "MessageCappingInfoNotification", root, &state);
    }

    fn push_mex(&mut self, account: PersonId, op: &'static str, root: &str, state: &Value) {
        let mut data = serde_json::Map::new();
        data.insert(root.into(), state.clone());
        let body = json!({ "data": data }).to_string().into_bytes();
        let now = self.now();
        self.post_all(account, |id| {
            let update = Node::new("update").attr("op_name", op).bytes(body.clone());
            Node::new("notification")
                .attr("type", "mex")
                .attr("id", id)
                .jid("from", Jid::whatsapp())
                .num("t", now)
                .child(update)
        });
    }

    /// Tells a client that it has few one-time keys left.
    pub(crate) fn push_prekey_count(&mut self, account: PersonId, value: u32) {
        let now = self.now();
        self.post_all(account, |id| {
            Node::new("notification")
                .attr("type", "encrypt")
                .attr("id", id)
                .jid("from", Jid::whatsapp())
                .num("t", now)
                .child(Node::new("count").num("value", value))
        });
    }

    /// A presence from a client: a subscription may carry a token.
    pub(crate) fn on_presence(&mut self, connection: crate::connection::ConnectionId, node: &Node) {
        let announces = node.is("type", "available") || node.is("type", "unavailable");
        if announces && node.text("name").is_none_or(|name| name.is_empty()) {
            self.violation(connection, "presence_attribute", "no name");
        }
        let Some(token) = node.find("tctoken") else {
            return;
        };
        if !node.is("type", "subscribe") {
            self.violation(connection, "token_misplaced", "presence");
        }
        if token.payload().is_none_or(<[u8]>::is_empty) || !token.attrs.is_empty() {
            self.violation(connection, "token_shape", "presence");
        }
    }

    /// A chat state has a chat and exactly one state, and never a token.
    pub(crate) fn on_chatstate(
        &mut self,
        connection: crate::connection::ConnectionId,
        node: &Node,
    ) {
        let states = node.nodes().iter().map(|state| &*state.tag);
        let states: Vec<&str> = states.collect();
        if node.address("to").is_none() || !matches!(*states, ["composing" | "paused"]) {
            self.violation(connection, "chatstate", format!("{states:?}"));
        }
    }
}
