//! Files up and down. A dropped future gives its transfer up.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use sendpath::facade::{Sink, Source};

use crate::account::Account;
use crate::content::{Media, MediaKind};
use crate::error::NativeError;

/// A reader or writer of the host failed.
#[derive(Clone, Debug, thiserror::Error, uniffi::Error)]
pub enum HostError {
    /// It said why.
    #[error("{reason}")]
    Failed {
        /// What it said.
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for HostError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        let reason = error.reason;
        Self::Failed { reason }
    }
}

/// Gives what to upload.
#[uniffi::export(foreign)]
pub trait ByteSource: Send + Sync {
    /// Up to that many bytes; none at the end.
    fn read(&self, most: u64) -> Result<Vec<u8>, HostError>;
}

/// Takes what was downloaded and verified.
#[uniffi::export(foreign)]
pub trait ByteSink: Send + Sync {
    /// Takes all of these.
    fn write(&self, bytes: Vec<u8>) -> Result<(), HostError>;
}

struct Reader(Arc<dyn ByteSource>);

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = u64::try_from(out.len()).unwrap_or(u64::MAX);
        let read = self.0.read(most).map_err(io::Error::other)?;
        let place = out.get_mut(..read.len());
        let too_much = || io::Error::other("the reader gave more than it was asked for");
        place.ok_or_else(too_much)?.copy_from_slice(&read);
        Ok(read.len())
    }
}

struct Writer(Arc<dyn ByteSink>);

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[uniffi::export]
impl Account {
    /// Uploads these bytes.
    pub async fn upload_bytes(
        &self,
        kind: MediaKind,
        bytes: Vec<u8>,
    ) -> Result<Media, NativeError> {
        self.upload(kind, Source::Bytes(bytes)).await
    }

    /// Uploads the file at that path.
    pub async fn upload_path(&self, kind: MediaKind, path: String) -> Result<Media, NativeError> {
        self.upload(kind, Source::Path(PathBuf::from(path))).await
    }

    /// Uploads what the reader gives.
    pub async fn upload_reader(
        &self,
        kind: MediaKind,
        reader: Arc<dyn ByteSource>,
    ) -> Result<Media, NativeError> {
        self.upload(kind, Source::Reader(Box::new(Reader(reader))))
            .await
    }

    /// Downloads a file to that path; the number of bytes.
    pub async fn download_path(&self, media: Media, path: String) -> Result<u64, NativeError> {
        let sink = Sink::Path(PathBuf::from(path));
        Ok(self.0.download(media.into(), sink).await?)
    }

    /// Downloads a file to a writer; the number of bytes.
    pub async fn download_writer(
        &self,
        media: Media,
        writer: Arc<dyn ByteSink>,
    ) -> Result<u64, NativeError> {
        let sink = Sink::Writer(Box::new(Writer(writer)));
        Ok(self.0.download(media.into(), sink).await?)
    }
}

impl Account {
    async fn upload(&self, kind: MediaKind, source: Source) -> Result<Media, NativeError> {
        Ok(self.0.upload(kind.into(), source).await?.into())
    }
}
