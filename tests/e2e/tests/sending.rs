//! Sending text: who gets it, in which form, in which order.

use sendpath_e2e::{ALICE, BOB, World, outcome};
use sendpath_engine::SendOptions;
use sendpath_model_server::{Command, Condition, Gate, NodeJson, Received};
use sendpath_protocol::verdict::{Attached, Cause, MessageId, Outcome, WhyNot};

fn texts(messages: &[Received]) -> Vec<&str> {
    messages
        .iter()
        .filter_map(|message| message.text.as_deref())
        .collect()
}

#[test]
fn a_text_reaches_every_device_of_the_contact_and_our_own_phone() {
    let world = World::linked();
    world.add_with_devices(ALICE, Gate::Open, 3);
    let Outcome::Accepted {
        attached,
        server_time,
        ..
    } = world.send(ALICE.0, "hello")
    else {
        panic!("not accepted");
    };
    assert_eq!(attached, Attached::Nothing(WhyNot::NeverReceived));
    assert!(server_time.is_some());
    let got = world.received(ALICE.0);
    assert_eq!(texts(&got), ["hello"; 3]);
    let devices: Vec<u16> = got.iter().map(|message| message.device).collect();
    assert_eq!(devices.len(), 3, "{devices:?}");
    let own = world.judged()[0].account.clone();
    let copies = world.received(&own);
    assert_eq!(copies.len(), 1);
    assert_eq!(
        copies[0].destination.as_deref(),
        Some(&*format!("{}@lid", ALICE.1))
    );
    world.no_violations();
}

#[test]
fn messages_to_one_chat_keep_their_order() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    world.add(BOB, Gate::Open);
    let sendings: Vec<_> = (0..40)
        .map(|n| world.start(if n % 2 == 0 { ALICE.0 } else { BOB.0 }, &n.to_string()))
        .collect();
    for sending in &sendings {
        assert!(matches!(outcome(sending), Outcome::Accepted { .. }));
    }
    let even: Vec<String> = (0..40).step_by(2).map(|n| n.to_string()).collect();
    assert_eq!(texts(&world.received(ALICE.0)), even);
    let counters: Vec<u32> = world
        .received(ALICE.0)
        .iter()
        .map(|message| message.counter)
        .collect();
    assert!(counters.is_sorted_by(|a, b| a < b), "{counters:?}");
    world.no_violations();
}

#[test]
fn a_number_that_is_not_on_whatsapp_is_said_to_be_so() {
    let world = World::linked();
    let refusal = world.refused("4915550666", "anybody?");
    assert_eq!((refusal.cause, refusal.code), (Cause::NotOnWhatsapp, None));
    assert_eq!(world.judged(), Vec::new());
    world.no_violations();
}

#[test]
fn a_message_id_is_used_once() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    let id = MessageId::parse("MY-ID-1").unwrap();
    let mut options = SendOptions::default();
    options.id = Some(id.clone());
    let first = world
        .account
        .send_text(ALICE.0, "one", options.clone())
        .unwrap();
    assert!(matches!(outcome(&first), Outcome::Accepted { id: got, .. } if got == id));
    let again = world.account.send_text(ALICE.0, "two", options).unwrap();
    let Outcome::Refused(refusal) = outcome(&again) else {
        panic!("sent twice")
    };
    assert_eq!(refusal.cause, Cause::DuplicateId);
    assert_eq!(texts(&world.received(ALICE.0)), ["one"]);
}

#[test]
fn a_second_message_needs_no_question() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    world.send(ALICE.0, "one");
    let count = 1;
    world.wait_for(Condition::Issued { peer: None, count });
    let before = world.questions();
    world.send(ALICE.0, "two");
    assert_eq!(world.questions(), before);
    assert_eq!(world.judged().len(), 2);
    world.no_violations();
}

#[test]
fn a_device_that_is_added_gets_the_next_message() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    world.send(ALICE.0, "one");
    world.order(Command::AddDevice {
        peer: ALICE.0.into(),
        announce: true,
    });
    world.wait_for(Condition::Answered { account: None });
    world.send(ALICE.0, "two");
    let second = world
        .received(ALICE.0)
        .into_iter()
        .filter(|m| m.text.as_deref() == Some("two"));
    assert_eq!(second.count(), 2);
    world.no_violations();
}

#[test]
fn a_contact_that_registered_anew_is_reached_again() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    world.send(ALICE.0, "one");
    world.order(Command::IdentityChange {
        peer: ALICE.0.into(),
        announce: true,
    });
    world.wait_for(Condition::Answered { account: None });
    world.send(ALICE.0, "two");
    assert_eq!(texts(&world.received(ALICE.0)), ["one", "two"]);
    world.no_violations();
}

#[test]
fn a_new_phone_that_nobody_announced_gets_the_message_with_its_new_keys() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    world.send(ALICE.0, "one");
    world.order(Command::IdentityChange {
        peer: ALICE.0.into(),
        announce: false,
    });
    world.send(ALICE.0, "two");
    world.wait_for(Condition::Received {
        peer: Some(ALICE.0.into()),
        text: Some("two".into()),
        count: 1,
    });
    world.wait_for(Condition::Answered { account: None });
    world.no_violations();
}

#[test]
fn a_device_that_cannot_read_gets_the_message_again() {
    let world = World::linked();
    world.add(ALICE, Gate::Token);
    world.give_token(ALICE, None);
    let sending = world.start(ALICE.0, "hello");
    let id = sending.id.as_str().to_owned();
    assert!(matches!(outcome(&sending), Outcome::Accepted { .. }));
    world.order(Command::RetryRequest {
        peer: ALICE.0.into(),
        account: None,
        device: 0,
        id,
        count: 1,
    });
    world.wait_for(Condition::Messages { count: 2 });
    let resent = world.judged().pop().unwrap();
    assert!(resent.tctoken.is_some(), "the resend carries the token");
    assert_eq!(resent.error, None);
    assert!(
        world
            .received(ALICE.0)
            .iter()
            .any(|message| message.retry == Some(1))
    );
    world.no_violations();
}

#[test]
fn a_message_to_ourselves_goes_to_our_own_devices_without_a_token() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    world.send(ALICE.0, "who am I?");
    let own = world.judged()[0].account.clone();
    let Outcome::Accepted { attached, .. } = world.send(&own, "note") else {
        panic!("refused")
    };
    assert_eq!(attached, Attached::Nothing(WhyNot::NotEligible));
    assert!(texts(&world.received(&own)).contains(&"note"));
    world.no_violations();
}

#[test]
fn a_device_nobody_announced_is_found_by_the_hash_of_an_ack() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    world.send(ALICE.0, "one");
    world.order(Command::AddDevice {
        peer: ALICE.0.into(),
        announce: false,
    });
    world.send(ALICE.0, "two");
    world.send(ALICE.0, "three");
    let third = world.received(ALICE.0).into_iter();
    let third = third.filter(|message| message.text.as_deref() == Some("three"));
    assert_eq!(third.count(), 2);
    world.no_violations();
}

#[test]
fn a_number_that_the_server_knows_in_another_form_is_reached() {
    let world = World::linked();
    let (pn, lid) = (ALICE.0.into(), ALICE.1.into());
    world.order(Command::AddPeer {
        pn,
        lid,
        devices: 1,
        gate: Gate::Open,
        aliases: vec!["49155500019".into()],
    });
    assert!(matches!(
        world.send("49155500019", "hello"),
        Outcome::Accepted { .. }
    ));
    assert_eq!(texts(&world.received(ALICE.0)), ["hello"]);
    world.no_violations();
}

#[test]
fn nothing_leaves_after_its_deadline() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    world.account.disconnect().unwrap();
    world.wait_for(Condition::Disconnected { account: None });
    let mut options = SendOptions::default();
    options.deadline = Some(std::time::Duration::from_millis(1));
    let sending = world.account.send_text(ALICE.0, "late", options).unwrap();
    let Outcome::Refused(refusal) = outcome(&sending) else {
        panic!("not refused");
    };
    assert_eq!(refusal.cause, Cause::DeadlineBeforeSend);
    assert_eq!(world.judged(), Vec::new());
}

/// A retry receipt without keys, from the phone of a contact.
fn asks_again(id: &str, count: u32) -> Command {
    let node = |tag: &str, attrs: &[(&str, &str)], children| NodeJson {
        tag: tag.into(),
        attrs: attrs
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
        children,
        ..NodeJson::default()
    };
    let count = count.to_string();
    let retry = node(
        "retry",
        &[("v", "1"), ("id", id), ("count", &count)],
        vec![],
    );
    let from = format!("{}@lid", ALICE.1);
    let attrs = [("id", id), ("from", &*from), ("type", "retry")];
    Command::Push {
        account: None,
        node: node("receipt", &attrs, vec![retry]),
    }
}

#[test]
fn a_device_that_still_fails_in_the_same_session_gets_a_new_one() {
    const KEYS: &str = "encrypt/key";
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    let sending = world.start(ALICE.0, "hello");
    assert!(matches!(outcome(&sending), Outcome::Accepted { .. }));
    let before = world.asked(KEYS);
    for count in [1, 2] {
        world.order(asks_again(sending.id.as_str(), count));
        let count = usize::try_from(count).unwrap() + 1;
        world.wait_for(Condition::Messages { count });
    }
    assert_eq!(world.asked(KEYS), before);
    world.order(asks_again(sending.id.as_str(), 3));
    world.wait_for(Condition::Messages { count: 4 });
    assert_eq!(world.asked(KEYS), before + 1);
    world.no_violations();
}
