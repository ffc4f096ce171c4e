//! Device identities signed by the account, and the pairing properties (spec sections 5.4 and 16).

declare! {
    /// The container of `<pair-success>`: `details` is [`AdvSignedDeviceIdentity`].
    message AdvSignedDeviceIdentityHmac = "ADVSignedDeviceIdentityHMAC" {
        optional bytes details = 1;
        optional bytes hmac = 2;
        optional enum AdvEncryptionType account_type = 3;
    }

    /// A device's identity: `details` is [`AdvDeviceIdentity`], signed by account and device.
    message AdvSignedDeviceIdentity = "ADVSignedDeviceIdentity" {
        optional bytes details = 1;
        optional bytes account_signature_key = 2;
        optional bytes account_signature = 3;
        optional bytes device_signature = 4;
    }

    /// What the account says about a device.
    message AdvDeviceIdentity = "ADVDeviceIdentity" {
        optional uint32 raw_id = 1;
        optional uint64 timestamp = 2;
        optional uint32 key_index = 3;
        optional enum AdvEncryptionType account_type = 4;
        optional enum AdvEncryptionType device_type = 5;
    }

    /// `details` is [`AdvKeyIndexList`].
    message AdvSignedKeyIndexList = "ADVSignedKeyIndexList" {
        optional bytes details = 1;
        optional bytes account_signature = 2;
        optional bytes account_signature_key = 3;
    }

    /// The devices that still belong to an account.
    message AdvKeyIndexList = "ADVKeyIndexList" {
        optional uint32 raw_id = 1;
        optional uint64 timestamp = 2;
        optional uint32 current_index = 3;
        packed uint32 valid_indexes = 4;
        optional enum AdvEncryptionType account_type = 5;
    }

    /// Who holds the keys.
    codes AdvEncryptionType = "ADVEncryptionType" { E2EE = 0, HOSTED = 1, NON_E2EE = 2 }

    /// `<client-props>` of `<pair-success>`.
    message ClientPairingProps = "ClientPairingProps" {
        optional bool is_chat_db_lid_migrated = 1;
        optional bool is_syncd_pure_lid_session = 2;
        optional bool is_syncd_snapshot_recovery_enabled = 3;
        optional bool is_hs_thumbnail_sync_enabled = 4;
        optional bytes subscription_sync_payload = 5;
    }
}
