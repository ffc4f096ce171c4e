//! Sending: delivery, gates, limits, duplicates and the rules of the stanza.

use prost::Message as _;
use sendpath_model_server::{Judged, ModelServer, Received, Reply};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::pb::{DeviceSentMessage, Message};
use sendpath_protocol::wap::Node;

use crate::client::{Client, NOW, order, server, violations};

const PEER: &str = r#"{"cmd":"add_peer","pn":"4915550001","lid":"1001","devices":2}"#;

fn text(text: &str) -> Vec<u8> {
    let message = Message {
        conversation: Some(text.into()),
        ..Message::default()
    };
    message.encode_to_vec()
}

fn own_copy(to: &str, inner: &[u8]) -> Vec<u8> {
    let message = Message {
        device_sent_message: Some(DeviceSentMessage {
            destination_jid: Some(to.into()),
            message: Some(inner.to_vec()),
            phash: None,
        }),
        ..Message::default()
    };
    message.encode_to_vec()
}

/// A text to LID 1001, its two devices and the own phone.
fn message(client: &mut Client, id: &str, body: &str) -> Node {
    let own = client
        .device
        .paired()
        .unwrap()
        .lid
        .clone()
        .unwrap()
        .account();
    let body = text(body);
    let copy = own_copy("1001@lid", &body);
    let mut participants = Node::new("participants");
    for (jid, plain) in [
        (Jid::lid("1001"), &body),
        (Jid::lid("1001").with_device(1), &body),
        (own, &copy),
    ] {
        let sealed = client.seal(&jid, plain);
        let enc = Node::new("enc")
            .attr("v", "2")
            .attr("type", sealed.kind.as_str())
            .bytes(sealed.bytes);
        participants.push(Node::new("to").jid("jid", jid).child(enc));
    }
    let account = client.device.paired().unwrap().account.clone();
    Node::new("message")
        .attr("id", id.to_owned())
        .attr("type", "text")
        .jid("to", Jid::lid("1001"))
        .child(participants)
        .child(Node::new("device-identity").bytes(account))
}

fn ack(client: &mut Client, id: &str) -> Option<u16> {
    loop {
        let ack = client.expect("ack");
        if ack.is("class", "message") && ack.is("id", id) {
            assert_eq!(ack.number("t"), Some(NOW));
            return ack.number("error");
        }
    }
}

fn received(server: &ModelServer) -> Vec<Received> {
    match order(server, r#"{"cmd":"received"}"#) {
        Reply::Received { messages } => messages,
        other => panic!("{other:?}"),
    }
}

fn judged(server: &ModelServer) -> Vec<Judged> {
    match order(server, r#"{"cmd":"messages"}"#) {
        Reply::Messages { messages } => messages,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_text_reaches_every_device_and_the_own_phone() {
    let server = server();
    order(&server, PEER);
    let mut client = Client::linked(&server, 1);
    let stanza = message(&mut client, "A", "hello");
    client.send(&stanza);
    assert_eq!(ack(&mut client, "A"), None);
    let seen: Vec<_> = received(&server)
        .into_iter()
        .map(|r| (r.peer, r.device, r.text.unwrap(), r.destination, r.error))
        .collect();
    let hello = || String::from("hello");
    assert_eq!(
        seen,
        [
            ("4915550001".into(), 0, hello(), None, None),
            ("4915550001".into(), 1, hello(), None, None),
            (
                "15550100001".into(),
                0,
                hello(),
                Some("1001@lid".into()),
                None
            ),
        ]
    );
    assert_eq!(violations(&server), [""; 0]);
}

#[test]
fn delivery_receipts_come_from_each_device() {
    let server = server();
    order(&server, PEER);
    let mut client = Client::linked(&server, 1);
    let stanza = message(&mut client, "A", "hello");
    client.send(&stanza);
    let mut from: Vec<_> = (0..2)
        .map(|_| {
            let receipt = client.expect("receipt");
            client.acknowledge(&receipt);
            receipt.text("from").unwrap().into_owned()
        })
        .collect();
    from.sort_unstable();
    assert_eq!(from, ["1001:1@lid", "1001@lid"]);
    order(&server, r#"{"cmd":"wait_for","condition":{"answered":{}}}"#);
    assert_eq!(violations(&server), [""; 0]);
}

#[test]
fn the_same_bytes_are_delivered_once() {
    let server = server();
    order(&server, PEER);
    let mut client = Client::linked(&server, 1);
    let stanza = message(&mut client, "A", "hello");
    for resend in [false, true] {
        client.send(&stanza);
        assert_eq!(ack(&mut client, "A"), None);
        assert_eq!(judged(&server).last().unwrap().resend, resend);
    }
    assert_eq!(received(&server).len(), 3);
    assert_eq!(violations(&server), [""; 0]);
}

#[test]
fn a_message_key_used_twice_is_noticed() {
    let server = server();
    order(&server, PEER);
    let mut client = Client::linked(&server, 1);
    let first = message(&mut client, "A", "hello");
    client.send(&first);
    assert_eq!(ack(&mut client, "A"), None);
    let rows = client.save();
    for (id, body) in [("B", "one"), ("C", "another")] {
        client.restore(&rows);
        let stanza = message(&mut client, id, body);
        client.send(&stanza);
        ack(&mut client, id);
    }
    let rules = violations(&server);
    assert_eq!(rules, ["message_key_reused"; 3]);
}

#[test]
fn a_token_gate_opens_for_the_token_that_was_issued() {
    let server = server();
    order(&server, PEER);
    order(
        &server,
        r#"{"cmd":"set_gate","peer":"1001","gate":"token"}"#,
    );
    let mut client = Client::linked(&server, 1);
    let cold = message(&mut client, "A", "cold");
    client.send(&cold);
    assert_eq!(ack(&mut client, "A"), Some(463));
    let issue = r#"{"cmd":"issue_token","peer":"1001","bytes":"0102"}"#;
    order(&server, issue);
    let pushed = client.expect("notification");
    client.acknowledge(&pushed);
    let token = &pushed.find("tokens").unwrap().nodes()[0];
    assert_eq!(token.payload(), Some(&[1, 2][..]));
    assert_eq!(pushed.text("sender_lid").unwrap(), "1001@lid");
    let warm = message(&mut client, "B", "warm");
    client.send(&warm.child(Node::new("tctoken").bytes([1, 2])));
    assert_eq!(ack(&mut client, "B"), None);
    let wrong = message(&mut client, "C", "wrong");
    client.send(&wrong.child(Node::new("tctoken").bytes([9])));
    assert_eq!(ack(&mut client, "C"), Some(463));
    assert_eq!(violations(&server), ["token_unknown"]);
}

#[test]
fn limits_refuse_cold_chats_and_are_told_on_request() {
    let server = server();
    order(&server, PEER);
    let mut client = Client::linked(&server, 1);
    let until = NOW + 600;
    order(
        &server,
        &format!(
            r#"{{"cmd":"set_timelock","active":true,"until":{until},"kind":"DEFAULT","push":true}}"#
        ),
    );
    let pushed = client.expect("notification");
    assert!(pushed.is("type", "mex"));
    client.acknowledge(&pushed);
    let stanza = message(&mut client, "A", "cold");
    client.send(&stanza);
    assert_eq!(ack(&mut client, "A"), Some(463));
    let query = Node::new("query")
        .attr("query_id", "23983697327930364")
        .bytes(r#"{"variables":{}}"#);
    let iq = Node::new("iq")
        .attr("xmlns", "w:mex")
        .attr("type", "get")
        .jid("to", Jid::whatsapp())
        .child(query);
    let answer = client.ask(iq);
    let body = answer.find("result").unwrap().payload().unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(body.contains(&until.to_string()), "{body}");
    order(&server, r#"{"cmd":"advance_time","seconds":600}"#);
    order(&server, r#"{"cmd":"nack_next","code":475}"#);
    for expected in ["475", ""] {
        let stanza = message(&mut client, expected, "later");
        client.send(&stanza);
        let ack = client.expect("ack");
        assert_eq!(ack.text("error").unwrap_or_default(), expected);
    }
}

#[test]
fn issuing_gives_an_empty_result_and_is_remembered() {
    let server = server();
    order(&server, PEER);
    let mut client = Client::linked(&server, 1);
    let token = Node::new("token")
        .jid("jid", Jid::lid("1001"))
        .num("t", NOW)
        .attr("type", "trusted_contact");
    let iq = Node::new("iq")
        .attr("xmlns", "privacy")
        .attr("type", "set")
        .jid("to", Jid::whatsapp())
        .child(Node::new("tokens").child(token));
    let answer = client.ask(iq);
    assert!(answer.is("type", "result") && answer.nodes().is_empty());
    let Reply::Issued { issued } = order(&server, r#"{"cmd":"issued","peer":"4915550001"}"#) else {
        panic!("no issues");
    };
    assert_eq!((issued.len(), issued[0].t), (1, NOW));
}

#[test]
fn a_namespace_mix_is_refused() {
    let server = server();
    order(&server, PEER);
    let mut client = Client::linked(&server, 1);
    let mut stanza = message(&mut client, "A", "mixed");
    stanza = stanza.jid("to", Jid::pn("4915550001"));
    client.send(&stanza);
    assert_eq!(ack(&mut client, "A"), Some(400));
    assert_eq!(violations(&server), ["mixed_namespaces"]);
}

#[test]
fn a_device_left_out_shows_as_a_hash() {
    let server = server();
    order(&server, PEER);
    let mut client = Client::linked(&server, 1);
    let stanza = message(&mut client, "A", "all");
    client.send(&stanza);
    assert_eq!(client.expect("ack").text("phash"), None);
    order(
        &server,
        r#"{"cmd":"add_device","peer":"1001","announce":false}"#,
    );
    let stanza = message(&mut client, "B", "one is missing");
    client.send(&stanza);
    assert!(client.expect("ack").text("phash").is_some());
}
