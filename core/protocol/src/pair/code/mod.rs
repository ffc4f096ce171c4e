//! Linking by a code that the user types into the phone, instead of scanning one.
//!
//! ```text
//! us     <iq xmlns="md"><link_code_companion_reg stage="companion_hello" jid> wrapped key .. </></iq>
//!          -> <link_code_pairing_ref>                        show the code, 180 s
//! phone  <notification type="link_code_companion_reg"> stage="primary_hello": ref, wrapped key, identity
//! us     <iq xmlns="md"> stage="companion_finish": wrapped bundle, our identity, ref  -> result
//! server <pair-success>, proven with the secret that both sides agreed on
//! ```
//! Source: spec "Phone-number pair code". The secret is durable in the step that sends the bundle:
//! a link that the phone believes in is never one that we cannot prove.

mod seal;
#[cfg(test)]
mod tests;

use crate::crypto::curve::{KeyPair, PublicKey};
use crate::device::DeviceRecord;
use crate::event::{Event, PairFailure};
use crate::jid::Jid;
use crate::stream::iq::IqEnd;
use crate::time::{Millis, Mono};
use crate::txn::{Cx, Scope};
use crate::wap::Node;

use super::{CLIENT_TYPE, LONGEST_REF, order};

pub use seal::PairCode;

/// How long a code may be typed, in seconds.
const LIFETIME: u32 = 180;

/// How long the server may take to link us after the phone agreed.
const SUCCESS: Millis = Millis::from_secs(60);

/// How often the phone may say hello, or ask for a new code, for one request.
const MOST_ROUNDS: u8 = 3;

/// What the phone shows for us. The server knows this form and refuses free text.
const DISPLAY: &str = "Chrome (Linux)";

/// A phone number in international form: 7 to 15 digits, the first not 0.
#[derive(Clone, Eq, PartialEq)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// The number in `text`; a plus sign, blanks, dashes, dots and brackets are left out.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('+').unwrap_or(text);
        let digits: String = text
            .chars()
            .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')'))
            .collect();
        let number = (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        number.then_some(Self(digits))
    }

    /// Nothing but its digits.
    pub fn digits(&self) -> &str {
        &self.0
    }

    fn jid(&self) -> Jid {
        Jid::pn(&*self.0)
    }
}

impl core::fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PhoneNumber({} digits)", self.0.len())
    }
}

/// What a host asks for: a code for the phone with this number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CodeRequest {
    /// The account's own number.
    pub number: PhoneNumber,
    /// The code to use; `None` for a random one.
    pub code: Option<PairCode>,
}

/// Which of our requests the server answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CodeStep {
    /// The one that announces the code.
    Hello,
    /// The one that carries our bundle.
    Finish,
}

/// The code that is open at present, if there is one. At most one is.
#[derive(Debug, Default)]
pub(super) struct CodePairing(State);

#[derive(Debug, Default)]
enum State {
    #[default]
    None,
    /// Asked for before the server was ready to pair.
    Wanted(CodeRequest),
    Open(Box<Open>),
}

#[derive(Debug)]
struct Open {
    request: CodeRequest,
    code: PairCode,
    ephemeral: KeyPair,
    /// Names this attempt at the server; `None` until it has told it.
    reference: Option<Vec<u8>>,
    until: Mono,
    /// Hellos of the phone and new codes so far.
    rounds: u8,
}

impl CodePairing {
    /// Whether a code is open, or will be: the QR codes may run out meanwhile.
    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.0, State::None)
    }

    pub(super) const fn deadline(&self) -> Option<Mono> {
        match &self.0 {
            State::Open(open) => Some(open.until),
            State::None | State::Wanted(_) => None,
        }
    }

    /// Keeps the request for when the server is ready.
    pub(super) fn want(&mut self, request: CodeRequest) {
        self.0 = State::Wanted(request);
    }

    /// The server is ready: announces the code that is wanted, if one is.
    pub(super) fn begin(&mut self, cx: &mut Cx<'_>, device: &DeviceRecord) -> Option<Node> {
        match std::mem::take(&mut self.0) {
            State::Wanted(request) => Some(self.open(cx, device, request, 0)),
            other => {
                self.0 = other;
                None
            }
        }
    }

    fn open(
        &mut self,
        cx: &mut Cx<'_>,
        device: &DeviceRecord,
        request: CodeRequest,
        rounds: u8,
    ) -> Node {
        let random = || PairCode::random(cx.rng);
        let code = request.code.clone().unwrap_or_else(random);
        let ephemeral = KeyPair::generate(cx.rng);
        let wrapped = code.wrap(cx.rng, &ephemeral.public);
        let hello = registration("companion_hello", &request.number)
            .attr("should_show_push_notification", "true")
            .children([
                Node::new("link_code_pairing_wrapped_companion_ephemeral_pub").bytes(wrapped),
                Node::new("companion_server_auth_key_pub").bytes(device.noise.public.as_bytes()),
                Node::new("companion_platform_id").bytes(CLIENT_TYPE),
                Node::new("companion_platform_display").bytes(DISPLAY),
                Node::new("link_code_pairing_nonce").bytes([0]),
            ]);
        self.0 = State::Open(Box::new(Open {
            request,
            code,
            ephemeral,
            reference: None,
            until: after(cx, Millis::from_secs(LIFETIME.into())),
            rounds,
        }));
        order("set", hello)
    }

    /// The server answered one of our requests; an error ends the code.
    pub(super) fn answered(
        &mut self,
        cx: &mut Cx<'_>,
        step: CodeStep,
        end: &IqEnd,
    ) -> Result<(), PairFailure> {
        let State::Open(open) = &mut self.0 else {
            return Ok(());
        };
        match (step, end) {
            (CodeStep::Hello, IqEnd::Result(answer)) => {
                open.reference = Some(reference(answer).ok_or(PairFailure::Malformed)?);
                cx.effect(Event::PairCode {
                    code: open.code.reveal(),
                    seconds: LIFETIME,
                });
            }
            (CodeStep::Finish, IqEnd::Result(_)) => open.until = after(cx, SUCCESS),
            (_, IqEnd::Error { code, .. }) => {
                return Err(PairFailure::CodeRefused { code: *code });
            }
            (_, IqEnd::Timeout) => return Err(PairFailure::CodeTimeout),
            // The end of the connection takes the code along.
            (_, IqEnd::Disconnected) => {}
        }
        Ok(())
    }

    /// The phone speaks, through the server: it has the code, or wants another one.
    pub(super) fn phone(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        device: &mut DeviceRecord,
        notification: &Node,
    ) -> Result<Option<(CodeStep, Node)>, PairFailure> {
        let State::Open(open) = &mut self.0 else {
            return Ok(None);
        };
        let Some(told) = notification.find("link_code_companion_reg") else {
            return Ok(None);
        };
        let hello = match told.text("stage").as_deref() {
            Some("primary_hello") => match open.hello(told) {
                Some(hello) => hello,
                None => return Ok(None),
            },
            Some("refresh_code") => {
                let (request, rounds) = (open.request.clone(), open.next_round()?);
                let hello = self.open(cx, device, request, rounds);
                return Ok(Some((CodeStep::Hello, hello)));
            }
            _ => return Ok(None),
        };
        open.rounds = open.next_round()?;
        let (ephemeral, identity) = (&hello.ephemeral, &hello.identity);
        let finish = seal::finish(
            cx.rng,
            &open.ephemeral,
            &device.identity,
            ephemeral,
            identity,
        )
        .ok_or(PairFailure::Malformed)?;
        device.adv_secret = finish.adv_secret;
        device.save(cx, slot);
        open.until = after(cx, SUCCESS);
        let bundle = registration("companion_finish", &open.request.number).children([
            Node::new("link_code_pairing_wrapped_key_bundle").bytes(finish.bundle),
            Node::new("companion_identity_public").bytes(device.identity.public.as_bytes()),
            Node::new("link_code_pairing_ref").bytes(hello.reference),
        ]);
        Ok(Some((CodeStep::Finish, order("set", bundle))))
    }

    /// Closes the code; whether there was one.
    pub(super) fn close(&mut self) -> bool {
        let open = matches!(self.0, State::Open(_));
        self.0 = State::None;
        open
    }
}

/// What the phone says when somebody typed the code.
struct Hello {
    reference: Vec<u8>,
    ephemeral: PublicKey,
    identity: PublicKey,
}

impl Open {
    /// `None` for what is not about this code, or does not decode.
    fn hello(&self, told: &Node) -> Option<Hello> {
        let part = |tag| told.find(tag).and_then(Node::payload);
        let reference = reference_in(told).filter(|told| Some(told) == self.reference.as_ref())?;
        let wrapped = part("link_code_pairing_wrapped_primary_ephemeral_pub")?;
        Some(Hello {
            reference,
            ephemeral: self.code.unwrap(wrapped)?,
            identity: PublicKey::from_raw(part("primary_identity_pub")?)?,
        })
    }

    const fn next_round(&self) -> Result<u8, PairFailure> {
        if self.rounds >= MOST_ROUNDS {
            return Err(PairFailure::CodeTimeout);
        }
        Ok(self.rounds + 1)
    }
}

fn reference(answer: &Node) -> Option<Vec<u8>> {
    reference_in(answer.find("link_code_companion_reg")?)
}

fn reference_in(registration: &Node) -> Option<Vec<u8>> {
    let bytes = registration.find("link_code_pairing_ref")?.payload()?;
    (1..=LONGEST_REF)
        .contains(&bytes.len())
        .then(|| bytes.to_vec())
}

fn registration(stage: &'static str, number: &PhoneNumber) -> Node {
    Node::new("link_code_companion_reg")
        .jid("jid", number.jid())
        .attr("stage", stage)
}

fn after(cx: &Cx<'_>, time: Millis) -> Mono {
    cx.now.mono.plus(time)
}
