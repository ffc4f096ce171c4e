//! What is kept, told and thrown away.

use sendpath_protocol::account::adopt;
use sendpath_protocol::error::StoreError;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::peer::Names;
use sendpath_protocol::tctoken::explain::Explanation;
use sendpath_protocol::tctoken::issue::IqEnd;
use sendpath_protocol::tctoken::policy::{MessageKind, Own, TokenProps};
use sendpath_protocol::tctoken::prune::{self, BATCH, Cursor, EVERY, Pruned, Pruner};
use sendpath_protocol::tctoken::record::Source;
use sendpath_protocol::tctoken::timeline::What;
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::txn::{Key, Namespace};
use sendpath_protocol::verdict::{Attached, Cause, WhyNot};

use crate::world::*;

/// Props with `count` buckets to receive.
fn receiving(count: i64) -> TokenProps {
    TokenProps {
        receive: Some(window(count)),
        ..known_props()
    }
}

/// A whole run; cleared and dropped contacts.
fn pruned(world: &mut World) -> (u64, u64) {
    let (mut sum, mut next) = ((0, 0), None);
    loop {
        let done = batch(world, next);
        sum = (sum.0 + done.cleared, sum.1 + done.dropped);
        next = done.next;
        if next.is_none() {
            return sum;
        }
    }
}

fn batch(world: &mut World, after: Option<Cursor>) -> Pruned {
    let now = world.clock();
    world
        .step(|tokens, cx| tokens.prune(cx, after, now))
        .unwrap()
}

fn contact(number: usize) -> Names {
    Names::of(peer(&format!("{}@lid", 200_000_000_000_000 + number)))
}

/// A contact whose token has time `t` and to whom we issued at `sender_t`.
fn known(world: &mut World, number: usize, t: i64, sender_t: i64) {
    let [t, sender_t] = [t, sender_t].map(|t| u64::try_from(t).unwrap());
    world.history(&contact(number), Some("x"), t, sender_t);
}

fn halves(world: &World, number: usize) -> Option<(bool, bool)> {
    let row = world.row(&contact(number).lid.unwrap().jid().reveal())?;
    Some((row.theirs.is_some(), row.ours.is_some()))
}

fn explained(world: &mut World) -> Explanation {
    let now = world.clock();
    world
        .step(|tokens, cx| tokens.explain(&cx.txn, &jid(LID), &a(), now))
        .unwrap()
}

fn note(world: &mut World, what: What) {
    let now = world.clock();
    world.step(|tokens, cx| tokens.note(cx, &jid(LID), &a(), what, now));
}

fn whats(told: &Explanation) -> Vec<What> {
    told.timeline.iter().map(|entry| entry.what).collect()
}

#[test]
fn scenario_05_nothing_is_pruned_before_the_server_told_its_windows() {
    let mut world = World::new();
    world.give("x", 1_771_000_000);
    world.issued();
    let kept = Some(("x".to_owned(), 1_771_000_000));
    for props in [
        TokenProps::default(),
        TokenProps {
            receive: None,
            ..known_props()
        },
        TokenProps {
            send: None,
            ..known_props()
        },
        receiving(26),
    ] {
        world.tokens.set_props(props);
        assert_eq!(pruned(&mut world), (0, 0));
        assert_eq!(world.stored(), (kept.clone(), Some(NOW)));
    }
    world.tokens.set_props(receiving(4));
    assert_eq!(pruned(&mut world), (1, 0));
    assert_eq!(world.stored(), (None, Some(NOW)));
    let t = UnixSeconds(1_771_000_000);
    assert_eq!(
        whats(&explained(&mut world)).pop(),
        Some(What::Pruned { t })
    );
}

#[test]
fn a_token_is_kept_one_bucket_longer_than_it_is_attached() {
    let mut world = World::new();
    let (cutoff, bucket) = (1_784_160_000, 604_800);
    known(&mut world, 0, cutoff - bucket, NOW);
    known(&mut world, 1, cutoff - bucket - 1, NOW);
    assert_eq!(pruned(&mut world), (1, 0));
    assert_eq!(halves(&world, 0), Some((true, true)));
    assert_eq!(halves(&world, 1), Some((false, true)));
}

#[test]
fn a_row_goes_when_neither_half_counts_any_more_and_its_timeline_goes_along() {
    let mut world = World::new();
    let (cutoff, old) = (1_784_160_000, 1_771_000_000);
    world.tokens.set_props(TokenProps {
        send: Some(window(2)),
        ..known_props()
    });
    let sender_cutoff = cutoff + 2 * 604_800;
    for (number, (t, sender_t)) in [
        (old, sender_cutoff - 1),
        (old, sender_cutoff),
        (cutoff, sender_cutoff - 1),
        (old, 0),
    ]
    .into_iter()
    .enumerate()
    {
        known(&mut world, number, t, sender_t);
        let to = contact(number).lid.unwrap().jid();
        world.step(|tokens, cx| {
            let at = UnixSeconds(NOW);
            tokens.note(cx, &to, &Names::default(), What::Accepted, at);
        });
    }
    assert_eq!(pruned(&mut world), (1, 2));
    let left: Vec<_> = (0..4).map(|number| halves(&world, number)).collect();
    assert_eq!(left, [None, Some((false, true)), Some((true, true)), None]);
    assert_eq!(world.store.len(), 4, "two contacts with their timelines");
}

#[test]
fn a_timeline_without_a_row_goes_when_it_is_old() {
    let mut world = World::new();
    let refused = What::Refused {
        code: Some(463),
        cause: Cause::ColdRefused,
    };
    world.step(|tokens, cx| tokens.note(cx, &jid(LID), &a(), refused, UnixSeconds(T0)));
    let end = 1_788_393_600 + 604_800;
    let to = contact(0).lid.unwrap().jid();
    world.step(|tokens, cx| {
        tokens.note(cx, &to, &Names::default(), refused, UnixSeconds(NOW));
    });
    world.at(end - 1);
    known(&mut world, 0, end, 0);
    assert_eq!(pruned(&mut world), (0, 0));
    world.pass(1);
    assert_eq!(pruned(&mut world), (0, 1));
    assert_eq!(
        world.store.len(),
        2,
        "a contact that has a row keeps its story"
    );
}

#[test]
fn what_cannot_be_read_is_not_pruned() {
    let mut world = World::new();
    let scope = world.scope();
    let rows = [
        (Namespace::Token, "lid:1", vec![1, 0xff]),
        (Namespace::Token, "lid:2", vec![9]),
        (Namespace::Timeline, "lid:3", vec![1, 0xff]),
        (Namespace::Timeline, "account", vec![1]),
    ];
    for (ns, id, row) in rows {
        world.put_row(Key::new(&scope, ns, id), row);
    }
    assert_eq!(pruned(&mut world), (0, 0));
    let counters = world.tokens.counters();
    assert_eq!((counters.damaged_rows, counters.newer_rows), (2, 1));
    assert_eq!(world.store.len(), 4);
}

#[test]
fn pruning_goes_in_batches_once_a_day_and_can_be_stopped() {
    let mut world = World::new();
    for number in 0..BATCH + 1 {
        known(&mut world, number, 1_771_000_000, 0);
    }
    let start = world.mono;
    let now = world.clock();
    let mut pruner = world
        .step(|tokens, cx| {
            let mut pruner = Pruner::load(&cx.txn, tokens.scope())?;
            pruner.start(cx, now);
            Ok::<_, StoreError>(pruner)
        })
        .unwrap();
    let tick = |world: &mut World, pruner: &mut Pruner, at: u64| {
        world.mono = at;
        let now = world.clock();
        let done = world
            .step(|tokens, cx| pruner.tick(cx, tokens, now))
            .unwrap();
        (done.dropped, pruner.deadline().map(|at| at.0))
    };
    let day = EVERY.0;
    let first = start + day;
    let second = prune::SPACING.0;
    assert_eq!(tick(&mut world, &mut pruner, first - 1), (0, Some(first)));
    let all = u64::try_from(BATCH).unwrap();
    let next = first + second;
    assert_eq!(tick(&mut world, &mut pruner, first), (all, Some(next)));
    let after = next + second;
    assert_eq!(tick(&mut world, &mut pruner, next), (1, Some(after)));
    let tomorrow = first + day;
    assert_eq!(tick(&mut world, &mut pruner, after), (0, Some(tomorrow)));
    known(&mut world, 0, 1_771_000_000, 0);
    pruner.stop();
    assert_eq!(tick(&mut world, &mut pruner, tomorrow), (0, None));
    assert!(halves(&world, 0).is_some());
}

#[test]
fn a_thousand_messages_and_their_causes_are_a_few_lines() {
    let mut world = World::new();
    let nothing = What::Attached(Attached::Nothing(WhyNot::NeverReceived));
    note(&mut world, nothing);
    note(&mut world, What::Accepted);
    world.give("x", 1_786_000_000);
    let t = UnixSeconds(1_786_000_000);
    let received = What::Received {
        source: Source::Notification,
        t,
        fresh: true,
    };
    let carried = What::Attached(Attached::Tctoken { t });
    for _ in 0..1_000 {
        world.pass(1);
        note(&mut world, carried);
        note(&mut world, What::Accepted);
    }
    let told = explained(&mut world);
    let lines: Vec<_> = told.timeline.iter().map(|e| (e.what, e.count)).collect();
    assert_eq!(
        lines,
        [
            (nothing, 1),
            (What::Accepted, 1),
            (received, 1),
            (carried, 1_000),
            (What::Accepted, 1_000)
        ]
    );
    assert!(told.render(world.clock()).contains("1000 times"));
}

#[test]
fn history_writes_no_timeline_and_is_told_all_the_same() {
    let mut world = World::new();
    world.history(&a(), Some("x"), 1_786_000_000, 1_785_990_000);
    assert_eq!(world.store.len(), 1);
    let told = explained(&mut world);
    let received = What::Received {
        source: Source::History,
        t: UnixSeconds(1_786_000_000),
        fresh: true,
    };
    assert_eq!(whats(&told), [received]);
    assert_eq!(told.timeline[0].at, UnixSeconds(NOW));
    let sender = told.sender.unwrap();
    assert_eq!((sender.t.0, sender.next_due.0), (1_785_990_000, T1));
}

#[test]
fn a_copy_of_our_issue_and_a_repeated_token_are_told() {
    let mut world = World::new();
    world.give("x", 1_786_000_000);
    world.give("x", 1_786_000_000);
    world.give("x", 1_786_000_005);
    let copy = notification([token("x", "1786000000").jid("jid", jid(LID))])
        .attr("sender_lid", "900000000000009:3@lid");
    for _ in 0..2 {
        world.receive(&copy);
    }
    let received = |t, fresh| What::Received {
        source: Source::Notification,
        t: UnixSeconds(t),
        fresh,
    };
    let issued = What::Issued {
        t: UnixSeconds(1_786_000_000),
        here: false,
    };
    let told = explained(&mut world);
    assert_eq!(
        whats(&told),
        [
            received(1_786_000_000, true),
            received(1_786_000_005, false),
            issued
        ]
    );
    assert!(told.timeline.iter().all(|entry| entry.count == 1));
}

#[test]
fn an_issue_that_failed_is_told_with_the_servers_code() {
    for (end, code) in [(IqEnd::Error(400), Some(400)), (IqEnd::Timeout, None)] {
        let mut world = World::new();
        let issue = world.sent().remove(0);
        world.ended(&issue, end);
        assert_eq!(whats(&explained(&mut world)), [What::IssueFailed { code }]);
    }
}

#[test]
fn the_story_under_the_phone_number_is_not_lost_when_the_lid_is_learnt() {
    let mut world = World::new();
    let by_pn = Names::default();
    let nothing = What::Attached(Attached::Nothing(WhyNot::NeverReceived));
    let now = world.clock();
    world.step(|tokens, cx| tokens.note(cx, &jid(PN), &by_pn, nothing, now));
    world.pass(1);
    world.give("x", NOW);
    let received = What::Received {
        source: Source::Notification,
        t: UnixSeconds(NOW),
        fresh: true,
    };
    assert_eq!(
        whats(&explained(&mut world)),
        [nothing, What::Merged, received]
    );
    let key = |id| Key::new(&world.scope(), Namespace::Timeline, id);
    assert_eq!(world.raw(&key("pn:4915550001")), None);

    let (other, to) = (jid("4915550002@s.whatsapp.net"), Jid::lid("300"));
    world
        .step(|tokens, cx| {
            tokens.note(cx, &other, &Names::default(), nothing, now);
            tokens.mapping_learned(cx, &peer("4915550002@s.whatsapp.net"), &peer("300@lid"))
        })
        .unwrap();
    let told = world
        .step(|tokens, cx| tokens.explain(&cx.txn, &to, &Names::default(), now))
        .unwrap();
    assert_eq!(whats(&told), [nothing]);
}

fn lid_changed(world: &mut World, old: &str, new: &str) {
    let (old, new, now) = (peer(old), peer(new), world.clock());
    world
        .step(|tokens, cx| tokens.lid_changed(cx, &old, &new, now))
        .unwrap();
}

#[test]
fn rows_follow_a_contact_to_its_new_lid() {
    let mut world = World::new();
    let new = "100000000000002@lid";
    world.give("x", 1_786_000_000);
    world.issued();
    world.history(&Names::of(peer(new)), Some("y"), 1_785_990_000, 0);
    lid_changed(&mut world, LID, new);
    let row = world.row(new).unwrap();
    assert_eq!(row.theirs.unwrap().t, UnixSeconds(1_786_000_000));
    assert_eq!(row.ours.unwrap().t, UnixSeconds(NOW));
    assert_eq!(world.row(LID), None);
    let now = world.clock();
    let told = world
        .step(|tokens, cx| tokens.explain(&cx.txn, &jid(new), &Names::default(), now))
        .unwrap();
    assert_eq!(whats(&told).len(), 3);
    assert_eq!(whats(&told).pop(), Some(What::LidChanged));
    lid_changed(&mut world, LID, new);
    assert_eq!(world.store.len(), 2, "once more changes nothing");
}

#[test]
fn an_issue_in_flight_is_recorded_under_the_new_lid_and_a_queued_one_is_dropped() {
    let mut world = World::new();
    let new = "100000000000002@lid";
    let issue = world.sent().remove(0);
    lid_changed(&mut world, LID, new);
    world.ended(&issue, IqEnd::Ok);
    assert_eq!(world.row(new).unwrap().ours.unwrap().t, UnixSeconds(NOW));
    assert_eq!(world.row(LID), None);

    let mut world = World::new();
    world.tokens.hold_issues(true);
    assert!(world.sent().is_empty());
    lid_changed(&mut world, LID, new);
    world.tokens.hold_issues(false);
    assert!(world.later().is_empty());
    let issues = world.sent_as(new, &Names::default(), MessageKind::Content);
    assert_eq!(issues.len(), 1);
}

#[test]
fn a_damaged_row_does_not_follow_and_is_counted() {
    let new = "100000000000002@lid";
    for damaged in [vec![LID], vec![LID, new]] {
        let mut world = World::new();
        for who in &damaged {
            let key = Key::new(&world.scope(), Namespace::Token, peer(who).storage());
            world.put_row(key, vec![1, 0xff]);
        }
        lid_changed(&mut world, LID, new);
        let key = Key::new(&world.scope(), Namespace::Token, peer(LID).storage());
        assert_eq!(world.raw(&key), None);
        let counted = u64::try_from(damaged.len()).unwrap();
        assert_eq!(world.tokens.counters().damaged_rows, counted);
    }
}

#[test]
fn our_own_lid_and_phone_numbers_do_not_follow() {
    let mut world = World::new();
    world.give("x", NOW);
    for (old, new) in [
        (LID, PN),
        (PN, LID),
        (LID, LID),
        (LID, "900000000000009@lid"),
        ("900000000000009@lid", LID),
    ] {
        lid_changed(&mut world, old, new);
        assert_eq!(world.stored().0, Some(("x".into(), NOW)), "{old} {new}");
    }
    let scope = world.scope();
    world.put_row(
        Key::new(&scope, Namespace::Token, peer(LID).storage()),
        vec![9],
    );
    lid_changed(&mut world, LID, "100000000000002@lid");
    assert_eq!(world.row("100000000000002@lid"), None);
    assert!(world.tokens.counters().newer_rows > 0);
}

#[test]
fn an_account_that_learns_its_lid_late_keeps_its_tokens() {
    let by_pn = Own::new(None, Some(&jid("4915559999@s.whatsapp.net"))).unwrap();
    let (pn, lid) = (by_pn.account().unwrap(), own(12).account().unwrap());
    let mut world = World::new();
    world.restart(by_pn, known_props());
    world.give("x", NOW);
    world.set_salt(&[1; 32]);
    note(&mut world, What::Accepted);
    world.restart(own(12), known_props());
    assert_eq!(world.attached(), None);
    world.step(|_, cx| adopt::own_lid(cx, &pn, &lid)).unwrap();
    assert_eq!(world.attached().as_deref(), Some(&b"x"[..]));
    let told = explained(&mut world);
    assert_eq!((told.salt, whats(&told).len()), (true, 2));
}

#[test]
fn forgetting_one_account_leaves_the_other() {
    let other = Own::new(Some(&Jid::lid("800000000000008")), None).unwrap();
    let mut world = World::new();
    world.give("x", NOW);
    world.restart(other, known_props());
    world.give("y", NOW);
    let account = own(12).account().unwrap();
    world
        .step(|_, cx| adopt::forget_account(cx, &account))
        .unwrap();
    assert_eq!(world.attached().as_deref(), Some(&b"y"[..]));
    world.restart(own(12), known_props());
    let told = explained(&mut world);
    assert_eq!((told.token, told.timeline), (None, vec![]));
}
