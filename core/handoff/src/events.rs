//! What an account tells its host: a bounded queue that can be waited on in three ways.
//!
//! Everything is under one lock, also the state of the wake-up descriptor, so a wake-up cannot be
//! lost between looking and waiting.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use sendpath_protocol::effect::OpId;
use sendpath_protocol::event::Event;
use sendpath_protocol::verdict::Outcome;

#[cfg(unix)]
use crate::signal;

/// One thing told to the host, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AccountEvent {
    /// An operation ended whose outcome was to be reported here. Never dropped.
    Done {
        /// The operation.
        op: OpId,
        /// How it ended.
        outcome: Outcome,
    },
    /// Something happened.
    Event(Event),
    /// Here events are missing: the host was slower than they came.
    Overflow {
        /// How many.
        dropped: u64,
    },
}

/// The queue is closed and empty.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed")
    }
}

impl std::error::Error for Closed {}

/// The queue of one account.
#[derive(Debug)]
pub struct EventQueue {
    capacity: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<AccountEvent>,
    /// How many of `items` count against the capacity.
    events: usize,
    /// Events dropped behind the last item.
    gap: u64,
    /// Completions that are still to come, also after the close.
    promised: usize,
    closed: bool,
    tasks: Vec<(u64, Waker)>,
    /// Tells the entries of `tasks` apart.
    tickets: u64,
    #[cfg(unix)]
    signal: Option<signal::Signal>,
}

impl EventQueue {
    /// A queue for `capacity` events, at least one. Completions do not count.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Adds an event, or counts it as dropped when there is no room.
    pub fn push(&self, event: Event) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        if state.events >= self.capacity {
            state.gap += 1;
        } else {
            state.close_gap();
            state.events += 1;
            state.items.push_back(AccountEvent::Event(event));
        }
        self.wake(state);
    }

    /// Announces a completion. Until it is there nobody hears that nothing is left, even if the
    /// queue is closed meanwhile.
    ///
    /// # Errors
    /// [`Closed`] when it is closed already.
    pub fn promise(self: &Arc<Self>) -> Result<Promise, Closed> {
        let mut state = self.lock();
        if state.closed {
            return Err(Closed);
        }
        state.promised += 1;
        Ok(Promise(self.clone()))
    }

    /// Nothing is added any more but what was promised; what is there can still be taken.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.wake(state);
    }

    /// Whether [`EventQueue::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits for the next one; `None` when `timeout` has passed. No timeout waits for ever.
    ///
    /// # Errors
    /// [`Closed`] when nothing is left.
    pub fn next(&self, timeout: Option<Duration>) -> Result<Option<AccountEvent>, Closed> {
        let nothing = |state: &mut State| !state.is_readable() && !state.is_over();
        let state = self.lock();
        let mut state = match timeout {
            None => self
                .changed
                .wait_while(state, nothing)
                .unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.changed.wait_timeout_while(state, timeout, nothing);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.take()
    }

    /// As [`EventQueue::next`] without a timeout; cancel-safe.
    ///
    /// # Errors
    /// [`Closed`] when nothing is left.
    pub async fn next_async(&self) -> Result<AccountEvent, Closed> {
        self.wait(|state| state.take().transpose()).await
    }

    /// Waits until there is something to take, or the queue is closed.
    pub async fn readable(&self) {
        let look = |state: &mut State| (state.is_readable() || state.is_over()).then_some(());
        self.wait(look).await;
    }

    async fn wait<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut waiting = Waiting {
            queue: self,
            ticket: None,
        };
        poll_fn(|context| {
            let mut state = self.lock();
            if let Some(found) = look(&mut state) {
                return Poll::Ready(found);
            }
            waiting.register(&mut state, context.waker());
            Poll::Pending
        })
        .await
    }

    /// A descriptor that is readable while there is something to take, and for ever once closed.
    /// It lives as long as the queue.
    ///
    /// # Errors
    /// What the operating system says when it gives none.
    #[cfg(unix)]
    pub fn descriptor(&self) -> std::io::Result<std::os::fd::RawFd> {
        let mut state = self.lock();
        if state.signal.is_none() {
            state.signal = Some(signal::Signal::new()?);
        }
        state.show();
        let signal = state.signal.as_ref().map(signal::Signal::descriptor);
        signal.ok_or_else(|| std::io::ErrorKind::Unsupported.into())
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        state.show();
        let tasks = std::mem::take(&mut state.tasks);
        drop(state);
        self.changed.notify_all();
        tasks.into_iter().for_each(|(_, task)| task.wake());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A completion that the queue waits for.
#[derive(Debug)]
pub struct Promise(Arc<EventQueue>);

impl Promise {
    /// Adds the completion.
    pub fn keep(self, op: OpId, outcome: Outcome) {
        let mut state = self.0.lock();
        state.close_gap();
        state.items.push_back(AccountEvent::Done { op, outcome });
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.promised -= 1;
        self.0.wake(state);
    }
}

/// A task that waits; it leaves nothing behind when it gives up.
struct Waiting<'a> {
    queue: &'a EventQueue,
    ticket: Option<u64>,
}

impl Waiting<'_> {
    fn register(&mut self, state: &mut State, waker: &Waker) {
        if let Some(ticket) = self.ticket {
            state.tasks.retain(|(other, _)| *other != ticket);
        }
        state.tickets += 1;
        self.ticket = Some(state.tickets);
        state.tasks.push((state.tickets, waker.clone()));
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let mut state = self.queue.lock();
            state.tasks.retain(|(other, _)| *other != ticket);
        }
    }
}

impl State {
    fn take(&mut self) -> Result<Option<AccountEvent>, Closed> {
        if self.items.is_empty() {
            self.close_gap();
        }
        let Some(item) = self.items.pop_front() else {
            return if self.is_over() {
                Err(Closed)
            } else {
                Ok(None)
            };
        };
        self.events -= usize::from(matches!(item, AccountEvent::Event(_)));
        self.show();
        Ok(Some(item))
    }

    fn close_gap(&mut self) {
        if self.gap > 0 {
            let dropped = std::mem::take(&mut self.gap);
            self.items.push_back(AccountEvent::Overflow { dropped });
        }
    }

    fn is_readable(&self) -> bool {
        !self.items.is_empty() || self.gap > 0
    }

    fn is_over(&self) -> bool {
        self.closed && self.promised == 0
    }

    fn show(&mut self) {
        #[cfg(unix)]
        {
            let readable = self.is_readable() || self.is_over();
            if let Some(signal) = &mut self.signal {
                signal.set(readable);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Context;
    use std::thread;

    use sendpath_protocol::verdict::{Lost, MessageId};

    use super::*;

    const GUARD: Option<Duration> = Some(Duration::from_secs(30));

    #[test]
    fn what_does_not_fit_is_counted_where_it_is_missing() {
        let queue = Arc::new(EventQueue::new(2));
        (0..5).for_each(|_| queue.push(Event::Connected));
        tell_done(&queue, OpId(1));
        queue.push(Event::Connected);
        let connected = || AccountEvent::Event(Event::Connected);
        let done = AccountEvent::Done {
            op: OpId(1),
            outcome: outcome(),
        };
        let overflow = |dropped| AccountEvent::Overflow { dropped };
        let expected = [connected(), connected(), overflow(3), done, overflow(1)];
        assert_eq!(drain(&queue), expected);
        queue.push(Event::Connected);
        assert_eq!(drain(&queue), [connected()], "there is room again");
    }

    #[test]
    fn completions_are_never_dropped() {
        let queue = Arc::new(EventQueue::new(1));
        (0..1000).for_each(|op| tell_done(&queue, OpId(op)));
        assert_eq!(drain(&queue).len(), 1000);
    }

    #[test]
    fn a_task_that_gives_up_waiting_takes_nothing_and_leaves_nothing() {
        let queue = Arc::new(EventQueue::new(9));
        let mut context = Context::from_waker(Waker::noop());
        {
            let mut waiting = pin!(queue.readable());
            for _ in 0..3 {
                assert!(waiting.as_mut().poll(&mut context).is_pending());
            }
            assert_eq!(queue.lock().tasks.len(), 1);
        }
        assert_eq!(queue.lock().tasks.len(), 0);
        queue.push(Event::Connected);
        assert!(pin!(queue.readable()).poll(&mut context).is_ready());
        assert_eq!(drain(&queue).len(), 1, "waiting is not taking");
        queue.close();
        assert!(pin!(queue.readable()).poll(&mut context).is_ready());
    }

    #[test]
    fn a_closed_queue_takes_nothing_and_gives_what_it_had() {
        let queue = Arc::new(EventQueue::new(9));
        queue.push(Event::Connected);
        queue.close();
        queue.push(Event::Connected);
        assert!(queue.promise().is_err());
        assert!(matches!(queue.next(None), Ok(Some(_))));
        assert_eq!(queue.next(None), Err(Closed));
    }

    #[test]
    fn an_empty_queue_times_out() {
        let queue = Arc::new(EventQueue::new(1));
        assert_eq!(queue.next(Some(Duration::ZERO)), Ok(None));
    }

    /// Waiters that sleep as soon as the queue is empty, in both ways, against writers that write
    /// one at a time: a lost wake-up leaves a waiter asleep for ever.
    #[test]
    fn no_wake_up_is_lost() {
        const WRITERS: u64 = 4;
        const EACH: u64 = 5_000;
        let queue = Arc::new(EventQueue::new(1));
        let seen = Arc::new(AtomicUsize::new(0));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let blocking: Vec<_> = (0..2)
            .map(|_| {
                let (queue, seen) = (queue.clone(), seen.clone());
                thread::spawn(move || {
                    while queue.next(GUARD).is_ok_and(|event| event.is_some()) {
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let (queue, seen) = (queue.clone(), seen.clone());
                runtime.spawn(async move {
                    while queue.next_async().await.is_ok() {
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let queue = &queue;
                scope.spawn(move || {
                    for n in 0..EACH {
                        tell_done(queue, OpId(writer * EACH + n));
                        thread::yield_now();
                    }
                });
            }
        });
        queue.close();
        blocking
            .into_iter()
            .for_each(|waiter| waiter.join().unwrap());
        for task in tasks {
            runtime.block_on(task).unwrap();
        }
        let all = usize::try_from(WRITERS * EACH).unwrap();
        assert_eq!(seen.load(Ordering::Relaxed), all);
    }

    #[cfg(unix)]
    #[test]
    fn the_descriptor_is_readable_exactly_while_there_is_something() {
        let queue = Arc::new(EventQueue::new(9));
        queue.push(Event::Connected);
        queue.descriptor().unwrap();
        let raised = || queue.lock().signal.as_ref().unwrap().has_byte();
        assert!(raised());
        queue.push(Event::Connected);
        queue.next(None).unwrap();
        assert!(raised(), "one is left");
        queue.next(None).unwrap();
        assert!(!raised());
        tell_done(&queue, OpId(1));
        assert!(raised());
        queue.next(None).unwrap();
        assert!(!raised());
        queue.close();
        assert!(raised() && queue.next(None).is_err() && raised());
    }

    fn outcome() -> Outcome {
        Outcome::Unknown(Lost {
            id: MessageId::parse("X").unwrap(),
            still_trying: false,
        })
    }

    fn tell_done(queue: &Arc<EventQueue>, op: OpId) {
        queue.promise().unwrap().keep(op, outcome());
    }

    fn drain(queue: &EventQueue) -> Vec<AccountEvent> {
        std::iter::from_fn(|| queue.next(Some(Duration::ZERO)).unwrap()).collect()
    }
}
