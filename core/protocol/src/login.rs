//! What we tell the server about ourselves in the handshake.
//!
//! ```text
//! registration: user agent, web info, devicePairingData{registration id, identity, signed prekey,
//!               MD5 of the version, DeviceProps}, passive false, pull false
//! login:        username, device, user agent, web info, passive false, pull true,
//!               lidDbMigrated, lc (login counter), connectAttemptCount
//! ```
//!
//! Source: WhatsApp Web's browser shape, as whatsmeow and zapo send it. A rotating phone id is
//! never sent: sessions that did were invalidated silently.

use crate::config::{Browser, DeviceConfig};
use crate::crypto::curve::KEY_TYPE;
use crate::crypto::symmetric::md5;
use crate::device::{DeviceRecord, Paired};
use crate::pb::{
    AppVersion, ClientPayload, ConnectReason, ConnectType, DevicePairingRegistrationData,
    DeviceProps, DevicePropsVersion, HistorySyncConfig, PlatformType, ReleaseChannel, UserAgent,
    UserAgentPlatform, WebInfo, WebSubPlatform,
};

/// The payload of a device that no phone has accepted yet.
pub fn registration_payload(device: &DeviceRecord, config: &DeviceConfig) -> Vec<u8> {
    let [.., id1, id2, id3] = device.signed_prekey.id.to_be_bytes();
    let [primary, secondary, tertiary] = config.version;
    let version = format!("{primary}.{secondary}.{tertiary}");
    let pairing = DevicePairingRegistrationData {
        e_regid: Some(device.registration_id.to_be_bytes().to_vec()),
        e_keytype: Some(vec![KEY_TYPE]),
        e_ident: Some(device.identity.public.as_bytes().to_vec()),
        e_skey_id: Some(vec![id1, id2, id3]),
        e_skey_val: Some(device.signed_prekey.public.as_bytes().to_vec()),
        e_skey_sig: Some(device.signed_prekey.signature.to_vec()),
        build_hash: Some(md5(version.as_bytes()).to_vec()),
        device_props: Some(prost::Message::encode_to_vec(&device_props(config))),
    };
    let payload = ClientPayload {
        passive: Some(false),
        device_pairing_data: Some(pairing),
        pull: Some(false),
        ..common(config)
    };
    prost::Message::encode_to_vec(&payload)
}

/// The payload of a linked device, for the `attempt`-th connection of this process (from 0);
/// `None` if our own phone number is not a number.
pub fn login_payload(paired: &Paired, config: &DeviceConfig, attempt: u32) -> Option<Vec<u8>> {
    let payload = ClientPayload {
        username: Some(paired.jid.user_part().parse().ok()?),
        passive: Some(false),
        connect_attempt_count: Some(attempt),
        device: Some(paired.jid.device_part().into()),
        lc: Some(i32::try_from(paired.login_counter).unwrap_or(i32::MAX)),
        pull: Some(true),
        // Unknown counts as not migrated: the safe claim.
        lid_db_migrated: Some(paired.lid_migrated.unwrap_or(false)),
        ..common(config)
    };
    Some(prost::Message::encode_to_vec(&payload))
}

fn common(config: &DeviceConfig) -> ClientPayload {
    let [primary, secondary, tertiary] = config.version;
    let text = |text: &str| Some(text.to_owned());
    ClientPayload {
        user_agent: Some(UserAgent {
            platform: Some(UserAgentPlatform::WEB),
            app_version: Some(AppVersion {
                primary: Some(primary),
                secondary: Some(secondary),
                tertiary: Some(tertiary),
                ..AppVersion::default()
            }),
            mcc: text("000"),
            mnc: text("000"),
            os_version: text("0.1"),
            manufacturer: text(""),
            device: text("Desktop"),
            os_build_number: text("0.1"),
            release_channel: Some(ReleaseChannel::RELEASE),
            locale_language_iso6391: text("en"),
            locale_country_iso31661_alpha2: text("US"),
            ..UserAgent::default()
        }),
        web_info: Some(WebInfo {
            web_sub_platform: Some(WebSubPlatform::WEB_BROWSER),
            ..WebInfo::default()
        }),
        connect_type: Some(ConnectType::WIFI_UNKNOWN),
        connect_reason: Some(ConnectReason::USER_ACTIVATED),
        ..ClientPayload::default()
    }
}

const fn platform(browser: Browser) -> i32 {
    match browser {
        Browser::Chrome => PlatformType::CHROME,
        Browser::Edge => PlatformType::EDGE,
        Browser::Firefox => PlatformType::FIREFOX,
        Browser::Opera => PlatformType::OPERA,
        Browser::Safari => PlatformType::SAFARI,
    }
}

/// The browser shape: no full sync. The Windows shape differs in several fields at once, and a
/// mixture of both is no client that exists.
fn device_props(config: &DeviceConfig) -> DeviceProps {
    DeviceProps {
        os: Some(config.name.clone()),
        version: Some(DevicePropsVersion {
            primary: Some(0),
            secondary: Some(1),
            tertiary: Some(0),
            ..DevicePropsVersion::default()
        }),
        platform_type: Some(platform(config.browser)),
        require_full_sync: Some(false),
        history_sync_config: Some(HistorySyncConfig {
            storage_quota_mb: Some(114_149),
            inline_initial_payload_in_e2ee_msg: Some(true),
            support_call_log_history: Some(true),
            support_bot_user_agent_chat_history: Some(true),
            support_cag_reactions_and_polls: Some(true),
            support_biz_hosted_msg: Some(true),
            support_recent_sync_chunk_message_count_tuning: Some(true),
            support_hosted_group_msg: Some(true),
            support_fbid_bot_chat_history: Some(true),
            support_message_association: Some(true),
            support_group_history: Some(true),
            thumbnail_sync_days_limit: Some(60),
            support_manus_history: Some(true),
            support_hatch_history: Some(true),
            ..HistorySyncConfig::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Bench;

    fn paired(jid: &str) -> Paired {
        Paired {
            jid: jid.parse().unwrap(),
            lid: None,
            account: Vec::new(),
            platform: None,
            business_name: None,
            push_name: None,
            lid_migrated: Some(true),
            login_counter: 4,
            server_has_prekeys: false,
            linked_at: None,
            history_complete: None,
        }
    }

    /// User agent, web info, connect type and reason: bytes of the shared login sample.
    const COMMON: &str = "2a38080e120b080210b81718d7afcdf2031a0330303022033030302a03302e31\
                          32003a074465736b746f704203302e3150005a02656e62025553320220006001 6801";

    fn common_hex() -> String {
        COMMON.replace(' ', "")
    }

    #[test]
    fn a_login_is_these_bytes() {
        let payload = login_payload(
            &paired("5511999998888:7@s.whatsapp.net"),
            &DeviceConfig::default(),
            2,
        );
        let expected = format!(
            "08a897b5e6b5a0011800{}800102900107c001048802 01c80201",
            common_hex()
        );
        assert_eq!(hex::encode(payload.unwrap()), expected.replace(' ', ""));
    }

    #[test]
    fn an_unknown_migration_is_claimed_as_none() {
        let mut paired = paired("49:7@s.whatsapp.net");
        paired.lid_migrated = None;
        let payload = login_payload(&paired, &DeviceConfig::default(), 0).unwrap();
        let read: ClientPayload = prost::Message::decode(payload.as_slice()).unwrap();
        assert_eq!(read.lid_db_migrated, Some(false));
    }

    #[test]
    fn a_phone_number_that_is_no_number_cannot_log_in() {
        let paired = paired("alice:7@s.whatsapp.net");
        assert_eq!(login_payload(&paired, &DeviceConfig::default(), 0), None);
    }

    #[test]
    fn a_registration_is_these_bytes() {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        let mut device = bench.run(|cx| DeviceRecord::load_or_create(cx, &slot));
        device.registration_id = 0x1234;
        let raw = |bytes: &[u8]| hex::encode(bytes);
        let props = "0a0873656e6470617468120608001001180018012000\
                     2a2118e5fb0620013001380140014801500158016001700178019801 3ca80101b00101";
        let props = props.replace(' ', "");
        let data = format!(
            "0a0400001234120105{}{}{}{}{}{}",
            format_args!("1a20{}", raw(device.identity.public.as_bytes())),
            "2203000001",
            format_args!("2a20{}", raw(device.signed_prekey.public.as_bytes())),
            format_args!("3240{}", raw(&device.signed_prekey.signature)),
            format_args!("3a10{}", raw(&md5(b"2.3000.1045649367"))),
            format_args!("42{:02x}{props}", props.len() / 2),
        );
        let expected = format!(
            "1800{}9a01{}{data}880200",
            common_hex(),
            hex::encode(varint(data.len() / 2)),
        );
        let payload = registration_payload(&device, &DeviceConfig::default());
        assert_eq!(hex::encode(payload), expected);
    }

    fn varint(n: usize) -> Vec<u8> {
        let mut out = Vec::new();
        prost::encoding::encode_varint(u64::try_from(n).unwrap(), &mut out);
        out
    }

    #[test]
    fn no_rotating_phone_id_is_sent() {
        let payload = common(&DeviceConfig::default());
        assert_eq!(payload.user_agent.unwrap().phone_id, None);
        assert_eq!((payload.push_name, payload.session_id), (None, None));
    }
}
