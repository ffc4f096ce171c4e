use super::*;
use crate::effect::{Effect, Reconnect};
use crate::pair::{Next, Pairing, Request};
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
        let request = Request::Code(step);
        self.run(|pairing, cx, _, device| Ok(pairing.answered(cx, device, request, end)))
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
        Next::Ask(Request::Code(asked), node) if asked == step => node,
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
    let (next, effects) = desk.answer(
        CodeStep::Hello,
        &IqEnd::Error {
            code: 429,
            backoff: None,
        },
    );
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
