//! The fields of a protobuf message, one after the other, without copying.
//!
//! Snapshots hold tens of thousands of records; decoding them into structs would cost several times
//! the memory of the bytes.

use super::Malformed;

/// What a field holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Value<'a> {
    /// Bytes, a text, or a message.
    Bytes(&'a [u8]),
    /// A fixed-width number; no field that is read here is one.
    Fixed,
    /// A varint.
    Number(u64),
}

/// Reads a message from its beginning. Ends after the first error.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) const fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<(u32, Value<'a>), Malformed> {
        let tag = u32::try_from(self.varint()?).map_err(|_| Malformed)?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(Malformed),
        };
        match tag >> 3 {
            0 => Err(Malformed),
            number => Ok((number, value)),
        }
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first().ok_or(Malformed)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// The bytes of the one field `number` inside a message; `None` when it is not there.
pub(super) fn inner(message: &[u8], number: u32) -> Result<Option<&[u8]>, Malformed> {
    let mut found = None;
    for field in Fields::of(message) {
        if let (at, Value::Bytes(bytes)) = field?
            && at == number
        {
            found = Some(bytes);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
        Fields::of(bytes).collect()
    }

    #[test]
    fn fields_of_every_wire_type_are_read_in_order() {
        let bytes = [
            &[0x08, 0x96, 0x01][..],
            &[0x11, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x1a, 2, 7, 8],
            &[0x25, 0, 0, 0, 0],
        ]
        .concat();
        let expected = [
            (1, Value::Number(150)),
            (2, Value::Fixed),
            (3, Value::Bytes(&[7, 8])),
            (4, Value::Fixed),
        ];
        assert_eq!(read(&bytes), Ok(expected.to_vec()));
        assert_eq!(inner(&bytes, 3), Ok(Some(&[7, 8][..])));
        assert_eq!(inner(&bytes, 9), Ok(None));
    }

    #[test]
    fn what_is_cut_short_or_no_field_is_malformed() {
        for bytes in [
            &[0x08][..],
            &[0x1a, 3, 1],
            &[0x02, 0],
            &[0x0b],
            &[
                0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,
            ],
            &[
                0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
            ],
        ] {
            assert_eq!(read(bytes), Err(Malformed), "{bytes:x?}");
        }
    }
}
