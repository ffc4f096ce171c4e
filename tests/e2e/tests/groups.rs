//! Messages to groups and from them: keys, members that come and go, stale views, retries.

use std::collections::BTreeMap;

use sendpath_e2e::{ALICE, BOB, CAROL, OWN, Person, World, outcome};
use sendpath_engine::SendOptions;
use sendpath_model_server::{AckMode, Command, Condition, DropWhen, Gate, NodeJson, Received};
use sendpath_protocol::event::{Event, IncomingMessage};
use sendpath_protocol::verdict::{Cause, Outcome};

const GROUP: &str = "120363001@g.us";

/// A linked account and a group with Alice (two devices) and Bob.
fn world(lid: bool) -> World {
    let world = World::linked();
    world.add_with_devices(ALICE, Gate::Open, 2);
    world.add(BOB, Gate::Open);
    world.order(Command::AddGroup {
        group: "120363001".into(),
        members: vec![ALICE.0.into(), BOB.0.into()],
        account: None,
        lid,
    });
    world
}

fn send(world: &World, text: &str) {
    let sent = world.send(GROUP, text);
    assert!(matches!(sent, Outcome::Accepted { .. }), "{sent:?}");
}

/// What a person's devices got of one message: kind and text, by device.
fn got(world: &World, person: Person, text: &str) -> BTreeMap<u16, Vec<String>> {
    let all = world.received(person.0);
    let ids: Vec<&str> = all
        .iter()
        .filter(|message| message.text.as_deref() == Some(text))
        .map(|message| &*message.id)
        .collect();
    let mut got: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for message in all.iter().filter(|message| ids.contains(&&*message.id)) {
        assert_eq!(message.error, None);
        got.entry(message.device)
            .or_default()
            .push(message.kind.clone());
    }
    got
}

fn kinds(kinds: &[&str]) -> Vec<String> {
    kinds.iter().map(|kind| (*kind).into()).collect()
}

fn texts(messages: &[Received]) -> Vec<&str> {
    messages
        .iter()
        .filter_map(|message| message.text.as_deref())
        .collect()
}

fn messages(world: &World) -> Vec<NodeJson> {
    let heard = world.heard().into_iter();
    heard.filter(|node| node.tag == "message").collect()
}

fn change(world: &World, person: Person, joins: bool, announce: bool) {
    let (group, peer) = (GROUP.into(), person.0.into());
    world.order(match joins {
        true => Command::GroupJoin {
            group,
            peer,
            announce,
        },
        false => Command::GroupLeave {
            group,
            peer,
            announce,
        },
    });
    if announce {
        world.wait_for(Condition::Answered { account: None });
    }
}

fn incoming(world: &World) -> IncomingMessage {
    world.event(|event| match event {
        Event::Message(message) => Some((**message).clone()),
        _ => None,
    })
}

#[test]
fn a_first_message_brings_the_key_and_later_ones_only_the_message() {
    for lid in [true, false] {
        let world = world(lid);
        send(&world, "one");
        let with_key = kinds(&["pkmsg", "skmsg"]);
        let alice = got(&world, ALICE, "one");
        assert_eq!(alice.len(), 2, "every device: {alice:?}");
        assert!(alice.values().all(|kinds| *kinds == with_key), "{alice:?}");
        assert_eq!(got(&world, BOB, "one")[&0], with_key);
        let before = world.questions();
        send(&world, "two");
        send(&world, "three");
        assert_eq!(world.questions(), before, "all is known");
        for text in ["two", "three"] {
            let alice = got(&world, ALICE, text);
            assert_eq!(alice.len(), 2);
            assert!(
                alice.values().all(|all| *all == kinds(&["skmsg"])),
                "{alice:?}"
            );
        }
        assert_eq!(texts(&world.received(OWN.0)), ["one", "two", "three"]);
        assert!(
            messages(&world)
                .iter()
                .all(|node| node.attrs.contains_key("phash"))
        );
        world.no_violations();
    }
}

#[test]
fn a_member_who_comes_gets_the_key_and_nobody_else_does() {
    let world = world(true);
    world.add_with_devices(CAROL, Gate::Open, 2);
    send(&world, "one");
    change(&world, CAROL, true, true);
    send(&world, "two");
    let carol = got(&world, CAROL, "two");
    assert_eq!(carol.len(), 2);
    assert!(
        carol.values().all(|all| *all == kinds(&["pkmsg", "skmsg"])),
        "{carol:?}"
    );
    assert_eq!(got(&world, BOB, "two")[&0], kinds(&["skmsg"]));
    assert_eq!(
        world.asked("w:g2/query"),
        1,
        "the notification tells enough"
    );
    world.no_violations();
}

#[test]
fn a_member_who_goes_makes_the_key_change() {
    let world = world(true);
    send(&world, "one");
    change(&world, BOB, false, true);
    send(&world, "two");
    assert_eq!(texts(&world.received(BOB.0)), ["one"]);
    let alice = got(&world, ALICE, "two");
    assert!(
        alice.values().all(|all| all.len() == 2),
        "a new key: {alice:?}"
    );
    world.no_violations();
}

#[test]
fn a_departure_that_nobody_announced_is_seen_in_the_hash_of_the_ack() {
    let world = world(true);
    send(&world, "one");
    change(&world, BOB, false, false);
    send(&world, "two");
    send(&world, "three");
    let alice = got(&world, ALICE, "three");
    assert!(
        alice.values().all(|all| all.len() == 2),
        "a new key: {alice:?}"
    );
    assert_eq!(world.asked("w:g2/query"), 2);
    let before = world.questions();
    send(&world, "four");
    assert_eq!(world.questions(), before, "the hashes agree again");
    world.no_violations();
}

#[test]
fn a_new_device_of_a_member_gets_the_key() {
    let world = world(true);
    send(&world, "one");
    world.order(Command::AddDevice {
        peer: BOB.0.into(),
        announce: true,
    });
    world.wait_for(Condition::Answered { account: None });
    send(&world, "two");
    let bob = got(&world, BOB, "two");
    assert_eq!(bob[&0], kinds(&["skmsg"]));
    assert_eq!(bob[&1], kinds(&["pkmsg", "skmsg"]));
    world.no_violations();
}

#[test]
fn a_member_who_was_registered_anew_makes_the_key_change() {
    let world = world(true);
    send(&world, "one");
    world.order(Command::IdentityChange {
        peer: BOB.0.into(),
        announce: true,
    });
    world.wait_for(Condition::Answered { account: None });
    send(&world, "two");
    assert_eq!(got(&world, BOB, "two")[&0], kinds(&["pkmsg", "skmsg"]));
    let alice = got(&world, ALICE, "two");
    assert!(
        alice.values().all(|all| all.len() == 2),
        "a new key: {alice:?}"
    );
    world.no_violations();
}

#[test]
fn a_group_that_changed_its_names_is_asked_for_and_the_message_built_once_more() {
    let world = world(true);
    send(&world, "one");
    world.order(Command::GroupMode {
        group: GROUP.into(),
        lid: false,
    });
    send(&world, "two");
    let judged = world.judged();
    let errors: Vec<_> = judged.iter().map(|sent| sent.error).collect();
    assert_eq!(errors, [None, Some(421), None]);
    assert_eq!(judged[1].id, judged[2].id);
    assert_eq!(texts(&world.received(BOB.0)), ["one", "two"]);
    world.no_violations();
}

#[test]
fn a_group_that_stays_stale_is_refused_after_one_more_try() {
    let world = world(true);
    world.order(Command::NackNext {
        account: None,
        code: 421,
        count: 2,
    });
    let refusal = world.refused(GROUP, "one");
    assert_eq!(refusal.code, Some(421));
    assert_eq!(world.judged().len(), 2);
    send(&world, "two");
    world.no_violations();
}

#[test]
fn a_member_that_lost_everything_gets_message_and_key_again() {
    let world = world(true);
    let Outcome::Accepted { id, .. } = world.send(GROUP, "one") else {
        panic!("not accepted")
    };
    world.order(Command::RetryRequest {
        peer: BOB.0.into(),
        account: None,
        device: 0,
        id: id.to_string(),
        count: 2,
    });
    world.wait_for(Condition::Received {
        peer: Some(BOB.0.into()),
        text: Some("one".into()),
        count: 2,
    });
    let again = world.received(BOB.0).pop().unwrap();
    assert_eq!((again.retry, again.error), (Some(2), None));
    send(&world, "two");
    let all = world.received(BOB.0);
    assert_eq!(texts(&all), ["one", "one", "two"]);
    assert!(all.iter().all(|message| message.error.is_none()), "{all:?}");
    world.no_violations();
}

#[test]
fn somebody_outside_the_group_gets_no_message_by_asking() {
    let world = world(true);
    world.add(CAROL, Gate::Open);
    let Outcome::Accepted { id, .. } = world.send(GROUP, "one") else {
        panic!("not accepted")
    };
    world.order(Command::RetryRequest {
        peer: CAROL.0.into(),
        account: None,
        device: 0,
        id: id.to_string(),
        count: 2,
    });
    world.wait_for(Condition::Answered { account: None });
    assert_eq!(world.received(CAROL.0), []);
    world.no_violations();
}

#[test]
fn a_message_without_an_answer_goes_out_again_byte_for_byte() {
    let world = world(true);
    send(&world, "one");
    world.order(Command::DropConnection {
        account: None,
        when: DropWhen::BeforeAck,
    });
    send(&world, "two");
    let resends: Vec<bool> = world.judged().iter().map(|sent| sent.resend).collect();
    assert_eq!(resends, [false, false, true]);
    assert_eq!(texts(&world.received(BOB.0)), ["one", "two"]);
    world.no_violations();
}

#[test]
fn a_message_that_is_refused_leaves_nobody_out_of_the_next_one() {
    let world = world(true);
    world.order(Command::NackNext {
        account: None,
        code: 479,
        count: 1,
    });
    assert_eq!(world.refused(GROUP, "one").code, Some(479));
    send(&world, "two");
    let bob = got(&world, BOB, "two");
    assert_eq!(bob[&0].len(), 2, "the key once more: {bob:?}");
}

#[test]
fn groups_that_are_closed_to_us_are_refused_here() {
    let world = world(true);
    let refusal = world.refused("4711@g.us", "anybody?");
    assert_eq!(
        (refusal.cause, refusal.code),
        (Cause::RecipientNotFound, None)
    );
    change(&world, OWN, false, true);
    assert_eq!(world.refused(GROUP, "hello?").cause, Cause::NotAllowed);
    assert_eq!(world.judged(), []);
    world.no_violations();
}

#[test]
fn messages_of_members_are_read() {
    let world = world(true);
    let write = |text: &str, with_key| {
        world.order(Command::GroupSend {
            group: GROUP.into(),
            peer: ALICE.0.into(),
            text: text.into(),
            device: 0,
            with_key,
        });
        incoming(&world)
    };
    for (text, with_key) in [("hello", true), ("again", false)] {
        let message = write(text, with_key);
        assert_eq!(message.text.as_deref(), Some(text));
        assert_eq!(message.chat.reveal(), GROUP);
        assert_eq!(message.sender.reveal(), format!("{}@lid", ALICE.1));
    }
    world.wait_for(Condition::Answered { account: None });
    world.no_violations();
}

#[test]
fn a_message_whose_key_did_not_come_is_asked_for_again() {
    let world = world(true);
    let write = |text: &str| {
        world.order(Command::GroupSend {
            group: GROUP.into(),
            peer: BOB.0.into(),
            text: text.into(),
            device: 0,
            with_key: false,
        });
        incoming(&world)
    };
    assert_eq!(write("one").text.as_deref(), Some("one"));
    let kind = Some("retry".into());
    world.wait_for(Condition::Receipts { kind, count: 1 });
    assert_eq!(write("two").text.as_deref(), Some("two"));
    world.wait_for(Condition::Answered { account: None });
    world.no_violations();
}

#[test]
fn many_messages_to_a_group_keep_their_order() {
    let world = world(true);
    let sendings: Vec<_> = (0..20)
        .map(|n| world.start(GROUP, &n.to_string()))
        .collect();
    for sending in &sendings {
        assert!(matches!(outcome(sending), Outcome::Accepted { .. }));
    }
    let expected: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    assert_eq!(texts(&world.received(BOB.0)), expected);
    let options = SendOptions::default();
    assert!(world.account.send_text("g.us", "x", options).is_err());
    world.no_violations();
}

#[test]
fn a_burst_of_first_messages_brings_the_key_once() {
    let world = world(true);
    let mode = |mode| Command::AckMode {
        account: None,
        mode,
    };
    world.order(mode(AckMode::Hold));
    let sendings = ["one", "two", "three"].map(|text| world.start(GROUP, text));
    world.wait_for(Condition::Messages { count: 1 });
    world.order(mode(AckMode::Normal));
    world.order(Command::ReleaseAcks { account: None });
    for sending in &sendings {
        assert!(matches!(outcome(sending), Outcome::Accepted { .. }));
    }
    assert_eq!(texts(&world.received(BOB.0)), ["one", "two", "three"]);
    for text in ["two", "three"] {
        assert_eq!(got(&world, BOB, text)[&0], kinds(&["skmsg"]));
    }
    world.no_violations();
}

#[test]
fn a_burst_whose_first_message_is_refused_brings_the_key_with_the_next_one() {
    let world = world(true);
    world.order(Command::NackNext {
        account: None,
        code: 479,
        count: 1,
    });
    let sendings = ["one", "two", "three"].map(|text| world.start(GROUP, text));
    let outcomes = sendings.each_ref().map(outcome);
    assert!(matches!(outcomes[0], Outcome::Refused(_)));
    assert_eq!(got(&world, BOB, "two")[&0], kinds(&["pkmsg", "skmsg"]));
    assert_eq!(texts(&world.received(BOB.0)), ["two", "three"]);
}
