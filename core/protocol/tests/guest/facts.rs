//! Facts: checked, idempotent, and never at the cost of what is known.

use sendpath_protocol::event::Event;
use sendpath_protocol::guest::Fact;
use sendpath_protocol::nct::Operation;
use sendpath_protocol::tctoken::Attach;
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::txn::{Key, Namespace, Reader};
use sendpath_protocol::wap::Node;

use crate::world::{Host, LID, NOW, PN, jid};

fn stored(host: &Host) -> usize {
    let tokens = host.events.iter();
    tokens
        .filter(|event| matches!(event, Event::TokenStored { .. }))
        .count()
}

#[test]
fn a_token_is_told_once() {
    let mut host = Host::new();
    host.gives(LID, "token", NOW);
    host.gives(LID, "token", NOW);
    assert_eq!(stored(&host), 1);
    host.gives(LID, "older", NOW - 1);
    assert_eq!(stored(&host), 1);
    assert_eq!(host.token(LID), Some(b"token".to_vec()));
    host.restart();
    assert_eq!(host.token(LID), Some(b"token".to_vec()));
}

#[test]
fn what_is_no_token_is_ignored() {
    let mut host = Host::new();
    host.gives(LID, "token", NOW);
    let rows = host.store.len();
    host.gives(LID, "", NOW + 1);
    host.gives(LID, "zero", 0);
    host.gives(LID, "before", -NOW);
    host.gives(LID, &"x".repeat(100_000), NOW + 1);
    assert_eq!(host.guest.ignored(), 4);
    host.gives("120363@g.us", "token", NOW);
    host.gives("0@s.whatsapp.net", "token", NOW);
    host.gives("4915559999@s.whatsapp.net", "token", NOW);
    assert_eq!((host.store.len(), stored(&host)), (rows, 1));
    assert_eq!(host.token(LID), Some(b"token".to_vec()));
}

#[test]
fn two_addresses_of_one_kind_are_no_mapping() {
    let mut host = Host::new();
    let rows = host.store.len();
    host.tell(Fact::Mapping(jid(LID), jid(LID)));
    host.tell(Fact::Mapping(jid(PN), jid(PN)));
    host.tell(Fact::Mapping(jid(PN), jid("120363@g.us")));
    assert_eq!((host.store.len(), host.guest.ignored()), (rows, 3));
}

#[test]
fn any_stanza_may_be_shown() {
    let mut host = Host::new();
    let rows = host.store.len();
    for tag in [
        "ack",
        "call",
        "chatstate",
        "failure",
        "ib",
        "iq",
        "message",
        "notification",
        "presence",
        "receipt",
        "stream:error",
        "xmlstreamend",
        "",
    ] {
        host.tell(Fact::Stanza(Box::new(Node::new(tag))));
        for kind in [
            "privacy_token",
            "mex",
            "server",
            "encrypt",
            "devices",
            "w:gp2",
        ] {
            host.tell(Fact::Stanza(Box::new(Node::new(tag).attr("type", kind))));
        }
    }
    assert_eq!(host.store.len(), rows);
    assert_eq!(host.events, []);
}

#[test]
fn the_login_tells_the_servers_time() {
    let mut host = Host::new();
    let success = Node::new("success").attr("t", (NOW + 70).to_string());
    host.tell(Fact::Stanza(Box::new(success)));
    assert_eq!(host.guest.clock().unix(host.clock()), UnixSeconds(NOW + 70));
    host.tell(Fact::ServerTime(UnixSeconds(NOW - 5)));
    assert_eq!(host.guest.clock().unix(host.clock()), UnixSeconds(NOW - 5));
}

#[test]
fn app_state_tells_the_salt_and_takes_it_away() {
    let mut host = Host::new();
    let mut mutate = |operation, value: &[u8]| {
        host.tell(Fact::AppState {
            index: br#"["nct_salt_sync"]"#.to_vec(),
            operation,
            value: value.to_vec(),
        });
        let attach = host.plan(LID).attach;
        (
            matches!(attach, Attach::Cstoken { .. }),
            host.guest.ignored(),
        )
    };
    // SyncActionValue { 80: { 1: "salt" } }
    let salt = [&[0x82, 0x05, 0x06, 0x0a, 0x04], b"salt".as_slice()].concat();
    assert_eq!(mutate(Operation::Set, &salt), (true, 0));
    assert_eq!(mutate(Operation::Set, b""), (true, 1), "odd, so left alone");
    assert_eq!(mutate(Operation::Remove, b""), (false, 1));
}

#[test]
fn an_issue_by_our_phone_is_kept_under_the_lid_at_once() {
    let mut host = Host::new();
    host.tell(Fact::Mapping(jid(PN), jid(LID)));
    let token = Node::new("token")
        .attr("type", "trusted_contact")
        .attr("t", NOW.to_string())
        .jid("jid", jid(PN))
        .bytes("ours");
    let copy = Node::new("notification")
        .attr("type", "privacy_token")
        .jid("from", jid("4915559999@s.whatsapp.net"))
        .child(Node::new("tokens").child(token));
    host.tell(Fact::Stanza(Box::new(copy)));
    let row = |name: &str| {
        let key = Key::new(host.guest.account_scope(), Namespace::Token, name);
        host.store.get(&key).unwrap()
    };
    assert!(row("lid:100000000000001").is_some());
    assert_eq!(row("pn:4915550001"), None);
    host.hand("1", LID);
    assert!(host.issues().is_empty(), "the phone has issued");
}

#[test]
fn damaged_rows_of_the_account_are_put_aside_and_counted_and_stop_nothing() {
    let mut host = Host::new();
    for (ns, id) in [
        (Namespace::Props, "props"),
        (Namespace::Limits, "timelock"),
        (Namespace::Limits, "capping"),
        (Namespace::Limits, "breaker"),
    ] {
        host.damage(ns, id);
    }
    host.restart();
    assert_eq!(host.guest.counters().damaged_rows, 4);
    host.hand("1", LID);
    assert_eq!(host.issues().len(), 1);
    host.restart();
    assert_eq!(host.guest.counters().damaged_rows, 0);
}
