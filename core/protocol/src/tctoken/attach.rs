//! The decision for one message: what it carries, or why nothing.

use crate::nct::NoCstoken;
use crate::secret::SecretBytes;
use crate::tctoken::policy::Freshness;
use crate::tctoken::stanza;
use crate::time::UnixSeconds;
use crate::verdict::{Attached, WhyNot};
use crate::wap::Node;

/// What a message carries to open the chat: a valid tctoken, else a cstoken, else nothing.
#[derive(Clone, Eq, PartialEq)]
pub enum Attach {
    /// The account's own proof.
    Cstoken {
        /// Raw HMAC.
        bytes: [u8; 32],
        /// Why it is not a tctoken.
        instead_of: WhyNot,
    },
    /// Nothing.
    Nothing {
        /// Why no tctoken.
        token: WhyNot,
        /// Why no cstoken.
        cstoken: NoCstoken,
    },
    /// The contact's token.
    Tctoken {
        /// Opaque.
        bytes: SecretBytes,
        /// Its time stamp.
        t: UnixSeconds,
        /// Never [`Freshness::Expired`]. When [`Freshness::Ambiguous`], asking for the props first
        /// is worth a short wait.
        freshness: Freshness,
    },
}

impl Attach {
    /// The element for the stanza.
    pub fn node(&self) -> Option<Node> {
        match self {
            Self::Cstoken { bytes, .. } => Some(stanza::cstoken(bytes)),
            Self::Nothing { .. } => None,
            Self::Tctoken { bytes, .. } => Some(stanza::tctoken(bytes)),
        }
    }

    /// What is remembered with the message and told to the host.
    pub const fn summary(&self) -> Attached {
        match self {
            Self::Cstoken { .. } => Attached::Cstoken,
            Self::Nothing { token, .. } => Attached::Nothing(*token),
            Self::Tctoken { t, .. } => Attached::Tctoken { t: *t },
        }
    }

    /// Whether a tctoken goes along; only that lifts a timelock.
    pub const fn has_token(&self) -> bool {
        matches!(self, Self::Tctoken { .. })
    }
}

impl core::fmt::Debug for Attach {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Nothing { token, cstoken } => write!(f, "Nothing({token:?}, {cstoken:?})"),
            other => other.summary().fmt(f),
        }
    }
}
