//! Random padding of end-to-end plaintexts: `plaintext || k bytes of value k`, k in 1..=16.
//!
//! Source: spec section 7.7. Applies to `<enc v="2">`; `v="3"` has none.

use crate::secret::{Entropy, EntropyExt};

/// Appends 1 to 16 bytes, each of their number.
pub fn pad(rng: &mut dyn Entropy, mut plaintext: Vec<u8>) -> Vec<u8> {
    let [random] = rng.bytes::<1>();
    let count = (random & 15) + 1;
    plaintext.resize(plaintext.len() + usize::from(count), count);
    plaintext
}

/// Removes what [`pad`] appended, going by the last byte; `None` if that is 0 or more than there is.
pub fn unpad(mut padded: Vec<u8>) -> Option<Vec<u8>> {
    let count = usize::from(*padded.last()?);
    let length = padded.len().checked_sub(count)?;
    if count == 0 {
        return None;
    }
    padded.truncate(length);
    Some(padded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Seeded;

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    #[test]
    fn every_vector_pads_and_unpads() {
        let file = include_str!("../../tests/vectors/padding.json");
        let file: serde_json::Value = serde_json::from_str(file).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let padded = hex::decode(case["padded"].as_str().unwrap()).unwrap();
            let Some(plaintext) = case["plaintext"].as_str() else {
                assert_eq!(unpad(padded), None, "{case}");
                continue;
            };
            let plaintext = hex::decode(plaintext).unwrap();
            let count = u8::try_from(case["n"].as_u64().unwrap()).unwrap();
            assert_eq!(pad(&mut Fixed(count + 15), plaintext.clone()), padded);
            assert_eq!(unpad(padded), Some(plaintext));
        }
    }

    #[test]
    fn padding_is_between_1_and_16_bytes() {
        let mut rng = Seeded::new(1);
        let mut seen = [0; 17];
        for _ in 0..2000 {
            seen[pad(&mut rng, Vec::new()).len()] += 1;
        }
        assert_eq!(seen[0], 0);
        assert!(seen[1..].iter().all(|times| *times > 60), "{seen:?}");
    }

    #[test]
    fn a_zero_last_byte_is_no_padding() {
        assert_eq!(unpad(vec![1, 0]), None);
    }
}
