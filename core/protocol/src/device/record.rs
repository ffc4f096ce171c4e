//! The stored form of the device.

use zeroize::Zeroizing;

use crate::crypto::curve::{KeyPair, PrivateKey, PublicKey};
use crate::device::{DeviceRecord, KeyRange, Link, Paired, Rotation, SignedPreKey};
use crate::secret::Secret;
use crate::time::{ServerClock, UnixSeconds};
use crate::txn::{Namespace, Record};

impl Record for DeviceRecord {
    const NAMESPACE: Namespace = Namespace::Device;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        let Self {
            noise,
            identity,
            registration_id,
            signed_prekey,
            rotation,
            adv_secret,
            next_prekey_id,
            upload,
            clock,
            routing,
            link,
        } = self;
        let row = DeviceRow {
            noise: noise.private.expose().to_vec(),
            identity: identity.private.expose().to_vec(),
            registration_id: *registration_id,
            signed_prekey_id: signed_prekey.id,
            signed_prekey: signed_prekey.public.as_bytes().to_vec(),
            signed_prekey_signature: signed_prekey.signature.to_vec(),
            signed_prekey_created: signed_prekey.created.0,
            adv_secret: adv_secret.expose().to_vec(),
            next_prekey_id: *next_prekey_id,
            upload_first: upload.map(|keys| keys.first),
            upload_count: upload.map(|keys| keys.count),
            rotation: rotation.as_ref().map(RotationRow::from),
            clock_skew: clock.skew(),
            routing: routing.clone(),
            paired: match link {
                Link::Paired(paired) => Some(PairedRow::from(&**paired)),
                Link::Unpaired => None,
            },
        };
        let body = prost::Message::encode_to_vec(&row);
        row.wipe();
        body
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        let row: DeviceRow = prost::Message::decode(body).ok()?;
        let pair = |bytes: &[u8]| PrivateKey::from_slice(bytes).map(KeyPair::from_private);
        let link = match &row.paired {
            Some(paired) => Link::Paired(Box::new(paired.read()?)),
            None => Link::Unpaired,
        };
        let device = Self {
            noise: pair(&row.noise)?,
            identity: pair(&row.identity)?,
            registration_id: row.registration_id,
            signed_prekey: SignedPreKey {
                id: row.signed_prekey_id,
                public: PublicKey::from_raw(&row.signed_prekey)?,
                signature: row.signed_prekey_signature.as_slice().try_into().ok()?,
                created: UnixSeconds(row.signed_prekey_created),
            },
            rotation: row.rotation.as_ref().and_then(RotationRow::read),
            adv_secret: Secret::from_slice(&row.adv_secret)?,
            next_prekey_id: row.next_prekey_id,
            upload: row
                .upload_first
                .zip(row.upload_count)
                .map(|(first, count)| KeyRange { first, count }),
            clock: ServerClock::with_skew(row.clock_skew),
            routing: row.routing.clone(),
            link,
        };
        row.wipe();
        Some(device)
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct DeviceRow {
    #[prost(bytes = "vec", tag = "1")]
    noise: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    identity: Vec<u8>,
    #[prost(uint32, tag = "3")]
    registration_id: u32,
    #[prost(uint32, tag = "4")]
    signed_prekey_id: u32,
    #[prost(bytes = "vec", tag = "5")]
    signed_prekey: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    signed_prekey_signature: Vec<u8>,
    #[prost(int64, tag = "7")]
    signed_prekey_created: i64,
    #[prost(bytes = "vec", tag = "8")]
    adv_secret: Vec<u8>,
    #[prost(uint32, tag = "9")]
    next_prekey_id: u32,
    #[prost(sint64, tag = "10")]
    clock_skew: i64,
    #[prost(bytes = "vec", optional, tag = "11")]
    routing: Option<Vec<u8>>,
    #[prost(message, optional, tag = "12")]
    paired: Option<PairedRow>,
    #[prost(uint32, optional, tag = "13")]
    upload_first: Option<u32>,
    #[prost(uint32, optional, tag = "14")]
    upload_count: Option<u32>,
    #[prost(message, optional, tag = "15")]
    rotation: Option<RotationRow>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RotationRow {
    #[prost(uint32, tag = "1")]
    id: u32,
    #[prost(bytes = "vec", tag = "2")]
    public: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
    #[prost(int64, tag = "4")]
    created: i64,
    #[prost(int64, tag = "5")]
    at: i64,
}

impl From<&Rotation> for RotationRow {
    fn from(rotation: &Rotation) -> Self {
        let Rotation { key, at } = rotation;
        Self {
            id: key.id,
            public: key.public.as_bytes().to_vec(),
            signature: key.signature.to_vec(),
            created: key.created.0,
            at: at.0,
        }
    }
}

impl RotationRow {
    /// A damaged one counts as none: another key is made.
    fn read(&self) -> Option<Rotation> {
        Some(Rotation {
            key: SignedPreKey {
                id: self.id,
                public: PublicKey::from_raw(&self.public)?,
                signature: self.signature.as_slice().try_into().ok()?,
                created: UnixSeconds(self.created),
            },
            at: UnixSeconds(self.at),
        })
    }
}

impl DeviceRow {
    /// Overwrites the secrets before the memory goes back.
    fn wipe(self) {
        for secret in [self.noise, self.identity, self.adv_secret] {
            drop(Zeroizing::new(secret));
        }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct PairedRow {
    #[prost(string, tag = "1")]
    jid: String,
    #[prost(string, optional, tag = "2")]
    lid: Option<String>,
    #[prost(bytes = "vec", tag = "3")]
    account: Vec<u8>,
    #[prost(string, optional, tag = "4")]
    platform: Option<String>,
    #[prost(string, optional, tag = "5")]
    business_name: Option<String>,
    #[prost(string, optional, tag = "6")]
    push_name: Option<String>,
    #[prost(bool, optional, tag = "7")]
    lid_migrated: Option<bool>,
    #[prost(uint32, tag = "8")]
    login_counter: u32,
    #[prost(bool, tag = "9")]
    server_has_prekeys: bool,
    #[prost(int64, optional, tag = "10")]
    linked_at: Option<i64>,
    #[prost(bool, optional, tag = "11")]
    history_complete: Option<bool>,
}

impl From<&Paired> for PairedRow {
    fn from(paired: &Paired) -> Self {
        let Paired {
            jid,
            lid,
            account,
            platform,
            business_name,
            push_name,
            lid_migrated,
            login_counter,
            server_has_prekeys,
            linked_at,
            history_complete,
        } = paired.clone();
        Self {
            jid: jid.reveal(),
            lid: lid.map(|lid| lid.reveal()),
            account,
            platform,
            business_name,
            push_name,
            lid_migrated,
            login_counter,
            server_has_prekeys,
            linked_at: linked_at.map(|t| t.0),
            history_complete,
        }
    }
}

impl PairedRow {
    fn read(&self) -> Option<Paired> {
        let row = self.clone();
        Some(Paired {
            jid: row.jid.parse().ok()?,
            lid: row.lid.map(|lid| lid.parse()).transpose().ok()?,
            account: row.account,
            platform: row.platform,
            business_name: row.business_name,
            push_name: row.push_name,
            lid_migrated: row.lid_migrated,
            login_counter: row.login_counter,
            server_has_prekeys: row.server_has_prekeys,
            linked_at: row.linked_at.map(UnixSeconds),
            history_complete: row.history_complete,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::testkit::Bench;

    pub(in crate::device) fn paired() -> Paired {
        Paired {
            jid: "4915551:7@s.whatsapp.net".parse().unwrap(),
            lid: Some("77:7@lid".parse().unwrap()),
            account: vec![1, 2, 3],
            platform: Some("android".into()),
            business_name: None,
            push_name: Some("Alice".into()),
            lid_migrated: Some(false),
            login_counter: 3,
            server_has_prekeys: true,
            linked_at: Some(UnixSeconds(9)),
            history_complete: Some(true),
        }
    }

    fn device() -> DeviceRecord {
        let mut bench = Bench::new(1);
        let slot = bench.slot.clone();
        bench.run(|cx| DeviceRecord::load_or_create(cx, &slot))
    }

    #[test]
    fn a_device_survives_the_store_paired_or_not() {
        let mut device = device();
        assert_eq!(DeviceRecord::from_row(&device.to_row()), Ok(device.clone()));
        device.link = Link::Paired(Box::new(paired()));
        device.routing = Some(vec![9]);
        device.rotation = Some(Rotation {
            key: SignedPreKey {
                id: 2,
                ..device.signed_prekey.clone()
            },
            at: UnixSeconds(7),
        });
        device.clock = ServerClock::with_skew(-5);
        assert_eq!(DeviceRecord::from_row(&device.to_row()), Ok(device));
    }

    #[test]
    fn the_stored_bytes_do_not_change() {
        let key = |byte| KeyPair::from_private(PrivateKey::from_bytes([byte; 32]));
        let device = DeviceRecord {
            noise: key(0x40),
            identity: key(0x48),
            registration_id: 5,
            signed_prekey: SignedPreKey {
                id: 1,
                public: PublicKey::new([3; 32]),
                signature: [4; 64],
                created: UnixSeconds(6),
            },
            rotation: None,
            adv_secret: Secret::new([7; 32]),
            next_prekey_id: 813,
            upload: Some(KeyRange { first: 1, count: 3 }),
            clock: ServerClock::with_skew(-1),
            routing: None,
            link: Link::Paired(Box::new(paired())),
        };
        let expected = [
            "01",
            &format!("0a20{}", "40".repeat(32)),
            &format!("1220{}", "48".repeat(32)),
            "18052001",
            &format!("2a20{}", "03".repeat(32)),
            &format!("3240{}", "04".repeat(64)),
            "3806",
            &format!("4220{}", "07".repeat(32)),
            "48ad065001",
            "6243",
            "0a18343931353535313a3740732e77686174736170702e6e6574",
            "120837373a37406c6964",
            "1a03010203",
            "2207616e64726f6964",
            "3205416c696365",
            "3800",
            "4003",
            "4801",
            "50095801",
            "68017003",
        ];
        assert_eq!(hex::encode(device.to_row()), expected.concat());
    }

    #[test]
    fn a_key_of_the_wrong_size_is_a_damaged_row() {
        let mut row = device().to_row();
        row[2] = 31;
        assert!(DeviceRecord::from_row(&row).is_err());
    }
}
