//! Linking by QR code, or by a code that the user types ([`code`]).
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
mod success;

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
}

/// What is to be done after something happened to a pairing.
#[derive(Debug)]
#[must_use]
pub enum Next {
    /// Ask the server this, and bring the end of it to [`Pairing::answered`].
    Ask(CodeStep, Node),
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
            self.showing = None;
            self.code.close();
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
            Some(hello) => Next::Ask(CodeStep::Hello, hello),
            None => Next::Wait,
        }
    }

    /// A request of [`Next::Ask`] ended.
    pub fn answered(&mut self, cx: &mut Cx<'_>, step: CodeStep, end: &IqEnd) -> Next {
        match self.code.answered(cx, step, end) {
            Ok(()) => Next::Wait,
            Err(reason) => self.give_up(cx, reason),
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
            Ok(Some((step, order))) => Next::Ask(step, order),
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
        if self.code.expired(cx) {
            return self.give_up(cx, PairFailure::CodeTimeout);
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
        self.showing = None;
        self.offered = false;
        if self.code.close() {
            let reason = PairFailure::ConnectionLost;
            cx.effect(Event::PairFailed { reason });
        }
    }

    /// When [`Pairing::tick`] has something to do.
    pub fn deadline(&self) -> Option<Mono> {
        let showing = self.showing.as_ref().map(|showing| showing.until);
        showing.into_iter().chain(self.code.deadline()).min()
    }

    fn give_up(&mut self, cx: &mut Cx<'_>, reason: PairFailure) -> Next {
        self.showing = None;
        self.code.close();
        fail(cx, reason);
        Next::GaveUp
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

fn transmit(cx: &mut Cx<'_>, node: &Node) {
    cx.effect(Stanza(wap::encode(node)));
}

fn fail(cx: &mut Cx<'_>, reason: PairFailure) {
    cx.effect(Event::PairFailed { reason });
    cx.effect(Effect::Disconnect(Reconnect::Stop));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Bench;

    fn device(bench: &mut Bench) -> DeviceRecord {
        let slot = bench.slot.clone();
        bench.run(|cx| DeviceRecord::load_or_create(cx, &slot))
    }

    fn offer(refs: &[&str]) -> Node {
        let refs = refs.iter().map(|text| Node::new("ref").bytes(*text));
        Node::new("iq")
            .attr("type", "set")
            .attr("id", "X")
            .jid("from", Jid::whatsapp())
            .child(Node::new("pair-device").children(refs))
    }

    fn handle(
        bench: &mut Bench,
        pairing: &mut Pairing,
        device: &mut DeviceRecord,
        iq: &Node,
    ) -> Vec<Effect> {
        let slot = bench.slot.clone();
        bench
            .step(|cx| pairing.handle(cx, &slot, device, iq).map(drop))
            .1
    }

    fn tick(bench: &mut Bench, pairing: &mut Pairing, device: &DeviceRecord) -> Vec<Effect> {
        let tick = |cx: &mut Cx<'_>| {
            let _ = pairing.tick(cx, device);
            Ok(())
        };
        bench.step(tick).1
    }

    fn sent(effect: &Effect) -> Node {
        match effect {
            Effect::Transmit(stanza) => wap::decode(&stanza.0).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn qr(effect: &Effect) -> (&str, u32) {
        match effect {
            Effect::Event(Event::PairQr { text, seconds }) => (text, *seconds),
            other => panic!("{other:?}"),
        }
    }

    fn gave_up(reason: PairFailure) -> [Effect; 2] {
        [
            Event::PairFailed { reason }.into(),
            Effect::Disconnect(Reconnect::Stop),
        ]
    }

    #[test]
    fn an_offer_is_answered_and_its_first_code_shown_with_five_fields() {
        let mut bench = Bench::new(1);
        let (mut device, mut pairing) = (device(&mut bench), Pairing::default());
        let effects = handle(&mut bench, &mut pairing, &mut device, &offer(&["r1", "r2"]));
        assert_eq!(effects.len(), 2);
        let reply = sent(&effects[0]);
        assert!(reply.is("type", "result") && reply.is("id", "X"));
        assert_eq!(reply.address("to"), Some(Jid::whatsapp()));
        let (text, seconds) = qr(&effects[1]);
        let fields: Vec<&str> = text.strip_prefix(URL).unwrap().split(',').collect();
        assert_eq!(
            (fields.len(), fields[0], fields[4], seconds),
            (5, "r1", "1", 60)
        );
        for (field, key) in [
            (fields[1], device.noise.public.as_bytes()),
            (fields[2], device.identity.public.as_bytes()),
            (fields[3], device.adv_secret.expose()),
        ] {
            assert_eq!(STANDARD.decode(field).unwrap(), key);
        }
    }

    #[test]
    fn codes_follow_each_other_and_the_last_one_ends_the_connection() {
        let mut bench = Bench::new(1);
        let (mut device, mut pairing) = (device(&mut bench), Pairing::default());
        let start = bench.now.mono;
        handle(&mut bench, &mut pairing, &mut device, &offer(&["r1", "r2"]));
        assert_eq!(pairing.deadline(), Some(start.plus(Millis(60_000))));
        bench.now.mono = start.plus(Millis(59_999));
        assert_eq!(tick(&mut bench, &mut pairing, &device), []);
        bench.now.mono = start.plus(Millis(60_000));
        let effects = tick(&mut bench, &mut pairing, &device);
        let (text, seconds) = qr(&effects[0]);
        assert!(text.starts_with(&format!("{URL}r2,")));
        assert_eq!(seconds, 20);
        bench.now.mono = start.plus(Millis(80_000));
        let effects = tick(&mut bench, &mut pairing, &device);
        assert_eq!(effects, gave_up(PairFailure::QrTimeout));
        assert_eq!(pairing.deadline(), None);
    }

    #[test]
    fn an_offer_without_codes_fails() {
        let mut bench = Bench::new(1);
        let (mut device, mut pairing) = (device(&mut bench), Pairing::default());
        let effects = handle(&mut bench, &mut pairing, &mut device, &offer(&[]));
        assert_eq!(effects[1..], gave_up(PairFailure::Malformed));
    }

    #[test]
    fn a_refresh_renders_the_code_with_a_new_durable_secret() {
        let mut bench = Bench::new(1);
        let (mut device, mut pairing) = (device(&mut bench), Pairing::default());
        let first = handle(&mut bench, &mut pairing, &mut device, &offer(&["r1"]));
        bench.now.mono = bench.now.mono.plus(Millis(15_500));
        let slot = bench.slot.clone();
        let mut refresh = |child: &'static str| {
            let node = Node::new("notification").child(Node::new(child));
            let body = |cx: &mut Cx<'_>| {
                pairing.refresh(cx, &slot, &mut device, &node);
                Ok(DeviceRecord::load(&cx.txn, &slot)?.unwrap().adv_secret)
            };
            bench.step(body)
        };
        let (stored, effects) = refresh("pair-device-rotate-qr");
        let (text, seconds) = qr(&effects[0]);
        assert_ne!(text, qr(&first[1]).0);
        assert!(text.contains(&STANDARD.encode(stored.expose())));
        assert_eq!(seconds, 45);
        assert_eq!(refresh("something else").1, []);
    }

    #[test]
    fn a_lost_connection_takes_its_codes_along() {
        let mut bench = Bench::new(1);
        let (mut device, mut pairing) = (device(&mut bench), Pairing::default());
        handle(&mut bench, &mut pairing, &mut device, &offer(&["r1"]));
        let lost = |cx: &mut Cx<'_>| {
            pairing.connection_lost(cx);
            Ok(())
        };
        assert_eq!(bench.step(lost).1, []);
        assert_eq!(pairing.deadline(), None);
    }
}
