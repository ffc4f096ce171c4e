//! The end-to-end content: text, its context, and the protocol messages we act on (spec section 16).
//!
//! A host's `Message` is never decoded and encoded again, which would lose fields we do not know:
//! [`DeviceSentMessage`] and [`DeviceCopy`] carry it, and its context, as bytes.

use super::{AdvEncryptionType, LidMigrationMappingSyncMessage};
use super::{AppStateSyncKeyRequest, AppStateSyncKeyShare, HistorySyncNotification};
use super::{PeerDataOperationRequestMessage, PeerDataOperationRequestResponseMessage};

declare! {
    /// End-to-end content, as far as we look into it.
    message Message = "Message" {
        optional string conversation = 1;
        optional message SenderKeyDistributionMessage sender_key_distribution_message = 2;
        optional message ExtendedTextMessage extended_text_message = 6;
        optional message ProtocolMessage protocol_message = 12;
        optional message DeviceSentMessage device_sent_message = 31;
        optional message MessageContextInfo message_context_info = 35;
        optional message FutureProofMessage ephemeral_message = 40;
        optional message ReactionMessage reaction_message = 46;
    }

    /// A `Message` for our own other devices: the content is inside `device_sent_message`, the
    /// context of the content is repeated unchanged beside it.
    message DeviceCopy = "Message" {
        optional message DeviceSentMessage device_sent_message = 31;
        optional raw message_context_info = 35;
    }

    /// What we sent, as our own other devices get it; `message` is the encoded [`Message`].
    message DeviceSentMessage = "Message.DeviceSentMessage" {
        optional string destination_jid = 1;
        optional raw message = 2;
        optional string phash = 3;
    }

    /// A wrapper; `message` is the encoded [`Message`].
    message FutureProofMessage = "Message.FutureProofMessage" {
        optional raw message = 1;
    }

    /// A group sender key, sent pairwise.
    message SenderKeyDistributionMessage = "Message.SenderKeyDistributionMessage" {
        optional string group_id = 1;
        optional bytes axolotl_sender_key_distribution_message = 2;
    }

    /// Text with a link preview or a context.
    message ExtendedTextMessage = "Message.ExtendedTextMessage" {
        optional string text = 1;
        optional string matched_text = 2;
        optional string description = 5;
        optional string title = 6;
        optional fixed32 text_argb = 7;
        optional fixed32 background_argb = 8;
        optional bytes jpeg_thumbnail = 16;
        optional message ContextInfo context_info = 17;
        optional bool do_not_play_inline = 18;
        optional string thumbnail_direct_path = 19;
        optional bytes thumbnail_sha256 = 20;
        optional bytes thumbnail_enc_sha256 = 21;
        optional bytes media_key = 22;
        optional int64 media_key_timestamp = 23;
        optional uint32 thumbnail_height = 24;
        optional uint32 thumbnail_width = 25;
    }

    /// Reply, mentions, forwarding, disappearing; `quoted_message` is the encoded [`Message`].
    message ContextInfo = "ContextInfo" {
        optional string stanza_id = 1;
        optional string participant = 2;
        optional raw quoted_message = 3;
        optional string remote_jid = 4;
        repeated string mentioned_jid = 15;
        optional uint32 forwarding_score = 21;
        optional bool is_forwarded = 22;
        optional uint32 expiration = 25;
        optional int64 ephemeral_setting_timestamp = 26;
        optional raw disappearing_mode = 32;
    }

    /// A reaction; empty text removes it.
    message ReactionMessage = "Message.ReactionMessage" {
        optional message MessageKey key = 1;
        optional string text = 2;
        optional string grouping_key = 3;
        optional int64 sender_timestamp_ms = 4;
    }

    /// Names a message.
    message MessageKey = "MessageKey" {
        optional string remote_jid = 1;
        optional bool from_me = 2;
        optional string id = 3;
        optional string participant = 4;
    }

    /// What belongs to any content.
    message MessageContextInfo = "MessageContextInfo" {
        optional message DeviceListMetadata device_list_metadata = 1;
        optional int32 device_list_metadata_version = 2;
        optional bytes message_secret = 3;
        optional bytes padding_bytes = 4;
        optional uint32 message_add_on_duration_in_secs = 5;
        optional bytes bot_message_secret = 6;
        optional int32 reporting_token_version = 8;
        optional bytes associated_primary_identity_key = 19;
    }

    /// The device lists the sender knew.
    message DeviceListMetadata = "DeviceListMetadata" {
        optional bytes sender_key_hash = 1;
        optional uint64 sender_timestamp = 2;
        packed uint32 sender_key_indexes = 3;
        optional enum AdvEncryptionType sender_account_type = 4;
        optional enum AdvEncryptionType receiver_account_type = 5;
        optional bytes recipient_key_hash = 8;
        optional uint64 recipient_timestamp = 9;
        packed uint32 recipient_key_indexes = 10;
    }

    /// Everything between clients that is not content.
    message ProtocolMessage = "Message.ProtocolMessage" {
        optional message MessageKey key = 1;
        optional enum ProtocolMessageType r#type = 2;
        optional uint32 ephemeral_expiration = 4;
        optional int64 ephemeral_setting_timestamp = 5;
        optional message HistorySyncNotification history_sync_notification = 6;
        optional message AppStateSyncKeyShare app_state_sync_key_share = 7;
        optional message AppStateSyncKeyRequest app_state_sync_key_request = 8;
        optional raw edited_message = 14;
        optional int64 timestamp_ms = 15;
        optional message PeerDataOperationRequestMessage peer_data_operation_request_message = 16;
        optional message PeerDataOperationRequestResponseMessage
            peer_data_operation_request_response_message = 17;
        optional message LidMigrationMappingSyncMessage lid_migration_mapping_sync_message = 23;
    }

    /// Which field of [`ProtocolMessage`] counts.
    codes ProtocolMessageType = "Message.ProtocolMessage.Type" {
        REVOKE = 0, EPHEMERAL_SETTING = 3, EPHEMERAL_SYNC_RESPONSE = 4,
        HISTORY_SYNC_NOTIFICATION = 5, APP_STATE_SYNC_KEY_SHARE = 6,
        APP_STATE_SYNC_KEY_REQUEST = 7, APP_STATE_FATAL_EXCEPTION_NOTIFICATION = 10,
        SHARE_PHONE_NUMBER = 11, MESSAGE_EDIT = 14, PEER_DATA_OPERATION_REQUEST_MESSAGE = 16,
        PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE = 17, LID_MIGRATION_MAPPING_SYNC = 22,
    }
}

impl Message {
    /// The text, when it is a text message.
    pub fn into_text(self) -> Option<String> {
        let extended = self.extended_text_message;
        self.conversation.or_else(|| extended?.text)
    }
}
