//! Files up and down, for tasks, callbacks and threads that wait.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sendpath_engine as core;
use sendpath_protocol::effect::OpId;
use sendpath_protocol::media::fetch::Fetched;
use tempfile::NamedTempFile;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::content::{Media, MediaKind};
use super::error::Error;
use super::runtime;
use super::status::Status;

/// Bytes handed to a sink at once.
const PIECE: usize = 64 << 10;

/// What to upload.
pub enum Source {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The file at this path.
    Path(PathBuf),
    /// What this reads to its end, on a thread of the library.
    Reader(Box<dyn Read + Send>),
}

/// Where a download goes.
pub enum Sink {
    /// A file at this path, which is there as a whole or not at all.
    Path(PathBuf),
    /// This, on a thread of the library; it sees only bytes of a file that was verified as a whole.
    Writer(Box<dyn Write + Send>),
}

impl Source {
    fn open(self) -> Result<Box<dyn Read + Send>, Error> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(io::Cursor::new(bytes)),
            Self::Path(path) => Box::new(File::open(path).map_err(|error| file(&error))?),
            Self::Reader(reader) => reader,
        })
    }
}

/// Encrypts and uploads.
pub(super) async fn upload(
    account: core::Account,
    kind: MediaKind,
    source: Source,
) -> Result<Media, Error> {
    let uploaded = account.upload(kind.core(), source.open()?).await?;
    Ok(Media::uploaded(kind, uploaded))
}

/// Downloads, verifies, and only then writes; the number of bytes.
pub(super) async fn download(
    account: core::Account,
    runtime: Handle,
    media: Media,
    sink: Sink,
) -> Result<u64, Error> {
    // What lies on the servers: whole blocks of 16 bytes, one of them begun at least, and the MAC.
    let most = (media.length / 16).saturating_add(1).saturating_mul(16);
    let attachment = media.attachment()?;
    let fetched = account.download(&attachment, most.saturating_add(10));
    let fetched = fetched.await?;
    let stop = Stop::default();
    let stopped = Arc::clone(&stop.0);
    let copying = runtime.spawn_blocking(move || deliver(&fetched, sink, &stopped));
    let copied = copying.await.map_err(|_| Error::closed())?;
    copied.map_err(|error| file(&error))
}

/// Ends the copying with the future that waits for it.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn deliver(fetched: &Fetched, sink: Sink, stopped: &AtomicBool) -> io::Result<u64> {
    match sink {
        Sink::Writer(mut writer) => {
            let count = copy(fetched, &mut writer, stopped)?;
            writer.flush()?;
            Ok(count)
        }
        Sink::Path(path) => {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let mut file = NamedTempFile::new_in(folder.unwrap_or_else(|| ".".as_ref()))?;
            let count = copy(fetched, &mut file, stopped)?;
            file.persist(path).map_err(|error| error.error)?;
            Ok(count)
        }
    }
}

fn copy(fetched: &Fetched, sink: &mut impl Write, stopped: &AtomicBool) -> io::Result<u64> {
    let (mut plain, mut piece) = (fetched.open(), vec![0; PIECE]);
    let mut total = 0;
    loop {
        if stopped.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = plain.read(&mut piece)?;
        if count == 0 {
            return Ok(total);
        }
        sink.write_all(&piece[..count])?;
        total += u64::try_from(count).unwrap_or(u64::MAX);
    }
}

/// Waits on this thread; what is not done in time is given up.
pub(super) fn wait<T>(
    runtime: &Handle,
    timeout: Option<Duration>,
    transfer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    runtime::may_block()?;
    runtime.block_on(async {
        match timeout {
            None => transfer.await,
            Some(timeout) => {
                let ended = tokio::time::timeout(timeout, transfer).await;
                ended.unwrap_or_else(|_| Err(Error::timeout()))
            }
        }
    })
}

/// Transfers that can be given up by number.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    running: std::sync::Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    last: u64,
    closed: bool,
    ops: std::collections::HashMap<u64, Arc<Notify>>,
}

impl Transfers {
    fn lock(&self) -> std::sync::MutexGuard<'_, Running> {
        let running = self.running.lock();
        running.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn begin(&self) -> Result<(OpId, Arc<Notify>), Error> {
        let mut running = self.lock();
        if running.closed {
            return Err(Error::closed());
        }
        running.last += 1;
        let (op, given_up) = (running.last, Arc::new(Notify::new()));
        running.ops.insert(op, Arc::clone(&given_up));
        Ok((OpId(op), given_up))
    }

    pub(super) fn end(&self, op: OpId) {
        self.lock().ops.remove(&op.0);
    }

    pub(super) fn cancel(&self, op: OpId) {
        if let Some(given_up) = self.lock().ops.get(&op.0) {
            given_up.notify_one();
        }
    }

    pub(super) fn close(&self) {
        let mut running = self.lock();
        running.closed = true;
        running
            .ops
            .values()
            .for_each(|given_up| given_up.notify_one());
    }
}

/// The transfer, or its end when nobody wants it any more.
pub(super) async fn unless<T>(
    given_up: &Notify,
    transfer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::select! {
        ended = transfer => ended,
        () = given_up.notified() => {
            Err(Error::new(Status::Cancelled, "the transfer was given up"))
        }
    }
}

fn file(error: &io::Error) -> Error {
    Error::new(Status::MediaFile, error.to_string())
}
