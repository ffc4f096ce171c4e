//! One request: the half that waits for the reply and the half that answers.
//!
//! The answering half answers when it is dropped, too. So whatever happens to the engine, every
//! [`Pending`] ends, exactly once.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sendpath_protocol::effect::OpId;
use sendpath_protocol::request::{AnyReply, Request, RequestError};

type Reply = Result<AnyReply, RequestError>;

/// A request under way. It resolves to its reply; dropping it gives up waiting, and what was asked
/// may be done all the same.
#[must_use = "the reply tells whether it was done"]
pub struct Pending<T> {
    /// The number of the operation, unique in its engine.
    pub op: OpId,
    cell: Arc<Cell>,
    read: fn(AnyReply) -> Option<T>,
    cancel: Box<dyn Fn() + Send + Sync>,
}

impl<T> Pending<T> {
    /// Blocks until the end; `None` when `timeout` has passed first. No timeout waits for ever, which
    /// is not long: without a connection a request ends at once, with one in seconds.
    pub fn wait_blocking(&self, timeout: Option<Duration>) -> Option<Result<T, RequestError>> {
        let open = |state: &mut State| state.reply.is_none();
        let state = self.cell.lock();
        let state = match timeout {
            None => self
                .cell
                .ended
                .wait_while(state, open)
                .unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.cell.ended.wait_timeout_while(state, timeout, open);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        self.typed(state.reply.as_ref())
    }

    /// The reply, if it is there already.
    pub fn reply(&self) -> Option<Result<T, RequestError>> {
        self.typed(self.cell.lock().reply.as_ref())
    }

    fn typed(&self, reply: Option<&Reply>) -> Option<Result<T, RequestError>> {
        let typed = |reply| (self.read)(reply).ok_or(RequestError::Strange);
        Some(reply?.clone().and_then(typed))
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, RequestError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.cell.lock();
        match self.typed(state.reply.as_ref()) {
            Some(reply) => Poll::Ready(reply),
            None => {
                state.task = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if self.cell.lock().reply.is_none() {
            (self.cancel)();
        }
    }
}

impl<T> std::fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pending({:?})", self.op)
    }
}

/// The half that answers. Dropping it answers [`RequestError::Closed`].
#[derive(Debug)]
pub struct Answerer(Arc<Cell>);

impl Answerer {
    /// Ends the request.
    pub fn answer(self, reply: Reply) {
        self.deliver(reply);
    }

    fn deliver(&self, reply: Reply) {
        let mut state = self.0.lock();
        if state.reply.is_some() {
            return;
        }
        state.reply = Some(reply);
        let task = state.task.take();
        drop(state);
        self.0.ended.notify_all();
        task.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        self.deliver(Err(RequestError::Closed));
    }
}

/// Both halves of a new request. `cancel` is what dropping an unanswered [`Pending`] does.
pub fn request<R: Request>(
    op: OpId,
    cancel: Box<dyn Fn() + Send + Sync>,
) -> (Pending<R::Reply>, Answerer) {
    let cell = Arc::new(Cell::default());
    let pending = Pending {
        op,
        cell: cell.clone(),
        read: R::read,
        cancel,
    };
    (pending, Answerer(cell))
}

#[derive(Debug, Default)]
struct Cell {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    reply: Option<Reply>,
    task: Option<Waker>,
}

impl Cell {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sendpath_protocol::request::SetPresence;

    use super::*;

    fn start() -> (Pending<()>, Answerer, Arc<AtomicUsize>) {
        let cancelled = Arc::new(AtomicUsize::new(0));
        let count = cancelled.clone();
        let cancel = move || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        let (pending, answerer) = request::<SetPresence>(OpId(1), Box::new(cancel));
        (pending, answerer, cancelled)
    }

    #[test]
    fn a_reply_is_delivered_once_and_can_be_read_again() {
        let (pending, answerer, cancelled) = start();
        assert_eq!(pending.reply(), None);
        assert_eq!(pending.wait_blocking(Some(Duration::ZERO)), None);
        answerer.answer(Ok(AnyReply::Done));
        assert_eq!(pending.wait_blocking(None), Some(Ok(())));
        assert_eq!(pending.reply(), Some(Ok(())));
        drop(pending);
        assert_eq!(cancelled.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_nobody_answers_ends_as_closed() {
        let (pending, answerer, _) = start();
        drop(answerer);
        assert_eq!(pending.wait_blocking(None), Some(Err(RequestError::Closed)));
    }

    #[test]
    fn dropping_the_waiting_half_cancels() {
        let (pending, answerer, cancelled) = start();
        drop(pending);
        assert_eq!(cancelled.load(Ordering::Relaxed), 1);
        answerer.answer(Ok(AnyReply::Done));
    }

    #[test]
    fn a_blocked_thread_and_a_task_are_woken() {
        struct Count(AtomicUsize);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (mut pending, answerer, _) = start();
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let mut context = Context::from_waker(&waker);
        assert!(Pin::new(&mut pending).poll(&mut context).is_pending());
        let waiting = std::thread::spawn(move || pending.wait_blocking(None));
        answerer.answer(Err(RequestError::Timeout));
        assert_eq!(waiting.join().unwrap(), Some(Err(RequestError::Timeout)));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }
}
