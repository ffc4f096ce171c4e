//! Who is in a group and how it is addressed, cached by group.
//!
//! ```text
//! Groups / <group>  -> mode, members, settings, time      (slot scope)
//! <iq xmlns="w:g2" type="get" to=<group>><query request="interactive" [phash]/></iq>
//! ```
//!
//! Metadata is believed for [`MAX_AGE`], and follows the `w:gp2` notifications. What is in doubt is
//! kept, but asked for before the next message; the old members then still say who may ask for a
//! message again. Source: spec section 9.1.

pub mod marks;
mod notify;
mod parse;
mod record;

use crate::devices::participant_hash;
use crate::error::StoreError;
use crate::jid::{Jid, Server};
use crate::peer::PeerKey;
use crate::time::UnixSeconds;
use crate::txn::{Key, Namespace, Record, Scope, Txn};
use crate::wap::Node;

pub use notify::{Change, Notice, apply};
pub use parse::{Told, parse};

/// How long metadata is believed, in seconds: 24 hours. Longer misses members if a notification was
/// lost, shorter asks the server more often.
pub const MAX_AGE: i64 = 24 * 3600;

/// How often the server's hash may make us ask for everybody's devices, in seconds: once an hour. A
/// group whose hash we never match (members of a kind that we do not know) must not cost a query for
/// each message.
const DOUBT_PAUSE: i64 = 3600;

/// Rows that are read at a time.
const PAGE: usize = 200;

/// Which names a group's stanzas use.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AddressingMode {
    /// Hidden identities.
    Lid,
    /// Phone numbers.
    Pn,
}

impl AddressingMode {
    /// The text on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lid => "lid",
            Self::Pn => "pn",
        }
    }

    /// The mode of an `addressing_mode` attribute; one that is absent or unknown is `pn`.
    pub fn of(node: &Node) -> Self {
        match node.is("addressing_mode", "lid") {
            true => Self::Lid,
            false => Self::Pn,
        }
    }

    /// Whether a name is one of this mode.
    pub const fn fits(self, peer: &PeerKey) -> bool {
        matches!(
            (self, peer),
            (Self::Lid, PeerKey::Lid(_)) | (Self::Pn, PeerKey::Pn(_))
        )
    }
}

/// What a member may do.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Role {
    /// Manages members and settings.
    Admin,
    /// Neither of the others.
    #[default]
    Member,
    /// Made the group.
    SuperAdmin,
}

/// Somebody in a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    /// By the group's names where the server told them.
    pub peer: PeerKey,
    /// What it may do.
    pub role: Role,
}

/// A group, as far as sending depends on it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Group {
    /// Which names its stanzas use.
    pub mode: AddressingMode,
    /// Everybody in it, ourselves included, without duplicates.
    pub members: Vec<Member>,
    /// Only admins may write.
    pub announcement: bool,
    /// For how many seconds messages stay; `None` when they do not disappear.
    pub ephemeral: Option<u32>,
    /// It is a community: a roof over groups.
    pub parent: bool,
    /// The community that it belongs to.
    pub linked_parent: Option<Jid>,
    /// When the server told it, by our own clock; the epoch when it is in doubt.
    pub fetched: UnixSeconds,
    /// When a hash of the server last made us doubt it.
    pub doubted: Option<UnixSeconds>,
}

impl Group {
    /// Whether it may be believed at `now`.
    pub fn is_fresh(&self, now: UnixSeconds) -> bool {
        (0..MAX_AGE).contains(&now.since(self.fetched))
    }

    /// Whether an account is in it, under this name.
    pub fn has(&self, peer: &PeerKey) -> bool {
        self.members.iter().any(|member| member.peer == *peer)
    }

    /// The short name of the set of members.
    pub fn member_hash(&self) -> String {
        let jids: Vec<Jid> = self.members.iter().map(|m| m.peer.jid()).collect();
        participant_hash(&jids)
    }
}

/// Whether a JID names a group.
pub fn is_group(jid: &Jid) -> bool {
    *jid.server_part() == Server::Group && !jid.user_part().is_empty()
}

/// The query for a group: an IQ without an id. With the metadata we have, the server leaves out what
/// did not change.
pub fn query(group: &Jid, known: Option<&Group>) -> Node {
    let query = Node::new("query")
        .attr("request", "interactive")
        .maybe("phash", known.map(Group::member_hash));
    Node::new("iq")
        .attr("xmlns", "w:g2")
        .attr("type", "get")
        .jid("to", group.clone())
        .child(query)
}

/// The metadata of a group, however old it is.
///
/// # Errors
/// What the store says.
pub fn load(txn: &Txn<'_>, slot: &Scope, group: &Jid) -> Result<Option<Group>, StoreError> {
    match txn.get(slot, group.reveal()) {
        // A damaged row is as good as none: the server is asked.
        Err(StoreError::Corrupt(_)) => Ok(None),
        loaded => loaded,
    }
}

/// Stores what the server told.
///
/// # Errors
/// What the store says.
pub fn store(
    txn: &mut Txn<'_>,
    slot: &Scope,
    jid: &Jid,
    told: Told,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    let known = load(txn, slot, jid)?;
    let doubted = known.as_ref().and_then(|known| known.doubted);
    let group = match told {
        Told::Group(group) => Some(*group),
        Told::Unchanged => known,
    };
    if let Some(group) = group {
        let group = Group {
            fetched: now,
            doubted,
            ..group
        };
        txn.put(slot, jid.reveal(), &group);
    }
    Ok(())
}

/// Deletes the metadata: we are not in the group any more, or it is gone.
pub fn forget(txn: &mut Txn<'_>, slot: &Scope, group: &Jid) {
    txn.delete(slot, Namespace::Groups, group.reveal());
}

/// The metadata may be wrong: it is asked for before the next message.
///
/// # Errors
/// What the store says.
pub fn doubt(txn: &mut Txn<'_>, slot: &Scope, group: &Jid) -> Result<(), StoreError> {
    if let Some(mut known) = load(txn, slot, group)? {
        known.fetched = UnixSeconds(0);
        txn.put(slot, group.reveal(), &known);
    }
    Ok(())
}

/// All metadata may be wrong.
///
/// # Errors
/// What the store says.
pub fn doubt_all(txn: &mut Txn<'_>, slot: &Scope) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let rows = txn.scan(slot, Namespace::Groups, b"", after.as_deref(), PAGE)?;
        let full = rows.len() == PAGE;
        for (id, row) in rows {
            // A damaged row is asked for as well.
            if let Ok(mut known) = Group::from_row(&row) {
                known.fetched = UnixSeconds(0);
                txn.put_row(Key::new(slot, Namespace::Groups, &id), known.to_row());
            }
            after = Some(id);
        }
        if !full {
            return Ok(());
        }
    }
}

/// The server counts other devices than we do. Gives the members whose device lists are to be asked
/// for, too; nobody when that was done a short while ago.
///
/// # Errors
/// What the store says.
pub fn hash_differs(
    txn: &mut Txn<'_>,
    slot: &Scope,
    group: &Jid,
    now: UnixSeconds,
) -> Result<Vec<PeerKey>, StoreError> {
    let Some(mut known) = load(txn, slot, group)? else {
        return Ok(Vec::new());
    };
    let recently = |doubted: UnixSeconds| (0..DOUBT_PAUSE).contains(&now.since(doubted));
    if known.doubted.is_some_and(recently) {
        return Ok(Vec::new());
    }
    known.doubted = Some(now);
    known.fetched = UnixSeconds(0);
    txn.put(slot, group.reveal(), &known);
    Ok(known.members.into_iter().map(|m| m.peer).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Bench;
    use crate::time::UnixMillis;

    fn jid() -> Jid {
        "1-2@g.us".parse().unwrap()
    }

    fn group() -> Group {
        let iq =
            Node::new("iq").child(Node::new("group").attr("addressing_mode", "lid").children(
                ["7", "8"].map(|user| Node::new("participant").jid("jid", Jid::lid(user))),
            ));
        match parse(&iq).0 {
            Told::Group(group) => *group,
            Told::Unchanged => panic!("no group"),
        }
    }

    fn stored(bench: &mut Bench, told: Told) -> Group {
        let slot = bench.slot.clone();
        bench.run(|cx| {
            let now = cx.now.unix();
            store(&mut cx.txn, &slot, &jid(), told, now)?;
            Ok(load(&cx.txn, &slot, &jid())?.unwrap())
        })
    }

    #[test]
    fn a_query_names_what_we_know() {
        let first = query(&jid(), None);
        assert!(first.is("xmlns", "w:g2") && first.is("to", "1-2@g.us"));
        assert_eq!(first.find("query").unwrap().value("phash"), None);
        let again = query(&jid(), Some(&group()));
        let hash = participant_hash(&[Jid::lid("7"), Jid::lid("8")]);
        assert!(again.find("query").unwrap().is("phash", &hash));
    }

    #[test]
    fn metadata_is_believed_for_a_day_and_an_unchanged_answer_renews_it() {
        let mut bench = Bench::new(1);
        let told = stored(&mut bench, Told::Group(group().into()));
        let (start, later) = (bench.now.unix(), UnixSeconds(bench.now.unix().0 + MAX_AGE));
        assert!(told.is_fresh(start) && !told.is_fresh(later));
        bench.now.wall = UnixMillis(later.0 * 1000);
        let renewed = stored(&mut bench, Told::Unchanged);
        assert!(renewed.is_fresh(later));
        assert_eq!(renewed.members, told.members);
    }

    #[test]
    fn doubt_keeps_the_members_and_asks_again() {
        let mut bench = Bench::new(1);
        stored(&mut bench, Told::Group(group().into()));
        let slot = bench.slot.clone();
        let doubted = bench.run(|cx| {
            doubt(&mut cx.txn, &slot, &jid())?;
            Ok(load(&cx.txn, &slot, &jid())?.unwrap())
        });
        assert!(!doubted.is_fresh(bench.now.unix()));
        assert!(doubted.has(&PeerKey::Lid("8".into())));
    }

    #[test]
    fn a_hash_that_never_matches_costs_one_round_an_hour() {
        let mut bench = Bench::new(1);
        stored(&mut bench, Told::Group(group().into()));
        let slot = bench.slot.clone();
        let start = bench.now.unix();
        let mut differs = |seconds: i64| {
            bench.run(|cx| {
                let now = UnixSeconds(start.0 + seconds);
                let members = hash_differs(&mut cx.txn, &slot, &jid(), now)?;
                store(&mut cx.txn, &slot, &jid(), Told::Group(group().into()), now)?;
                Ok(members.len())
            })
        };
        let counts = [0, 1, 3599, 3600, 3601].map(&mut differs);
        assert_eq!(counts, [2, 0, 0, 2, 0]);
    }
}
