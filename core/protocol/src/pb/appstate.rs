//! App state: its keys, patches, and the two actions we read (spec sections 10.8 and 10.12).

declare! {
    /// Keys from the phone.
    message AppStateSyncKeyShare = "Message.AppStateSyncKeyShare" {
        repeated message AppStateSyncKey keys = 1;
    }

    /// Asks the phone for keys.
    message AppStateSyncKeyRequest = "Message.AppStateSyncKeyRequest" {
        repeated message AppStateSyncKeyId key_ids = 1;
    }

    /// A key with its id; without data the phone does not have it.
    message AppStateSyncKey = "Message.AppStateSyncKey" {
        optional message AppStateSyncKeyId key_id = 1;
        optional message AppStateSyncKeyData key_data = 2;
    }

    /// Id of a key.
    message AppStateSyncKeyId = "Message.AppStateSyncKeyId" {
        optional bytes key_id = 1;
    }

    /// The key itself.
    message AppStateSyncKeyData = "Message.AppStateSyncKeyData" {
        optional bytes key_data = 1;
        optional message AppStateSyncKeyFingerprint fingerprint = 2;
        optional int64 timestamp = 3;
    }

    /// The devices that have the key.
    message AppStateSyncKeyFingerprint = "Message.AppStateSyncKeyFingerprint" {
        optional uint32 raw_id = 1;
        optional uint32 current_index = 2;
        packed uint32 device_indexes = 3;
    }

    /// One version of a collection.
    message SyncdPatch = "SyncdPatch" {
        optional message SyncdVersion version = 1;
        repeated message SyncdMutation mutations = 2;
        optional message ExternalBlobReference external_mutations = 3;
        optional bytes snapshot_mac = 4;
        optional bytes patch_mac = 5;
        optional message SyncdKeyId key_id = 6;
        optional raw exit_code = 7;
        optional uint32 device_index = 8;
        optional bytes client_debug_data = 9;
    }

    /// The whole of a collection.
    message SyncdSnapshot = "SyncdSnapshot" {
        optional message SyncdVersion version = 1;
        repeated message SyncdRecord records = 2;
        optional bytes mac = 3;
        optional message SyncdKeyId key_id = 4;
    }

    /// Mutations of a patch that lie in a blob.
    message SyncdMutations = "SyncdMutations" {
        repeated message SyncdMutation mutations = 1;
    }

    /// One change.
    message SyncdMutation = "SyncdMutation" {
        optional enum SyncdOperation operation = 1;
        optional message SyncdRecord record = 2;
    }

    /// What a mutation does.
    codes SyncdOperation = "SyncdMutation.SyncdOperation" { SET = 0, REMOVE = 1 }

    /// An encrypted row.
    message SyncdRecord = "SyncdRecord" {
        optional message SyncdIndex index = 1;
        optional message SyncdValue value = 2;
        optional message SyncdKeyId key_id = 3;
    }

    /// MAC of the row's index.
    message SyncdIndex = "SyncdIndex" {
        optional bytes blob = 1;
    }

    /// The encrypted [`SyncActionData`].
    message SyncdValue = "SyncdValue" {
        optional bytes blob = 1;
    }

    /// Number of a version.
    message SyncdVersion = "SyncdVersion" {
        optional uint64 version = 1;
    }

    /// The key a row is encrypted with.
    message SyncdKeyId = "KeyId" {
        optional bytes id = 1;
    }

    /// A blob to download.
    message ExternalBlobReference = "ExternalBlobReference" {
        optional bytes media_key = 1;
        optional string direct_path = 2;
        optional string handle = 3;
        optional uint64 file_size_bytes = 4;
        optional bytes file_sha256 = 5;
        optional bytes file_enc_sha256 = 6;
    }

    /// A decrypted row.
    message SyncActionData = "SyncActionData" {
        optional bytes index = 1;
        optional message SyncActionValue value = 2;
        optional bytes padding = 3;
        optional int32 version = 4;
    }

    /// What a row says, as far as we read it.
    message SyncActionValue = "SyncActionValue" {
        optional int64 timestamp = 1;
        optional message PushNameSetting push_name_setting = 7;
        optional message NctSaltSyncAction nct_salt_sync_action = 80;
    }

    /// Our own display name.
    message PushNameSetting = "SyncActionValue.PushNameSetting" {
        optional string name = 1;
    }

    /// The NCT salt.
    message NctSaltSyncAction = "SyncActionValue.NctSaltSyncAction" {
        optional bytes salt = 1;
    }
}
