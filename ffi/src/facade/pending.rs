//! A send that somebody waits for. Whoever stops waiting finds the end in the account's queue, so
//! no end is ever lost.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use sendpath_engine::{Account, Sending};
use sendpath_protocol::effect::OpId;
use sendpath_protocol::verdict::MessageId;

use super::error::Error;
use super::event::Completion;
use super::runtime;

/// A send in progress. Await it, or [`Pending::wait`] for it; dropped, it goes on by itself and its
/// end becomes an [`AccountEvent::Outcome`](super::AccountEvent::Outcome).
pub struct Pending {
    op: OpId,
    account: Account,
    /// `None` once the end was handed out.
    sending: Option<Sending>,
}

impl Pending {
    pub(super) fn new(account: Account, sending: Sending) -> Self {
        Self {
            op: sending.op,
            account,
            sending: Some(sending),
        }
    }

    /// The operation, for `cancel` and for its event.
    pub fn op(&self) -> OpId {
        self.op
    }

    /// The id the message has or will have; `None` once it has ended.
    pub fn message_id(&self) -> Option<&MessageId> {
        self.sending.as_ref().map(|sending| &sending.id)
    }

    /// Ready when there is an end; it stays here, for [`Pending::wait`]. For hosts that may give up
    /// between the two.
    pub fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.sending.as_mut() {
            Some(sending) => Pin::new(sending).poll(cx).map(drop),
            None => Poll::Ready(()),
        }
    }

    /// Waits up to `timeout` (`None`: for ever).
    ///
    /// # Errors
    /// `Timeout` or `WouldDeadlock`; the send goes on.
    pub fn wait(mut self, timeout: Option<Duration>) -> Result<Completion, Error> {
        runtime::may_block()?;
        let sending = self.sending.take().ok_or_else(Error::timeout)?;
        let outcome = match sending.wait_blocking(timeout) {
            Some(outcome) => Some(outcome),
            // An account that is closed meanwhile reports nothing, and ends its sends at once.
            None => {
                let kept = self.account.report(sending).err();
                kept.and_then(|sending| sending.wait_blocking(None))
            }
        };
        let outcome = outcome.ok_or_else(Error::timeout)?;
        Ok(Completion::new(self.op, outcome))
    }
}

impl Future for Pending {
    type Output = Completion;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Completion> {
        let op = self.op;
        let Some(sending) = self.sending.as_mut() else {
            return Poll::Pending;
        };
        match Pin::new(sending).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(outcome) => {
                self.sending = None;
                Poll::Ready(Completion::new(op, outcome))
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(sending) = self.sending.take() {
            // A host that gives up while the account closes wants no outcome.
            let _ = self.account.report(sending);
        }
    }
}
