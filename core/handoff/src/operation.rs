//! One send: the half that waits and the half that completes.
//!
//! The completing half completes when it is dropped, too. So whatever happens to the engine, every
//! [`Sending`] ends, exactly once.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sendpath_protocol::effect::OpId;
use sendpath_protocol::verdict::{Cause, Lost, MessageId, Outcome, Refusal};

use crate::events::{EventQueue, Promise};

/// A send under way. It resolves to its [`Outcome`]; dropping it does not call the message back.
#[must_use = "the outcome tells whether the message was accepted"]
pub struct Sending {
    /// The number of the operation, unique in its engine.
    pub op: OpId,
    /// The id the message has or will have.
    pub id: MessageId,
    shared: Arc<Shared>,
    cancel: Box<dyn Fn() + Send + Sync>,
}

impl Sending {
    /// Asks to cancel. A message that has not left yet ends as [`Cause::Cancelled`]; one that has
    /// left stays sent and ends as unknown. Calling it again does nothing.
    pub fn cancel(&self) {
        if !self.shared.cancelled.swap(true, Ordering::Relaxed) && self.outcome().is_none() {
            (self.cancel)();
        }
    }

    /// Blocks until the end; `None` when `timeout` has passed first. No timeout waits for ever.
    pub fn wait_blocking(&self, timeout: Option<Duration>) -> Option<Outcome> {
        let open = |state: &mut State| state.outcome.is_none();
        let state = self.shared.lock();
        let state = match timeout {
            None => self
                .shared
                .ended
                .wait_while(state, open)
                .unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.shared.ended.wait_timeout_while(state, timeout, open);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.outcome.clone()
    }

    /// The outcome, if it is there already.
    pub fn outcome(&self) -> Option<Outcome> {
        self.shared.lock().outcome.clone()
    }
}

impl EventQueue {
    /// Nobody waits for `sending` any more: its outcome goes here instead.
    ///
    /// # Errors
    /// `sending`, when the queue is closed.
    pub fn report(self: &Arc<Self>, sending: Sending) -> Result<(), Sending> {
        let Ok(promise) = self.promise() else {
            return Err(sending);
        };
        let mut state = sending.shared.lock();
        match state.outcome.clone() {
            Some(outcome) => {
                drop(state);
                promise.keep(sending.op, outcome);
            }
            None => state.report = Some(promise),
        }
        Ok(())
    }
}

impl Future for Sending {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let mut state = self.shared.lock();
        match &state.outcome {
            Some(outcome) => Poll::Ready(outcome.clone()),
            None => {
                state.task = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl std::fmt::Debug for Sending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sending({:?})", self.op)
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    ended: Condvar,
    cancelled: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    outcome: Option<Outcome>,
    task: Option<Waker>,
    /// Gets a copy of the outcome.
    report: Option<Promise>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The half that completes. Dropping it completes, too: as refused while the operation was certainly
/// not begun, else as unknown.
#[derive(Debug)]
pub struct Completer {
    /// The number of the operation.
    pub op: OpId,
    id: MessageId,
    shared: Arc<Shared>,
    stage: Stage,
    _admission: Option<Admission>,
}

/// How far an operation got, for the case that nobody completes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// The session never saw it: certainly not sent.
    Queued,
    /// The session has it, but what it did with it may not be saved.
    Handed,
    /// The session's first step for it is durable.
    Kept,
}

/// Both halves of a new operation. `report` gets a copy of the outcome, `admission` is given back
/// when the completing half is gone, `cancel` is what [`Sending::cancel`] does, at most once.
pub fn operation(
    op: OpId,
    id: MessageId,
    report: Option<Promise>,
    admission: Option<Admission>,
    cancel: Box<dyn Fn() + Send + Sync>,
) -> (Sending, Completer) {
    let shared = Arc::new(Shared::default());
    shared.lock().report = report;
    let sending = Sending {
        op,
        id: id.clone(),
        shared: shared.clone(),
        cancel,
    };
    let completer = Completer {
        op,
        id,
        shared,
        stage: Stage::Queued,
        _admission: admission,
    };
    (sending, completer)
}

impl Completer {
    /// The session takes it over.
    pub fn handed(&mut self) {
        self.stage = Stage::Handed;
    }

    /// The session's step is durable.
    pub fn kept(&mut self) {
        self.stage = Stage::Kept;
    }

    /// Ends it.
    pub fn complete(self, outcome: Outcome) {
        self.deliver(outcome);
    }

    /// Ends it here, for `cause`.
    pub fn refuse(self, cause: Cause) {
        let refusal = self.refusal(cause);
        self.deliver(refusal);
    }

    fn refusal(&self, cause: Cause) -> Outcome {
        Outcome::Refused(Refusal::local(Some(self.id.clone()), cause))
    }

    fn deliver(&self, outcome: Outcome) {
        let mut state = self.shared.lock();
        if state.outcome.is_some() {
            return;
        }
        state.outcome = Some(outcome.clone());
        let task = state.task.take();
        let report = state.report.take();
        drop(state);
        self.shared.ended.notify_all();
        task.into_iter().for_each(Waker::wake);
        if let Some(report) = report {
            report.keep(self.op, outcome);
        }
    }
}

impl Drop for Completer {
    fn drop(&mut self) {
        let lost = |still_trying| {
            Outcome::Unknown(Lost {
                id: self.id.clone(),
                still_trying,
            })
        };
        self.deliver(match self.stage {
            Stage::Queued => self.refusal(Cause::Cancelled),
            Stage::Handed => lost(false),
            Stage::Kept => lost(true),
        });
    }
}

/// A place among the open operations of an account, given back when dropped.
#[derive(Debug)]
pub struct Admission(Arc<AtomicUsize>);

impl Admission {
    /// `None` when `limit` operations are open.
    pub fn take(open: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let before = open.fetch_add(1, Ordering::Relaxed);
        let admission = Self(open.clone());
        (before < limit).then_some(admission)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{AccountEvent, Closed};

    #[test]
    fn what_nobody_completes_ends_as_what_is_known_of_it() {
        let end = |advance: fn(&mut Completer)| {
            let (sending, mut completer) = start(None, None);
            advance(&mut completer);
            drop(completer);
            sending.wait_blocking(None).unwrap()
        };
        let Outcome::Refused(refusal) = end(|_| {}) else {
            panic!("what no session saw is certainly not sent");
        };
        assert_eq!(refusal.cause, Cause::Cancelled);
        let still_trying = |outcome| match outcome {
            Outcome::Unknown(lost) => Some(lost.still_trying),
            _ => None,
        };
        assert_eq!(still_trying(end(Completer::handed)), Some(false));
        assert_eq!(still_trying(end(Completer::kept)), Some(true));
    }

    #[test]
    fn an_outcome_is_delivered_once() {
        let events = Arc::new(EventQueue::new(1));
        let (sending, completer) = start(Some(events.promise().unwrap()), None);
        completer.complete(lost());
        assert_eq!(sending.outcome(), Some(lost()), "not what dropping says");
        let done = AccountEvent::Done {
            op: sending.op,
            outcome: lost(),
        };
        assert_eq!(events.next(None), Ok(Some(done)));
        assert_eq!(events.next(Some(Duration::ZERO)), Ok(None));
    }

    #[test]
    fn what_was_started_before_the_close_is_told_after_it() {
        let events = Arc::new(EventQueue::new(1));
        let (_sending, completer) = start(Some(events.promise().unwrap()), None);
        let (given_up, other) = start(None, None);
        events.report(given_up).unwrap();
        events.close();
        assert_eq!(events.next(Some(Duration::ZERO)), Ok(None), "not the end");
        drop(completer);
        assert!(matches!(
            events.next(None),
            Ok(Some(AccountEvent::Done { .. }))
        ));
        other.complete(lost());
        assert!(matches!(
            events.next(None),
            Ok(Some(AccountEvent::Done { .. }))
        ));
        assert_eq!(events.next(None), Err(Closed));
    }

    #[test]
    fn a_closed_queue_gives_back_what_it_cannot_report() {
        let events = Arc::new(EventQueue::new(1));
        events.close();
        let (sending, completer) = start(None, None);
        let sending = events.report(sending).unwrap_err();
        completer.complete(lost());
        assert_eq!(sending.wait_blocking(None), Some(lost()));
        assert_eq!(events.next(None), Err(Closed));
    }

    #[test]
    fn a_place_comes_back_with_the_end() {
        let open = Arc::default();
        let (_sending, completer) = start(None, Admission::take(&open, 1));
        assert!(Admission::take(&open, 1).is_none());
        completer.complete(lost());
        assert!(Admission::take(&open, 1).is_some());
    }

    #[test]
    fn cancelling_asks_once_and_not_after_the_end() {
        let asked = Arc::new(AtomicUsize::new(0));
        let cancel = || {
            let asked = asked.clone();
            Box::new(move || {
                asked.fetch_add(1, Ordering::Relaxed);
            })
        };
        let (open, _completer) = operation(OpId(1), id(), None, None, cancel());
        let (ended, completer) = operation(OpId(2), id(), None, None, cancel());
        completer.complete(lost());
        ended.cancel();
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        open.cancel();
        open.cancel();
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    fn start(report: Option<Promise>, admission: Option<Admission>) -> (Sending, Completer) {
        operation(OpId(1), id(), report, admission, Box::new(|| {}))
    }

    fn lost() -> Outcome {
        Outcome::Unknown(Lost {
            id: id(),
            still_trying: false,
        })
    }

    fn id() -> MessageId {
        MessageId::parse("X").unwrap()
    }
}
