//! A group as its members see it.

use crate::groups::{self, Group, Told};
use crate::jid::Jid;
use crate::lidmap::Mapping;
use crate::time::UnixSeconds;
use crate::wap::Node;

/// Ask the server for a group's metadata. What is kept for sending follows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupQuery(pub Jid);

/// What the server tells of a group.
#[derive(Clone, Eq, PartialEq)]
pub struct GroupInfo {
    /// Its name; `None` if the server told none.
    pub subject: Option<String>,
    /// Who made it.
    pub creator: Option<Jid>,
    /// When.
    pub created: Option<UnixSeconds>,
    /// Only admins may change name, picture and description.
    pub locked: bool,
    /// Members and what sending depends on.
    pub group: Group,
}

impl core::fmt::Debug for GroupInfo {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "GroupInfo({} members)", self.group.members.len())
    }
}

impl GroupInfo {
    /// Reads the answer of an IQ, with every pair of names that it tells; `None` when it is about
    /// no group.
    pub(crate) fn parse(answer: &Node) -> Option<(Self, Vec<Mapping>)> {
        let (Told::Group(group), mappings) = groups::parse(answer) else {
            return None;
        };
        let node = answer.find("group")?;
        let info = Self {
            subject: node.text("subject").map(|text| text.into_owned()),
            creator: node.address("creator"),
            created: node.number("creation").map(UnixSeconds),
            locked: node.find("locked").is_some(),
            group: *group,
        };
        Some((info, mappings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_name_and_members() {
        let node = Node::new("group")
            .attr("subject", "Us")
            .jid("creator", Jid::lid("7"))
            .num("creation", 5)
            .child(Node::new("locked"))
            .child(Node::new("participant").jid("jid", Jid::pn("49")));
        let (info, _) = GroupInfo::parse(&Node::new("iq").child(node)).unwrap();
        assert_eq!(info.subject.as_deref(), Some("Us"));
        assert_eq!(info.creator, Some(Jid::lid("7")));
        assert_eq!((info.created, info.locked), (Some(UnixSeconds(5)), true));
        assert_eq!(info.group.members.len(), 1);
        assert!(!format!("{info:?}").contains("Us"));
        assert_eq!(GroupInfo::parse(&Node::new("iq")), None);
    }
}
