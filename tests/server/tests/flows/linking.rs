//! From the first connection to a linked device, and everything that can be refused on the way.

use crate::client::{Client, order, server, violations};
use sendpath_model_server::{CertFault, Command, Reply};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::wap::Node;

#[test]
fn a_client_links_logs_in_and_uploads_its_keys() {
    let server = server();
    let client = Client::linked(&server, 1);
    assert!(client.device.paired().is_some());
    let Reply::Stats {
        prekeys, logins, ..
    } = order(&server, r#"{"cmd":"stats"}"#)
    else {
        panic!("no stats");
    };
    assert!(prekeys > 100, "{prekeys}");
    assert_eq!(logins, 1);
    assert_eq!(violations(&server), [""; 0]);
}

#[test]
fn every_certificate_fault_is_one_a_client_refuses() {
    for fault in [
        CertFault::BadIntermediateSignature,
        CertFault::BadLeafSignature,
        CertFault::Expired,
        CertFault::IntermediateExpired,
        CertFault::LeafIsNotStaticKey,
        CertFault::NotYetValid,
        CertFault::WrongIssuer,
        CertFault::WrongRoot,
    ] {
        let server = server();
        server.control(Command::CertFault { fault });
        assert!(Client::new(1).register(&server).is_err(), "{fault:?}");
    }
}

#[test]
fn an_unknown_device_is_turned_away() {
    let server = server();
    let mut client = Client::linked(&server, 1);
    order(&server, r#"{"cmd":"unlink"}"#);
    let gone = client.expect("stream:error");
    assert!(gone.find("conflict").unwrap().is("type", "device_removed"));
    client.open(&server);
    assert!(client.expect("failure").is("reason", "401"));
}

#[test]
fn a_second_login_replaces_the_first() {
    let server = server();
    let mut client = Client::linked(&server, 1);
    let mut twin = Client::new(1);
    twin.device = client.device.clone();
    twin.login(&server);
    let error = client.expect("stream:error");
    assert!(error.find("conflict").unwrap().is("type", "replaced"));
    order(
        &server,
        r#"{"cmd":"wait_for","condition":{"connected":{}}}"#,
    );
}

#[test]
fn a_temporary_ban_is_a_failure_with_its_duration() {
    let server = server();
    let mut client = Client::linked(&server, 1);
    order(
        &server,
        r#"{"cmd":"fail_login","reason":402,"code":101,"expire":3600}"#,
    );
    client.open(&server);
    let failure = client.expect("failure");
    assert!(failure.is("reason", "402") && failure.is("expire", "3600"));
    client.login(&server);
}

#[test]
fn a_foreign_code_links_nobody() {
    let server = server();
    let mut client = Client::new(1);
    client.register(&server).unwrap();
    client.expect("iq");
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let reply = server.control(Command::scan_qr(format!("2@x,{key},{key},{key},1")));
    assert!(matches!(reply, Reply::Error { .. }), "{reply:?}");
}

#[test]
fn what_is_not_known_is_answered_and_remembered() {
    let server = server();
    let mut client = Client::linked(&server, 1);
    let iq = Node::new("iq")
        .attr("xmlns", "w:new")
        .attr("type", "get")
        .jid("to", Jid::whatsapp())
        .child(Node::new("thing"));
    assert!(client.ask(iq).find("error").unwrap().is("code", "501"));
    let Reply::Texts { texts } = order(&server, r#"{"cmd":"unexpected"}"#) else {
        panic!("no texts");
    };
    assert_eq!(texts, ["iq w:new/thing"]);
}
