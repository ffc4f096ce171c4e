//! Spec 10.11: every notification is acked once, and some of them change something.

use sendpath_protocol::wap::Node;

use crate::world::{ALICE, PHONE, World, jid, shown};

fn notification(kind: &'static str, from: &str) -> Node {
    let node = Node::new("notification").attr("id", "7");
    node.jid("from", jid(from)).attr("type", kind)
}

/// Kinds that only get an ack.
const ACKED: [&str; 18] = [
    "business",
    "companion_reg_refresh",
    "contacts",
    "crsc_continuation",
    "digital_commerce_subscription",
    "disappearing_mode",
    "fb:update",
    "hosted",
    "mediaretry",
    "newsletter",
    "pay",
    "picture",
    "psa",
    "registration",
    "status",
    "w:growth",
    "waffle",
    "of tomorrow",
];

#[test]
fn kinds_that_mean_nothing_to_sending_are_acked_and_change_nothing() {
    for kind in ACKED {
        let mut world = World::online();
        let rows = world.store.len();
        world.tell(&notification(kind, ALICE));
        let ack = format!("ack class=notification id=7 to={ALICE} type={kind}");
        let sent: Vec<_> = world.take_sent().iter().map(shown).collect();
        assert_eq!(sent, [ack], "{kind}");
        assert_eq!((world.store.len(), world.events.len()), (rows, 0), "{kind}");
    }
}

/// A notification, the kind of request that follows it (`-` for none), and whether the session with
/// [`ALICE`] is still there.
type Row = (&'static str, fn() -> Node, &'static str, bool);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("few keys are left", || notification("encrypt", "s.whatsapp.net").child(Node::new("count").attr("value", "4")), "encrypt", true),
    ("enough keys are left", || notification("encrypt", "s.whatsapp.net").child(Node::new("count").attr("value", "100")), "-", true),
    ("the contact has a new phone", || notification("encrypt", "100000000000001@lid").child(Node::new("identity")), "-", false),
    ("the device has new keys", || notification("encrypt", ALICE).child(Node::new("identity")), "-", false),
    ("another contact has a new phone", || notification("encrypt", "100000000000002@lid").child(Node::new("identity")), "-", true),
    ("our own phone is new", || notification("encrypt", PHONE).child(Node::new("identity")), "-", true),
    ("app state changed", || notification("server_sync", "s.whatsapp.net").child(Node::new("collection").attr("name", "regular_high").attr("version", "9")), "-", true),
    ("a group changed", || notification("w:gp2", "120363001@g.us").child(Node::new("subject").attr("subject", "x")), "-", true),
    ("the contact removed the device", || notification("devices", "100000000000001@lid").child(
        Node::new("remove").attr("device_hash", "2:AAAAAAAA").child(Node::new("device").jid("jid", jid(ALICE)))), "-", true),
    ("limits changed", || notification("mex", "s.whatsapp.net").child(Node::new("update").attr("op_name", "Unknown").bytes(*b"{}")), "-", true),
    ("our privacy changed", || notification("account_sync", PHONE).child(Node::new("privacy")), "-", true),
];

#[test]
fn a_notification_does_what_its_row_says_and_is_acked() {
    for (name, stanza, asks, session) in ROWS {
        let mut world = World::online();
        let mut alice = world.device(ALICE);
        world.writes(&mut alice, "B");
        world.take_sent();
        world.tell(&stanza());
        let sent = world.take_sent();
        let acks = sent.iter().filter(|node| node.is("class", "notification"));
        assert_eq!(acks.count(), 1, "{name}");
        let asked = sent.iter().filter(|node| node.tag == "iq");
        let asked: Vec<_> = asked.filter_map(|iq| iq.text("xmlns")).collect();
        let expected: &[&str] = if *asks == "-" { &[] } else { &[asks] };
        assert_eq!(asked, expected, "{name}");
        assert_eq!(world.has_session(ALICE), *session, "{name}");
    }
}

#[test]
fn the_sessions_with_a_new_phone_of_our_own_are_reset() {
    let mut world = World::online();
    let mut phone = world.device("900100001@lid");
    world.writes(&mut phone, "B");
    assert!(world.has_session("900100001@lid"));
    world.tell(&notification("encrypt", "900100001@lid").child(Node::new("identity")));
    assert!(!world.has_session("900100001@lid"));
    assert_eq!(
        world.answers().len(),
        2,
        "a receipt for the message and an ack"
    );
}
