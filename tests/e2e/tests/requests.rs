//! What hosts ask the server besides sending: who is there, what was read, what is shown.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail like tests"
)]

use std::time::Duration;

use sendpath_e2e::{ALICE, BOB, CAROL, OWN, World};
use sendpath_engine::{EngineError, Pending};
use sendpath_model_server::{Command, Condition, Gate, IqError, NodeJson, Reply, RowChange};
use sendpath_protocol::event::Event;
use sendpath_protocol::jid::{Jid, Server};
use sendpath_protocol::peer::PeerKey;
use sendpath_protocol::request::{
    ChatState, GroupQuery, MarkRead, PictureReply, ProfilePicture, Registration, Request,
    RequestError, Resolve, SetPresence, SetTimer, TimerOf, Typing,
};
use sendpath_protocol::tctoken::gated::Picture;
use sendpath_protocol::verdict::MessageId;

const GUARD: Duration = Duration::from_secs(30);
const GROUP: &str = "120363001";

fn reply<T>(pending: &Pending<T>) -> Result<T, RequestError> {
    let reply = pending.wait_blocking(Some(GUARD));
    reply.expect("a reply before the guard's time")
}

fn ask<R: Request>(world: &World, request: R) -> Result<R::Reply, RequestError> {
    reply(&world.account.request(request).expect("an open account"))
}

fn stanzas(world: &World, tag: &str) -> Vec<NodeJson> {
    let tag = Some(tag.to_owned());
    match world.order(Command::Heard { tag }) {
        Reply::Heard { stanzas } => stanzas,
        other => panic!("unexpected reply {other:?}"),
    }
}

fn ids(ids: &[&str]) -> Vec<MessageId> {
    ids.iter().filter_map(|id| MessageId::parse(id)).collect()
}

fn fail_iqs(world: &World, kind: &str, error: Option<(u16, Option<u32>)>, count: u32) {
    world.order(Command::IqFault {
        account: None,
        kind: kind.into(),
        error: error.map(|(code, backoff)| IqError {
            code,
            text: "no".into(),
            backoff,
        }),
        count,
    });
}

/// Receipts of messages, without those of their arrival.
fn told(world: &World) -> Vec<(Option<String>, String)> {
    let Reply::Receipts { receipts } = world.order(Command::Receipts) else {
        panic!("unexpected reply");
    };
    let told = receipts.into_iter().map(|seen| (seen.kind, seen.id));
    let arrival = [Some("inactive"), Some("peer_msg"), Some("hist_sync")];
    told.filter(|(kind, _)| !arrival.contains(&kind.as_deref()))
        .collect()
}

#[test]
fn numbers_are_resolved_to_names_or_to_nobody() {
    let world = World::linked();
    world.order(Command::AddPeer {
        pn: "551187654321".into(),
        lid: "100000000000055".into(),
        devices: 1,
        gate: Gate::Open,
        aliases: vec!["5511987654321".into()],
    });
    world.add(ALICE, Gate::Open);
    let numbers = ["+55 11 98765-4321", ALICE.0, "4915559999"];
    let resolved = ask(&world, Resolve::new(numbers).unwrap()).unwrap();
    let registered = |pn, lid| Registration::Registered {
        pn: Jid::pn(pn),
        lid: Some(Jid::lid(lid)),
    };
    let found: Vec<_> = resolved.iter().map(|r| &r.registration).collect();
    assert_eq!(
        found,
        [
            &registered("551187654321", "100000000000055"),
            &registered(ALICE.0, ALICE.1),
            &Registration::NotRegistered,
        ]
    );
    let before = world.asked("usync/usync");
    world.send(ALICE.0, "the LID is known now");
    assert_eq!(world.judged()[0].to, format!("{}@lid", ALICE.1));
    assert_eq!(world.asked("usync/usync"), before + 1, "for devices only");
    world.no_violations();
}

#[test]
fn many_numbers_go_one_batch_after_the_other() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    let mut numbers: Vec<String> = (0..250).map(|n| format!("4917700{n:05}")).collect();
    numbers[249] = ALICE.0.into();
    let before = world.asked("usync/usync");
    let resolved = ask(&world, Resolve::new(&numbers).unwrap()).unwrap();
    assert_eq!(world.asked("usync/usync"), before + 3);
    let asked: Vec<&String> = resolved.iter().map(|r| &r.number).collect();
    assert_eq!(asked, numbers.iter().collect::<Vec<_>>(), "in their order");
    let there = |r: &sendpath_protocol::request::Resolved| {
        matches!(r.registration, Registration::Registered { .. })
    };
    assert_eq!(resolved.iter().filter(|r| there(r)).count(), 1);
    world.no_violations();
}

#[test]
fn a_server_that_wants_a_pause_is_not_asked_again_before() {
    let world = World::at_now("memory:");
    world.add(ALICE, Gate::Open);
    fail_iqs(&world, "usync/usync", Some((429, Some(12))), 1);
    let resolve = || Resolve::new([ALICE.0]).unwrap();
    let refused = |seconds| RequestError::Refused {
        code: 429,
        backoff: Some(seconds),
    };
    assert_eq!(ask(&world, resolve()), Err(refused(12)));
    let asked = world.asked("usync/usync");
    world.pass_here(2);
    assert_eq!(ask(&world, resolve()), Err(refused(10)));
    assert_eq!(world.asked("usync/usync"), asked, "it did not leave");
    world.pass_here(10);
    assert!(ask(&world, resolve()).is_ok());
    world.no_violations();
}

#[test]
fn messages_are_read_and_played_as_the_setting_says() {
    let world = World::linked();
    let chat = Jid::lid(ALICE.1);
    let read = MarkRead::chat(&chat, ids(&["A1", "A2"]));
    assert_eq!(ask(&world, read), Ok(()));
    assert_eq!(
        ask(&world, MarkRead::chat(&chat, ids(&["V1"])).played()),
        Ok(())
    );
    world.wait_for(Condition::Receipts {
        kind: Some("played".into()),
        count: 1,
    });
    let kind = |kind: &str, id: &str| (Some(kind.to_owned()), id.to_owned());
    let all = [kind("read", "A1"), kind("read", "A2"), kind("played", "V1")];
    assert_eq!(told(&world), all);
    assert_eq!(world.asked("privacy/privacy"), 1, "asked once");

    world.order(Command::SetProfile {
        peer: OWN.0.into(),
        picture: None,
        contacts_only: false,
        read_receipts: false,
    });
    world.reconnect(|| ());
    let group = Jid::user(GROUP, Server::Group);
    let hidden = MarkRead::group(group, chat, ids(&["G1"]));
    assert_eq!(ask(&world, hidden), Ok(()));
    world.wait_for(Condition::Receipts {
        kind: Some("read-self".into()),
        count: 1,
    });
    let last = stanzas(&world, "receipt").pop().unwrap();
    let participant = last.attrs.get("participant").map(String::as_str);
    assert_eq!(participant, Some(&*format!("{}@lid", ALICE.1)));
    world.no_violations();
}

#[test]
fn a_setting_that_cannot_be_asked_for_gives_nothing_away() {
    let world = World::linked();
    fail_iqs(&world, "privacy/privacy", Some((503, None)), 1);
    let read = || MarkRead::chat(&Jid::lid(ALICE.1), ids(&["A1"]));
    let refused = RequestError::Refused {
        code: 503,
        backoff: None,
    };
    assert_eq!(ask(&world, read()), Err(refused));
    assert_eq!(told(&world), []);
    assert_eq!(ask(&world, read()), Ok(()));
    world.no_violations();
}

#[test]
fn presence_needs_our_name_and_changes_what_receipts_say() {
    let world = World::linked();
    world.add(ALICE, Gate::Open);
    assert_eq!(
        ask(&world, SetPresence::Available),
        Err(RequestError::NameUnknown)
    );
    world.order(Command::ShareKeys { account: None });
    let name = serde_json::json!({"index": ["setting_pushName"], "name": "Shop"});
    let change: RowChange = serde_json::from_value(name).unwrap();
    world.order(Command::ChangeAppState {
        account: None,
        collection: "critical_block".into(),
        changes: vec![change],
        fresh_key: false,
        fault: None,
        external: false,
        push: true,
    });
    world.event(|event| matches!(event, Event::PushNameChanged { .. }).then_some(()));

    let receipt_of = |text: &str| {
        let id = world.peer_writes(ALICE, text);
        world.event(|event| matches!(event, Event::Message(_)).then_some(()));
        world.wait_for(Condition::Answered { account: None });
        let Reply::Receipts { receipts } = world.order(Command::Receipts) else {
            panic!("unexpected reply");
        };
        let receipt = receipts.into_iter().find(|receipt| receipt.id == id);
        receipt.expect("a receipt").kind
    };
    assert_eq!(receipt_of("nobody looks").as_deref(), Some("inactive"));
    assert_eq!(ask(&world, SetPresence::Available), Ok(()));
    assert_eq!(receipt_of("somebody looks"), None);
    assert_eq!(ask(&world, SetPresence::Unavailable), Ok(()));
    assert_eq!(receipt_of("not any more").as_deref(), Some("inactive"));
    assert_eq!(ask(&world, SetPresence::Available), Ok(()));
    world.reconnect(|| ());
    assert_eq!(receipt_of("a new connection").as_deref(), Some("inactive"));
    let typing = Typing::Recording;
    let to = Jid::lid(ALICE.1);
    assert_eq!(ask(&world, ChatState { to, typing }), Ok(()));
    assert_eq!(
        ask(&world, Resolve::new([ALICE.0]).unwrap()).map(|r| r.len()),
        Ok(1)
    );
    let state = stanzas(&world, "chatstate").pop().unwrap();
    assert_eq!(
        state.attrs.get("from").map(String::as_str),
        Some(&*format!("{}@lid", OWN.1))
    );
    world.no_violations();
}

#[test]
fn a_picture_is_shown_hidden_unchanged_or_not_there() {
    let world = World::linked();
    let shows = |person: (&str, &str), contacts_only| {
        world.order(Command::SetProfile {
            peer: person.0.into(),
            picture: Some("17".into()),
            contacts_only,
            read_receipts: true,
        });
    };
    world.order(Command::SetProps {
        props: [("9666".into(), "1".into())].into(),
        push: true,
    });
    world.wait_for(Condition::Iq {
        kind: "abt/props".into(),
        count: 2,
    });
    world.add(ALICE, Gate::Open);
    world.add(BOB, Gate::Open);
    let picture = |person: (&str, &str), known: Option<&str>| {
        let request = ProfilePicture {
            of: Jid::lid(person.1),
            size: Picture::Preview,
            known: known.map(str::to_owned),
        };
        ask(&world, request).unwrap()
    };
    assert_eq!(picture(BOB, None), PictureReply::None);
    shows(ALICE, true);
    assert_eq!(picture(ALICE, None), PictureReply::Hidden);
    world.give_token(ALICE, None);
    let PictureReply::Shown(shown) = picture(ALICE, None) else {
        panic!("the token opens it");
    };
    assert_eq!(shown.id, "17");
    assert!(shown.url.contains("preview"));
    assert_eq!(picture(ALICE, Some("17")), PictureReply::Unchanged);
    shows(OWN, true);
    assert!(matches!(picture(OWN, None), PictureReply::Shown(_)));
    world.no_violations();
}

#[test]
fn timers_are_set_and_groups_tell_of_them() {
    let world = World::linked();
    for person in [ALICE, BOB, CAROL] {
        world.add(person, Gate::Open);
    }
    world.order(Command::AddGroup {
        group: GROUP.into(),
        members: vec![ALICE.0.into(), BOB.0.into()],
        account: None,
        lid: true,
    });
    let group = || Jid::user(GROUP, Server::Group);
    let set = |of, seconds| ask(&world, SetTimer { of, seconds });
    assert_eq!(set(TimerOf::Account, 604_800), Ok(()));
    let refused = RequestError::Refused {
        code: 400,
        backoff: None,
    };
    assert_eq!(set(TimerOf::Account, 5), Err(refused));
    assert_eq!(set(TimerOf::Group(group()), 86_400), Ok(()));
    let info = ask(&world, GroupQuery(group())).unwrap();
    assert_eq!(info.group.ephemeral, Some(86_400));
    assert_eq!(info.subject.as_deref(), Some("Model group"));
    assert!(info.group.has(&PeerKey::Lid(ALICE.1.into())));
    assert_eq!(set(TimerOf::Group(group()), 0), Ok(()));
    let info = ask(&world, GroupQuery(group())).unwrap();
    assert_eq!(info.group.ephemeral, None);
    let nowhere = ask(&world, GroupQuery(Jid::user("1", Server::Group)));
    assert!(matches!(
        nowhere,
        Err(RequestError::Refused { code: 404, .. })
    ));
    world.no_violations();
}

#[test]
fn a_request_ends_without_a_connection_with_it_and_with_the_account() {
    let world = World::linked();
    let start = || {
        let timer = SetTimer {
            of: TimerOf::Account,
            seconds: 0,
        };
        world.account.request(timer).unwrap()
    };
    let kind = "disappearing_mode/disappearing_mode";
    fail_iqs(&world, kind, None, 3);
    let asked = |count| {
        world.wait_for(Condition::Iq {
            kind: kind.into(),
            count,
        });
    };
    let lost = start();
    asked(1);
    drop(start());
    asked(2);
    world.reconnect(|| {
        assert_eq!(reply(&lost), Err(RequestError::ConnectionLost));
        assert_eq!(reply(&start()), Err(RequestError::NotConnected));
    });
    let closed = start();
    asked(3);
    world.account.close().unwrap();
    assert_eq!(reply(&closed), Err(RequestError::Closed));
    let timer = SetPresence::Unavailable;
    assert!(matches!(
        world.account.request(timer),
        Err(EngineError::Closed)
    ));
    world.no_violations();
}
