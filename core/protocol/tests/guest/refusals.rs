//! What an ack meant, and what answers nobody waits for do: nothing.

use sendpath_protocol::event::Event;
use sendpath_protocol::guest::{Fact, WorkEnd};
use sendpath_protocol::tctoken::policy::MessageKind;
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::verdict::{Attached, Cause, Next, WhyNot};
use sendpath_protocol::wap::{self, Node};

use crate::world::{Host, LID, NOW, OTHER, id, jid, timelock};

#[test]
fn refusals_of_the_moment_share_one_pull_and_each_gets_its_cause() {
    let mut host = Host::new();
    for number in 0..20 {
        host.hand(&format!("M{number}"), &format!("1000{number}@lid"));
    }
    for number in 0..20 {
        host.ack(&format!("M{number}"), Some(463));
    }
    let pulls = host.pulls();
    assert_eq!(pulls.len(), 1);
    assert_eq!(host.settled(), []);
    host.done(pulls[0].id, timelock(true, NOW + 500));
    let settled = host.settled();
    assert_eq!(settled.len(), 20);
    for (number, refusal) in settled.into_iter().enumerate() {
        assert_eq!(refusal.id, Some(id(&format!("M{number}"))));
        assert_eq!(refusal.cause, Cause::AccountTimelocked);
        assert_eq!(refusal.code, Some(463));
        assert_eq!(refusal.attached, Attached::Nothing(WhyNot::NeverReceived));
        assert_eq!(refusal.next(), Next::WaitUntil(UnixSeconds(NOW + 500)));
    }
}

#[test]
fn a_pull_that_is_lost_leaves_the_cause_open() {
    let mut lost = [Host::new(), Host::new(), Host::new(), Host::new()];
    for (way, host) in lost.iter_mut().enumerate() {
        host.hand("A", LID);
        host.ack("A", Some(463));
        let pull = host.pulls().remove(0);
        match way {
            0 => host.done(pull.id, WorkEnd::Lost),
            1 => host.tell(Fact::Disconnected),
            2 => host.tell(Fact::Stop),
            _ => {
                host.pass(80);
                host.tell(Fact::Tick);
            }
        }
        let settled = host.settled();
        assert_eq!(settled.len(), 1, "way {way}");
        assert_eq!(settled[0].cause, Cause::Undetermined463, "way {way}");
    }
}

#[test]
fn a_token_that_comes_after_the_refusal_names_the_message() {
    let mut host = Host::new();
    host.hand("A", LID);
    host.ack("A", Some(463));
    let pull = host.pulls().remove(0);
    host.done(pull.id, timelock(false, 0));
    assert_eq!(host.settled()[0].next(), Next::AskContactToWrite);
    host.gives(LID, "token", NOW);
    let named = host.events.iter().any(|event| match event {
        Event::MayRetry { ids, .. } => *ids == [id("A")],
        _ => false,
    });
    assert!(named, "{:?}", host.events);
}

#[test]
fn scenario_59_answers_that_nobody_waits_for_change_nothing() {
    let mut host = Host::new();
    host.hand("A", LID);
    host.ack("A", Some(463));
    let pull = host.pulls().remove(0);
    host.done(pull.id, timelock(false, 0));
    host.gives(LID, "token", NOW);
    host.events.clear();
    let before = (host.store.clone(), host.work(), host.plan(LID));
    let ignored = host.guest.ignored();

    host.ack("unknown", Some(463));
    host.ack("unknown", None);
    host.ack("A", Some(463));
    host.ack("A", None);
    host.done(pull.id, timelock(true, NOW + 500));
    host.done(u64::MAX, WorkEnd::Taken);
    let late = Node::new("iq")
        .attr("id", pull.iq_id)
        .attr("type", "result");
    host.tell(Fact::Stanza(Box::new(late)));
    assert_eq!(host.guest.ignored(), ignored + 7);
    host.gives(LID, "token", NOW);
    host.tell(Fact::Receipt(vec![id("nobody")]));
    let strange = Node::new("iq").attr("id", "sp-x-7").attr("type", "result");
    host.tell(Fact::Stanza(Box::new(strange)));

    assert_eq!(host.events, []);
    let after = (host.store.clone(), host.work(), host.plan(LID));
    assert_eq!((after.1, after.2), (before.1, before.2));
    assert_eq!(format!("{:?}", after.0), format!("{:?}", before.0));
}

#[test]
fn a_message_id_is_free_again_once_it_is_answered() {
    let mut host = Host::new();
    host.hand("A", LID);
    host.ack("A", None);
    host.hand("A", LID);
    host.ack("A", Some(400));
    assert_eq!(host.settled().len(), 1);
}

#[test]
fn raw_stanzas_tell_the_same_as_typed_facts() {
    let mut host = Host::new();
    let ack = |message: &str, error: Option<&'static str>| {
        let ack = Node::new("ack")
            .attr("class", "message")
            .attr("id", message.to_owned())
            .jid("from", jid(LID));
        match error {
            Some(error) => ack.attr("error", error),
            None => ack,
        }
    };
    host.hand("A", LID);
    host.hand("B", LID);
    host.tell(Fact::Stanza(Box::new(ack("B", None))));
    host.tell(Fact::Stanza(Box::new(ack("A", Some("463")))));
    let pull = host.pulls().remove(0);
    let WorkEnd::Json(json) = timelock(true, NOW + 500) else {
        panic!("it is JSON");
    };
    let answer = Node::new("iq")
        .attr("id", pull.iq_id)
        .attr("type", "result")
        .child(Node::new("result").bytes(json));
    let received = wap::decode(&wap::encode(&answer)).unwrap();
    host.tell(Fact::Stanza(Box::new(received)));
    assert_eq!(host.settled()[0].cause, Cause::AccountTimelocked);
    assert_eq!(host.pulls(), []);
}

#[test]
fn an_ack_of_something_else_is_not_the_messages() {
    let mut host = Host::new();
    host.hand("A", LID);
    let receipt = Node::new("ack")
        .attr("class", "receipt")
        .attr("id", "A")
        .attr("error", "463");
    host.tell(Fact::Stanza(Box::new(receipt)));
    assert_eq!(host.pulls(), []);
    host.ack("A", Some(463));
    assert_eq!(host.pulls().len(), 1);
}

#[test]
fn an_accepted_first_message_closes_the_breaker() {
    let mut host = Host::new();
    let mut number = 0;
    let mut refuse = |host: &mut Host| {
        number += 1;
        let (message, to) = (format!("R{number}"), format!("2000{number}@lid"));
        if host.plan(&to).refusal.is_some() {
            return false;
        }
        host.hand(&message, &to);
        host.ack(&message, Some(463));
        if let Some(pull) = host.pulls().first() {
            host.done(pull.id, timelock(false, 0));
        }
        host.pass(120);
        true
    };
    let mut most = 0;
    while most < 50 && refuse(&mut host) {
        most += 1;
    }
    assert!(most < 50, "it opens at some time");
    assert_eq!(host.plan(OTHER).refusal.unwrap().cause, Cause::CircuitOpen);

    let mut host = Host::new();
    for _ in 0..2 {
        for _ in 0..most - 1 {
            assert!(refuse(&mut host));
        }
        host.hand("ok", OTHER);
        host.ack("ok", None);
    }
    assert_eq!(host.plan(OTHER).refusal, None);
}

#[test]
fn memory_for_messages_without_an_answer_is_bounded() {
    let mut host = Host::new();
    host.hand("first", LID);
    for number in 0..5_000 {
        host.tell(Fact::Handed {
            id: id(&format!("M{number}")),
            to: jid("120363@g.us"),
            kind: MessageKind::Content,
        });
    }
    host.ack("first", Some(463));
    assert_eq!(host.settled(), [], "forgotten");
    host.ack("M4999", Some(479));
    assert_eq!(host.settled().len(), 1);
}
