//! Which of the devices that the server lists may be encrypted for.
//!
//! ```text
//! <devices>
//!   <device-list [hash]> <device id [key-index] [is_hosted="true"]/> … </device-list>
//!   <key-index-list ts>ADVSignedKeyIndexList</key-index-list>
//! </devices>
//! ```
//!
//! The phone is always kept. A companion is kept only if the account's key index list vouches for
//! it: its index is among the valid ones or newer than the list. Source: WhatsApp Web, as
//! whatsapp-rust describes it.

use crate::devices::{Device, DeviceList};
use crate::jid::HOSTED_DEVICE;
use crate::pb::{AdvKeyIndexList, AdvSignedKeyIndexList};
use crate::time::UnixSeconds;
use crate::wap::Node;

/// A device list as the server told it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ReportedList {
    /// The devices, in the server's order.
    pub devices: Vec<Device>,
    /// The server's name for the list.
    pub hash: Option<String>,
    /// Which companions the account vouches for; `None` when absent or not decodable.
    pub key_indexes: Option<KeyIndexList>,
}

impl ReportedList {
    /// Reads the `<devices>` child of a user; `None` when it holds no list (an error, say).
    pub fn parse(devices: &Node) -> Option<Self> {
        let list = devices.find("device-list")?;
        let device = |node: &Node| {
            let id = node.number("id")?;
            Some(Device {
                id,
                key_index: node.number("key-index"),
                hosted: id == HOSTED_DEVICE || node.is("is_hosted", "true"),
            })
        };
        let key_indexes = devices.find("key-index-list").and_then(Node::payload);
        Some(Self {
            devices: list.all("device").filter_map(device).collect(),
            hash: list.text("hash").map(Into::into),
            key_indexes: key_indexes.and_then(KeyIndexList::parse),
        })
    }
}

/// Which key indexes of an account are in use. Its signature is not checked, as the web client does
/// not: it only narrows down the server's own list, and every bundle proves its device by itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyIndexList {
    raw_id: Option<u32>,
    current_index: Option<u32>,
    valid_indexes: Vec<u32>,
}

impl KeyIndexList {
    pub(super) fn parse(signed: &[u8]) -> Option<Self> {
        let signed: AdvSignedKeyIndexList = prost::Message::decode(signed).ok()?;
        let list: AdvKeyIndexList = prost::Message::decode(signed.details?.as_slice()).ok()?;
        Some(Self {
            raw_id: list.raw_id,
            current_index: list.current_index,
            valid_indexes: list.valid_indexes,
        })
    }

    pub(super) const fn raw_id(&self) -> Option<u32> {
        self.raw_id
    }

    fn vouches(&self, index: u32) -> bool {
        self.valid_indexes.contains(&index) || self.current_index.is_some_and(|last| index > last)
    }
}

/// What to do with a reported list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It says nothing: keep what is stored.
    Keep,
    /// Store this instead.
    Replace {
        /// The devices that may be encrypted for.
        list: DeviceList,
        /// The account's raw id changed: its sessions are worthless.
        registered_anew: bool,
    },
}

/// Applies the rules to what the server told at `now`.
pub fn judge(reported: &ReportedList, stored: Option<&DeviceList>, now: UnixSeconds) -> Verdict {
    if reported.devices.is_empty() {
        return Verdict::Keep;
    }
    let mut devices: Vec<Device> = Vec::new();
    for device in &reported.devices {
        let vouched = |list: &KeyIndexList| device.key_index.is_some_and(|i| list.vouches(i));
        let keep = device.id == 0 || reported.key_indexes.as_ref().is_some_and(vouched);
        if keep && !devices.iter().any(|known| known.id == device.id) {
            devices.push(*device);
        }
    }
    let companions = reported.devices.iter().any(|device| device.id != 0);
    let incomplete = companions && reported.key_indexes.is_none();
    let old_raw_id = stored.and_then(|list| list.raw_id);
    let raw_id = reported.key_indexes.as_ref().and_then(|list| list.raw_id);
    Verdict::Replace {
        registered_anew: raw_id.is_some() && old_raw_id.is_some() && raw_id != old_raw_id,
        list: DeviceList {
            devices,
            hash: reported.hash.clone().filter(|_| !incomplete),
            raw_id: raw_id.or(old_raw_id),
            fetched: now,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(50);

    fn device(id: u16, key_index: Option<u32>) -> Device {
        Device {
            id,
            key_index,
            hosted: id == HOSTED_DEVICE,
        }
    }

    fn vouching(raw_id: u32, current: u32, valid: &[u32]) -> Option<KeyIndexList> {
        Some(KeyIndexList {
            raw_id: Some(raw_id),
            current_index: Some(current),
            valid_indexes: valid.to_vec(),
        })
    }

    fn replaced(reported: &ReportedList, stored: Option<&DeviceList>) -> (DeviceList, bool) {
        match judge(reported, stored, NOW) {
            Verdict::Keep => panic!("not replaced"),
            Verdict::Replace {
                list,
                registered_anew,
            } => (list, registered_anew),
        }
    }

    #[test]
    fn companions_need_somebody_to_vouch_for_them() {
        let all = [
            device(0, None),
            device(1, Some(1)),
            device(2, Some(2)),
            device(3, Some(9)),
            device(4, None),
            device(99, Some(3)),
        ];
        let table: [(&str, Option<KeyIndexList>, &[u16], bool); 4] = [
            ("nobody vouches", None, &[0], false),
            (
                "only newer than the list",
                vouching(5, 3, &[]),
                &[0, 3],
                true,
            ),
            (
                "valid or newer",
                vouching(5, 3, &[1, 3]),
                &[0, 1, 3, 99],
                true,
            ),
            ("none newer", vouching(5, 9, &[2]), &[0, 2], true),
        ];
        for (name, key_indexes, kept, hash) in table {
            let reported = ReportedList {
                devices: all.to_vec(),
                hash: Some("2:h".into()),
                key_indexes,
            };
            let (list, _) = replaced(&reported, None);
            let ids: Vec<u16> = list.devices.iter().map(|device| device.id).collect();
            assert_eq!(ids, kept, "{name}");
            assert_eq!(list.hash.is_some(), hash, "{name}");
            assert_eq!(list.fetched, NOW);
        }
    }

    #[test]
    fn a_lonely_phone_needs_no_index_list() {
        let reported = ReportedList {
            devices: vec![device(0, None), device(0, None)],
            hash: Some("2:h".into()),
            key_indexes: None,
        };
        let (list, anew) = replaced(&reported, None);
        assert_eq!(list.devices, [Device::phone()]);
        assert_eq!((list.hash.as_deref(), anew), (Some("2:h"), false));
    }

    #[test]
    fn an_empty_list_changes_nothing() {
        let empty = ReportedList {
            key_indexes: vouching(1, 1, &[]),
            ..ReportedList::default()
        };
        assert_eq!(judge(&empty, None, NOW), Verdict::Keep);
    }

    #[test]
    fn another_raw_id_means_registered_anew() {
        let reported = |raw_id| ReportedList {
            devices: vec![device(0, None)],
            hash: None,
            key_indexes: vouching(raw_id, 1, &[]),
        };
        let (first, anew) = replaced(&reported(5), None);
        assert_eq!((first.raw_id, anew), (Some(5), false));
        assert!(!replaced(&reported(5), Some(&first)).1);
        assert!(replaced(&reported(6), Some(&first)).1);
        let silent = ReportedList {
            key_indexes: None,
            ..reported(6)
        };
        let (list, anew) = replaced(&silent, Some(&first));
        assert_eq!((list.raw_id, anew), (Some(5), false));
    }

    #[test]
    fn a_user_without_a_list_is_not_a_user_without_devices() {
        let error = Node::new("devices").child(Node::new("error").attr("code", "500"));
        assert_eq!(ReportedList::parse(&error), None);
        let list = Node::new("device-list").attr("hash", "2:h").children([
            Node::new("device").attr("id", "0"),
            Node::new("device").attr("id", "rubbish"),
            Node::new("device")
                .attr("id", "4")
                .attr("key-index", "2")
                .attr("is_hosted", "true"),
        ]);
        let parsed = ReportedList::parse(&Node::new("devices").child(list)).unwrap();
        let hosted = Device {
            id: 4,
            key_index: Some(2),
            hosted: true,
        };
        assert_eq!(parsed.devices, [Device::phone(), hosted]);
        assert_eq!(parsed.key_indexes, None);
    }

    #[test]
    fn the_key_index_list_of_the_vectors_is_read() {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/adv.json")).unwrap();
        let details = hex::decode(file["cases"][2]["details"].as_str().unwrap()).unwrap();
        let signed = AdvSignedKeyIndexList {
            details: Some(details),
            ..AdvSignedKeyIndexList::default()
        };
        let bytes = prost::Message::encode_to_vec(&signed);
        let devices = Node::new("devices").children([
            Node::new("device-list"),
            Node::new("key-index-list").bytes(bytes),
        ]);
        let list = ReportedList::parse(&devices).unwrap().key_indexes.unwrap();
        let vouched: Vec<u32> = (0..6).filter(|index| list.vouches(*index)).collect();
        assert_eq!(
            (list.raw_id, vouched),
            (Some(1_234_567), vec![0, 1, 3, 4, 5])
        );
    }
}
