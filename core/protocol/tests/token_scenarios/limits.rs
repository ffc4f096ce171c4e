//! The lock, the quota, the gate in front of a send, and the diagnosis behind it.

use sendpath_protocol::event::Event;
use sendpath_protocol::limits::capping::{self, Capping, CappingProps};
use sendpath_protocol::limits::classify::{Diagnosis, Evidence, Limit, classify};
use sendpath_protocol::limits::gate::{Gate, RecipientHint, gate};
use sendpath_protocol::limits::pull::{Pull, Reason};
use sendpath_protocol::limits::timelock::{self, Phase, Timelock};
use sendpath_protocol::mex::{MexError, Update, answer};
use sendpath_protocol::tctoken::TokenEvidence;
use sendpath_protocol::tctoken::policy::{Class, MessageKind, class};
use sendpath_protocol::time::{Mono, UnixSeconds};
use sendpath_protocol::verdict::{Attached, Cause, Next, WhyNot};
use sendpath_protocol::wap::Node;

use crate::world::*;

const END: i64 = 1_786_218_427;

fn push(op: &'static str, root: &str, inner: &str) -> Update {
    let json = format!(r#"{{"data":{{"{root}":{inner}}}}}"#);
    let update = Node::new("update").attr("op_name", op).bytes(json);
    Update::parse(&Node::new("notification").child(update)).unwrap()
}

fn locked() -> Update {
    let inner = r#"{"enforcement_type":"RESTRICT_ALL_COMPANIONS","is_active":true,"time_enforcement_ends":"1786218427"}"#;
    push(timelock::PUSH, timelock::PUSH_ROOT, inner)
}

fn timelock(world: &mut World) -> Timelock {
    world
        .step(|tokens, cx| Timelock::load(&cx.txn, tokens.scope()))
        .unwrap()
}

fn capping(world: &mut World) -> Capping {
    world
        .step(|tokens, cx| Capping::load(&cx.txn, tokens.scope()))
        .unwrap()
}

/// A world whose account was just locked until [`END`].
fn locked_world() -> (World, Timelock) {
    let mut world = World::new();
    let mut lock = timelock(&mut world);
    let now = world.clock();
    world.step(|_, cx| lock.pushed(cx, &locked(), now));
    (world, lock)
}

/// Cause and end of the gate's refusal of a message to `to`.
fn refused(
    world: &mut World,
    lock: &Timelock,
    to: &str,
    hint: RecipientHint,
) -> Option<(Cause, Option<i64>)> {
    let attach = world.attach_as(to, &Default::default(), MessageKind::Content);
    let class = class(&jid(to), world.tokens.own());
    match gate(class, hint, &attach, lock.phase(world.clock()), None, None) {
        Gate::Allow => None,
        Gate::Refuse(refusal) => Some((refusal.cause, refusal.until.map(|t| t.0))),
    }
}

/// A 463 to contact A.
fn nack(attached: Attached, timelock: Limit) -> Evidence {
    Evidence {
        timelock,
        capping: Limit::Inactive,
        ..Evidence::new(463, Class::Contact, attached)
    }
}

const NOTHING: Attached = Attached::Nothing(WhyNot::NeverReceived);

#[test]
fn scenario_43_a_lock_refuses_cold_contacts_and_nobody_else() {
    let (mut world, lock) = locked_world();
    world.set_salt(&[1; 32]);
    let ordinary = RecipientHint::Ordinary;
    let stop = Some((Cause::AccountTimelocked, Some(END)));
    assert_eq!(refused(&mut world, &lock, LID, ordinary), stop);
    world.give("expired", 1_784_159_999);
    assert_eq!(refused(&mut world, &lock, LID, ordinary), stop);
    assert_eq!(
        refused(&mut world, &lock, LID, RecipientHint::Enterprise),
        None
    );
    assert_eq!(refused(&mut world, &lock, "120363@g.us", ordinary), None);
    world.give("valid", 1_784_160_000);
    assert_eq!(refused(&mut world, &lock, LID, ordinary), None);
}

#[test]
fn scenario_44_the_lock_survives_a_restart_and_its_end_asks_once() {
    let (mut world, _) = locked_world();
    let mut lock = timelock(&mut world);
    world.now = END - 1;
    assert!(refused(&mut world, &lock, LID, RecipientHint::Ordinary).is_some());
    world.now = END + 1;
    assert_eq!(
        refused(&mut world, &lock, LID, RecipientHint::Ordinary),
        None
    );
    let asked = (0..3).filter(|_| lock.tick(Mono(world.mono), world.clock()));
    assert_eq!(asked.count(), 1);
}

#[test]
fn scenario_46_locks_are_read_however_they_are_written() {
    for (inner, phase, kind) in [
        (
            r#"{"is_active":true,"time_enforcement_ends":null}"#,
            Some((NOW + 60, true)),
            None,
        ),
        (
            r#"{"is_active":true,"time_enforcement_ends":"0"}"#,
            Some((NOW + 60, true)),
            None,
        ),
        (r#"{"is_active":true}"#, Some((NOW + 60, true)), None),
        (
            r#"{"is_active":true,"time_enforcement_ends":1786218427,"enforcement_type":"NEW_KIND","more":{}}"#,
            Some((END, false)),
            Some("NEW_KIND"),
        ),
        (
            r#"{"is_active":false,"time_enforcement_ends":"1786218427"}"#,
            None,
            None,
        ),
    ] {
        let mut world = World::new();
        let mut lock = timelock(&mut world);
        let (update, now) = (
            push(timelock::PUSH, timelock::PUSH_ROOT, inner),
            world.clock(),
        );
        world.step(|_, cx| lock.pushed(cx, &update, now));
        let expected = phase.map_or(Phase::Inactive, |(until, provisional)| Phase::Active {
            until: UnixSeconds(until),
            provisional,
        });
        assert_eq!(lock.phase(now), expected, "{inner}");
        assert_eq!(lock.lock().and_then(|lock| lock.kind.as_deref()), kind);
        let asks = lock.tick(Mono(world.mono), now.plus(60));
        assert_eq!(asks, matches!(phase, Some((_, true))), "{inner}");
    }
}

#[test]
fn scenario_47_many_refusals_share_one_question_and_one_event() {
    let mut world = World::new();
    let mut lock = timelock(&mut world);
    let now = world.clock();
    let asked: Vec<_> = (0..20)
        .map(|_| lock.pull(Reason::Refused, Mono(world.mono)))
        .collect();
    assert_eq!(asked.iter().filter(|pull| **pull == Pull::Ask).count(), 1);
    let said = locked().data(timelock::PUSH_ROOT).unwrap();
    world.step(|_, cx| lock.pulled(cx, Some(&said), now));
    assert_eq!(
        lock.pull(Reason::Refused, Mono(world.mono + 1)),
        Pull::Fresh(true)
    );
    let kind = Some("RESTRICT_ALL_COMPANIONS".into());
    let until = Some(UnixSeconds(END));
    assert_eq!(
        world.events,
        [Event::TimelockChanged {
            active: true,
            until,
            kind
        }]
    );
}

#[test]
fn scenario_50_a_refused_token_without_a_lock_is_the_contacts_word() {
    let token = Attached::Tctoken {
        t: UnixSeconds(NOW),
    };
    let diagnosis = classify(&nack(token, Limit::Inactive), UnixSeconds(NOW));
    assert_eq!(
        diagnosis,
        Diagnosis {
            cause: Cause::TokenRefused,
            until: None
        }
    );
    assert_eq!(
        diagnosis.cause.next(diagnosis.until),
        Next::AskContactToWrite
    );
}

#[test]
fn scenario_51_a_failed_question_waits_a_minute() {
    let now = UnixSeconds(NOW);
    let diagnosis = classify(&nack(NOTHING, Limit::Unknown), now);
    let until = Some(now.plus(60));
    assert_eq!(
        diagnosis,
        Diagnosis {
            cause: Cause::Undetermined463,
            until
        }
    );
    let later = classify(&nack(NOTHING, Limit::Active(None)), now);
    assert_eq!(later.cause, Cause::AccountTimelocked);
}

#[test]
fn scenario_52_a_used_up_quota_ends_with_its_cycle() {
    let mut world = World::new();
    let mut quota = capping(&mut world);
    let inner = r#"{"total_quota":"50","used_quota":49,"cycle_end_timestamp":"1786218427"}"#;
    let (update, now) = (
        push(capping::PUSH, capping::PUSH_ROOT, inner),
        world.clock(),
    );
    world.step(|_, cx| {
        quota.pushed(cx, &update, now);
        quota.refused(cx, now);
    });
    let props = CappingProps::default();
    let until = UnixSeconds(END);
    assert_eq!(
        quota.capped(&props, now).map(|capped| capped.until),
        Some(until)
    );
    assert_eq!(quota.capped(&props, until.plus(1)), None);

    let evidence = Evidence {
        code: 475,
        capping: Limit::Active(Some(until)),
        ..nack(NOTHING, Limit::Inactive)
    };
    let expected = Diagnosis {
        cause: Cause::NewChatCapped,
        until: Some(until),
    };
    assert_eq!(classify(&evidence, now), expected);

    let json = r#"{"data":{"xwa2_message_capping_info":null}}"#;
    let null = Node::new("iq").child(Node::new("result").bytes(json));
    assert_eq!(answer(&null, capping::PULL_ROOT), Err(MexError::Malformed));
}

#[test]
fn scenario_54_only_463_to_a_contact_is_about_tokens() {
    let now = UnixSeconds(NOW);
    let locked = nack(NOTHING, Limit::Active(None));
    let ack = Node::new("ack").attr("error", "4631");
    let other_code = Evidence {
        code: ack.number("error").unwrap(),
        ..locked
    };
    let group = Evidence {
        class: Class::Group,
        ..locked
    };
    for evidence in [other_code, group] {
        assert_eq!(classify(&evidence, now).cause, Cause::ServerRefused);
    }
}

#[test]
fn a_token_that_came_after_the_stanza_explains_the_refusal() {
    let mut world = World::new();
    let (to, built) = (jid(LID), world.clock());
    let before = world.attach().summary();
    world.pass(2);
    world.give("x", NOW);
    let now = world.clock();
    let token = world
        .step(|tokens, cx| tokens.evidence(&cx.txn, &to, &a(), (before, built), now))
        .unwrap();
    let evidence = Evidence {
        token,
        ..nack(before, Limit::Inactive)
    };
    assert_eq!(classify(&evidence, now).cause, Cause::TokenArrivedLate);

    let carried = world.attach().summary();
    let token = world
        .step(|tokens, cx| tokens.evidence(&cx.txn, &to, &a(), (carried, now), now))
        .unwrap();
    assert_eq!(token, TokenEvidence::default());
}

#[test]
fn what_a_contact_gave_is_dated_by_its_arrival() {
    let mut world = World::new();
    let received = |world: &mut World| {
        world
            .step(|tokens, cx| tokens.received_at(&cx.txn, &a()))
            .unwrap()
    };
    assert_eq!(received(&mut world), None);
    world.give("x", NOW - 500);
    assert_eq!(received(&mut world), Some(UnixSeconds(NOW)));
}

#[test]
fn a_token_thrown_out_by_a_narrow_window_explains_the_refusal() {
    let mut world = World::new();
    world.give("x", 1_771_000_000);
    let (to, attached) = (jid(LID), world.attach().summary());
    world.pass(9);
    let now = world.clock();
    let token = world
        .step(|tokens, cx| tokens.evidence(&cx.txn, &to, &a(), (attached, now), now))
        .unwrap();
    let evidence = Evidence {
        token,
        ..nack(attached, Limit::Inactive)
    };
    assert_eq!(classify(&evidence, now).cause, Cause::LocalTokenLost);
}
