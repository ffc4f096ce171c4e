use super::*;

const T: UnixSeconds = UnixSeconds(1_785_974_400);

fn peer(number: usize) -> PeerKey {
    PeerKey::Lid(number.to_string().into())
}

fn want(issuance: &mut Issuance, number: usize, now: Mono) -> bool {
    let peer = peer(number);
    let target = peer.jid();
    issuance.want(peer, target, T, Reason::Message, now)
}

/// One issue from queue to result.
fn issue(issuance: &mut Issuance, number: usize, end: IqEnd, now: Mono) {
    assert!(want(issuance, number, now));
    assert_eq!(issuance.due(now).len(), 1);
    issuance.ended(&peer(number), T, end, now).unwrap();
}

#[test]
fn a_thousand_contacts_leave_two_a_second_and_four_at_a_time() {
    let mut issuance = Issuance::default();
    let queued = (0..3_000)
        .filter(|n| want(&mut issuance, *n, Mono(0)))
        .count();
    assert_eq!(queued, MAX_QUEUED);
    let at: Vec<_> = [0, 499, 500, 1_000, 1_500, 9_000]
        .into_iter()
        .map(|at| issuance.due(Mono(at)).len())
        .collect();
    assert_eq!(at, [1, 0, 1, 1, 1, 0]);
    assert_eq!(issuance.next_at(), None);
    issuance.ended(&peer(0), T, IqEnd::Ok, Mono(9_000)).unwrap();
    assert_eq!(issuance.due(Mono(9_000)).len(), 1);
}

#[test]
fn pauses_of_a_contact_double_up_to_six_hours() {
    let mut issuance = Issuance::default();
    let mut now = Mono(0);
    for seconds in [
        60, 120, 240, 480, 960, 1_920, 3_840, 7_680, 15_360, 21_600, 21_600,
    ] {
        issue(&mut issuance, 1, IqEnd::Timeout, now);
        let end = now.plus(Millis::from_secs(seconds));
        assert!(!want(&mut issuance, 1, Mono(end.0 - 1)), "{seconds}");
        now = end;
    }
}

#[test]
fn a_refused_contact_rests_for_a_day() {
    let mut issuance = Issuance::default();
    issue(&mut issuance, 1, IqEnd::Error(403), Mono(0));
    assert!(!want(&mut issuance, 1, Mono(86_399_999)));
    assert!(want(&mut issuance, 1, Mono(86_400_000)));
}

#[test]
fn too_many_requests_stop_all_issues_for_longer_each_time() {
    let mut issuance = Issuance::default();
    issue(&mut issuance, 1, IqEnd::Error(429), Mono(0));
    assert!(!want(&mut issuance, 2, Mono(BREAKER_FIRST.0 - 1)));
    let second = Mono(BREAKER_FIRST.0);
    issue(&mut issuance, 2, IqEnd::Error(429), second);
    assert!(!want(
        &mut issuance,
        3,
        second.plus(Millis(2 * BREAKER_FIRST.0 - 1))
    ));
    assert!(want(
        &mut issuance,
        3,
        second.plus(Millis(2 * BREAKER_FIRST.0))
    ));
}

#[test]
fn only_the_third_overload_in_a_row_stops_all_issues() {
    let mut issuance = Issuance::default();
    for (number, at) in [(1, 0), (2, 1_000), (3, 2_000)] {
        issue(&mut issuance, number, IqEnd::Error(503), Mono(at));
    }
    assert!(!want(&mut issuance, 4, Mono(3_000)));
}

#[test]
fn a_message_wins_over_a_queued_reissue() {
    let mut issuance = Issuance::default();
    issuance.hold(true);
    let older = UnixSeconds(T.0 - 1);
    let jid = peer(1).jid();
    assert!(issuance.want(peer(1), jid, older, Reason::IdentityChange, Mono(0)));
    assert!(!want(&mut issuance, 1, Mono(1)));
    issuance.hold(false);
    let due = issuance.due(Mono(2));
    assert_eq!(due.iter().map(|issue| issue.t).collect::<Vec<_>>(), [T]);
    let taken = issuance.ended(&peer(1), T, IqEnd::Ok, Mono(3)).unwrap();
    assert_eq!(
        taken,
        Some(Taken {
            peer: peer(1),
            t: T
        })
    );
}

#[test]
fn a_result_under_the_old_name_is_recorded_under_the_new_one() {
    let mut issuance = Issuance::default();
    let pn = PeerKey::Pn("49".into());
    assert!(issuance.want(pn.clone(), pn.jid(), T, Reason::Message, Mono(0)));
    assert_eq!(issuance.due(Mono(0)).len(), 1);
    issuance.rename(&pn, &peer(1), Mono(0));
    assert!(!want(&mut issuance, 1, Mono(1)), "still in flight");
    let taken = issuance.ended(&pn, T, IqEnd::Ok, Mono(2)).unwrap();
    assert_eq!(
        taken,
        Some(Taken {
            peer: peer(1),
            t: T
        })
    );
}

#[test]
fn unknown_and_repeated_results_change_nothing() {
    let mut issuance = Issuance::default();
    assert_eq!(
        issuance.ended(&peer(1), T, IqEnd::Ok, Mono(0)),
        Err(Unknown)
    );
    issue(&mut issuance, 1, IqEnd::Ok, Mono(0));
    assert_eq!(
        issuance.ended(&peer(1), T, IqEnd::Error(403), Mono(1)),
        Err(Unknown)
    );
    assert!(want(&mut issuance, 1, Mono(1)));
}

#[test]
fn nothing_leaves_after_a_stop() {
    let mut issuance = Issuance::default();
    want(&mut issuance, 1, Mono(0));
    issuance.stop();
    assert!(issuance.due(Mono(0)).is_empty() && !want(&mut issuance, 2, Mono(0)));
}

#[test]
fn answers_to_what_had_left_do_not_lengthen_the_stop() {
    let mut issuance = Issuance::default();
    for number in [1, 2] {
        assert!(want(&mut issuance, number, Mono(0)));
    }
    assert_eq!(issuance.due(Mono(0)).len(), 1);
    assert_eq!(issuance.due(Mono(500)).len(), 1);
    for number in [1, 2] {
        issuance
            .ended(&peer(number), T, IqEnd::Error(429), Mono(1_000))
            .unwrap();
    }
    let end = Mono(1_000).plus(BREAKER_FIRST);
    assert!(!want(&mut issuance, 3, Mono(end.0 - 1)));
    assert!(want(&mut issuance, 3, end));
}

#[test]
fn what_waits_under_both_names_leaves_once_with_the_later_time() {
    let pn = PeerKey::Pn("49".into());
    let at = |t| UnixSeconds(T.0 + t);
    for (by_pn, by_lid, leaves) in [(1, 0, 1), (0, 1, 1), (0, 0, 0)] {
        let mut issuance = Issuance::default();
        for (name, t) in [(&pn, by_pn), (&peer(1), by_lid)] {
            let queued = issuance.want(name.clone(), name.jid(), at(t), Reason::Message, Mono(0));
            assert!(queued);
        }
        issuance.rename(&pn, &peer(1), Mono(0));
        let due = issuance.due(Mono(0));
        assert_eq!(
            (due.len(), &due[0].peer, due[0].t),
            (1, &peer(1), at(leaves))
        );
        let form = if by_pn > by_lid { &pn } else { &peer(1) };
        assert_eq!(due[0].target, form.jid());
        assert_eq!(issuance.next_at(), None);
    }
}

#[test]
fn nothing_waits_for_a_contact_that_is_in_flight_or_paused_under_its_other_name() {
    let pn = PeerKey::Pn("49".into());
    for (first, second) in [(pn.clone(), peer(1)), (peer(1), pn.clone())] {
        for end in [None, Some(IqEnd::Timeout)] {
            let mut issuance = Issuance::default();
            let want = |issuance: &mut Issuance, name: &PeerKey| {
                assert!(issuance.want(name.clone(), name.jid(), T, Reason::Message, Mono(0)));
            };
            want(&mut issuance, &first);
            assert_eq!(issuance.due(Mono(0)).len(), 1);
            want(&mut issuance, &second);
            if let Some(end) = end {
                issuance.ended(&first, T, end, Mono(0)).unwrap();
            }
            issuance.rename(&pn, &peer(1), Mono(0));
            assert!(issuance.due(Mono(5_000)).is_empty());
        }
    }
}

#[test]
fn both_of_two_flights_of_one_contact_come_back() {
    let pn = PeerKey::Pn("49".into());
    let mut issuance = Issuance::default();
    for name in [&pn, &peer(1)] {
        assert!(issuance.want(name.clone(), name.jid(), T, Reason::Message, Mono(0)));
    }
    assert_eq!(issuance.due(Mono(0)).len(), 1);
    assert_eq!(issuance.due(Mono(500)).len(), 1);
    issuance.rename(&pn, &peer(1), Mono(500));
    let taken = Ok(Some(Taken {
        peer: peer(1),
        t: T,
    }));
    for name in [&pn, &peer(1)] {
        assert_eq!(issuance.ended(name, T, IqEnd::Ok, Mono(600)), taken);
    }
}

#[test]
fn the_longer_pause_stays_when_names_join() {
    let pn = PeerKey::Pn("49".into());
    let (short, long) = (IqEnd::Timeout, IqEnd::Error(403));
    for (of_pn, of_lid) in [(long, short), (short, long)] {
        let mut issuance = Issuance::default();
        for (name, end, at) in [(&pn, of_pn, Mono(0)), (&peer(1), of_lid, Mono(500))] {
            assert!(issuance.want(name.clone(), name.jid(), T, Reason::Message, at));
            assert_eq!(issuance.due(at).len(), 1);
            issuance.ended(name, T, end, Mono(500)).unwrap();
        }
        issuance.rename(&pn, &peer(1), Mono(500));
        let end = Mono(500).plus(REFUSED_PAUSE);
        assert!(!want(&mut issuance, 1, Mono(end.0 - 1)));
        assert!(want(&mut issuance, 1, end));
    }
}

#[test]
fn a_reissue_under_one_name_quiets_the_other_one() {
    let pn = PeerKey::Pn("49".into());
    for first in [&pn, &peer(1)] {
        let mut issuance = Issuance::default();
        let mut again = |name: &PeerKey, at| {
            let reason = Reason::IdentityChange;
            let wanted = issuance.want(name.clone(), name.jid(), T, reason, Mono(at));
            issuance.cancel(name);
            issuance.rename(&pn, &peer(1), Mono(at));
            wanted
        };
        assert!(again(first, 0));
        assert!(!again(&peer(1), 59_999));
        assert!(again(&peer(1), 60_000));
    }
}

#[test]
fn a_reissue_of_the_same_time_does_not_replace_what_waits() {
    let mut issuance = Issuance::default();
    issuance.hold(true);
    assert!(want(&mut issuance, 1, Mono(0)));
    assert!(!issuance.want(peer(1), peer(1).jid(), T, Reason::IdentityChange, Mono(0)));
    issuance.hold(false);
    assert_eq!(issuance.due(Mono(0)).len(), 1);
    let taken = issuance.ended(&peer(1), T, IqEnd::Ok, Mono(1)).unwrap();
    assert!(taken.is_some(), "it is still a message's");
}

#[test]
fn a_success_after_the_stop_forgets_how_long_it_was() {
    for (ok_at, next) in [
        (BREAKER_FIRST.0, BREAKER_FIRST),
        (BREAKER_FIRST.0 - 1, Millis(2 * BREAKER_FIRST.0)),
    ] {
        let mut issuance = Issuance::default();
        for number in [1, 2] {
            assert!(want(&mut issuance, number, Mono(0)));
        }
        issuance.due(Mono(0));
        issuance.due(Mono(500));
        let mut ended = |number, end, at| {
            issuance.ended(&peer(number), T, end, Mono(at)).unwrap();
        };
        ended(1, IqEnd::Error(429), 0);
        ended(2, IqEnd::Ok, ok_at);
        let again = Mono(BREAKER_FIRST.0);
        issue(&mut issuance, 3, IqEnd::Error(429), again);
        let end = again.plus(next);
        assert!(!want(&mut issuance, 4, Mono(end.0 - 1)), "{ok_at}");
        assert!(want(&mut issuance, 4, end), "{ok_at}");
    }
}

#[test]
fn all_issuing_stops_for_two_hours_at_most() {
    let mut issuance = Issuance::default();
    let mut now = Mono(0);
    for (number, seconds) in (1..).zip([300, 600, 1_200, 2_400, 4_800, 7_200, 7_200]) {
        issue(&mut issuance, number, IqEnd::Error(429), now);
        let end = now.plus(Millis::from_secs(seconds));
        assert!(!want(&mut issuance, 0, Mono(end.0 - 1)), "{seconds}");
        now = end;
    }
}
