//! The engine with its thread: nothing is lost, nobody hangs, whoever closes it and whenever.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use sendpath_handoff::{AccountEvent, Sending};
use sendpath_protocol::error::{ApiMisuse, StoreError};
use sendpath_protocol::event::Event;
use sendpath_protocol::txn::{Changes, Fence, Key, Namespace, Reader, Rows, Scope, Store};
use sendpath_protocol::verdict::{Cause, MessageId, Outcome};

use super::rig::{Dialed, DrivenClock, FakeDialer, GUARD, cause, open_scripted};
use super::store::SharedStore;
use crate::account::{Account, AccountConfig, SendOptions};
use crate::engine::{Engine, EngineError, StoreSpec};

#[test]
fn closing_with_500_open_operations_loses_none() {
    let bench = Bench::new();
    let account = bench.account("a", AccountConfig::default());
    let send = |n: usize| {
        let text = ["hold", "forget", "accept", "forget"][n % 4];
        account.send_text("1", text, reported()).unwrap()
    };
    let sendings: Vec<_> = (0..500).map(send).collect();
    bench.engine.close().unwrap();
    let mut done: Vec<_> = drain(&account).into_iter().collect();
    for sending in &sendings {
        let outcome = sending.outcome().expect("every operation has ended");
        let at = done.iter().position(|(op, _)| *op == sending.op).unwrap();
        assert_eq!(done.swap_remove(at).1, outcome);
    }
    assert_eq!(done, [], "each is reported once");
}

#[test]
fn an_outcome_nobody_waits_for_any_more_becomes_an_event() {
    let bench = Bench::new();
    let account = bench.account("a", AccountConfig::default());
    let start = |text| {
        account
            .send_text("1", text, SendOptions::default())
            .unwrap()
    };
    let ended = start("accept");
    let accepted = ended.wait_blocking(GUARD).unwrap();
    let open = start("forget");
    let (first, second) = (ended.op, open.op);
    account.report(ended).unwrap();
    account.report(open).unwrap();
    bench.engine.close().unwrap();
    let done = drain(&account);
    let ops: Vec<_> = done.iter().map(|(op, _)| *op).collect();
    assert_eq!(ops, [first, second]);
    assert_eq!(done[0].1, accepted);
}

#[test]
fn an_operation_is_cancelled_by_its_number() {
    let bench = Bench::new();
    let account = bench.account("a", AccountConfig::default());
    let held = account
        .send_text("1", "hold", SendOptions::default())
        .unwrap();
    account.cancel(held.op).unwrap();
    let outcome = held.wait_blocking(GUARD);
    assert_eq!(cause(outcome), Some(Cause::Cancelled));
}

#[test]
fn a_dropped_engine_completes_operations_and_wakes_waiters() {
    let Bench { engine, .. } = Bench::new();
    let account = engine.account("a", AccountConfig::default()).unwrap();
    let forgotten = account
        .send_text("1", "forget", SendOptions::default())
        .unwrap();
    let behind = account
        .send_text("1", "accept", SendOptions::default())
        .unwrap();
    assert!(
        behind.wait_blocking(GUARD).is_some(),
        "the session has both"
    );
    while account.next_event(Some(Duration::ZERO)) != Ok(None) {}
    let waiters: Vec<_> = (0..4)
        .map(|n| {
            let account = account.clone();
            let (waits, waiting) = mpsc::channel();
            let waiter = thread::spawn(move || {
                waits.send(()).unwrap();
                match n % 2 {
                    0 => account.next_event(None).map(drop),
                    _ => block_on(account.event()).map(drop),
                }
            });
            waiting.recv().unwrap();
            waiter
        })
        .collect();
    drop(engine);
    for waiter in waiters {
        assert_eq!(waiter.join().unwrap(), Err(EngineError::Closed));
    }
    assert!(matches!(block_on(forgotten), Outcome::Unknown(_)));
    let late = account.send_text("1", "accept", SendOptions::default());
    assert_eq!(late.map(drop), Err(EngineError::Closed));
    assert_eq!(account.connect(), Err(EngineError::Closed));
    assert_eq!(account.close(), Ok(()), "closing again does nothing");
}

#[test]
fn closing_while_32_threads_call_hangs_nobody_and_loses_nothing() {
    let bench = Bench::new();
    let account = bench.account("a", AccountConfig::default());
    let start = Arc::new(Barrier::new(33));
    let sent = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..32)
        .map(|n| {
            let (account, start, sent) = (account.clone(), start.clone(), sent.clone());
            thread::spawn(move || {
                let mut mine: Vec<Sending> = Vec::new();
                start.wait();
                loop {
                    let text = ["accept", "hold", "forget"][(n + mine.len()) % 3];
                    match account.send_text("1", text, SendOptions::default()) {
                        Ok(sending) => mine.push(sending),
                        Err(error) => {
                            assert_eq!(error, EngineError::Closed);
                            return mine;
                        }
                    }
                    sent.fetch_add(1, Ordering::Relaxed);
                    let _ = account.next_event(Some(Duration::ZERO));
                    if n % 8 == 0 && mine.len() > 20 {
                        account.close().unwrap();
                    }
                }
            })
        })
        .collect();
    start.wait();
    let sendings: Vec<_> = threads
        .into_iter()
        .flat_map(|t| t.join().unwrap())
        .collect();
    assert_eq!(sendings.len(), sent.load(Ordering::Relaxed));
    for sending in sendings {
        assert!(
            sending.wait_blocking(GUARD).is_some(),
            "{sending:?} never ended"
        );
    }
    bench.engine.close().unwrap();
}

#[test]
fn an_account_closed_with_its_last_handle_can_be_opened_again() {
    let bench = Bench::new();
    let account = bench.account("a", AccountConfig::default());
    let again = || bench.engine.account("a", AccountConfig::default());
    assert_eq!(again().map(drop), Err(EngineError::AlreadyOpen));
    drop(account.clone());
    assert_eq!(again().map(drop), Err(EngineError::AlreadyOpen));
    drop(account);
    let account = again().unwrap();
    account.close().unwrap();
    assert!(again().is_ok());
}

#[test]
fn names_and_addresses_are_checked_before_anything_happens() {
    let bench = Bench::new();
    for name in ["", "a b", "ä", "a/b", &"x".repeat(65)] {
        let opened = bench.engine.account(name, AccountConfig::default());
        assert_eq!(opened.map(drop), Err(ApiMisuse::BadAccountName.into()));
    }
    let account = bench.account(&"x".repeat(64), AccountConfig::default());
    let sent = account.send_text("nobody", "accept", SendOptions::default());
    assert_eq!(sent.map(drop), Err(ApiMisuse::BadAddress.into()));
}

#[test]
fn too_many_open_operations_are_refused_and_places_come_back() {
    let bench = Bench::new();
    let config = AccountConfig {
        max_pending: 2,
        ..AccountConfig::default()
    };
    let account = bench.account("a", config);
    let send = |text| {
        account
            .send_text("1", text, SendOptions::default())
            .unwrap()
    };
    let held = [send("hold"), send("hold")];
    assert_eq!(cause(send("accept").outcome()), Some(Cause::OutboxFull));
    held[0].cancel();
    let cancelled = held[0].wait_blocking(GUARD);
    assert_eq!(cause(cancelled), Some(Cause::Cancelled));
    // The place is given back right after the outcome is there.
    while cause(send("accept").wait_blocking(GUARD)) == Some(Cause::OutboxFull) {
        thread::yield_now();
    }
    assert_eq!(held[1].outcome(), None);
}

#[test]
fn a_message_keeps_the_id_its_host_gave_it() {
    let bench = Bench::new();
    let account = bench.account("a", AccountConfig::default());
    let mine = MessageId::parse("MINE").unwrap();
    let options = SendOptions {
        id: Some(mine.clone()),
        ..SendOptions::default()
    };
    let given = account.send_text("1", "accept", options).unwrap();
    let made = account
        .send_text("1", "accept", SendOptions::default())
        .unwrap();
    assert_eq!(given.id, mine);
    assert!(made.id != mine && made.id.as_str().len() > 10);
    let outcome = given.wait_blocking(GUARD);
    assert!(matches!(outcome, Some(Outcome::Accepted { id, .. }) if id == mine));
}

#[test]
fn moving_the_clock_wakes_the_engine() {
    let bench = Bench::new();
    let account = bench.account("a", AccountConfig::default());
    account.connect().unwrap();
    drop(bench.dialed());
    let lost = account.next_event(GUARD).unwrap();
    assert!(matches!(
        lost,
        Some(AccountEvent::Event(Event::Disconnected { .. }))
    ));
    bench.clock.advance(1100);
    let wire = bench.dialed();
    wire.establish();
    let up = account.next_event(GUARD).unwrap();
    assert_eq!(up, Some(AccountEvent::Event(Event::Connected)));
}

#[test]
fn a_call_that_would_wait_for_itself_is_refused() {
    let (tell, told) = mpsc::channel();
    let (give, engine) = mpsc::channel::<Arc<Engine>>();
    let store = SelfClosing {
        inner: SharedStore::default(),
        engine,
        tell,
    };
    let (dialer, _dials) = FakeDialer::new();
    let spec = StoreSpec::Custom(Box::new(store));
    let engine = Engine::start(spec, None, None, Box::new(dialer), open_scripted).unwrap();
    let engine = Arc::new(engine);
    give.send(engine.clone()).unwrap();
    let _account = engine.account("a", AccountConfig::default()).unwrap();
    assert_eq!(told.recv().unwrap(), Err(EngineError::WouldDeadlock));
}

#[test]
fn an_engine_of_its_own_runtime_and_store_opens_and_closes() {
    let config = crate::EngineConfig::new(StoreSpec::Uri("memory:".into()));
    let engine = Engine::open(config).unwrap();
    let account = engine.account("a", AccountConfig::default()).unwrap();
    engine.close().unwrap();
    engine.close().unwrap();
    assert_eq!(account.next_event(GUARD), Err(EngineError::Closed));
    let spec = StoreSpec::Uri("nothing://x".into());
    let refused = Engine::open(crate::EngineConfig::new(spec)).map(drop);
    assert!(matches!(refused, Err(EngineError::Uri(_))));
}

/// An engine with its thread, a driven clock and connections that lead to the test.
struct Bench {
    engine: Engine,
    clock: Arc<DrivenClock>,
    dials: mpsc::Receiver<Dialed>,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(DrivenClock::default());
        let (dialer, dials) = FakeDialer::new();
        let spec = StoreSpec::Custom(Box::new(SharedStore::default()));
        let engine = Engine::start(
            spec,
            Some(clock.clone()),
            None,
            Box::new(dialer),
            open_scripted,
        );
        Self {
            engine: engine.unwrap(),
            clock,
            dials,
        }
    }

    fn account(&self, name: &str, config: AccountConfig) -> Account {
        self.engine.account(name, config).unwrap()
    }

    fn dialed(&self) -> Dialed {
        self.dials.recv_timeout(GUARD.unwrap()).expect("it dials")
    }
}

/// A store whose owner calls into the engine, as a host's may by mistake.
struct SelfClosing {
    inner: SharedStore,
    engine: mpsc::Receiver<Arc<Engine>>,
    tell: mpsc::Sender<Result<(), EngineError>>,
}

impl Reader for SelfClosing {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(key)
    }

    fn scan(
        &self,
        scope: &Scope,
        ns: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        self.inner.scan(scope, ns, prefix, after, limit)
    }
}

impl Store for SelfClosing {
    fn acquire(&mut self, scope: &Scope) -> Result<Fence, StoreError> {
        let engine = self.engine.recv().unwrap();
        self.tell.send(engine.close()).unwrap();
        self.inner.acquire(scope)
    }

    fn commit(&mut self, changes: &[(&Changes, &Fence)]) -> Result<(), StoreError> {
        self.inner.commit(changes)
    }
}

fn reported() -> SendOptions {
    SendOptions {
        report: true,
        ..SendOptions::default()
    }
}

/// The completions left in the queue of a closed account.
fn drain(account: &Account) -> Vec<(sendpath_protocol::effect::OpId, Outcome)> {
    let next = || account.next_event(GUARD).ok().flatten();
    std::iter::from_fn(next)
        .filter_map(|event| match event {
            AccountEvent::Done { op, outcome } => Some((op, outcome)),
            _ => None,
        })
        .collect()
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
