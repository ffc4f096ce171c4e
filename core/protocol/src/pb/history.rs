//! History sync and the LID migration, with the fields that sending needs (spec section 10.8).

declare! {
    /// Announces a part of the history: inline, or a blob to download.
    message HistorySyncNotification = "Message.HistorySyncNotification" {
        optional bytes file_sha256 = 1;
        optional uint64 file_length = 2;
        optional bytes media_key = 3;
        optional bytes file_enc_sha256 = 4;
        optional string direct_path = 5;
        optional enum HistorySyncNotificationType sync_type = 6;
        optional uint32 chunk_order = 7;
        optional string original_message_id = 8;
        optional uint32 progress = 9;
        optional int64 oldest_msg_in_chunk_timestamp_sec = 10;
        optional bytes initial_hist_bootstrap_inline_payload = 11;
        optional string peer_data_request_session_id = 12;
        optional string enc_handle = 14;
    }

    /// Which part it is, as announced.
    codes HistorySyncNotificationType = "Message.HistorySyncType" {
        INITIAL_BOOTSTRAP = 0, INITIAL_STATUS_V3 = 1, FULL = 2, RECENT = 3, PUSH_NAME = 4,
        NON_BLOCKING_DATA = 5, ON_DEMAND = 6, NO_HISTORY = 7, MESSAGE_ACCESS_STATUS = 8,
    }

    /// A part of the history, as far as tokens are concerned. Blobs are large, so
    /// [`history`](crate::history) reads these fields from a stream instead of decoding the whole.
    message HistorySync = "HistorySync" {
        repeated message Conversation conversations = 2;
        optional message GlobalSettings global_settings = 8;
        repeated message PhoneNumberToLidMapping phone_number_to_lid_mappings = 15;
        optional bytes nct_salt = 19;
    }

    /// Settings of the account.
    message GlobalSettings = "GlobalSettings" {
        optional int64 chat_db_lid_migration_timestamp = 20;
    }

    /// A chat, without its messages.
    message Conversation = "Conversation" {
        optional string id = 1;
        optional bytes tc_token = 21;
        optional uint64 tc_token_timestamp = 22;
        optional uint64 tc_token_sender_timestamp = 28;
        optional string pn_jid = 39;
        optional string lid_jid = 42;
        optional string account_lid = 49;
    }

    /// One pair of addresses, as JIDs.
    message PhoneNumberToLidMapping = "PhoneNumberToLIDMapping" {
        optional string pn_jid = 1;
        optional string lid_jid = 2;
    }

    /// `encoded_mapping_payload` is [`LidMigrationMappingSyncPayload`].
    message LidMigrationMappingSyncMessage = "LIDMigrationMappingSyncMessage" {
        optional bytes encoded_mapping_payload = 1;
    }

    /// The account's migration to LIDs.
    message LidMigrationMappingSyncPayload = "LIDMigrationMappingSyncPayload" {
        repeated message LidMigrationMapping pn_to_lid_mappings = 1;
        optional uint64 chat_db_migration_timestamp = 2;
    }

    /// One pair of addresses, as user numbers; `latest_lid` wins unless it is absent or 0.
    message LidMigrationMapping = "LIDMigrationMapping" {
        optional uint64 pn = 1;
        optional uint64 assigned_lid = 2;
        optional uint64 latest_lid = 3;
    }
}
