//! The copy of a message for our own other devices.
//!
//! ```text
//! Message { deviceSentMessage(31) { destinationJid(1), message(2) }, messageContextInfo(35) }
//! ```
//! Source: spec "Stanza". The message is carried byte for byte; its context is repeated beside it.

use prost::Message as _;

use super::context::CONTEXT_INFO;
use super::wire::Level;
use crate::jid::Jid;
use crate::pb;

/// The message that our own devices get for `message`, sent to the chat `to`.
pub fn device_sent(to: &Jid, message: &[u8]) -> Vec<u8> {
    let context = Level::parse(message).and_then(|message| message.bytes(CONTEXT_INFO));
    let sent = pb::DeviceSentMessage {
        destination_jid: Some(to.reveal()),
        message: Some(message.to_vec()),
        phash: None,
    };
    pb::DeviceCopy {
        device_sent_message: Some(sent),
        message_context_info: context.map(<[u8]>::to_vec),
    }
    .encode_to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_for_own_devices_names_the_chat() {
        let copy = device_sent(&Jid::lid("7"), b"\x0a\x02hi");
        let copy = pb::Message::decode(&*copy).unwrap();
        let sent = copy.device_sent_message.unwrap();
        assert_eq!(sent.destination_jid.as_deref(), Some("7@lid"));
        assert_eq!(sent.message.as_deref(), Some(&b"\x0a\x02hi"[..]));
        assert_eq!(copy.message_context_info, None);
    }

    #[test]
    fn the_context_of_the_message_is_repeated_beside_it() {
        let message = b"\x0a\x02hi\x9a\x02\x06\x1a\x01s\xfa\x3f\x00";
        let copy = device_sent(&Jid::lid("7"), message);
        let copy = Level::parse(&copy).unwrap();
        assert_eq!(copy.bytes(35), Some(&message[7..]));
        assert_eq!(copy.level(31).unwrap().bytes(2), Some(&message[..]));
    }
}
