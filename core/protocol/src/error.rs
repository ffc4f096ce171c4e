//! Faults by who is at fault. Odd input from the server is never one of these: it is counted,
//! acknowledged and ignored.

use crate::txn::Namespace;

/// What a machine method may fail with: the store, or a bug of ours. After either the driver drops
/// the session and rebuilds it from the store.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Something that cannot happen did; the text names the broken assumption.
    #[error("bug in sendpath: {0}")]
    Bug(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why the store could not read or commit.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process holds the store's lock for longer than the busy timeout.
    #[error("the store is locked by another process; close it there or use another file")]
    Busy,
    /// The file is damaged or not a store of ours.
    #[error("the store is damaged or not a sendpath store: {0}")]
    Corrupt(String),
    /// Somebody opened the same account after us; this handle must not write any more.
    #[error("the account was opened elsewhere; this handle is fenced off")]
    Fenced,
    /// No room left.
    #[error("no space left for the store")]
    Full,
    /// A host-provided store failed, in the host's words (cut to 200 characters).
    #[error("the host's store failed: {0}")]
    Host(String),
    /// The operating system failed.
    #[error("input/output failure of the store: {0}")]
    Io(String),
    /// The file or its folder cannot be written.
    #[error("the store is read-only")]
    ReadOnly,
    /// The file was written by a newer sendpath.
    #[error("the store has schema {found}, this sendpath knows up to {supported}; use a newer one")]
    Schema {
        /// Schema number in the file.
        found: u32,
        /// Highest number that this build understands.
        supported: u32,
    },
    /// A record was written by a newer sendpath.
    #[error("a {namespace:?} record has version {found}; use a newer sendpath")]
    Version {
        /// Where the record lies.
        namespace: Namespace,
        /// Its version byte.
        found: u8,
    },
}

/// The caller used the library wrongly.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiMisuse {
    /// The text is not an address one can send to.
    #[error(
        "not an address one can send to; use `<digits>@s.whatsapp.net`, `<digits>@lid` or digits"
    )]
    BadAddress,
    /// Empty, too long or otherwise not sendable content.
    #[error("the message has no content or is over 65536 bytes")]
    BadContent,
    /// A message id must be 1 to 128 visible ASCII characters.
    #[error("a message id is 1 to 128 visible ASCII characters")]
    BadMessageId,
    /// An account name must be 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
    #[error("an account name is 1 to 64 characters of A-Z a-z 0-9 . _ -")]
    BadAccountName,
    /// A pairing code has eight symbols, without 0, I, O and U.
    #[error("a pairing code has eight symbols of 123456789ABCDEFGHJKLMNPQRSTVWXYZ")]
    BadCode,
    /// An answer of an authenticator is a JSON object with the id of its credential.
    #[error("a passkey's answer is the JSON of PublicKeyCredential.toJSON(), of at most 16 KiB")]
    BadPasskey,
    /// A phone number in international form has 7 to 15 digits.
    #[error("a phone number has 7 to 15 digits, with the country code and without leading zeros")]
    BadNumber,
    /// Bytes handed in do not decode.
    #[error("the bytes do not decode")]
    BadBytes,
}
