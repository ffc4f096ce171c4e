//! From what the host wants to say to `Message` bytes, and the copy for our own devices.

use prost::Message as _;

use crate::jid::Jid;
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

/// The same message for our own other devices: it also says which chat it went to. The message
/// bytes are carried unchanged.
pub fn device_sent(to: &Jid, payload: &[u8]) -> Vec<u8> {
    let sent = pb::DeviceSentMessage {
        destination_jid: Some(to.reveal()),
        message: Some(payload.to_vec()),
        phash: None,
    };
    pb::DeviceCopy {
        device_sent_message: Some(sent),
        message_context_info: None,
    }
    .encode_to_vec()
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

    #[test]
    fn the_copy_for_own_devices_names_the_chat() {
        let copy = device_sent(&Jid::lid("7"), &text("hi").unwrap());
        let sent = pb::Message::decode(&*copy)
            .unwrap()
            .device_sent_message
            .unwrap();
        assert_eq!(sent.destination_jid.as_deref(), Some("7@lid"));
        assert_eq!(sent.message, text("hi"));
    }
}
