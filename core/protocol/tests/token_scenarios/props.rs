//! What the server's numbers decide, from the wire to the message.

use sendpath_protocol::abprops::{Props, PropsRecord, WAIT};
use sendpath_protocol::nct::NoCstoken;
use sendpath_protocol::tctoken::Attach;
use sendpath_protocol::tctoken::policy::{Freshness, TokenProps};
use sendpath_protocol::time::Mono;
use sendpath_protocol::txn::{Key, Namespace, Record};
use sendpath_protocol::verdict::WhyNot;
use sendpath_protocol::wap::Node;

use crate::world::*;

/// Between the cutoffs of 4 and 26 buckets.
const BETWEEN: i64 = 1_775_000_000;

#[test]
fn scenario_04_unknown_props_are_asked_for_before_a_doubtful_token() {
    for (reply, attached) in [(Some("26"), true), (Some("4"), false), (None, true)] {
        let (mut world, mut props) = fresh();
        world.give("x", BETWEEN);
        assert!(
            matches!(
                world.attach(),
                Attach::Tctoken {
                    freshness: Freshness::Ambiguous,
                    ..
                }
            ),
            "worth a wait"
        );
        assert!(props.want(Mono(world.mono)).is_some());
        match reply {
            Some(count) => answer(&mut world, &mut props, &set(&[(909, count)])),
            None => {
                world.pass(i64::try_from(WAIT.0 / 1_000).unwrap());
                assert!(props.is_asking(), "the answer may still come");
            }
        }
        world.tokens.set_props(props.tokens());
        assert_eq!(world.attached().is_some(), attached, "{reply:?}");
    }
}

#[test]
fn scenario_04_a_failed_fetch_is_not_waited_for_again() {
    let (mut world, mut props) = fresh();
    world.give("x", BETWEEN);
    assert!(props.want(Mono(world.mono)).is_some());
    end(&mut world, &mut props, None);
    world.tokens.set_props(props.tokens());
    assert_eq!(props.want(Mono(world.mono)), None);
    assert!(world.attached().is_some());
}

#[test]
fn a_withheld_token_is_kept_for_the_day_the_server_wants_it_again() {
    let mut world = World::new();
    world.give("x", NOW);
    world.tokens.withhold(true);
    let withheld = Attach::Nothing {
        token: WhyNot::GateOff,
        cstoken: NoCstoken::NoSalt,
    };
    assert_eq!(world.attach(), withheld);
    world.set_salt(&[7; 32]);
    assert!(matches!(
        world.attach(),
        Attach::Cstoken {
            instead_of: WhyNot::GateOff,
            ..
        }
    ));
    world.tokens.withhold(false);
    assert_eq!(world.attached(), Some(b"x".to_vec()));
}

#[test]
fn scenario_06_the_first_message_after_a_restart_knows_the_window() {
    let (mut world, mut props) = fresh();
    world.give("x", BETWEEN);
    fetch(&mut world, &mut props, &set(&[(909, "26")]));
    let restarted = load(&mut world);
    world.restart(own(12), restarted.tokens());
    assert!(matches!(
        world.attach(),
        Attach::Tctoken {
            freshness: Freshness::Fresh,
            ..
        }
    ));
}

#[test]
fn scenario_07_odd_values_never_divide_by_zero() {
    for (values, span, count) in [
        (&[(865, "0")][..], 604_800, 4),
        (&[(909, "0")], 604_800, 1),
        (&[(865, "20000000")], 15_552_000, 4),
        (&[(909, "x")], 604_800, 4),
        (&[(865, "-1"), (909, "-1")], 604_800, 1),
        (&[(865, ""), (909, "99999999999999")], 604_800, 65_535),
    ] {
        let (mut world, mut props) = fresh();
        fetch(&mut world, &mut props, &set(values));
        let window = props.tokens().receive.unwrap();
        let numbers = (window.span.seconds(), window.count.get());
        assert_eq!(numbers, (span, count), "{values:?}");
        world.give("x", NOW);
        world.tokens.set_props(props.tokens());
        assert!(world.attached().is_some(), "{values:?}");
    }
}

#[test]
fn scenario_08_a_delta_changes_what_it_names_and_no_props_change_nothing() {
    let (mut world, mut props) = fresh();
    fetch(
        &mut world,
        &mut props,
        &set(&[(909, "26"), (14303, "1"), (24941, "1")]),
    );
    let delta = set(&[(14303, "0")]).attr("delta_update", "true");
    fetch(&mut world, &mut props, &delta);
    let expected = TokenProps {
        receive: Some(window(26)),
        issue_to_lid: Some(false),
        ..known_props()
    };
    assert_eq!(props.tokens(), expected);
    let row = stored(&world);
    assert!(props.want(Mono(world.mono)).is_some());
    end(&mut world, &mut props, Some(&Node::new("iq")));
    assert_eq!((props.tokens(), stored(&world)), (expected, row));
    assert_eq!(load(&mut world).tokens(), expected);
}

#[test]
fn scenario_09_a_hash_without_its_values_is_not_sent() {
    let (mut world, mut props) = fresh();
    fetch(&mut world, &mut props, &set(&[(909, "26")]));
    assert_eq!(hash_asked(&mut world).as_deref(), Some("h1"));
    let key = Key::new(&world.scope(), Namespace::Props, "props");
    let row = world.raw(&key).unwrap();
    let mut record = PropsRecord::from_row(&row).unwrap();
    record.values.clear();
    assert_eq!(record.hash.as_deref(), Some("h1"));
    world.put_row(key, record.to_row());
    assert_eq!(hash_asked(&mut world), None);
}

/// A world in which nobody ever told props.
fn fresh() -> (World, Props) {
    let mut world = World::new();
    let props = load(&mut world);
    assert!(!props.known());
    world.restart(own(12), props.tokens());
    (world, props)
}

fn load(world: &mut World) -> Props {
    let scope = world.scope();
    world.step(|_, cx| Props::load(&cx.txn, &scope)).unwrap()
}

fn set(values: &[(u32, &'static str)]) -> Node {
    let values = values.iter().map(|(code, value)| {
        Node::new("prop")
            .num("config_code", code)
            .attr("config_value", *value)
    });
    Node::new("props")
        .attr("protocol", "1")
        .attr("hash", "h1")
        .children(values)
}

fn fetch(world: &mut World, props: &mut Props, set: &Node) {
    assert!(props.want(Mono(world.mono)).is_some());
    answer(world, props, set);
}

fn answer(world: &mut World, props: &mut Props, set: &Node) {
    end(
        world,
        props,
        Some(&Node::new("iq").attr("type", "result").child(set.clone())),
    );
}

fn end(world: &mut World, props: &mut Props, answer: Option<&Node>) {
    let now = world.clock();
    world.step(|_, cx| props.answered(cx, answer, now));
}

fn stored(world: &World) -> Option<Vec<u8>> {
    world.raw(&Key::new(&world.scope(), Namespace::Props, "props"))
}

/// The hash that a restarted process asks with.
fn hash_asked(world: &mut World) -> Option<String> {
    let mut props = load(world);
    let iq = props.want(Mono(world.mono)).unwrap();
    Some(iq.nodes()[0].text("hash")?.into_owned())
}
