//! Spec 10.6: the phone is asked for what no device gave us.

use sendpath_protocol::jid::Jid;
use sendpath_protocol::pb;
use sendpath_protocol::wap::Node;
use serde_json::{Value, json};

use crate::schema::{Schema, message};
use crate::world::{ALICE, Device, PHONE, World, jid};

/// A world in which there is a session with our phone.
fn world() -> (World, Device) {
    let mut world = World::online();
    let mut phone = world.device(PHONE);
    world.writes(&mut phone, "HELLO");
    world.take_sent();
    world.messages();
    (world, phone)
}

fn withheld(world: &mut World, id: &str) {
    let stanza = Node::new("message")
        .attr("id", id.to_owned())
        .jid("from", jid(ALICE))
        .attr("t", "1786074399")
        .child(Node::new("unavailable"));
    world.tell(&stanza);
}

/// The ids that the phone was asked for since the last look, question by question.
fn asked(world: &mut World, phone: &mut Device) -> Vec<Vec<String>> {
    let sent = world.take_sent();
    let questions = sent.iter().filter(|node| node.tag == "message");
    let questions = questions.map(|node| {
        assert!(node.is("to", PHONE) && node.is("category", "peer"));
        assert!(node.is("push_priority", "high_force"));
        let plain = world.unseal(phone, node.find("enc").unwrap());
        let message = <pb::Message as prost::Message>::decode(&*plain).unwrap();
        let request = message.protocol_message.unwrap();
        assert_eq!(request.r#type, Some(16));
        let request = request.peer_data_operation_request_message.unwrap();
        assert_eq!(request.peer_data_operation_request_type, Some(4));
        let keys = request.placeholder_message_resend_request.into_iter();
        let keys = keys.map(|request| request.message_key.unwrap());
        keys.map(|key| {
            assert_eq!(key.remote_jid.as_deref(), Some("100000000000001@lid"));
            assert_eq!((key.from_me, key.participant), (Some(false), None));
            key.id.unwrap()
        })
        .collect()
    });
    questions.collect()
}

/// What the phone says the message with that id is.
fn answer(id: &str) -> Vec<u8> {
    let info: Value = json!({
        "key": {"remoteJid": "100000000000001@lid", "id": id},
        "message": {"conversation": "found"},
        "messageTimestamp": 1,
        "pushName": "Alice",
    });
    let info = Schema::load().encode("WebMessageInfo", &info);
    message(&json!({"protocolMessage": {
        "type": "PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE",
        "peerDataOperationRequestResponseMessage": {
            "peerDataOperationRequestType": "PLACEHOLDER_MESSAGE_RESEND",
            "peerDataOperationResult": [
                {"placeholderMessageResendResponse": {"webMessageInfoBytes": hex::encode(info)}},
            ],
        },
    }}))
}

fn answers(world: &mut World, from: &mut Device, id: &str) -> Node {
    let enc = world.seal(from, &answer(id));
    let stanza = world.stanza(from, "ANSWER").child(enc);
    let stanza = stanza.attr("category", "peer");
    world.tell(&stanza);
    stanza
}

#[test]
fn the_phone_is_asked_once_and_its_answer_is_a_message() {
    let (mut world, mut phone) = world();
    withheld(&mut world, "A");
    withheld(&mut world, "B");
    assert_eq!(asked(&mut world, &mut phone).len(), 0, "others may join");
    world.pass(200);
    assert_eq!(asked(&mut world, &mut phone), [["A", "B"]]);
    withheld(&mut world, "A");
    world.pass(10_000);
    assert_eq!(asked(&mut world, &mut phone).len(), 0, "asked already");
    answers(&mut world, &mut phone, "A");
    let got = world.messages();
    let got = got.first().unwrap();
    assert_eq!(got.text.as_deref(), Some("found"));
    assert_eq!(got.push_name.as_deref(), Some("Alice"));
    assert_eq!((got.id.as_str(), got.sender.reveal()), ("A", ALICE.into()));
    assert_eq!(
        (got.chat.clone(), got.t.0),
        (Jid::lid("100000000000001"), 1_786_074_399)
    );
    answers(&mut world, &mut phone, "A");
    assert_eq!(world.messages(), [], "told once");
}

#[test]
fn only_our_phone_answers_and_only_what_was_asked() {
    for from in ["15550100001:2@s.whatsapp.net", ALICE] {
        let (mut world, _) = world();
        withheld(&mut world, "A");
        world.pass(200);
        let mut other = world.device(from);
        answers(&mut world, &mut other, "A");
        let texts = world.messages();
        assert!(texts.iter().all(|message| message.text.is_none()), "{from}");
    }
    let (mut world, mut phone) = world();
    answers(&mut world, &mut phone, "A");
    assert_eq!(world.messages(), []);
}

#[test]
fn a_question_has_at_most_32_messages() {
    let (mut world, mut phone) = world();
    for n in 0..40 {
        withheld(&mut world, &format!("M{n}"));
    }
    world.pass(200);
    let sizes: Vec<_> = asked(&mut world, &mut phone).iter().map(Vec::len).collect();
    assert_eq!(sizes, [32, 8]);
}

#[test]
fn what_could_not_be_read_is_asked_for_unless_it_comes_by_itself() {
    for again in [false, true] {
        let (mut world, mut phone) = world();
        let mut alice = world.device(ALICE);
        let broken = Node::new("enc")
            .attr("v", "2")
            .attr("type", "msg")
            .bytes([0x33, 1]);
        let stanza = world.stanza(&alice, "A").child(broken);
        world.tell(&stanza);
        assert!(world.answers()[0].contains("type=retry"));
        world.pass(4_900);
        if again {
            world.writes(&mut alice, "A");
            world.take_sent();
        }
        world.pass(100);
        let expected: &[[&str; 1]] = if again { &[] } else { &[["A"]] };
        assert_eq!(asked(&mut world, &mut phone), expected);
    }
}

#[test]
fn a_question_that_the_server_did_not_take_is_asked_again() {
    let (mut world, mut phone) = world();
    withheld(&mut world, "A");
    world.pass(200);
    assert_eq!(asked(&mut world, &mut phone).len(), 1);
    world.lose();
    world.connect();
    world.pass(0);
    let question = world.take_sent();
    let question = question.iter().find(|node| node.tag == "message").unwrap();
    let id = question.text("id").unwrap().into_owned();
    world.tell(&Node::new("ack").attr("class", "message").attr("id", id));
    world.lose();
    world.connect();
    world.pass(0);
    assert_eq!(asked(&mut world, &mut phone).len(), 0, "the phone has it");
    world.restart();
    world.pass(0);
    assert_eq!(
        asked(&mut world, &mut phone).len(),
        1,
        "after a restart nobody knows"
    );
}

#[test]
fn after_two_minutes_the_phone_has_nothing_to_say() {
    let (mut world, mut phone) = world();
    withheld(&mut world, "A");
    world.pass(200);
    let mut pass = |millis| {
        world.tell(&Node::new("ib"));
        world.pass(millis);
    };
    (0..12).for_each(|_| pass(10_000));
    answers(&mut world, &mut phone, "A");
    assert_eq!(world.messages(), []);
}

#[test]
fn an_answer_that_came_just_before_a_crash_is_told_by_the_next_process() {
    let (mut world, mut phone) = world();
    withheld(&mut world, "A");
    world.pass(200);
    let stanza = answers(&mut world, &mut phone, "A");
    world.restart();
    world.tell(&stanza);
    let texts: Vec<_> = world
        .messages()
        .into_iter()
        .map(|m| m.text.unwrap())
        .collect();
    assert_eq!(texts, ["found"]);
}

#[test]
fn messages_for_other_devices_only_are_not_asked_for() {
    let (mut world, mut phone) = world();
    let unavailable = || Node::new("unavailable");
    let flavours = [
        vec![unavailable().attr("type", "view_once")],
        vec![unavailable().attr("hosted", "true")],
        vec![unavailable(), Node::new("bot").attr("edit", "full")],
    ];
    for (n, children) in flavours.into_iter().enumerate() {
        let stanza = Node::new("message").attr("id", format!("M{n}"));
        world.tell(&stanza.jid("from", jid(ALICE)).children(children));
    }
    world.pass(200);
    assert_eq!(world.answers().len(), 3, "acks");
    world.pass(10_000);
    assert_eq!(asked(&mut world, &mut phone).len(), 0);
}
