//! Scenarios of the token specification that show on the wire; the numbers are those of its list.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use sendpath_e2e::{ALICE, BOB, NOW, World, attached, outcome, store_in};
use sendpath_model_server::{
    Command, Condition, Config, Failure, Gate, HistoryChat, IqError, NodeJson,
};
use sendpath_protocol::event::{DisconnectReason, Event};
use sendpath_protocol::verdict::{Attached, Cause, WhyNot};

/// Between the cutoffs of 4 and 26 buckets.
const BETWEEN: i64 = 1_775_000_000;

/// The first second of the current bucket.
const BUCKET: i64 = 1_785_974_400;

const ISSUE: &str = "privacy/tokens";
const PROPS: &str = "abt/props";
const NOTHING: Attached = Attached::Nothing(WhyNot::NeverReceived);

fn silent(kind: &str, count: u32) -> Command {
    Command::IqFault {
        account: None,
        kind: kind.into(),
        error: None,
        count,
    }
}

fn echo(on: bool) -> Command {
    Command::EchoTokens { on }
}

fn props(values: &[(u32, &str)]) -> Config {
    let own = |(code, value): &(u32, &str)| (*code, (*value).to_owned());
    let mut config = Config::default();
    config.props.extend(values.iter().map(own));
    config
}

fn issues(world: &World, count: usize) {
    world.wait_for(Condition::Issued { peer: None, count });
}

/// A world whose account never got the server's props: the first login fails before anything is
/// asked, and the question of the second gets no answer.
fn without_props() -> World {
    let world = World::unlinked(Config::default(), "memory:");
    world.order(Command::FailLogin(Failure {
        reason: 503,
        code: None,
        expire: None,
    }));
    world.pair(Command::scan_qr);
    world.event(|event| {
        let busy = DisconnectReason::Server { code: Some(503) };
        matches!(event, Event::Disconnected { reason } if *reason == busy).then_some(())
    });
    world.order(silent(PROPS, 9));
    world.pass(60);
    world.online();
    let kind = PROPS.into();
    world.wait_for(Condition::Iq { kind, count: 1 });
    world
}

/// The server's late answer to the question for props.
fn props_answer(world: &World, buckets: &str) -> Command {
    let asks = |node: &&NodeJson| node.attrs.get("xmlns").is_some_and(|xmlns| xmlns == "abt");
    let id = world.heard().iter().find(asks).unwrap().attrs["id"].clone();
    let node = |tag: &str, attrs: &[(&str, &str)], children| NodeJson {
        tag: tag.into(),
        attrs: attrs
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect::<BTreeMap<String, String>>(),
        children,
        ..NodeJson::default()
    };
    let value = [("config_code", "909"), ("config_value", buckets)];
    let prop = node("prop", &value, Vec::new());
    let props = node("props", &[("protocol", "1"), ("hash", "h1")], vec![prop]);
    let attrs = [("id", &*id), ("type", "result"), ("from", "s.whatsapp.net")];
    Command::Push {
        account: None,
        node: node("iq", &attrs, vec![props]),
    }
}

#[test]
fn scenario_04_a_doubtful_token_waits_for_the_props() {
    for (answer, expected) in [(Some("26"), true), (Some("4"), false), (None, true)] {
        let world = without_props();
        world.add(ALICE, Gate::Open);
        world.add(BOB, Gate::Open);
        world.give_token(ALICE, Some(BETWEEN));
        let sending = world.start(ALICE.0, "hello");
        assert_eq!(attached(world.send(BOB.0, "not in doubt")), NOTHING);
        assert_eq!(world.judged().len(), 1, "the doubtful one waits");
        match answer {
            Some(buckets) => drop(world.order(props_answer(&world, buckets))),
            None => world.pass(5),
        }
        let carried = matches!(attached(outcome(&sending)), Attached::Tctoken { .. });
        assert_eq!(carried, expected, "{answer:?}");
        assert_eq!(world.judged()[1].tctoken.is_some(), expected);
        assert_eq!(world.asked(PROPS), 1, "asked once, before the message");
        world.no_violations();
    }
}

#[test]
fn scenario_06_the_first_message_after_a_restart_uses_the_stored_window() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::at_now(&store_in(folder.path()));
    world.add(ALICE, Gate::Token);
    let token = world.give_token(ALICE, Some(1_771_000_000));
    world.send(ALICE.0, "before");
    world.order(silent(PROPS, 9));
    world.restart();
    world.send(ALICE.0, "after");
    let first = world.judged().remove(1);
    assert_eq!((first.tctoken, first.error), (Some(token), None));
    world.no_violations();
}

#[test]
fn scenario_13_a_failed_issue_is_repeated_after_a_minute_with_the_next_message() {
    let world = World::at_now("memory:");
    world.add(ALICE, Gate::Open);
    world.order(Command::IqFault {
        account: None,
        kind: ISSUE.into(),
        error: Some(IqError {
            code: 503,
            text: "service-unavailable".into(),
            backoff: None,
        }),
        count: 1,
    });
    let sendings: Vec<_> = (0..50)
        .map(|n| world.start(ALICE.0, &n.to_string()))
        .collect();
    for sending in &sendings {
        assert_eq!(attached(outcome(sending)), NOTHING);
    }
    world.send(ALICE.0, "the answer to the issue has come");
    assert_eq!(world.asked(ISSUE), 1);
    // In steps, since a longer silence would end the connection.
    for expected in [1, 1, 1, 2] {
        world.pass(if expected == 1 { 19 } else { 4 });
        world.send(ALICE.0, "again");
        world.send(ALICE.0, "the one behind it");
        assert_eq!(world.asked(ISSUE), expected);
    }
    issues(&world, 1);
    assert_eq!(world.issued()[0].t, NOW + 61);
    world.no_violations();
}

#[test]
fn scenario_14_an_issue_without_a_token_is_remembered_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::at_now(&store_in(folder.path()));
    world.add(ALICE, Gate::Open);
    world.send(ALICE.0, "one");
    issues(&world, 1);
    world.send(ALICE.0, "the answer to the issue has come");
    world.restart();
    world.send(ALICE.0, "two");
    world.send(ALICE.0, "three");
    assert_eq!(world.asked(ISSUE), 1);
    assert_eq!(world.explain(ALICE.0).sender.unwrap().t.0, NOW);
    world.no_violations();
}

#[test]
fn scenario_15_tokens_in_the_answer_to_an_issue_are_not_stored() {
    let world = World::at_now("memory:");
    world.add(ALICE, Gate::Open);
    world.order(echo(true));
    world.send(ALICE.0, "one");
    issues(&world, 1);
    world.send(ALICE.0, "two");
    assert_eq!(attached(world.send(ALICE.0, "three")), NOTHING);
    let told = world.explain(ALICE.0);
    assert_eq!((told.token, told.sender.is_some()), (None, true));
    world.no_violations();
}

#[test]
fn scenario_18_the_issue_names_the_form_that_the_server_wants() {
    for (to_lid, jid) in [
        ("1", format!("{}@lid", ALICE.1)),
        ("0", format!("{}@s.whatsapp.net", ALICE.0)),
    ] {
        let world = World::unlinked(props(&[(14_303, to_lid)]), "memory:");
        world.link(Command::scan_qr);
        world.add_with_devices(ALICE, Gate::Open, 2);
        world.send(ALICE.0, "hello");
        issues(&world, 1);
        assert_eq!(world.issued()[0].jid, jid);
        world.no_violations();
    }
}

#[test]
fn scenario_21_identity_changes_of_a_backlog_issue_once_and_afterwards() {
    let world = World::at_now("memory:");
    world.add(ALICE, Gate::Open);
    world.send(ALICE.0, "hello");
    issues(&world, 1);
    world.send(ALICE.0, "the answer to the issue has come");
    let before = world.heard().len();
    world.reconnect(|| {
        for announce in [true, true] {
            world.order(Command::IdentityChange {
                peer: ALICE.0.into(),
                announce,
            });
        }
    });
    world.wait_for(Condition::Answered { account: None });
    world.send(ALICE.0, "hello, new phone");
    assert_eq!(world.asked(ISSUE), 1, "not twice within half a second");
    world.pass(1);
    issues(&world, 2);
    world.send(ALICE.0, "once more");
    assert_eq!(world.asked(ISSUE), 2);
    assert_eq!(world.issued()[1].t, NOW, "the stamp it had");
    let heard = world.heard().split_off(before);
    let at = |found: &dyn Fn(&NodeJson) -> bool| heard.iter().rposition(found).unwrap();
    let issue = at(&|node| node.attrs.get("xmlns").is_some_and(|ns| ns == "privacy"));
    let ack = at(&|node| node.attrs.get("class").is_some_and(|c| c == "notification"));
    assert!(ack < issue, "the backlog comes first");
    world.no_violations();
}

#[test]
fn scenario_42_a_resend_carries_the_token_that_is_valid_then() {
    let world = World::at_now("memory:");
    world.add(ALICE, Gate::Token);
    let old = world.give_token(ALICE, Some(BUCKET));
    let sending = world.start(ALICE.0, "hello");
    let id = sending.id.as_str().to_owned();
    attached(outcome(&sending));
    world.add(BOB, Gate::Open);
    world.pass_in_steps(80);
    let new = world.give_token(ALICE, None);
    world.order(Command::RetryRequest {
        peer: ALICE.0.into(),
        account: None,
        device: 0,
        id,
        count: 1,
    });
    world.wait_for(Condition::Messages { count: 2 });
    let shown: Vec<_> = world.judged().into_iter().map(|m| m.tctoken).collect();
    assert_eq!(shown, [Some(old), Some(new)]);
    world.no_violations();
}

#[test]
fn scenario_50_a_refused_token_is_marked_kept_and_attached() {
    let world = World::settled("memory:");
    world.add(ALICE, Gate::Token);
    let token = world.give_token(ALICE, None);
    attached(world.send(ALICE.0, "the chat is open"));
    world.order(Command::NackNext {
        account: None,
        code: 463,
        count: 1,
    });
    let refusal = world.refused(ALICE.0, "refused all the same");
    assert_eq!(refusal.cause, Cause::TokenRefused);
    assert_eq!(world.judged().len(), 2, "it is not sent again");
    assert!(world.explain(ALICE.0).token.unwrap().suspect);
    attached(world.send(ALICE.0, "once more"));
    assert_eq!(world.judged()[2].tctoken.as_deref(), Some(&*token));
    world.no_violations();
}

#[test]
fn scenario_58_an_issue_cut_off_by_the_end_comes_back_with_the_next_message() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::at_now(&store_in(folder.path()));
    world.add(ALICE, Gate::Open);
    world.order(silent(ISSUE, 1));
    world.send(ALICE.0, "hello");
    let kind = ISSUE.into();
    world.wait_for(Condition::Iq { kind, count: 1 });
    world.engine.close().unwrap();
    world.wait_for(Condition::Disconnected { account: None });
    let frames = world.frames();
    world.pass(120);
    assert_eq!(world.frames(), frames, "nothing is written after the end");
    world.restart();
    assert_eq!(world.explain(ALICE.0).sender, None);
    world.send(ALICE.0, "hello again");
    issues(&world, 1);
    world.no_violations();
}

#[test]
fn scenario_55_tokens_belong_to_the_account_and_not_to_the_store() {
    let world = World::at_now("memory:");
    world.add(ALICE, Gate::Token);
    world.give_token(ALICE, None);
    let other = |qr| Command::ScanQr {
        qr,
        pn: Some("15550100002".into()),
        lid: Some("900100002".into()),
        lid_migrated: None,
    };
    let unlink = || {
        world.account.logout(true).unwrap();
        world.event(|event| matches!(event, Event::LoggedOut { .. }).then_some(()));
    };
    unlink();
    world.link(other);
    let refusal = world.refused(ALICE.0, "from somebody else");
    assert_eq!((refusal.attached, refusal.code), (NOTHING, Some(463)));
    unlink();
    world.link(Command::scan_qr);
    let carried = attached(world.send(ALICE.0, "it is me again"));
    assert!(matches!(carried, Attached::Tctoken { .. }), "{carried:?}");
    world.no_violations();
}

#[test]
fn history_brings_tokens_names_and_the_salt() {
    let world = World::at_now("memory:");
    world.add(ALICE, Gate::Token);
    world.add(BOB, Gate::TokenOrCstoken);
    let chat = |person: (&str, _), token: Option<&str>| HistoryChat {
        peer: person.0.into(),
        token: token.map(Into::into),
        t: token.map(|_| BUCKET),
        sender_t: Some(BUCKET + 1),
    };
    world.order(Command::PhoneHistory {
        account: None,
        chats: vec![chat(ALICE, Some("0a0b0c")), chat(BOB, None)],
        salt: Some("00".repeat(32)),
        progress: 100,
    });
    let applied = world.event(|event| match event {
        Event::HistoryApplied { .. } => Some(event.clone()),
        _ => None,
    });
    let expected = Event::HistoryApplied {
        conversations: 2,
        tokens: 1,
        sender_times: 2,
        mappings: 2,
        salt: true,
    };
    assert_eq!(applied, expected);
    world.wait_for(Condition::Receipts {
        kind: Some("hist_sync".into()),
        count: 1,
    });
    world.wait_for(Condition::Answered { account: None });
    assert!(matches!(
        attached(world.send(ALICE.0, "by token")),
        Attached::Tctoken { .. }
    ));
    assert_eq!(attached(world.send(BOB.0, "by salt")), Attached::Cstoken);
    assert!(world.judged()[1].cstoken.is_some());
    assert_eq!(world.asked(ISSUE), 0, "the phone has issued in this bucket");
    world.no_violations();
}
