//! Plain text.

use prost::Message as _;

use crate::pb;

/// Longest text in bytes.
pub const MAX_TEXT: usize = 65_536;

/// A plain text message; `None` when the text is empty or over [`MAX_TEXT`] bytes.
pub fn text(text: &str) -> Option<Vec<u8>> {
    let good = (1..=MAX_TEXT).contains(&text.len());
    let message = || pb::Message {
        conversation: Some(text.to_owned()),
        ..pb::Message::default()
    };
    good.then(|| message().encode_to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_field_one_of_a_message() {
        assert_eq!(text("Test").unwrap(), hex::decode("0a0454657374").unwrap());
    }

    #[test]
    fn empty_and_oversized_text_is_no_message() {
        assert_eq!(text(""), None);
        assert_eq!(text(&"x".repeat(MAX_TEXT + 1)), None);
    }
}
