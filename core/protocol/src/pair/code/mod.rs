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

use crate::crypto::curve::{KeyPair, PublicKey};
use crate::device::DeviceRecord;
use crate::event::{Event, PairFailure};
use crate::jid::Jid;
use crate::stream::iq::IqEnd;
use crate::time::{Millis, Mono};
use crate::txn::{Cx, Scope};
use crate::wap::Node;

use super::CLIENT_TYPE;

pub use seal::PairCode;

/// How long a code may be typed, in seconds.
const LIFETIME: u32 = 180;

/// How long the server may take to link us after the phone agreed.
const SUCCESS: Millis = Millis::from_secs(60);

/// How often the phone may say hello, or ask for a new code, for one request.
const MOST_ROUNDS: u8 = 3;

/// What the phone shows for us. The server knows this form and refuses free text.
const DISPLAY: &str = "Chrome (Linux)";

/// Longest reference that is kept, in bytes.
const LONGEST_REF: usize = 512;

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
        order(hello)
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
            (_, IqEnd::Error { code }) => {
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
        Ok(Some((CodeStep::Finish, order(bundle))))
    }

    /// Whether the time of the code is over now.
    pub(super) fn expired(&self, cx: &Cx<'_>) -> bool {
        self.deadline().is_some_and(|until| until <= cx.now.mono)
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

fn order(child: Node) -> Node {
    Node::new("iq")
        .attr("xmlns", "md")
        .attr("type", "set")
        .jid("to", Jid::whatsapp())
        .child(child)
}

fn after(cx: &Cx<'_>, time: Millis) -> Mono {
    cx.now.mono.plus(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{Effect, Reconnect};
    use crate::pair::{Next, Pairing};
    use crate::testkit::{Bench, any_node};

    /// A pairing whose server is ready, and what its effects were.
    struct Desk {
        bench: Bench,
        device: DeviceRecord,
        pairing: Pairing,
    }

    impl Desk {
        fn ready() -> Self {
            let mut bench = Bench::new(1);
            let slot = bench.slot.clone();
            let device = bench.run(|cx| DeviceRecord::load_or_create(cx, &slot));
            let pairing = Pairing::default();
            let mut desk = Self {
                bench,
                device,
                pairing,
            };
            let offer = Node::new("pair-device").child(Node::new("ref").bytes("r1"));
            let iq = Node::new("iq").attr("id", "X").child(offer);
            let next = desk.run(|pairing, cx, slot, device| pairing.handle(cx, slot, device, &iq));
            assert!(matches!(next.0, Next::Wait));
            desk
        }

        fn run(
            &mut self,
            body: impl FnOnce(
                &mut Pairing,
                &mut Cx<'_>,
                &Scope,
                &mut DeviceRecord,
            ) -> Result<Next, crate::error::Fault>,
        ) -> (Next, Vec<Effect>) {
            let (slot, pairing, device) =
                (self.bench.slot.clone(), &mut self.pairing, &mut self.device);
            self.bench.step(|cx| body(pairing, cx, &slot, device))
        }

        fn want(&mut self) -> Node {
            let request = CodeRequest {
                number: PhoneNumber::parse("+49 155 510").unwrap(),
                code: PairCode::parse("N7AX6ETJ"),
            };
            let (next, _) =
                self.run(|pairing, cx, _, device| Ok(pairing.want_code(cx, device, request)));
            asked(next, CodeStep::Hello)
        }

        /// The server opened the code under the reference `R`.
        fn opened() -> Self {
            let mut desk = Self::ready();
            desk.want();
            let (_, effects) = desk.answer(CodeStep::Hello, &named("R"));
            let code = "N7AX-6ETJ".to_owned();
            assert_eq!(effects, [Event::PairCode { code, seconds: 180 }.into()]);
            desk
        }

        fn answer(&mut self, step: CodeStep, end: &IqEnd) -> (Next, Vec<Effect>) {
            self.run(|pairing, cx, _, _| Ok(pairing.answered(cx, step, end)))
        }

        fn told(&mut self, told: &Node) -> (Next, Vec<Effect>) {
            let node = Node::new("notification").child(told.clone());
            self.run(|pairing, cx, slot, device| Ok(pairing.phone(cx, slot, device, &node)))
        }

        fn tick(&mut self, seconds: u64) -> (Next, Vec<Effect>) {
            self.bench.now.mono = self.bench.now.mono.plus(Millis::from_secs(seconds));
            self.run(|pairing, cx, _, device| Ok(pairing.tick(cx, device)))
        }
    }

    fn asked(next: Next, step: CodeStep) -> Node {
        match next {
            Next::Ask(asked, node) if asked == step => node,
            other => panic!("{other:?}"),
        }
    }

    fn named(reference: &'static str) -> IqEnd {
        let reference = Node::new("link_code_pairing_ref").bytes(reference);
        let told = Node::new("link_code_companion_reg").child(reference);
        IqEnd::Result(Node::new("iq").child(told))
    }

    fn hello(reference: &'static str, wrapped: impl Into<Vec<u8>>) -> Node {
        Node::new("link_code_companion_reg")
            .attr("stage", "primary_hello")
            .children([
                Node::new("link_code_pairing_ref").bytes(reference),
                Node::new("link_code_pairing_wrapped_primary_ephemeral_pub").bytes(wrapped),
                Node::new("primary_identity_pub").bytes([9; 32]),
            ])
    }

    fn gave_up(reason: PairFailure) -> [Effect; 2] {
        [
            Event::PairFailed { reason }.into(),
            Effect::Disconnect(Reconnect::Stop),
        ]
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for good in ["+49 (155) 510-00", "4915551000", " 4915551.000"] {
            assert!(PhoneNumber::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "123456",
            "0155510000",
            "49155x1000",
            "1234567890123456",
            "++491555100",
        ] {
            assert_eq!(PhoneNumber::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_code_wanted_before_the_server_is_ready_is_announced_then() {
        let mut desk = Desk::ready();
        desk.pairing = Pairing::default();
        let request = CodeRequest {
            number: PhoneNumber::parse("4915551000").unwrap(),
            code: None,
        };
        let next = desk.run(|pairing, cx, _, device| Ok(pairing.want_code(cx, device, request)));
        assert!(matches!(next.0, Next::Wait));
        let offer = Node::new("pair-device").child(Node::new("ref").bytes("r1"));
        let iq = Node::new("iq").child(offer);
        let (next, _) = desk.run(|pairing, cx, slot, device| pairing.handle(cx, slot, device, &iq));
        let told = asked(next, CodeStep::Hello);
        let told = told.find("link_code_companion_reg").unwrap();
        assert_eq!(told.address("jid"), Some(Jid::pn("4915551000")));
        let part = |tag| told.find(tag).unwrap().payload().unwrap().len();
        assert_eq!(
            part("link_code_pairing_wrapped_companion_ephemeral_pub"),
            80
        );
        assert_eq!(part("companion_server_auth_key_pub"), 32);
    }

    #[test]
    fn the_phones_hello_is_answered_after_the_secret_is_durable() {
        let mut desk = Desk::opened();
        let before = desk.device.adv_secret.clone();
        let (next, _) = desk.told(&hello("R", [7; 80]));
        let finish = asked(next, CodeStep::Finish);
        let finish = finish.find("link_code_companion_reg").unwrap();
        let bundle = finish.find("link_code_pairing_wrapped_key_bundle").unwrap();
        assert_eq!(bundle.payload().unwrap().len(), 156);
        assert_ne!(desk.device.adv_secret, before);
        let slot = desk.bench.slot.clone();
        let stored = desk.bench.run(|cx| Ok(DeviceRecord::load(&cx.txn, &slot)?));
        assert_eq!(stored.unwrap().adv_secret, desk.device.adv_secret);
    }

    #[test]
    fn what_is_not_about_this_code_changes_nothing() {
        let mut desk = Desk::opened();
        let before = desk.device.clone();
        for told in [
            hello("another", [7; 80]),
            hello("R", [7; 79]),
            hello("R", Vec::new()),
            Node::new("link_code_companion_reg").attr("stage", "companion_hello"),
        ] {
            let (next, effects) = desk.told(&told);
            assert!(matches!(next, Next::Wait) && effects.is_empty());
        }
        assert_eq!(desk.device, before);
    }

    #[test]
    fn the_phone_may_say_hello_three_times() {
        let mut desk = Desk::opened();
        for _ in 0..3 {
            let before = desk.device.adv_secret.clone();
            asked(desk.told(&hello("R", [7; 80])).0, CodeStep::Finish);
            assert_ne!(desk.device.adv_secret, before);
        }
        let (_, effects) = desk.told(&hello("R", [7; 80]));
        assert_eq!(effects, gave_up(PairFailure::CodeTimeout));
    }

    #[test]
    fn a_refresh_starts_over_and_keeps_the_hosts_code() {
        let mut desk = Desk::opened();
        let refresh = Node::new("link_code_companion_reg").attr("stage", "refresh_code");
        asked(desk.told(&refresh).0, CodeStep::Hello);
        assert!(matches!(desk.told(&hello("R", [7; 80])).0, Next::Wait));
        let (_, effects) = desk.answer(CodeStep::Hello, &named("S"));
        let code = "N7AX-6ETJ".to_owned();
        assert_eq!(effects, [Event::PairCode { code, seconds: 180 }.into()]);
        asked(desk.told(&hello("S", [7; 80])).0, CodeStep::Finish);
    }

    #[test]
    fn the_code_outlives_the_qr_codes_and_ends_after_its_own_time() {
        let mut desk = Desk::opened();
        assert_eq!(desk.tick(61).1, []);
        assert_eq!(desk.tick(118).1, []);
        assert_eq!(desk.tick(1).1, gave_up(PairFailure::CodeTimeout));
        assert_eq!(desk.pairing.deadline(), None);
    }

    #[test]
    fn after_our_bundle_the_server_has_a_minute() {
        let mut desk = Desk::opened();
        assert_eq!(desk.tick(179).1, []);
        asked(desk.told(&hello("R", [7; 80])).0, CodeStep::Finish);
        let answer = IqEnd::Result(Node::new("iq"));
        assert_eq!(desk.answer(CodeStep::Finish, &answer).1, []);
        assert_eq!(desk.tick(59).1, []);
        assert_eq!(desk.tick(1).1, gave_up(PairFailure::CodeTimeout));
    }

    #[test]
    fn a_refusal_tells_the_servers_number() {
        let mut desk = Desk::ready();
        desk.want();
        let (next, effects) = desk.answer(CodeStep::Hello, &IqEnd::Error { code: 429 });
        assert!(matches!(next, Next::GaveUp));
        assert_eq!(effects, gave_up(PairFailure::CodeRefused { code: 429 }));
        assert!(matches!(desk.told(&hello("R", [7; 80])).0, Next::Wait));
    }

    #[test]
    fn an_open_code_keeps_the_secret_and_ends_with_the_connection() {
        let mut desk = Desk::opened();
        let before = desk.device.clone();
        let rotate = Node::new("notification").child(Node::new("pair-device-rotate-qr"));
        let (_, effects) = desk.run(|pairing, cx, slot, device| {
            pairing.refresh(cx, slot, device, &rotate);
            Ok(Next::Wait)
        });
        assert_eq!(effects, []);
        assert_eq!(desk.device, before);
        let (_, effects) = desk.run(|pairing, cx, _, _| {
            pairing.connection_lost(cx);
            Ok(Next::Wait)
        });
        let reason = PairFailure::ConnectionLost;
        assert_eq!(effects, [Event::PairFailed { reason }.into()]);
    }

    #[test]
    fn no_notification_panics() {
        // One desk for all: opening a code costs a hundred thousand hashes.
        let desk = core::cell::RefCell::new(Desk::opened());
        let mut runner = proptest::test_runner::TestRunner::default();
        let told = runner.run(&any_node(), |node| {
            let hello = Node::new("link_code_companion_reg").attr("stage", "primary_hello");
            for told in [hello.child(node.clone()), node] {
                let (next, _) = desk.borrow_mut().told(&told);
                proptest::prop_assert!(matches!(next, Next::Wait));
            }
            Ok(())
        });
        told.unwrap();
    }
}
