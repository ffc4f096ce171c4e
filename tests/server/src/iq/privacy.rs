//! Issuing tokens, and who sees status posts.
//!
//! ```text
//! <tokens><token jid="<bare user>" t="<unix s>" type="trusted_contact"/></tokens>   -> empty result
//! ```
//! Source: tokens spec 5.1. The result carries no token: the bytes go to the contact. A test can make
//! it carry some, which are worth nothing.

use sendpath_protocol::secret::EntropyExt;
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::wap::Node;

use super::Answer;
use crate::connection::ConnectionId;
use crate::journal::Issued;
use crate::people::{ClientId, Token};
use crate::world::World;

/// How far in the future a stamp may lie, in seconds.
const MAX_AHEAD: i64 = 300;

impl World {
    pub(super) fn issue_tokens(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        node: &Node,
    ) -> Answer {
        if node.value("to").is_none() || !node.is("type", "set") {
            return Answer::bad_request();
        }
        let Some(tokens) = node.find("tokens") else {
            return Answer::bad_request();
        };
        for token in tokens.all("token") {
            if let Err(detail) = self.issue(client, token) {
                self.violation(connection, "token_issue", detail);
                return Answer::bad_request();
            }
        }
        if !self.echo_tokens {
            return Answer::empty();
        }
        let mut echo = Node::new("tokens");
        for token in tokens.all("token") {
            let bytes = self.rng.bytes::<11>().to_vec();
            echo.push(token.clone().bytes(bytes));
        }
        Answer::Result(vec![echo])
    }

    fn issue(&mut self, client: ClientId, token: &Node) -> Result<(), String> {
        if !token.is("type", "trusted_contact") {
            return Err("type is not trusted_contact".into());
        }
        let jid = token.address("jid").ok_or("no jid")?;
        if !jid.is_user() || jid.device_part() != 0 || jid.is_bot() || jid.is_psa() {
            return Err(format!("{} is no bare user", jid.reveal()));
        }
        if self.people[client.person].is(&jid) {
            return Err("a token for the own account".into());
        }
        let t = UnixSeconds(token.number("t").ok_or("no numeric t")?);
        if t.0 <= 0 || t > self.now().plus(MAX_AHEAD) {
            return Err(format!("t={t} is not a time of the past"));
        }
        let peer = self.find(&jid);
        self.journal.issued.push(Issued {
            account: self.people[client.person].pn.clone(),
            jid: jid.reveal(),
            peer: peer.map(|peer| self.people[peer].pn.clone()),
            t: t.0,
        });
        if let Some(peer) = peer {
            let bytes = self.rng.bytes::<11>().to_vec();
            self.grant(client.person, peer, Token { bytes, t });
            self.push_token(client.person, peer, true);
        }
        Ok(())
    }

    pub(super) fn status_privacy() -> Node {
        let list = Node::new("list")
            .attr("type", "contacts")
            .attr("default", "true");
        Node::new("privacy").child(list)
    }
}
