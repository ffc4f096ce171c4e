//! Ids of rows, without the heap for the usual ones.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

/// Longest id that lies in place; the address of a Signal session has 24 bytes at most.
const IN_PLACE: usize = 30;

/// Id of a row within its kind. A step may hold tens of thousands, so those of usual length take no
/// block of the heap each.
#[derive(Clone)]
pub struct Id(Form);

#[derive(Clone)]
enum Form {
    /// The first `u8` bytes.
    InPlace(u8, [u8; IN_PLACE]),
    Long(Box<[u8]>),
}

impl From<&[u8]> for Id {
    fn from(id: &[u8]) -> Self {
        let mut bytes = [0; IN_PLACE];
        let (Some(place), Ok(length)) = (bytes.get_mut(..id.len()), u8::try_from(id.len())) else {
            return Self(Form::Long(id.into()));
        };
        place.copy_from_slice(id);
        Self(Form::InPlace(length, bytes))
    }
}

impl Deref for Id {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Form::InPlace(length, bytes) => &bytes[..usize::from(*length)],
            Form::Long(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Id {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Id {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Id {}

impl Ord for Id {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            // The zeros behind an id are no greater than what a longer one has there.
            (Form::InPlace(length, bytes), Form::InPlace(other_length, other)) => {
                (words(bytes), length).cmp(&(words(other), other_length))
            }
            _ => (**self).cmp(&**other),
        }
    }
}

impl PartialOrd for Id {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// The bytes as numbers in the same order; the two overlap. Comparing numbers takes a few
/// instructions, and maps of ids do little else.
#[inline]
fn words(bytes: &[u8; IN_PLACE]) -> [u128; 2] {
    let number = |chunk: Option<&[u8; 16]>| chunk.map_or(0, |chunk| u128::from_be_bytes(*chunk));
    [number(bytes.first_chunk()), number(bytes.last_chunk())]
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_any_length_are_their_bytes() {
        let mut ids = Vec::new();
        for length in [0, 1, IN_PLACE - 1, IN_PLACE, IN_PLACE + 1, 300] {
            let bytes: Vec<u8> = (0..=255).rev().cycle().take(length).collect();
            let id = Id::from(&*bytes);
            assert_eq!(*id, *bytes);
            assert_eq!(id.clone(), id);
            ids.push(id);
        }
        assert!(ids.is_sorted(), "a shorter one first");
        assert!(Id::from(&b"a\0"[..]) > Id::from(&b"a"[..]));
    }
}
