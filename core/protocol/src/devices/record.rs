//! The stored device list.

use crate::devices::MAX_AGE;
use crate::jid::{HOSTED_DEVICE, Jid, Server};
use crate::peer::{DeviceAddress, PeerKey};
use crate::time::UnixSeconds;
use crate::txn::{Namespace, Record};

/// One device of an account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Device {
    /// Its number; 0 is the phone.
    pub id: u16,
    /// Its place in the account's key index list; the phone has none.
    pub key_index: Option<u32>,
    /// Run by Meta for a business: another server on the wire.
    pub hosted: bool,
}

impl Device {
    /// The primary device.
    pub const fn phone() -> Self {
        Self {
            id: 0,
            key_index: None,
            hosted: false,
        }
    }

    /// The device behind a JID.
    pub fn of(jid: &Jid, key_index: Option<u32>) -> Self {
        Self {
            id: jid.device_part(),
            key_index,
            hosted: jid.device_part() == HOSTED_DEVICE
                || matches!(jid.server_part(), Server::Hosted | Server::HostedLid),
        }
    }

    /// Its address as a device of `peer`.
    pub fn address(&self, peer: &PeerKey) -> DeviceAddress {
        DeviceAddress {
            peer: peer.clone(),
            device: self.id,
            hosted: self.hosted,
        }
    }
}

/// The devices of an account, as far as they may be encrypted for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeviceList {
    /// The devices, without duplicates.
    pub devices: Vec<Device>,
    /// The server's name for this list; `None` when we dropped devices from it.
    pub hash: Option<String>,
    /// Changes when the account is registered anew; `None` while it has had no companions.
    pub raw_id: Option<u32>,
    /// When the server told it, by our own clock.
    pub fetched: UnixSeconds,
}

impl DeviceList {
    /// Whether the list may be believed at `now`.
    pub fn is_fresh(&self, now: UnixSeconds) -> bool {
        (0..MAX_AGE).contains(&now.since(self.fetched))
    }

    /// The addresses of the devices of `peer`.
    pub fn addresses(&self, peer: &PeerKey) -> Vec<DeviceAddress> {
        let address = |device: &Device| device.address(peer);
        self.devices.iter().map(address).collect()
    }
}

impl Record for DeviceList {
    const NAMESPACE: Namespace = Namespace::Devices;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        let Self {
            devices,
            hash,
            raw_id,
            fetched,
        } = self;
        let device = |device: &Device| DeviceRow {
            id: device.id.into(),
            key_index: device.key_index,
            hosted: device.hosted,
        };
        let row = ListRow {
            devices: devices.iter().map(device).collect(),
            hash: hash.clone(),
            raw_id: *raw_id,
            fetched: fetched.0,
        };
        prost::Message::encode_to_vec(&row)
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        let row: ListRow = prost::Message::decode(body).ok()?;
        let device = |device: DeviceRow| {
            Some(Device {
                id: device.id.try_into().ok()?,
                key_index: device.key_index,
                hosted: device.hosted,
            })
        };
        Some(Self {
            devices: row.devices.into_iter().map(device).collect::<Option<_>>()?,
            hash: row.hash,
            raw_id: row.raw_id,
            fetched: UnixSeconds(row.fetched),
        })
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct ListRow {
    #[prost(message, repeated, tag = "1")]
    devices: Vec<DeviceRow>,
    #[prost(string, optional, tag = "2")]
    hash: Option<String>,
    #[prost(uint32, optional, tag = "3")]
    raw_id: Option<u32>,
    #[prost(int64, tag = "4")]
    fetched: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct DeviceRow {
    #[prost(uint32, tag = "1")]
    id: u32,
    #[prost(uint32, optional, tag = "2")]
    key_index: Option<u32>,
    #[prost(bool, tag = "3")]
    hosted: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_bytes_do_not_change() {
        let list = DeviceList {
            devices: vec![
                Device::phone(),
                Device::of(&"7:99@lid".parse().unwrap(), Some(3)),
            ],
            hash: Some("2:x".into()),
            raw_id: Some(0),
            fetched: UnixSeconds(1),
        };
        let row = list.to_row();
        assert_eq!(
            hex::encode(&row),
            "010a000a06086310031801120332 3a7818002001".replace(' ', "")
        );
        assert_eq!(DeviceList::from_row(&row), Ok(list));
    }

    #[test]
    fn a_device_number_out_of_range_is_a_damaged_row() {
        let row = [1, 0x0a, 4, 8, 0x80, 0x80, 4];
        assert!(DeviceList::from_row(&row).is_err());
    }
}
