//! The stored metadata of a group.

use prost::Message as _;

use crate::groups::{AddressingMode, Group, Member, Role};
use crate::peer::PeerKey;
use crate::time::UnixSeconds;
use crate::txn::{Namespace, Record};

impl Record for Group {
    const NAMESPACE: Namespace = Namespace::Groups;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        let Self {
            mode,
            members,
            announcement,
            ephemeral,
            parent,
            linked_parent,
            fetched,
            doubted,
        } = self;
        GroupRow {
            lid: *mode == AddressingMode::Lid,
            members: members.iter().map(MemberRow::from).collect(),
            announcement: *announcement,
            ephemeral: *ephemeral,
            parent: *parent,
            linked_parent: linked_parent.as_ref().map(|jid| jid.reveal()),
            fetched: fetched.0,
            doubted: doubted.map(|doubted| doubted.0),
        }
        .encode_to_vec()
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        let row = GroupRow::decode(body).ok()?;
        let members = row.members.into_iter().map(MemberRow::read);
        Some(Self {
            mode: match row.lid {
                true => AddressingMode::Lid,
                false => AddressingMode::Pn,
            },
            members: members.collect::<Option<_>>()?,
            announcement: row.announcement,
            ephemeral: row.ephemeral,
            parent: row.parent,
            linked_parent: row.linked_parent.and_then(|jid| jid.parse().ok()),
            fetched: UnixSeconds(row.fetched),
            doubted: row.doubted.map(UnixSeconds),
        })
    }
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct GroupRow {
    #[prost(bool, tag = "1")]
    lid: bool,
    #[prost(message, repeated, tag = "2")]
    members: Vec<MemberRow>,
    #[prost(bool, tag = "3")]
    announcement: bool,
    #[prost(uint32, optional, tag = "4")]
    ephemeral: Option<u32>,
    #[prost(bool, tag = "5")]
    parent: bool,
    #[prost(string, optional, tag = "6")]
    linked_parent: Option<String>,
    #[prost(int64, tag = "7")]
    fetched: i64,
    #[prost(int64, optional, tag = "8")]
    doubted: Option<i64>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct MemberRow {
    #[prost(string, tag = "1")]
    peer: String,
    /// 0 member, 1 admin, 2 superadmin.
    #[prost(uint32, tag = "2")]
    role: u32,
}

impl From<&Member> for MemberRow {
    fn from(member: &Member) -> Self {
        Self {
            peer: member.peer.storage(),
            role: match member.role {
                Role::Member => 0,
                Role::Admin => 1,
                Role::SuperAdmin => 2,
            },
        }
    }
}

impl MemberRow {
    fn read(self) -> Option<Member> {
        Some(Member {
            peer: PeerKey::parse_storage(&self.peer)?,
            role: match self.role {
                1 => Role::Admin,
                2 => Role::SuperAdmin,
                _ => Role::Member,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jid::Jid;

    #[test]
    fn the_stored_bytes_do_not_change() {
        let member = |peer, role| Member { peer, role };
        let group = Group {
            mode: AddressingMode::Lid,
            members: vec![
                member(PeerKey::Lid("7".into()), Role::SuperAdmin),
                member(PeerKey::Pn("49".into()), Role::Member),
            ],
            announcement: true,
            ephemeral: Some(5),
            parent: true,
            linked_parent: Some("1@g.us".parse::<Jid>().unwrap()),
            fetched: UnixSeconds(6),
            doubted: Some(UnixSeconds(0)),
        };
        let row = group.to_row();
        let members = "12090a056c69643a371002".to_owned() + "12070a05706e3a3439";
        assert_eq!(
            hex::encode(&row),
            format!("010801{members}18012005280132063140672e757338064000")
        );
        assert_eq!(Group::from_row(&row), Ok(group));
    }

    #[test]
    fn a_member_without_a_name_is_a_damaged_row() {
        assert!(Group::from_row(&[1, 0x12, 0]).is_err());
    }
}
