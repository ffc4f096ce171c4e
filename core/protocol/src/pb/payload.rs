//! What we tell about ourselves when we connect (spec sections 4 and 16).

declare! {
    /// Payload of the handshake: login, or registration when `device_pairing_data` is there.
    message ClientPayload = "ClientPayload" {
        optional uint64 username = 1;
        optional bool passive = 3;
        optional message UserAgent user_agent = 5;
        optional message WebInfo web_info = 6;
        optional string push_name = 7;
        optional sfixed32 session_id = 9;
        optional bool short_connect = 10;
        optional enum ConnectType connect_type = 12;
        optional enum ConnectReason connect_reason = 13;
        optional uint32 connect_attempt_count = 16;
        optional uint32 device = 18;
        optional message DevicePairingRegistrationData device_pairing_data = 19;
        optional enum Product product = 20;
        optional bool oc = 23;
        optional int32 lc = 24;
        optional bool pull = 33;
        optional bytes padding_bytes = 34;
        optional int32 year_class = 36;
        optional int32 mem_class = 37;
        optional bool lid_db_migrated = 41;
        optional enum ClientAccountType account_type = 42;
    }

    /// The network we claim to be on.
    codes ConnectType = "ClientPayload.ConnectType" { CELLULAR_UNKNOWN = 0, WIFI_UNKNOWN = 1 }

    /// Why we connect.
    codes ConnectReason = "ClientPayload.ConnectReason" {
        PUSH = 0, USER_ACTIVATED = 1, SCHEDULED = 2, ERROR_RECONNECT = 3, NETWORK_SWITCH = 4,
        PING_RECONNECT = 5, UNKNOWN = 6,
    }

    /// The product we belong to.
    codes Product = "ClientPayload.Product" {
        WHATSAPP = 0, MESSENGER = 1, INTEROP = 2, INTEROP_MSGR = 3, WHATSAPP_LID = 4,
    }

    /// Whose account it is.
    codes ClientAccountType = "ClientPayload.AccountType" { DEFAULT = 0, GUEST = 1 }

    /// Platform and version.
    message UserAgent = "ClientPayload.UserAgent" {
        optional enum UserAgentPlatform platform = 1;
        optional message AppVersion app_version = 2;
        optional string mcc = 3;
        optional string mnc = 4;
        optional string os_version = 5;
        optional string manufacturer = 6;
        optional string device = 7;
        optional string os_build_number = 8;
        optional string phone_id = 9;
        optional enum ReleaseChannel release_channel = 10;
        optional string locale_language_iso6391 = 11;
        optional string locale_country_iso31661_alpha2 = 12;
        optional string device_board = 13;
        optional string device_exp_id = 14;
        optional enum UserAgentDeviceType device_type = 15;
        optional string device_model_type = 16;
    }

    /// The platforms a companion can be.
    codes UserAgentPlatform = "ClientPayload.UserAgent.Platform" {
        ANDROID = 0, IOS = 1, WINDOWS = 13, WEB = 14, MACOS = 24,
    }

    /// The channel the client was released in.
    codes ReleaseChannel = "ClientPayload.UserAgent.ReleaseChannel" {
        RELEASE = 0, BETA = 1, ALPHA = 2, DEBUG = 3,
    }

    /// The kind of device.
    codes UserAgentDeviceType = "ClientPayload.UserAgent.DeviceType" {
        PHONE = 0, TABLET = 1, DESKTOP = 2, WEARABLE = 3, VR = 4,
    }

    /// Version of the client.
    message AppVersion = "ClientPayload.UserAgent.AppVersion" {
        optional uint32 primary = 1;
        optional uint32 secondary = 2;
        optional uint32 tertiary = 3;
        optional uint32 quaternary = 4;
        optional uint32 quinary = 5;
    }

    /// What only web clients tell.
    message WebInfo = "ClientPayload.WebInfo" {
        optional string ref_token = 1;
        optional string version = 2;
        optional enum WebSubPlatform web_sub_platform = 4;
        optional string browser = 5;
        optional string browser_version = 6;
    }

    /// What kind of web client it is.
    codes WebSubPlatform = "ClientPayload.WebInfo.WebSubPlatform" {
        WEB_BROWSER = 0, APP_STORE = 1, WIN_STORE = 2, DARWIN = 3, WIN32 = 4, WIN_HYBRID = 5,
    }

    /// Our keys, when we register; numbers are big-endian bytes, keys are raw.
    message DevicePairingRegistrationData = "ClientPayload.DevicePairingRegistrationData" {
        optional bytes e_regid = 1;
        optional bytes e_keytype = 2;
        optional bytes e_ident = 3;
        optional bytes e_skey_id = 4;
        optional bytes e_skey_val = 5;
        optional bytes e_skey_sig = 6;
        optional bytes build_hash = 7;
        optional bytes device_props = 8;
    }

    /// What the phone shows in its list of linked devices, and the history it shall send.
    message DeviceProps = "DeviceProps" {
        optional string os = 1;
        optional message DevicePropsVersion version = 2;
        optional enum PlatformType platform_type = 3;
        optional bool require_full_sync = 4;
        optional message HistorySyncConfig history_sync_config = 5;
    }

    /// Version shown by the phone.
    message DevicePropsVersion = "DeviceProps.AppVersion" {
        optional uint32 primary = 1;
        optional uint32 secondary = 2;
        optional uint32 tertiary = 3;
        optional uint32 quaternary = 4;
        optional uint32 quinary = 5;
    }

    /// The icon the phone shows.
    codes PlatformType = "DeviceProps.PlatformType" {
        UNKNOWN = 0, CHROME = 1, FIREFOX = 2, IE = 3, OPERA = 4, SAFARI = 5, EDGE = 6, DESKTOP = 7,
        IPAD = 8, ANDROID_TABLET = 9, OHANA = 10, ALOHA = 11, CATALINA = 12, TCL_TV = 13,
        IOS_PHONE = 14, IOS_CATALYST = 15, ANDROID_PHONE = 16, ANDROID_AMBIGUOUS = 17, WEAR_OS = 18,
        AR_WRIST = 19, AR_DEVICE = 20, UWP = 21, VR = 22, CLOUD_API = 23, SMARTGLASSES = 24,
    }

    /// How much history, and in which forms we understand it.
    message HistorySyncConfig = "DeviceProps.HistorySyncConfig" {
        optional uint32 full_sync_days_limit = 1;
        optional uint32 full_sync_size_mb_limit = 2;
        optional uint32 storage_quota_mb = 3;
        optional bool inline_initial_payload_in_e2ee_msg = 4;
        optional uint32 recent_sync_days_limit = 5;
        optional bool support_call_log_history = 6;
        optional bool support_bot_user_agent_chat_history = 7;
        optional bool support_cag_reactions_and_polls = 8;
        optional bool support_biz_hosted_msg = 9;
        optional bool support_recent_sync_chunk_message_count_tuning = 10;
        optional bool support_hosted_group_msg = 11;
        optional bool support_fbid_bot_chat_history = 12;
        optional bool support_add_on_history_sync_migration = 13;
        optional bool support_message_association = 14;
        optional bool support_group_history = 15;
        optional bool on_demand_ready = 16;
        optional bool support_guest_chat = 17;
        optional bool complete_on_demand_ready = 18;
        optional uint32 thumbnail_sync_days_limit = 19;
        optional uint32 initial_sync_max_messages_per_chat = 20;
        optional bool support_manus_history = 21;
        optional bool support_hatch_history = 22;
        repeated string supported_bot_channel_fbids = 23;
        optional bool support_inline_contacts = 24;
        optional bool support_newsletter = 25;
    }
}
