//! Groups: who is in them, how they are addressed, what their members are told.
//!
//! ```text
//! <iq xmlns="w:g2" type="get" to="<group>"><query request="interactive" [phash]/></iq>
//! <notification type="w:gp2" from="<group>"><add|remove><participant jid phone_number|lid/></..>
//! ```
//! Source: spec 9.1 and 10.11.

use sendpath_protocol::jid::{Jid, Server};
use sendpath_protocol::wap::Node;

use crate::connection::ConnectionId;
use crate::people::{ClientId, PersonId};
use crate::phash::phash;
use crate::world::World;

/// A group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: String,
    /// Addressed by LID.
    pub(crate) lid: bool,
    pub(crate) members: Vec<PersonId>,
    /// For how many seconds messages stay; 0 for ever.
    pub(crate) timer: u32,
}

impl Group {
    pub(crate) fn jid(&self) -> Jid {
        Jid::user(&*self.id, Server::Group)
    }
}

impl World {
    /// The group of that name.
    pub(crate) fn group(&self, jid: &Jid) -> Option<usize> {
        let named =
            |group: &Group| *jid.server_part() == Server::Group && group.id == jid.user_part();
        self.groups.iter().position(named)
    }

    /// The group whose id a test gives, with or without its server.
    pub(crate) fn named_group(&self, name: &str) -> Result<usize, String> {
        let id = name.trim_end_matches("@g.us");
        let found = self.groups.iter().position(|group| group.id == id);
        found.ok_or_else(|| format!("no group {name}"))
    }

    /// The answer to a metadata query: an error code, or the children of the result.
    pub(crate) fn group_metadata(&self, client: ClientId, node: &Node) -> Result<Vec<Node>, u16> {
        let to = node.address("to").ok_or(400_u16)?;
        let query = node.find("query").ok_or(400_u16)?;
        let group = &self.groups[self.group(&to).ok_or(404_u16)?];
        if !group.members.contains(&client.person) {
            return Err(403);
        }
        let accounts = group.members.iter();
        let accounts = accounts.map(|member| self.people[*member].jid(group.lid));
        if query.is("phash", &phash(accounts)) {
            return Ok(Vec::new());
        }
        let members = group.members.iter();
        let mut told = Node::new("group")
            .attr("id", group.id.clone())
            .attr("subject", "Model group")
            .num("size", group.members.len())
            .children(members.map(|member| self.participant(group, *member)));
        if group.lid {
            told = told.attr("addressing_mode", "lid");
        }
        if group.timer > 0 {
            told = told.child(Node::new("ephemeral").num("expiration", group.timer));
        }
        Ok(vec![told])
    }

    fn participant(&self, group: &Group, member: PersonId) -> Node {
        let person = &self.people[member];
        let other = if group.lid { "phone_number" } else { "lid" };
        Node::new("participant")
            .jid("jid", person.jid(group.lid))
            .jid(other, person.jid(!group.lid))
    }

    /// Somebody comes or goes; everybody in the group before or after is told.
    pub(crate) fn change_member(
        &mut self,
        at: usize,
        person: PersonId,
        joins: bool,
        announce: bool,
    ) {
        let members = &mut self.groups[at].members;
        let mut told = members.clone();
        members.retain(|member| *member != person);
        if joins {
            members.push(person);
            told.push(person);
        }
        if announce {
            let group = &self.groups[at];
            let change = Node::new(if joins { "add" } else { "remove" });
            let change = change.child(self.participant(group, person));
            self.tell_group(at, &told, &change);
        }
    }

    fn tell_group(&mut self, at: usize, to: &[PersonId], change: &Node) {
        let (from, lid, t) = (self.groups[at].jid(), self.groups[at].lid, self.now());
        for member in to {
            self.post_all(*member, |id| {
                Node::new("notification")
                    .attr("type", "w:gp2")
                    .attr("id", id)
                    .jid("from", from.clone())
                    .attr("addressing_mode", if lid { "lid" } else { "pn" })
                    .num("t", t)
                    .child(change.clone())
            });
        }
    }

    /// Every device of every member.
    pub(crate) fn group_devices(&self, at: usize) -> Vec<(ClientId, Jid)> {
        let group = &self.groups[at];
        let members = group.members.iter();
        let devices = members.flat_map(|member| {
            let person = &self.people[*member];
            person.device_list().into_iter().map(|(device, _)| {
                let id = ClientId {
                    person: *member,
                    device,
                };
                (id, person.device_jid(group.lid, device))
            })
        });
        devices.collect()
    }

    /// Broken rules of a question about groups.
    pub(crate) fn check_group_query(&mut self, connection: ConnectionId, node: &Node) {
        let query = node.find("query");
        if query.is_none_or(|query| !query.is("request", "interactive")) {
            self.violation(connection, "group_query", "no interactive query");
        }
    }
}
