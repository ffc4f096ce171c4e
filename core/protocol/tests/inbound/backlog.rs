//! Spec 10.4, last paragraph: one receipt for each chat, author and type of the offline backlog, and
//! the inbox that depends on it.

use sendpath_protocol::txn::{Namespace, Reader, Scope};
use sendpath_protocol::verdict::MessageId;
use sendpath_protocol::wap::Node;
use serde_json::json;

use crate::schema::message;
use crate::world::{ALICE, Device, World};

const BOB: &str = "100000000000002@lid";

fn preview(world: &mut World, count: usize) {
    let preview = Node::new("offline_preview").num("count", count);
    world.tell(&Node::new("ib").child(preview));
    world.take_sent();
}

fn kept(world: &mut World, from: &mut Device, id: &'static str) -> Node {
    let enc = world.seal(from, &message(&json!({"conversation": "hi"})));
    world.stanza(from, id).attr("offline", "0").child(enc)
}

fn rows(world: &World) -> usize {
    let slot = Scope::slot("inbound");
    world
        .store
        .scan(&slot, Namespace::Seen, b"", None, 999)
        .unwrap()
        .len()
}

fn ack(id: &'static str) -> Node {
    Node::new("ack").attr("class", "receipt").attr("id", id)
}

fn got(world: &mut World) -> Vec<MessageId> {
    world
        .messages()
        .into_iter()
        .map(|message| message.id)
        .collect()
}

#[test]
fn one_receipt_for_each_author_leaves_before_the_next_batch() {
    let mut world = World::online();
    let (mut alice, mut bob) = (world.device(ALICE), world.device(BOB));
    preview(&mut world, 3);
    for id in ["A", "B"] {
        let stanza = kept(&mut world, &mut alice, id);
        world.tell(&stanza);
    }
    let stanza = kept(&mut world, &mut bob, "C");
    world.tell(&stanza);
    assert_eq!(got(&mut world).len(), 3, "the host does not wait");
    assert_eq!(world.answers(), Vec::<String>::new());
    world.pass(100);
    let alices = format!("receipt id=A to={ALICE} type=inactive {{list {{item id=B}}}}");
    let bobs = format!("receipt id=C to={BOB} type=inactive");
    let batch = "ib {offline_batch count=200}".to_owned();
    assert_eq!(world.answers(), [alices, bobs, batch]);
}

#[test]
fn the_end_of_the_backlog_sends_what_waits_and_live_messages_do_not_wait() {
    let mut world = World::online();
    let mut alice = world.device(ALICE);
    preview(&mut world, 1);
    let stanza = kept(&mut world, &mut alice, "A");
    world.tell(&stanza);
    world.writes(&mut alice, "B");
    assert_eq!(
        world.answers(),
        [format!("receipt id=B to={ALICE} type=inactive")]
    );
    world.tell(&Node::new("ib").child(Node::new("offline").attr("count", "1")));
    assert_eq!(
        world.answers(),
        [format!("receipt id=A to={ALICE} type=inactive")]
    );
    let stanza = kept(&mut world, &mut alice, "C");
    world.tell(&stanza);
    assert_eq!(world.answers().len(), 1, "the backlog is over");
}

#[test]
fn receipts_do_not_pile_up() {
    let mut world = World::online();
    let mut alice = world.device(ALICE);
    preview(&mut world, 100);
    for n in 1..=100 {
        let id: &'static str = format!("M{n}").leak();
        let stanza = kept(&mut world, &mut alice, id);
        world.tell(&stanza);
        assert_eq!(world.answers().len(), usize::from(n == 64), "{n}");
    }
}

#[test]
fn rows_go_when_the_server_has_the_receipt_that_names_them() {
    let mut world = World::online();
    let mut alice = world.device(ALICE);
    preview(&mut world, 2);
    for id in ["A", "B"] {
        let stanza = kept(&mut world, &mut alice, id);
        world.tell(&stanza);
    }
    world.tell(&ack("A"));
    assert_eq!(rows(&world), 2, "that receipt has not left");
    world.pass(100);
    world.tell(&ack("B"));
    assert_eq!(rows(&world), 2, "the receipt is named by its first message");
    world.tell(&ack("A"));
    assert_eq!(rows(&world), 0);
}

#[test]
fn what_was_never_confirmed_is_delivered_again_and_told_once_in_a_run() {
    let mut world = World::online();
    let mut alice = world.device(ALICE);
    preview(&mut world, 1);
    let stanza = kept(&mut world, &mut alice, "A");
    world.tell(&stanza);
    assert_eq!(got(&mut world).len(), 1);
    world.lose();
    world.connect();
    preview(&mut world, 1);
    world.tell(&stanza);
    assert_eq!(got(&mut world).len(), 0, "the host has it");
    world.pass(100);
    assert!(
        world.answers()[0].starts_with("receipt id=A"),
        "and the server is told again"
    );
    world.restart();
    world.tell(&stanza);
    assert_eq!(got(&mut world).len(), 1, "perhaps that host never had it");
    world.answers();
    world.tell(&ack("A"));
    assert_eq!(rows(&world), 0);
    world.tell(&stanza);
    assert!(
        world.answers()[0].starts_with("ack class=message"),
        "a plain ack for old news"
    );
}
