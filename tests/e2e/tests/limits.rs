//! The account's limits on the wire, and what a host can ask without sending.

use sendpath_e2e::{ALICE, BOB, MEX, NOW, Person, World, attached, outcome, store_in};
use sendpath_engine::SendOptions;
use sendpath_model_server::{Command, Condition, Config, Gate};
use sendpath_protocol::account::MaySend;
use sendpath_protocol::event::Event;
use sendpath_protocol::limits::Origin;
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::limits::snapshot::{BreakerState, TimelockState};
use sendpath_protocol::request::ForgetAccount;
use sendpath_protocol::tctoken::timeline::What;
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::verdict::{Attached, Cause, Next, Outcome, Refusal, WhyNot};

const CAROL: Person = ("4915550003", "100000000000003");

const NOTHING: Attached = Attached::Nothing(WhyNot::NeverReceived);
const KIND: &str = "RESTRICT_ALL_COMPANIONS";

/// Locks the account for that many seconds and waits until it knows.
fn lock(world: &World, seconds: i64) -> UnixSeconds {
    let until = NOW + seconds;
    world.order(Command::SetTimelock {
        account: None,
        active: true,
        until: Some(until),
        kind: Some(KIND.into()),
        push: true,
    });
    world.event(|event| matches!(event, Event::TimelockChanged { active: true, .. }).then_some(()));
    world.wait_for(Condition::Answered { account: None });
    UnixSeconds(until)
}

/// Adds a stranger that demands a token.
fn stranger(world: &World, number: usize) -> String {
    let (pn, lid) = (
        format!("4915552{number:03}"),
        format!("1000000000002{number:02}"),
    );
    world.order(Command::AddPeer {
        pn: pn.clone(),
        lid,
        devices: 1,
        gate: Gate::Token,
        aliases: Vec::new(),
    });
    pn
}

/// Refused here: nothing went to the server.
fn refused_here(world: &World, person: Person) -> Refusal {
    world.wait_for(Condition::Answered { account: None });
    let before = world.for_sending();
    let refusal = world.refused(person.0, "hello");
    assert_eq!(
        (refusal.code, world.for_sending()),
        (None, before),
        "zero frames"
    );
    refusal
}

#[test]
fn scenarios_43_and_44_a_lock_holds_over_a_restart_and_ends_with_one_question() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::at_now(&store_in(folder.path()));
    for (person, gate) in [
        (ALICE, Gate::Token),
        (BOB, Gate::Open),
        (CAROL, Gate::Token),
    ] {
        world.add(person, gate);
    }
    world.give_token(ALICE, None);
    world.give_token(CAROL, Some(1_770_854_399));
    world.send(ALICE.0, "before the lock");
    let until = lock(&world, 20);
    for person in [BOB, CAROL] {
        let refusal = refused_here(&world, person);
        assert_eq!(refusal.cause, Cause::AccountTimelocked);
        assert_eq!(refusal.next(), Next::WaitUntil(until));
    }
    let mut official = SendOptions::default();
    official.recipient = RecipientHint::Enterprise;
    let sending = world.account.send_text(BOB.0, "hello", official).unwrap();
    let Outcome::Refused(refusal) = outcome(&sending) else {
        panic!("the server knows of the lock")
    };
    assert_eq!(refusal.code, Some(463), "a business is left to the server");
    let carried = attached(world.send(ALICE.0, "under the lock"));
    assert!(matches!(carried, Attached::Tctoken { .. }));
    let asked = world.asked(MEX);
    world.restart();
    world.pulled(asked + 1);
    world.send(ALICE.0, "the answer has come");
    assert_eq!(refused_here(&world, BOB).until, Some(until));
    let asked = world.asked(MEX);
    world.pass(21);
    world.pulled(asked + 1);
    assert_eq!(attached(world.send(BOB.0, "after the lock")), NOTHING);
    world.send(BOB.0, "once more");
    assert_eq!(world.asked(MEX), asked + 1, "one question");
    world.no_violations();
}

#[test]
fn scenario_47_many_refusals_share_one_question_and_cancel_what_was_queued() {
    let world = World::settled("memory:");
    let asked = world.asked(MEX);
    world.add(ALICE, Gate::Token);
    world.give_token(ALICE, None);
    world.send(ALICE.0, "we know each other");
    world.wait_for(Condition::Issued {
        peer: None,
        count: 1,
    });
    let strangers: Vec<_> = (0..20).map(|number| stranger(&world, number)).collect();
    let sendings: Vec<_> = strangers.iter().map(|pn| world.start(pn, "hi")).collect();
    for sending in &sendings {
        let Outcome::Refused(refusal) = outcome(sending) else {
            panic!("not refused")
        };
        assert_eq!(refusal.cause, Cause::ColdRefused);
    }
    assert_eq!(world.asked(MEX), asked + 1, "one for all of them");
    assert_eq!(world.judged().len(), 21, "each was sent once");
    world.pass(10);
    world.send(ALICE.0, "what was queued would have left by now");
    world.send(ALICE.0, "and have arrived");
    let cold = world.issued().len() - 1;
    assert!(cold <= 1, "{cold} of 20 had left before the refusals");
    world.no_violations();
}

#[test]
fn scenario_51_a_question_without_an_answer_leaves_the_refusal_open_for_a_minute() {
    let world = World::settled("memory:");
    world.add(ALICE, Gate::Token);
    world.add(BOB, Gate::Open);
    let asked = world.asked(MEX);
    world.order(Command::IqFault {
        account: None,
        kind: MEX.into(),
        error: None,
        count: 1,
    });
    let sending = world.start(ALICE.0, "hello");
    world.pulled(asked + 1);
    world.pass_in_steps(2);
    let Outcome::Refused(refusal) = outcome(&sending) else {
        panic!("not refused")
    };
    let undetermined = (Cause::Undetermined463, Some(463));
    assert_eq!((refusal.cause, refusal.code), undetermined);
    let until = UnixSeconds(NOW + 30 + 60);
    assert_eq!(refusal.next(), Next::WaitUntil(until));
    world.pass_in_steps(4);
    assert_eq!(world.refused(ALICE.0, "again").cause, Cause::ColdRefused);
    assert_eq!(world.judged().len(), 2, "nothing was sent again");
    world.no_violations();
}

#[test]
fn scenario_52_a_used_up_quota_ends_with_its_cycle() {
    let mut config = Config::default();
    config.props.insert(29_369, "50".into());
    let world = World::unlinked(config, "memory:");
    world.link(Command::scan_qr);
    world.add(ALICE, Gate::Open);
    world.add(BOB, Gate::Open);
    // Behind its answer nothing of the login is on its way, which would tell the time from before.
    attached(world.send(ALICE.0, "the login is over"));
    world.pass(10);
    world.pulled(2);
    let end = NOW + 14;
    world.order(Command::SetCap {
        account: None,
        status: "CAPPED".into(),
        total: 50,
        used: 50,
        cycle_end: end,
        push: false,
    });
    let refusal = world.refused(ALICE.0, "hello");
    assert_eq!(refusal.cause, Cause::NewChatCapped);
    assert_eq!(refusal.code, Some(475));
    let known = Some(UnixSeconds(end));
    world.event(|event| match event {
        Event::CappingChanged { until, .. } => (*until == known).then_some(()),
        _ => None,
    });
    world.pass(3);
    let asked = world.asked(MEX);
    assert_eq!(refused_here(&world, BOB).until, known);
    // Both clocks count whole seconds; they may differ by one.
    world.pass(3);
    assert_eq!(attached(world.send(BOB.0, "a new cycle")), NOTHING);
    world.send(BOB.0, "once more");
    assert_eq!(world.asked(MEX), asked, "without a question");
    world.no_violations();
}

#[test]
fn three_cold_refusals_stop_the_fourth_message_here() {
    let world = World::settled("memory:");
    world.add(ALICE, Gate::Token);
    world.give_token(ALICE, None);
    attached(world.send(ALICE.0, "both names are known now"));
    world.add(BOB, Gate::Open);
    for number in 0..3 {
        let pn = stranger(&world, number);
        assert_eq!(world.refused(&pn, "hello").cause, Cause::ColdRefused);
    }
    let until = UnixSeconds(NOW + 600);
    let open = BreakerState::Open { until, times: 1 };
    assert_eq!(world.limits().breaker, open);
    let refusal = refused_here(&world, BOB);
    assert_eq!(refusal.cause, Cause::CircuitOpen);
    assert_eq!(refusal.next(), Next::WaitUntil(until));
    let carried = attached(world.send(ALICE.0, "we know each other"));
    assert!(matches!(carried, Attached::Tctoken { .. }));
    world.no_violations();
}

#[test]
fn what_may_be_sent_is_known_before_it_is_sent() {
    let world = World::settled("memory:");
    world.add(ALICE, Gate::Token);
    assert_eq!(world.may_send(ALICE.0), MaySend::Allowed(NOTHING));
    assert_eq!(world.asked("usync/usync"), 0, "not even a question");
    world.refused(ALICE.0, "hello");
    assert_eq!(world.may_send(ALICE.0), MaySend::ContactMustWrite(NOTHING));
    world.give_token(ALICE, None);
    let t = UnixSeconds(NOW);
    let with_token = MaySend::Allowed(Attached::Tctoken { t });
    assert_eq!(world.may_send(ALICE.0), with_token);
    let until = lock(&world, 3_600);
    match world.may_send(BOB.0) {
        MaySend::Blocked(refusal) => {
            assert_eq!(refusal.cause, Cause::AccountTimelocked);
            assert_eq!(refusal.until, Some(until));
        }
        other => panic!("expected a block, got {other:?}"),
    }
    assert_eq!(
        world.may_send(ALICE.0),
        with_token,
        "a lock spares contacts"
    );
    world.no_violations();
}

#[test]
fn the_story_of_a_contact_is_told_in_order() {
    let world = World::settled("memory:");
    world.add(ALICE, Gate::Token);
    world.refused(ALICE.0, "hello");
    world.give_token(ALICE, None);
    attached(world.send(ALICE.0, "hello again"));
    let told = world.explain(ALICE.0);
    let whats = told.timeline.iter().map(|entry| entry.what);
    let issued = |what: &What| matches!(what, What::Issued { .. });
    let story: Vec<_> = whats.filter(|what| !issued(what)).collect();
    let t = UnixSeconds(NOW);
    assert_eq!(story[0], What::Attached(NOTHING));
    let refused = What::Refused {
        code: Some(463),
        cause: Cause::ColdRefused,
    };
    assert_eq!(story[1], refused);
    assert!(matches!(story[2], What::Received { t: at, fresh: true, .. } if at == t));
    assert_eq!(story[3], What::Attached(Attached::Tctoken { t }));
    assert_eq!(story[4], What::Accepted);
    assert_eq!(told.token.map(|token| token.t), Some(t));
    let text = told.render(t);
    assert!(!text.contains(ALICE.0) && !text.contains(ALICE.1), "{text}");
    world.no_violations();
}

#[test]
fn limits_say_when_and_from_whom_they_are_known() {
    let world = World::settled("memory:");
    world.add(BOB, Gate::Open);
    world.send(BOB.0, "the answer to the question has come");
    let checked_at = UnixSeconds(NOW);
    let free = TimelockState::Inactive {
        checked_at,
        source: Some(Origin::Pull),
    };
    assert_eq!(world.limits().timelock, free);
    world.pass(5);
    let until = lock(&world, 3_600);
    let checked_at = UnixSeconds(NOW + 5);
    let locked = TimelockState::Active {
        kind: Some(KIND.into()),
        until,
        provisional: false,
        since: checked_at,
        checked_at,
        source: Some(Origin::Push),
    };
    assert_eq!(world.limits().timelock, locked);
    assert_eq!(world.limits().breaker, BreakerState::Closed);
    world.no_violations();
}

#[test]
fn a_forgotten_account_has_no_tokens_and_keeps_its_link() {
    let world = World::at_now("memory:");
    world.add(ALICE, Gate::Token);
    world.give_token(ALICE, None);
    attached(world.send(ALICE.0, "with a token"));
    let forget = world.account.request(ForgetAccount).unwrap();
    assert_eq!(forget.wait_blocking(None), Some(Ok(())));
    let refusal = world.refused(ALICE.0, "without");
    assert_eq!((refusal.attached, refusal.code), (NOTHING, Some(463)));
    assert_eq!(world.explain(ALICE.0).token, None);
    assert!(
        world
            .account
            .status()
            .unwrap()
            .session
            .unwrap()
            .jid
            .is_some()
    );
    world.give_token(ALICE, None);
    let carried = attached(world.send(ALICE.0, "with a new one"));
    assert!(matches!(carried, Attached::Tctoken { .. }));
    world.no_violations();
}
