//! The bytes of a blob as a stream: inflated piece by piece, never as a whole.

use std::io::BufRead;

use flate2::{Decompress, FlushDecompress, Status};
use zeroize::Zeroizing;

use super::HistoryError;

/// Bytes inflated at once. Less costs calls, more is only memory.
const PIECE: usize = 16 << 10;

/// A forward-only reader over plain or zlib-compressed bytes.
pub(super) struct Stream<'a> {
    input: Box<dyn BufRead + 'a>,
    /// `None` for plain input.
    zlib: Option<Decompress>,
    /// Holds the piece being read; wiped, since tokens pass through it.
    buffer: Zeroizing<Vec<u8>>,
    /// Length of the piece.
    filled: usize,
    at: usize,
    /// Bytes before the piece.
    before: u64,
    limit: u64,
    ended: bool,
}

impl<'a> Stream<'a> {
    /// Reads `input`, of which at most `limit` bytes come out.
    pub(super) fn new(mut input: Box<dyn BufRead + 'a>, limit: u64) -> Self {
        // A failure here comes again with the first piece.
        let zlib = input.fill_buf().is_ok_and(is_zlib);
        Self {
            zlib: zlib.then(|| Decompress::new(true)),
            input,
            buffer: Zeroizing::new(vec![0; PIECE]),
            filled: 0,
            at: 0,
            before: 0,
            limit,
            ended: false,
        }
    }

    /// Number of bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.before + wide(self.at)
    }

    /// Whether everything was read.
    pub(super) fn at_end(&mut self) -> Result<bool, HistoryError> {
        Ok(self.rest()?.is_empty())
    }

    /// The next number in base 128, least digit first.
    pub(super) fn varint(&mut self) -> Result<u64, HistoryError> {
        // Most are short and lie in one piece.
        if let [byte @ 0..0x80, ..] = self.rest()? {
            let value = u64::from(*byte);
            self.at += 1;
            return Ok(value);
        }
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(HistoryError::Malformed)
    }

    fn byte(&mut self) -> Result<u8, HistoryError> {
        let byte = *self.rest()?.first().ok_or(HistoryError::Malformed)?;
        self.at += 1;
        Ok(byte)
    }

    /// Fills `out`.
    pub(super) fn read(&mut self, mut out: &mut [u8]) -> Result<(), HistoryError> {
        while !out.is_empty() {
            let rest = self.rest()?;
            let count = rest.len().min(out.len());
            if count == 0 {
                return Err(HistoryError::Malformed);
            }
            out[..count].copy_from_slice(&rest[..count]);
            out = &mut out[count..];
            self.at += count;
        }
        Ok(())
    }

    /// Passes `count` bytes by.
    pub(super) fn skip(&mut self, mut count: u64) -> Result<(), HistoryError> {
        while count > 0 {
            let rest = self.rest()?.len();
            let step = usize::try_from(count).unwrap_or(usize::MAX).min(rest);
            if step == 0 {
                return Err(HistoryError::Malformed);
            }
            self.at += step;
            count -= wide(step);
        }
        Ok(())
    }

    /// What is left of the piece, or the next one; empty at the end.
    fn rest(&mut self) -> Result<&[u8], HistoryError> {
        if self.at == self.filled && !self.ended {
            self.before += wide(self.at);
            self.at = 0;
            self.filled = match self.zlib {
                None => self.copy()?,
                Some(_) => self.inflate()?,
            };
            self.ended = self.filled == 0;
            if self.before + wide(self.filled) > self.limit {
                return Err(HistoryError::TooMuch("bytes"));
            }
        }
        Ok(&self.buffer[self.at..self.filled])
    }

    fn copy(&mut self) -> Result<usize, HistoryError> {
        let input = self.input.fill_buf().map_err(|_| HistoryError::Unread)?;
        let length = input.len().min(PIECE);
        self.buffer[..length].copy_from_slice(&input[..length]);
        self.input.consume(length);
        Ok(length)
    }

    /// Length of the next piece; 0 at the end of the stream, its checksum verified.
    fn inflate(&mut self) -> Result<usize, HistoryError> {
        let Some(zlib) = &mut self.zlib else {
            return Ok(0);
        };
        loop {
            let (consumed, produced) = (zlib.total_in(), zlib.total_out());
            let input = self.input.fill_buf().map_err(|_| HistoryError::Unread)?;
            let status = zlib
                .decompress(input, &mut self.buffer, FlushDecompress::None)
                .map_err(|_| HistoryError::Inflate)?;
            let taken = usize::try_from(zlib.total_in() - consumed).unwrap_or(usize::MAX);
            self.input.consume(taken);
            let filled = usize::try_from(zlib.total_out() - produced).unwrap_or(PIECE);
            if status == Status::StreamEnd {
                // What follows the stream is not ours.
                (self.zlib, self.input) = (None, Box::new(std::io::empty()));
                return Ok(filled);
            }
            if filled > 0 {
                return Ok(filled);
            }
            if taken == 0 {
                // Room to write and nothing written: the input ended before the stream.
                return Err(HistoryError::Inflate);
            }
        }
    }
}

/// A zlib header. The first byte cannot begin a history sync: it would be field 15 as a number.
fn is_zlib(input: &[u8]) -> bool {
    matches!(input, [0x78, flags, ..] if (0x7800 + u16::from(*flags)) % 31 == 0)
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn packed(body: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn body() -> Vec<u8> {
        (0..=250).cycle().take(3 * PIECE + 17).collect()
    }

    fn whole(input: &[u8], limit: u64) -> Result<Vec<u8>, HistoryError> {
        let mut stream = Stream::new(Box::new(input), limit);
        let mut out = Vec::new();
        while !stream.at_end()? {
            out.push(stream.byte()?);
        }
        assert_eq!(stream.position(), wide(out.len()));
        Ok(out)
    }

    #[test]
    fn plain_and_packed_bytes_come_out_alike() {
        for input in [body(), packed(&body())] {
            assert_eq!(whole(&input, u64::MAX), Ok(body()));
        }
        assert_eq!(whole(b"", 0), Ok(vec![]));
        assert_eq!(whole(&packed(b""), 0), Ok(vec![]));
    }

    #[test]
    fn reads_and_skips_cross_pieces() {
        for input in [body(), packed(&body())] {
            let mut stream = Stream::new(Box::new(&*input), u64::MAX);
            stream.skip(5).unwrap();
            let mut out = vec![0; 2 * PIECE];
            stream.read(&mut out).unwrap();
            assert!(out == body()[5..5 + 2 * PIECE]);
            let left = wide(body().len()) - stream.position();
            assert_eq!(stream.skip(left + 1), Err(HistoryError::Malformed));
        }
    }

    #[test]
    fn a_blob_at_the_limit_is_read_and_one_byte_more_is_too_much() {
        let size = wide(body().len());
        for input in [body(), packed(&body())] {
            assert!(whole(&input, size).is_ok());
            let error = HistoryError::TooMuch("bytes");
            assert_eq!(whole(&input, size - 1), Err(error));
        }
    }

    #[test]
    fn a_stream_that_is_cut_or_damaged_anywhere_is_refused() {
        let packed = packed(&body()[..700]);
        for length in 2..packed.len() {
            let cut = whole(&packed[..length], u64::MAX);
            assert_eq!(cut, Err(HistoryError::Inflate), "{length}");
        }
        let mut damaged = packed;
        *damaged.last_mut().unwrap() ^= 1;
        assert_eq!(whole(&damaged, u64::MAX), Err(HistoryError::Inflate));
    }
}
