//! Frames in the byte stream of a client.
//!
//! ```text
//! [45 44 00 01 | u24 length | routing] 57 41 06 03 (u24 length | payload)*
//! ```
//! Source: spec 1.2 and 1.3. WebSocket messages carry any slice of this stream.

use crate::noise::PROLOGUE;

const ROUTING: [u8; 4] = [b'E', b'D', 0, 1];

/// Cuts the stream of one client into frames.
#[derive(Debug, Default)]
pub(crate) struct Deframer {
    buffer: Vec<u8>,
    introduced: bool,
    routing: Option<Vec<u8>>,
}

/// The stream does not begin as it must.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BadIntro;

impl Deframer {
    /// Adds received bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete frame, if there is one. Empty frames are skipped.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, BadIntro> {
        if !self.introduced && !self.intro()? {
            return Ok(None);
        }
        loop {
            let Some(frame) = take_block(&mut self.buffer, 0) else {
                return Ok(None);
            };
            if !frame.is_empty() {
                return Ok(Some(frame));
            }
        }
    }

    /// The routing prefix the client sent, if any.
    pub(crate) fn routing(&self) -> Option<&[u8]> {
        self.routing.as_deref()
    }

    fn intro(&mut self) -> Result<bool, BadIntro> {
        if self.routing.is_none() && self.buffer.starts_with(&ROUTING) {
            match take_block(&mut self.buffer, ROUTING.len()) {
                Some(routing) => self.routing = Some(routing),
                None => return Ok(false),
            }
        }
        let known = self.buffer.len().min(PROLOGUE.len());
        let routing_possible = self.routing.is_none() && ROUTING.starts_with(&self.buffer[..known]);
        if self.buffer[..known] != PROLOGUE[..known] && !routing_possible {
            return Err(BadIntro);
        }
        if known < PROLOGUE.len() {
            return Ok(false);
        }
        self.buffer.drain(..PROLOGUE.len());
        self.introduced = true;
        Ok(true)
    }
}

/// Removes `skip` bytes, a u24 length and that many bytes; returns the latter.
fn take_block(buffer: &mut Vec<u8>, skip: usize) -> Option<Vec<u8>> {
    let header = buffer.get(skip..skip + 3)?;
    let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
    let start = skip + 3;
    let end = start + usize::try_from(length).ok()?;
    let block = buffer.get(start..end)?.to_vec();
    buffer.drain(..end);
    Some(block)
}

/// A frame around `payload`; `None` when it is too long for one.
pub(crate) fn frame(payload: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(payload.len()).ok().filter(|n| *n < 1 << 24)?;
    let mut framed = length.to_be_bytes()[1..].to_vec();
    framed.extend_from_slice(payload);
    Some(framed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(deframer: &mut Deframer) -> Vec<Vec<u8>> {
        core::iter::from_fn(|| deframer.next().unwrap()).collect()
    }

    #[test]
    fn any_cut_of_the_stream_gives_the_same_frames() {
        let mut stream = vec![b'E', b'D', 0, 1, 0, 0, 2, 8, 9, b'W', b'A', 6, 3];
        stream.extend(frame(b"one").unwrap());
        stream.extend(frame(b"").unwrap());
        stream.extend(frame(b"two").unwrap());
        for cut in 0..stream.len() {
            let mut deframer = Deframer::default();
            let mut frames = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                deframer.push(part);
                frames.extend(all(&mut deframer));
            }
            assert_eq!(frames, [b"one".to_vec(), b"two".to_vec()], "cut at {cut}");
            assert_eq!(deframer.routing(), Some(&[8, 9][..]));
        }
    }

    #[test]
    fn another_header_is_refused_at_once() {
        let mut deframer = Deframer::default();
        deframer.push(b"WA\x06\x02");
        assert_eq!(deframer.next(), Err(BadIntro));
    }
}
