//! What a media connection lets us do, for whoever moves the bytes.

use crate::media::conn::{MediaConn, Scheme};
use crate::secret::SecretBytes;

/// Which hosts take uploads and give downloads, and our leave to upload.
#[derive(Clone, Eq, PartialEq)]
pub struct Ticket {
    pub(super) scheme: Scheme,
    pub(super) uploads: Vec<String>,
    pub(super) downloads: Vec<String>,
    pub(super) auth: SecretBytes,
}

impl Ticket {
    /// That of a media connection.
    pub fn of(conn: &MediaConn, scheme: Scheme) -> Self {
        Self {
            scheme,
            uploads: conn.uploads().map(str::to_owned).collect(),
            downloads: conn.downloads().map(str::to_owned).collect(),
            auth: conn.auth().clone(),
        }
    }
}

impl core::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (up, down) = (self.uploads.len(), self.downloads.len());
        write!(f, "Ticket({up} hosts for uploads, {down} for downloads)")
    }
}
