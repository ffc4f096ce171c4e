//! The passkey step: since 2026 the server may want the account's owner to prove a passkey before
//! it links a device. The host brings the proof; both sides then compare a code.
//!
//! ```text
//! server <notification type="passkey_prologue_request">[<passkey_request_options/>]    what to sign
//! us     <iq type="get" xmlns="md"><passkey_request_options/></iq>                     if it does not say
//! host   the owner's authenticator signs it
//! us     <iq type="get" xmlns="md"><ref/></iq>              -> <ref>
//! us     <passkey_prologue> credential_id, webauthn_assertion, prologue_payload, pairing_handoff_proof
//! server <notification type="crsc_continuation"><primary_ephemeral_identity/>
//! us     <companion_nonce/>                                  show the code
//! host   the phone shows the same
//! us     <encrypted_pairing_request/>                        then <pair-success>, proven by a new secret
//! ```
//! Source: spec "Passkey". The new secret is durable in the step that sends it: a link that the phone
//! believes in is never one that we cannot prove.

mod seal;
#[cfg(test)]
mod tests;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::device::DeviceRecord;
use crate::event::{Event, PairFailure};
use crate::pair::LONGEST_REF;
use crate::secret::Secret;
use crate::stream::iq::IqEnd;
use crate::time::{Millis, Mono};
use crate::txn::{Cx, Scope};
use crate::wap::Node;

use super::order;
use seal::{Companion, Primary};

/// How long the owner may take to sign, and then to compare. The server forgets what it asked for
/// after about that time.
const PATIENCE: u32 = 600;

/// How long server and phone may take for their part.
const ANSWER: Millis = Millis::from_secs(120);

/// Longest text that is taken from the server or the host, in bytes.
const LONGEST_TEXT: usize = 16 * 1024;

/// Longest id of a credential, in bytes, as WebAuthn has it.
const LONGEST_CREDENTIAL: usize = 1023;

/// How often the server may begin anew on one connection.
const MOST_ROUNDS: u8 = 3;

/// WebAuthn writes base64url without padding; some libraries pad.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the owner's authenticator made of [`Event::PasskeyRequest`].
#[derive(Clone, Eq, PartialEq)]
pub struct PasskeyAnswer {
    credential: Vec<u8>,
    assertion: String,
}

impl PasskeyAnswer {
    /// The answer in `json`, as a browser's `PublicKeyCredential.toJSON()` writes it. `None` unless
    /// it is an object of at most 16 KiB with a `rawId` or `id` in base64url.
    pub fn parse(json: &str) -> Option<Self> {
        if json.len() > LONGEST_TEXT {
            return None;
        }
        let answer: serde_json::Value = serde_json::from_str(json).ok()?;
        let id = answer.get("rawId").or_else(|| answer.get("id"))?.as_str()?;
        let credential = BASE64.decode(id).ok()?;
        let fits = (1..=LONGEST_CREDENTIAL).contains(&credential.len());
        fits.then(|| Self {
            credential,
            assertion: json.to_owned(),
        })
    }
}

impl core::fmt::Debug for PasskeyAnswer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PasskeyAnswer({} bytes)", self.assertion.len())
    }
}

/// Which of our requests the server answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PasskeyStep {
    /// What is to be signed.
    Options,
    /// The name of this attempt.
    Reference,
    /// The signature, and our half of the agreement.
    Prologue,
    /// Our nonce.
    Nonce,
    /// The sealed request.
    Request,
}

type Asked = Option<(PasskeyStep, Node)>;

/// The step of the present connection.
#[derive(Debug, Default)]
pub(super) struct PasskeyPairing {
    state: State,
    until: Option<Mono>,
    rounds: u8,
}

#[derive(Debug, Default)]
enum State {
    /// Not wanted.
    #[default]
    None,
    /// The server has not said yet what to sign.
    Asking,
    /// The owner signs.
    Signing,
    /// Signed; the attempt has no name yet.
    Naming(PasskeyAnswer),
    /// The phone decides.
    Offered(Companion),
    /// The phone has told its half, and learns our nonce.
    Telling(Companion, Primary),
    /// Both show the code.
    Comparing(Companion, Primary),
    /// The phone has all it needs.
    Linking,
}

impl PasskeyPairing {
    /// The server wants the step, or wants it anew.
    pub(super) fn wanted(
        &mut self,
        cx: &mut Cx<'_>,
        notification: &Node,
    ) -> Result<Asked, PairFailure> {
        if self.rounds >= MOST_ROUNDS {
            return Err(PairFailure::PasskeyTimeout);
        }
        self.rounds += 1;
        if let Some(options) = options(notification) {
            self.sign(cx, options);
            return Ok(None);
        }
        self.enter(cx, State::Asking, ANSWER);
        let question = order("get", Node::new("passkey_request_options"));
        Ok(Some((PasskeyStep::Options, question)))
    }

    fn sign(&mut self, cx: &mut Cx<'_>, options: String) {
        let seconds = PATIENCE;
        self.enter(cx, State::Signing, Millis::from_secs(seconds.into()));
        cx.effect(Event::PasskeyRequest { options, seconds });
    }

    /// The owner has signed. Nothing happens unless it was asked to.
    pub(super) fn signed(&mut self, cx: &mut Cx<'_>, answer: PasskeyAnswer) -> Asked {
        if !matches!(self.state, State::Signing) {
            return None;
        }
        self.enter(cx, State::Naming(answer), ANSWER);
        Some((PasskeyStep::Reference, order("get", Node::new("ref"))))
    }

    /// The server answered one of our requests; an error ends the step.
    pub(super) fn answered(
        &mut self,
        cx: &mut Cx<'_>,
        device: &DeviceRecord,
        step: PasskeyStep,
        end: &IqEnd,
    ) -> Result<Asked, PairFailure> {
        let answer = match end {
            IqEnd::Result(answer) => answer,
            IqEnd::Error { code, .. } => return Err(PairFailure::PasskeyRefused { code: *code }),
            IqEnd::Timeout => return Err(PairFailure::PasskeyTimeout),
            // The end of the connection takes the step along.
            IqEnd::Disconnected => return Ok(None),
        };
        match (step, core::mem::take(&mut self.state)) {
            (PasskeyStep::Options, State::Asking) => {
                let options = options(answer).ok_or(PairFailure::Malformed)?;
                self.sign(cx, options);
            }
            (PasskeyStep::Reference, State::Naming(signed)) => {
                let companion = reference(answer).ok_or(PairFailure::Malformed)?;
                let companion = Companion::new(cx.rng, companion);
                let prologue = prologue(device, &companion, signed);
                self.enter(cx, State::Offered(companion), ANSWER);
                return Ok(Some((PasskeyStep::Prologue, prologue)));
            }
            (PasskeyStep::Nonce, State::Telling(companion, primary)) => {
                let (code, seconds) = (companion.code(&primary).reveal(), PATIENCE);
                let compare = State::Comparing(companion, primary);
                self.enter(cx, compare, Millis::from_secs(seconds.into()));
                cx.effect(Event::PasskeyCode { code, seconds });
            }
            // Of an attempt that was begun anew, or nothing follows from it.
            (_, state) => self.state = state,
        }
        Ok(None)
    }

    /// A `crsc_continuation` notification: the phone tells its half.
    pub(super) fn continued(
        &mut self,
        cx: &mut Cx<'_>,
        notification: &Node,
    ) -> Result<Asked, PairFailure> {
        let state = core::mem::take(&mut self.state);
        let State::Offered(companion) = state else {
            self.state = state;
            return Ok(None);
        };
        let told = notification.find("primary_ephemeral_identity");
        let primary = told.and_then(Node::payload).and_then(Primary::parse);
        let primary = primary.ok_or(PairFailure::Malformed)?;
        let nonce = Node::new("companion_nonce").bytes(companion.nonce());
        self.enter(cx, State::Telling(companion, primary), ANSWER);
        Ok(Some((PasskeyStep::Nonce, order("set", nonce))))
    }

    /// The phone shows the same code. Nothing happens unless one is shown.
    pub(super) fn confirmed(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        device: &mut DeviceRecord,
    ) -> Result<Asked, PairFailure> {
        let state = core::mem::take(&mut self.state);
        let State::Comparing(companion, primary) = state else {
            self.state = state;
            return Ok(None);
        };
        let secret = Secret::random(cx.rng);
        let request = companion
            .request(cx.rng, &primary, device, &secret)
            .ok_or(PairFailure::Malformed)?;
        device.adv_secret = secret;
        device.save(cx, slot);
        self.enter(cx, State::Linking, ANSWER);
        let request = Node::new("encrypted_pairing_request").bytes(request);
        Ok(Some((PasskeyStep::Request, order("set", request))))
    }

    /// Whether the step is under way: no other way to link goes on meanwhile.
    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.state, State::None)
    }

    /// When the step is given up.
    pub(super) const fn deadline(&self) -> Option<Mono> {
        self.until
    }

    /// Ends the step; whether there was one.
    pub(super) fn close(&mut self) -> bool {
        let open = self.is_open();
        *self = Self::default();
        open
    }

    fn enter(&mut self, cx: &Cx<'_>, state: State, time: Millis) {
        self.state = state;
        self.until = Some(cx.now.mono.plus(time));
    }
}

fn prologue(device: &DeviceRecord, companion: &Companion, signed: PasskeyAnswer) -> Node {
    let payload = companion.prologue();
    let proof = seal::proof(&device.adv_secret, &payload);
    let prologue = Node::new("passkey_prologue").children([
        Node::new("credential_id").bytes(signed.credential),
        Node::new("webauthn_assertion").bytes(signed.assertion),
        Node::new("prologue_payload").bytes(payload),
        Node::new("pairing_handoff_proof").bytes(proof),
    ]);
    order("set", prologue)
}

/// The JSON object of WebAuthn that says what to sign.
fn options(told: &Node) -> Option<String> {
    let bytes = told.find("passkey_request_options")?.payload()?;
    let text = core::str::from_utf8(bytes).ok()?;
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    (text.len() <= LONGEST_TEXT && json.is_object()).then(|| text.to_owned())
}

fn reference(answer: &Node) -> Option<String> {
    let bytes = answer.find("ref")?.payload()?;
    let text = core::str::from_utf8(bytes).ok()?;
    (1..=LONGEST_REF)
        .contains(&text.len())
        .then(|| text.to_owned())
}
