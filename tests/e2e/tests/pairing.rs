//! Linking by a code that the user types into the phone.
#![expect(clippy::unwrap_used, reason = "helpers outside the test functions")]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sendpath_e2e::{ALICE, World};
use sendpath_engine::EngineError;
use sendpath_model_server::{Command, Config, Gate, Reply};
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

fn linked_and_able_to_send(world: &World) {
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
fn a_typed_code_links_the_account_and_it_can_send() {
    let world = World::unlinked(Config::default(), "memory:");
    world.account.pair_by_code(OWN, None).unwrap();
    world.account.connect().unwrap();
    let code = shown(&world);
    world.order(typed(&code));
    linked_and_able_to_send(&world);
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

/// What an authenticator would say to the options of the event.
fn assertion(options: &str) -> String {
    let options: serde_json::Value = serde_json::from_str(options).unwrap();
    let id = options["allowCredentials"][0]["id"].as_str().unwrap();
    let client_data = serde_json::json!({
        "type": "webauthn.get",
        "challenge": options["challenge"],
        "origin": "https://web.whatsapp.com",
    });
    let client_data = URL_SAFE_NO_PAD.encode(client_data.to_string());
    serde_json::json!({
        "id": id, "rawId": id, "type": "public-key",
        "response": {"clientDataJSON": client_data, "authenticatorData": "", "signature": ""},
    })
    .to_string()
}

fn asked_for_a_passkey(world: &World) -> String {
    world.event(|event| match event {
        Event::PasskeyRequest {
            options,
            seconds: 600,
        } => Some(options.clone()),
        _ => None,
    })
}

/// Signs, compares with the phone and confirms.
fn with_a_passkey(world: &World) {
    let options = asked_for_a_passkey(world);
    world.account.answer_passkey(&assertion(&options)).unwrap();
    let code = world.event(|event| match event {
        Event::PasskeyCode { code, .. } => Some(code.clone()),
        _ => None,
    });
    let phone = world.server.control(Command::PhoneCode);
    assert_eq!(phone, Reply::Code { code });
    world.account.confirm_passkey().unwrap();
    linked_and_able_to_send(world);
}

#[test]
fn a_scanned_code_and_a_passkey_link_the_account() {
    let world = World::unlinked(Config::default(), "memory:");
    world.order(Command::DemandPasskey { options: true });
    world.account.connect().unwrap();
    world.order(Command::scan_qr(world.event(|event| match event {
        Event::PairQr { text, .. } => Some(text.clone()),
        _ => None,
    })));
    with_a_passkey(&world);
}

#[test]
fn a_typed_code_and_a_passkey_that_has_to_be_asked_for_link_the_account() {
    let world = World::unlinked(Config::default(), "memory:");
    world.order(Command::DemandPasskey { options: false });
    world.account.pair_by_code(OWN, None).unwrap();
    world.account.connect().unwrap();
    world.order(typed(&shown(&world)));
    with_a_passkey(&world);
}

#[test]
fn a_passkey_for_another_challenge_is_refused() {
    let world = World::unlinked(Config::default(), "memory:");
    world.order(Command::DemandPasskey { options: true });
    world.account.pair_by_code(OWN, None).unwrap();
    world.account.connect().unwrap();
    world.order(typed(&shown(&world)));
    let options = asked_for_a_passkey(&world);
    let mut other: serde_json::Value = serde_json::from_str(&options).unwrap();
    other["challenge"] = "AAAA".into();
    let answer = assertion(&other.to_string());
    world.account.answer_passkey(&answer).unwrap();
    let reason = world.event(|event| match event {
        Event::PairFailed { reason } => Some(*reason),
        _ => None,
    });
    assert_eq!(reason, PairFailure::PasskeyRefused { code: 400 });
    let answer = world.account.answer_passkey("rubbish");
    assert!(matches!(
        answer,
        Err(EngineError::Misuse(ApiMisuse::BadPasskey))
    ));
}
