//! What a session asks of its driver: get a blob, open it, give it back.
//!
//! ```text
//! Effect::Fetch(Fetch { id, download })  ->  Input::Fetched(id, Ok(blob) | Err(why))
//! ```
//! The driver keeps the blob in memory up to a limit of its own and in a file without a name beyond.
//! It answers every fetch once, or drops it with the session; a session that was rebuilt asks again.

use std::io::BufRead;

use crate::media::decrypt::Damage;
use crate::media::download::Download;
use crate::secret::{Entropy, EntropyExt};

/// Names a fetch. Drawn at random, so that an answer to an earlier session of the slot is nobody's.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FetchId(u64);

impl FetchId {
    /// A fresh name.
    pub fn random(rng: &mut dyn Entropy) -> Self {
        Self(rng.u64())
    }
}

/// A blob to get.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fetch {
    /// Its name in the answer.
    pub id: FetchId,
    /// Where it lies and how it is opened.
    pub download: Download,
}

/// A blob that was fetched, opened and verified as a whole.
pub struct Fetched(Box<dyn Source>);

impl Fetched {
    /// The plain bytes, every check passed.
    pub fn new(plain: impl Source + 'static) -> Self {
        Self(Box::new(plain))
    }

    /// From their beginning.
    pub fn open(&self) -> Box<dyn BufRead + '_> {
        self.0.open()
    }

    /// How many there are.
    pub fn length(&self) -> u64 {
        self.0.length()
    }
}

impl core::fmt::Debug for Fetched {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Fetched({} bytes)", self.length())
    }
}

/// Where plain bytes are kept.
pub trait Source: Send {
    /// Reads from the beginning. Several readers do not disturb each other.
    fn open(&self) -> Box<dyn BufRead + '_>;

    /// Number of bytes.
    fn length(&self) -> u64;
}

impl Source for Vec<u8> {
    fn open(&self) -> Box<dyn BufRead + '_> {
        Box::new(self.as_slice())
    }

    fn length(&self) -> u64 {
        u64::try_from(self.len()).unwrap_or(u64::MAX)
    }
}

/// Why there is no blob.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// What the servers have is not what was announced.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The servers do not have it any more, or not for us: HTTP 403, 404, 410.
    #[error("the servers do not have it: HTTP {0}")]
    Gone(u16),
    /// There is no connection to ask for the hosts.
    #[error("not connected")]
    NotConnected,
    /// There was no room to keep it.
    #[error("no room to keep it: {0}")]
    NoRoom(String),
    /// The servers answered nothing of use, however often they were asked; the last status.
    #[error("the servers refuse: HTTP {0}")]
    Refused(u16),
    /// No server could be reached, or none says which there are.
    #[error("not reached: {0}")]
    Unreachable(String),
}

impl FetchError {
    /// Whether asking the same servers again later can help.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Damaged(_) | Self::Gone(_) => false,
            Self::NoRoom(_) | Self::NotConnected | Self::Refused(_) | Self::Unreachable(_) => true,
        }
    }
}
