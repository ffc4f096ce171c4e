//! Linking: what server and phone send while there is no account yet.

use std::cell::RefCell;

use sendpath_protocol::adv;
use sendpath_protocol::crypto::curve::{KeyPair, PrivateKey};
use sendpath_protocol::device::DeviceRecord;
use sendpath_protocol::pair::code::{CodeRequest, PairCode, PhoneNumber};
use sendpath_protocol::pair::passkey::PasskeyAnswer;
use sendpath_protocol::pair::{Next, Pairing, Request};
use sendpath_protocol::secret::Secret;
use sendpath_protocol::stream::iq::IqEnd;
use sendpath_protocol::wap::{self, Node};

use crate::bench::{Bench, NOW, parts, split};

pub(crate) fn run(data: &[u8]) {
    match split(data) {
        Some((0, rest)) => typed(rest),
        Some((1, rest)) => container(rest),
        Some((2, rest)) => identity(rest),
        Some((_, rest)) => frames(rest),
        None => {}
    }
}

/// What people type.
fn typed(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = PasskeyAnswer::parse(&text);
    if let Some(code) = PairCode::parse(&text) {
        let again = PairCode::parse(&code.reveal());
        assert!(again.as_ref() == Some(&code), "another code");
    }
    if let Some(number) = PhoneNumber::parse(&text) {
        assert!(
            !format!("{number:?}").contains(text.as_ref()),
            "shown in a log"
        );
    }
}

/// The keys of the known answers.
pub(crate) fn keys() -> (Secret<32>, KeyPair) {
    let case = crate::seeds::case("adv", 0);
    let bytes = |name| crate::seeds::bytes(&case, name);
    let secret = Secret::from_slice(&bytes("adv_secret")).expect("32 bytes");
    let identity = PrivateKey::from_slice(&bytes("device_identity_priv")).expect("32 bytes");
    (secret, KeyPair::from_private(identity))
}

/// `<device-identity>` of `<pair-success>`: whoever makes a good one has the secret of the QR code.
fn container(data: &[u8]) {
    let (secret, identity) = cached();
    if let Ok(paired) = adv::verify_pairing(data, &secret, &identity.public) {
        let signed = paired
            .clone()
            .sign(&mut crate::bench::Steady::new(1), &identity);
        let account = Some(&paired.account_key);
        for bytes in [&signed.account, &signed.reply] {
            let device = adv::verify_device_identity(bytes, account, &identity.public);
            let device = device.expect("we signed it");
            assert!(device.account_key == paired.account_key);
        }
    }
    let other = Secret::new([0; 32]);
    assert!(
        adv::verify_pairing(data, &other, &identity.public).is_err(),
        "without the secret"
    );
}

fn cached() -> (Secret<32>, KeyPair) {
    thread_local!(static KEYS: RefCell<Option<(Secret<32>, KeyPair)>> = const { RefCell::new(None) });
    KEYS.with_borrow_mut(|known| known.get_or_insert_with(keys).clone())
}

fn identity(data: &[u8]) {
    let (_, identity) = cached();
    let _ = adv::verify_device_identity(data, None, &identity.public);
    let _ = adv::verify_device_identity(data, Some(&identity.public), &identity.public);
}

fn is_passkey(node: &Node) -> bool {
    ["passkey_prologue_request", "crsc_continuation"]
        .iter()
        .any(|kind| node.is("type", kind))
}

fn signed() -> PasskeyAnswer {
    PasskeyAnswer::parse(r#"{"rawId":"_-8","response":{}}"#).expect("an answer")
}

/// Frames of a connection that pairs, with a code that is wanted.
fn frames(data: &[u8]) {
    let mut bench = Bench::new(2);
    let (secret, identity) = cached();
    let (mut device, _) = bench.step(DeviceRecord::load_or_create);
    device.adv_secret = secret;
    device.identity = identity;
    let mut pairing = Pairing::default();
    let request = CodeRequest {
        number: PhoneNumber::parse("4915550001").expect("a number"),
        code: PairCode::parse("ABCD1234"),
    };
    let mut asked = None;
    let take = |next: Next, asked: &mut Option<Request>| {
        if let Next::Ask(step, node) = next {
            assert!(wap::decode(&wap::encode(&node)).as_ref() == Ok(&node));
            *asked = Some(step);
        }
    };
    let wanted = bench.step(|cx, _| Ok(pairing.want_code(cx, &device, request.clone())));
    take(wanted.0, &mut asked);
    for frame in parts(data).take(12) {
        let Ok(node) = wap::decode(frame) else {
            continue;
        };
        let result = node.is("type", "result");
        let (next, _) = bench.step(|cx, slot| match &*node.tag {
            "iq" if result => match asked.take() {
                Some(step) => Ok(pairing.answered(cx, &device, step, &IqEnd::Result(node))),
                None => Ok(Next::Wait),
            },
            "iq" => pairing.handle(cx, slot, &mut device, &node),
            "tick" => Ok(pairing.tick(cx, &device)),
            "notification" if is_passkey(&node) => Ok(pairing.passkey_told(cx, &device, &node)),
            "confirmed" => Ok(pairing.passkey_confirmed(cx, slot, &mut device)),
            "signed" => Ok(pairing.passkey_signed(cx, signed())),
            _ => {
                pairing.refresh(cx, slot, &mut device, &node);
                Ok(pairing.phone(cx, slot, &mut device, &node))
            }
        });
        take(next, &mut asked);
        assert!(pairing.deadline().is_none_or(|due| due.0 >= NOW.mono.0));
    }
    let stored = bench
        .step(|cx, slot| Ok(DeviceRecord::load(&cx.txn, slot)?))
        .0;
    if device.paired().is_some() {
        assert!(
            stored.is_some_and(|stored| stored.paired().is_some()),
            "linked and not saved"
        );
    }
}
