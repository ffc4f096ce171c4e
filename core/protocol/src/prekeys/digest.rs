//! Whether the server has the keys of ours that we think it has.
//!
//! ```text
//! <iq xmlns="encrypt" type="get"><digest/></iq>
//! -> <digest><registration/><type/><identity/><skey>..</skey><list><id/>..</list><hash/></digest>
//! hash = SHA-1(identity || skey || its signature || one-time keys in the order of the list), raw
//! ```
//! Source: spec "Prekeys". A key that the server hands out and that we do not have makes messages
//! that nobody can read.

use sha1::{Digest as _, Sha1};

use crate::crypto::curve::PublicKey;
use crate::device::{DeviceRecord, SignedPreKey};
use crate::error::StoreError;
use crate::jid::Jid;
use crate::prekeys::rotate;
use crate::signal::keys::PreKeyRecord;
use crate::stream::iq::IqEnd;
use crate::txn::{Scope, Txn};
use crate::wap::Node;

/// One-time keys that are compared; longer lists are none of ours.
const MOST: usize = 5_000;

/// What the server has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Something else than we: upload anew.
    Differs,
    /// What we have.
    Matches,
    /// What we have, with the signed prekey that we did not know it took.
    MatchesNext,
    /// Nothing: upload anew.
    Missing,
    /// It did not say.
    Unknown,
}

/// The question, without an id.
pub fn query() -> Node {
    Node::new("iq")
        .attr("xmlns", "encrypt")
        .attr("type", "get")
        .jid("to", Jid::whatsapp())
        .child(Node::new("digest"))
}

/// What the end of the question says.
///
/// # Errors
/// What the store says.
pub fn compare(
    txn: &Txn<'_>,
    slot: &Scope,
    device: &DeviceRecord,
    end: &IqEnd,
) -> Result<Verdict, StoreError> {
    let digest = match end {
        IqEnd::Error { code: 404, .. } => return Ok(Verdict::Missing),
        IqEnd::Result(answer) => answer.find("digest"),
        _ => None,
    };
    let Some(digest) = digest else {
        return Ok(Verdict::Unknown);
    };
    let Some(told) = Told::parse(digest) else {
        return Ok(Verdict::Differs);
    };
    let next = rotate::is_next(device, told.skey_id, &told.skey);
    let signed = match &device.rotation {
        Some(rotation) if next => &rotation.key,
        _ => &device.signed_prekey,
    };
    let own = told.registration == device.registration_id
        && told.identity == device.identity.public
        && told.skey_id == signed.id
        && told.skey == signed.public;
    if !own || told.hash != hash(txn, slot, device, signed, &told.ids)? {
        return Ok(Verdict::Differs);
    }
    Ok(if next {
        Verdict::MatchesNext
    } else {
        Verdict::Matches
    })
}

/// The hash over these keys of ours; `None` when we do not have all of them.
fn hash(
    txn: &Txn<'_>,
    slot: &Scope,
    device: &DeviceRecord,
    signed: &SignedPreKey,
    ids: &[u32],
) -> Result<Option<[u8; 20]>, StoreError> {
    let mut sum = Sha1::new();
    sum.update(device.identity.public.as_bytes());
    sum.update(signed.public.as_bytes());
    sum.update(signed.signature);
    for id in ids {
        let Some(key) = PreKeyRecord::load(txn, slot, *id)? else {
            return Ok(None);
        };
        sum.update(key.pair.public.as_bytes());
    }
    Ok(Some(sum.finalize().into()))
}

struct Told {
    registration: u32,
    identity: PublicKey,
    skey_id: u32,
    skey: PublicKey,
    ids: Vec<u32>,
    hash: Option<[u8; 20]>,
}

impl Told {
    fn parse(digest: &Node) -> Option<Self> {
        let bytes = |node: &Node, tag| node.find(tag).and_then(Node::payload).map(<[u8]>::to_vec);
        let registration: [u8; 4] = bytes(digest, "registration")?.try_into().ok()?;
        let skey = digest.find("skey")?;
        let list = digest.find("list").map_or(&[][..], Node::nodes);
        if list.len() > MOST {
            return None;
        }
        let ids = list.iter().map(|id| key_id(id.payload()?));
        Some(Self {
            registration: u32::from_be_bytes(registration),
            identity: PublicKey::from_raw(&bytes(digest, "identity")?)?,
            skey_id: key_id(&bytes(skey, "id")?)?,
            skey: PublicKey::from_raw(&bytes(skey, "value")?)?,
            ids: ids.collect::<Option<_>>()?,
            hash: Some(bytes(digest, "hash")?.try_into().ok()?),
        })
    }
}

fn key_id(bytes: &[u8]) -> Option<u32> {
    match bytes {
        [a, b, c] => Some(u32::from_be_bytes([0, *a, *b, *c])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Link, Paired};
    use crate::prekeys::{identity, registration, signed_key, upload};
    use crate::testkit::Bench;
    use crate::time::UnixSeconds;

    struct World {
        bench: Bench,
        device: DeviceRecord,
        keys: Vec<(u32, Vec<u8>)>,
    }

    impl World {
        fn new() -> Self {
            let mut bench = Bench::new(1);
            let slot = bench.slot.clone();
            let mut device = bench.run(|cx| DeviceRecord::load_or_create(cx, &slot));
            let jid = "49:7@s.whatsapp.net".parse().unwrap();
            device.link = Link::Paired(Box::new(Paired {
                server_has_prekeys: true,
                ..Paired::new(jid, None, vec![1])
            }));
            let upload = bench.run(|cx| upload::top_up(cx, &slot, &mut device, 0));
            let list = upload.unwrap().find("list").unwrap().clone();
            let payload = |key: &Node, tag| key.find(tag).unwrap().payload().unwrap().to_vec();
            let key = |key: &Node| {
                let id = key_id(&payload(key, "id")).unwrap();
                (id, payload(key, "value"))
            };
            let keys = list.nodes().iter().map(key).collect();
            Self {
                bench,
                device,
                keys,
            }
        }

        /// What an honest server says that has these keys.
        fn digest(&self, signed: &SignedPreKey, keys: &[(u32, Vec<u8>)]) -> Node {
            let own = &self.device.identity.public;
            let mut hashed = [&own.as_bytes()[..], signed.public.as_bytes()].concat();
            hashed.extend(signed.signature);
            keys.iter().for_each(|(_, key)| hashed.extend(key));
            let id =
                |(id, _): &(u32, Vec<u8>)| Node::new("id").bytes(id.to_be_bytes()[1..].to_vec());
            Node::new("digest").children([
                registration(self.device.registration_id),
                identity(own),
                signed_key(signed.id, &signed.public, &signed.signature),
                Node::new("list").children(keys.iter().map(id)),
                Node::new("hash").bytes(Sha1::digest(&hashed).to_vec()),
            ])
        }

        fn verdict(&mut self, end: &IqEnd) -> Verdict {
            let slot = self.bench.slot.clone();
            let device = self.device.clone();
            self.bench
                .run(|cx| Ok(compare(&cx.txn, &slot, &device, end)?))
        }

        fn told(&mut self, digest: Node) -> Verdict {
            self.verdict(&IqEnd::Result(Node::new("iq").child(digest)))
        }
    }

    #[test]
    fn the_same_keys_in_any_number_match() {
        let mut world = World::new();
        let signed = world.device.signed_prekey.clone();
        let all = world.digest(&signed, &world.keys);
        assert_eq!(world.told(all), Verdict::Matches);
        let some = world.digest(&signed, &world.keys[3..9]);
        assert_eq!(world.told(some), Verdict::Matches);
    }

    #[test]
    fn a_key_that_we_do_not_have_or_that_is_another_one_differs() {
        let mut world = World::new();
        let signed = world.device.signed_prekey.clone();
        let mut keys = world.keys.clone();
        keys.push((4_000, vec![7; 32]));
        let unknown = world.digest(&signed, &keys);
        assert_eq!(world.told(unknown), Verdict::Differs);
        let mut keys = world.keys.clone();
        keys[0].1[5] ^= 1;
        let other = world.digest(&signed, &keys);
        assert_eq!(world.told(other), Verdict::Differs);
        let mut moved = signed;
        moved.id = 9;
        let other = world.digest(&moved, &world.keys);
        assert_eq!(world.told(other), Verdict::Differs);
        assert_eq!(world.told(Node::new("digest")), Verdict::Differs);
    }

    #[test]
    fn a_signed_prekey_whose_answer_was_lost_is_found_here() {
        let mut world = World::new();
        let slot = world.bench.slot.clone();
        let device = &mut world.device;
        let now = UnixSeconds(1_790_000_000);
        world
            .bench
            .run(|cx| Ok(rotate::rotate(cx, &slot, device, now)));
        let next = world.device.rotation.clone().unwrap().key;
        let digest = world.digest(&next, &world.keys);
        assert_eq!(world.told(digest), Verdict::MatchesNext);
    }

    #[test]
    fn nothing_is_missing_and_trouble_says_nothing() {
        let mut world = World::new();
        let error = |code| IqEnd::Error {
            code,
            backoff: None,
        };
        assert_eq!(world.verdict(&error(404)), Verdict::Missing);
        for end in [error(406), error(503), IqEnd::Timeout, IqEnd::Disconnected] {
            assert_eq!(world.verdict(&end), Verdict::Unknown);
        }
        assert_eq!(
            world.verdict(&IqEnd::Result(Node::new("iq"))),
            Verdict::Unknown
        );
    }
}
