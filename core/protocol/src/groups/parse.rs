//! What the server says about a group.
//!
//! ```text
//! <group id [addressing_mode="lid|pn"] …>
//!   <participant jid [type="admin|superadmin"] [phone_number | lid]/> …
//!   [<announcement/>] [<ephemeral expiration/>] [<parent/>] [<linked_parent jid/>] …</group>
//! ```
//!
//! In a `lid` group `jid` is the LID and `phone_number` the other name; in a `pn` group `lid` is.
//! An answer without `<group>` says that nothing changed.

use std::collections::BTreeSet;

use crate::groups::{AddressingMode, Group, Member, Role};
use crate::jid::Jid;
use crate::lidmap::Mapping;
use crate::peer::PeerKey;
use crate::time::UnixSeconds;
use crate::wap::Node;

/// The answer to a query.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Told {
    /// The whole metadata; its times are not set yet.
    Group(Box<Group>),
    /// What we have is right.
    Unchanged,
}

/// Reads the answer of an IQ, with every pair of names that it tells. Learn these first.
pub fn parse(iq: &Node) -> (Told, Vec<Mapping>) {
    let Some(node) = iq.find("group") else {
        return (Told::Unchanged, Vec::new());
    };
    let mode = AddressingMode::of(node);
    let mut seen = BTreeSet::new();
    let mut members: Vec<Member> = node
        .all("participant")
        .filter_map(|participant| member(participant, mode))
        .collect();
    members.retain(|member| seen.insert(member.peer.clone()));
    let expiration = node
        .find("ephemeral")
        .and_then(|ephemeral| ephemeral.number("expiration"));
    let group = Group {
        mode,
        members,
        announcement: node.find("announcement").is_some(),
        ephemeral: expiration.filter(|seconds| *seconds > 0),
        parent: node.find("parent").is_some(),
        linked_parent: node
            .find("linked_parent")
            .and_then(|parent| parent.address("jid")),
        fetched: UnixSeconds(0),
        doubted: None,
    };
    (Told::Group(group.into()), mappings(node))
}

/// A member by the name that fits the group, if the node tells it.
pub(super) fn member(node: &Node, mode: AddressingMode) -> Option<Member> {
    let named = |key| node.address(key).as_ref().and_then(PeerKey::of);
    let jid = named("jid")?;
    let names = [Some(jid.clone()), named("lid"), named("phone_number")];
    let fitting = names.into_iter().flatten().find(|name| mode.fits(name));
    let role = match node.text("type").as_deref() {
        Some("admin") => Role::Admin,
        Some("superadmin") => Role::SuperAdmin,
        _ => Role::Member,
    };
    Some(Member {
        peer: fitting.unwrap_or(jid),
        role,
    })
}

/// The pairs of names that the participants of `node` tell.
pub(super) fn mappings(node: &Node) -> Vec<Mapping> {
    let pairs = |participant: &Node| {
        let jid = participant.address("jid")?;
        let others = ["phone_number", "lid"].map(|key| participant.address(key));
        let mut others = others.into_iter().flatten();
        others.find_map(|other: Jid| Mapping::of(&jid, &other))
    };
    node.all("participant").filter_map(pairs).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testkit::any_node;

    fn participant(jid: &str) -> Node {
        Node::new("participant").jid("jid", jid.parse().unwrap())
    }

    fn told(group: Node) -> (Group, Vec<Mapping>) {
        match parse(&Node::new("iq").child(group)) {
            (Told::Group(group), pairs) => (*group, pairs),
            (Told::Unchanged, _) => panic!("no group"),
        }
    }

    fn names(group: &Group) -> Vec<String> {
        group.members.iter().map(|m| m.peer.storage()).collect()
    }

    #[test]
    fn members_of_a_lid_group_come_with_their_numbers() {
        let (group, pairs) = told(
            Node::new("group")
                .attr("id", "1")
                .attr("addressing_mode", "lid")
                .children([
                    participant("7@lid").attr("phone_number", "49@s.whatsapp.net"),
                    participant("8@lid").attr("type", "superadmin"),
                    participant("50@s.whatsapp.net").attr("lid", "9@lid"),
                    participant("7@lid"),
                    participant("1@g.us"),
                    Node::new("participant"),
                ]),
        );
        assert_eq!(group.mode, AddressingMode::Lid);
        assert_eq!(names(&group), ["lid:7", "lid:8", "lid:9"]);
        assert_eq!(group.members[1].role, Role::SuperAdmin);
        let pairs: Vec<_> = pairs.iter().map(|p| (p.pn(), p.lid())).collect();
        let pair = |pn: &str, lid: &str| (PeerKey::Pn(pn.into()), PeerKey::Lid(lid.into()));
        assert_eq!(pairs, [pair("49", "7"), pair("50", "9")]);
    }

    #[test]
    fn a_group_without_a_mode_is_addressed_by_number() {
        let (group, pairs) = told(
            Node::new("group")
                .child(participant("49@s.whatsapp.net").attr("lid", "7@lid"))
                .child(participant("8@lid").attr("phone_number", "50@s.whatsapp.net")),
        );
        assert_eq!(group.mode, AddressingMode::Pn);
        assert_eq!(names(&group), ["pn:49", "pn:50"]);
        assert_eq!(pairs.len(), 2);
    }

    #[test]
    fn settings_are_read() {
        let (group, _) = told(Node::new("group").children([
            Node::new("announcement"),
            Node::new("parent"),
            Node::new("linked_parent").attr("jid", "9@g.us"),
            Node::new("ephemeral").num("expiration", 86400),
        ]));
        assert!(group.announcement && group.parent);
        assert_eq!(group.ephemeral, Some(86400));
        assert_eq!(group.linked_parent, "9@g.us".parse().ok());
        let (group, _) =
            told(Node::new("group").child(Node::new("ephemeral").num("expiration", 0)));
        assert!(!group.announcement && !group.parent);
        assert_eq!((group.ephemeral, group.linked_parent), (None, None));
    }

    #[test]
    fn an_answer_without_a_group_changes_nothing() {
        assert_eq!(parse(&Node::new("iq")), (Told::Unchanged, Vec::new()));
    }

    proptest! {
        #[test]
        fn no_answer_is_too_strange(node in any_node()) {
            parse(&Node::new("iq").child(node));
        }
    }
}
