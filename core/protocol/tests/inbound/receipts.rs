//! Spec 10.4: the receipts we send, and what is answered with something else.

use sendpath_protocol::wap::Node;
use serde_json::json;

use crate::schema::{Schema, message};
use crate::world::{ALICE, Device, GROUP, OWN, PHONE, STATUS, World, jid};

fn text() -> Vec<u8> {
    message(&json!({"conversation": "hi"}))
}

/// The stanza of a member, with the key for what is sealed in it.
fn in_group(world: &mut World, from: &mut Device, chat: &str, participant: &str) -> Node {
    let (skmsg, key) = world.seal_group(from, &text());
    let told = message(&json!({"senderKeyDistributionMessage": {
        "groupId": chat,
        "axolotlSenderKeyDistributionMessage": hex::encode(key),
    }}));
    let pairwise = world.seal(from, &told);
    let mut stanza = world.stanza(from, "A");
    stanza.attrs.retain(|(key, _)| key != "from");
    stanza
        .jid("from", jid(chat))
        .jid("participant", jid(participant))
        .child(pairwise)
        .child(skmsg)
}

fn direct(world: &mut World, from: &mut Device, content: &[u8]) -> Node {
    let enc = world.seal(from, content);
    world.stanza(from, "A").child(enc)
}

/// A device of our own account says what it sent to `to`.
fn copy(to: &str) -> Vec<u8> {
    message(&json!({"deviceSentMessage": {
        "destinationJid": to,
        "message": {"conversation": "hi"},
    }}))
}

/// Who writes, how, and what we answer.
type Row = (
    &'static str,
    &'static str,
    fn(&mut World, &mut Device) -> Node,
    &'static [&'static str],
);

const LIST: &str = "77@broadcast";
const COMPANION: &str = "900100001:2@lid";
const PN: &str = "4915550001@s.whatsapp.net";
const NEWSLETTER: &str = "120363999@newsletter";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("from others", ALICE,
        |world, from| direct(world, from, &text()),
        &["receipt id=A to=100000000000001:3@lid type=inactive"]),
    ("in a group", ALICE,
        |world, from| in_group(world, from, GROUP, ALICE),
        &["receipt id=A participant=100000000000001:3@lid to=120363001@g.us type=inactive"]),
    ("through a broadcast list", ALICE,
        |world, from| in_group(world, from, LIST, ALICE),
        &["receipt id=A participant=100000000000001:3@lid to=77@broadcast type=inactive"]),
    ("a status", ALICE,
        |world, from| in_group(world, from, STATUS, ALICE),
        &["receipt context=status id=A participant=100000000000001:3@lid to=status@broadcast type=inactive"]),
    ("a status under its own tag", ALICE,
        |world, from| {
            let mut stanza = in_group(world, from, STATUS, ALICE);
            stanza.tag = "status".into();
            stanza
        },
        &["ack class=status from=15550100001:5@s.whatsapp.net id=A participant=100000000000001:3@lid to=status@broadcast type=text",
          "receipt context=status id=A participant=100000000000001:3@lid to=status@broadcast type=inactive"]),
    ("of another own device", COMPANION,
        |world, from| direct(world, from, &copy("100000000000001@lid")).jid("recipient", jid("100000000000001@lid")),
        &["receipt id=A recipient=100000000000001@lid to=900100001:2@lid type=sender"]),
    ("of another own device in a group", COMPANION,
        |world, from| in_group(world, from, GROUP, COMPANION),
        &["receipt id=A participant=900100001:2@lid to=120363001@g.us type=sender"]),
    ("of the own phone to this device", PHONE,
        |world, from| direct(world, from, &text()).attr("category", "peer"),
        &["receipt id=A to=15550100001@s.whatsapp.net type=peer_msg"]),
    ("of the own phone by LID, about the app", "900100001@lid",
        |world, from| {
            let told = message(&json!({"protocolMessage": {"type": "APP_STATE_FATAL_EXCEPTION_NOTIFICATION"}}));
            direct(world, from, &told).attr("category", "peer")
        },
        &["receipt id=A to=15550100001@s.whatsapp.net type=peer_msg",
          "receipt id=A to=900100001@lid type=peer_msg"]),
    ("history", PHONE,
        |world, from| {
            let told = message(&json!({"protocolMessage": {
                "type": "HISTORY_SYNC_NOTIFICATION",
                "historySyncNotification": {"syncType": "NO_HISTORY"},
            }}));
            direct(world, from, &told).attr("category", "peer")
        },
        &["receipt id=A to=15550100001@s.whatsapp.net type=hist_sync",
          "receipt id=A to=15550100001@s.whatsapp.net type=peer_msg"]),
    ("in a newsletter", NEWSLETTER,
        |world, from| {
            let plain = Node::new("plaintext").bytes(text());
            world.stanza(from, "A").child(plain)
        },
        &["ack class=message from=15550100001:5@s.whatsapp.net id=A to=120363999@newsletter type=text"]),
    ("a status of a newsletter", NEWSLETTER,
        |world, from| {
            let plain = Node::new("plaintext").bytes(text());
            let mut stanza = world.stanza(from, "A").child(plain);
            stanza.tag = "status".into();
            stanza
        },
        &["ack class=status from=15550100001:5@s.whatsapp.net id=A to=120363999@newsletter type=text"]),
    ("that is for others to read", ALICE,
        |world, from| world.stanza(from, "A").child(Node::new("unavailable").attr("type", "view_once")),
        &["ack class=message from=15550100001:5@s.whatsapp.net id=A to=100000000000001:3@lid type=text"]),
    ("that is hosted elsewhere", ALICE,
        |world, from| world.stanza(from, "A").child(Node::new("unavailable").attr("hosted", "true")),
        &["ack class=message from=15550100001:5@s.whatsapp.net id=A to=100000000000001:3@lid type=text"]),
    ("that is not there", ALICE,
        |world, from| world.stanza(from, "A").child(Node::new("unavailable")),
        &["ack class=message from=15550100001:5@s.whatsapp.net id=A to=100000000000001:3@lid type=text"]),
    ("of a bot whose question is not ours", "867051314767696@bot",
        |world, from| {
            let sealed = Node::new("enc").attr("v", "2").attr("type", "msmsg").bytes([1, 2, 3]);
            let meta = Node::new("meta").attr("target_id", "Q");
            world.stanza(from, "A").children([sealed, meta])
        },
        &["ack class=message error=495 from=15550100001:5@s.whatsapp.net id=A to=867051314767696@bot type=text"]),
    ("of a kind nobody knows", ALICE,
        |world, from| {
            let enc = Node::new("enc").attr("v", "2").attr("type", "newmsg").bytes([1]);
            world.stanza(from, "A").child(enc)
        },
        &["ack class=message from=15550100001:5@s.whatsapp.net id=A to=100000000000001:3@lid type=text"]),
    ("that is no message", ALICE,
        |world, from| direct(world, from, b"\x0a\x7f"),
        &["ack class=message error=491 from=15550100001:5@s.whatsapp.net id=A to=100000000000001:3@lid type=text {meta failure_reason=decode}"]),
];

#[test]
fn every_message_gets_the_receipt_of_its_row() {
    assert_eq!(
        OWN, "15550100001:5@s.whatsapp.net",
        "written out in the rows"
    );
    for (name, from, write, expected) in ROWS {
        let mut world = World::online();
        let mut from = world.device(from);
        let stanza = write(&mut world, &mut from);
        world.tell(&stanza);
        let mut answers = world.answers();
        answers.sort_unstable();
        assert_eq!(answers, *expected, "{name}");
    }
}

#[test]
fn a_status_that_is_gone_is_not_asked_for_again() {
    for (age, answers) in [(86_400, 2), (86_401, 1)] {
        let mut world = World::online();
        let mut from = world.device(ALICE);
        let (skmsg, _) = world.seal_group(&mut from, &text());
        let stanza = Node::new("message")
            .attr("id", "A")
            .jid("from", jid(STATUS))
            .jid("participant", jid(ALICE))
            .num("t", crate::world::NOW - age)
            .child(skmsg);
        world.tell(&stanza);
        assert_eq!(world.answers().len(), answers, "{age} s");
    }
}

/// What a device says about who is who.
fn mapping(pairs: &serde_json::Value) -> Vec<u8> {
    let payload = json!({"pnToLidMappings": pairs, "chatDbMigrationTimestamp": 5});
    let payload = Schema::load().encode("LIDMigrationMappingSyncPayload", &payload);
    message(&json!({"protocolMessage": {
        "type": "LID_MIGRATION_MAPPING_SYNC",
        "lidMigrationMappingSyncMessage": {"encodedMappingPayload": hex::encode(payload)},
    }}))
}

#[test]
fn our_own_devices_name_who_is_who_and_nobody_else_does() {
    let mut world = World::online();
    let mut phone = world.device(PHONE);
    let told = mapping(&json!([
        {"pn": 4_915_550_001_u64, "assignedLid": 7, "latestLid": 8},
        {"pn": 4_915_550_002_u64, "assignedLid": 9, "latestLid": 0},
    ]));
    let stanza = direct(&mut world, &mut phone, &told).attr("category", "peer");
    world.tell(&stanza);
    assert_eq!(world.lid_of("4915550001").as_deref(), Some("8"));
    assert_eq!(world.lid_of("4915550002").as_deref(), Some("9"));
    let mut alice = world.device(ALICE);
    let told = mapping(&json!([{"pn": 4_915_550_003_u64, "assignedLid": 7}]));
    let stanza = direct(&mut world, &mut alice, &told);
    world.tell(&stanza);
    assert_eq!(world.lid_of("4915550003"), None);
}

#[test]
fn every_second_name_in_a_message_is_learnt() {
    const PAIRS: [(&str, &str, &str); 5] = [
        ("from", ALICE, "sender_pn"),
        ("participant", ALICE, "participant_pn"),
        ("recipient", "100000000000001@lid", "peer_recipient_pn"),
        ("recipient", PN, "peer_recipient_lid"),
        ("participant", PN, "participant_lid"),
    ];
    for (name, jid_of, other) in PAIRS {
        let mut world = World::online();
        let second = if jid_of == PN {
            "100000000000001@lid"
        } else {
            PN
        };
        let mut stanza = Node::new("message").attr("id", "A");
        if name != "from" {
            stanza = stanza.jid("from", jid(if name == "recipient" { PHONE } else { GROUP }));
        }
        world.tell(&stanza.jid(name, jid(jid_of)).jid(other, jid(second)));
        let lid = world.lid_of("4915550001");
        assert_eq!(lid.as_deref(), Some("100000000000001"), "{other}");
    }
}
