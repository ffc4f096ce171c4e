//! The keys of one blob.

use crate::crypto::symmetric::hkdf_sha256;
use crate::media::MediaKind;
use crate::secret::Secret;

/// What a media key expands to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Keys {
    /// Initialisation vector of the cipher, also under the MAC.
    pub iv: Secret<16>,
    /// Key of the cipher.
    pub cipher: Secret<32>,
    /// Key of the MAC.
    pub mac: Secret<32>,
    /// Derived and of no use to us.
    pub reference: Secret<32>,
}

impl Keys {
    /// The keys of a blob of `kind` under `media_key`.
    pub fn expand(media_key: &Secret<32>, kind: MediaKind) -> Self {
        let okm: Secret<112> = Secret::new(hkdf_sha256(
            media_key.expose(),
            None,
            kind.info().as_bytes(),
        ));
        let [a, b, c, d] = [0..16, 16..48, 48..80, 80..112].map(|range| &okm.expose()[range]);
        Self {
            iv: part(a),
            cipher: part(b),
            mac: part(c),
            reference: part(d),
        }
    }
}

/// A part of the right length; the ranges are above.
fn part<const N: usize>(bytes: &[u8]) -> Secret<N> {
    let mut out = [0; N];
    out.copy_from_slice(bytes);
    Secret::new(out)
}
