//! Messages that must be written again, and messages between two clients.

use prost::Message as _;
use sendpath_model_server::{Command, Reply};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::pb::Message;
use sendpath_protocol::prekeys::fetch;
use sendpath_protocol::usync;
use sendpath_protocol::wap::Node;

use crate::client::{Client, NOW, order, server, violations};

const PEER: &str = r#"{"cmd":"add_peer","pn":"4915550001","lid":"1001","aliases":["49015550001"]}"#;

fn text(text: &str) -> Vec<u8> {
    let message = Message {
        conversation: Some(text.into()),
        ..Message::default()
    };
    message.encode_to_vec()
}

/// A message to one device, as a resend when `count` is given.
fn message(client: &mut Client, id: &str, to: &Jid, body: &str, count: Option<u32>) -> Node {
    let sealed = client.seal(to, &text(body));
    let account = client.device.paired().unwrap().account.clone();
    let enc = Node::new("enc")
        .attr("v", "2")
        .attr("type", sealed.kind.as_str())
        .maybe("count", count.map(|count| count.to_string()))
        .bytes(sealed.bytes);
    Node::new("message")
        .attr("id", id.to_owned())
        .attr("type", "text")
        .jid("to", to.clone())
        .child(enc)
        .child(Node::new("device-identity").bytes(account))
}

fn accepted(client: &mut Client, id: &str) {
    loop {
        let ack = client.expect("ack");
        if ack.is("id", id) && ack.is("class", "message") {
            assert_eq!(ack.text("error"), None);
            return;
        }
    }
}

#[test]
fn a_device_that_lost_its_session_reads_the_resend() {
    let server = server();
    order(&server, PEER);
    let mut client = Client::linked(&server, 1);
    let peer = Jid::lid("1001");
    let first = message(&mut client, "A", &peer, "again", None);
    client.send(&first);
    accepted(&mut client, "A");
    let delivered = client.expect("receipt");
    client.acknowledge(&delivered);
    order(
        &server,
        r#"{"cmd":"retry_request","peer":"1001","id":"A","count":2}"#,
    );
    let receipt = client.expect("receipt");
    assert!(receipt.is("type", "retry"));
    let keys = fetch::from_receipt(&receipt).unwrap();
    client.start_session(&peer, keys);
    let resend = message(&mut client, "A", &peer, "again", Some(2));
    client.send(&resend);
    accepted(&mut client, "A");
    client.acknowledge(&receipt);
    let Reply::Received { messages } = server.control(Command::Received { peer: None }) else {
        panic!("no messages");
    };
    let last = messages.last().unwrap();
    assert_eq!((last.text.as_deref(), last.retry), (Some("again"), Some(2)));
    assert_eq!((&last.error, last.duplicate), (&None, false));
    assert_eq!(violations(&server), [""; 0]);
}

#[test]
fn a_damaged_ciphertext_is_asked_for_again() {
    let server = server();
    order(&server, PEER);
    let mut client = Client::linked(&server, 1);
    let peer = Jid::lid("1001");
    let mut broken = message(&mut client, "A", &peer, "x", None);
    if let sendpath_protocol::wap::Content::Nodes(nodes) = &mut broken.content
        && let sendpath_protocol::wap::Content::Bytes(bytes) = &mut nodes[0].content
    {
        let last = bytes.len() - 12;
        bytes[last] ^= 1;
    }
    client.send(&broken);
    let receipt = client.expect("receipt");
    assert!(receipt.is("type", "retry") && receipt.is("from", "1001@lid"));
    assert!(receipt.find("retry").unwrap().is("count", "1"));
}

#[test]
fn a_peer_writes_again_with_the_keys_of_a_retry_receipt() {
    let server = server();
    order(&server, PEER);
    let mut client = Client::linked(&server, 1);
    order(
        &server,
        r#"{"cmd":"peer_send","peer":"1001","text":"hi","id":"M"}"#,
    );
    let first = client.expect("message");
    let keys = client.retry_keys();
    let registration = client.device.registration_id.to_be_bytes();
    let retry = Node::new("retry")
        .attr("v", "1")
        .attr("count", "2")
        .attr("id", "M")
        .num("t", NOW);
    let receipt = Node::new("receipt")
        .attr("id", "M")
        .attr("type", "retry")
        .jid("to", first.address("from").unwrap())
        .children([retry, Node::new("registration").bytes(registration), keys]);
    client.send(&receipt);
    let again = client.expect("message");
    assert!(again.is("id", "M") && again.find("enc").unwrap().is("count", "2"));
    let plain = client.unseal(&again);
    assert_eq!(
        Message::decode(&*plain).unwrap().conversation.as_deref(),
        Some("hi")
    );
    assert_eq!(violations(&server), [""; 0]);
}

#[test]
fn a_lost_ack_and_a_resend_make_one_delivery() {
    let server = server();
    order(&server, PEER);
    let mut client = Client::linked(&server, 1);
    order(&server, r#"{"cmd":"drop_connection","when":"before_ack"}"#);
    let stanza = message(&mut client, "A", &Jid::lid("1001"), "once", None);
    client.send(&stanza);
    while client.next().is_some() {}
    client.login(&server);
    client.send(&stanza);
    accepted(&mut client, "A");
    let Reply::Messages { messages } = server.control(Command::Messages) else {
        panic!("no messages");
    };
    let resends: Vec<_> = messages.iter().map(|m| m.resend).collect();
    assert_eq!(resends, [false, true]);
    let Reply::Received { messages } = server.control(Command::Received { peer: None }) else {
        panic!("no messages");
    };
    assert_eq!(messages.len(), 1);
}

#[test]
fn two_clients_write_to_each_other() {
    let server = server();
    let mut alice = Client::linked(&server, 1);
    let mut bob = Client::linked_as(&server, 2, "4915550002", "1002");
    let to = Jid::device("1002", 1, sendpath_protocol::jid::Server::Lid);
    let sealed = alice.seal(&to, &text("hello bob"));
    let account = alice.device.paired().unwrap().account.clone();
    let enc = Node::new("enc")
        .attr("v", "2")
        .attr("type", sealed.kind.as_str())
        .bytes(sealed.bytes);
    let participant = Node::new("to").jid("jid", to).child(enc);
    let stanza = Node::new("message")
        .attr("id", "A")
        .attr("type", "text")
        .jid("to", Jid::lid("1002"))
        .child(Node::new("participants").child(participant))
        .child(Node::new("device-identity").bytes(account));
    alice.send(&stanza);
    accepted(&mut alice, "A");
    let message = bob.expect("message");
    assert_eq!(message.text("from").unwrap(), "900100001:1@lid");
    let plain = bob.unseal(&message);
    assert_eq!(
        Message::decode(&*plain).unwrap().conversation.as_deref(),
        Some("hello bob")
    );
    bob.acknowledge(&message);
}

#[test]
fn usync_gives_devices_a_signed_list_and_the_lid_of_another_spelling() {
    let server = server();
    order(&server, PEER);
    order(&server, r#"{"cmd":"add_device","peer":"1001"}"#);
    let mut client = Client::linked(&server, 1);
    let query = client.with_rng(|rng| usync::device_queries(rng, &[Jid::lid("1001")]).remove(0));
    let answer = usync::Answer::parse(&client.ask(query)).unwrap();
    let (_, list) = answer.lists().next().unwrap();
    assert_eq!(list.devices.len(), 2);
    assert!(list.key_indexes.is_some());
    let query = client.with_rng(|rng| usync::lid_queries(rng, &["49015550001", "4999"]).remove(0));
    let answer = usync::Answer::parse(&client.ask(query)).unwrap();
    let found = answer.by_number("49015550001").unwrap();
    assert_eq!(found.lid, Some(Jid::lid("1001")));
    assert!(found.contact.as_ref().unwrap().registered);
    assert!(!answer.by_number("4999").is_some_and(|user| {
        user.contact
            .as_ref()
            .is_some_and(|contact| contact.registered)
    }));
}
