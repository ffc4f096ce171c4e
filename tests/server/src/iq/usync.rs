//! User synchronisation: who has which devices, which LID, and whether a number exists.
//!
//! Source: spec 8.3. A contact answer echoes what was asked; a phone-number query of a migrated
//! contact may come back without devices.

use sendpath_protocol::jid::Jid;
use sendpath_protocol::wap::Node;

use super::Answer;
use crate::adv;
use crate::connection::ConnectionId;
use crate::people::{ClientId, PersonId};
use crate::phash::phash;
use crate::world::World;

impl World {
    pub(super) fn usync(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        node: &Node,
    ) -> Answer {
        let Some(usync) = node.find("usync") else {
            return Answer::bad_request();
        };
        for name in ["sid", "mode", "last", "index", "context"] {
            if usync.value(name).is_none() {
                self.violation(connection, "usync_attribute", format!("no {name}"));
                return Answer::bad_request();
            }
        }
        let (Some(query), Some(list)) = (usync.find("query"), usync.find("list")) else {
            return Answer::bad_request();
        };
        if query
            .find("devices")
            .is_some_and(|devices| !devices.is("version", "2"))
        {
            self.violation(connection, "usync_attribute", "devices without version 2");
            return Answer::bad_request();
        }
        let users: Vec<Node> = list
            .all("user")
            .filter_map(|user| self.usync_user(connection, client, query, user))
            .collect();
        let protocols = query.nodes().iter().map(|p| Node::new(p.tag.clone()));
        let mut echo = Node::new("usync").children([
            Node::new("result").children(protocols),
            Node::new("list").children(users),
        ]);
        echo.attrs = usync.attrs.clone();
        Answer::Result(vec![echo])
    }

    fn usync_user(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        query: &Node,
        user: &Node,
    ) -> Option<Node> {
        let asked = user.address("jid");
        let contact = user.find("contact").map(contact_text);
        if let (Some(token), Some(jid)) = (user.find("tctoken"), &asked) {
            self.check_usync_token(connection, client, query, token, jid);
        }
        let Some(wanted) = asked.clone().or_else(|| contact_jid(contact.as_deref()?)) else {
            let contact = Node::new("contact").attr("type", "invalid");
            let contact = contact.bytes(user.find("contact")?.payload()?);
            return Some(Node::new("user").attr("jid", "undefined").child(contact));
        };
        let by_lid = wanted.is_lid()
            || query
                .find("contact")
                .is_some_and(|contact| contact.is("addressing_mode", "lid"));
        let Some(person) = self.find(&wanted) else {
            return Some(unknown_user(query, user, wanted));
        };
        let mut answer = Node::new("user").jid("jid", self.people[person].jid(by_lid));
        if by_lid {
            answer = answer.jid("pn_jid", self.people[person].jid(false));
        }
        for protocol in query.nodes() {
            match &*protocol.tag {
                "contact" => {
                    let echo = user.find("contact").and_then(Node::payload);
                    let contact = Node::new("contact").attr("type", "in");
                    answer.push(contact.bytes(echo.unwrap_or_default()));
                }
                "devices" => answer.push(self.devices(person, by_lid, user.find("devices"))?),
                "lid" => answer.push(Node::new("lid").jid("val", self.people[person].jid(true))),
                "status" | "picture" | "business" => answer.push(Node::new(protocol.tag.clone())),
                _ => {}
            }
        }
        Some(answer)
    }

    /// `<devices>` of a person; `None` when the asker's list is up to date.
    fn devices(&mut self, person: PersonId, by_lid: bool, delta: Option<&Node>) -> Option<Node> {
        let hash = self.device_hash(person, by_lid);
        if delta.is_some_and(|delta| delta.is("device_hash", &hash)) {
            return None;
        }
        let hidden = !by_lid && self.people[person].behaviour.hidden_by_pn;
        if hidden {
            return Some(Node::new("devices").child(Node::new("device-list")));
        }
        let list = self.people[person].device_list();
        let devices = list.iter().map(|(device, index)| {
            Node::new("device")
                .num("id", device)
                .maybe("key-index", index.map(|index| index.to_string()))
        });
        let list = Node::new("device-list")
            .attr("hash", hash)
            .children(devices);
        let devices = Node::new("devices").child(list);
        Some(match self.key_index_list(person) {
            Some(list) => devices.child(list),
            None => devices,
        })
    }

    /// `<key-index-list>`, when the person has companions.
    pub(crate) fn key_index_list(&mut self, person: PersonId) -> Option<Node> {
        let now = self.now();
        let Self { people, rng, .. } = self;
        let person = &people[person];
        let indexes = person.key_indexes();
        if indexes.is_empty() {
            return None;
        }
        let account = person.devices.first()?.identity();
        let timestamp = u64::try_from(now.0).unwrap_or(0);
        let list = adv::key_index_list(rng, account, person.raw_id, timestamp, &indexes);
        Some(Node::new("key-index-list").num("ts", now).bytes(list))
    }

    /// The hash over all devices of a person, as lists and notifications carry it.
    pub(crate) fn device_hash(&self, person: PersonId, by_lid: bool) -> String {
        let person = &self.people[person];
        let list = person.device_list().into_iter();
        phash(list.map(|(device, _)| person.device_jid(by_lid, device)))
    }

    fn check_usync_token(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        query: &Node,
        token: &Node,
        jid: &Jid,
    ) {
        if query.find("status").is_none() || self.people[client.person].is(jid) {
            self.violation(connection, "token_misplaced", "usync");
        }
        if token.payload().is_none_or(<[u8]>::is_empty) {
            self.violation(connection, "token_shape", "usync: no bytes");
        }
    }
}

fn unknown_user(query: &Node, user: &Node, jid: Jid) -> Node {
    let mut answer = Node::new("user").jid("jid", jid.account());
    if query.find("contact").is_some() {
        let echo = user.find("contact").and_then(Node::payload);
        let contact = Node::new("contact").attr("type", "out");
        answer.push(contact.bytes(echo.unwrap_or_default()));
    }
    if query.find("devices").is_some() {
        answer.push(Node::new("devices").child(Node::new("device-list")));
    }
    answer
}

fn contact_text(contact: &Node) -> String {
    String::from_utf8_lossy(contact.payload().unwrap_or_default()).into_owned()
}

/// The number behind `+digits` or `+digits@c.us`; `None` when it cannot be one.
fn contact_jid(text: &str) -> Option<Jid> {
    let digits = text.trim_start_matches('+');
    let digits = digits.split_once('@').map_or(digits, |(digits, _)| digits);
    let number = digits.len() >= 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
    number.then(|| Jid::pn(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_digits_in_either_spelling() {
        assert_eq!(contact_jid("+4915551"), Some(Jid::pn("4915551")));
        assert_eq!(contact_jid("+4915551@c.us"), Some(Jid::pn("4915551")));
        assert_eq!(contact_jid("+49 15"), None);
        assert_eq!(contact_jid("+12"), None);
    }
}
