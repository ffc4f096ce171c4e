//! What a client has sent so far: message ids with their bytes, and every message key it has used.

use std::collections::BTreeMap;

use prost::Message;
use sendpath_protocol::crypto::symmetric::sha256;

use crate::schema::{PreKeySignalMessage, SignalMessage};

/// Memory of one client's messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    accepted: BTreeMap<String, [u8; 32]>,
    refused: BTreeMap<String, ([u8; 32], u16)>,
    keys: BTreeMap<(Vec<u8>, u32), [u8; 32]>,
    group_keys: BTreeMap<(u32, u32), [u8; 32]>,
}

/// The public part of a ciphertext.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Sealed {
    pub(crate) ratchet_key: Vec<u8>,
    pub(crate) counter: u32,
    pub(crate) prekey_id: Option<u32>,
    pub(crate) identity: Option<Vec<u8>>,
    inner: [u8; 32],
}

impl Sealed {
    /// Reads an `<enc>` of `kind`; `None` when it is no Signal message of version 3.
    pub(crate) fn parse(kind: &str, bytes: &[u8]) -> Option<Self> {
        if kind != "pkmsg" {
            return Self::inner(bytes);
        }
        let outer = PreKeySignalMessage::decode(version_3(bytes)?).ok()?;
        Some(Self {
            prekey_id: outer.prekey_id,
            identity: outer.identity,
            ..Self::inner(&outer.message?)?
        })
    }

    fn inner(bytes: &[u8]) -> Option<Self> {
        let body = version_3(bytes)?;
        let end = body.len().checked_sub(8)?;
        let message = SignalMessage::decode(&body[..end]).ok()?;
        Some(Self {
            ratchet_key: message.ratchet_key?,
            counter: message.counter?,
            prekey_id: None,
            identity: None,
            inner: sha256(bytes),
        })
    }
}

fn version_3(bytes: &[u8]) -> Option<&[u8]> {
    let (version, body) = bytes.split_first()?;
    (version >> 4 == 3).then_some(body)
}

impl Ledger {
    /// Remembers a ciphertext. `false` when its message key was used before for other bytes.
    pub(crate) fn uses(&mut self, sealed: &Sealed) -> bool {
        let key = (sealed.ratchet_key.clone(), sealed.counter);
        *self.keys.entry(key).or_insert(sealed.inner) == sealed.inner
    }

    /// As [`Ledger::uses`], for a group message.
    pub(crate) fn uses_group_key(&mut self, id: u32, iteration: u32, bytes: &[u8]) -> bool {
        let hash = sha256(bytes);
        *self.group_keys.entry((id, iteration)).or_insert(hash) == hash
    }

    /// Remembers an accepted stanza.
    pub(crate) fn accept(&mut self, id: &str, stanza: &[u8]) {
        self.accepted.insert(id.into(), sha256(stanza));
    }

    /// Remembers a refused stanza: the same bytes are refused again.
    pub(crate) fn refuse(&mut self, id: &str, stanza: &[u8], code: u16) {
        self.refused.insert(id.into(), (sha256(stanza), code));
    }

    /// What exactly these bytes were refused with.
    pub(crate) fn refusal(&self, id: &str, stanza: &[u8]) -> Option<u16> {
        let (bytes, code) = self.refused.get(id)?;
        (*bytes == sha256(stanza)).then_some(*code)
    }

    /// Whether an accepted stanza had that id and exactly these bytes.
    pub(crate) fn holds(&self, id: &str, stanza: &[u8]) -> bool {
        self.accepted.get(id) == Some(&sha256(stanza))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(counter: u32, mac: u8) -> Vec<u8> {
        let proto = SignalMessage {
            ratchet_key: Some(vec![5; 33]),
            counter: Some(counter),
        };
        [vec![0x33], proto.encode_to_vec(), vec![mac; 8]].concat()
    }

    #[test]
    fn a_message_key_may_come_twice_only_with_the_same_bytes() {
        let mut ledger = Ledger::default();
        let sealed = |counter, mac| Sealed::parse("msg", &message(counter, mac)).unwrap();
        assert!(ledger.uses(&sealed(0, 1)));
        assert!(ledger.uses(&sealed(0, 1)));
        assert!(ledger.uses(&sealed(1, 2)));
        assert!(!ledger.uses(&sealed(0, 2)));
    }

    #[test]
    fn the_inner_message_counts_however_it_is_wrapped() {
        let outer = PreKeySignalMessage {
            prekey_id: Some(9),
            message: Some(message(4, 1)),
            ..PreKeySignalMessage::default()
        };
        let wrapped = [vec![0x33], outer.encode_to_vec()].concat();
        let sealed = Sealed::parse("pkmsg", &wrapped).unwrap();
        assert_eq!((sealed.counter, sealed.prekey_id), (4, Some(9)));
        let mut ledger = Ledger::default();
        assert!(ledger.uses(&sealed));
        assert!(ledger.uses(&Sealed::parse("msg", &message(4, 1)).unwrap()));
    }

    #[test]
    fn another_version_is_no_message() {
        assert_eq!(Sealed::parse("msg", &[0x23, 1, 2, 3]), None);
        assert_eq!(Sealed::parse("msg", &[]), None);
    }
}
