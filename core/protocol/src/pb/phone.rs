//! Questions to our own phone, and its answers (spec section 10.6).

use super::MessageKey;

declare! {
    /// A question to the phone.
    message PeerDataOperationRequestMessage = "Message.PeerDataOperationRequestMessage" {
        optional enum PeerDataOperationRequestType peer_data_operation_request_type = 1;
        repeated message PlaceholderMessageResendRequest placeholder_message_resend_request = 5;
    }

    /// A message that we could not read.
    message PlaceholderMessageResendRequest =
        "Message.PeerDataOperationRequestMessage.PlaceholderMessageResendRequest" {
        optional message MessageKey message_key = 1;
    }

    /// The phone's answer.
    message PeerDataOperationRequestResponseMessage =
        "Message.PeerDataOperationRequestResponseMessage" {
        optional enum PeerDataOperationRequestType peer_data_operation_request_type = 1;
        optional string stanza_id = 2;
        repeated message PeerDataOperationResult peer_data_operation_result = 3;
    }

    /// One part of an answer.
    message PeerDataOperationResult =
        "Message.PeerDataOperationRequestResponseMessage.PeerDataOperationResult" {
        optional message PlaceholderMessageResendResponse placeholder_message_resend_response = 4;
    }

    /// A message as the phone has it: an encoded [`WebMessageInfo`].
    message PlaceholderMessageResendResponse =
        "Message.PeerDataOperationRequestResponseMessage.PeerDataOperationResult.PlaceholderMessageResendResponse" {
        optional bytes web_message_info_bytes = 1;
    }

    /// What is asked.
    codes PeerDataOperationRequestType = "Message.PeerDataOperationRequestType" {
        PLACEHOLDER_MESSAGE_RESEND = 4,
    }

    /// A message in the phone's own form; `message` is the encoded [`Message`](super::Message).
    message WebMessageInfo = "WebMessageInfo" {
        optional message MessageKey key = 1;
        optional raw message = 2;
        optional uint64 message_timestamp = 3;
        optional string participant = 5;
        optional string push_name = 19;
    }
}
