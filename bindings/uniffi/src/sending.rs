//! A send in progress.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use sendpath::facade::{self, Pending, Receipt, attached_word};

use crate::error::NativeError;

/// An accepted message.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Accepted {
    /// The id the message was sent with.
    pub id: String,
    /// The server's time stamp in Unix seconds, when it gave one.
    pub server_time: Option<i64>,
    /// What the message carried to open the chat, as a stable word.
    pub attached: Option<String>,
}

/// A send in progress. Dropped before its end was taken, it goes on, and its end comes as an event.
#[derive(uniffi::Object)]
pub struct Sending {
    account: facade::Account,
    op: sendpath_protocol::effect::OpId,
    pending: Mutex<Option<Pending>>,
}

impl Sending {
    pub(crate) fn new(account: facade::Account, pending: Pending) -> Self {
        Self {
            account,
            op: pending.op(),
            pending: Mutex::new(Some(pending)),
        }
    }

    fn pending(&self) -> MutexGuard<'_, Option<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[uniffi::export]
impl Sending {
    /// The number of the operation, as in its event.
    pub fn op(&self) -> u64 {
        self.op.0
    }

    /// Returns when [`Sending::take`] has the end.
    pub async fn ended(&self) {
        poll_fn(|cx| match self.pending().as_mut() {
            Some(pending) => pending.poll_ended(cx),
            None => Poll::Ready(()),
        })
        .await;
    }

    /// The end, once. Fails with the refusal, or with `Timeout` when there is no end yet.
    pub fn take(&self) -> Result<Accepted, NativeError> {
        let Some(pending) = self.pending().take() else {
            return Err(facade::Error::closed().into());
        };
        Ok(pending.wait(Some(Duration::ZERO))?.result?.into())
    }

    /// Nobody wants it any more. What has left stays sent.
    pub fn cancel(&self) -> Result<(), NativeError> {
        Ok(self.account.cancel(self.op)?)
    }
}

impl From<Receipt> for Accepted {
    fn from(receipt: Receipt) -> Self {
        Self {
            id: receipt.id.as_str().to_owned(),
            server_time: receipt.server_time.map(|t| t.0),
            attached: attached_word(receipt.attached).map(str::to_owned),
        }
    }
}
