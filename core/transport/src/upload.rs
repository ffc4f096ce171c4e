//! Bringing a blob to the servers: encrypt it once, then send the file until somebody has it.

use std::future::Future;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use sendpath_protocol::media::encrypt::{Encryptor, Sealed};
use sendpath_protocol::media::ticket::Ticket;
use sendpath_protocol::media::upload::{
    Ask, HEADERS, MOST_ANSWER, Next, Upload, UploadError, Uploaded,
};
use sendpath_protocol::media::{MediaKind, PIECE};
use sendpath_protocol::secret::Secret;
use sendpath_protocol::time::UnixSeconds;
use tokio::sync::mpsc;

use crate::dial::Network;
use crate::http::Outgoing;
use crate::spool::{Spool, Spooled};

/// Pieces read ahead of the network.
const READ_AHEAD: usize = 2;

impl Network {
    /// Encrypts what `plain` gives under `media_key`, which must be fresh: made at `keyed_at`, and
    /// uploads it. `ticket` is asked for leave: with `false` for any, with `true` for one that is newer
    /// than the last.
    ///
    /// Memory: pieces of 64 KiB, and the file while it is small.
    ///
    /// # Errors
    /// Why it is not there, after all tries.
    pub async fn upload<T>(
        &self,
        kind: MediaKind,
        media_key: Secret<32>,
        keyed_at: UnixSeconds,
        plain: impl Read + Send + 'static,
        mut ticket: impl FnMut(bool) -> T,
    ) -> Result<Uploaded, UploadError>
    where
        T: Future<Output = Result<Ticket, UploadError>>,
    {
        let leave = ticket(false).await?;
        let key = media_key.clone();
        let sealing = tokio::task::spawn_blocking(move || seal(kind, &key, plain));
        let sealed = sealing.await.map_err(io::Error::other).flatten();
        let (file, sealed) = sealed.map_err(|error| UploadError::File(error.to_string()))?;
        let file = Arc::new(file);
        let mut upload = Upload::new(leave, kind, media_key, keyed_at, sealed);
        loop {
            let Some(ask) = upload.ask() else {
                return Err(UploadError::Unreachable("no host takes uploads".to_owned()));
            };
            match self.try_upload(&mut upload, ask, &file).await {
                Next::Ask(pause) => tokio::time::sleep(Duration::from_millis(pause.0)).await,
                Next::Done(uploaded) => return Ok(uploaded),
                Next::Failed(error) => return Err(error),
                Next::Renew => upload.renew(ticket(true).await?),
            }
        }
    }

    async fn try_upload(&self, upload: &mut Upload, ask: Ask, file: &Arc<Spooled>) -> Next {
        let body = match ask.from {
            None => Outgoing::nothing(),
            Some(from) => Outgoing {
                length: file.length().saturating_sub(from),
                pieces: Some(pieces(file.clone(), from)),
            },
        };
        let answer = match self.exchange(Method::POST, &ask.url, HEADERS, body).await {
            Ok(answer) => answer,
            Err(error) => return upload.failed(error.to_string()),
        };
        let (status, retry_after) = (answer.status, answer.retry_after);
        match answer.whole(MOST_ANSWER).await {
            Ok(body) => upload.answered(status, retry_after, &body),
            Err(error) => upload.failed(error.to_string()),
        }
    }
}

fn seal(
    kind: MediaKind,
    media_key: &Secret<32>,
    mut plain: impl Read,
) -> io::Result<(Spooled, Sealed)> {
    let (mut encryptor, mut spool) = (Encryptor::new(media_key, kind), Spool::default());
    let (mut piece, mut file) = (zeroize::Zeroizing::new(vec![0; PIECE]), Vec::new());
    loop {
        let count = match plain.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        file.clear();
        encryptor.push(&piece[..count], &mut file);
        spool.write(&file)?;
    }
    file.clear();
    let sealed = encryptor.finish(&mut file);
    spool.write(&file)?;
    Ok((spool.finish(), sealed))
}

/// The file from byte `from` on, read by a thread that may wait for the disk.
fn pieces(file: Arc<Spooled>, from: u64) -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, pieces) = mpsc::channel(READ_AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut file = file.read_from(from);
        let mut piece = vec![0; PIECE];
        loop {
            let read = match file.read(&mut piece) {
                Ok(0) => return,
                Ok(count) => Ok(Bytes::copy_from_slice(&piece[..count])),
                Err(error) => Err(error),
            };
            let failed = read.is_err();
            // A request that has ended wants no more.
            if sender.blocking_send(read).is_err() || failed {
                return;
            }
        }
    });
    pieces
}
