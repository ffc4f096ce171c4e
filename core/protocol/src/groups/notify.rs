//! Notifications about groups.
//!
//! ```text
//! <notification type="w:gp2" from=<group> [participant] [addressing_mode]>
//!   <add|remove|leave|promote|demote><participant jid [phone_number | lid]/>…</…>
//!   <announcement/> <not_announcement/> <ephemeral expiration/> <not_ephemeral/> <subject/> …
//! ```
//!
//! A change that we understand is applied to the metadata; any other puts it in doubt, which costs
//! a query, never a member. Source: spec sections 9.1 and 10.11.

use std::collections::BTreeMap;

use crate::error::StoreError;
use crate::groups::parse::{mappings, member};
use crate::groups::{self, AddressingMode, Group, Member, Role};
use crate::jid::Jid;
use crate::lidmap::{self, Mapping};
use crate::peer::{Names, PeerKey};
use crate::time::UnixSeconds;
use crate::txn::{Scope, Txn};
use crate::wap::Node;

/// What a notification says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notice {
    /// The group.
    pub group: Jid,
    /// How it is addressed now, if the notification says so.
    pub mode: Option<AddressingMode>,
    /// Pairs of names that it tells; learn them first.
    pub mappings: Vec<Mapping>,
    /// The changes, in order.
    pub changes: Vec<Change>,
}

/// One change of a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// These came.
    Added(Vec<Member>),
    /// Only admins may write, or everybody may again.
    Announcement(bool),
    /// Nothing that sending depends on.
    Cosmetic,
    /// For how many seconds messages stay from now on; `None` for ever.
    Ephemeral(Option<u32>),
    /// These went.
    Removed(Vec<Member>),
    /// These may do more, or less.
    Role(Vec<Member>, Role),
    /// Something that we do not understand.
    Unknown,
}

impl Notice {
    /// Reads a notification; `None` if it is not about a group.
    pub fn parse(node: &Node) -> Option<Self> {
        let group = node.address("from").filter(groups::is_group)?;
        let mode = node
            .value("addressing_mode")
            .map(|_| AddressingMode::of(node));
        let children = node.nodes().iter();
        Some(Self {
            group,
            mode,
            mappings: node.nodes().iter().flat_map(mappings).collect(),
            changes: children.map(Change::parse).collect(),
        })
    }

    /// Whether somebody left, who must not read what comes.
    pub fn somebody_left(&self) -> bool {
        let left = |change: &Change| matches!(change, Change::Removed(_));
        self.changes.iter().any(left)
    }

    /// Everybody who came.
    pub fn added(&self) -> impl Iterator<Item = &PeerKey> {
        let members = self.changes.iter().flat_map(|change| match change {
            Change::Added(members) => members.as_slice(),
            _ => &[],
        });
        members.map(|member| &member.peer)
    }
}

impl Change {
    /// Everybody it names.
    fn peers(&self) -> impl Iterator<Item = &PeerKey> {
        let members = match self {
            Self::Added(members) | Self::Removed(members) | Self::Role(members, _) => {
                members.as_slice()
            }
            Self::Announcement(_) | Self::Cosmetic | Self::Ephemeral(_) | Self::Unknown => &[],
        };
        members.iter().map(|member| &member.peer)
    }

    fn parse(node: &Node) -> Self {
        let members = || {
            let all: Vec<Member> = node.all("participant").filter_map(either).collect();
            let whole = !all.is_empty() && all.len() == node.all("participant").count();
            whole.then_some(all)
        };
        let with_members =
            |change: fn(Vec<Member>) -> Self| members().map_or(Self::Unknown, change);
        match &*node.tag {
            "add" => with_members(Self::Added),
            // Somebody left even if we cannot tell who: the key changes.
            "leave" | "remove" => Self::Removed(members().unwrap_or_default()),
            "promote" => with_members(|members| Self::Role(members, Role::Admin)),
            "demote" => with_members(|members| Self::Role(members, Role::Member)),
            "announcement" => Self::Announcement(true),
            "not_announcement" => Self::Announcement(false),
            "ephemeral" => match node.number("expiration") {
                Some(seconds) => Self::Ephemeral(Some(seconds).filter(|seconds| *seconds > 0)),
                None => Self::Unknown,
            },
            "not_ephemeral" => Self::Ephemeral(None),
            "description" | "invite" | "locked" | "subject" | "unlocked" => Self::Cosmetic,
            _ => Self::Unknown,
        }
    }
}

/// A participant under its LID if the node tells it.
fn either(node: &Node) -> Option<Member> {
    member(node, AddressingMode::Lid)
}

/// Applies a notification to the stored metadata. Learn its mappings first.
///
/// # Errors
/// What the store says.
pub fn apply(
    txn: &mut Txn<'_>,
    account: &Scope,
    slot: &Scope,
    notice: &Notice,
) -> Result<(), StoreError> {
    let Some(mut group) = groups::load(txn, slot, &notice.group)? else {
        return Ok(());
    };
    let mut names = BTreeMap::new();
    for peer in notice.changes.iter().flat_map(Change::peers) {
        names.insert(peer.clone(), lidmap::resolve(txn, account, peer)?);
    }
    let mut doubtful = notice.mode.is_some_and(|mode| mode != group.mode);
    for change in &notice.changes {
        doubtful |= !group.apply(change, &names);
    }
    if doubtful {
        group.fetched = UnixSeconds(0);
    }
    txn.put(slot, notice.group.reveal(), &group);
    Ok(())
}

impl Group {
    /// Applies a change; false when the result is in doubt.
    fn apply(&mut self, change: &Change, names: &BTreeMap<PeerKey, Names>) -> bool {
        let place = |members: &[Member], peer: &PeerKey| {
            let names = names.get(peer);
            let named = |name: &PeerKey| {
                let both = names.map(|names| [names.lid.as_ref(), names.pn.as_ref()]);
                name == peer || both.is_some_and(|both| both.contains(&Some(name)))
            };
            members.iter().position(|member| named(&member.peer))
        };
        match change {
            Change::Added(added) => {
                let mut fits = true;
                for new in added {
                    if let Some(at) = place(&self.members, &new.peer) {
                        self.members[at].role = new.role;
                        continue;
                    }
                    // A name of the other kind is no name to send to.
                    let both = names.get(&new.peer).and_then(|names| match self.mode {
                        AddressingMode::Lid => names.lid.clone(),
                        AddressingMode::Pn => names.pn.clone(),
                    });
                    let peer = both.unwrap_or_else(|| new.peer.clone());
                    fits &= self.mode.fits(&peer);
                    self.members.push(Member {
                        peer,
                        role: new.role,
                    });
                }
                fits
            }
            Change::Removed(removed) => {
                let mut found = !removed.is_empty();
                for gone in removed {
                    match place(&self.members, &gone.peer) {
                        Some(at) => drop(self.members.remove(at)),
                        None => found = false,
                    }
                }
                found
            }
            Change::Role(changed, role) => changed.iter().all(|member| {
                let at = place(&self.members, &member.peer);
                at.map(|at| self.members[at].role = *role).is_some()
            }),
            Change::Announcement(only_admins) => {
                self.announcement = *only_admins;
                true
            }
            Change::Ephemeral(seconds) => {
                self.ephemeral = *seconds;
                true
            }
            Change::Cosmetic => true,
            Change::Unknown => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::groups::{Told, load, parse, store};
    use crate::peer::AccountKey;
    use crate::testkit::{Bench, any_node};

    fn participant(jid: &str) -> Node {
        Node::new("participant").jid("jid", jid.parse().unwrap())
    }

    fn notification(change: Node) -> Node {
        Node::new("notification")
            .attr("type", "w:gp2")
            .jid("from", "1@g.us".parse().unwrap())
            .child(change)
    }

    /// A group of 7 and 8 by LID, after a notification; 49 is the number of 7.
    fn after(node: &Node) -> (Group, bool) {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let notice = Notice::parse(node).unwrap();
        let account = Scope::account(&AccountKey(PeerKey::Lid("1".into())));
        let pair = Mapping::of(&Jid::pn("49"), &Jid::lid("7")).unwrap();
        let group = Node::new("group").attr("addressing_mode", "lid");
        let group = group.children([participant("7@lid"), participant("8@lid")]);
        let told: Told = parse(&Node::new("iq").child(group)).0;
        let now = bench.now.unix();
        let group = bench.run(|cx| {
            lidmap::learn(cx, &account, &slot, &pair)?;
            store(&mut cx.txn, &slot, &notice.group, told, now)?;
            apply(&mut cx.txn, &account, &slot, &notice)?;
            Ok(load(&cx.txn, &slot, &notice.group)?.unwrap())
        });
        let fresh = group.is_fresh(now);
        (group, fresh)
    }

    fn names(group: &Group) -> Vec<String> {
        group.members.iter().map(|m| m.peer.storage()).collect()
    }

    #[test]
    fn members_come_and_go() {
        let add = Node::new("add").child(participant("9@lid"));
        let (group, fresh) = after(&notification(add));
        assert_eq!((names(&group).len(), fresh), (3, true));
        for tag in ["remove", "leave"] {
            let node = notification(Node::new(tag).child(participant("49@s.whatsapp.net")));
            assert!(Notice::parse(&node).unwrap().somebody_left());
            let (group, fresh) = after(&node);
            assert_eq!((names(&group), fresh), (vec!["lid:8".into()], true));
        }
    }

    #[test]
    fn roles_and_settings_follow() {
        let promote = Node::new("promote").child(participant("8@lid"));
        let (group, fresh) = after(&notification(promote));
        assert_eq!((group.members[1].role, fresh), (Role::Admin, true));
        let (group, fresh) = after(&notification(Node::new("announcement")));
        assert!(group.announcement && fresh);
        let ephemeral = Node::new("ephemeral").num("expiration", 60);
        let (group, fresh) = after(&notification(ephemeral));
        assert_eq!((group.ephemeral, fresh), (Some(60), true));
        let (_, fresh) = after(&notification(Node::new("subject").attr("subject", "x")));
        assert!(fresh);
    }

    #[test]
    fn what_is_not_understood_is_in_doubt() {
        for change in [
            Node::new("modify").child(participant("8@lid")),
            Node::new("something_new"),
            Node::new("add"),
            Node::new("add").child(Node::new("participant")),
            Node::new("add").child(participant("50@s.whatsapp.net")),
            Node::new("remove").child(participant("666@lid")),
            Node::new("remove"),
            Node::new("promote").child(participant("666@lid")),
        ] {
            let (_, fresh) = after(&notification(change.clone()));
            assert!(!fresh, "{}", change.tag);
        }
        let add = Node::new("add").child(participant("9@lid"));
        let (_, fresh) = after(&notification(add).attr("addressing_mode", "pn"));
        assert!(!fresh, "another mode");
    }

    #[test]
    fn a_change_of_a_group_that_we_do_not_know_changes_nothing() {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let add = Node::new("add").child(participant("9@lid"));
        let notice = Notice::parse(&notification(add)).unwrap();
        let group = bench.run(|cx| {
            apply(&mut cx.txn, &slot, &slot, &notice)?;
            Ok(load(&cx.txn, &slot, &notice.group)?)
        });
        assert_eq!(group, None);
    }

    proptest! {
        #[test]
        fn no_notification_is_too_strange(change in any_node()) {
            let (group, _) = after(&notification(change));
            prop_assert!(group.members.len() < 10);
        }
    }
}
