//! A message looked at field by field, one level at a time, without decoding it.
//!
//! ```text
//! key = number << 3 | kind      kind 0 varint, 1 eight bytes, 2 length + bytes, 5 four bytes
//! ```
//! Content made by hosts has fields that this library has no types for, so it is walked, never
//! decoded and encoded again. As in every protobuf reader the last of several equal fields counts.

use prost::encoding::{WireType, encode_key, encode_varint};

/// One well-formed level of a message.
#[derive(Clone, Copy)]
pub(crate) struct Level<'a>(&'a [u8]);

/// A field of a level.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    pub(crate) value: Value<'a>,
    /// Key and value as they are on the wire.
    pub(crate) raw: &'a [u8],
}

/// What a field carries.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Bytes(&'a [u8]),
    /// Fixed-width numbers; nothing here needs to know them.
    Fixed,
    Varint(u64),
}

impl<'a> Level<'a> {
    /// `None` when the bytes are not a sequence of fields.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        while !rest.is_empty() {
            Field::take(&mut rest)?;
        }
        Some(Self(bytes))
    }

    pub(crate) fn fields(self) -> impl Iterator<Item = Field<'a>> {
        let mut rest = self.0;
        core::iter::from_fn(move || Field::take(&mut rest))
    }

    pub(crate) fn bytes(self, number: u32) -> Option<&'a [u8]> {
        self.last(number).and_then(|value| match value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        })
    }

    pub(crate) fn varint(self, number: u32) -> Option<u64> {
        self.last(number).and_then(|value| match value {
            Value::Varint(number) => Some(number),
            _ => None,
        })
    }

    pub(crate) fn flag(self, number: u32) -> bool {
        self.varint(number).is_some_and(|flag| flag != 0)
    }

    /// The nested level; `None` when absent or not well-formed.
    pub(crate) fn level(self, number: u32) -> Option<Self> {
        self.bytes(number).and_then(Self::parse)
    }

    fn last(self, number: u32) -> Option<Value<'a>> {
        let same = self.fields().filter(|field| field.number == number);
        same.last().map(|field| field.value)
    }
}

impl<'a> Field<'a> {
    fn take(rest: &mut &'a [u8]) -> Option<Self> {
        let start = *rest;
        let key = varint(rest)?;
        let number = u32::try_from(key >> 3).ok().filter(|number| *number > 0)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(rest)?),
            1 => split(rest, 8).map(|_| Value::Fixed)?,
            2 => {
                let length = usize::try_from(varint(rest)?).ok()?;
                Value::Bytes(split(rest, length)?)
            }
            5 => split(rest, 4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        let raw = start.get(..start.len() - rest.len())?;
        Some(Self { number, value, raw })
    }
}

/// Appends a field of bytes.
pub(crate) fn push_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = split(rest, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn split<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_equal_fields_counts() {
        let level = Level::parse(b"\x08\x01\x12\x01a\x08\x96\x01\x12\x02bc").unwrap();
        assert_eq!(
            (level.varint(1), level.bytes(2)),
            (Some(150), Some(&b"bc"[..]))
        );
        assert_eq!((level.bytes(1), level.varint(3)), (None, None));
    }

    #[test]
    fn fields_of_every_kind_are_stepped_over() {
        let bytes = b"\x09\x01\x02\x03\x04\x05\x06\x07\x08\x15\x01\x02\x03\x04\x18\x01";
        let level = Level::parse(bytes).unwrap();
        assert!(level.flag(3));
        let raw: Vec<u8> = level
            .fields()
            .flat_map(|field| field.raw.to_vec())
            .collect();
        assert_eq!(raw, bytes);
    }

    #[test]
    fn what_is_cut_off_or_of_no_kind_is_not_a_level() {
        let bad: [&[u8]; 7] = [
            b"\x08",
            b"\x0a\x05ab",
            b"\x0b",
            b"\x00\x01",
            b"\x0d\x01\x02",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ];
        for bytes in bad {
            assert!(Level::parse(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_appended_is_read_again() {
        let mut bytes = Vec::new();
        push_bytes(&mut bytes, 35, &[7; 300]);
        let level = Level::parse(&bytes).unwrap();
        assert_eq!(level.bytes(35), Some(&[7; 300][..]));
    }
}
