//! The passkey step of linking: the server's demand, and the phone's half of the agreement.
//!
//! ```text
//! passkey_prologue_request (options)  ref -> ref   passkey_prologue -> result, crsc_continuation
//! companion_nonce -> result, a code on the phone   encrypted_pairing_request -> result, <pair-success>
//! ```
//! Source: spec 5.5. The owner's authenticator is not modelled: an assertion counts when its client
//! data answers the challenge.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use prost::Message;
use sendpath_protocol::crypto::curve::{KeyPair, PublicKey};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::secret::EntropyExt;
use sendpath_protocol::wap::Node;
use sha2::{Digest, Sha256};

use crate::connection::ConnectionId;
use crate::iq::Answer;
use crate::paircode::ALPHABET;
use crate::people::PersonId;
use crate::schema::{
    CompanionEphemeralIdentity, EncryptedPairingRequest, PairingRequest, PrimaryEphemeralIdentity,
    ProloguePayload,
};
use crate::world::World;

/// The credential that the owner's authenticator has.
const CREDENTIAL: &[u8] = b"the owner's passkey";

/// How the server asks for passkeys.
#[derive(Clone, Copy)]
pub(crate) struct Demand {
    /// The notification says what to sign; else the client has to ask.
    pub(crate) options: bool,
}

/// A passkey step that is under way.
#[derive(Clone)]
pub(crate) struct Step {
    person: PersonId,
    /// What the phone has scanned, or agreed on by a typed code.
    adv_secret: [u8; 32],
    challenge: [u8; 32],
    reference: Option<String>,
    offer: Option<Offer>,
}

/// What the client offered, and what the phone says to it.
#[derive(Clone)]
struct Offer {
    identity: Vec<u8>,
    theirs: PublicKey,
    promise: Vec<u8>,
    ephemeral: KeyPair,
    nonce: [u8; 32],
    /// What the phone shows, once it knows the client's nonce.
    code: Option<String>,
}

impl Step {
    fn options(&self) -> Node {
        let json = serde_json::json!({
            "challenge": URL_SAFE_NO_PAD.encode(self.challenge),
            "rpId": "whatsapp.com",
            "userVerification": "required",
            "timeout": 600_000,
            "allowCredentials": [{"type": "public-key", "id": URL_SAFE_NO_PAD.encode(CREDENTIAL)}],
        });
        Node::new("passkey_request_options").bytes(json.to_string())
    }

    /// Whether the assertion answers the challenge with the right credential.
    fn asserted(&self, prologue: &Node) -> Result<(), String> {
        if bytes(prologue, "credential_id")? != CREDENTIAL {
            return Err("another credential".into());
        }
        let assertion: serde_json::Value =
            serde_json::from_slice(bytes(prologue, "webauthn_assertion")?)
                .map_err(|_| "the assertion is not JSON")?;
        let signed = assertion["response"]["clientDataJSON"].as_str();
        let signed = signed.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let signed: serde_json::Value = signed
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or("no client data")?;
        if signed["challenge"] != URL_SAFE_NO_PAD.encode(self.challenge) {
            return Err("the client data answers another challenge".into());
        }
        Ok(())
    }

    /// Whether the client is the one that the phone has scanned or typed the code of.
    fn proven(&self, payload: &[u8], proof: &[u8]) -> Result<(), String> {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(None, &self.adv_secret)
            .expand(b"shortcake-passkey-handoff-v1", &mut key)
            .map_err(|_| "HKDF")?;
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).map_err(|_| "HMAC")?;
        mac.update(payload);
        mac.verify_slice(proof)
            .map_err(|_| "the proof is not that of the scanned secret".into())
    }
}

impl Offer {
    fn parse(payload: &[u8], reference: &str, ephemeral: KeyPair, nonce: [u8; 32]) -> Option<Self> {
        let payload = ProloguePayload::decode(payload).ok()?;
        let identity = payload.companion_ephemeral_identity?;
        let told = CompanionEphemeralIdentity::decode(&*identity).ok()?;
        // 1 is Chrome, as in the registration payload.
        (told.reference.as_deref() == Some(reference) && told.device_type == Some(1))
            .then_some(())?;
        Some(Self {
            theirs: PublicKey::from_raw(&told.public_key?)?,
            identity,
            promise: payload.commitment?.hash?,
            ephemeral,
            nonce,
            code: None,
        })
    }

    /// The code, if the nonce is the promised one.
    fn compare(&self, nonce: &[u8]) -> Option<String> {
        let promised = Sha256::new()
            .chain_update(&self.identity)
            .chain_update(nonce);
        (promised.finalize()[..] == self.promise[..]).then_some(())?;
        let digest = Sha256::new()
            .chain_update(nonce)
            .chain_update(self.ephemeral.public.as_bytes())
            .finalize();
        let mixed = self.nonce.iter().zip(digest).take(5);
        let bits: String = mixed.map(|(a, b)| format!("{:08b}", a ^ b)).collect();
        let symbol = |group: &[u8]| {
            let text = core::str::from_utf8(group).ok()?;
            ALPHABET.chars().nth(usize::from_str_radix(text, 2).ok()?)
        };
        let code: Option<String> = bits.as_bytes().chunks(5).map(symbol).collect();
        let code = code?;
        Some(format!("{}-{}", &code[..4], &code[4..]))
    }

    fn open(&self, sealed: &[u8], reference: &str) -> Option<PairingRequest> {
        let sealed = EncryptedPairingRequest::decode(sealed).ok()?;
        let shared = self.ephemeral.private.agree(&self.theirs)?;
        let salt = format!("Companion Pairing 1 with ref {reference}");
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(Some(salt.as_bytes()), shared.expose())
            .expand(b"Pairing Information Encryption Key", &mut key)
            .ok()?;
        let iv: [u8; 12] = sealed.iv?.try_into().ok()?;
        let msg = sealed.encrypted_payload?;
        let payload = Payload {
            msg: &msg,
            aad: b"",
        };
        let plain = Aes256Gcm::new(&key.into()).decrypt(&iv.into(), payload);
        PairingRequest::decode(&*plain.ok()?).ok()
    }
}

impl World {
    /// Pushes the demand instead of `<pair-success>`.
    pub(crate) fn demand_passkey(
        &mut self,
        connection: ConnectionId,
        person: PersonId,
        adv_secret: &[u8; 32],
        demand: Demand,
    ) {
        let step = Step {
            person,
            adv_secret: *adv_secret,
            challenge: self.rng.bytes(),
            reference: None,
            offer: None,
        };
        let options = demand.options.then(|| step.options());
        if let Some(candidate) = self.candidate(connection) {
            candidate.passkey = Some(step);
        }
        self.tell(connection, "passkey_prologue_request", options);
    }

    fn tell(&mut self, connection: ConnectionId, kind: &'static str, child: Option<Node>) {
        let notification = Node::new("notification")
            .jid("from", Jid::whatsapp())
            .attr("type", kind)
            .attr("id", self.stanza_id())
            .num("t", self.now())
            .children(child);
        self.write(connection, notification);
    }

    /// The code on the phone of the only client that is at it.
    pub(crate) fn phone_code(&self) -> Result<String, String> {
        let mut phases = self.connections.values().map(|state| &state.phase);
        let code = phases.find_map(|phase| match phase {
            crate::connection::Phase::Pairing(candidate) => {
                candidate.passkey.as_ref()?.offer.as_ref()?.code.clone()
            }
            _ => None,
        });
        code.ok_or_else(|| "the phone shows no code".into())
    }

    /// Whether an IQ of a client that is not linked belongs to the step.
    pub(crate) fn is_passkey_iq(node: &Node) -> bool {
        let parts = [
            "companion_nonce",
            "encrypted_pairing_request",
            "passkey_prologue",
            "passkey_request_options",
            "ref",
        ];
        node.is("xmlns", "md") && parts.iter().any(|tag| node.find(tag).is_some())
    }

    pub(crate) fn passkey_iq(&mut self, connection: ConnectionId, node: &Node) {
        let taken = self.candidate(connection).and_then(|c| c.passkey.take());
        let done = match taken {
            Some(mut step) => {
                let done = self.passkey_step(connection, &mut step, node);
                if let Some(candidate) = self.candidate(connection) {
                    candidate.passkey = Some(step);
                }
                done
            }
            None => Err("nobody asked for a passkey".into()),
        };
        match done {
            Ok((answer, then)) => {
                self.respond(connection, node, answer);
                self.after_passkey(connection, then);
            }
            Err(detail) => {
                self.violation(connection, "passkey", detail);
                self.respond(connection, node, Answer::bad_request());
            }
        }
    }

    fn after_passkey(&mut self, connection: ConnectionId, then: Then) {
        match then {
            Then::Continue(identity) => {
                let child = Node::new("primary_ephemeral_identity").bytes(identity);
                self.tell(connection, "crsc_continuation", Some(child));
            }
            Then::Link(person, secret) => {
                if let Err(detail) = self.vouch(connection, person, &secret) {
                    self.violation(connection, "passkey", detail);
                }
            }
            Then::Nothing => {}
        }
    }

    fn passkey_step(
        &mut self,
        connection: ConnectionId,
        step: &mut Step,
        node: &Node,
    ) -> Result<(Answer, Then), String> {
        let nothing = |children| Ok((Answer::Result(children), Then::Nothing));
        if node.find("passkey_request_options").is_some() {
            return nothing(vec![step.options()]);
        }
        if node.find("ref").is_some() {
            let reference = format!("ref-{}", hex::encode(self.rng.bytes::<8>()));
            step.reference = Some(reference.clone());
            return nothing(vec![Node::new("ref").bytes(reference)]);
        }
        let reference = step.reference.clone().ok_or("no ref was asked for")?;
        if let Some(prologue) = node.find("passkey_prologue") {
            step.asserted(prologue)?;
            let payload = bytes(prologue, "prologue_payload")?;
            step.proven(payload, bytes(prologue, "pairing_handoff_proof")?)?;
            let (ephemeral, nonce) = (KeyPair::generate(&mut self.rng), self.rng.bytes());
            let told = PrimaryEphemeralIdentity {
                public_key: Some(ephemeral.public.as_bytes().to_vec()),
                nonce: Some(nonce.to_vec()),
            };
            let offer = Offer::parse(payload, &reference, ephemeral, nonce);
            step.offer = Some(offer.ok_or("the payload does not decode")?);
            return Ok((Answer::empty(), Then::Continue(told.encode_to_vec())));
        }
        let offer = step.offer.as_mut().ok_or("no prologue")?;
        if node.find("companion_nonce").is_some() {
            let code = offer.compare(bytes(node, "companion_nonce")?);
            offer.code = Some(code.ok_or("the nonce was not promised")?);
            return nothing(Vec::new());
        }
        offer.code.as_ref().ok_or("the code was not compared")?;
        let request = offer.open(bytes(node, "encrypted_pairing_request")?, &reference);
        let request = request.ok_or("the request does not open")?;
        let candidate = self.candidate(connection).ok_or("no candidate")?;
        if request.companion_public_key != Some(candidate.noise_key().to_vec())
            || request.companion_identity_key != Some(candidate.identity().to_vec())
        {
            return Err("keys of another client".into());
        }
        let secret = request.adv_secret.and_then(|bytes| bytes.try_into().ok());
        let secret: [u8; 32] = secret.ok_or("no secret")?;
        if secret == step.adv_secret {
            return Err("the secret that everybody could scan".into());
        }
        Ok((Answer::empty(), Then::Link(step.person, secret)))
    }
}

/// What follows an answer.
enum Then {
    Continue(Vec<u8>),
    Link(PersonId, [u8; 32]),
    Nothing,
}

fn bytes<'a>(node: &'a Node, tag: &str) -> Result<&'a [u8], String> {
    let payload = node.find(tag).and_then(Node::payload);
    payload.ok_or_else(|| format!("no {tag}"))
}
