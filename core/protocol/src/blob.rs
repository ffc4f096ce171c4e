//! An encrypted file on the media hosts that a session wants to read.
//!
//! ```text
//! Effect::Fetch(number, reference)  ->  driver: download, verify, decrypt  ->  Input::Fetched(number, result)
//! ```
//! Parts of the history and of app state come this way (spec: "Download"). The keys are in the
//! reference, so that what arrives needs no trust in the host it came from.

use core::fmt;

use crate::pb;
use crate::secret::Secret;

/// Larger files are not fetched: nothing that is read here comes near.
pub const MOST_BYTES: u64 = 256 << 20;

/// The session's number of one download. A later session counts from the start again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BlobId(pub u64);

/// Where a file lies and how it is opened.
#[derive(Clone, Eq, PartialEq)]
pub struct BlobRef {
    /// Which keys are derived, and the host's name for the kind.
    pub kind: BlobKind,
    /// Path below a media host, with its query.
    pub direct_path: String,
    /// The key that the others are derived from.
    pub media_key: Secret<32>,
    /// SHA-256 of the file as it lies on the host.
    pub enc_sha256: [u8; 32],
    /// SHA-256 of the content; `None` when the reference does not tell.
    pub sha256: Option<[u8; 32]>,
    /// Length of the content in bytes, as announced; `None` when the reference does not tell.
    pub size: Option<u64>,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum BlobKind {
    /// A snapshot or a list of mutations of app state (`md-app-state`).
    AppState,
    /// A part of the phone's history (`md-msg-hist`).
    History,
}

/// Why a file could not be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// A hash or the MAC does not match what the reference says.
    #[error("the file is not the one that was announced")]
    Damaged,
    /// The hosts do not have it (any more).
    #[error("the file is gone")]
    Gone,
    /// It is longer than [`MOST_BYTES`].
    #[error("the file is too large")]
    TooLarge,
    /// No host answered, or not in time; it may be there later.
    #[error("no media host could be reached")]
    Unavailable,
}

impl BlobRef {
    /// A reference out of app state; `None` when it is not complete.
    pub fn of_app_state(reference: &pb::ExternalBlobReference) -> Option<Self> {
        Some(Self {
            kind: BlobKind::AppState,
            direct_path: reference.direct_path.clone()?,
            media_key: Secret::from_slice(reference.media_key.as_deref()?)?,
            enc_sha256: hash(reference.file_enc_sha256.as_deref())?,
            sha256: hash(reference.file_sha256.as_deref()),
            size: reference.file_size_bytes,
        })
    }

    /// A reference out of a history notification; `None` when it is not complete.
    pub fn of_history(notification: &pb::HistorySyncNotification) -> Option<Self> {
        Some(Self {
            kind: BlobKind::History,
            direct_path: notification.direct_path.clone()?,
            media_key: Secret::from_slice(notification.media_key.as_deref()?)?,
            enc_sha256: hash(notification.file_enc_sha256.as_deref())?,
            sha256: hash(notification.file_sha256.as_deref()),
            size: notification.file_length,
        })
    }
}

fn hash(bytes: Option<&[u8]>) -> Option<[u8; 32]> {
    bytes?.try_into().ok()
}

impl fmt::Debug for BlobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobRef({:?}, size {:?})", self.kind, self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incomplete_reference_is_none() {
        let whole = pb::ExternalBlobReference {
            media_key: Some(vec![1; 32]),
            direct_path: Some("/v/t?x=1".into()),
            file_enc_sha256: Some(vec![2; 32]),
            ..pb::ExternalBlobReference::default()
        };
        let reference = BlobRef::of_app_state(&whole).unwrap();
        assert_eq!((reference.sha256, reference.size), (None, None));
        assert!(!format!("{reference:?}").contains("/v/t"));
        for broken in [
            pb::ExternalBlobReference {
                media_key: Some(vec![1; 31]),
                ..whole.clone()
            },
            pb::ExternalBlobReference {
                direct_path: None,
                ..whole.clone()
            },
            pb::ExternalBlobReference {
                file_enc_sha256: None,
                ..whole
            },
        ] {
            assert_eq!(BlobRef::of_app_state(&broken), None);
        }
    }
}
