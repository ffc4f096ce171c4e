//! Spec 10.7: exactly one answer to every stanza that has an id and a sender.

use sendpath_protocol::wap::Node;

use crate::world::{ALICE, GROUP, World, jid};

/// A stanza, and what we answer; `-` for nothing.
type Row = (&'static str, fn() -> Node, &'static str);

fn from(tag: &'static str, sender: &str) -> Node {
    Node::new(tag).attr("id", "7").jid("from", jid(sender))
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("a notification", || from("notification", ALICE).attr("type", "picture"),
        "ack class=notification id=7 to=100000000000001:3@lid type=picture"),
    ("a notification about somebody", || from("notification", GROUP).attr("type", "w:gp2").jid("participant", jid(ALICE)),
        "ack class=notification id=7 participant=100000000000001:3@lid to=120363001@g.us type=w:gp2"),
    ("a receipt", || from("receipt", ALICE),
        "ack class=receipt id=7 to=100000000000001:3@lid"),
    ("a receipt with a type", || from("receipt", ALICE).attr("type", "read"),
        "ack class=receipt id=7 to=100000000000001:3@lid type=read"),
    ("a receipt of a member", || from("receipt", GROUP).jid("participant", jid(ALICE)).attr("type", "played"),
        "ack class=receipt id=7 participant=100000000000001:3@lid to=120363001@g.us type=played"),
    ("a receipt that names its sender twice", || from("receipt", ALICE).jid("participant", jid(ALICE)),
        "ack class=receipt id=7 to=100000000000001:3@lid"),
    ("a receipt of another own device", || from("receipt", "900100001:2@lid").jid("recipient", jid(ALICE)).attr("type", "sender"),
        "ack class=receipt id=7 recipient=100000000000001:3@lid to=900100001:2@lid type=sender"),
    ("a retry receipt for what was never sent", || from("receipt", ALICE).attr("type", "retry").child(Node::new("retry").attr("count", "1")),
        "ack class=receipt id=7 to=100000000000001:3@lid type=retry"),
    ("a call that could not be decrypted", || from("receipt", ALICE).attr("type", "enc_rekey_retry"),
        "ack class=receipt id=7 to=100000000000001:3@lid type=enc_rekey_retry"),
    ("a call", || from("call", ALICE).child(Node::new("offer").attr("call-id", "C")),
        "ack class=call id=7 to=100000000000001:3@lid"),
    ("an empty message", || from("message", ALICE).attr("type", "text"),
        "ack class=message from=15550100001:5@s.whatsapp.net id=7 to=100000000000001:3@lid type=text"),
    ("a message of nobody in a group", || from("message", GROUP).attr("type", "text"),
        "ack class=message error=487 from=15550100001:5@s.whatsapp.net id=7 to=120363001@g.us type=text"),
    ("a message whose id is no text", || {
            Node::new("message").attr("id", "\u{1}").jid("from", jid(ALICE))
        },
        "ack class=message error=487 from=15550100001:5@s.whatsapp.net id=\u{1} to=100000000000001:3@lid"),
    ("a tag that nobody knows", || from("appdata2", ALICE).attr("type", "x"),
        "ack class=appdata2 error=488 id=7 to=100000000000001:3@lid type=x"),
    ("a tag that nobody knows, without an id", || Node::new("appdata2").jid("from", jid(ALICE)), "-"),
    ("a typing contact", || Node::new("chatstate").jid("from", jid(ALICE)), "-"),
    ("an announcement", || Node::new("ib").child(Node::new("thread_metadata")), "-"),
    ("a message without a sender", || Node::new("message").attr("id", "7"), "-"),
];

#[test]
fn every_stanza_gets_the_ack_of_its_row() {
    for (name, stanza, expected) in ROWS {
        let mut world = World::online();
        world.tell(&stanza());
        let answers = world.answers();
        let answer = answers.first().map_or("-", String::as_str);
        assert_eq!((answer, answers.len() < 2), (*expected, true), "{name}");
    }
}

#[test]
fn a_frame_that_is_no_stanza_is_counted() {
    let mut world = World::online();
    let ignored = world.session.status().ignored;
    world.handle(sendpath_protocol::session::Input::Received(vec![0, 1, 2]));
    assert_eq!(world.session.status().ignored, ignored + 1);
    assert_eq!(world.answers(), Vec::<String>::new());
}
