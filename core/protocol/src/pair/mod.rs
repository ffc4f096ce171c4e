//! Linking by QR code, or by a code that the user types ([`code`]); the server may want a passkey
//! as well ([`passkey`]).
//!
//! ```text
//! <iq type="set"><pair-device><ref>…</ref>*6</pair-device></iq>      -> result; show the first ref
//!   60 s, each other 20 s: QR = URL # ref , noise , identity , adv secret , client type
//! <iq type="set"><pair-success> device-identity, device, platform, biz, client-props </…></iq>
//!   -> <iq type="result"><pair-device-sign><device-identity key-index/></pair-device-sign></iq>
//!   -> stream error 515: connect again and log in
//! ```
//!
//! Source: spec "Pairing". Everything that pairing tells becomes durable in the step that answers
//! it, so the phone never believes in a link that we do not have.

pub mod code;
pub mod passkey;
mod success;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::device::DeviceRecord;
use crate::effect::{Effect, Reconnect, Stanza};
use crate::error::Fault;
use crate::event::{Event, PairFailure};
use crate::jid::Jid;
use crate::secret::Secret;
use crate::stream::iq::IqEnd;
use crate::time::{Millis, Mono};
use crate::txn::{Cx, Scope};
use crate::wap::{self, Node};

use code::{CodePairing, CodeRequest, CodeStep};
use passkey::{PasskeyAnswer, PasskeyPairing, PasskeyStep};

/// How long the first code is shown, in seconds. The server forgets a ref after about that time.
const FIRST_CODE: u32 = 60;

/// How long each further code is shown, in seconds.
const NEXT_CODE: u32 = 20;

/// Codes that are taken from one offer; the server sends six.
const MOST_CODES: usize = 16;

/// Longest ref that is shown, in bytes; longer ones do not fit a readable QR code.
const LONGEST_REF: usize = 512;

const URL: &str = "https://wa.me/settings/linked_devices#";

/// The companion's kind in the QR code: Chrome, as in the registration payload.
const CLIENT_TYPE: &str = "1";

/// Pairing of one connection. Nothing here is durable: a new connection brings new codes.
#[derive(Debug, Default)]
pub struct Pairing {
    showing: Option<Showing>,
    /// The server has offered to pair on this connection.
    offered: bool,
    code: CodePairing,
    passkey: PasskeyPairing,
}

/// Which of our requests about a link the server answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Request {
    /// One of linking by a typed code.
    Code(CodeStep),
    /// One of the passkey step.
    Passkey(PasskeyStep),
}

/// What is to be done after something happened to a pairing.
#[derive(Debug)]
#[must_use]
pub enum Next {
    /// Ask the server this, and bring the end of it to [`Pairing::answered`].
    Ask(Request, Node),
    /// It failed and said so; the connection ends.
    GaveUp,
    /// Nothing.
    Wait,
}

struct Showing {
    code: String,
    until: Mono,
    rest: VecDeque<String>,
}

impl core::fmt::Debug for Showing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "Showing(until {:?}, {} more)",
            self.until,
            self.rest.len()
        )
    }
}

impl Pairing {
    /// Handles an IQ with `<pair-device>` or `<pair-success>` and answers it. Once linked, both are
    /// ignored.
    ///
    /// # Errors
    /// What the store says.
    pub fn handle(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        device: &mut DeviceRecord,
        iq: &Node,
    ) -> Result<Next, Fault> {
        if device.paired().is_some() {
            return Ok(Next::Wait);
        }
        if let Some(offer) = iq.find("pair-device") {
            return Ok(self.offered(cx, device, iq, offer));
        }
        if let Some(success) = iq.find("pair-success") {
            self.close();
            success::handle(cx, slot, device, iq, success)?;
        }
        Ok(Next::Wait)
    }

    fn offered(&mut self, cx: &mut Cx<'_>, device: &DeviceRecord, iq: &Node, offer: &Node) -> Next {
        transmit(cx, &reply(iq, "result"));
        let code = |node: &Node| {
            let bytes = node.payload().filter(|bytes| bytes.len() <= LONGEST_REF)?;
            core::str::from_utf8(bytes).ok().map(str::to_owned)
        };
        let mut codes: VecDeque<String> =
            offer.all("ref").filter_map(code).take(MOST_CODES).collect();
        let Some(code) = codes.pop_front() else {
            return self.give_up(cx, PairFailure::Malformed);
        };
        self.show(cx, device, code, codes, FIRST_CODE);
        self.offered = true;
        self.announce(cx, device)
    }

    /// The host wants a code to type. It is announced as soon as the server is ready to pair; an
    /// older one ends.
    pub fn want_code(
        &mut self,
        cx: &mut Cx<'_>,
        device: &DeviceRecord,
        request: CodeRequest,
    ) -> Next {
        self.code.want(request);
        if self.offered {
            return self.announce(cx, device);
        }
        Next::Wait
    }

    fn announce(&mut self, cx: &mut Cx<'_>, device: &DeviceRecord) -> Next {
        match self.code.begin(cx, device) {
            Some(hello) => Next::Ask(Request::Code(CodeStep::Hello), hello),
            None => Next::Wait,
        }
    }

    /// A request of [`Next::Ask`] ended.
    pub fn answered(
        &mut self,
        cx: &mut Cx<'_>,
        device: &DeviceRecord,
        request: Request,
        end: &IqEnd,
    ) -> Next {
        match request {
            Request::Code(step) => match self.code.answered(cx, step, end) {
                Ok(()) => Next::Wait,
                Err(reason) => self.give_up(cx, reason),
            },
            Request::Passkey(step) => {
                let asked = self.passkey.answered(cx, device, step, end);
                self.passkey_goes_on(cx, asked)
            }
        }
    }

    /// Handles a `link_code_companion_reg` notification: the phone has the code.
    pub fn phone(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        device: &mut DeviceRecord,
        notification: &Node,
    ) -> Next {
        if device.paired().is_some() {
            return Next::Wait;
        }
        match self.code.phone(cx, slot, device, notification) {
            Ok(Some((step, order))) => Next::Ask(Request::Code(step), order),
            Ok(None) => Next::Wait,
            Err(reason) => self.give_up(cx, reason),
        }
    }

    /// Handles a `passkey_prologue_request` or `crsc_continuation` notification. What was shown to
    /// scan or to type has served its purpose.
    pub fn passkey_told(
        &mut self,
        cx: &mut Cx<'_>,
        device: &DeviceRecord,
        notification: &Node,
    ) -> Next {
        if device.paired().is_some() || notification.address("from") != Some(Jid::whatsapp()) {
            return Next::Wait;
        }
        let asked = if notification.is("type", "crsc_continuation") {
            self.passkey.continued(cx, notification)
        } else {
            self.showing = None;
            self.code.close();
            self.passkey.wanted(cx, notification)
        };
        self.passkey_goes_on(cx, asked)
    }

    /// The account's owner has signed what [`Event::PasskeyRequest`] asks for.
    pub fn passkey_signed(&mut self, cx: &mut Cx<'_>, answer: PasskeyAnswer) -> Next {
        let asked = self.passkey.signed(cx, answer);
        self.passkey_goes_on(cx, Ok(asked))
    }

    /// The phone shows the code of [`Event::PasskeyCode`].
    pub fn passkey_confirmed(
        &mut self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        device: &mut DeviceRecord,
    ) -> Next {
        let asked = self.passkey.confirmed(cx, slot, device);
        self.passkey_goes_on(cx, asked)
    }

    fn passkey_goes_on(
        &mut self,
        cx: &mut Cx<'_>,
        asked: Result<Option<(PasskeyStep, Node)>, PairFailure>,
    ) -> Next {
        match asked {
            Ok(Some((step, order))) => Next::Ask(Request::Passkey(step), order),
            Ok(None) => Next::Wait,
            Err(reason) => self.give_up(cx, reason),
        }
    }

    fn show(
        &mut self,
        cx: &mut Cx<'_>,
        device: &DeviceRecord,
        code: String,
        rest: VecDeque<String>,
        seconds: u32,
    ) {
        let text = qr_text(device, &code);
        cx.effect(Event::PairQr { text, seconds });
        self.showing = Some(Showing {
            code,
            until: cx.now.mono.plus(Millis::from_secs(seconds.into())),
            rest,
        });
    }

    /// Shows the next code if the present one is over, or gives up after the last.
    pub fn tick(&mut self, cx: &mut Cx<'_>, device: &DeviceRecord) -> Next {
        let over = |until: Option<Mono>| until.is_some_and(|until| until <= cx.now.mono);
        if over(self.code.deadline()) {
            return self.give_up(cx, PairFailure::CodeTimeout);
        }
        if over(self.passkey.deadline()) {
            return self.give_up(cx, PairFailure::PasskeyTimeout);
        }
        let over = |showing: &mut Showing| showing.until <= cx.now.mono;
        let Some(mut showing) = self.showing.take_if(over) else {
            return Next::Wait;
        };
        match showing.rest.pop_front() {
            Some(code) => self.show(cx, device, code, showing.rest, NEXT_CODE),
            // Somebody may be typing.
            None if self.code.is_open() => {}
            None => return self.give_up(cx, PairFailure::QrTimeout),
        }
        Next::Wait
    }

    /// Handles a `companion_reg_refresh` notification: a new secret, and the code that carries it.
    pub fn refresh(
        &self,
        cx: &mut Cx<'_>,
        slot: &Scope,
        device: &mut DeviceRecord,
        notification: &Node,
    ) {
        let asked = |tag| notification.find(tag).is_some();
        // A new secret would not be the one that the phone agrees on by a typed code.
        if device.paired().is_some()
            || self.code.is_open()
            || self.passkey.is_open()
            || !(asked("companion_reg_refresh") || asked("pair-device-rotate-qr"))
        {
            return;
        }
        device.adv_secret = Secret::random(cx.rng);
        device.save(cx, slot);
        if let Some(showing) = &self.showing {
            let text = qr_text(device, &showing.code);
            let left = showing.until.since(cx.now.mono).0.div_ceil(1000);
            let seconds = u32::try_from(left).unwrap_or(NEXT_CODE);
            cx.effect(Event::PairQr { text, seconds });
        }
    }

    /// The connection ended: its codes are worthless.
    pub fn connection_lost(&mut self, cx: &mut Cx<'_>) {
        self.offered = false;
        if self.close() {
            let reason = PairFailure::ConnectionLost;
            cx.effect(Event::PairFailed { reason });
        }
    }

    /// When [`Pairing::tick`] has something to do.
    pub fn deadline(&self) -> Option<Mono> {
        let showing = self.showing.as_ref().map(|showing| showing.until);
        let until = [showing, self.code.deadline(), self.passkey.deadline()];
        until.into_iter().flatten().min()
    }

    fn give_up(&mut self, cx: &mut Cx<'_>, reason: PairFailure) -> Next {
        self.close();
        fail(cx, reason);
        Next::GaveUp
    }

    /// Nothing is shown or open any more; whether somebody was busy with a code or a passkey.
    fn close(&mut self) -> bool {
        self.showing = None;
        let passkey = self.passkey.close();
        self.code.close() || passkey
    }
}

/// The text of the QR code. Four fields without the client type are refused since May 2026.
fn qr_text(device: &DeviceRecord, code: &str) -> String {
    let noise = STANDARD.encode(device.noise.public.as_bytes());
    let identity = STANDARD.encode(device.identity.public.as_bytes());
    let secret = STANDARD.encode(device.adv_secret.expose());
    format!("{URL}{code},{noise},{identity},{secret},{CLIENT_TYPE}")
}

fn reply(iq: &Node, kind: &'static str) -> Node {
    Node::new("iq")
        .attr("type", kind)
        .jid("to", Jid::whatsapp())
        .maybe("id", iq.text("id").map(|id| id.into_owned()))
}

fn order(kind: &'static str, child: Node) -> Node {
    Node::new("iq")
        .attr("xmlns", "md")
        .attr("type", kind)
        .jid("to", Jid::whatsapp())
        .child(child)
}

fn transmit(cx: &mut Cx<'_>, node: &Node) {
    cx.effect(Stanza(wap::encode(node)));
}

fn fail(cx: &mut Cx<'_>, reason: PairFailure) {
    cx.effect(Event::PairFailed { reason });
    cx.effect(Effect::Disconnect(Reconnect::Stop));
}
