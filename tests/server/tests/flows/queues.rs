//! Receiving: queues that survive connections, retries, and connections that break.

use prost::Message as _;
use sendpath_model_server::{Command, Reply};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::pb::Message;
use sendpath_protocol::wap::Node;

use crate::client::{Client, order, server, violations};

const PEER: &str = r#"{"cmd":"add_peer","pn":"4915550001","lid":"1001"}"#;

#[test]
fn a_peers_message_can_be_read() {
    let server = server();
    order(&server, PEER);
    let mut client = Client::linked(&server, 1);
    order(&server, r#"{"cmd":"peer_send","peer":"1001","text":"hi"}"#);
    let message = client.expect("message");
    assert_eq!(
        message.text("sender_pn").unwrap(),
        "4915550001@s.whatsapp.net"
    );
    let plain = client.unseal(&message);
    let body = Message::decode(&*plain).unwrap();
    assert_eq!(body.conversation.as_deref(), Some("hi"));
    client.acknowledge(&message);
    order(&server, r#"{"cmd":"wait_for","condition":{"answered":{}}}"#);
    client.acknowledge(&message);
    let waited = r#"{"cmd":"wait_for","condition":{"violations":{"count":1}}}"#;
    assert_eq!(order(&server, waited), Reply::Waited { met: true });
    assert_eq!(violations(&server), ["answered_twice"]);
}

#[test]
fn what_was_not_answered_comes_again_with_an_offline_mark() {
    let server = server();
    order(&server, PEER);
    let mut client = Client::linked(&server, 1);
    order(
        &server,
        r#"{"cmd":"peer_send","peer":"1001","text":"1","id":"M1"}"#,
    );
    let first = client.expect("message");
    assert_eq!(first.text("offline"), None);
    order(&server, r#"{"cmd":"drop_connection","when":"now"}"#);
    while client.next().is_some() {}
    order(
        &server,
        r#"{"cmd":"peer_send","peer":"1001","text":"2","id":"M2"}"#,
    );
    client.login(&server);
    let preview = client.expect("ib");
    assert!(preview.find("offline_preview").unwrap().is("count", "2"));
    for id in ["M1", "M2"] {
        let message = client.expect("message");
        assert!(message.is("id", id) && message.text("offline").is_some());
        client.acknowledge(&message);
    }
    assert!(
        client
            .expect("ib")
            .find("offline")
            .unwrap()
            .is("count", "2")
    );
    order(&server, r#"{"cmd":"wait_for","condition":{"answered":{}}}"#);
}

#[test]
fn more_than_the_primer_waits_for_the_client() {
    let server = server();
    order(&server, PEER);
    let mut client = Client::linked(&server, 1);
    order(&server, r#"{"cmd":"drop_connection","when":"now"}"#);
    while client.next().is_some() {}
    order(
        &server,
        r#"{"cmd":"wait_for","condition":{"disconnected":{}}}"#,
    );
    for n in 0..8 {
        let command = format!(r#"{{"cmd":"peer_send","peer":"1001","text":"{n}"}}"#);
        order(&server, &command);
    }
    client.login(&server);
    for _ in 0..5 {
        client.expect("message");
    }
    client.send(&Node::new("ib").child(Node::new("offline_batch").num("count", 2)));
    client.expect("message");
    client.expect("message");
    let active = Node::new("iq")
        .attr("xmlns", "passive")
        .attr("type", "set")
        .jid("to", Jid::whatsapp())
        .child(Node::new("active"));
    client.ask(active);
    client.expect("message");
    assert!(
        client
            .expect("ib")
            .find("offline")
            .unwrap()
            .is("count", "8")
    );
}

#[test]
fn a_stream_error_comes_before_the_end() {
    let server = server();
    let mut client = Client::linked(&server, 1);
    let command = r#"{"cmd":"stream_error","kind":{"code":503}}"#;
    order(&server, command);
    assert!(client.expect("stream:error").is("code", "503"));
    assert_eq!(client.next(), None);
}

#[test]
fn an_iq_can_be_refused_or_left_without_answer() {
    let server = server();
    let mut client = Client::linked(&server, 1);
    order(
        &server,
        r#"{"cmd":"iq_fault","kind":"encrypt/count","error":{"code":429,"text":"rate-overlimit","backoff":7}}"#,
    );
    let count = || {
        Node::new("iq")
            .attr("xmlns", "encrypt")
            .attr("type", "get")
            .jid("to", Jid::whatsapp())
            .child(Node::new("count"))
    };
    let refused = client.ask(count());
    assert!(refused.find("error").unwrap().is("backoff", "7"));
    assert!(client.ask(count()).is("type", "result"));
}

#[test]
fn other_addresses_than_loopback_are_refused() {
    let config = sendpath_model_server::Config {
        listen: "0.0.0.0:0".parse().unwrap(),
        ..sendpath_model_server::Config::default()
    };
    assert!(sendpath_model_server::ModelServer::start(config).is_err());
}

#[test]
fn the_server_speaks_json() {
    let server = server();
    let reply = server.control_json(PEER);
    assert_eq!(reply, r#"{"reply":"done"}"#);
    let error = server.control_json(r#"{"cmd":"what"}"#);
    assert!(error.contains(r#""reply":"error""#), "{error}");
    assert!(matches!(
        server.control(Command::Violations),
        Reply::Violations { .. }
    ));
}
