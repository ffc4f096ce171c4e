//! Linking by a code that the user types into the phone.

use sendpath_e2e::{ALICE, World};
use sendpath_engine::EngineError;
use sendpath_model_server::{Command, Config, Gate};
use sendpath_protocol::error::ApiMisuse;
use sendpath_protocol::event::{Event, PairFailure};
use sendpath_protocol::verdict::Outcome;

/// The number of the model server's default account.
const OWN: &str = "+15550100001";

fn shown(world: &World) -> String {
    world.event(|event| match event {
        Event::PairCode { code, seconds: 180 } => Some(code.clone()),
        _ => None,
    })
}

fn typed(code: &str) -> Command {
    Command::TypeCode {
        code: code.into(),
        pn: None,
    }
}

#[test]
fn a_typed_code_links_the_account_and_it_can_send() {
    let world = World::unlinked(Config::default(), "memory:");
    world.account.pair_by_code(OWN, None).unwrap();
    world.account.connect().unwrap();
    let code = shown(&world);
    world.order(typed(&code));
    world.event(|event| matches!(event, Event::Paired { .. }).then_some(()));
    world.online();
    world.add(ALICE, Gate::Open);
    assert!(matches!(
        world.send(ALICE.0, "hello"),
        Outcome::Accepted { .. }
    ));
    world.no_violations();
}

#[test]
fn a_wrong_code_is_refused_and_another_one_can_be_asked_for() {
    let world = World::unlinked(Config::default(), "memory:");
    world.account.connect().unwrap();
    world.account.pair_by_code(OWN, Some("ABCD-EFGH")).unwrap();
    assert_eq!(shown(&world), "ABCD-EFGH");
    world.order(typed("ABCD-EFGJ"));
    let reason = world.event(|event| match event {
        Event::PairFailed { reason } => Some(*reason),
        _ => None,
    });
    assert_eq!(reason, PairFailure::CodeRefused { code: 400 });

    world.account.connect().unwrap();
    world.account.pair_by_code(OWN, Some("ABCDEFGH")).unwrap();
    world.order(typed(&shown(&world)));
    world.online();
    world.account.pair_by_code(OWN, None).unwrap();
    world.event(|event| {
        let reason = PairFailure::AlreadyLinked;
        (*event == Event::PairFailed { reason }).then_some(())
    });
    world.no_violations();
}

#[test]
fn what_is_no_number_or_no_code_is_told_at_once() {
    let world = World::unlinked(Config::default(), "memory:");
    for (number, code, misuse) in [
        ("0155510000", None, ApiMisuse::BadNumber),
        ("alice", None, ApiMisuse::BadNumber),
        (OWN, Some("0000-0000"), ApiMisuse::BadCode),
        (OWN, Some("ABCD"), ApiMisuse::BadCode),
    ] {
        let answer = world.account.pair_by_code(number, code);
        assert!(matches!(answer, Err(EngineError::Misuse(found)) if found == misuse));
    }
}
