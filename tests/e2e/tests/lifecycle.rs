//! Lost connections, restarts, re-links, and messages that come in.

use sendpath_e2e::{ALICE, World, open_account, open_engine, outcome};
use sendpath_model_server::{AckMode, Command, Condition, DropWhen, Gate, StreamErrorKind};
use sendpath_protocol::event::{DisconnectReason, Event};
use sendpath_protocol::tctoken::timeline::What;
use sendpath_protocol::verdict::{Attached, Outcome};

fn texts(world: &World) -> Vec<String> {
    let got = world.received(ALICE.0).into_iter();
    got.filter(|message| !message.duplicate)
        .filter_map(|message| message.text)
        .collect()
}

/// How many new links the story of a contact tells of.
fn links_told(world: &World) -> usize {
    let told = world.explain(ALICE.0).timeline.into_iter();
    told.filter(|entry| entry.what == What::Relinked).count()
}

fn cut(world: &World, when: DropWhen) {
    world.order(Command::DropConnection {
        account: None,
        when,
    });
}

#[test]
fn what_was_lost_with_the_connection_goes_out_again_byte_for_byte() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    world.send(ALICE.0, "first");
    for (when, text) in [
        (DropWhen::BeforeDelivery, "lost on the way"),
        (DropWhen::BeforeAck, "delivered, answer lost"),
    ] {
        cut(&world, when);
        assert!(
            matches!(world.send(ALICE.0, text), Outcome::Accepted { .. }),
            "{text}"
        );
    }
    assert_eq!(
        texts(&world),
        ["first", "lost on the way", "delivered, answer lost"]
    );
    let resent = world
        .judged()
        .into_iter()
        .filter(|message| message.resend)
        .count();
    assert_eq!(resent, 1, "the server saw the same bytes twice");
    world.no_violations();
}

#[test]
fn a_busy_server_gets_the_same_bytes_later() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    world.send(ALICE.0, "first");
    world.order(Command::NackNext {
        account: None,
        code: 503,
        count: 1,
    });
    assert!(matches!(
        world.send(ALICE.0, "second"),
        Outcome::Accepted { .. }
    ));
    assert_eq!(texts(&world), ["first", "second"]);
    world.no_violations();
}

#[test]
fn a_stream_that_is_recycled_comes_back() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    for kind in [StreamErrorKind::End, StreamErrorKind::Code(515)] {
        world.order(Command::StreamError {
            account: None,
            kind,
        });
        world.event(|event| {
            let restart = DisconnectReason::Restart;
            matches!(event, Event::Disconnected { reason } if *reason == restart).then_some(())
        });
        world.online();
        assert!(matches!(
            world.send(ALICE.0, "hello"),
            Outcome::Accepted { .. }
        ));
    }
    world.no_violations();
}

#[test]
fn a_device_that_is_removed_is_logged_out() {
    let world = World::linked();
    world.order(Command::StreamError {
        account: None,
        kind: StreamErrorKind::DeviceRemoved,
    });
    world.event(|event| matches!(event, Event::LoggedOut { .. }).then_some(()));
    assert_eq!(world.account.status().unwrap().session.unwrap().jid, None);
}

#[test]
fn tokens_survive_a_new_link_of_the_same_account() {
    let world = World::linked();
    world.add(ALICE, Gate::Token);
    world.give_token(ALICE, None);
    world.account.logout(true).unwrap();
    world.event(|event| matches!(event, Event::LoggedOut { .. }).then_some(()));
    world.link(Command::scan_qr);
    let Outcome::Accepted { attached, .. } = world.send(ALICE.0, "hello") else {
        panic!("refused")
    };
    assert!(matches!(attached, Attached::Tctoken { .. }));
    assert_eq!(links_told(&world), 1, "told with every contact");
    world.no_violations();
}

#[test]
fn a_logout_without_keeping_forgets_the_tokens() {
    let world = World::linked();
    world.add(ALICE, Gate::Token);
    world.give_token(ALICE, None);
    world.account.logout(false).unwrap();
    world.event(|event| matches!(event, Event::LoggedOut { .. }).then_some(()));
    world.link(Command::scan_qr);
    assert_eq!(world.refused(ALICE.0, "hello").code, Some(463));
    assert_eq!(links_told(&world), 0, "nobody remembers the first one");
    world.no_violations();
}

#[test]
fn a_restart_keeps_link_sessions_and_tokens() {
    let folder = std::env::temp_dir().join(format!("sendpath-restart-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let store = sendpath_e2e::store_in(&folder);
    let mut world = World::linked_on(&store);
    world.add(ALICE, Gate::Token);
    world.give_token(ALICE, None);
    world.send(ALICE.0, "before");
    world.engine.close().unwrap();
    world.engine = open_engine(&store);
    world.account = open_account(&world.engine, &world.server);
    world.account.connect().unwrap();
    world.online();
    let Outcome::Accepted { attached, .. } = world.send(ALICE.0, "after") else {
        panic!("refused")
    };
    assert!(matches!(attached, Attached::Tctoken { .. }));
    assert_eq!(texts(&world), ["before", "after"]);
    world.no_violations();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_answer_that_comes_after_a_restart_is_told() {
    let folder = std::env::temp_dir().join(format!("sendpath-settled-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let store = sendpath_e2e::store_in(&folder);
    let mut world = World::linked_on(&store);
    world.add(ALICE, Gate::Open);
    world.send(ALICE.0, "first");
    world.order(Command::AckMode {
        account: None,
        mode: AckMode::Drop,
    });
    let sending = world.start(ALICE.0, "unanswered");
    world.wait_for(Condition::Messages { count: 2 });
    world.engine.close().unwrap();
    assert!(matches!(outcome(&sending), Outcome::Unknown(_)));
    world.order(Command::AckMode {
        account: None,
        mode: AckMode::Normal,
    });
    world.engine = open_engine(&store);
    world.account = open_account(&world.engine, &world.server);
    world.account.connect().unwrap();
    let settled = world.event(|event| match event {
        Event::Settled(outcome) => Some(outcome.clone()),
        _ => None,
    });
    assert!(matches!(settled, Outcome::Accepted { id, .. } if id == sending.id));
    assert_eq!(texts(&world), ["first", "unanswered"]);
    world.no_violations();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_message_comes_in_and_is_receipted_once() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    let id = world.peer_writes(ALICE, "hi");
    let message = world.event(|event| match event {
        Event::Message(message) => Some(message.clone()),
        _ => None,
    });
    assert_eq!(
        (message.text.as_deref(), message.id.as_str()),
        (Some("hi"), &*id)
    );
    assert_eq!(message.chat.reveal(), format!("{}@lid", ALICE.1));
    world.wait_for(Condition::Receipts {
        kind: None,
        count: 1,
    });
    world.peer_writes(ALICE, "there?");
    world.send(ALICE.0, "yes");
    world.wait_for(Condition::Answered { account: None });
    world.no_violations();
}

#[test]
fn what_came_while_we_were_away_is_delivered() {
    let world = World::linked();
    world.add(ALICE, Gate::Token);
    world.account.disconnect().unwrap();
    world.wait_for(Condition::Disconnected { account: None });
    world.peer_writes(ALICE, "are you there?");
    world.issue(ALICE, None);
    world.account.connect().unwrap();
    world.event(|event| matches!(event, Event::TokenStored { .. }).then_some(()));
    assert!(matches!(
        world.send(ALICE.0, "now I am"),
        Outcome::Accepted { .. }
    ));
    world.wait_for(Condition::Answered { account: None });
    world.no_violations();
}
