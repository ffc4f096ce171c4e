//! Tokens and refusals: what a 463 was, and that nothing is ever sent again.

use sendpath_e2e::{ALICE, BOB, World, attached, outcome};
use sendpath_model_server::{Command, Condition, Gate};
use sendpath_protocol::event::Event;
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::verdict::{Attached, Cause, Next, Outcome};

/// A long time from now.
const LATER: i64 = 4_102_444_800;

fn lock(until: Option<i64>, push: bool) -> Command {
    let kind = Some("RESTRICT_ALL_COMPANIONS".into());
    Command::SetTimelock {
        account: None,
        active: true,
        until,
        kind,
        push,
    }
}

#[test]
fn a_pushed_token_opens_the_chat() {
    let world = World::linked();
    world.add(ALICE, Gate::Token);
    let token = world.give_token(ALICE, None);
    assert!(matches!(
        attached(world.send(ALICE.0, "hello")),
        Attached::Tctoken { .. }
    ));
    assert_eq!(world.judged()[0].tctoken.as_deref(), Some(&*token));
    world.no_violations();
}

#[test]
fn a_missing_token_is_explained_and_the_message_is_not_sent_again() {
    let world = World::settled("memory:");
    world.add(ALICE, Gate::Token);
    let refusal = world.refused(ALICE.0, "hello");
    assert_eq!(
        (refusal.cause, refusal.code),
        (Cause::ColdRefused, Some(463))
    );
    assert_eq!(refusal.next(), Next::AskContactToWrite);
    assert_eq!(world.judged().len(), 1);
    world.no_violations();
}

#[test]
fn a_new_link_calls_nobody_cold_because_tokens_may_still_come() {
    let world = World::linked();
    world.add(ALICE, Gate::Token);
    let refusal = world.refused(ALICE.0, "hello");
    assert_eq!(
        (refusal.cause, refusal.next()),
        (Cause::TokenMissingWarm, Next::AskContactToWrite)
    );
    world.no_violations();
}

#[test]
fn scenario_48_a_token_that_arrives_later_names_the_messages_it_may_help() {
    let world = World::linked();
    world.add(ALICE, Gate::Token);
    let refusal = world.refused(ALICE.0, "hello");
    world.issue(ALICE, None);
    let ids = world.event(|event| match event {
        Event::MayRetry { ids, .. } => Some(ids.clone()),
        _ => None,
    });
    assert_eq!(ids, [refusal.id.unwrap()]);
    assert!(matches!(
        attached(world.send(ALICE.0, "hello again")),
        Attached::Tctoken { .. }
    ));
    world.no_violations();
}

#[test]
fn a_known_lock_refuses_strangers_here_and_lets_known_contacts_pass() {
    let world = World::linked();
    world.add(ALICE, Gate::Token);
    world.add(BOB, Gate::Open);
    world.give_token(ALICE, None);
    world.send(ALICE.0, "before the lock");
    world.order(lock(Some(LATER), true));
    world.event(|event| matches!(event, Event::TimelockChanged { active: true, .. }).then_some(()));
    world.wait_for(Condition::Answered { account: None });
    let before = world.for_sending();
    let refusal = world.refused(BOB.0, "hello");
    assert_eq!(
        (refusal.cause, refusal.code),
        (Cause::AccountTimelocked, None)
    );
    assert_eq!(refusal.next(), Next::WaitUntil(UnixSeconds(LATER)));
    assert_eq!(world.for_sending(), before, "zero frames");
    assert!(matches!(
        attached(world.send(ALICE.0, "hello")),
        Attached::Tctoken { .. }
    ));
    world.no_violations();
}

#[test]
fn a_lock_nobody_announced_is_found_out_at_the_refusal() {
    let world = World::linked();
    world.add(BOB, Gate::Open);
    let kind = "w:mex/query".into();
    world.wait_for(Condition::Iq { kind, count: 1 });
    world.order(lock(Some(LATER), false));
    let refusal = world.refused(BOB.0, "hello");
    assert_eq!(
        (refusal.cause, refusal.code),
        (Cause::AccountTimelocked, Some(463))
    );
    assert_eq!(refusal.until, Some(UnixSeconds(LATER)));
    world.no_violations();
}

#[test]
fn a_used_up_quota_is_told_apart() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    world.order(Command::SetCap {
        account: None,
        status: "CAPPED".into(),
        total: 50,
        used: 50,
        cycle_end: LATER,
        push: false,
    });
    let refusal = world.refused(ALICE.0, "hello");
    assert_eq!(
        (refusal.cause, refusal.code),
        (Cause::NewChatCapped, Some(475))
    );
    world.no_violations();
}

#[test]
fn other_nacks_have_their_own_causes() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    world.send(ALICE.0, "first");
    for (code, cause) in [
        (479, Cause::StanzaInvalid),
        (400, Cause::ServerRefused),
        (403, Cause::NotAllowed),
        (404, Cause::RecipientNotFound),
        (499, Cause::ServerRefused),
    ] {
        world.order(Command::NackNext {
            account: None,
            code,
            count: 1,
        });
        let refusal = world.refused(ALICE.0, "again");
        assert_eq!((refusal.cause, refusal.code), (cause, Some(code)));
    }
    assert_eq!(world.judged().len(), 6, "each was sent once");
}

#[test]
fn our_token_is_issued_once_for_a_burst_of_messages() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    let sendings: Vec<_> = (0..50)
        .map(|n| world.start(ALICE.0, &n.to_string()))
        .collect();
    for sending in &sendings {
        assert!(matches!(outcome(sending), Outcome::Accepted { .. }));
    }
    world.wait_for(Condition::Issued {
        peer: None,
        count: 1,
    });
    world.send(ALICE.0, "one more");
    assert_eq!(world.issued().len(), 1);
    assert_eq!(world.issued()[0].peer.as_deref(), Some(ALICE.0));
    world.no_violations();
}

#[test]
fn a_contact_that_wrote_is_not_called_cold() {
    let world = World::linked();
    world.add(ALICE, Gate::Token);
    world.peer_writes(ALICE, "hi");
    world.event(|event| matches!(event, Event::Message(_)).then_some(()));
    let refusal = world.refused(ALICE.0, "hello");
    assert_eq!(
        (refusal.cause, refusal.next()),
        (Cause::TokenMissingWarm, Next::AskContactToWrite)
    );
    world.no_violations();
}
