//! Everybody the server knows: a phone and model companions, and real clients linked to the account.

use std::collections::{BTreeMap, BTreeSet};

use sendpath_protocol::crypto::curve::PublicKey;
use sendpath_protocol::jid::{HOSTED_DEVICE, Jid};
use sendpath_protocol::time::UnixSeconds;

use crate::connection::ConnectionId;
use crate::endpoint::Endpoint;
use crate::gate::Gate;
use crate::ledger::Ledger;
use crate::limits::{Capping, Timelock};
use crate::queue::Mailbox;
use crate::syncd::AppState;

/// Index into the list of people; people are never removed.
pub(crate) type PersonId = usize;

/// One account of WhatsApp.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) pn: String,
    pub(crate) lid: String,
    /// Other spellings of the number that usync accepts.
    pub(crate) aliases: Vec<String>,
    pub(crate) lid_migrated: bool,
    /// Its phone says so, or that it has not, when it links a client.
    pub(crate) tells_migration: bool,
    pub(crate) raw_id: u32,
    /// Model devices: the phone (device 0) first.
    pub(crate) devices: Vec<Endpoint>,
    pub(crate) clients: Vec<Client>,
    pub(crate) gate: Gate,
    pub(crate) behaviour: Behaviour,
    pub(crate) profile: Profile,
    /// Tokens that this person issued, by recipient.
    pub(crate) tokens: BTreeMap<PersonId, Vec<Token>>,
    pub(crate) nct_salt: Option<Vec<u8>>,
    pub(crate) app_state: AppState,
    pub(crate) timelock: Timelock,
    pub(crate) capping: Capping,
    pub(crate) used_devices: u16,
    pub(crate) used_indexes: u32,
}

/// How a person's devices behave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    /// Send delivery receipts.
    pub(crate) receipts: bool,
    /// Ask for a retry when a message does not decrypt.
    pub(crate) retries: bool,
    /// A phone-number usync query gives an empty device list.
    pub(crate) hidden_by_pn: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            receipts: true,
            retries: true,
            hidden_by_pn: false,
        }
    }
}

/// What a person shows of itself.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    /// The id of the picture.
    pub(crate) picture: Option<String>,
    /// Shown to accounts that hold a token only.
    pub(crate) contacts_only: bool,
    /// Others may know what was read.
    pub(crate) read_receipts: bool,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            picture: None,
            contacts_only: false,
            read_receipts: true,
        }
    }
}

/// A token that lets its holder write to the issuer.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) bytes: Vec<u8>,
    pub(crate) t: UnixSeconds,
}

/// A real client, linked as a companion.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) device: u16,
    pub(crate) key_index: u32,
    pub(crate) noise_key: [u8; 32],
    pub(crate) identity: PublicKey,
    pub(crate) registration_id: u32,
    pub(crate) signed_prekey: SignedPreKey,
    pub(crate) one_time: BTreeMap<u32, [u8; 32]>,
    pub(crate) spent_prekeys: BTreeSet<u32>,
    pub(crate) device_identity: Vec<u8>,
    pub(crate) mailbox: Mailbox,
    pub(crate) ledger: Ledger,
    pub(crate) connection: Option<ConnectionId>,
}

/// A signed prekey as published.
#[derive(Clone, Debug)]
pub(crate) struct SignedPreKey {
    pub(crate) id: u32,
    pub(crate) key: [u8; 32],
    pub(crate) signature: [u8; 64],
}

/// A linked client of a person.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ClientId {
    pub(crate) person: PersonId,
    pub(crate) device: u16,
}

impl Person {
    /// Whether `jid` names this account, by LID, number or another spelling of the number.
    pub(crate) fn is(&self, jid: &Jid) -> bool {
        let user = jid.user_part();
        if jid.is_lid() {
            user == self.lid
        } else {
            jid.is_pn() && (user == self.pn || self.aliases.iter().any(|alias| alias == user))
        }
    }

    /// The bare account address in one namespace.
    pub(crate) fn jid(&self, lid: bool) -> Jid {
        if lid {
            Jid::lid(&*self.lid)
        } else {
            Jid::pn(&*self.pn)
        }
    }

    /// A device address in one namespace.
    pub(crate) fn device_jid(&self, lid: bool, device: u16) -> Jid {
        debug_assert_ne!(device, HOSTED_DEVICE);
        self.jid(lid).with_device(device)
    }

    /// All devices with their key indexes, in the order of devices; the phone has no index.
    pub(crate) fn device_list(&self) -> Vec<(u16, Option<u32>)> {
        let models = self.devices.iter().map(|d| (d.device, d.key_index));
        let clients = self.clients.iter().map(|c| (c.device, Some(c.key_index)));
        let mut list: Vec<_> = models.chain(clients).collect();
        list.sort_unstable();
        list
    }

    /// The key indexes of all companions.
    pub(crate) fn key_indexes(&self) -> Vec<u32> {
        self.device_list()
            .into_iter()
            .filter_map(|(_, index)| index)
            .collect()
    }

    pub(crate) fn endpoint(&mut self, device: u16) -> Option<&mut Endpoint> {
        self.devices.iter_mut().find(|d| d.device == device)
    }

    pub(crate) fn client(&self, device: u16) -> Option<&Client> {
        self.clients.iter().find(|c| c.device == device)
    }

    pub(crate) fn client_mut(&mut self, device: u16) -> Option<&mut Client> {
        self.clients.iter_mut().find(|c| c.device == device)
    }

    /// The public account key: the identity of the phone.
    pub(crate) fn account_key(&self) -> Option<PublicKey> {
        Some(self.devices.first()?.identity().public)
    }

    /// A device number and a key index that no device of this account ever had.
    pub(crate) const fn next_link(&mut self) -> (u16, u32) {
        self.used_devices += 1;
        if self.used_devices == HOSTED_DEVICE {
            self.used_devices += 1;
        }
        self.used_indexes += 1;
        (self.used_devices, self.used_indexes)
    }
}
