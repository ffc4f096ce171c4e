//! Codes to scan.

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
