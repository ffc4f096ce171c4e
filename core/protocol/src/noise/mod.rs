//! The link to the server: socket bytes in, stanza bytes out, and back (spec: sections 1 and 2).
//!
//! ```text
//! first bytes   [ "ED" 00 01, length u24, routing info ] "WA" 06 03, frame(clientHello)
//! then          frame(serverHello) <-   -> frame(clientFinish)
//! then          frame(AES-256-GCM(flag byte, node))  in both directions
//! ```
//! A [`Link`] belongs to one connection. Its write counter is the nonce, so the frames must reach the
//! socket in the order in which [`Link::seal`] made them, and after any failure, here or on the socket,
//! the link is finished: make another for the next connection.

mod cert;
mod frame;
mod handshake;
mod resolver;
mod transport;

use core::fmt;
use core::mem;

use self::cert::Trust;
pub use self::cert::{CertError, Certificate};
use self::frame::Deframer;
pub use self::frame::MAX_FRAME;
use self::handshake::{AwaitingHello, PROLOGUE};
use self::transport::Transport;
use crate::crypto::curve::{KeyPair, PublicKey};
use crate::secret::Entropy;
use crate::time::UnixSeconds;

/// What a link needs to know before it starts.
#[derive(Clone)]
pub struct LinkConfig {
    /// The key that signs the server's certificates.
    pub root_key: [u8; 32],
    /// Seconds that our clock may be off when certificates are checked.
    pub clock_tolerance: i64,
    /// Our static key, made once per device.
    pub static_key: KeyPair,
    /// `ClientPayload`: who logs in or registers.
    pub payload: Vec<u8>,
    /// What the server told us to present on the next connect; `None` leaves the prefix out.
    pub routing: Option<Vec<u8>>,
}

impl fmt::Debug for LinkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkConfig")
            .field("clock_tolerance", &self.clock_tolerance)
            .field("payload", &self.payload.len())
            .field("routing", &self.routing.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

/// What came of received bytes, in order.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum LinkOutput {
    /// The handshake is over and the server is who it claims to be; stanzas may be sealed. Whether it
    /// accepts us is the first stanza's business.
    Established,
    /// A decrypted frame: flag byte and node. May be empty, which is nobody's node.
    Stanza(Vec<u8>),
    /// Bytes for the socket.
    Write(Vec<u8>),
}

impl fmt::Debug for LinkOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Established => f.write_str("Established"),
            Self::Stanza(bytes) => write!(f, "Stanza({} bytes)", bytes.len()),
            Self::Write(bytes) => write!(f, "Write({} bytes)", bytes.len()),
        }
    }
}

/// Why a link is finished.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Something that cannot happen did.
    #[error("bug in sendpath: {0}")]
    Bug(&'static str),
    /// The server's certificates do not prove that it is WhatsApp.
    #[error(transparent)]
    Certificate(#[from] CertError),
    /// 2^32 - 1 frames went one way; the next connection starts anew.
    #[error("the frame counter is used up; reconnect")]
    CounterExhausted,
    /// The link failed before; this call did nothing.
    #[error("the link failed before; reconnect")]
    Dead,
    /// A frame or a part of the handshake is not what the peer sealed for this place.
    #[error("a frame does not decrypt")]
    Decrypt,
    /// There was nothing to seal: the node does not fit the binary format.
    #[error("there is nothing to seal")]
    Empty,
    /// A frame over 16777215 bytes, or over 65535 during the handshake.
    #[error("a frame of {len} bytes is too large")]
    FrameTooLarge {
        /// Bytes of its payload.
        len: usize,
    },
    /// A handshake message does not decode, lacks a part or has one of the wrong length.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// A stanza was sealed before the handshake was over.
    #[error("the handshake is not over yet")]
    NotEstablished,
    /// The server's key leads to an all-zero secret.
    #[error("the server presented a key of low order")]
    WeakKey,
}

/// One encrypted connection, without the socket.
pub struct Link {
    state: State,
    incoming: Deframer,
}

enum State {
    Dead,
    Established(Transport),
    Handshake(Box<(AwaitingHello, LinkConfig)>),
}

impl Link {
    /// A link and the bytes that open the stream, for one socket message.
    pub fn new(config: LinkConfig, rng: &mut dyn Entropy) -> (Self, Vec<u8>) {
        match Self::start(config, rng) {
            Ok(started) => started,
            // Only a bug leads here: no input can. Whatever is called next reports it.
            Err(_) => (Self::with_state(State::Dead), Vec::new()),
        }
    }

    fn start(config: LinkConfig, rng: &mut dyn Entropy) -> Result<(Self, Vec<u8>), LinkError> {
        let (stage, hello) = AwaitingHello::start(&config.static_key, rng)?;
        let mut first = config
            .routing
            .as_deref()
            .map_or_else(Vec::new, routing_prefix);
        first.extend(PROLOGUE);
        let first = frame::frame(&first, &hello)?;
        let state = State::Handshake(Box::new((stage, config)));
        Ok((Self::with_state(state), first))
    }

    fn with_state(state: State) -> Self {
        Self {
            state,
            incoming: Deframer::default(),
        }
    }

    /// Takes bytes from the socket, cut anywhere. `now` is our clock, for the certificates.
    ///
    /// On failure the link is dead, and what the same bytes held before the failing frame is lost: it
    /// was never acknowledged, so the server sends it again.
    pub fn receive(
        &mut self,
        now: UnixSeconds,
        bytes: &[u8],
    ) -> Result<Vec<LinkOutput>, LinkError> {
        let result = self.advance(now, bytes);
        if result.is_err() {
            self.state = State::Dead;
        }
        result
    }

    fn advance(&mut self, now: UnixSeconds, bytes: &[u8]) -> Result<Vec<LinkOutput>, LinkError> {
        if matches!(self.state, State::Dead) {
            return Err(LinkError::Dead);
        }
        self.incoming.push(bytes);
        let mut outputs = Vec::new();
        while let Some(frame) = self.incoming.next(self.state.frame_limit())? {
            match &mut self.state {
                State::Dead => return Err(LinkError::Dead),
                State::Established(transport) => {
                    outputs.push(LinkOutput::Stanza(transport.open(frame)?));
                }
                State::Handshake(_) => {
                    let finish = self.state.finish(now, frame)?;
                    outputs.push(LinkOutput::Write(finish));
                    outputs.push(LinkOutput::Established);
                }
            }
        }
        Ok(outputs)
    }

    /// Seals `stanza` (flag byte and node) as the next frame, length included. Hand the frames to the
    /// socket in the order of these calls, and make no more of them after a failed write.
    pub fn seal(&mut self, stanza: &[u8]) -> Result<Vec<u8>, LinkError> {
        let result = self.state.seal(stanza);
        if result.is_err() {
            self.state = State::Dead;
        }
        result
    }

    /// Whether the handshake is over and nothing failed.
    pub const fn is_established(&self) -> bool {
        matches!(self.state, State::Established(_))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Dead => "Link(dead)",
            State::Established(_) => "Link(established)",
            State::Handshake(_) => "Link(handshake)",
        })
    }
}

impl State {
    /// The largest frame we take in this state.
    const fn frame_limit(&self) -> usize {
        /// The longest Noise message; a stranger gets no more memory than that.
        const HANDSHAKE: usize = 65_535;
        match self {
            Self::Dead | Self::Handshake(_) => HANDSHAKE,
            Self::Established(_) => MAX_FRAME,
        }
    }

    /// Ends the handshake with the server's hello; gives the bytes of our last message.
    fn finish(&mut self, now: UnixSeconds, hello: &[u8]) -> Result<Vec<u8>, LinkError> {
        let Self::Handshake(handshake) = mem::replace(self, Self::Dead) else {
            return Err(LinkError::Bug("the handshake was over already"));
        };
        let (stage, config) = *handshake;
        let trust = Trust {
            root: PublicKey::new(config.root_key),
            now,
            tolerance: config.clock_tolerance,
        };
        let (finish, transport) = stage.finish(hello, &trust, &config.payload)?;
        *self = Self::Established(transport);
        frame::frame(&[], &finish)
    }

    fn seal(&mut self, stanza: &[u8]) -> Result<Vec<u8>, LinkError> {
        const TAG: usize = 16;
        match self {
            Self::Dead => Err(LinkError::Dead),
            Self::Handshake(_) => Err(LinkError::NotEstablished),
            Self::Established(_) if stanza.is_empty() => Err(LinkError::Empty),
            Self::Established(_) if stanza.len() > MAX_FRAME - TAG => {
                Err(LinkError::FrameTooLarge { len: stanza.len() })
            }
            Self::Established(transport) => frame::frame(&[], &transport.seal(stanza)?),
        }
    }
}

/// `ED`, 0, 1, the length and the bytes; nothing when there is nothing that fits.
fn routing_prefix(routing: &[u8]) -> Vec<u8> {
    if routing.is_empty() {
        return Vec::new();
    }
    frame::frame(b"ED\x00\x01", routing).unwrap_or_default()
}
