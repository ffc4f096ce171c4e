//! What a process that starts again must still know.

use sendpath_protocol::event::Event;
use sendpath_protocol::guest::Fact;
use sendpath_protocol::txn::{Namespace, Reader, Scope};
use sendpath_protocol::verdict::MessageId;

use crate::world::{Host, LID, NOW, OTHER, PN, id, jid, timelock};

fn may_retry(host: &mut Host) -> Vec<MessageId> {
    let told = std::mem::take(&mut host.events).into_iter();
    let ids = told.filter_map(|event| match event {
        Event::MayRetry { ids, .. } => Some(ids),
        _ => None,
    });
    ids.flatten().collect()
}

fn dropped(host: &mut Host) -> Vec<MessageId> {
    let told = std::mem::take(&mut host.events).into_iter();
    let ids = told.filter_map(|event| match event {
        Event::SilentDrop { ids, .. } => Some(ids),
        _ => None,
    });
    ids.flatten().collect()
}

/// A message to `to` that is refused for want of a token.
fn refuse(host: &mut Host, message: &str, to: &str) {
    host.hand(message, to);
    host.ack(message, Some(463));
    if let Some(pull) = host.pulls().first() {
        host.done(pull.id, timelock(false, 0));
    }
}

/// A locked account whose message `A` was taken by the server.
fn watched() -> Host {
    let mut host = Host::new();
    refuse(&mut host, "R", OTHER);
    host.pass(60);
    host.hand("L", OTHER);
    host.ack("L", Some(463));
    let pull = host.pulls().remove(0);
    host.done(pull.id, timelock(true, NOW + 9_000));
    host.gives(LID, "token", NOW);
    host.hand("A", LID);
    host.ack("A", None);
    host.events.clear();
    host
}

fn rows(host: &Host) -> usize {
    let slot = Scope::slot("host");
    let rows = host.store.scan(&slot, Namespace::Limits, b"", None, 9);
    rows.unwrap().len()
}

#[test]
fn scenario_48_messages_that_wait_are_named_after_a_restart_and_once() {
    let mut host = Host::new();
    refuse(&mut host, "A", PN);
    refuse(&mut host, "B", PN);
    refuse(&mut host, "C", OTHER);
    host.restart();
    host.tell(Fact::Mapping(jid(PN), jid(LID)));
    host.gives(LID, "token", NOW);
    assert_eq!(may_retry(&mut host), [id("A"), id("B")]);
    host.restart();
    host.gives(LID, "another token", NOW + 1);
    assert_eq!(may_retry(&mut host), []);
    host.gives(OTHER, "token", NOW);
    assert_eq!(may_retry(&mut host), [id("C")]);
}

#[test]
fn a_silent_drop_is_suspected_after_a_restart() {
    for restarts in [false, true] {
        let mut host = watched();
        host.pass(599);
        if restarts {
            host.restart();
        }
        host.tell(Fact::Backlog(false));
        host.tell(Fact::Tick);
        assert_eq!(dropped(&mut host), []);
        let due = host.guest.deadline().unwrap();
        assert!(due.0 <= host.mono + 1_000, "the host is woken");
        host.pass(1);
        host.tell(Fact::Tick);
        assert_eq!(dropped(&mut host), [id("A")], "restarts: {restarts}");
        host.restart();
        host.tell(Fact::Backlog(false));
        host.tell(Fact::Tick);
        assert_eq!(dropped(&mut host), []);
    }
}

#[test]
fn receipts_that_came_while_we_were_away_count() {
    for arrived in [false, true] {
        let mut host = watched();
        host.tell(Fact::Disconnected);
        host.pass(5_000);
        host.restart();
        host.tell(Fact::Backlog(true));
        host.pass(9);
        host.tell(Fact::Tick);
        assert_eq!(dropped(&mut host), [], "the backlog is still coming");
        if arrived {
            host.tell(Fact::Receipt(vec![id("A")]));
        }
        host.tell(Fact::Backlog(false));
        host.tell(Fact::Tick);
        assert_eq!(dropped(&mut host).is_empty(), arrived);
    }
}

#[test]
fn a_forgotten_account_remembers_no_message() {
    let mut host = watched();
    assert_eq!(rows(&host), 2, "one waits, one is watched");
    host.tell(Fact::Forget);
    assert_eq!(rows(&host), 0);
    host.gives(OTHER, "token", NOW);
    assert_eq!(may_retry(&mut host), []);
}

/// A contact whose token and issue are of no use any more.
fn worn_out(host: &mut Host) {
    host.props(&[(865, "604800"), (909, "4"), (996, "604800"), (997, "4")]);
    host.gives(LID, "token", NOW - 90 * 86_400);
}

#[test]
fn a_process_that_is_restarted_each_day_prunes() {
    let mut host = Host::new();
    worn_out(&mut host);
    let kept = |host: &Host| {
        let scope = host.guest.account_scope();
        let rows = host.store.scan(scope, Namespace::Token, b"", None, 9);
        rows.unwrap().len()
    };
    for hours in [8, 8, 7] {
        host.pass(hours * 3_600);
        host.restart();
        host.pass(61);
        host.tell(Fact::Tick);
        assert_eq!(kept(&host), 1, "less than a day");
    }
    host.pass(3_600);
    host.restart();
    host.tell(Fact::Tick);
    assert_eq!(kept(&host), 1, "a start is a busy time");
    host.pass(61);
    host.tell(Fact::Tick);
    assert_eq!(kept(&host), 0);
    worn_out(&mut host);
    host.pass(2);
    host.tell(Fact::Tick);
    host.pass(3_600);
    host.restart();
    host.pass(61);
    host.tell(Fact::Tick);
    assert_eq!(kept(&host), 1, "it was done today");
}
