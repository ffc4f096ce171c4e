//! Storage and session addresses. They are typed by namespace, so a phone number can never be
//! looked up as a LID that happens to be spelt with the same digits.

use core::fmt;

use crate::jid::{Jid, Server};
use crate::user::User;

/// An account as a storage key: of a contact, or our own. Never a device.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum PeerKey {
    /// By hidden identity: canonical.
    Lid(User),
    /// By phone number: provisional, until the LID is known.
    Pn(User),
}

impl PeerKey {
    /// The key of the account behind `jid`; `None` unless it is a person or business.
    pub fn of(jid: &Jid) -> Option<Self> {
        if !jid.is_user() {
            None
        } else if jid.is_lid() {
            Some(Self::Lid(jid.user_id().clone()))
        } else {
            Some(Self::Pn(jid.user_id().clone()))
        }
    }

    /// Whether `jid` is of this account: [`PeerKey::of`] it is this key.
    pub fn is(&self, jid: &Jid) -> bool {
        let (user, lid) = match self {
            Self::Lid(user) => (user, true),
            Self::Pn(user) => (user, false),
        };
        jid.is_user() && jid.is_lid() == lid && jid.user_id() == user
    }

    /// The bare account JID.
    pub fn jid(&self) -> Jid {
        match self {
            Self::Lid(user) => Jid::lid(user.clone()),
            Self::Pn(user) => Jid::pn(user.clone()),
        }
    }

    /// The user digits without their namespace.
    pub fn user(&self) -> &str {
        match self {
            Self::Lid(user) | Self::Pn(user) => user,
        }
    }

    /// `lid:<user>` or `pn:<user>`, the form in the store.
    pub fn storage(&self) -> String {
        match self {
            Self::Lid(user) => ["lid:", user].concat(),
            Self::Pn(user) => ["pn:", user].concat(),
        }
    }

    /// Reads [`PeerKey::storage`] back.
    pub fn parse_storage(text: &str) -> Option<Self> {
        let (kind, user) = text.split_once(':')?;
        match (kind, user) {
            (_, "") => None,
            ("lid", user) => Some(Self::Lid(user.into())),
            ("pn", user) => Some(Self::Pn(user.into())),
            _ => None,
        }
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lid(_) => "PeerKey(lid:…)",
            Self::Pn(_) => "PeerKey(pn:…)",
        })
    }
}

/// What is known of a contact's two names. Facts of the LID map are handed in; nothing is looked up
/// here.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Names {
    /// By hidden identity.
    pub lid: Option<PeerKey>,
    /// By phone number.
    pub pn: Option<PeerKey>,
}

impl Names {
    /// One name only.
    pub fn of(peer: PeerKey) -> Self {
        Self::default().including(peer)
    }

    /// Both names.
    pub const fn pair(lid: PeerKey, pn: PeerKey) -> Self {
        Self {
            lid: Some(lid),
            pn: Some(pn),
        }
    }

    /// With `peer` as the name in its namespace.
    #[must_use]
    pub fn including(mut self, peer: PeerKey) -> Self {
        match peer {
            PeerKey::Lid(_) => self.lid = Some(peer),
            PeerKey::Pn(_) => self.pn = Some(peer),
        }
        self
    }

    /// The name rows are kept under: the LID if known.
    pub fn canonical(&self) -> Option<&PeerKey> {
        self.lid.as_ref().or(self.pn.as_ref())
    }
}

/// A Signal address: one device of one account. If the LID is known, the address is the LID one.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DeviceAddress {
    /// The account.
    pub peer: PeerKey,
    /// The device; 0 is the phone.
    pub device: u16,
    /// A hosted (Cloud API) device: another server on the wire, its own session.
    pub hosted: bool,
}

impl DeviceAddress {
    /// The address of the device behind `jid`; `None` unless it is a person or business.
    pub fn of(jid: &Jid) -> Option<Self> {
        Some(Self {
            peer: PeerKey::of(jid)?,
            device: jid.device_part(),
            hosted: matches!(jid.server_part(), Server::Hosted | Server::HostedLid),
        })
    }

    /// The device JID on the wire.
    pub fn jid(&self) -> Jid {
        let server = match (&self.peer, self.hosted) {
            (PeerKey::Lid(_), false) => Server::Lid,
            (PeerKey::Lid(_), true) => Server::HostedLid,
            (PeerKey::Pn(_), false) => Server::Pn,
            (PeerKey::Pn(_), true) => Server::Hosted,
        };
        Jid::device(self.peer.user(), self.device, server)
    }

    /// `lid:<user>:<device>`, with `:h` behind a hosted one; scan by `lid:<user>:` for an account.
    pub fn storage(&self) -> String {
        let hosted = if self.hosted { ":h" } else { "" };
        format!("{}:{}{hosted}", self.peer.storage(), self.device)
    }
}

impl fmt::Debug for DeviceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{}", self.peer, self.device)
    }
}

/// Our own account as an owner of rows: own LID if known, else own PN. Never the companion device,
/// so that rows survive a re-link.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AccountKey(pub PeerKey);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_digits_in_two_namespaces_are_two_keys() {
        let lid = PeerKey::of(&Jid::lid("4915551")).unwrap();
        let pn = PeerKey::of(&Jid::pn("4915551")).unwrap();
        assert_ne!(lid, pn);
        assert_ne!(lid.storage(), pn.storage());
    }

    #[test]
    fn a_key_is_the_key_of_its_addresses_and_of_no_others() {
        let texts = [
            "7@lid",
            "7:3@lid",
            "7@s.whatsapp.net",
            "7:99@hosted",
            "8@lid",
            "7@g.us",
        ];
        let jids = texts.map(|text| text.parse::<Jid>().unwrap());
        for key in jids.iter().filter_map(PeerKey::of) {
            for jid in &jids {
                let same = PeerKey::of(jid).as_ref() == Some(&key);
                assert_eq!(key.is(jid), same, "{key:?} {}", jid.reveal());
            }
        }
    }

    #[test]
    fn storage_form_round_trips() {
        for key in [PeerKey::Lid("77".into()), PeerKey::Pn("4915551".into())] {
            assert_eq!(PeerKey::parse_storage(&key.storage()), Some(key));
        }
        assert_eq!(PeerKey::parse_storage("lid:"), None);
        assert_eq!(PeerKey::parse_storage("x:1"), None);
    }

    #[test]
    fn groups_and_servers_have_no_peer_key() {
        assert_eq!(PeerKey::of(&Jid::whatsapp()), None);
        assert_eq!(PeerKey::of(&Jid::user("1", Server::Group)), None);
    }

    #[test]
    fn a_device_address_gives_its_jid_back() {
        for text in [
            "7:3@lid",
            "7:99@hosted.lid",
            "49:2@s.whatsapp.net",
            "49:99@hosted",
        ] {
            let jid: Jid = text.parse().unwrap();
            assert_eq!(DeviceAddress::of(&jid).unwrap().jid(), jid);
        }
    }
}
