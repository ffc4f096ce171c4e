//! What we compose: media, contacts, places, polls, events, and what refers to other messages (spec
//! section 16). Content that we only pass on is never decoded into these.

use super::{
    ContextInfo, ExtendedTextMessage, MessageContextInfo, MessageKey, ProtocolMessageType,
    ReactionMessage,
};

declare! {
    /// End-to-end content as we write it; wrapped messages are their encoded bytes.
    message Composed = "Message" {
        optional string conversation = 1;
        optional boxed ImageMessage image_message = 3;
        optional boxed ContactMessage contact_message = 4;
        optional boxed LocationMessage location_message = 5;
        optional boxed ExtendedTextMessage extended_text_message = 6;
        optional boxed DocumentMessage document_message = 7;
        optional boxed AudioMessage audio_message = 8;
        optional boxed VideoMessage video_message = 9;
        optional boxed Correction protocol_message = 12;
        optional boxed ContactsArrayMessage contacts_array_message = 13;
        optional boxed StickerMessage sticker_message = 26;
        optional boxed MessageContextInfo message_context_info = 35;
        optional boxed Wrapped view_once_message = 37;
        optional boxed Wrapped ephemeral_message = 40;
        optional boxed ReactionMessage reaction_message = 46;
        optional boxed PollCreationMessage poll_creation_message = 49;
        optional boxed PollUpdateMessage poll_update_message = 50;
        optional boxed KeepInChatMessage keep_in_chat_message = 51;
        optional boxed Wrapped document_with_caption_message = 53;
        optional boxed PinInChatMessage pin_in_chat_message = 63;
        optional boxed PollCreationMessage poll_creation_message_v3 = 64;
        optional boxed EventMessage event_message = 75;
        optional boxed EncEventResponseMessage enc_event_response_message = 76;
    }

    /// A wrapper around content that we write.
    message Wrapped = "Message.FutureProofMessage" {
        optional boxed Composed message = 1;
    }

    /// Revokes, edits and timers, as we write them.
    message Correction = "Message.ProtocolMessage" {
        optional message MessageKey key = 1;
        optional enum ProtocolMessageType r#type = 2;
        optional uint32 ephemeral_expiration = 4;
        optional int64 ephemeral_setting_timestamp = 5;
        optional boxed Composed edited_message = 14;
        optional int64 timestamp_ms = 15;
    }

    /// A picture.
    message ImageMessage = "Message.ImageMessage" {
        optional string url = 1;
        optional string mimetype = 2;
        optional string caption = 3;
        optional bytes file_sha256 = 4;
        optional uint64 file_length = 5;
        optional uint32 height = 6;
        optional uint32 width = 7;
        optional bytes media_key = 8;
        optional bytes file_enc_sha256 = 9;
        optional string direct_path = 11;
        optional int64 media_key_timestamp = 12;
        optional bytes jpeg_thumbnail = 16;
        optional message ContextInfo context_info = 17;
        optional bool view_once = 25;
    }

    /// A video, or a GIF as a video.
    message VideoMessage = "Message.VideoMessage" {
        optional string url = 1;
        optional string mimetype = 2;
        optional bytes file_sha256 = 3;
        optional uint64 file_length = 4;
        optional uint32 seconds = 5;
        optional bytes media_key = 6;
        optional string caption = 7;
        optional bool gif_playback = 8;
        optional uint32 height = 9;
        optional uint32 width = 10;
        optional bytes file_enc_sha256 = 11;
        optional string direct_path = 13;
        optional int64 media_key_timestamp = 14;
        optional bytes jpeg_thumbnail = 16;
        optional message ContextInfo context_info = 17;
        optional bool view_once = 20;
    }

    /// Sound, or a voice note.
    message AudioMessage = "Message.AudioMessage" {
        optional string url = 1;
        optional string mimetype = 2;
        optional bytes file_sha256 = 3;
        optional uint64 file_length = 4;
        optional uint32 seconds = 5;
        optional bool ptt = 6;
        optional bytes media_key = 7;
        optional bytes file_enc_sha256 = 8;
        optional string direct_path = 9;
        optional int64 media_key_timestamp = 10;
        optional message ContextInfo context_info = 17;
        optional bytes waveform = 19;
        optional bool view_once = 21;
    }

    /// Any file.
    message DocumentMessage = "Message.DocumentMessage" {
        optional string url = 1;
        optional string mimetype = 2;
        optional string title = 3;
        optional bytes file_sha256 = 4;
        optional uint64 file_length = 5;
        optional uint32 page_count = 6;
        optional bytes media_key = 7;
        optional string file_name = 8;
        optional bytes file_enc_sha256 = 9;
        optional string direct_path = 10;
        optional int64 media_key_timestamp = 11;
        optional bytes jpeg_thumbnail = 16;
        optional message ContextInfo context_info = 17;
        optional string caption = 20;
    }

    /// A sticker.
    message StickerMessage = "Message.StickerMessage" {
        optional string url = 1;
        optional bytes file_sha256 = 2;
        optional bytes file_enc_sha256 = 3;
        optional bytes media_key = 4;
        optional string mimetype = 5;
        optional uint32 height = 6;
        optional uint32 width = 7;
        optional string direct_path = 8;
        optional uint64 file_length = 9;
        optional int64 media_key_timestamp = 10;
        optional bool is_animated = 13;
        optional bytes png_thumbnail = 16;
        optional message ContextInfo context_info = 17;
    }

    /// A visiting card.
    message ContactMessage = "Message.ContactMessage" {
        optional string display_name = 1;
        optional string vcard = 16;
        optional message ContextInfo context_info = 17;
    }

    /// Several visiting cards.
    message ContactsArrayMessage = "Message.ContactsArrayMessage" {
        optional string display_name = 1;
        repeated message ContactMessage contacts = 2;
        optional message ContextInfo context_info = 17;
    }

    /// A place.
    message LocationMessage = "Message.LocationMessage" {
        optional double degrees_latitude = 1;
        optional double degrees_longitude = 2;
        optional string name = 3;
        optional string address = 4;
        optional string url = 5;
        optional bytes jpeg_thumbnail = 16;
        optional message ContextInfo context_info = 17;
    }

    /// A question with answers to choose from.
    message PollCreationMessage = "Message.PollCreationMessage" {
        optional string name = 2;
        repeated message PollOption options = 3;
        optional uint32 selectable_options_count = 4;
        optional message ContextInfo context_info = 5;
    }

    /// An answer to choose.
    message PollOption = "Message.PollCreationMessage.Option" {
        optional string option_name = 1;
    }

    /// A vote.
    message PollUpdateMessage = "Message.PollUpdateMessage" {
        optional message MessageKey poll_creation_message_key = 1;
        optional message PollEncValue vote = 2;
        optional int64 sender_timestamp_ms = 4;
    }

    /// A sealed [`PollVoteMessage`].
    message PollEncValue = "Message.PollEncValue" {
        optional bytes enc_payload = 1;
        optional bytes enc_iv = 2;
    }

    /// The hashes of the chosen answers.
    message PollVoteMessage = "Message.PollVoteMessage" {
        repeated bytes selected_options = 1;
    }

    /// An appointment.
    message EventMessage = "Message.EventMessage" {
        optional message ContextInfo context_info = 1;
        optional bool is_canceled = 2;
        optional string name = 3;
        optional string description = 4;
        optional boxed LocationMessage location = 5;
        optional string join_link = 6;
        optional int64 start_time = 7;
        optional int64 end_time = 8;
        optional bool extra_guests_allowed = 9;
    }

    /// A sealed [`EventResponseMessage`].
    message EncEventResponseMessage = "Message.EncEventResponseMessage" {
        optional message MessageKey event_creation_message_key = 1;
        optional bytes enc_payload = 2;
        optional bytes enc_iv = 3;
    }

    /// Whether somebody comes.
    message EventResponseMessage = "Message.EventResponseMessage" {
        optional enum EventResponseType response = 1;
        optional int64 timestamp_ms = 2;
        optional int32 extra_guest_count = 3;
    }

    /// Whether somebody comes.
    codes EventResponseType = "Message.EventResponseMessage.EventResponseType" {
        GOING = 1, NOT_GOING = 2, MAYBE = 3,
    }

    /// Pins a message for everybody in the chat.
    message PinInChatMessage = "Message.PinInChatMessage" {
        optional message MessageKey key = 1;
        optional enum PinType r#type = 2;
        optional int64 sender_timestamp_ms = 3;
    }

    /// Pin or unpin.
    codes PinType = "Message.PinInChatMessage.Type" {
        PIN_FOR_ALL = 1, UNPIN_FOR_ALL = 2,
    }

    /// Keeps a message in a chat whose messages disappear.
    message KeepInChatMessage = "Message.KeepInChatMessage" {
        optional message MessageKey key = 1;
        optional enum KeepType keep_type = 2;
        optional int64 timestamp_ms = 3;
    }

    /// Keep or let go.
    codes KeepType = "KeepType" {
        KEEP_FOR_ALL = 1, UNDO_KEEP_FOR_ALL = 2,
    }
}
