//! Attaching, issuing, receiving, and what survives.

use sendpath_protocol::jid::Jid;
use sendpath_protocol::nct::NoCstoken;
use sendpath_protocol::peer::Names;
use sendpath_protocol::tctoken::issue::IqEnd;
use sendpath_protocol::tctoken::policy::{MessageKind, Own, TokenProps};
use sendpath_protocol::tctoken::{Attach, Tokens};
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::txn::{Key, Namespace};
use sendpath_protocol::verdict::WhyNot;
use sendpath_protocol::wap::Node;

use crate::world::*;

#[test]
fn scenario_01_a_token_is_attached_from_the_first_second_of_its_window() {
    let mut world = World::new();
    world.give("old", 1_784_159_999);
    assert_eq!(world.attached(), None);
    world.give("new", 1_784_160_000);
    assert_eq!(world.attached().as_deref(), Some(&b"new"[..]));
    let node = world.attach().node().unwrap();
    assert_eq!((&*node.tag, node.attrs.len()), ("tctoken", 0));
    assert_eq!(node.payload(), Some(&b"new"[..]));
}

#[test]
fn scenario_03_the_number_of_buckets_comes_from_the_server() {
    let mut world = World::new();
    world.give("x", 1_771_000_000);
    world.set_salt(&[1; 32]);
    world.tokens.set_props(TokenProps {
        receive: Some(window(26)),
        ..known_props()
    });
    assert_eq!(world.attached().as_deref(), Some(&b"x"[..]));
    world.tokens.set_props(known_props());
    let expired = WhyNot::Expired {
        t: UnixSeconds(1_771_000_000),
    };
    assert!(matches!(
        world.attach(),
        Attach::Cstoken { instead_of, .. } if instead_of == expired
    ));
}

#[test]
fn scenario_10_one_issue_a_bucket() {
    let mut world = World::new();
    world.history(&a(), None, 0, u64::try_from(T0 - 1).unwrap());
    world.at(T0);
    assert_eq!(world.issued(), T0);
    world.at(T1 - 1);
    assert!(world.sent().is_empty());
    world.pass(1);
    assert_eq!(world.issued(), T1);
}

#[test]
fn scenario_11_a_clock_that_went_back_issues_nothing() {
    let mut world = World::new();
    world.at(T1 + 100);
    world.issued();
    world.at(NOW);
    assert!(world.sent().is_empty());
}

#[test]
fn scenario_13_fifty_messages_make_one_issue_and_a_failure_waits() {
    let mut world = World::new();
    let issues: Vec<_> = (0..50).flat_map(|_| world.sent()).collect();
    assert_eq!(issues.len(), 1);
    assert!(world.ended(&issues[0], IqEnd::Error(503)).is_empty());
    world.pass(59);
    assert!(world.sent().is_empty());
    world.pass(2);
    assert_eq!(world.sent().len(), 1);
    assert_eq!(world.stored(), (None, None));
}

#[test]
fn scenario_14_an_issue_without_a_token_row_survives_a_restart() {
    let mut world = World::new();
    world.issued();
    world.restart(own(12), known_props());
    assert!(world.sent().is_empty());
    assert_eq!(world.stored(), (None, Some(NOW)));
}

#[test]
fn scenario_15_tokens_in_an_issue_answer_are_nobodys() {
    let mut world = World::new();
    let issue = world.sent().remove(0);
    // The machine is told how the IQ ended, never what was in the answer.
    world.ended(&issue, IqEnd::Ok);
    assert_eq!(world.stored(), (None, Some(NOW)));
}

#[test]
fn scenario_16_a_revoke_carries_a_token_and_issues_nothing() {
    let mut world = World::new();
    world.give("x", NOW);
    let attach = world.attach_as(LID, &a(), MessageKind::Protocol);
    assert!(attach.has_token());
    assert!(world.sent_as(LID, &a(), MessageKind::Protocol).is_empty());
}

#[test]
fn scenario_17_everybody_else_gets_neither_token_nor_issue() {
    let mut world = World::new();
    world.set_salt(&[1; 32]);
    let nothing = Attach::Nothing {
        token: WhyNot::NotEligible,
        cstoken: NoCstoken::NotEligible,
    };
    for to in [
        "900000000000009@lid",
        "4915559999@s.whatsapp.net",
        "0@s.whatsapp.net",
        "0@c.us",
        "13135550002@s.whatsapp.net",
        "867051314767696@bot",
        "120363000000000000@g.us",
        "status@broadcast",
        "120363000000000000@newsletter",
    ] {
        let known = Names::default();
        let attach = world.attach_as(to, &known, MessageKind::Content);
        assert_eq!(attach, nothing, "{to}");
        let issues = world.sent_as(to, &known, MessageKind::Content);
        assert!(issues.is_empty(), "{to}");
    }
    assert_eq!(world.attach_as(LID, &a(), MessageKind::Peer), nothing);
    assert!(world.sent_as(LID, &a(), MessageKind::Peer).is_empty());
}

#[test]
fn scenario_18_the_issue_goes_to_the_form_the_server_wants() {
    let lid_only = Names::of(peer(LID));
    for (issue_to_lid, known, target) in [
        (false, a(), Some(PN)),
        (false, lid_only, None),
        (true, a(), Some(LID)),
    ] {
        let mut world = World::new();
        world.tokens.set_props(TokenProps {
            issue_to_lid: Some(issue_to_lid),
            ..known_props()
        });
        let issues = world.sent_as("100000000000001:5@lid", &known, MessageKind::Content);
        let targets: Vec<_> = issues.iter().map(|issue| issue.target.reveal()).collect();
        assert_eq!(targets, target.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn scenario_19_a_new_phone_gets_the_issue_it_had() {
    let mut world = World::new();
    world.history(&a(), None, 0, 1_784_159_999);
    assert!(world.identity_changed(LID).is_empty(), "no longer valid");
    world.history(&a(), None, 0, 1_784_160_000);
    assert!(world.identity_changed("100000000000001:5@lid").is_empty());
    assert!(world.identity_changed("900000000000009@lid").is_empty());

    let issues = world.identity_changed(LID);
    let times: Vec<_> = issues.iter().map(|issue| issue.t.0).collect();
    assert_eq!(times, [1_784_160_000]);
    world.mono += 50;
    world.ended(&issues[0], IqEnd::Ok);
    world.mono += 50;
    assert!(world.identity_changed(PN).is_empty(), "within 100 ms");
    assert!(world.later().is_empty());
    assert_eq!(world.stored(), (None, Some(1_784_160_000)));
}

#[test]
fn scenario_21_changes_while_offline_issue_once_and_afterwards() {
    let mut world = World::new();
    world.history(&a(), None, 0, 1_784_160_000);
    world.tokens.hold_issues(true);
    assert!(world.identity_changed(LID).is_empty());
    world.pass(120);
    assert!(world.identity_changed(LID).is_empty());
    world.tokens.hold_issues(false);
    assert_eq!(world.later().len(), 1);
    assert!(world.later().is_empty());
}

#[test]
fn scenario_23_the_senders_lid_is_the_key() {
    let mut world = World::new();
    let ours = token("x", "1786000000").jid("jid", jid("900000000000009@lid"));
    let received = world.receive(&notification([ours]));
    assert_eq!(received.mapping, Some((peer(PN), peer(LID))));
    assert_eq!(received.fresh, Some(peer(LID)));
    assert_eq!(world.stored(), (Some(("x".into(), 1_786_000_000)), None));
    assert_eq!(
        (world.row(PN), world.row("900000000000009@lid")),
        (None, None)
    );
}

#[test]
fn scenario_24_newer_tokens_replace_and_odd_ones_are_dropped() {
    let mut world = World::new();
    let x = |t| (Some(("X".to_owned(), t)), None);
    world.give("X", 1_786_000_000);
    world.give("Y", 1_785_990_000);
    assert_eq!(world.stored(), x(1_786_000_000));
    let untimed = Node::new("token")
        .attr("type", "trusted_contact")
        .bytes("Y");
    let long = token(&"Y".repeat(16_385), "1786060000");
    let odd = [untimed, token("Y", "abc"), token("", "1786060000"), long];
    world.receive(&notification(odd));
    assert_eq!(world.stored(), x(1_786_000_000));
    let left_out = world.tokens.counters().ignored;
    let counts = (left_out.bad_time, left_out.empty, left_out.too_much);
    assert_eq!(counts, (2, 1, 1));
    assert_eq!(world.give("X", 1_786_050_000).fresh, None);
    assert_eq!(world.stored(), x(1_786_050_000));
    assert_eq!(world.give("Y", 1_786_050_000).fresh, Some(peer(LID)));
    assert_eq!(world.stored().0, Some(("Y".into(), 1_786_050_000)));
    assert_eq!(world.events.len(), 3);
}

#[test]
fn scenario_25_a_token_older_than_the_placeholder_is_stored() {
    let mut world = World::new();
    world.issued();
    world.give("x", 1_786_000_000);
    assert_eq!(world.attached().as_deref(), Some(&b"x"[..]));
    assert_eq!(world.stored().1, Some(NOW));
}

#[test]
fn scenario_28_empty_history_fields_erase_nothing() {
    let mut world = World::new();
    world.give("x", 1_786_000_000);
    world.issued();
    let before = world.stored();
    world.history(&a(), Some(""), 1_786_070_000, 0);
    world.history(&a(), None, 0, 1_700_000_000);
    assert_eq!(world.stored(), before);

    let b = Names::of(peer("200000000000002@lid"));
    world.history(&b, None, 0, 1_786_000_000);
    let row = world.row("200000000000002@lid").unwrap();
    assert_eq!(
        (row.theirs, row.ours.map(|o| o.t.0)),
        (None, Some(1_786_000_000))
    );
}

#[test]
fn scenario_31_a_token_from_the_future_counts_as_now() {
    let mut world = World::new();
    world.give("x", NOW + 10 * 365 * 86_400);
    assert_eq!(world.stored().0, Some(("x".into(), NOW)));
    world.pass(60);
    world.give("y", NOW + 60);
    assert_eq!(world.stored().0, Some(("y".into(), NOW + 60)));
}

#[test]
fn scenario_32_equal_digits_are_two_contacts() {
    let mut world = World::new();
    let by_pn = notification([token("x", "1786000000")]).attr("sender_lid", "");
    world.receive(&by_pn);
    let same_digits = "4915550001@lid";
    let attach = world.attach_as(same_digits, &Names::default(), MessageKind::Content);
    assert!(!attach.has_token());
    assert!(
        world
            .attach_as(PN, &Names::default(), MessageKind::Content)
            .has_token()
    );
    assert_eq!(
        (world.row(PN).is_some(), world.row(same_digits)),
        (true, None)
    );
}

#[test]
fn scenario_34_tokens_out_of_order_leave_the_newest() {
    let mut world = World::new();
    let (t1, t2, t3) = ("1786000001", "1786000002", "1786000003");
    world.receive(&notification([
        token("1", t1),
        token("3", t3),
        token("2", t2),
    ]));
    assert_eq!(world.stored().0, Some(("3".into(), 1_786_000_003)));
    assert_eq!(world.tokens.counters().older, 1);
}

#[test]
fn scenario_36_a_cstoken_is_for_the_recipients_bare_lid() {
    let mut world = World::new();
    let salt: Vec<u8> = (0..32).collect();
    world.set_salt(&salt);
    let lid = "123456789012345@lid";
    let mapped = Names::pair(peer(lid), peer(PN));
    for (to, known) in [("123456789012345:7@lid", Names::default()), (PN, mapped)] {
        let attach = world.attach_as(to, &known, MessageKind::Content);
        let Attach::Cstoken { bytes, .. } = attach else {
            panic!("no cstoken: {attach:?}");
        };
        assert_eq!(
            hex::encode(bytes),
            "8fb920b283f629fca32fa4a14a4fb9bd852ab9d1c269840c269d1ef65941ba0c"
        );
    }
    let unmapped = world.attach_as(PN, &Names::default(), MessageKind::Content);
    let nothing = Attach::Nothing {
        token: WhyNot::NeverReceived,
        cstoken: NoCstoken::NoLid,
    };
    assert_eq!(unmapped, nothing);
}

#[test]
fn scenario_39_a_cstoken_never_goes_with_a_token() {
    let mut world = World::new();
    world.set_salt(&[1; 32]);
    for (cstoken, sent) in [(Some(false), false), (None, true), (Some(true), true)] {
        let props = TokenProps {
            cstoken,
            ..known_props()
        };
        world.tokens.set_props(props);
        assert_eq!(matches!(world.attach(), Attach::Cstoken { .. }), sent);
    }
    world.give("x", NOW);
    assert_eq!(world.attach().node().unwrap().tag, "tctoken");
}

#[test]
fn scenario_50_a_refused_token_is_marked_kept_and_attached() {
    let mut world = World::new();
    world.give("x", NOW);
    let (to, t) = (jid(LID), UnixSeconds(NOW));
    world
        .step(|tokens, cx| tokens.token_refused(cx, &to, &a(), t))
        .unwrap();
    assert!(world.row(LID).unwrap().theirs.unwrap().suspect);
    assert_eq!(world.attached().as_deref(), Some(&b"x"[..]));
    world.give("y", NOW + 1);
    assert!(!world.row(LID).unwrap().theirs.unwrap().suspect);
}

#[test]
fn scenario_55_a_new_link_of_the_account_finds_its_tokens() {
    let mut world = World::new();
    world.give("x", NOW);
    let thousand: Vec<_> = (0..999)
        .map(|number| Names::of(peer(&format!("{}@lid", 200_000_000_000_000_i64 + number))))
        .collect();
    for names in &thousand {
        world.history(names, Some("h"), T0.unsigned_abs(), 0);
    }
    let rows = world.store.len();
    world.restart(own(13), known_props());
    assert_eq!(world.attached().as_deref(), Some(&b"x"[..]));
    for names in &thousand {
        let to = names.canonical().unwrap().jid().reveal();
        assert!(
            world
                .attach_as(&to, names, MessageKind::Content)
                .has_token()
        );
    }

    let other = Own::new(Some(&Jid::lid("800000000000008")), None).unwrap();
    world.restart(other, known_props());
    assert_eq!(world.attached(), None);
    assert!(
        world.sent().len() == 1,
        "nothing was issued by this account"
    );
    world.give("of the other", NOW);
    world.restart(own(13), known_props());
    assert_eq!(world.attached().as_deref(), Some(&b"x"[..]));
    assert_eq!(world.store.len(), rows + 2, "its token and its timeline");
}

#[test]
fn scenario_57_a_failing_store_costs_the_token_and_not_the_message() {
    let mut world = World::new();
    world.give("x", NOW);
    world.fail_reads(true);
    let nothing = Attach::Nothing {
        token: WhyNot::StoreError,
        cstoken: NoCstoken::StoreError,
    };
    assert_eq!(world.attach(), nothing);
    assert!(world.sent().is_empty());
    assert_eq!(world.tokens.counters().failed_reads, 2);
    world.fail_reads(false);
    assert_eq!(world.sent().len(), 1);
}

#[test]
fn scenario_58_an_issue_cut_off_by_the_end_comes_back() {
    let mut world = World::new();
    let issue = world.sent().remove(0);
    world.tokens.stop();
    world.ended(&issue, IqEnd::Disconnected);
    assert_eq!(world.stored(), (None, None));
    world.restart(own(12), known_props());
    assert_eq!(world.sent().len(), 1);
}

#[test]
fn scenario_59_answers_that_are_not_ours_change_nothing() {
    let mut world = World::new();
    world.give("x", NOW);
    let issue = world.sent().remove(0);
    world.ended(&issue, IqEnd::Timeout);
    let rows = world.stored();
    world.ended(&issue, IqEnd::Ok);
    world.ended(&issue, IqEnd::Ok);
    world.give("x", NOW);
    assert_eq!((world.stored(), world.events.len()), (rows, 1));
    assert_eq!(world.tokens.counters().unknown_results, 2);
}

#[test]
fn scenario_60_two_devices_of_one_account_keep_the_later_issue() {
    let mut world = World::new();
    world.give("x", NOW);
    let first = world.sent().remove(0);
    let other = Tokens::new(own(13), known_props()).unwrap();
    let first_device = std::mem::replace(&mut world.tokens, other);
    world.pass(5);
    let second = world.sent().remove(0);
    world.ended(&second, IqEnd::Ok);
    world.tokens = first_device;
    world.ended(&first, IqEnd::Ok);
    assert_eq!(world.stored(), (Some(("x".into(), NOW)), Some(NOW + 5)));
}

#[test]
fn a_mapping_learned_later_joins_the_two_rows() {
    let mut world = World::new();
    world.receive(&notification([token("p", "1786000002")]).attr("sender_lid", ""));
    world.history(
        &Names::of(peer(LID)),
        Some("l"),
        1_786_000_001,
        1_786_000_000,
    );
    assert_eq!(
        world.attached().as_deref(),
        Some(&b"p"[..]),
        "read before the merge"
    );
    world
        .step(|tokens, cx| tokens.mapping_learned(cx, &peer(PN), &peer(LID)))
        .unwrap();
    let theirs = Some(("p".into(), 1_786_000_002));
    assert_eq!(world.stored(), (theirs, Some(1_786_000_000)));
    assert_eq!(world.row(PN), None);
}

#[test]
fn a_copy_of_our_own_issue_moves_only_our_side() {
    let mut world = World::new();
    let copy = Node::new("notification")
        .jid("from", jid("900000000000009:3@lid"))
        .child(Node::new("tokens").child(token("x", "1786000000").jid("jid", jid(LID))));
    world.receive(&copy);
    assert_eq!(world.stored(), (None, Some(1_786_000_000)));
    assert_eq!(world.row("900000000000009@lid"), None);
    assert_eq!(world.events, []);
}

#[test]
fn a_damaged_row_counts_as_absent_and_a_newer_one_is_left_alone() {
    let mut world = World::new();
    let key = Key::new(&world.scope(), Namespace::Token, peer(LID).storage());
    for (row, stored) in [(vec![1, 0xff], true), (vec![9, 1], false)] {
        let key = key.clone();
        world.put_row(key.clone(), row.clone());
        assert_eq!(world.attached(), None);
        world.give("x", NOW);
        assert_eq!(world.raw(&key) != Some(row), stored);
    }
    let counters = world.tokens.counters();
    // The step that reads it moves it away; a newer one stops the mapping and the token.
    assert_eq!((counters.damaged_rows, counters.newer_rows), (1, 2));
}
