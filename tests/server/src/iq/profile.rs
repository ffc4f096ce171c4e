//! What people show of themselves: picture, read receipts, timers.
//!
//! ```text
//! <picture type query="url" [id]>[<tctoken/>]</picture>  -> <picture id type url direct_path/> | 401 | 404
//! <privacy/>                                             -> <privacy><category name value/>..</privacy>
//! <disappearing_mode duration/>, <ephemeral expiration/> | <not_ephemeral/>                -> empty
//! ```
//! Source: tokens spec 4.3, spec 10.4. Somebody who shows the picture to contacts only shows it to
//! accounts that hold a valid token, and to nobody else.

use sendpath_protocol::jid::Jid;
use sendpath_protocol::wap::Node;

use super::Answer;
use crate::connection::ConnectionId;
use crate::people::{ClientId, PersonId};
use crate::world::World;

/// What the server offers for chats: a day, a week, 90 days, for ever.
const TIMERS: [u32; 4] = [0, 86_400, 604_800, 7_776_000];

impl World {
    pub(super) fn picture(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        node: &Node,
    ) -> Answer {
        if node.find("tctoken").is_some() {
            self.violation(connection, "token_misplaced", "beside <picture>");
        }
        let Some(asked) = node
            .find("picture")
            .filter(|asked| asked.is("query", "url"))
        else {
            return Answer::bad_request();
        };
        let token = asked.find("tctoken");
        let target: Option<Jid> = node.address("target");
        let person = target.and_then(|target| self.find(&target));
        let own = person == Some(client.person);
        if token.is_some() && own {
            self.violation(connection, "token_misplaced", "own picture");
            return Answer::Silence;
        }
        let Some((person, id)) =
            person.and_then(|p| Some((p, self.people[p].profile.picture.clone()?)))
        else {
            return Answer::error(404, "item-not-found");
        };
        let knows = token.and_then(Node::payload);
        if self.people[person].profile.contacts_only && !own && !self.lets(person, client, knows) {
            return Answer::error(401, "not-authorized");
        }
        if asked.is("id", &id) {
            return Answer::Result(Vec::new());
        }
        let kind = asked.text("type").unwrap_or_default().into_owned();
        let picture = Node::new("picture")
            .attr("url", format!("https://pps.whatsapp.net/v/{kind}/{id}"))
            .attr("direct_path", format!("/v/{kind}/{id}"))
            .attr("type", kind)
            .attr("id", id);
        Answer::Result(vec![picture])
    }

    /// Whether those bytes are a token by which `person` knows the account.
    fn lets(&self, person: PersonId, client: ClientId, bytes: Option<&[u8]>) -> bool {
        let given = self.people[person].tokens.get(&client.person);
        let mut given = given.into_iter().flatten();
        given.any(|token| Some(&*token.bytes) == bytes)
    }

    pub(super) fn privacy_settings(&self, client: ClientId) -> Answer {
        let names = [
            "readreceipts",
            "last",
            "profile",
            "status",
            "online",
            "groupadd",
        ];
        let hidden = !self.people[client.person].profile.read_receipts;
        let settings = names.map(|name| {
            let none = hidden && name == "readreceipts";
            Node::new("category")
                .attr("name", name)
                .attr("value", if none { "none" } else { "all" })
        });
        Answer::Result(vec![Node::new("privacy").children(settings)])
    }

    pub(super) fn account_timer(node: &Node) -> Answer {
        let mode = node.find("disappearing_mode");
        match mode.and_then(|mode| mode.number::<u32>("duration")) {
            Some(seconds) if TIMERS.contains(&seconds) && node.is("type", "set") => Answer::empty(),
            _ => Answer::bad_request(),
        }
    }

    pub(super) fn group_timer(&mut self, client: ClientId, node: &Node) -> Answer {
        let seconds = match (node.find("ephemeral"), node.find("not_ephemeral")) {
            (Some(timer), None) => timer.number::<u32>("expiration"),
            (None, Some(_)) => Some(0),
            _ => None,
        };
        let Some(seconds) = seconds.filter(|s| TIMERS.contains(s) && node.is("type", "set")) else {
            return Answer::bad_request();
        };
        let group = node.address("to").and_then(|to| self.group(&to));
        let Some(group) = group.map(|at| &mut self.groups[at]) else {
            return Answer::error(404, "item-not-found");
        };
        if !group.members.contains(&client.person) {
            return Answer::error(403, "forbidden");
        }
        group.timer = seconds;
        Answer::empty()
    }
}
