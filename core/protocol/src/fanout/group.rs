//! Which devices get a message of a group, and its stanza.
//!
//! ```text
//! devices(members) + devices(own account) - hosted - the sending device
//! <message id to=<group> type addressing_mode phash [edit]>
//!   [<participants>
//!     <to jid><enc v="2" type="pkmsg|msg" [decrypt-fail]>our key</enc></to>..
//!   </participants>]
//!   <enc v="2" type="skmsg" [mediatype] [decrypt-fail]>..</enc>
//!   [<device-identity>]                      if any enc is a pkmsg
//!   [<meta>] [<reporting>]
//! </message>
//! ```
//! Source: spec "Group send". Everything is in the group's namespace; sessions lie at the LID when it
//! is known. A group carries no token.

use std::collections::BTreeSet;

use super::Target;
use super::stanza::{ciphertext, reporting};
use crate::content::{Edit, Shape};
use crate::devices::{self, Device, participant_hash};
use crate::error::StoreError;
use crate::groups::{AddressingMode, Group};
use crate::jid::Jid;
use crate::lidmap;
use crate::peer::PeerKey;
use crate::signal::{Ciphertext, EncType};
use crate::time::UnixSeconds;
use crate::txn::{Key, Namespace, Scope, Txn, blocks};
use crate::verdict::MessageId;
use crate::wap::Node;

/// The devices of a group.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GroupPlan {
    /// The other members' devices.
    pub members: Vec<Target>,
    /// Our other devices.
    pub own: Vec<Target>,
    /// The accounts behind `members`, by canonical key, even those without a device.
    pub accounts: BTreeSet<PeerKey>,
    /// Accounts whose list must be asked for; an old list is used until then.
    pub missing: BTreeSet<PeerKey>,
    /// The short name of the set of all devices, the sending one included.
    pub phash: String,
}

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// Our account in the group's namespace.
    pub own: &'a PeerKey,
    /// The sending device.
    pub device: u16,
    /// The instant, for the age of lists.
    pub now: UnixSeconds,
}

/// Plans a message to everybody in `group`. Members whose name in the group's namespace nobody knows
/// are left out: a stanza with both kinds of names would be refused as a whole.
///
/// # Errors
/// What the store says.
pub fn plan(
    txn: &mut Txn<'_>,
    account: &Scope,
    slot: &Scope,
    group: &Group,
    sender: Sender<'_>,
) -> Result<GroupPlan, StoreError> {
    let mut plan = GroupPlan::default();
    let own = lidmap::canonical(txn, account, sender.own)?;
    let mut peers = fitting(txn, account, group)?;
    peers.push(sender.own.clone());
    let mut wire = Vec::with_capacity(2 * peers.len());
    for block in blocks(peers) {
        let keys = canonical(txn, account, &block)?;
        let rows = keys.iter().map(PeerKey::storage);
        txn.read_ahead(
            rows.map(|id| Key::new(slot, Namespace::Devices, id))
                .collect(),
        )?;
        for (peer, key) in block.into_iter().zip(keys) {
            let ours = key == own;
            if !ours && !plan.accounts.insert(key.clone()) {
                continue;
            }
            let list = devices::load(txn, slot, &key)?;
            if !list.as_ref().is_some_and(|list| list.is_fresh(sender.now)) {
                plan.missing.insert(peer.clone());
            }
            let mut devices = list.map(|list| list.devices).unwrap_or_default();
            if ours && !devices.iter().any(|device| device.id == 0) {
                devices.insert(0, Device::phone());
            }
            devices.retain(|device| !device.hosted);
            let targets = devices.iter().map(|device| Target {
                wire: device.address(&peer).jid(),
                session: device.address(&key),
            });
            match ours {
                true if plan.own.is_empty() => plan.own.extend(targets),
                true => {}
                false => plan.members.extend(targets),
            }
        }
    }
    plan.own
        .retain(|device| device.session.device != sender.device);
    let devices = plan.members.iter().chain(&plan.own);
    wire.extend(devices.map(|device| device.wire.clone()));
    wire.push(sender.own.jid().with_device(sender.device));
    plan.phash = participant_hash(&wire);
    Ok(plan)
}

/// The members under their names of the group's namespace.
fn fitting(txn: &mut Txn<'_>, account: &Scope, group: &Group) -> Result<Vec<PeerKey>, StoreError> {
    let people = group.members.iter().map(|member| &member.peer);
    let people = people.filter(|peer| {
        let jid = peer.jid();
        !jid.is_bot() && !jid.is_psa()
    });
    let (mut fitting, others): (Vec<_>, Vec<_>) =
        people.cloned().partition(|peer| group.mode.fits(peer));
    for names in lidmap::resolve_all(txn, account, &others)? {
        fitting.extend(match group.mode {
            AddressingMode::Lid => names.lid,
            AddressingMode::Pn => names.pn,
        });
    }
    Ok(fitting)
}

/// The keys of `peers` in the store.
fn canonical(
    txn: &mut Txn<'_>,
    account: &Scope,
    peers: &[PeerKey],
) -> Result<Vec<PeerKey>, StoreError> {
    if peers.iter().all(|peer| matches!(peer, PeerKey::Lid(_))) {
        return Ok(peers.to_vec());
    }
    let names = lidmap::resolve_all(txn, account, peers)?;
    let keys = peers.iter().zip(names);
    Ok(keys
        .map(|(peer, names)| names.lid.unwrap_or_else(|| peer.clone()))
        .collect())
}

/// What a group message stanza is made of.
pub struct GroupStanza<'a> {
    /// Message id.
    pub id: &'a MessageId,
    /// The group.
    pub group: &'a Jid,
    /// Which names it uses.
    pub mode: AddressingMode,
    /// What the content says about itself.
    pub shape: &'a Shape,
    /// The short name of all devices.
    pub phash: &'a str,
    /// Our key for the devices that do not have it.
    pub keys: Vec<(Jid, Ciphertext)>,
    /// The message itself.
    pub skmsg: Vec<u8>,
    /// Our signed device identity, account key included.
    pub device_identity: &'a [u8],
    /// What lets a member report the message.
    pub reporting: Option<[u8; 16]>,
}

/// Builds the stanza.
pub fn message(parts: GroupStanza<'_>) -> Node {
    let starts_session = parts.keys.iter().any(|(_, enc)| enc.kind == EncType::Pkmsg);
    let mut stanza = Node::new("message")
        .attr("id", parts.id.as_str().to_owned())
        .jid("to", parts.group.clone())
        .attr("type", parts.shape.kind.as_str())
        .attr("addressing_mode", parts.mode.as_str())
        .attr("phash", parts.phash.to_owned())
        .maybe("edit", parts.shape.edit.map(Edit::as_str));
    if !parts.keys.is_empty() {
        let hide = parts.shape.hide.then_some("hide");
        let to_device = |(jid, enc)| {
            let enc = ciphertext(enc).maybe("decrypt-fail", hide);
            Node::new("to").jid("jid", jid).child(enc)
        };
        stanza.push(Node::new("participants").children(parts.keys.into_iter().map(to_device)));
    }
    let skmsg = Node::new("enc").attr("v", "2").attr("type", "skmsg");
    stanza.push(parts.shape.enc(skmsg).bytes(parts.skmsg));
    if starts_session {
        stanza.push(Node::new("device-identity").bytes(parts.device_identity));
    }
    if let Some(meta) = parts.shape.meta_node() {
        stanza.push(meta);
    }
    if let Some(token) = parts.reporting {
        stanza.push(reporting(token));
    }
    stanza
}

/// What an answer to a member's retry receipt is made of.
pub struct MemberResend<'a> {
    /// Id of the message that could not be read.
    pub id: &'a MessageId,
    /// The group.
    pub group: &'a Jid,
    /// The device that asked.
    pub member: &'a Jid,
    /// Its kind of name.
    pub mode: AddressingMode,
    /// The `t` of the receipt's `<retry>`.
    pub t: Option<i64>,
    /// Which attempt this is, from 1.
    pub count: u32,
    /// What the content says about itself.
    pub shape: &'a Shape,
    /// The message with our key, encrypted for that device.
    pub enc: Ciphertext,
    /// Our signed device identity.
    pub device_identity: &'a [u8],
}

/// Builds the resend: a direct `<enc count>` for one member.
pub fn resend(parts: MemberResend<'_>) -> Node {
    let starts_session = parts.enc.kind == EncType::Pkmsg;
    let mut stanza = Node::new("message")
        .attr("id", parts.id.as_str().to_owned())
        .jid("to", parts.group.clone())
        .attr("type", parts.shape.kind.as_str())
        .maybe("edit", parts.shape.edit.map(Edit::as_str))
        .jid("participant", parts.member.clone())
        .attr("addressing_mode", parts.mode.as_str())
        .maybe("t", parts.t.map(|t| t.to_string()))
        .child(
            parts
                .shape
                .enc(ciphertext(parts.enc))
                .num("count", parts.count),
        );
    if starts_session {
        stanza.push(Node::new("device-identity").bytes(parts.device_identity));
    }
    stanza
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::DeviceList;
    use crate::groups::{Member, Role};
    use crate::lidmap::Mapping;
    use crate::peer::AccountKey;
    use crate::testkit::Bench;

    fn account() -> Scope {
        Scope::account(&AccountKey(PeerKey::Lid("1".into())))
    }

    fn group(mode: AddressingMode, members: &[&str]) -> Group {
        let member = |name: &&str| Member {
            peer: PeerKey::parse_storage(name).unwrap(),
            role: Role::Member,
        };
        Group {
            mode,
            members: members.iter().map(member).collect(),
            announcement: false,
            ephemeral: None,
            parent: false,
            linked_parent: None,
            fetched: UnixSeconds(0),
            doubted: None,
        }
    }

    /// A bench with device lists.
    fn bench(lists: &[(&str, &[u16])]) -> Bench {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let fetched = bench.now.unix();
        bench.run(|cx| {
            for (peer, ids) in lists {
                let device = |id: &u16| Device {
                    id: *id,
                    key_index: None,
                    hosted: *id == 99,
                };
                let list = DeviceList {
                    devices: ids.iter().map(device).collect(),
                    hash: None,
                    raw_id: None,
                    fetched,
                };
                cx.txn.put(&slot, peer, &list);
            }
            Ok(())
        });
        bench
    }

    fn planned(bench: &mut Bench, group: &Group, own: &str, device: u16) -> GroupPlan {
        let slot = bench.slot.clone();
        let now = bench.now.unix();
        let own = PeerKey::parse_storage(own).unwrap();
        let sender = Sender {
            own: &own,
            device,
            now,
        };
        bench.run(|cx| Ok(plan(&mut cx.txn, &account(), &slot, group, sender)?))
    }

    fn wire(targets: &[Target]) -> Vec<String> {
        targets.iter().map(|target| target.wire.reveal()).collect()
    }

    #[test]
    fn the_hash_covers_all_devices_and_the_sending_one() {
        let users = [1, 2, 3, 99].map(|n| format!("lid:1000000000000{n:02}"));
        let mut bench = bench(&[
            (&users[0], &[0, 5]),
            (&users[1], &[0]),
            (&users[2], &[0, 12, 99]),
            (&users[3], &[0, 24]),
        ]);
        let names: Vec<&str> = users.iter().map(|user| &**user).collect();
        let group = group(AddressingMode::Lid, &names);
        let plan = planned(&mut bench, &group, &users[3], 24);
        assert_eq!(plan.phash, "2:sti8OtHX");
        assert_eq!(plan.members.len(), 5, "hosted devices get no group message");
        assert_eq!(wire(&plan.own), ["100000000000099@lid"]);
        assert!(plan.missing.is_empty());
    }

    #[test]
    fn a_number_group_is_named_by_numbers_and_its_sessions_by_lids() {
        let mut bench = bench(&[("lid:7", &[0, 3]), ("lid:1", &[0, 9]), ("pn:50", &[0])]);
        let slot = bench.slot.clone();
        bench.run(|cx| {
            for (pn, lid) in [("49", "7"), ("48", "1")] {
                let pair = Mapping::of(&Jid::pn(pn), &Jid::lid(lid)).unwrap();
                lidmap::learn(cx, &account(), &slot, &pair)?;
            }
            Ok(())
        });
        let members = ["pn:49", "pn:50", "lid:7", "lid:666", "pn:48"];
        let plan = planned(&mut bench, &group(AddressingMode::Pn, &members), "pn:48", 9);
        assert_eq!(
            wire(&plan.members),
            [
                "49@s.whatsapp.net",
                "49:3@s.whatsapp.net",
                "50@s.whatsapp.net"
            ]
        );
        assert_eq!(wire(&plan.own), ["48@s.whatsapp.net"]);
        let sessions: Vec<_> = plan.members.iter().map(|t| t.session.storage()).collect();
        assert_eq!(sessions, ["lid:7:0", "lid:7:3", "pn:50:0"]);
    }

    #[test]
    fn lists_that_nobody_knows_are_missing_and_our_phone_is_always_there() {
        let mut bench = bench(&[("lid:7", &[0])]);
        let members = ["lid:7", "lid:8", "lid:1"];
        let plan = planned(
            &mut bench,
            &group(AddressingMode::Lid, &members),
            "lid:1",
            2,
        );
        let missing = ["lid:1", "lid:8"].map(|name| PeerKey::parse_storage(name).unwrap());
        assert_eq!(plan.missing, BTreeSet::from(missing));
        assert_eq!(wire(&plan.own), ["1@lid"]);
        assert_eq!(plan.accounts.len(), 2);
    }

    #[test]
    fn bots_are_nobody_to_encrypt_for() {
        let mut bench = bench(&[]);
        let members = ["pn:13135550000", "pn:0"];
        let plan = planned(&mut bench, &group(AddressingMode::Pn, &members), "pn:1", 2);
        assert!(plan.members.is_empty() && plan.accounts.is_empty());
    }
}
