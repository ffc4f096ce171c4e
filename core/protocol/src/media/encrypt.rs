//! Plain bytes in, the file for the server out, in pieces of any size.

use aes::Aes256;
use cbc::cipher::array::Array;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::media::{Keys, MAC_BYTES, MediaKind, PIECE};
use crate::secret::Secret;

const BLOCK: usize = 16;

/// Encrypts one blob. Memory: what is pushed at once, and the sidecar.
pub struct Encryptor {
    cipher: cbc::Encryptor<Aes256>,
    mac: Hmac<Sha256>,
    plain: Sha256,
    file: Sha256,
    /// Plain bytes short of a block.
    rest: Zeroizing<Vec<u8>>,
    plain_bytes: u64,
    file_bytes: u64,
    sidecar: Option<Sidecar>,
}

/// What is known about a blob once all of it is encrypted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sealed {
    /// SHA-256 of the plain bytes.
    pub file_sha256: [u8; 32],
    /// SHA-256 of the file; the server names it by this.
    pub file_enc_sha256: [u8; 32],
    /// Plain bytes.
    pub file_length: u64,
    /// Bytes of the file.
    pub enc_length: u64,
    /// For kinds that are played while they load: a MAC of each 64 KiB.
    pub sidecar: Option<Vec<u8>>,
}

impl Encryptor {
    /// Starts a blob of `kind`. A media key is for one blob only.
    pub fn new(media_key: &Secret<32>, kind: MediaKind) -> Self {
        let keys = Keys::expand(media_key, kind);
        let mut mac = keyed(&keys.mac);
        mac.update(keys.iv.expose());
        Self {
            cipher: cbc::Encryptor::new(keys.cipher.expose().into(), keys.iv.expose().into()),
            mac,
            plain: Sha256::new(),
            file: Sha256::new(),
            rest: Zeroizing::new(Vec::with_capacity(BLOCK)),
            plain_bytes: 0,
            file_bytes: 0,
            sidecar: kind.is_streamed().then(|| Sidecar::new(&keys)),
        }
    }

    /// Takes the next plain bytes and appends what of the file is complete to `out`.
    pub fn push(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        self.plain.update(plain);
        self.plain_bytes = self.plain_bytes.saturating_add(wide(plain.len()));
        let start = out.len();
        out.extend_from_slice(&self.rest);
        out.extend_from_slice(plain);
        let whole = start + (out.len() - start) / BLOCK * BLOCK;
        self.rest.clear();
        self.rest.extend_from_slice(&out[whole..]);
        out.truncate(whole);
        self.encrypt(&mut out[start..]);
    }

    /// Ends the blob: appends the last block and the MAC to `out`.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Sealed {
        let start = out.len();
        out.extend_from_slice(&self.rest);
        let missing = BLOCK - self.rest.len();
        let padding = u8::try_from(missing).unwrap_or(0);
        out.resize(out.len() + missing, padding);
        self.encrypt(&mut out[start..]);
        let mac = &self.mac.finalize().into_bytes()[..MAC_BYTES];
        out.extend_from_slice(mac);
        self.file.update(mac);
        Sealed {
            file_sha256: self.plain.finalize().into(),
            file_enc_sha256: self.file.finalize().into(),
            file_length: self.plain_bytes,
            enc_length: self.file_bytes.saturating_add(wide(MAC_BYTES)),
            sidecar: self.sidecar.map(Sidecar::finish),
        }
    }

    fn encrypt(&mut self, blocks: &mut [u8]) {
        let (whole, _) = Array::slice_as_chunks_mut(blocks);
        self.cipher.encrypt_blocks(whole);
        self.mac.update(blocks);
        self.file.update(&*blocks);
        self.file_bytes = self.file_bytes.saturating_add(wide(blocks.len()));
        if let Some(sidecar) = &mut self.sidecar {
            sidecar.push(blocks);
        }
    }
}

/// `HMAC-SHA256(mac key, window)[..10]` of each window of 64 KiB and 16 bytes of the next one, over
/// `iv || ciphertext`.
struct Sidecar {
    mac: Hmac<Sha256>,
    window: Vec<u8>,
    macs: Vec<u8>,
}

impl Sidecar {
    fn new(keys: &Keys) -> Self {
        Self {
            mac: keyed(&keys.mac),
            window: keys.iv.expose().to_vec(),
            macs: Vec::new(),
        }
    }

    fn push(&mut self, mut blocks: &[u8]) {
        while !blocks.is_empty() {
            let room = PIECE + BLOCK - self.window.len();
            let (now, later) = blocks.split_at(room.min(blocks.len()));
            self.window.extend_from_slice(now);
            blocks = later;
            if self.window.len() == PIECE + BLOCK {
                self.seal();
                self.window.drain(..PIECE);
            }
        }
    }

    fn seal(&mut self) {
        let mut mac = self.mac.clone();
        mac.update(&self.window);
        self.macs
            .extend_from_slice(&mac.finalize().into_bytes()[..MAC_BYTES]);
    }

    fn finish(mut self) -> Vec<u8> {
        if !self.window.is_empty() {
            self.seal();
        }
        self.macs
    }
}

/// An HMAC-SHA256 to be fed in pieces.
#[expect(clippy::expect_used, reason = "HMAC is defined for keys of any length")]
pub(super) fn keyed(key: &Secret<32>) -> Hmac<Sha256> {
    <Hmac<Sha256> as aes_gcm::KeyInit>::new_from_slice(key.expose()).expect("HMAC takes any key")
}

pub(super) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
