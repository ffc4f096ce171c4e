//! What a linked device keeps in order by itself: its keys at the server, what `<ib>` announces, and
//! a long queue.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail like tests"
)]

use sendpath_e2e::{ALICE, BOB, CAROL, World};
use sendpath_model_server::{Command, Condition, Gate, IqError, NodeJson, Reply};
use sendpath_protocol::event::{DisconnectReason, Event};
use sendpath_protocol::request::{RequestError, Resolve};
use sendpath_protocol::time::UnixSeconds;

const DAY: u32 = 86_400;
const ROTATE: &str = "encrypt/rotate";
const UPLOAD: &str = "encrypt/registration";

fn push(world: &World, node: serde_json::Value) {
    let node: NodeJson = serde_json::from_value(node).expect("a node");
    world.order(Command::Push {
        account: None,
        node,
    });
}

fn fail(world: &World, kind: &str, code: u16, count: u32) {
    world.order(Command::IqFault {
        account: None,
        kind: kind.into(),
        error: Some(IqError {
            code,
            text: "no".into(),
            backoff: None,
        }),
        count,
    });
}

fn asked(world: &World, kind: &str, count: u64) {
    world.wait_for(Condition::Iq {
        kind: kind.into(),
        count,
    });
}

/// Everything that the server said so far is handled when this is.
fn settled(world: &World) {
    let nobody = Resolve::new(["4917799999"]).expect("a number");
    let pending = world.account.request(nobody).expect("an open account");
    let reply: Result<_, RequestError> = pending.wait_blocking(None).expect("no timeout");
    assert_eq!(reply.map(|resolved| resolved.len()), Ok(1));
}

fn message(world: &World) -> Option<String> {
    world.event(|event| match event {
        Event::Message(message) => Some(message.text.clone()),
        _ => None,
    })
}

/// Ids of the signed prekeys that we offered.
fn offered(world: &World) -> Vec<String> {
    let tag = Some("iq".to_owned());
    let Reply::Heard { stanzas } = world.order(Command::Heard { tag }) else {
        panic!("unexpected reply");
    };
    let stanzas = stanzas.iter().map(serde_json::to_value);
    let mut ids = Vec::new();
    for stanza in stanzas {
        let stanza = stanza.expect("a node is JSON");
        let rotate = &stanza["children"][0];
        if rotate["tag"] == "rotate" {
            ids.push(rotate["children"][0].to_string());
        }
    }
    ids
}

#[test]
fn the_signed_prekey_changes_after_27_days_and_older_messages_still_open() {
    let world = World::at_now("memory:");
    world.add(ALICE, Gate::Open);
    let written = |text: &str| Some(text.to_owned());
    world.reconnect(|| {
        world.peer_writes(ALICE, "with the old key");
        world.pass(26 * DAY);
    });
    assert_eq!(message(&world), written("with the old key"));
    settled(&world);
    assert_eq!(world.asked(ROTATE), 0, "not yet");
    world.add(BOB, Gate::Open);
    world.add(CAROL, Gate::Open);
    world.reconnect(|| {
        world.peer_writes(BOB, "begun with the old key");
        world.pass(DAY + 60);
    });
    assert_eq!(message(&world), written("begun with the old key"));
    asked(&world, ROTATE, 1);
    settled(&world);
    world.peer_writes(BOB, "the old one still opens");
    assert_eq!(message(&world), written("the old one still opens"));
    world.peer_writes(CAROL, "with the new key");
    assert_eq!(message(&world), written("with the new key"));
    world.reconnect(|| world.pass(DAY));
    settled(&world);
    assert_eq!(world.asked(ROTATE), 1);
    world.no_violations();
}

#[test]
fn a_server_in_trouble_is_offered_the_same_key_a_day_later() {
    let world = World::at_now("memory:");
    fail(&world, ROTATE, 503, 1);
    world.reconnect(|| world.pass(27 * DAY));
    asked(&world, ROTATE, 1);
    settled(&world);
    world.reconnect(|| world.pass(DAY - 60));
    settled(&world);
    assert_eq!(world.asked(ROTATE), 1);
    world.reconnect(|| world.pass(120));
    // The server has not confirmed it, so it is asked what it has.
    asked(&world, "encrypt/digest", 1);
    asked(&world, ROTATE, 2);
    let offered = offered(&world);
    assert_eq!((offered.len(), &offered[0]), (2, &offered[1]));
    world.no_violations();
}

#[test]
fn a_digest_of_the_keys_that_we_have_changes_nothing() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    world.peer_writes(ALICE, "takes a key");
    message(&world);
    let digest = serde_json::json!({
        "tag": "notification",
        "attrs": {"id": "d1", "type": "encrypt", "from": "s.whatsapp.net"},
        "children": [{"tag": "digest"}],
    });
    push(&world, digest);
    asked(&world, "encrypt/digest", 1);
    settled(&world);
    assert_eq!(world.asked(UPLOAD), 1, "the one of the first login");
    world.no_violations();
}

#[test]
fn keys_that_the_server_lost_are_uploaded_until_it_takes_them() {
    let world = World::linked();
    fail(&world, "encrypt/digest", 404, 1);
    fail(&world, UPLOAD, 503, 2);
    let digest = serde_json::json!({
        "tag": "notification",
        "attrs": {"id": "d1", "type": "encrypt", "from": "s.whatsapp.net"},
        "children": [{"tag": "digest"}],
    });
    push(&world, digest);
    asked(&world, UPLOAD, 4);
    settled(&world);
    let Reply::Stats { prekeys, .. } = world.order(Command::Stats { account: None }) else {
        panic!("unexpected reply");
    };
    assert_eq!(
        prekeys,
        2 * 812,
        "those of the first login were not lost here"
    );
    world.no_violations();
}

#[test]
fn what_is_announced_beside_the_stanzas_is_heeded() {
    let world = World::linked();
    let ib = |child: serde_json::Value| {
        push(
            &world,
            serde_json::json!({"tag": "ib", "attrs": {"from": "s.whatsapp.net"}, "children": [child]}),
        );
    };
    ib(serde_json::json!({"tag": "tos"}));
    ib(serde_json::json!({"tag": "client_expiration", "attrs": {"t": "1790000000"}}));
    let expires = || {
        world.event(|event| match event {
            Event::ClientExpires { at } => Some(*at),
            _ => None,
        })
    };
    assert_eq!(expires(), Some(UnixSeconds(1_790_000_000)));
    ib(serde_json::json!({"tag": "client_expiration"}));
    assert_eq!(expires(), None);
    for kind in ["groups", "account_sync", "newsletter_metadata"] {
        ib(serde_json::json!({"tag": "dirty", "attrs": {"type": kind, "timestamp": "7"}}));
    }
    asked(&world, "urn:xmpp:whatsapp:dirty/clean", 3);
    ib(serde_json::json!({"tag": "downgrade_webclient"}));
    let reason = world.event(|event| match event {
        Event::Disconnected { reason } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(reason, DisconnectReason::NotMultiDevice);
    world.no_violations();
}

#[test]
fn a_long_queue_comes_in_batches_to_its_end() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    let texts: Vec<String> = (0..450).map(|n| format!("message {n}")).collect();
    world.reconnect(|| {
        for text in &texts {
            world.peer_writes(ALICE, text);
        }
    });
    for text in &texts {
        assert_eq!(message(&world).as_ref(), Some(text));
    }
    world.wait_for(Condition::Answered { account: None });
    world.no_violations();
}
