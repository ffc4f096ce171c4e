//! A hash over a set that can grow and shrink, whatever the order.
//!
//! ```text
//! state: 64 numbers of 16 bits, little-endian
//! add | subtract: state ± HKDF-SHA256(value MAC, info "WhatsApp Patch Integrity", 128), each number mod 2^16
//! ```

use core::fmt;

use crate::crypto::symmetric::hkdf_sha256;

/// The hash of a collection's values. Starts with zeros.
#[derive(Clone, Eq, PartialEq)]
pub struct LtHash([u8; 128]);

impl LtHash {
    /// The stored bytes.
    pub const fn from_bytes(bytes: [u8; 128]) -> Self {
        Self(bytes)
    }

    /// The bytes to store, and to be authenticated.
    pub const fn as_bytes(&self) -> &[u8; 128] {
        &self.0
    }

    /// A value with this MAC belongs to the collection now.
    pub fn add(&mut self, value_mac: &[u8; 32]) {
        self.change(value_mac, u16::wrapping_add);
    }

    /// A value with this MAC was replaced or removed.
    pub fn subtract(&mut self, value_mac: &[u8; 32]) {
        self.change(value_mac, u16::wrapping_sub);
    }

    fn change(&mut self, value_mac: &[u8; 32], change: fn(u16, u16) -> u16) {
        let expanded: [u8; 128] = hkdf_sha256(value_mac, None, b"WhatsApp Patch Integrity");
        let (numbers, _) = self.0.as_chunks_mut::<2>();
        let (changes, _) = expanded.as_chunks::<2>();
        for (number, by) in numbers.iter_mut().zip(changes) {
            let changed = change(u16::from_le_bytes(*number), u16::from_le_bytes(*by));
            *number = changed.to_le_bytes();
        }
    }
}

impl Default for LtHash {
    fn default() -> Self {
        Self([0; 128])
    }
}

impl fmt::Debug for LtHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LtHash(128 bytes)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::appstate::testdata::{bytes, case, list};

    fn hash(hex: &serde_json::Value) -> LtHash {
        LtHash::from_bytes(bytes(hex).try_into().unwrap())
    }

    fn macs(list: &[Vec<u8>]) -> impl Iterator<Item = [u8; 32]> + '_ {
        list.iter().map(|mac| mac.as_slice().try_into().unwrap())
    }

    #[test]
    fn sums_agree_with_the_vectors() {
        let sum = case("lthash");
        let mut state = hash(&sum["start"]);
        assert_eq!(state, LtHash::default());
        macs(&list(&sum["add_value_macs"])).for_each(|mac| state.add(&mac));
        assert_eq!(state, hash(&sum["hash"]));
        let replaced = case("lthash replace");
        assert_eq!(state, hash(&replaced["start"]));
        macs(&list(&replaced["subtract"])).for_each(|mac| state.subtract(&mac));
        macs(&list(&replaced["add"])).for_each(|mac| state.add(&mac));
        assert_eq!(state, hash(&replaced["hash"]));
    }

    proptest! {
        #[test]
        fn what_was_added_and_subtracted_leaves_nothing(
            macs in prop::collection::vec(any::<[u8; 32]>(), 0..6),
        ) {
            let mut state = LtHash::default();
            macs.iter().for_each(|mac| state.add(mac));
            macs.iter().rev().for_each(|mac| state.subtract(mac));
            prop_assert_eq!(state, LtHash::default());
        }
    }
}
