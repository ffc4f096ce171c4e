//! Files of the host on their way: up for a message to send, down for one that was received.
//!
//! ```text
//! upload, download -> the session's ticket: hosts, leave -> HTTP on the engine's runtime
//! ```

use std::future::Future;
use std::io::Read;

use sendpath_protocol::media::fetch::{FetchError, Fetched};
use sendpath_protocol::media::ticket::Ticket;
use sendpath_protocol::media::upload::{UploadError, Uploaded};
use sendpath_protocol::media::{Attachment, MediaKind};
use sendpath_protocol::request::MediaTicket;
use sendpath_protocol::secret::Secret;

use crate::account::{Account, ask};
use crate::clock::Random;
use crate::engine::EngineError;
use crate::socket::{Dialer, Task};

impl Account {
    /// Encrypts what `plain` gives and uploads it; what comes back becomes the
    /// [`Blob`](sendpath_protocol::content::draft::Blob) of a message. Any size: a piece of 64 KiB is in
    /// memory at a time, and the file while it is below 1 MiB. The connection must be up. Dropping the
    /// future gives the upload up.
    ///
    /// # Errors
    /// [`EngineError::Upload`], [`EngineError::Closed`], [`EngineError::Forked`].
    pub async fn upload(
        &self,
        kind: MediaKind,
        plain: impl Read + Send + 'static,
    ) -> Result<Uploaded, EngineError> {
        let dialer = self.transfers()?;
        let network = dialer.network.through(self.0.proxy.clone());
        let clock = &self.0.core.clock;
        let (key, now) = (Secret::random(&mut Random(&**clock)), clock.now().unix());
        let account = self.clone();
        let leave = move |renew| {
            let ticket = account.ticket(renew);
            async { ticket.await.ok_or(UploadError::NotConnected) }
        };
        let upload = async move { network.upload(kind, key, now, plain, leave).await };
        Ok(run(&dialer, upload).await??)
    }

    /// Gets the file of a received message. What comes back was verified from its first to its last
    /// byte; until then nothing of it is given out. Any size up to `most` bytes on the servers, which
    /// are a few more than in the file: ciphertext of 1 MiB is in memory, more in a file without a name.
    /// The connection must be up, unless the hosts are known from before. Dropping the future gives the
    /// download up.
    ///
    /// # Errors
    /// [`EngineError::Download`], [`EngineError::Closed`], [`EngineError::Forked`].
    pub async fn download(
        &self,
        attachment: &Attachment,
        most: u64,
    ) -> Result<Fetched, EngineError> {
        let dialer = self.transfers()?;
        let Some(reference) = attachment.reference() else {
            return Err(FetchError::Unreachable("the path is none".to_owned()).into());
        };
        let ticket = self.ticket(false).await.ok_or(FetchError::NotConnected)?;
        let network = dialer.network.through(self.0.proxy.clone());
        let download = reference.download(&ticket, most);
        let fetch = async move { network.download(download).await };
        Ok(run(&dialer, fetch).await??)
    }

    fn transfers(&self) -> Result<Dialer, EngineError> {
        self.enter()?;
        self.0.core.carrier.clone().ok_or(EngineError::Closed)
    }

    /// What the session says about the hosts; `None` when it cannot.
    fn ticket(&self, renew: bool) -> impl Future<Output = Option<Ticket>> + Send + use<> {
        let ticket = ask(&self.0.core, self.0.slot, MediaTicket { renew });
        async { ticket.await.ok() }
    }
}

/// Runs it on our own runtime: the host's may be none of tokio's. It ends with the caller.
async fn run<T: Send + 'static>(
    dialer: &Dialer,
    transfer: impl Future<Output = T> + Send + 'static,
) -> Result<T, EngineError> {
    let task = dialer.runtime.spawn(transfer);
    let _end = Task(task.abort_handle());
    task.await.map_err(|_| EngineError::Closed)
}
