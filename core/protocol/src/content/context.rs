//! The context of a message: `messageContextInfo`, read and completed without decoding the rest.
//!
//! ```text
//! Message { .., messageContextInfo(35) { messageSecret(3), reportingTokenVersion(8) } }
//! ```

use prost::Message as _;

use super::wire::{Level, push_bytes};
use crate::pb;
use crate::secret::Secret;

/// `messageContextInfo` of a `Message`.
pub(super) const CONTEXT_INFO: u32 = 35;

const MESSAGE_SECRET: u32 = 3;

/// The secret that the author of a message put into it: votes, answers and reports are keyed by it.
/// `None` when it has none of 32 bytes.
pub fn message_secret(message: &[u8]) -> Option<Secret<32>> {
    let context = Level::parse(message)?.level(CONTEXT_INFO)?;
    Secret::from_slice(context.bytes(MESSAGE_SECRET)?)
}

/// The message with these fields of its context set, and everything else as it was.
pub(super) fn with_context(level: Level<'_>, added: &pb::MessageContextInfo) -> Vec<u8> {
    // Appending is setting: of several equal fields the last one counts.
    let mut context = level.bytes(CONTEXT_INFO).unwrap_or_default().to_vec();
    context.extend(added.encode_to_vec());
    let others = level.fields().filter(|field| field.number != CONTEXT_INFO);
    let mut whole: Vec<u8> = others.flat_map(|field| field.raw.iter().copied()).collect();
    push_bytes(&mut whole, CONTEXT_INFO, &context);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_is_completed_and_nothing_else_changes() {
        let message = b"\x9a\x02\x02\x10\x02\x0a\x02hi\xfa\x3f\x01x";
        let added = pb::MessageContextInfo {
            message_secret: Some(vec![7; 32]),
            ..pb::MessageContextInfo::default()
        };
        let whole = with_context(Level::parse(message).unwrap(), &added);
        assert_eq!(whole[..8], message[5..]);
        let context = pb::Message::decode(&*whole)
            .unwrap()
            .message_context_info
            .unwrap();
        assert_eq!(context.device_list_metadata_version, Some(2));
        assert_eq!(message_secret(&whole), Some(Secret::new([7; 32])));
    }

    #[test]
    fn a_message_without_a_whole_secret_has_none() {
        assert_eq!(message_secret(b"\x0a\x02hi"), None);
        assert_eq!(message_secret(b"\x9a\x02\x03\x1a\x01s"), None);
    }
}
