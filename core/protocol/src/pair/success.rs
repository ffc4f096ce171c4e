//! The phone accepted us: check its proof, sign ours, keep what it told.

use crate::adv::{self, AdvError, PairedIdentity};
use crate::device::{DeviceRecord, Link, Paired};
use crate::error::Fault;
use crate::event::{Event, PairFailure};
use crate::jid::Jid;
use crate::lidmap::{self, Mapping};
use crate::pair::{fail, reply, transmit};
use crate::pb::ClientPairingProps;
use crate::peer::{DeviceAddress, PeerKey};
use crate::signal::keys::TheirIdentity;
use crate::txn::{Cx, Scope};
use crate::wap::Node;

/// What `<pair-success>` tells, besides the proof.
struct Told {
    jid: Jid,
    lid: Option<Jid>,
    platform: Option<String>,
    business_name: Option<String>,
    lid_migrated: Option<bool>,
}

impl Told {
    fn parse(success: &Node) -> Option<Self> {
        let device = success.find("device")?;
        let name = |tag| Some(success.find(tag)?.text("name")?.into_owned());
        let props = success.find("client-props").and_then(Node::payload);
        let props: Option<ClientPairingProps> =
            props.and_then(|bytes| prost::Message::decode(bytes).ok());
        Some(Self {
            // Device 0 is the phone itself.
            jid: device
                .address("jid")
                .filter(|jid| jid.is_pn() && jid.device_part() != 0)?,
            lid: device.address("lid").filter(Jid::is_lid),
            platform: name("platform"),
            business_name: name("biz"),
            lid_migrated: props.and_then(|props| props.is_chat_db_lid_migrated),
        })
    }
}

/// Handles `<pair-success>` in `iq` for a device that is not linked yet.
pub(super) fn handle(
    cx: &mut Cx<'_>,
    slot: &Scope,
    device: &mut DeviceRecord,
    iq: &Node,
    success: &Node,
) -> Result<(), Fault> {
    let proof = success.find("device-identity").and_then(Node::payload);
    let (Some(told), Some(proof)) = (Told::parse(success), proof) else {
        refuse(cx, iq, PairFailure::Malformed);
        return Ok(());
    };
    match adv::verify_pairing(proof, &device.adv_secret, &device.identity.public) {
        Ok(identity) => link(cx, slot, device, iq, told, identity),
        Err(error) => {
            let reason = match error {
                AdvError::Hmac => PairFailure::HmacMismatch,
                AdvError::AccountSignature => PairFailure::SignatureMismatch,
                _ => PairFailure::Malformed,
            };
            refuse(cx, iq, reason);
            Ok(())
        }
    }
}

fn link(
    cx: &mut Cx<'_>,
    slot: &Scope,
    device: &mut DeviceRecord,
    iq: &Node,
    told: Told,
    identity: PairedIdentity,
) -> Result<(), Fault> {
    let Told {
        jid,
        lid,
        platform,
        business_name,
        lid_migrated,
    } = told;
    let (account_key, key_index) = (identity.account_key, identity.key_index);
    let signed = identity.sign(cx.rng, &device.identity);
    let paired = Paired {
        platform,
        business_name,
        lid_migrated,
        linked_at: Some(device.clock.unix(cx.now)),
        ..Paired::new(jid.clone(), lid.clone(), signed.account)
    };
    let pair = lid.as_ref().and_then(|lid| Mapping::of(&jid, lid));
    if let (Some(account), Some(pair)) = (paired.scope(), pair) {
        lidmap::learn(cx, &account, slot, &pair)?;
    }
    if let Some(peer) = PeerKey::of(lid.as_ref().unwrap_or(&jid)) {
        let phone = DeviceAddress {
            peer,
            device: 0,
            hosted: false,
        };
        TheirIdentity(account_key).learn(&mut cx.txn, slot, &phone)?;
    }
    device.link = Link::Paired(Box::new(paired));
    device.save(cx, slot);
    let signed = Node::new("device-identity")
        .num("key-index", key_index)
        .bytes(signed.reply);
    let answer = reply(iq, "result").child(Node::new("pair-device-sign").child(signed));
    transmit(cx, &answer);
    cx.effect(Event::Paired { jid, lid });
    Ok(())
}

fn refuse(cx: &mut Cx<'_>, iq: &Node, reason: PairFailure) {
    let (code, text) = match reason {
        PairFailure::HmacMismatch => ("401", "hmac-mismatch"),
        PairFailure::SignatureMismatch => ("401", "signature-mismatch"),
        _ => ("500", "internal-error"),
    };
    let error = Node::new("error").attr("code", code).attr("text", text);
    transmit(cx, &reply(iq, "error").child(error));
    fail(cx, reason);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::curve::{KeyPair, PrivateKey, PublicKey};
    use crate::effect::{Effect, Reconnect};
    use crate::pair::Pairing;
    use crate::pb::AdvSignedDeviceIdentity;
    use crate::secret::Secret;
    use crate::testkit::{Bench, any_node};
    use crate::wap;

    /// The E2EE case of the vectors: a phone's proof for a known device.
    fn vector(name: &str) -> Vec<u8> {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/adv.json")).unwrap();
        hex::decode(file["cases"][0][name].as_str().unwrap()).unwrap()
    }

    fn device(bench: &mut Bench) -> DeviceRecord {
        let slot = bench.slot.clone();
        let mut device = bench.run(|cx| DeviceRecord::load_or_create(cx, &slot));
        let identity = PrivateKey::from_slice(&vector("device_identity_priv")).unwrap();
        device.identity = KeyPair::from_private(identity);
        device.adv_secret = Secret::from_slice(&vector("adv_secret")).unwrap();
        device
    }

    fn success(proof: Vec<u8>) -> Node {
        let props = ClientPairingProps {
            is_chat_db_lid_migrated: Some(true),
            ..ClientPairingProps::default()
        };
        let jid = |text: &str| text.parse::<Jid>().unwrap();
        let device = Node::new("device")
            .jid("jid", jid("4915551:7@s.whatsapp.net"))
            .jid("lid", jid("77:7@lid"));
        Node::new("iq")
            .attr("id", "Y")
            .child(Node::new("pair-success").children([
                Node::new("device-identity").bytes(proof),
                device,
                Node::new("platform").attr("name", "android"),
                Node::new("biz").attr("name", "Shop"),
                Node::new("client-props").bytes(prost::Message::encode_to_vec(&props)),
            ]))
    }

    fn handle(bench: &mut Bench, device: &mut DeviceRecord, iq: &Node) -> Vec<Effect> {
        let slot = bench.slot.clone();
        let mut pairing = Pairing::default();
        bench
            .step(|cx| pairing.handle(cx, &slot, device, iq).map(drop))
            .1
    }

    fn sent(effect: &Effect) -> Node {
        match effect {
            Effect::Transmit(stanza) => wap::decode(&stanza.0).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_good_proof_is_answered_with_ours_and_everything_is_durable() {
        let mut bench = Bench::new(1);
        let mut device = device(&mut bench);
        let iq = success(vector("pair_success_device_identity"));
        let effects = handle(&mut bench, &mut device, &iq);
        let reply = sent(&effects[0]);
        assert!(reply.is("type", "result") && reply.is("id", "Y"));
        let signed = reply.find("pair-device-sign").unwrap();
        let signed = signed.find("device-identity").unwrap();
        assert_eq!(signed.number("key-index"), Some(3));
        let ours: AdvSignedDeviceIdentity =
            prost::Message::decode(signed.payload().unwrap()).unwrap();
        assert_eq!(ours.account_signature_key, None);
        let account_key = vector("account_pub");
        let signature = ours.device_signature.unwrap();
        let message = [
            &[6, 1],
            &*vector("details"),
            device.identity.public.as_bytes(),
            &account_key,
        ];
        let signature: [u8; 64] = signature.try_into().unwrap();
        assert!(device.identity.public.verify(&message.concat(), &signature));
        assert!(matches!(effects[1], Effect::Event(Event::Paired { .. })));
        assert_eq!(effects.len(), 2);

        let slot = bench.slot.clone();
        let stored = bench.run(|cx| Ok(DeviceRecord::load(&cx.txn, &slot)?.unwrap()));
        assert_eq!(stored, device);
        let paired = stored.paired().unwrap();
        assert_eq!(paired.jid.reveal(), "4915551:7@s.whatsapp.net");
        assert_eq!(paired.lid.as_ref().unwrap().reveal(), "77:7@lid");
        assert_eq!(paired.platform.as_deref(), Some("android"));
        assert_eq!(paired.business_name.as_deref(), Some("Shop"));
        assert_eq!(paired.lid_migrated, Some(true));
        assert_eq!(
            (paired.login_counter, paired.server_has_prekeys),
            (0, false)
        );
        let kept: AdvSignedDeviceIdentity =
            prost::Message::decode(paired.account.as_slice()).unwrap();
        assert_eq!(kept.account_signature_key, Some(account_key.clone()));
        assert_eq!(kept.device_signature.as_deref(), Some(signature.as_slice()));

        let scope = paired.scope().unwrap();
        let phone: Jid = "77@lid".parse().unwrap();
        let phone = DeviceAddress::of(&phone).unwrap();
        let (own, identity) = bench.run(|cx| {
            let own = lidmap::canonical(&cx.txn, &scope, &PeerKey::Pn("4915551".into()))?;
            Ok((own, TheirIdentity::load(&cx.txn, &slot, &phone)?))
        });
        assert_eq!(own, phone.peer);
        let account_key = PublicKey::from_raw(&account_key).unwrap();
        assert_eq!(identity, Some(TheirIdentity(account_key)));
    }

    #[test]
    fn a_repeat_is_ignored() {
        let mut bench = Bench::new(1);
        let mut device = device(&mut bench);
        let iq = success(vector("pair_success_device_identity"));
        handle(&mut bench, &mut device, &iq);
        assert_eq!(handle(&mut bench, &mut device, &iq), []);
    }

    fn refused(device: &mut DeviceRecord, bench: &mut Bench, iq: &Node) -> (String, String) {
        let before = device.clone();
        let effects = handle(bench, device, iq);
        assert_eq!(*device, before);
        assert_eq!(effects[2], Effect::Disconnect(Reconnect::Stop));
        let reply = sent(&effects[0]);
        assert!(reply.is("type", "error") && reply.is("id", "Y"));
        let text = reply.find("error").unwrap().text("text").unwrap();
        (text.into_owned(), format!("{:?}", effects[1]))
    }

    #[test]
    fn a_bad_proof_is_refused_by_its_name_and_changes_nothing() {
        let mut bench = Bench::new(1);
        let good = vector("pair_success_device_identity");
        let mut other_secret = device(&mut bench);
        other_secret.adv_secret = Secret::new([9; 32]);
        let mut other_identity = device(&mut bench);
        other_identity.identity = KeyPair::from_private(PrivateKey::from_bytes([9; 32]));
        let fine = device(&mut bench);
        for (device, proof, text, reason) in [
            (&other_secret, good.clone(), "hmac-mismatch", "HmacMismatch"),
            (
                &other_identity,
                good,
                "signature-mismatch",
                "SignatureMismatch",
            ),
            (&fine, vec![0xff; 20], "internal-error", "Malformed"),
            (&fine, vec![0; 501], "internal-error", "Malformed"),
            (&fine, Vec::new(), "internal-error", "Malformed"),
        ] {
            let (sent, event) = refused(&mut device.clone(), &mut bench, &success(proof));
            assert_eq!(sent, text);
            assert!(event.contains(reason), "{event}");
        }
    }

    #[test]
    fn a_success_without_a_companion_of_an_account_is_refused() {
        let mut bench = Bench::new(1);
        let mut device = device(&mut bench);
        let proof = Node::new("device-identity").bytes(vector("pair_success_device_identity"));
        for jid in ["4915551@s.whatsapp.net", "77:7@lid", "1:1@g.us"] {
            let named = Node::new("device").jid("jid", jid.parse().unwrap());
            let success = Node::new("pair-success").children([proof.clone(), named]);
            let iq = Node::new("iq").attr("id", "Y").child(success);
            let (text, _) = refused(&mut device, &mut bench, &iq);
            assert_eq!(text, "internal-error");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_node_panics_or_links(node in any_node()) {
            let mut bench = Bench::new(1);
            let mut device = device(&mut bench);
            for tag in ["pair-success", "pair-device"] {
                let iq = Node::new("iq").child(Node::new(tag).child(node.clone()));
                handle(&mut bench, &mut device, &iq);
            }
            proptest::prop_assert!(device.paired().is_none());
        }
    }
}
