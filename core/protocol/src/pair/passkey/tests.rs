use prost::Message;

use super::*;
use crate::crypto::curve::KeyPair;
use crate::crypto::symmetric::{aes256_gcm_open, hkdf_sha256, hmac_sha256, sha256};
use crate::effect::{Effect, Reconnect};
use crate::error::Fault;
use crate::jid::Jid;
use crate::pair::{Next, Pairing, Request};
use crate::pb::{
    CompanionEphemeralIdentity, EncryptedPairingRequest, PairingRequest, PrimaryEphemeralIdentity,
    ProloguePayload,
};
use crate::testkit::Bench;

const OPTIONS: &str = r#"{"challenge":"AAEC","rpId":"whatsapp.com"}"#;
const SIGNED: &str = r#"{"id":"_-8","rawId":"_-8=","response":{"signature":"AA"}}"#;

struct Desk {
    bench: Bench,
    device: DeviceRecord,
    pairing: Pairing,
}

impl Desk {
    fn new() -> Self {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let device = bench.run(|cx| DeviceRecord::load_or_create(cx, &slot));
        Self {
            bench,
            device,
            pairing: Pairing::default(),
        }
    }

    fn run(
        &mut self,
        body: impl FnOnce(&mut Pairing, &mut Cx<'_>, &Scope, &mut DeviceRecord) -> Next,
    ) -> (Next, Vec<Effect>) {
        let (slot, pairing, device) =
            (self.bench.slot.clone(), &mut self.pairing, &mut self.device);
        self.bench
            .step(|cx| Ok::<_, Fault>(body(pairing, cx, &slot, device)))
    }

    fn told(&mut self, kind: &'static str, child: Option<Node>) -> (Next, Vec<Effect>) {
        let node = Node::new("notification")
            .jid("from", Jid::whatsapp())
            .attr("type", kind)
            .children(child);
        self.run(|pairing, cx, _, device| pairing.passkey_told(cx, device, &node))
    }

    fn wanted(&mut self) -> (Next, Vec<Effect>) {
        let options = Node::new("passkey_request_options").bytes(OPTIONS);
        self.told("passkey_prologue_request", Some(options))
    }

    fn signed(&mut self) -> (Next, Vec<Effect>) {
        let answer = PasskeyAnswer::parse(SIGNED).unwrap();
        self.run(|pairing, cx, _, _| pairing.passkey_signed(cx, answer))
    }

    fn answer(&mut self, step: PasskeyStep, end: &IqEnd) -> (Next, Vec<Effect>) {
        let request = Request::Passkey(step);
        self.run(|pairing, cx, _, device| pairing.answered(cx, device, request, end))
    }

    fn named(&mut self) -> Node {
        let answer = result(Node::new("ref").bytes("the-ref"));
        asked(
            self.answer(PasskeyStep::Reference, &answer).0,
            PasskeyStep::Prologue,
        )
    }

    fn offered() -> (Self, Node) {
        let mut desk = Self::new();
        let _ = desk.wanted();
        let _ = desk.signed();
        let prologue = desk.named();
        (desk, prologue)
    }

    fn continued(&mut self, key: &[u8; 32]) -> (Next, Vec<Effect>) {
        let told = PrimaryEphemeralIdentity {
            public_key: Some(key.to_vec()),
            nonce: Some((0..32).collect()),
        };
        let child = Node::new("primary_ephemeral_identity").bytes(told.encode_to_vec());
        self.told("crsc_continuation", Some(child))
    }

    fn confirmed(&mut self) -> (Next, Vec<Effect>) {
        self.run(Pairing::passkey_confirmed)
    }

    fn tick(&mut self, seconds: u64) -> Vec<Effect> {
        self.bench.now.mono = self.bench.now.mono.plus(Millis::from_secs(seconds));
        self.run(|pairing, cx, _, device| pairing.tick(cx, device))
            .1
    }
}

fn result(child: Node) -> IqEnd {
    IqEnd::Result(Node::new("iq").child(child))
}

fn asked(next: Next, step: PasskeyStep) -> Node {
    match next {
        Next::Ask(Request::Passkey(asked), node) if asked == step => node,
        other => panic!("{other:?}"),
    }
}

fn waits(next: &Next) -> bool {
    matches!(next, Next::Wait)
}

fn gave_up(reason: PairFailure) -> [Effect; 2] {
    [
        Event::PairFailed { reason }.into(),
        Effect::Disconnect(Reconnect::Stop),
    ]
}

fn part<'a>(node: &'a Node, tag: &str) -> &'a [u8] {
    node.find(tag).and_then(Node::payload).unwrap()
}

/// What a phone computes, by the formulas and without the code under test.
#[test]
fn the_phone_finds_promise_proof_code_and_request_right() {
    let (mut desk, order) = Desk::offered();
    let old_secret = desk.device.adv_secret.clone();
    let prologue = order.find("passkey_prologue").unwrap();
    assert!(order.is("xmlns", "md") && order.is("type", "set"));
    assert_eq!(part(prologue, "credential_id"), [0xff, 0xef]);
    assert_eq!(part(prologue, "webauthn_assertion"), SIGNED.as_bytes());
    let payload = part(prologue, "prologue_payload");
    let key: [u8; 32] = hkdf_sha256(old_secret.expose(), None, b"shortcake-passkey-handoff-v1");
    let proof = hmac_sha256(&key, &[payload]);
    assert_eq!(part(prologue, "pairing_handoff_proof"), proof);
    let payload = ProloguePayload::decode(payload).unwrap();
    let identity = payload.companion_ephemeral_identity.unwrap();
    let promise = payload.commitment.unwrap().hash.unwrap();
    let told = CompanionEphemeralIdentity::decode(&*identity).unwrap();
    assert_eq!(
        (told.device_type, told.r#ref.as_deref()),
        (Some(1), Some("the-ref"))
    );

    let phone = KeyPair::generate(&mut desk.bench.rng);
    let (next, _) = desk.continued(phone.public.as_bytes());
    let nonce = asked(next, PasskeyStep::Nonce);
    let nonce = part(&nonce, "companion_nonce").to_vec();
    assert_eq!(sha256(&[identity, nonce.clone()].concat())[..], promise[..]);

    let (next, effects) = desk.answer(PasskeyStep::Nonce, &result(Node::new("x")));
    assert!(waits(&next));
    let digest = sha256(&[&nonce[..], phone.public.as_bytes()].concat());
    let bits = (0..5_u8).fold(0_u64, |bits, at| {
        bits << 8 | u64::from(at ^ digest[usize::from(at)])
    });
    let symbols = b"123456789ABCDEFGHJKLMNPQRSTVWXYZ";
    let code: String = (0..8)
        .map(|at| char::from(symbols[usize::try_from(bits >> (35 - 5 * at) & 31).unwrap()]))
        .collect();
    let code = format!("{}-{}", &code[..4], &code[4..]);
    let seconds = 600;
    assert_eq!(effects, [Event::PasskeyCode { code, seconds }.into()]);
    assert_eq!(desk.device.adv_secret, old_secret);

    let request = asked(desk.confirmed().0, PasskeyStep::Request);
    let sealed = EncryptedPairingRequest::decode(part(&request, "encrypted_pairing_request"));
    let sealed = sealed.unwrap();
    let theirs = crate::crypto::curve::PublicKey::from_raw(&told.public_key.unwrap()).unwrap();
    let shared = phone.private.agree(&theirs).unwrap();
    let key: [u8; 32] = hkdf_sha256(
        shared.expose(),
        Some(b"Companion Pairing 1 with ref the-ref"),
        b"Pairing Information Encryption Key",
    );
    let iv = sealed.iv.unwrap().try_into().unwrap();
    let plain = aes256_gcm_open(&key, &iv, b"", &sealed.encrypted_payload.unwrap()).unwrap();
    let plain = PairingRequest::decode(&*plain).unwrap();
    let (noise, identity) = (&desk.device.noise.public, &desk.device.identity.public);
    assert_eq!(plain.companion_public_key.unwrap(), noise.as_bytes());
    assert_eq!(plain.companion_identity_key.unwrap(), identity.as_bytes());
    let secret = plain.adv_secret.unwrap();
    assert_ne!(secret, old_secret.expose());
    let slot = desk.bench.slot.clone();
    let stored = desk
        .bench
        .run(|cx| Ok(DeviceRecord::load(&cx.txn, &slot)?.unwrap()));
    assert_eq!(secret, stored.adv_secret.expose());
}

#[test]
fn options_that_do_not_come_along_are_asked_for() {
    let mut desk = Desk::new();
    let (next, effects) = desk.told("passkey_prologue_request", None);
    let question = asked(next, PasskeyStep::Options);
    assert!(question.is("type", "get") && question.find("passkey_request_options").is_some());
    assert_eq!(effects, []);
    let options = Node::new("passkey_request_options").bytes(OPTIONS);
    let (_, effects) = desk.answer(PasskeyStep::Options, &result(options));
    let (options, seconds) = (OPTIONS.to_owned(), 600);
    assert_eq!(effects, [Event::PasskeyRequest { options, seconds }.into()]);

    let mut desk = Desk::new();
    let _ = desk.told("passkey_prologue_request", None);
    let rubbish = result(Node::new("passkey_request_options").bytes("[]"));
    let (_, effects) = desk.answer(PasskeyStep::Options, &rubbish);
    assert_eq!(effects, gave_up(PairFailure::Malformed));
}

#[test]
fn nothing_goes_out_before_its_turn() {
    let mut desk = Desk::new();
    assert!(waits(&desk.signed().0));
    assert!(waits(&desk.confirmed().0));
    assert!(waits(&desk.continued(&[9; 32]).0));
    let _ = desk.wanted();
    assert!(waits(&desk.confirmed().0));
    let _ = desk.signed();
    assert!(waits(&desk.signed().0));
    assert!(waits(&desk.continued(&[9; 32]).0));
    desk.named();
    asked(desk.continued(&[9; 32]).0, PasskeyStep::Nonce);
    assert!(waits(&desk.continued(&[8; 32]).0));
    assert!(waits(&desk.confirmed().0));
}

#[test]
fn only_the_server_may_ask() {
    let mut desk = Desk::new();
    let options = Node::new("passkey_request_options").bytes(OPTIONS);
    let node = Node::new("notification")
        .jid("from", Jid::pn("4915550"))
        .attr("type", "passkey_prologue_request")
        .child(options);
    let (next, effects) =
        desk.run(|pairing, cx, _, device| pairing.passkey_told(cx, device, &node));
    assert!(waits(&next));
    assert_eq!((effects, desk.pairing.deadline()), (vec![], None));
}

#[test]
fn a_refusal_a_silence_and_a_bad_key_end_the_attempt() {
    let (mut desk, _) = Desk::offered();
    let (_, effects) = desk.answer(
        PasskeyStep::Prologue,
        &IqEnd::Error {
            code: 403,
            backoff: None,
        },
    );
    assert_eq!(effects, gave_up(PairFailure::PasskeyRefused { code: 403 }));
    assert_eq!(desk.pairing.deadline(), None);

    let (mut desk, _) = Desk::offered();
    assert_eq!(desk.tick(119), []);
    assert_eq!(desk.tick(1), gave_up(PairFailure::PasskeyTimeout));

    let (mut desk, _) = Desk::offered();
    let _ = desk.continued(&[0; 32]);
    let _ = desk.answer(PasskeyStep::Nonce, &result(Node::new("x")));
    assert_eq!(desk.confirmed().1, gave_up(PairFailure::Malformed));
}

#[test]
fn the_owner_has_ten_minutes_and_the_server_three_tries() {
    let mut desk = Desk::new();
    let _ = desk.wanted();
    assert_eq!(desk.tick(599), []);
    assert_eq!(desk.tick(1), gave_up(PairFailure::PasskeyTimeout));

    let mut desk = Desk::new();
    for _ in 0..3 {
        assert!(matches!(
            desk.wanted().1[..],
            [Effect::Event(Event::PasskeyRequest { .. })]
        ));
    }
    assert_eq!(desk.wanted().1, gave_up(PairFailure::PasskeyTimeout));
}

#[test]
fn a_lost_connection_says_so() {
    let (mut desk, _) = Desk::offered();
    let (_, effects) = desk.run(|pairing, cx, _, _| {
        pairing.connection_lost(cx);
        Next::Wait
    });
    let reason = PairFailure::ConnectionLost;
    assert_eq!(effects, [Event::PairFailed { reason }.into()]);
    assert!(waits(&desk.continued(&[9; 32]).0));
}

#[test]
fn an_answer_is_an_object_with_the_id_of_a_credential() {
    assert!(PasskeyAnswer::parse(r#"{"id":"AAEC"}"#).is_some());
    let long = format!(r#"{{"id":"{}"}}"#, "A".repeat(1368));
    for bad in ["", "[]", "{}", r#"{"id":""}"#, r#"{"id":"++++"}"#, &long] {
        assert_eq!(PasskeyAnswer::parse(bad), None, "{bad}");
    }
    let padded = format!("{SIGNED}{}", " ".repeat(LONGEST_TEXT));
    assert_eq!(PasskeyAnswer::parse(&padded), None);
}
