//! Prekey bundles of other devices.
//!
//! ```text
//! <iq xmlns="encrypt" type="get"><key><user jid="device" [reason="identity"]/> … </key></iq>
//! -> <list> <user jid> <registration/> <type/> <identity/> <skey>…</skey> [<key>…</key>]
//!      [<device-identity/>] </user>   or   <user jid> <error code text/> </user> … </list>
//! ```
//!
//! Each device answers for itself: a bad one never spoils the others. A companion must show that
//! the account vouches for it (spec: "Sessions").

use crate::adv::{self, AdvError};
use crate::crypto::curve::{KEY_TYPE, PublicKey};
use crate::devices;
use crate::error::Fault;
use crate::jid::Jid;
use crate::peer::DeviceAddress;
use crate::signal::keys::TheirIdentity;
use crate::signal::{
    self, Bundle, BundleError, Established, OneTimePreKey, OwnIdentity, SignedPreKey,
};
use crate::txn::{Cx, Scope};
use crate::wap::Node;

/// Devices in one query.
pub const BATCH: usize = 200;

/// Queries for the bundles of these devices: IQs without an id, one for each [`BATCH`].
pub fn queries(devices: &[Jid]) -> Vec<Node> {
    build(devices, |jid| Node::new("user").jid("jid", jid.clone()))
}

/// As [`queries`], for devices whose identity changed: the server is told why we ask again.
pub fn identity_queries(devices: &[Jid]) -> Vec<Node> {
    let user = |jid: &Jid| Node::new("user").jid("jid", jid.clone());
    build(devices, |jid| user(jid).attr("reason", "identity"))
}

fn build(devices: &[Jid], user: impl Fn(&Jid) -> Node) -> Vec<Node> {
    let devices: Vec<&Jid> = devices.iter().filter(|jid| jid.is_user()).collect();
    devices
        .chunks(BATCH)
        .map(|devices| {
            let users = devices.iter().map(|jid| user(jid));
            Node::new("iq")
                .attr("xmlns", "encrypt")
                .attr("type", "get")
                .jid("to", Jid::whatsapp())
                .child(Node::new("key").children(users))
        })
        .collect()
}

/// What a device offers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fetched {
    /// Its keys.
    pub bundle: Bundle,
    /// `ADVSignedDeviceIdentity`, the proof of a companion.
    pub device_identity: Option<Vec<u8>>,
}

/// Why there is no session with a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The bundle starts no session.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The server says that the device is not registered any more (406).
    #[error("the device is not registered any more")]
    Gone,
    /// A field is missing or has a wrong size.
    #[error("the bundle is malformed")]
    Malformed,
    /// The server has another error for this device.
    #[error("the server refused the bundle with code {0:?}")]
    Refused(Option<u16>),
    /// The account does not vouch for the companion.
    #[error("the account does not vouch for the device")]
    Unproven,
}

/// Reads the answer of an IQ: each device that it names, with its bundle or the reason for none.
pub fn parse(iq: &Node) -> Vec<(Jid, Result<Fetched, FetchError>)> {
    let list = iq.find("list").map_or(&[][..], Node::nodes);
    let users = list.iter().filter(|node| node.tag == "user");
    users
        .filter_map(|user| {
            let jid = user.address("jid").filter(Jid::is_user)?;
            Some((jid, parse_user(user)))
        })
        .collect()
}

fn parse_user(user: &Node) -> Result<Fetched, FetchError> {
    if let Some(error) = user.find("error") {
        return Err(match error.number("code") {
            Some(406) => FetchError::Gone,
            code => FetchError::Refused(code),
        });
    }
    let registration_id = user.find("registration").and_then(Node::payload);
    read(user, registration_id.and_then(number)).ok_or(FetchError::Malformed)
}

/// The keys that a retry receipt brings along; `None` when there are none or they are malformed.
pub fn from_receipt(receipt: &Node) -> Option<Fetched> {
    let registration_id = receipt.find("registration").and_then(Node::payload);
    read(receipt.find("keys")?, registration_id.and_then(number))
}

/// A big-endian number of up to four bytes; `None` for no or more bytes.
pub fn number(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() || bytes.len() > 4 {
        return None;
    }
    Some(bytes.iter().fold(0, |n, byte| n << 8 | u32::from(*byte)))
}

fn read(keys: &Node, registration_id: Option<u32>) -> Option<Fetched> {
    let payload = |node: &Node, tag: &str| node.find(tag)?.payload().map(<[u8]>::to_vec);
    if payload(keys, "type").is_some_and(|kind| kind != [KEY_TYPE]) {
        return None;
    }
    let id = |node: &Node| {
        payload(node, "id")
            .filter(|id| id.len() == 3)
            .and_then(|id| number(&id))
    };
    let value = |node: &Node| PublicKey::from_raw(&payload(node, "value")?);
    let skey = keys.find("skey")?;
    let one_time = match keys.find("key") {
        Some(key) => Some(OneTimePreKey {
            id: id(key)?,
            key: value(key)?,
        }),
        None => None,
    };
    Some(Fetched {
        bundle: Bundle {
            registration_id: registration_id?,
            identity: PublicKey::from_raw(&payload(keys, "identity")?)?,
            signed_prekey: SignedPreKey {
                id: id(skey)?,
                key: value(skey)?,
                signature: payload(skey, "signature")?.as_slice().try_into().ok()?,
            },
            one_time,
        },
        device_identity: payload(keys, "device-identity"),
    })
}

/// Starts a session with the device at `to` (its canonical address) from what it offers; a device
/// that is gone leaves its account's list.
///
/// # Errors
/// Outer: what the store says. Inner: why there is no session; nothing else changed then.
pub fn accept(
    cx: &mut Cx<'_>,
    slot: &Scope,
    ours: &OwnIdentity,
    to: &DeviceAddress,
    fetched: Result<Fetched, FetchError>,
) -> Result<Result<Established, FetchError>, Fault> {
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(error) => {
            if error == FetchError::Gone {
                devices::forget_device(&mut cx.txn, slot, to)?;
            }
            return Ok(Err(error));
        }
    };
    if to.device != 0 && !vouched(cx, slot, to, &fetched)? {
        return Ok(Err(FetchError::Unproven));
    }
    let established = signal::establish(cx, slot, ours, to, &fetched.bundle)?;
    Ok(established.map_err(FetchError::Bundle))
}

/// Whether the account vouches for a companion. Without a proof, or without any key to check it
/// with, the device is accepted, as other clients do.
fn vouched(
    cx: &Cx<'_>,
    slot: &Scope,
    to: &DeviceAddress,
    fetched: &Fetched,
) -> Result<bool, Fault> {
    let Some(proof) = &fetched.device_identity else {
        return Ok(true);
    };
    let phone = DeviceAddress {
        device: 0,
        hosted: false,
        ..to.clone()
    };
    let account = TheirIdentity::load(&cx.txn, slot, &phone)?.map(|identity| identity.0);
    let checked = adv::verify_device_identity(proof, account.as_ref(), &fetched.bundle.identity);
    Ok(matches!(checked, Ok(_) | Err(AdvError::NoAccountKey)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::curve::{KeyPair, PrivateKey};
    use crate::devices::{Device, ReportedList};
    use crate::peer::PeerKey;
    use crate::prekeys::{identity, key_type, one_time_key, registration, signed_key};
    use crate::testkit::{Bench, Seeded, any_node};

    fn pair(byte: u8) -> KeyPair {
        KeyPair::from_private(PrivateKey::from_bytes([byte; 32]))
    }

    fn user_of(ours: &KeyPair, jid: &str) -> Node {
        let key = pair(2);
        let typed = key.public.typed();
        let signature = ours.private.sign(&mut Seeded::new(1), &typed);
        Node::new("user")
            .jid("jid", jid.parse().unwrap())
            .children([
                registration(0x0102),
                key_type(),
                identity(&ours.public),
                signed_key(7, &key.public, &signature),
                one_time_key(0x0001_0203, &pair(3).public),
            ])
    }

    fn user(jid: &str) -> Node {
        user_of(&pair(1), jid)
    }

    fn without(mut node: Node, tag: &str) -> Node {
        let kept = node.nodes().iter().filter(|node| node.tag != tag).cloned();
        node.content = crate::wap::Content::Nodes(kept.collect());
        node
    }

    fn answer(users: Vec<Node>) -> Vec<(Jid, Result<Fetched, FetchError>)> {
        parse(&Node::new("iq").child(Node::new("list").children(users)))
    }

    fn only(user: Node) -> Result<Fetched, FetchError> {
        answer(vec![user]).remove(0).1
    }

    fn accept_in(
        bench: &mut Bench,
        to: &str,
        fetched: Result<Fetched, FetchError>,
    ) -> Result<Established, FetchError> {
        let slot = bench.slot.clone();
        let ours = OwnIdentity {
            identity: pair(9),
            registration_id: 1,
        };
        let to = DeviceAddress::of(&to.parse().unwrap()).unwrap();
        bench.run(|cx| accept(cx, &slot, &ours, &to, fetched))
    }

    #[test]
    fn queries_name_devices_and_give_a_reason_only_after_a_change() {
        let devices: Vec<Jid> = (0..201).map(|n| Jid::lid(format!("7{n}"))).collect();
        let first = queries(&devices);
        let sizes: Vec<usize> = first
            .iter()
            .map(|query| query.find("key").unwrap().nodes().len())
            .collect();
        assert_eq!(sizes, [200, 1]);
        assert!(first[0].is("xmlns", "encrypt") && first[0].is("type", "get"));
        let user = |query: &Node| query.find("key").unwrap().nodes()[0].clone();
        assert_eq!(
            user(&first[0]),
            Node::new("user").jid("jid", Jid::lid("70"))
        );
        assert!(user(&identity_queries(&devices)[0]).is("reason", "identity"));
        assert!(queries(&[Jid::whatsapp()]).is_empty());
    }

    #[test]
    fn a_bundle_is_read_with_and_without_a_one_time_key() {
        let fetched = only(user("7:3@lid")).unwrap();
        assert_eq!(fetched.bundle.registration_id, 0x0102);
        assert_eq!(fetched.bundle.identity, pair(1).public);
        assert_eq!(fetched.bundle.signed_prekey.id, 7);
        let one_time = fetched.bundle.one_time.unwrap();
        assert_eq!((one_time.id, one_time.key), (0x0001_0203, pair(3).public));
        let exhausted = only(without(user("7:3@lid"), "key")).unwrap();
        assert_eq!(exhausted.bundle.one_time, None);
    }

    #[test]
    fn a_bad_device_does_not_spoil_the_others() {
        let error = |code: &'static str| {
            let error = Node::new("error").attr("code", code);
            Node::new("user").jid("jid", Jid::lid("8")).child(error)
        };
        let mut short = without(user("9@lid"), "identity");
        short.push(Node::new("identity").bytes([1; 31]));
        let mut typed = without(user("9@lid"), "type");
        typed.push(Node::new("type").bytes([6]));
        let answers = answer(vec![
            error("406"),
            error("500"),
            without(user("9@lid"), "skey"),
            without(user("9@lid"), "registration"),
            short,
            typed,
            Node::new("user").attr("jid", "rubbish"),
            user("7@lid"),
        ]);
        let results: Vec<Result<(), FetchError>> = answers
            .into_iter()
            .map(|(_, result)| result.map(|_| ()))
            .collect();
        assert_eq!(
            results,
            [
                Err(FetchError::Gone),
                Err(FetchError::Refused(Some(500))),
                Err(FetchError::Malformed),
                Err(FetchError::Malformed),
                Err(FetchError::Malformed),
                Err(FetchError::Malformed),
                Ok(()),
            ]
        );
    }

    #[test]
    fn a_good_bundle_starts_a_session_and_a_forged_one_does_not() {
        let mut bench = Bench::new(1);
        let mut forged = only(user("7@lid")).unwrap();
        forged.bundle.signed_prekey.id += 1;
        forged.bundle.signed_prekey.signature[0] ^= 1;
        let refused = accept_in(&mut bench, "7@lid", Ok(forged));
        assert_eq!(refused, Err(FetchError::Bundle(BundleError::BadSignature)));
        assert!(accept_in(&mut bench, "7@lid", only(user("7@lid"))).is_ok());
        let slot = bench.slot.clone();
        let to = DeviceAddress::of(&Jid::lid("7")).unwrap();
        assert!(bench.run(|cx| Ok(signal::has_session(&cx.txn, &slot, &to)?)));
    }

    #[test]
    fn a_companion_needs_a_proof_for_its_own_identity() {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/adv.json")).unwrap();
        let vector = |name| hex::decode(file["cases"][0][name].as_str().unwrap()).unwrap();
        let proof = vector("stored_device_identity (device-identity node in pkmsg stanzas)");
        let proven = PrivateKey::from_slice(&vector("device_identity_priv")).unwrap();
        let proven = KeyPair::from_private(proven);
        let with_proof = |ours: &KeyPair| {
            let proof = Node::new("device-identity").bytes(proof.clone());
            only(user_of(ours, "7:3@lid").child(proof))
        };
        let mut bench = Bench::new(1);
        let good = accept_in(&mut bench, "7:3@lid", with_proof(&proven));
        assert!(good.is_ok());
        let stolen = accept_in(&mut bench, "7:3@lid", with_proof(&pair(1)));
        assert_eq!(stolen, Err(FetchError::Unproven));
        assert!(accept_in(&mut bench, "7@lid", with_proof(&pair(1))).is_ok());
    }

    #[test]
    fn a_device_that_is_gone_leaves_its_list() {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let peer = PeerKey::Lid("7".into());
        let list = ReportedList {
            devices: vec![Device::phone()],
            ..ReportedList::default()
        };
        bench.run(|cx| Ok(devices::record(cx, &slot, &peer, &list)?));
        let result = accept_in(&mut bench, "7@lid", Err(FetchError::Gone));
        assert_eq!(result, Err(FetchError::Gone));
        let list = bench.run(|cx| Ok(devices::load(&cx.txn, &slot, &peer)?));
        assert_eq!(list.unwrap().devices, []);
    }

    #[test]
    fn the_keys_of_a_retry_receipt_are_read() {
        let mut keys = without(user("7@lid"), "registration");
        keys.tag = "keys".into();
        let receipt = Node::new("receipt").children([registration(5), keys]);
        let fetched = from_receipt(&receipt).unwrap();
        assert_eq!(fetched.bundle.registration_id, 5);
        assert_eq!(from_receipt(&Node::new("receipt")), None);
    }

    #[test]
    fn numbers_have_one_to_four_bytes() {
        assert_eq!(number(&[1, 2, 3]), Some(0x0001_0203));
        assert_eq!(number(&[255; 4]), Some(u32::MAX));
        assert_eq!((number(&[]), number(&[0; 5])), (None, None));
    }

    proptest::proptest! {
        #[test]
        fn no_node_panics(node in any_node()) {
            let named = Node { tag: "user".into(), ..node.clone() }.attr("jid", "7@lid");
            answer(vec![node.clone(), named]);
            from_receipt(&Node::new("receipt").children([registration(5), node]));
        }
    }
}
