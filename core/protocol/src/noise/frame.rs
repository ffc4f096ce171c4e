//! Length framing over a byte stream (spec: section 1.2).
//!
//! ```text
//! frame = length u24 big endian, payload
//! ```
//! Frames and socket messages have nothing to do with each other: one message may hold several frames
//! or a part of one.

use super::LinkError;

/// The largest payload that three bytes can announce.
pub const MAX_FRAME: usize = (1 << 24) - 1;

const HEADER: usize = 3;

/// Prepends the length; `payload` follows `prefix` directly.
pub(super) fn frame(prefix: &[u8], payload: &[u8]) -> Result<Vec<u8>, LinkError> {
    let too_large = LinkError::FrameTooLarge { len: payload.len() };
    let len = u32::try_from(payload.len()).map_err(|_| too_large.clone())?;
    let [0, length @ ..] = len.to_be_bytes() else {
        return Err(too_large);
    };
    Ok([prefix, &length, payload].concat())
}

/// Cuts received bytes into frames. Memory follows what arrived, never what a length announces.
#[derive(Default)]
pub(super) struct Deframer {
    received: Vec<u8>,
    /// Bytes of `received` that were handed out.
    taken: usize,
}

impl Deframer {
    /// Takes over the next bytes of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.received.drain(..self.taken);
        self.taken = 0;
        self.received.extend_from_slice(bytes);
    }

    /// The next whole frame; empty frames are skipped. Fails as soon as a frame announces more than
    /// `limit`.
    pub(super) fn next(&mut self, limit: usize) -> Result<Option<&[u8]>, LinkError> {
        loop {
            let rest = self.received.get(self.taken..).unwrap_or_default();
            let Some(&[high, mid, low]) = rest.first_chunk() else {
                self.release();
                return Ok(None);
            };
            let len = usize::from(high) << 16 | usize::from(mid) << 8 | usize::from(low);
            if len > limit {
                return Err(LinkError::FrameTooLarge { len });
            }
            if rest.len() < HEADER + len {
                return Ok(None);
            }
            let start = self.taken + HEADER;
            self.taken = start + len;
            if len > 0 {
                return Ok(self.received.get(start..self.taken));
            }
        }
    }

    /// Gives the room of a large frame back once nothing is left of it.
    fn release(&mut self) {
        const KEPT: usize = 4096;
        if self.taken == self.received.len() {
            self.received.clear();
            self.received.shrink_to(KEPT);
            self.taken = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three frames, one of them empty, as one stream.
    fn stream() -> Vec<u8> {
        [b"first".to_vec(), Vec::new(), vec![7; 300]]
            .iter()
            .flat_map(|payload| frame(&[], payload).unwrap())
            .collect()
    }

    fn all(deframer: &mut Deframer) -> Vec<Vec<u8>> {
        core::iter::from_fn(|| deframer.next(MAX_FRAME).unwrap().map(<[u8]>::to_vec)).collect()
    }

    #[test]
    fn any_split_of_the_stream_gives_the_same_frames() {
        let stream = stream();
        for at in 0..=stream.len() {
            let mut deframer = Deframer::default();
            deframer.push(&stream[..at]);
            let mut frames = all(&mut deframer);
            deframer.push(&stream[at..]);
            frames.extend(all(&mut deframer));
            assert_eq!(frames, [b"first".to_vec(), vec![7; 300]]);
        }
    }

    #[test]
    fn single_bytes_give_the_same_frames() {
        let mut deframer = Deframer::default();
        let mut frames = Vec::new();
        for byte in stream() {
            deframer.push(&[byte]);
            frames.extend(all(&mut deframer));
        }
        assert_eq!(frames, [b"first".to_vec(), vec![7; 300]]);
    }

    #[test]
    fn an_announced_length_reserves_nothing() {
        let mut deframer = Deframer::default();
        deframer.push(&[0xff, 0xff, 0xff, 1]);
        assert_eq!(deframer.next(MAX_FRAME), Ok(None));
        assert!(deframer.received.capacity() < 64);
    }

    #[test]
    fn the_room_of_a_large_frame_is_given_back() {
        let mut deframer = Deframer::default();
        deframer.push(&frame(&[], &vec![1; 1 << 20]).unwrap());
        assert_eq!(all(&mut deframer).len(), 1);
        assert!(deframer.received.capacity() <= 4096);
    }

    #[test]
    fn more_than_the_limit_fails_before_it_arrived() {
        let mut deframer = Deframer::default();
        deframer.push(&[0, 1, 1]);
        let error = LinkError::FrameTooLarge { len: 257 };
        assert_eq!(deframer.next(256), Err(error));
    }

    #[test]
    fn a_payload_beyond_three_length_bytes_is_refused() {
        assert!(frame(&[], &vec![0; MAX_FRAME]).is_ok());
        let error = LinkError::FrameTooLarge { len: 1 << 24 };
        assert_eq!(frame(&[], &vec![0; 1 << 24]), Err(error));
    }
}
