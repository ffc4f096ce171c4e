use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sendpath_engine::StoreSpec;
use sendpath_protocol::error::StoreError;
use sendpath_protocol::event::Event;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::txn::{
    Changes, Fence, Key, MemoryStore, Namespace, Reader, Rows, Scope, Store,
};
use sendpath_protocol::verdict::Cause;
use sendpath_protocol::wap::{self, Node};

use super::*;

const START: i64 = 1_786_074_400;
const PEER: &str = "100000000000001@lid";
const OTHER: &str = "100000000000002@lid";
const LOCKED: &str = r#"{"data":{"xwa2_fetch_account_reachout_timelock":{"is_active":true,"time_enforcement_ends":"1786160800","enforcement_type":"DEFAULT"}}}"#;

#[test]
fn a_refused_message_is_explained_after_one_pull() {
    let guest = open(memory());
    assert_eq!(plan(&guest, PEER).no_tctoken, Some("never_received"));
    guest.handed("3EB0A1", PEER, MessageKind::Content).unwrap();
    guest.ack("3EB0A1", Some(463)).unwrap();
    let pull = one(&guest, WorkItemKind::Mex);
    assert_eq!(pull, one(&guest, WorkItemKind::Mex), "until it is reported");
    assert!(wap::decode(&pull.iq).unwrap().is("id", &pull.iq_id));
    guest
        .work_done(pull.id, WorkResult::Json(LOCKED.into()))
        .unwrap();
    let end = std::iter::from_fn(|| next(&guest)).find_map(|event| match event {
        AccountEvent::Outcome(completion) => Some(completion.result.unwrap_err()),
        _ => None,
    });
    let end = end.unwrap();
    assert_eq!(end.cause(), Some(Cause::AccountTimelocked));
    assert_eq!(end.message_id().unwrap().as_str(), "3EB0A1");
    let refusal = plan(&guest, OTHER).refusal.unwrap();
    assert_eq!(refusal.status(), Status::AccountTimelocked);
    assert_eq!(refusal.until().unwrap().0, 1_786_160_800);
}

#[test]
fn a_token_is_planned_as_soon_as_it_is_told() {
    let guest = open(memory());
    guest.token_received(PEER, b"token", START).unwrap();
    let plan = plan(&guest, PEER);
    assert_eq!(plan.attach, AttachKind::Tctoken);
    assert_eq!(plan.bytes.expose(), b"token");
    assert_eq!(plan.token_time.unwrap().0, START);
    assert_eq!((plan.no_tctoken, plan.refusal), (None, None));
    let stored = next(&guest).unwrap();
    assert!(matches!(
        stored,
        AccountEvent::Account(Event::TokenStored { .. })
    ));
}

#[test]
fn what_was_told_is_there_for_the_next_guest_and_fences_the_first_off() {
    let store = memory();
    let first = open(store.clone());
    first.token_received(PEER, b"token", START).unwrap();
    let second = open(store);
    assert_eq!(plan(&second, PEER).attach, AttachKind::Tctoken);
    let fenced = first.token_received(OTHER, b"other", START).unwrap_err();
    assert_eq!(fenced.status(), Status::StoreFenced);
    assert_eq!(plan(&second, OTHER).attach, AttachKind::Nothing);
}

#[test]
fn a_fact_whose_commit_failed_was_not_told_and_can_be_told_again() {
    let fail = Arc::new(AtomicUsize::new(0));
    let guest = open(custom(fail.clone()));
    guest.server_time(START + 100).unwrap();
    guest.disconnected().unwrap();
    fail.store(1, Ordering::Relaxed);
    let error = guest.token_received(PEER, b"token", START).unwrap_err();
    assert_eq!(error.status(), Status::StoreFull);
    assert_eq!(plan(&guest, PEER).attach, AttachKind::Nothing);
    assert_eq!(next(&guest), None, "no event of what is not stored");
    assert_eq!(guest.outgoing().unwrap(), [], "it is still offline");
    guest.token_received(PEER, b"token", START).unwrap();
    assert_eq!(plan(&guest, PEER).attach, AttachKind::Tctoken);
}

#[test]
fn what_was_told_of_the_link_outlives_a_failure_of_the_store() {
    let unlocked = LOCKED.replace("true", "false");
    let causes = [false, true].map(|told| {
        let fail = Arc::new(AtomicUsize::new(0));
        let guest = open(custom(fail.clone()));
        if told {
            guest
                .background(Some(START - 60), Some(false), None)
                .unwrap();
        }
        fail.store(1, Ordering::Relaxed);
        guest.token_received(OTHER, b"token", START).unwrap_err();
        guest.handed("A", PEER, MessageKind::Content).unwrap();
        guest.ack("A", Some(463)).unwrap();
        let pull = one(&guest, WorkItemKind::Mex);
        let answer = WorkResult::Json(unlocked.clone());
        guest.work_done(pull.id, answer).unwrap();
        let ends = std::iter::from_fn(|| next(&guest)).filter_map(|event| match event {
            AccountEvent::Outcome(completion) => completion.result.unwrap_err().cause(),
            _ => None,
        });
        ends.last().unwrap()
    });
    assert_eq!(causes, [Cause::ColdRefused, Cause::TokenMissingWarm]);
}

#[test]
fn the_numbers_of_work_are_not_used_again_after_a_failure() {
    let fail = Arc::new(AtomicUsize::new(0));
    let guest = open(custom(fail.clone()));
    let before = one(&guest, WorkItemKind::Props);
    fail.store(1, Ordering::Relaxed);
    guest.token_received(PEER, b"token", START).unwrap_err();
    let after = one(&guest, WorkItemKind::Props);
    assert_ne!(before.id, after.id);
    guest.work_done(before.id, WorkResult::Ok).unwrap();
    assert_eq!(one(&guest, WorkItemKind::Props), after);
}

#[test]
fn a_store_that_cannot_be_read_costs_the_token_and_not_the_message() {
    let fail = Arc::new(AtomicUsize::new(0));
    let guest = open(custom(fail.clone()));
    guest.token_received(PEER, b"token", START).unwrap();
    fail.store(usize::MAX, Ordering::Relaxed);
    guest.token_received(OTHER, b"token", START).unwrap_err();
    let plan_now = plan(&guest, PEER);
    assert_eq!(plan_now.no_tctoken, Some("store_error"));
    assert_eq!(plan_now.refusal, None);
    assert_eq!(guest.row_get(PEER).unwrap_err().status(), Status::StoreFull);
    fail.store(0, Ordering::Relaxed);
    assert_eq!(plan(&guest, PEER).attach, AttachKind::Tctoken);
}

#[test]
fn a_stanza_that_does_not_decode_changes_nothing() {
    let guest = open(memory());
    for bytes in [&b""[..], b"\x00", b"\x02garbage"] {
        let error = guest.observe_stanza(bytes).unwrap_err();
        assert_eq!(error.status(), Status::BadBytes);
    }
    let work = one(&guest, WorkItemKind::Props);
    let stanza = WorkResult::Stanza(b"\xff".to_vec());
    let error = guest.work_done(work.id, stanza).unwrap_err();
    assert_eq!(error.status(), Status::BadBytes);
    assert_eq!(one(&guest, WorkItemKind::Props), work);
    let answer = Node::new("iq")
        .attr("id", work.iq_id)
        .attr("type", "error")
        .child(Node::new("error").attr("code", "503"));
    guest.observe_stanza(&wap::encode(&answer)).unwrap();
    assert_eq!(guest.outgoing().unwrap(), []);
}

#[test]
fn names_and_addresses_are_checked() {
    let status = |change: fn(&mut GuestSetup)| {
        let mut setup = setup(memory());
        change(&mut setup);
        Guest::open(setup).err().map(|error| error.status())
    };
    assert_eq!(status(|_| ()), None);
    let bad = Some(Status::BadAddress);
    assert_eq!(status(|s| s.own_lid = None), None);
    assert_eq!(status(|s| (s.own_jid, s.own_lid) = (None, None)), bad);
    assert_eq!(status(|s| s.own_jid = Some(PEER.into())), bad);
    assert_eq!(status(|s| s.own_lid = Some("4915559999".into())), bad);
    let name = Some(Status::BadAccountName);
    assert_eq!(status(|s| s.name = "a b".into()), name);
    let guest = open(memory());
    let kind = MessageKind::Content;
    let bad = [
        guest.wrote("no body@lid"),
        guest.handed("1", "@lid", kind),
        guest.handed("", PEER, kind),
        guest.ack("a b", None),
        guest.receipt(&["1", "\n"]),
    ];
    let bad = bad.map(|result| result.unwrap_err().status());
    assert_eq!(bad[..2], [Status::BadAddress; 2]);
    assert_eq!(bad[2..], [Status::BadMessageId; 3]);
}

#[test]
fn a_manual_clock_moves_only_when_told_and_its_monotonic_part_never_back() {
    let guest = open(memory());
    guest.connected().unwrap();
    let wait = guest.deadline_ms().unwrap().unwrap();
    assert_eq!(guest.deadline_ms().unwrap(), Some(wait));
    guest.set_time(START * 1000 + 1, 1_000).unwrap();
    assert_eq!(guest.deadline_ms().unwrap(), Some(wait - 1_000));
    guest.set_time(0, 1_000).unwrap();
    let back = guest.set_time(0, 999).unwrap_err();
    assert_eq!(back.status(), Status::InvalidArgument);
    guest.set_time(0, 1_000 + wait).unwrap();
    assert_eq!(guest.deadline_ms().unwrap(), Some(0));
    guest.tick().unwrap();
    assert_ne!(guest.deadline_ms().unwrap(), Some(0));
    let system = Guest::open(GuestSetup {
        clock: GuestClock::System,
        ..setup(memory())
    });
    let refused = system.unwrap().set_time(1, 1).unwrap_err();
    assert_eq!(refused.status(), Status::InvalidArgument);
}

#[test]
fn a_closed_guest_keeps_its_events_and_takes_nothing_more() {
    let guest = open(memory());
    guest.token_received(PEER, b"token", START).unwrap();
    guest.close().unwrap();
    guest.close().unwrap();
    let closed = |error: Error| error.status() == Status::Closed;
    assert!(closed(guest.tick().unwrap_err()));
    assert!(closed(guest.outgoing().unwrap_err()));
    assert!(closed(
        guest
            .plan(PEER, MessageKind::Content, RecipientHint::Ordinary)
            .unwrap_err()
    ));
    assert!(next(&guest).is_some());
    assert!(closed(guest.next_event(None).unwrap_err()));
}

#[test]
fn app_state_tells_the_salt_and_odd_entries_are_counted() {
    let guest = open(memory());
    let index = br#"["nct_salt_sync"]"#;
    // SyncActionValue 80 { salt 1 }
    let value = b"\x82\x05\x06\x0a\x04salt";
    guest.app_state(br#"["star"]"#, Some(value)).unwrap();
    assert_eq!(plan(&guest, PEER).attach, AttachKind::Nothing);
    guest.app_state(index, Some(value)).unwrap();
    assert_eq!(guest.salt_get().unwrap().unwrap().expose(), b"salt");
    assert_eq!(plan(&guest, PEER).attach, AttachKind::Cstoken);
    assert_eq!(guest.status().unwrap().ignored, 0);
    guest.app_state(index, Some(b"")).unwrap();
    assert_eq!(guest.status().unwrap().ignored, 1, "it holds no salt");
    assert_eq!(plan(&guest, PEER).attach, AttachKind::Cstoken);
    guest.app_state(index, None).unwrap();
    assert_eq!(guest.salt_get().unwrap(), None);
}

#[test]
fn the_status_counts_what_was_left_aside() {
    let guest = open(memory());
    guest.token_received(PEER, b"token", START).unwrap();
    guest.token_received(PEER, b"old", START - 9).unwrap();
    guest.ack("A", None).unwrap();
    guest.disconnected().unwrap();
    let status = guest.status().unwrap();
    assert_eq!((status.online, status.ignored), (false, 1));
    assert_eq!(status.tokens.older, 1);
    let json: serde_json::Value = serde_json::from_str(&status.to_json()).unwrap();
    assert_eq!(json["online"], false);
    assert_eq!(json["ignored"], 1);
    assert_eq!(json["tokens"]["older"], 1);
}

#[test]
fn limits_are_asked_for_when_the_host_wants_it() {
    let guest = open(memory());
    let asked = || {
        let work = guest.outgoing().unwrap();
        work.iter().filter(|i| i.kind == WorkItemKind::Mex).count()
    };
    assert_eq!(asked(), 0);
    guest.refresh_limits().unwrap();
    assert_eq!(asked(), 2, "the lock and the quota");
    guest.disconnected().unwrap();
    guest.refresh_limits().unwrap();
    assert_eq!(asked(), 0, "there is nobody to ask");
}

#[test]
fn a_store_that_calls_its_guest_is_told_instead_of_waiting() {
    runtime::within_library(|| {
        let error = GuestStore::open(StoreSpec::Uri("memory:".into())).err();
        assert_eq!(error.unwrap().status(), Status::WouldDeadlock);
    });
    let guest = open(memory());
    let inside = runtime::within_library(|| guest.tick().unwrap_err());
    assert_eq!(inside.status(), Status::WouldDeadlock);
}

#[cfg(not(feature = "postgres"))]
#[test]
fn a_library_without_postgresql_says_so() {
    for scheme in ["postgres", "postgresql"] {
        let uri = format!("{scheme}://someone:hunter2@localhost/x");
        let store = || StoreSpec::Uri(uri.clone());
        let config = crate::facade::EngineConfig { store: store() };
        let engine = crate::facade::Engine::open(config).err().unwrap();
        for error in [GuestStore::open(store()).err().unwrap(), engine] {
            assert_eq!(error.status(), Status::InvalidArgument);
            let told = "built without PostgreSQL; build with the feature `postgres`";
            assert_eq!(error.message(), told);
        }
    }
}

#[test]
fn threads_may_share_a_guest() {
    let guest = open(memory());
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let guest = guest.clone();
            std::thread::spawn(move || {
                for number in 0..50 {
                    let peer = Jid::lid(format!("1000{thread}{number:03}")).to_string();
                    guest.token_received(&peer, b"token", START).unwrap();
                    assert_eq!(plan(&guest, &peer).attach, AttachKind::Tctoken);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(std::iter::from_fn(|| next(&guest)).count(), 200);
}

fn setup(store: GuestStore) -> GuestSetup {
    GuestSetup {
        own_jid: Some("4915559999:3@s.whatsapp.net".into()),
        own_lid: Some("900000000000009:3@lid".into()),
        clock: GuestClock::Manual {
            unix_ms: START * 1000,
            mono_ms: 0,
        },
        ..GuestSetup::new(store, "a")
    }
}

fn open(store: GuestStore) -> Guest {
    Guest::open(setup(store)).unwrap()
}

fn memory() -> GuestStore {
    GuestStore::open(StoreSpec::Uri("memory:".into())).unwrap()
}

fn plan(guest: &Guest, to: &str) -> Plan {
    let hint = RecipientHint::Ordinary;
    guest.plan(to, MessageKind::Content, hint).unwrap()
}

fn one(guest: &Guest, kind: WorkItemKind) -> WorkItem {
    let mut work = guest.outgoing().unwrap();
    work.retain(|item| item.kind == kind);
    assert_eq!(work.len(), 1, "{work:?}");
    work.remove(0)
}

fn next(guest: &Guest) -> Option<AccountEvent> {
    guest.next_event(Some(Duration::ZERO)).ok()
}

/// A store that fails that many more writes; with [`usize::MAX`] it cannot be read either.
struct Failing(MemoryStore, Arc<AtomicUsize>);

fn custom(fail: Arc<AtomicUsize>) -> GuestStore {
    let store = Failing(MemoryStore::default(), fail);
    GuestStore::open(StoreSpec::Custom(Box::new(store))).unwrap()
}

impl Failing {
    fn readable(&self) -> Result<(), StoreError> {
        match self.1.load(Ordering::Relaxed) {
            usize::MAX => Err(StoreError::Full),
            _ => Ok(()),
        }
    }
}

impl Reader for Failing {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.readable()?;
        self.0.get(key)
    }

    fn scan(
        &self,
        scope: &Scope,
        ns: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        self.readable()?;
        self.0.scan(scope, ns, prefix, after, limit)
    }
}

impl Store for Failing {
    fn acquire(&mut self, scope: &Scope) -> Result<Fence, StoreError> {
        self.0.acquire(scope)
    }

    fn commit(&mut self, changes: &[(&Changes, &Fence)]) -> Result<(), StoreError> {
        self.readable()?;
        let left = &self.1;
        if left.load(Ordering::Relaxed) > 0 {
            left.fetch_sub(1, Ordering::Relaxed);
            return Err(StoreError::Full);
        }
        self.0.commit(changes)
    }
}
