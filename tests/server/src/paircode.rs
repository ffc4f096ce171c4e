//! Linking by a code that somebody types into the phone.
//!
//! ```text
//! companion_hello  -> link_code_pairing_ref
//! (typed)          -> notification primary_hello: ref, wrapped primary key, primary identity
//! companion_finish -> result, then <pair-success> with the secret both sides derived
//! ```
//! Source: spec 5.3, from the phone's side.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, aes};
use ctr::cipher::{KeyIvInit, StreamCipher};
use hkdf::Hkdf;
use sendpath_protocol::crypto::curve::{KeyPair, PublicKey};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::secret::EntropyExt;
use sendpath_protocol::wap::Node;
use sha2::Sha256;

use crate::connection::{ConnectionId, Phase};
use crate::iq::Answer;
use crate::pairing::Candidate;
use crate::people::PersonId;
use crate::world::World;

pub(crate) const ALPHABET: &str = "123456789ABCDEFGHJKLMNPQRSTVWXYZ";
const ROUNDS: u32 = 131_072;

/// A code that a client announced.
#[derive(Clone)]
pub(crate) struct Announced {
    number: String,
    reference: String,
    wrapped: Vec<u8>,
    typed: Option<Typed>,
}

/// What the phone did when somebody typed a code.
#[derive(Clone)]
struct Typed {
    person: PersonId,
    ephemeral: KeyPair,
    /// The companion's key as that code opens it.
    theirs: PublicKey,
}

impl World {
    /// `<iq xmlns="md"><link_code_companion_reg>` of a client that is not linked.
    pub(crate) fn pair_code(&mut self, connection: ConnectionId, node: &Node, told: &Node) {
        let done = match told.text("stage").as_deref() {
            Some("companion_hello") => self.companion_hello(connection, told),
            Some("companion_finish") => self.companion_finish(connection, told),
            _ => Err("an unknown stage".into()),
        };
        match done {
            Ok(Done { answer, then }) => {
                self.respond(connection, node, answer);
                if let Some((person, secret)) = then
                    && let Err(detail) = self.trusted(connection, person, &secret)
                {
                    self.violation(connection, "link_code_companion_reg", detail);
                }
            }
            Err(detail) => {
                self.violation(connection, "link_code_companion_reg", detail);
                self.respond(connection, node, Answer::bad_request());
            }
        }
    }

    fn companion_hello(&mut self, connection: ConnectionId, told: &Node) -> Result<Done, String> {
        let number = told.address("jid").filter(Jid::is_pn).ok_or("no number")?;
        let wrapped = bytes(
            told,
            "link_code_pairing_wrapped_companion_ephemeral_pub",
            80,
        )?;
        let noise = bytes(told, "companion_server_auth_key_pub", 32)?;
        let platform = text(told, "companion_platform_id")?;
        if platform.len() != 1 || platform == "0" {
            return Err(format!("platform {platform:?} is refused"));
        }
        let display = text(told, "companion_platform_display")?;
        if !(display.contains(" (") && display.ends_with(')')) {
            return Err("the display is not `Browser (OS)`".into());
        }
        told.find("link_code_pairing_nonce").ok_or("no nonce")?;
        let reference = format!("code-{}", hex::encode(self.rng.bytes::<8>()));
        let candidate = self.candidate(connection).ok_or("no candidate")?;
        if noise != candidate.noise_key() {
            return Err("another noise key than that of the handshake".into());
        }
        candidate.code = Some(Announced {
            number: number.user_part().into(),
            reference: reference.clone(),
            wrapped,
            typed: None,
        });
        let named = Node::new("link_code_pairing_ref").bytes(reference);
        Ok(Done {
            answer: Answer::Result(vec![Node::new("link_code_companion_reg").child(named)]),
            then: None,
        })
    }

    /// Somebody types `code` into the phone of `person`.
    pub(crate) fn type_code(&mut self, person: PersonId, code: &str) -> Result<(), String> {
        let symbols: String = code.chars().filter(|symbol| *symbol != '-').collect();
        if symbols.len() != 8 || symbols.chars().any(|symbol| !ALPHABET.contains(symbol)) {
            return Err("the phone takes eight symbols of the alphabet".into());
        }
        let pn = self.people[person].pn.clone();
        let announced = |state: &Phase| match state {
            Phase::Pairing(candidate) => candidate.code.as_ref().is_some_and(|c| c.number == pn),
            _ => false,
        };
        let mut open = self.connections.iter();
        let (&connection, _) = open
            .find(|(_, state)| announced(&state.phase))
            .ok_or("no client waits for a code of this number")?;
        let phone = self.people[person].devices.first();
        let identity = phone.ok_or("the account has no phone")?.identity().public;
        let ephemeral = KeyPair::generate(&mut self.rng);
        let mut wrapped = self.rng.bytes::<80>();
        wrapped[48..].copy_from_slice(ephemeral.public.as_bytes());
        cipher(&symbols, &mut wrapped)?;
        let id = self.stanza_id();
        let code = self
            .candidate(connection)
            .and_then(|candidate| candidate.code.as_mut())
            .ok_or("no code")?;
        let mut opened: [u8; 80] = code.wrapped.as_slice().try_into().map_err(|_| "80 bytes")?;
        cipher(&symbols, &mut opened)?;
        let theirs = PublicKey::from_raw(&opened[48..]).ok_or("no key")?;
        code.typed = Some(Typed {
            person,
            ephemeral,
            theirs,
        });
        let hello = Node::new("link_code_companion_reg")
            .attr("stage", "primary_hello")
            .children([
                Node::new("link_code_pairing_ref").bytes(code.reference.clone()),
                Node::new("link_code_pairing_wrapped_primary_ephemeral_pub").bytes(wrapped),
                Node::new("primary_identity_pub").bytes(identity.as_bytes()),
            ]);
        let notification = Node::new("notification")
            .jid("from", Jid::whatsapp())
            .attr("type", "link_code_companion_reg")
            .attr("id", id)
            .num("t", self.now())
            .child(hello);
        self.write(connection, notification);
        Ok(())
    }

    fn companion_finish(&mut self, connection: ConnectionId, told: &Node) -> Result<Done, String> {
        let bundle = bytes(told, "link_code_pairing_wrapped_key_bundle", 156)?;
        let identity = bytes(told, "companion_identity_public", 32)?;
        let reference = text(told, "link_code_pairing_ref")?;
        let candidate = self.candidate(connection).ok_or("no candidate")?;
        if identity != candidate.identity() {
            return Err("another identity than that of the registration".into());
        }
        let code = candidate.code.take().ok_or("no code was announced")?;
        if reference != code.reference {
            return Err("another reference".into());
        }
        let typed = code.typed.ok_or("nobody has typed the code")?;
        let phone = self.people[typed.person].devices.first();
        let phone = phone.ok_or("the account has no phone")?.identity();
        let shared = typed.ephemeral.private.agree(&typed.theirs);
        let shared = shared.ok_or("a key of low order")?;
        let (salt, sealed) = bundle.split_at(32);
        let (nonce, sealed) = sealed.split_at(12);
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(Some(salt), shared.expose())
            .expand(b"link_code_pairing_key_bundle_encryption_key", &mut key)
            .map_err(|_| "HKDF")?;
        let nonce = <[u8; 12]>::try_from(nonce).map_err(|_| "12 bytes")?;
        let aad = b"".as_slice();
        let cipher = Aes256Gcm::new(&key.into());
        let Ok(plain) = cipher.decrypt(&nonce.into(), Payload { msg: sealed, aad }) else {
            // Somebody typed another code than the one that was shown.
            return Ok(Done {
                answer: Answer::bad_request(),
                then: None,
            });
        };
        if plain[..32] != identity[..] || plain[32..64] != phone.public.as_bytes()[..] {
            return Err("the bundle names other identities".into());
        }
        let theirs = PublicKey::from_raw(&identity).ok_or("32 bytes")?;
        let identities = phone.private.agree(&theirs).ok_or("a key of low order")?;
        let ikm = [shared.expose(), identities.expose(), &plain[64..]].concat();
        let mut secret = [0; 32];
        Hkdf::<Sha256>::new(None, &ikm)
            .expand(b"adv_secret", &mut secret)
            .map_err(|_| "HKDF")?;
        Ok(Done {
            answer: Answer::empty(),
            then: Some((typed.person, secret)),
        })
    }

    pub(crate) fn candidate(&mut self, connection: ConnectionId) -> Option<&mut Candidate> {
        match &mut self.connections.get_mut(&connection)?.phase {
            Phase::Pairing(candidate) => Some(candidate),
            _ => None,
        }
    }
}

/// The answer to a request, and whom to vouch for after it.
struct Done {
    answer: Answer,
    then: Option<(PersonId, [u8; 32])>,
}

fn bytes(told: &Node, tag: &str, length: usize) -> Result<Vec<u8>, String> {
    let payload = told.find(tag).and_then(Node::payload);
    let bytes = payload.filter(|bytes| bytes.len() == length);
    Ok(bytes
        .ok_or_else(|| format!("{tag} has not {length} bytes"))?
        .to_vec())
}

fn text(told: &Node, tag: &str) -> Result<String, String> {
    let payload = told.find(tag).and_then(Node::payload);
    let text = payload.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    text.ok_or_else(|| format!("no {tag}"))
}

/// AES-256-CTR over the last 32 bytes, with what stands before them.
fn cipher(code: &str, wrapped: &mut [u8; 80]) -> Result<(), String> {
    let (head, text) = wrapped.split_at_mut(48);
    let mut key = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(code.as_bytes(), &head[..32], ROUNDS, &mut key);
    let iv = <[u8; 16]>::try_from(&head[32..]).map_err(|_| "16 bytes")?;
    ctr::Ctr128BE::<aes::Aes256>::new(&key.into(), &iv.into()).apply_keystream(text);
    Ok(())
}
