//! Message ids.
//!
//! ```text
//! "3EB0" + upper hex(SHA-256(u64 BE unix seconds || "<own PN user>@c.us" || 16 random)[0..9])
//! ```
//! Source: spec "Message id". Any unique id is accepted; the prefix marks web clients.

use crate::crypto::symmetric::sha256;
use crate::secret::{Entropy, EntropyExt};
use crate::time::UnixSeconds;
use crate::verdict::MessageId;

/// A fresh id: 22 characters.
pub fn generate(rng: &mut dyn Entropy, now: UnixSeconds, own_pn: &str) -> MessageId {
    let mut input = now.0.to_be_bytes().to_vec();
    input.extend_from_slice(own_pn.as_bytes());
    input.extend_from_slice(b"@c.us");
    input.extend_from_slice(&rng.bytes::<16>());
    let digest = sha256(&input);
    let mut id = String::from("3EB0");
    for byte in &digest[..9] {
        for nibble in [byte >> 4, byte & 15] {
            id.push(char::from(b"0123456789ABCDEF"[usize::from(nibble)]));
        }
    }
    MessageId::from_ascii(id)
}
