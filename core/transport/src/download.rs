//! Getting a blob: ask the hosts in turn, verify as it comes, keep the ciphertext.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use sendpath_protocol::media::decrypt::Damage;
use sendpath_protocol::media::download::{Download, Failure};
use sendpath_protocol::media::fetch::{FetchError, Fetched};
use sendpath_protocol::media::upload::HEADERS;
use tokio::sync::mpsc;

use crate::dial::Network;
use crate::http::{Answer, Outgoing};
use crate::spool::{Spool, Verified};

/// Pieces read ahead of the disk and the cipher.
const READ_AHEAD: usize = 4;

impl Network {
    /// Gets a blob. What comes back is verified as a whole; until then nothing of it is given out.
    ///
    /// # Errors
    /// Why it is not to be had, after all tries.
    pub async fn download(&self, download: Download) -> Result<Fetched, FetchError> {
        let mut tries = download.tries();
        loop {
            let Some(url) = tries.url() else {
                return Err(FetchError::Unreachable("no host is known".to_owned()));
            };
            let failure = match self.try_once(url, &download).await {
                Ok(fetched) => return Ok(fetched),
                Err(Stop::Failed(failure)) => failure,
                Err(Stop::NoRoom(why)) => return Err(FetchError::NoRoom(why.to_string())),
            };
            let pause = tries.failed(failure)?;
            tokio::time::sleep(Duration::from_millis(pause.0)).await;
        }
    }

    async fn try_once(&self, url: &str, download: &Download) -> Result<Fetched, Stop> {
        // Origin and Referer; what is asked has no content to have a type.
        let headers = &HEADERS[..2];
        let asked = self.exchange(Method::GET, url, headers, Outgoing::nothing());
        let answer = asked.await.map_err(network)?;
        if answer.status != 200 {
            return Err(Stop::Failed(Failure::Status(
                answer.status,
                answer.retry_after,
            )));
        }
        let (pieces, taken) = mpsc::channel(READ_AHEAD);
        let download = download.clone();
        // The cipher and the disk have a thread of their own; sockets must not wait for them.
        let keeping = tokio::task::spawn_blocking(move || keep(taken, download));
        let read = read(answer, pieces).await;
        let kept = keeping
            .await
            .map_err(|error| network(io::Error::other(error)))?;
        // What the keeper says counts first: it may have stopped the reader.
        let verified = match (kept, read) {
            (Err(Stop::Failed(Failure::Damaged(Damage::TooLong { most }))), _) => {
                return Err(Stop::Failed(Failure::Damaged(Damage::TooLong { most })));
            }
            (Err(Stop::NoRoom(error)), _) => return Err(Stop::NoRoom(error)),
            (_, Err(error)) => return Err(network(error)),
            (kept, Ok(())) => kept?,
        };
        Ok(Fetched::new(verified))
    }
}

/// Why a try ended.
enum Stop {
    Failed(Failure),
    NoRoom(io::Error),
}

fn network(error: io::Error) -> Stop {
    Stop::Failed(Failure::Network(error.to_string()))
}

/// Hands the body on, piece by piece.
async fn read(mut answer: Answer, pieces: mpsc::Sender<Bytes>) -> io::Result<()> {
    while let Some(piece) = answer.piece().await? {
        if pieces.send(piece).await.is_err() {
            // The keeper has had enough, and says why.
            break;
        }
    }
    Ok(())
}

/// Verifies and keeps the body.
fn keep(mut pieces: mpsc::Receiver<Bytes>, download: Download) -> Result<Verified, Stop> {
    let damaged = |damage| Stop::Failed(Failure::Damaged(damage));
    let (mut decryptor, mut spool) = (download.decryptor(), Spool::default());
    let (mut plain, mut length) = (zeroize::Zeroizing::new(Vec::new()), 0);
    while let Some(piece) = pieces.blocking_recv() {
        plain.clear();
        decryptor.push(&piece, &mut plain).map_err(damaged)?;
        length += u64::try_from(plain.len()).unwrap_or(u64::MAX);
        spool.write(&piece).map_err(Stop::NoRoom)?;
    }
    plain.clear();
    decryptor.finish(&mut plain).map_err(damaged)?;
    length += u64::try_from(plain.len()).unwrap_or(u64::MAX);
    Ok(Verified {
        file: spool.finish(),
        download,
        length,
    })
}
