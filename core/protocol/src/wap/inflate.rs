//! Compressed bodies: a zlib stream with an upper bound on what it may become.

use flate2::{Decompress, FlushDecompress, Status};

use super::WapError;

/// Bytes a compressed body may unpack to. Real stanzas stay far below 1 MiB; higher only helps a
/// bomb, lower would cut the largest group and history answers.
pub const MAX_BODY: usize = 16 << 20;

/// The unpacked body. Its buffer never grows beyond [`MAX_BODY`] + 1.
pub(super) fn inflate(packed: &[u8]) -> Result<Vec<u8>, WapError> {
    const STEP: usize = 1024;
    let mut stream = Decompress::new(true);
    let mut body = Vec::with_capacity(packed.len().saturating_mul(4).clamp(STEP, MAX_BODY));
    loop {
        let before = (stream.total_in(), stream.total_out());
        let consumed = usize::try_from(before.0).unwrap_or(usize::MAX);
        let status = stream
            .decompress_vec(
                packed.get(consumed..).unwrap_or_default(),
                &mut body,
                FlushDecompress::None,
            )
            .map_err(|_| WapError::Inflate)?;
        if body.len() > MAX_BODY {
            return Err(WapError::TooMuch("bytes"));
        }
        if status == Status::StreamEnd {
            return Ok(body);
        }
        if body.len() == body.capacity() {
            let room = MAX_BODY + 1 - body.len();
            body.reserve_exact(body.len().max(STEP).min(room));
        } else if before == (stream.total_in(), stream.total_out()) {
            // Room to write and nothing written: the input ended before the stream.
            return Err(WapError::Inflate);
        }
    }
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

    #[test]
    fn a_body_at_the_limit_unpacks_and_one_byte_more_does_not() {
        let body = vec![7; MAX_BODY];
        assert!(inflate(&packed(&body)).is_ok_and(|unpacked| unpacked == body));
        let bomb = packed(&vec![7; MAX_BODY + 1]);
        assert_eq!(inflate(&bomb), Err(WapError::TooMuch("bytes")));
    }

    #[test]
    fn an_unfinished_stream_is_refused_even_when_only_its_checksum_misses() {
        let whole = packed(b"the quick brown fox jumps over the lazy dog");
        for len in 0..whole.len() {
            assert_eq!(inflate(&whole[..len]), Err(WapError::Inflate));
        }
    }

    #[test]
    fn a_damaged_checksum_is_refused() {
        let mut whole = packed(b"body");
        *whole.last_mut().unwrap() ^= 1;
        assert_eq!(inflate(&whole), Err(WapError::Inflate));
    }
}
