//! Snapshots and patches as they come: views into their bytes.
//!
//! ```text
//! SyncdSnapshot { version 1, records 2, mac 3, keyId 4 }
//! SyncdPatch    { version 1, mutations 2, externalMutations 3, snapshotMac 4, patchMac 5, keyId 6 }
//! SyncdMutations { mutations 1 },  SyncdMutation { operation 1, record 2 }
//! ```
//! Decoding takes any bytes and needs no key.

use prost::Message;

use super::Malformed;
use super::fields::{Fields, Value, inner};
use super::seal::Record;
use crate::nct::Operation;
use crate::pb;

/// The whole of a collection.
#[derive(Clone, Debug)]
pub struct Snapshot<'a> {
    /// Its version.
    pub version: u64,
    /// The key of `mac`.
    pub key_id: &'a [u8],
    /// Proves the whole.
    pub mac: &'a [u8],
    bytes: &'a [u8],
}

/// One step of a collection.
#[derive(Clone, Debug)]
pub struct Patch<'a> {
    /// The version that it leads to.
    pub version: u64,
    /// The key of both MACs.
    pub key_id: &'a [u8],
    /// Proves the whole collection after the patch.
    pub snapshot_mac: &'a [u8],
    /// Proves the patch.
    pub patch_mac: &'a [u8],
    /// Where the mutations lie, when they are too many to come along.
    pub external: Option<pb::ExternalBlobReference>,
    bytes: &'a [u8],
}

/// One change of a row.
#[derive(Clone, Copy, Debug)]
pub struct Mutation<'a> {
    /// What is done with the row.
    pub operation: Operation,
    /// The row.
    pub record: Record<'a>,
}

impl<'a> Snapshot<'a> {
    /// Reads a `SyncdSnapshot`.
    ///
    /// # Errors
    /// [`Malformed`] unless it is a message with a version. Records are read by
    /// [`Snapshot::records`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut snapshot = Self {
            version: 0,
            key_id: &[],
            mac: &[],
            bytes,
        };
        let mut version = None;
        for field in Fields::of(bytes) {
            match field? {
                (1, Value::Bytes(message)) => version = number(message)?,
                (3, Value::Bytes(mac)) => snapshot.mac = mac,
                (4, Value::Bytes(id)) => snapshot.key_id = inner(id, 1)?.unwrap_or_default(),
                _ => {}
            }
        }
        snapshot.version = version.ok_or(Malformed)?;
        Ok(snapshot)
    }

    /// Its rows, one after the other.
    pub fn records(&self) -> impl Iterator<Item = Result<Record<'a>, Malformed>> + use<'a> {
        messages(self.bytes, 2).map(|record| Record::parse(record?))
    }
}

impl<'a> Patch<'a> {
    /// Reads a `SyncdPatch`.
    ///
    /// # Errors
    /// [`Malformed`] unless it is a message with a version. Mutations are read by
    /// [`Patch::mutations`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut patch = Self {
            version: 0,
            key_id: &[],
            snapshot_mac: &[],
            patch_mac: &[],
            external: None,
            bytes,
        };
        let mut version = None;
        for field in Fields::of(bytes) {
            match field? {
                (1, Value::Bytes(message)) => version = number(message)?,
                (3, Value::Bytes(reference)) => {
                    let reference = pb::ExternalBlobReference::decode(reference);
                    patch.external = Some(reference.map_err(|_| Malformed)?);
                }
                (4, Value::Bytes(mac)) => patch.snapshot_mac = mac,
                (5, Value::Bytes(mac)) => patch.patch_mac = mac,
                (6, Value::Bytes(id)) => patch.key_id = inner(id, 1)?.unwrap_or_default(),
                _ => {}
            }
        }
        patch.version = version.ok_or(Malformed)?;
        Ok(patch)
    }

    /// Its mutations in order: those in `external`, a `SyncdMutations`, if there is one.
    pub fn mutations<'b>(
        &self,
        external: Option<&'b [u8]>,
    ) -> impl Iterator<Item = Result<Mutation<'b>, Malformed>> + use<'b>
    where
        'a: 'b,
    {
        let (bytes, number) = match external {
            Some(list) => (list, 1),
            None => (self.bytes, 2),
        };
        messages(bytes, number).map(|mutation| Mutation::parse(mutation?))
    }
}

impl<'a> Mutation<'a> {
    fn parse(mutation: &'a [u8]) -> Result<Self, Malformed> {
        let (mut operation, mut record) = (Operation::Set, None);
        for field in Fields::of(mutation) {
            match field? {
                (1, Value::Number(0)) => operation = Operation::Set,
                (1, Value::Number(1)) => operation = Operation::Remove,
                (1, _) => return Err(Malformed),
                (2, Value::Bytes(bytes)) => record = Some(Record::parse(bytes)?),
                _ => {}
            }
        }
        let record = record.ok_or(Malformed)?;
        Ok(Self { operation, record })
    }
}

/// The fields `number` of a message that are messages themselves.
fn messages(bytes: &[u8], number: u32) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    Fields::of(bytes).filter_map(move |field| match field {
        Ok((at, Value::Bytes(bytes))) if at == number => Some(Ok(bytes)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// The number in a `SyncdVersion`.
fn number(message: &[u8]) -> Result<Option<u64>, Malformed> {
    let version = pb::SyncdVersion::decode(message).map_err(|_| Malformed)?;
    Ok(version.version)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::appstate::testdata::{bytes, case};

    #[test]
    fn the_whole_patch_of_the_vectors_is_read() {
        let whole = bytes(&case("whole SyncdPatch")["hex"]);
        let patch = Patch::decode(&whole).unwrap();
        assert_eq!((patch.version, patch.external.is_none()), (7, true));
        assert_eq!(patch.key_id, bytes(&case("mutations")["key_id"]));
        assert_eq!(patch.snapshot_mac, bytes(&case("snapshot mac")["mac"]));
        assert_eq!(patch.patch_mac, bytes(&case("patch mac")["mac"]));
        let mutations: Vec<_> = patch.mutations(None).map(Result::unwrap).collect();
        let macs: Vec<_> = mutations
            .iter()
            .map(|m| m.record.value_mac.to_vec())
            .collect();
        let expected = &case("patch mac")["value_macs"];
        assert_eq!(macs, crate::appstate::testdata::list(expected));
        assert!(mutations.iter().all(|m| m.operation == Operation::Set));
    }

    #[test]
    fn mutations_from_outside_replace_those_inside() {
        let whole = bytes(&case("whole SyncdPatch")["hex"]);
        let patch = Patch::decode(&whole).unwrap();
        let list = pb::SyncdPatch::decode(&*whole).unwrap().mutations;
        let one = pb::SyncdMutations {
            mutations: list[1..].to_vec(),
        }
        .encode_to_vec();
        let macs = |external: Option<&[u8]>| -> Vec<[u8; 32]> {
            let mutations = patch.mutations(external);
            mutations
                .map(|mutation| *mutation.unwrap().record.value_mac)
                .collect()
        };
        assert_eq!(macs(Some(&one)), macs(None)[1..]);
        assert_eq!(macs(Some(&[])), [[0; 32]; 0]);
    }

    #[test]
    fn without_a_version_it_is_nothing() {
        assert_eq!(Patch::decode(&[]).err(), Some(Malformed));
        assert_eq!(Snapshot::decode(&[0x0a, 0]).err(), Some(Malformed));
        assert!(Snapshot::decode(&[0x0a, 2, 8, 0]).is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut changed = super::super::testdata::bytes(&case("whole SyncdPatch")["hex"]);
            let at = at.index(changed.len());
            changed[at] = byte;
            for bytes in [bytes, changed] {
                if let Ok(snapshot) = Snapshot::decode(&bytes) {
                    let _ = snapshot.records().count();
                }
                if let Ok(patch) = Patch::decode(&bytes) {
                    let _ = patch.mutations(None).count() + patch.mutations(Some(&bytes)).count();
                }
            }
        }
    }
}
