//! Wire forms of sender keys.
//!
//! ```text
//! distribution: 33 || SenderKeyDistributionMessage{id, iteration, chainKey, signingKey (typed)}
//! skmsg:        33 || SenderKeyMessage{id, iteration, ciphertext} || XEdDSA 64 over what precedes
//! ```
//!
//! Source: spec section 7.5. Zero iterations are written.

use prost::Message as _;

use crate::crypto::curve::{PrivateKey, PublicKey};
use crate::pb;
use crate::secret::{Entropy, Secret};
use crate::signal::DecryptError;
use crate::signal::message::{body, key, versioned};

/// A sender key as its owner tells it.
#[derive(Clone, Debug)]
pub(super) struct Distribution {
    pub(super) id: u32,
    pub(super) iteration: u32,
    pub(super) chain: Secret<32>,
    pub(super) signing: PublicKey,
}

impl Distribution {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, DecryptError> {
        let body = pb::SenderKeyDistribution::decode(body(bytes)?);
        let body = body.map_err(|_| DecryptError::Malformed)?;
        let chain = body.chain_key.ok_or(DecryptError::Malformed)?;
        Ok(Self {
            id: body.id.ok_or(DecryptError::Malformed)?,
            iteration: body.iteration.ok_or(DecryptError::Malformed)?,
            chain: Secret::from_slice(&chain).ok_or(DecryptError::InvalidKey)?,
            signing: key(body.signing_key)?,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        versioned(&pb::SenderKeyDistribution {
            id: Some(self.id),
            iteration: Some(self.iteration),
            chain_key: Some(self.chain.expose().to_vec()),
            signing_key: Some(self.signing.typed().to_vec()),
        })
    }
}

/// A `skmsg` as it came: fields read, signature not yet checked.
#[derive(Debug)]
pub(super) struct Received<'a> {
    pub(super) id: u32,
    pub(super) iteration: u32,
    pub(super) ciphertext: Vec<u8>,
    signed: &'a [u8],
    signature: &'a [u8; 64],
}

impl<'a> Received<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, DecryptError> {
        let parts = bytes.split_last_chunk::<64>();
        let (signed, signature) = parts.ok_or(DecryptError::Malformed)?;
        let body = pb::SenderKeyMessage::decode(body(signed)?);
        let body = body.map_err(|_| DecryptError::Malformed)?;
        Ok(Self {
            id: body.id.ok_or(DecryptError::Malformed)?,
            iteration: body.iteration.ok_or(DecryptError::Malformed)?,
            ciphertext: body.ciphertext.ok_or(DecryptError::Malformed)?,
            signed,
            signature,
        })
    }

    pub(super) fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.verify(self.signed, self.signature)
    }
}

/// A whole `skmsg`.
pub(super) fn seal(
    rng: &mut dyn Entropy,
    id: u32,
    iteration: u32,
    ciphertext: Vec<u8>,
    signing: &PrivateKey,
) -> Vec<u8> {
    let mut bytes = versioned(&pb::SenderKeyMessage {
        id: Some(id),
        iteration: Some(iteration),
        ciphertext: Some(ciphertext),
    });
    let signature = signing.sign(rng, &bytes);
    bytes.extend(signature);
    bytes
}
