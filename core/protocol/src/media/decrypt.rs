//! The file of a server in, plain bytes out, in pieces of any size.
//!
//! Plain bytes come out before the MAC at the end of the file has been seen. Until
//! [`Decryptor::finish`] has said `Ok` they are whatever the server, or somebody between, wanted them
//! to be: a caller may keep them (in memory, in a file nobody else reads) and must not look into them,
//! act on them or show them, and must throw them away when it says `Err`.

use aes::Aes256;
use cbc::cipher::array::Array;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::crypto::symmetric::ct_eq;
use crate::media::encrypt::{keyed, wide};
use crate::media::{Keys, MAC_BYTES, MediaKind, PIECE};
use crate::secret::Secret;

const BLOCK: usize = 16;

/// The last block and the MAC are held back: they show their meaning at the end only.
const TAIL: usize = BLOCK + MAC_BYTES;

/// What is wrong with a file. Everything but [`Damage::TooLong`] shows at its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// Its SHA-256 is not the announced one.
    #[error("the file is not the announced one")]
    FileHash,
    /// No file has that many bytes: it was cut off.
    #[error("the file is cut off")]
    Length,
    /// Its MAC is wrong.
    #[error("the file's MAC is wrong")]
    Mac,
    /// Its padding is wrong, although its MAC is right.
    #[error("the file's padding is wrong")]
    Padding,
    /// The SHA-256 of the plain bytes is not the announced one.
    #[error("the content is not the announced one")]
    PlainHash,
    /// It is longer than is taken.
    #[error("the file is longer than {most} bytes")]
    TooLong {
        /// Bytes that are taken.
        most: u64,
    },
}

/// What a file must be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Expected {
    /// SHA-256 of the file.
    pub file_enc_sha256: [u8; 32],
    /// SHA-256 of the plain bytes; `None` when nobody said.
    pub file_sha256: Option<[u8; 32]>,
    /// The longest file that is taken, in bytes.
    pub most: u64,
}

/// Decrypts and verifies one file. Memory: what is pushed at once.
pub struct Decryptor {
    cipher: cbc::Decryptor<Aes256>,
    mac: Hmac<Sha256>,
    file: Sha256,
    plain: Sha256,
    /// Bytes of the file that were not decrypted yet.
    held: Vec<u8>,
    read: u64,
    expected: Expected,
}

impl Decryptor {
    /// Starts a file of `kind`.
    pub fn new(media_key: &Secret<32>, kind: MediaKind, expected: Expected) -> Self {
        let keys = Keys::expand(media_key, kind);
        let mut mac = keyed(&keys.mac);
        mac.update(keys.iv.expose());
        Self {
            cipher: cbc::Decryptor::new(keys.cipher.expose().into(), keys.iv.expose().into()),
            mac,
            file: Sha256::new(),
            plain: Sha256::new(),
            held: Vec::new(),
            read: 0,
            expected,
        }
    }

    /// Takes the next bytes of the file and appends plain bytes to `out`, which are not verified yet.
    ///
    /// # Errors
    /// [`Damage::TooLong`].
    pub fn push(&mut self, file: &[u8], out: &mut Vec<u8>) -> Result<(), Damage> {
        self.read = self.read.saturating_add(wide(file.len()));
        if self.read > self.expected.most {
            let most = self.expected.most;
            return Err(Damage::TooLong { most });
        }
        self.file.update(file);
        for piece in file.chunks(PIECE) {
            self.held.extend_from_slice(piece);
            let whole = self.held.len().saturating_sub(TAIL) / BLOCK * BLOCK;
            let start = out.len();
            out.extend(self.held.drain(..whole));
            self.decrypt(&mut out[start..]);
            self.plain.update(&out[start..]);
        }
        Ok(())
    }

    /// Ends the file: verifies all of it and appends the last plain bytes to `out`.
    ///
    /// # Errors
    /// What is wrong with the file; everything that came out is worthless then.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), Damage> {
        let digest: [u8; 32] = self.file.finalize_reset().into();
        let cut = self.held.len() < TAIL || !(self.held.len() - MAC_BYTES).is_multiple_of(BLOCK);
        if cut {
            return Err(Damage::Length);
        }
        if !ct_eq(&digest, &self.expected.file_enc_sha256) {
            return Err(Damage::FileHash);
        }
        let mac = self.held.split_off(self.held.len() - MAC_BYTES);
        let mut last = Zeroizing::new(std::mem::take(&mut self.held));
        self.decrypt(&mut last);
        let found = self.mac.finalize().into_bytes();
        if !ct_eq(&found[..MAC_BYTES], &mac) {
            return Err(Damage::Mac);
        }
        let content = unpadded(&last).ok_or(Damage::Padding)?;
        self.plain.update(content);
        let digest: [u8; 32] = self.plain.finalize().into();
        match self.expected.file_sha256 {
            Some(expected) if !ct_eq(&digest, &expected) => Err(Damage::PlainHash),
            _ => {
                out.extend_from_slice(content);
                Ok(())
            }
        }
    }

    fn decrypt(&mut self, blocks: &mut [u8]) {
        self.mac.update(blocks);
        let (whole, _) = Array::slice_as_chunks_mut(blocks);
        self.cipher.decrypt_blocks(whole);
    }
}

/// Without the PKCS#7 padding. The MAC is right by now, so nobody learns from the difference.
fn unpadded(last: &[u8]) -> Option<&[u8]> {
    let count = usize::from(*last.last()?);
    let content = last.len().checked_sub(count)?;
    let good = (1..=BLOCK).contains(&count)
        && last[content..]
            .iter()
            .all(|byte| usize::from(*byte) == count);
    good.then(|| &last[..content])
}
