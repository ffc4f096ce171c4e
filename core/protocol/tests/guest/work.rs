//! The list of work: the same until it is reported, gone with the connection.

use std::collections::BTreeSet;

use sendpath_protocol::guest::{Fact, WorkEnd, WorkKind};
use sendpath_protocol::wap::{self, Node};

use crate::world::{Host, LID, NOW, OTHER, PN, jid, timelock};

#[test]
fn the_list_is_the_same_until_an_entry_is_reported() {
    let mut host = Host::new();
    host.hand("A", LID);
    let work = host.work();
    assert_eq!(work.len(), 2, "props and an issue: {work:?}");
    assert_eq!(host.work(), work);
    for entry in &work {
        let iq = wap::decode(&entry.iq).unwrap();
        assert!(iq.tag == "iq" && iq.is("id", &entry.iq_id), "{entry:?}");
    }
    host.done(work[0].id, WorkEnd::Lost);
    assert_eq!(host.work(), work[1..]);
}

#[test]
fn fifty_messages_to_one_contact_issue_once() {
    let mut host = Host::new();
    for number in 0..50 {
        host.hand(&format!("M{number}"), LID);
    }
    let issues = host.issues();
    assert_eq!(issues.len(), 1);
    host.done(issues[0].id, WorkEnd::Taken);
    host.hand("again", LID);
    assert_eq!(host.issues(), []);
    assert_eq!(host.row(LID).unwrap().sender_t.unwrap().0, NOW);
    host.restart();
    host.hand("later", LID);
    assert_eq!(host.issues(), [], "it is stored");
}

#[test]
fn a_host_that_issues_by_itself_is_not_asked_to() {
    let mut host = Host::issuing();
    host.hand("A", LID);
    assert_eq!(host.issues(), []);
}

#[test]
fn issues_name_the_address_and_time_for_hosts_that_build_them() {
    let mut host = Host::new();
    host.props(&[(14303, "1")]);
    host.tell(Fact::Mapping(jid(PN), jid(LID)));
    host.hand("A", PN);
    let issue = host.issues().remove(0);
    let WorkKind::Issue { target, t } = issue.kind else {
        panic!("an issue");
    };
    assert_eq!((target, t.0), (jid(LID), NOW));
}

#[test]
fn an_issue_that_was_lost_with_the_connection_comes_back_with_the_next_message() {
    let mut host = Host::new();
    host.hand("A", LID);
    assert_eq!(host.issues().len(), 1);
    host.tell(Fact::Disconnected);
    assert_eq!(host.work(), []);
    host.hand("B", LID);
    assert_eq!(host.issues(), [], "offline");
    host.tell(Fact::Connected);
    host.hand("C", LID);
    assert_eq!(host.issues(), [], "its answer may have been lost: a pause");
    host.pass(60);
    host.hand("D", LID);
    assert_eq!(host.issues().len(), 1);
}

#[test]
fn nothing_is_issued_while_the_backlog_comes_in() {
    let mut host = Host::new();
    host.tell(Fact::Backlog(true));
    host.hand("A", LID);
    assert_eq!(host.issues(), []);
    host.tell(Fact::Backlog(false));
    host.tell(Fact::Tick);
    assert_eq!(host.issues().len(), 1);
}

#[test]
fn a_new_identity_gets_again_what_it_had() {
    let mut host = Host::new();
    host.hand("A", LID);
    let first = host.issues().remove(0);
    host.done(first.id, WorkEnd::Taken);
    host.pass(1_000);
    host.tell(Fact::IdentityChanged(jid(LID)));
    let again = host.issues().remove(0);
    assert_eq!(again.kind, first.kind, "the same time, the same address");
    host.done(again.id, WorkEnd::Taken);
    host.tell(Fact::IdentityChanged(jid(LID)));
    assert_eq!(host.issues(), [], "quiet for a while");
    host.tell(Fact::IdentityChanged(jid(OTHER)));
    assert_eq!(host.issues(), [], "it never had one");
    host.tell(Fact::IdentityChanged(jid("100000000000001:7@lid")));
    assert_eq!(host.issues(), [], "a companion");
}

#[test]
fn limits_are_asked_for_once_behind_a_login_when_the_host_ticks() {
    let mut host = Host::new();
    assert_eq!(host.pulls(), []);
    let due = host.guest.deadline().unwrap();
    host.mono = due.0;
    host.tell(Fact::Tick);
    let pulls = host.pulls();
    assert_eq!(pulls.len(), 2);
    host.tell(Fact::Tick);
    assert_eq!(host.pulls(), pulls);
    for pull in pulls {
        let WorkKind::Mex {
            query_id,
            variables,
        } = pull.kind
        else {
            panic!("a question");
        };
        let iq = wap::decode(&pull.iq).unwrap();
        let query = iq.find("query").unwrap();
        assert!(query.is("query_id", &query_id));
        assert_eq!(query.payload(), Some(variables.as_bytes()));
    }
}

#[test]
fn a_wish_during_a_question_is_answered_by_one_that_is_younger() {
    let mut host = Host::new();
    host.mono = host.guest.deadline().unwrap().0;
    host.tell(Fact::Tick);
    let first = host.pulls();
    host.tell(Fact::RefreshLimits);
    host.tell(Fact::RefreshLimits);
    assert_eq!(host.pulls(), first);
    for pull in first {
        host.done(pull.id, timelock(false, 0));
    }
    let second = host.pulls();
    assert_eq!(second.len(), 2);
    for pull in second {
        host.done(pull.id, timelock(false, 0));
    }
    assert_eq!(host.pulls(), []);
}

#[test]
fn a_stopped_guest_takes_facts_and_asks_for_nothing() {
    let mut host = Host::new();
    host.hand("A", LID);
    host.tell(Fact::Stop);
    assert_eq!(host.work(), []);
    host.tell(Fact::Connected);
    let success = Node::new("success").attr("t", NOW.to_string());
    host.tell(Fact::Stanza(Box::new(success)));
    host.hand("B", OTHER);
    host.ack("B", Some(463));
    host.pass(100);
    host.tell(Fact::Tick);
    assert_eq!(host.work(), []);
    assert_eq!(host.settled().len(), 1);
    host.gives(LID, "token", NOW);
    assert!(host.token(LID).is_some());
    host.tell(Fact::Stop);
    assert_eq!(host.guest.deadline(), None);
}

#[test]
fn a_stopped_guest_asks_for_nothing_whatever_it_is_told() {
    let mut host = Host::new();
    host.hand("A", LID);
    let issue = host.issues().remove(0);
    host.tell(Fact::Stop);
    let abprops = Node::new("notification")
        .attr("type", "server")
        .child(Node::new("abprops"));
    let facts = [
        Fact::Backlog(true),
        Fact::Backlog(false),
        Fact::Connected,
        Fact::RefreshLimits,
        Fact::IdentityChanged(jid(LID)),
        Fact::Stanza(Box::new(abprops)),
        Fact::Props(vec![(909, "26".into())]),
        Fact::Disconnected,
        Fact::Connected,
        Fact::WorkDone {
            id: issue.id,
            end: WorkEnd::Taken,
        },
        Fact::Forget,
        Fact::Backlog(false),
    ];
    for (number, fact) in facts.into_iter().enumerate() {
        host.tell(fact);
        host.hand(&format!("M{number}"), OTHER);
        host.pass(100);
        host.tell(Fact::Tick);
        assert_eq!(host.work(), [], "after fact {number}");
        assert_eq!(host.guest.deadline(), None, "after fact {number}");
    }
}

#[test]
fn what_makes_no_sense_is_counted() {
    let mut host = Host::new();
    let props = host.work().remove(0);
    let before = host.guest.ignored();
    host.done(props.id, WorkEnd::Taken);
    let ack = Node::new("ack").attr("class", "message");
    host.tell(Fact::Stanza(Box::new(ack)));
    host.tell(Fact::Mapping(jid(LID), jid(OTHER)));
    host.tell(Fact::History(vec![1, 2, 3]));
    host.gives(LID, "", NOW);
    assert_eq!(host.guest.ignored(), before + 5);
}

#[test]
fn no_number_of_work_comes_twice_in_the_life_of_a_store() {
    let mut host = Host::new();
    let mut seen = BTreeSet::new();
    for round in 0..20 {
        host.hand(&format!("M{round}"), &format!("3000{round}@lid"));
        for work in host.work() {
            assert!(seen.insert(work.id));
            assert!(work.id < 1 << 53, "exact in any language");
        }
        host.restart();
    }
    assert!(seen.len() >= 40);
}

#[test]
fn a_backlog_that_is_announced_before_the_login_counts() {
    let mut host = Host::new();
    host.tell(Fact::Disconnected);
    host.tell(Fact::Backlog(true));
    host.tell(Fact::Connected);
    host.hand("A", LID);
    assert_eq!(host.issues(), [], "the backlog comes first");
    host.pass(11);
    host.tell(Fact::Tick);
    assert_eq!(host.pulls(), []);
    host.tell(Fact::Backlog(false));
    host.tell(Fact::Tick);
    assert_eq!(host.issues().len(), 1);
    assert_eq!(host.pulls().len(), 2, "the limits, now and not later");

    host.tell(Fact::Disconnected);
    host.tell(Fact::Backlog(false));
    host.tell(Fact::Connected);
    host.tell(Fact::Tick);
    assert_eq!(host.pulls().len(), 2, "it was over already");
}
