//! The loop, moved by hand: what shares a commit, what a fault costs, when it connects.

use sendpath_handoff::{AccountEvent, ConnectionState, Sending};
use sendpath_protocol::error::{Fault, StoreError};
use sendpath_protocol::event::{DisconnectReason, Event};
use sendpath_protocol::noise::LinkError;
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::txn::{Scope, Store};
use sendpath_protocol::verdict::{Cause, Lost, Outcome};

use super::rig::{Handle, Rig, accepted, cause};
use crate::shard::Request;

#[test]
fn two_sessions_share_one_commit() {
    let mut rig = Rig::new();
    let (a, b) = (rig.open("a"), rig.open("b"));
    let sendings = [rig.send(&a, "accept"), rig.send(&b, "accept")];
    rig.settle();
    assert_eq!(rig.store.commits(), 1);
    sendings.iter().for_each(assert_accepted);
}

#[test]
fn a_second_input_of_a_session_waits_for_the_commit_of_the_first() {
    let mut rig = Rig::new();
    let (a, b) = (rig.open("a"), rig.open("b"));
    let mut wire = rig.connected(&a);
    wire.heard();
    let sendings = [
        rig.send(&a, "accept"),
        rig.send(&a, "accept"),
        rig.send(&b, "accept"),
    ];
    rig.settle();
    assert_eq!(rig.store.commits(), 2);
    assert_eq!(
        wire.heard(),
        [[1], [2]],
        "the second read what the first wrote"
    );
    sendings.iter().for_each(assert_accepted);
}

#[test]
fn sessions_of_one_account_never_share_a_commit() {
    let mut rig = Rig::new();
    let (a, b) = (rig.open("twin1"), rig.open("twin2"));
    let (mut wire_a, mut wire_b) = (rig.connected(&a), rig.connected(&b));
    wire_a.heard();
    wire_b.heard();
    let sendings = [rig.send(&a, "accept"), rig.send(&b, "accept")];
    rig.settle();
    assert_eq!(rig.store.commits(), 2);
    assert_eq!(
        (wire_a.heard(), wire_b.heard()),
        (vec![vec![1]], vec![vec![2]])
    );
    sendings.iter().for_each(assert_accepted);
}

#[test]
fn a_hundred_sessions_need_two_commits() {
    let mut rig = Rig::new();
    let handles: Vec<_> = (0..100).map(|n| rig.open(&format!("s{n}"))).collect();
    let sendings: Vec<_> = handles.iter().map(|h| rig.send(h, "accept")).collect();
    rig.settle();
    assert_eq!(rig.store.commits(), 2, "64 and 36");
    sendings.iter().for_each(assert_accepted);
}

#[test]
fn frames_leave_in_the_order_of_effects() {
    let mut rig = Rig::new();
    let a = rig.open("a");
    let mut wire = rig.connected(&a);
    assert_eq!(wire.first, b"hello");
    assert_eq!(wire.heard(), [b"finish"]);
    wire.says(b"x");
    wire.says(b"y");
    rig.settle();
    assert_eq!(wire.heard(), [b"x\x01", b"x\x02", b"y\x01", b"y\x02"]);
}

#[test]
fn a_failed_commit_drops_the_session_and_nothing_leaves() {
    let mut rig = Rig::new();
    let a = rig.open("a");
    let mut wire = rig.connected(&a);
    let held = rig.send(&a, "hold");
    rig.settle();
    wire.heard();
    a.events();

    rig.store.break_commits(Some(StoreError::Full));
    let failed = rig.send(&a, "accept");
    rig.settle();
    let fault = Fault::Store(StoreError::Full);
    assert_eq!(wire.heard(), [[0; 0]; 0], "nothing leaves on unsaved state");
    assert!(wire.is_closed());
    assert_eq!(failed.outcome(), unknown(&failed, false));
    assert_eq!(
        held.outcome(),
        unknown(&held, true),
        "saved before the fault"
    );
    let reason = DisconnectReason::Fault(fault.clone());
    assert_eq!(
        a.events(),
        [AccountEvent::Event(Event::Disconnected { reason })]
    );
    assert_eq!(a.shared.status().fault, Some(fault));

    let waiting = rig.send(&a, "accept");
    rig.settle();
    assert_eq!(waiting.outcome(), None, "waits for the new session");
    rig.store.break_commits(None);
    rig.advance(1100);
    assert_accepted(&waiting);
    assert_eq!(a.shared.status().fault, None);
    assert!(rig.dialed().is_some(), "connects again");
}

#[test]
fn a_fault_of_one_session_leaves_the_others_alone() {
    for trouble in ["break", "panic"] {
        let mut rig = Rig::new();
        let (a, b) = (rig.open("a"), rig.open("b"));
        let (bad, good) = (rig.send(&a, trouble), rig.send(&b, "accept"));
        rig.settle();
        assert_accepted(&good);
        assert_eq!(bad.outcome(), unknown(&bad, false), "{trouble}");
        let fault = a.shared.status().fault;
        assert!(matches!(fault, Some(Fault::Bug(_))), "{trouble}");
        let again = rig.send(&a, "accept");
        rig.advance(1100);
        assert_accepted(&again);
    }
}

#[test]
fn a_fenced_account_gives_up_until_the_host_asks() {
    let mut rig = Rig::new();
    let (a, b) = (rig.open("a"), rig.open("b"));
    let wire = rig.connected(&a);
    rig.store.acquire(&Scope::slot("a")).unwrap();
    let (fenced, other) = (rig.send(&a, "accept"), rig.send(&b, "accept"));
    rig.settle();
    assert_accepted(&other);
    assert_eq!(fenced.outcome(), unknown(&fenced, false));
    assert!(wire.is_closed());
    let late = rig.send(&a, "accept");
    rig.advance(3_600_000);
    assert!(rig.dialed().is_none(), "does not fight for the account");
    assert_eq!(cause(late.outcome()), Some(Cause::Cancelled));

    rig.connected(&a);
    let back = rig.send(&a, "accept");
    rig.settle();
    assert_accepted(&back);
}

#[test]
fn waits_between_connections_grow_and_start_anew_after_a_stable_one() {
    let mut rig = Rig::new();
    let a = rig.open("a");
    rig.ask(&a, Request::Connect);
    rig.settle();
    for seconds in [1, 1, 2, 3, 5] {
        drop(rig.dialed().expect("dials when the wait is over"));
        assert_waits(&mut rig, &a, seconds);
    }
    let wire = rig.dialed().unwrap();
    wire.establish();
    rig.settle();
    assert_eq!(a.shared.status().connection, ConnectionState::Up);
    rig.advance(30_000);
    drop(wire);
    assert_waits(&mut rig, &a, 1);
}

#[test]
fn each_stage_of_a_connection_has_twenty_seconds() {
    let mut rig = Rig::new();
    let a = rig.open("a");
    rig.ask(&a, Request::Connect);
    rig.settle();
    let wire = rig.dialed().unwrap();
    rig.advance(19_999);
    wire.opened();
    rig.settle();
    rig.advance(19_999);
    assert!(!wire.is_closed());
    assert_eq!(a.shared.status().connection, ConnectionState::Connecting);
    rig.advance(1);
    assert!(wire.is_closed());
    assert!(matches!(
        a.events()[..],
        [AccountEvent::Event(Event::Disconnected {
            reason: DisconnectReason::Network(_)
        })]
    ));
}

#[test]
fn a_session_says_when_to_connect_again() {
    for (byte, early, late) in [
        (b"N", None, 0),
        (b"B", Some(899), 1100),
        (b"P", Some(7_199), 8_800),
        (b"T", Some(3_599_999), 3_600_000),
    ] {
        let mut rig = Rig::new();
        let a = rig.open("a");
        let wire = rig.connected(&a);
        wire.says(byte);
        rig.settle();
        assert!(wire.is_closed());
        if let Some(early) = early {
            rig.advance(early);
            assert!(rig.dialed().is_none(), "{byte:?} after {early} ms");
        }
        rig.advance(late - early.unwrap_or(0));
        assert!(rig.dialed().is_some(), "{byte:?} after {late} ms");
    }
}

#[test]
fn a_stop_or_a_host_that_disconnects_ends_it_until_asked_again() {
    let mut rig = Rig::new();
    let a = rig.open("a");
    let wire = rig.connected(&a);
    wire.says(b"S");
    rig.advance(3_600_000);
    assert!(wire.is_closed() && rig.dialed().is_none());
    assert_eq!(a.shared.status().connection, ConnectionState::Idle);

    let wire = rig.connected(&a);
    a.events();
    rig.ask(&a, Request::Disconnect);
    rig.advance(3_600_000);
    assert!(wire.is_closed() && rig.dialed().is_none());
    let reason = DisconnectReason::Stopped;
    assert_eq!(
        a.events(),
        [AccountEvent::Event(Event::Disconnected { reason })]
    );
}

#[test]
fn nothing_of_an_old_connection_reaches_the_next() {
    let mut rig = Rig::new();
    let a = rig.open("a");
    let old = rig.connected(&a);
    old.says(b"N");
    old.says(b"late");
    rig.settle();
    let mut new = rig.dialed().unwrap();
    new.establish();
    old.says(b"later");
    drop(old);
    rig.settle();
    assert_eq!(new.heard(), [b"finish"]);
    assert_eq!(a.shared.status().connection, ConnectionState::Up);
}

#[test]
fn a_broken_link_ends_the_connection() {
    let mut rig = Rig::new();
    let a = rig.open("a");
    let wire = rig.connected(&a);
    a.events();
    wire.says(b"!");
    rig.settle();
    assert!(wire.is_closed());
    let reason = DisconnectReason::Handshake(LinkError::Decrypt);
    assert_eq!(
        a.events(),
        [AccountEvent::Event(Event::Disconnected { reason })]
    );
}

#[test]
fn deadlines_tick_once_and_in_time() {
    let mut rig = Rig::new();
    let a = rig.open("a");
    let mut wire = rig.connected(&a);
    wire.heard();
    let _ticking = rig.send(&a, "tick");
    rig.settle();
    rig.advance(4_999);
    assert_eq!(wire.heard(), [[0; 0]; 0]);
    rig.advance(1);
    assert_eq!(wire.heard(), [b"tick"]);
    rig.advance(60_000);
    assert_eq!(wire.heard(), [[0; 0]; 0]);
}

#[test]
fn cancelling_works_before_and_after_the_session_has_it() {
    let mut rig = Rig::new();
    let a = rig.open("a");
    let queued = rig.send(&a, "accept");
    queued.cancel();
    rig.ask(&a, Request::Cancel(queued.op));
    rig.settle();
    assert_eq!(cause(queued.outcome()), Some(Cause::Cancelled));
    assert_eq!(rig.store.commits(), 0);

    let held = rig.send(&a, "hold");
    rig.settle();
    held.cancel();
    held.cancel();
    rig.settle();
    assert_eq!(cause(held.outcome()), Some(Cause::Cancelled));

    let done = rig.send(&a, "accept");
    rig.settle();
    done.cancel();
    rig.settle();
    assert_accepted(&done);
}

/// The connection just ended; the next is dialled `seconds` later, within a tenth.
fn assert_waits(rig: &mut Rig, handle: &Handle, seconds: u64) {
    rig.settle();
    let now = UnixSeconds(1_700_000_000 + i64::try_from(rig.clock.mono() / 1000).unwrap());
    let ConnectionState::Waiting { retry } = handle.shared.status().connection else {
        panic!("waits for the next attempt");
    };
    let announced = u64::try_from(retry.since(now)).unwrap();
    assert!((seconds..=seconds + 2).contains(&announced), "{announced}");
    rig.advance(seconds * 900 - 1);
    assert!(
        rig.dialed().is_none(),
        "not before {seconds} s less a tenth"
    );
    rig.advance(seconds * 200 + 1);
}

fn assert_accepted(sending: &Sending) {
    assert_eq!(sending.outcome(), Some(accepted(sending.id.clone())));
}

fn unknown(sending: &Sending, still_trying: bool) -> Option<Outcome> {
    Some(Outcome::Unknown(Lost {
        id: sending.id.clone(),
        still_trying,
    }))
}
