//! What comes in: messages that only the phone has, and the backlog of a time away.

use sendpath_e2e::{ALICE, BOB, World};
use sendpath_model_server::{Command, Condition, Gate, Reply};
use sendpath_protocol::event::{Event, IncomingMessage};

fn message(world: &World) -> IncomingMessage {
    world.event(|event| match event {
        Event::Message(message) => Some((**message).clone()),
        _ => None,
    })
}

fn clean(world: &World) {
    world.wait_for(Condition::Answered { account: None });
    assert_eq!(world.violations(), []);
}

#[test]
fn a_message_that_only_the_phone_has_is_asked_for_there() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    let sent = world.order(Command::PeerWithholds {
        peer: ALICE.0.into(),
        text: "only on the phone".into(),
    });
    let Reply::Sent { id } = sent else {
        panic!("unexpected reply {sent:?}");
    };
    let got = message(&world);
    assert_eq!(got.text.as_deref(), Some("only on the phone"));
    assert_eq!(got.id.as_str(), id);
    assert_eq!(got.sender.user_part(), ALICE.1);
    clean(&world);
}

#[test]
fn the_backlog_is_confirmed_with_fewer_receipts_than_messages() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    world.add(BOB, Gate::Open);
    world.reconnect(|| {
        for n in 0..5 {
            world.peer_writes(ALICE, &format!("alice {n}"));
            world.peer_writes(BOB, &format!("bob {n}"));
        }
    });
    for _ in 0..10 {
        message(&world);
    }
    clean(&world);
    let heard = world.heard();
    let receipts = heard.iter().filter(|stanza| stanza.tag == "receipt");
    let delivered = receipts.filter(|receipt| receipt.attrs["type"] == "inactive");
    let count = delivered.count();
    assert!(
        (2..10).contains(&count),
        "{count} receipts for ten messages"
    );
}
