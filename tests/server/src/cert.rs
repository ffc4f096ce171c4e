//! The certificate chain: root key -> intermediate -> leaf, valid around the server's time.
//!
//! Source: spec 2.5. The root is serial 0 and never travels; tests hand its public key to clients.

use prost::Message;
use sendpath_protocol::crypto::curve::KeyPair;
use sendpath_protocol::secret::Entropy;
use sendpath_protocol::time::UnixSeconds;
use serde::{Deserialize, Serialize};

use crate::schema::{CertChain, CertificateDetails, NoiseCertificate};

const DAY: i64 = 24 * 3600;
const INTERMEDIATE_SERIAL: u32 = 3;
const LEAF_SERIAL: u32 = 329;

/// What is wrong with the chain that the server presents.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CertFault {
    /// The intermediate's signature is damaged.
    BadIntermediateSignature,
    /// The leaf's signature is damaged.
    BadLeafSignature,
    /// The leaf ended ten days ago.
    Expired,
    /// The intermediate ended ten days ago.
    IntermediateExpired,
    /// The leaf names another key than the server's static key.
    LeafIsNotStaticKey,
    /// Nothing.
    #[default]
    None,
    /// The leaf begins in ten days.
    NotYetValid,
    /// The leaf names another issuer than the intermediate.
    WrongIssuer,
    /// The intermediate is signed by another root.
    WrongRoot,
}

/// The signing keys and the server's static key.
#[derive(Clone)]
pub struct Authority {
    root: KeyPair,
    other_root: KeyPair,
    intermediate: KeyPair,
    static_key: KeyPair,
}

impl Authority {
    /// Fresh keys.
    pub fn generate(rng: &mut dyn Entropy) -> Self {
        Self {
            root: KeyPair::generate(rng),
            other_root: KeyPair::generate(rng),
            intermediate: KeyPair::generate(rng),
            static_key: KeyPair::generate(rng),
        }
    }

    /// What clients must trust.
    pub fn root_key(&self) -> [u8; 32] {
        *self.root.public.as_bytes()
    }

    /// The server's Noise key.
    pub const fn static_key(&self) -> &KeyPair {
        &self.static_key
    }

    /// The encoded chain as of `now`, wrong in the way that `fault` asks for.
    pub fn chain(&self, rng: &mut dyn Entropy, now: UnixSeconds, fault: CertFault) -> Vec<u8> {
        let root = match fault {
            CertFault::WrongRoot => &self.other_root,
            _ => &self.root,
        };
        let intermediate = CertificateDetails {
            serial: Some(INTERMEDIATE_SERIAL),
            issuer_serial: Some(0),
            key: Some(self.intermediate.public.as_bytes().to_vec()),
            ..validity(match fault {
                CertFault::IntermediateExpired => (now.plus(-400 * DAY), now.plus(-10 * DAY)),
                _ => (now.plus(-60 * DAY), now.plus(600 * DAY)),
            })
        };
        let leaf = CertificateDetails {
            serial: Some(LEAF_SERIAL),
            issuer_serial: Some(match fault {
                CertFault::WrongIssuer => INTERMEDIATE_SERIAL + 1,
                _ => INTERMEDIATE_SERIAL,
            }),
            key: Some(match fault {
                CertFault::LeafIsNotStaticKey => self.intermediate.public.as_bytes().to_vec(),
                _ => self.static_key.public.as_bytes().to_vec(),
            }),
            ..validity(match fault {
                CertFault::Expired => (now.plus(-100 * DAY), now.plus(-10 * DAY)),
                CertFault::NotYetValid => (now.plus(10 * DAY), now.plus(100 * DAY)),
                _ => (now.plus(-30 * DAY), now.plus(90 * DAY)),
            })
        };
        let chain = CertChain {
            leaf: Some(certificate(
                rng,
                &self.intermediate,
                &leaf,
                fault == CertFault::BadLeafSignature,
            )),
            intermediate: Some(certificate(
                rng,
                root,
                &intermediate,
                fault == CertFault::BadIntermediateSignature,
            )),
        };
        chain.encode_to_vec()
    }
}

fn validity((from, until): (UnixSeconds, UnixSeconds)) -> CertificateDetails {
    CertificateDetails {
        not_before: u64::try_from(from.0).ok(),
        not_after: u64::try_from(until.0).ok(),
        ..CertificateDetails::default()
    }
}

fn certificate(
    rng: &mut dyn Entropy,
    issuer: &KeyPair,
    details: &CertificateDetails,
    damaged: bool,
) -> NoiseCertificate {
    let details = details.encode_to_vec();
    let mut signature = issuer.private.sign(rng, &details);
    signature[0] ^= u8::from(damaged);
    NoiseCertificate {
        details: Some(details),
        signature: Some(signature.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use sendpath_protocol::crypto::curve::PublicKey;

    use super::*;
    use crate::rng::SeededRng;

    fn parts(fault: CertFault) -> (Authority, CertChain, CertificateDetails) {
        let mut rng = SeededRng::new(1);
        let authority = Authority::generate(&mut rng);
        let chain = authority.chain(&mut rng, UnixSeconds(1_750_000_000), fault);
        let chain = CertChain::decode(&*chain).unwrap();
        let leaf = chain.leaf.clone().unwrap().details.unwrap();
        (
            authority,
            chain,
            CertificateDetails::decode(&*leaf).unwrap(),
        )
    }

    fn signed_by(key: &PublicKey, certificate: &NoiseCertificate) -> bool {
        let signature = certificate.signature.clone().unwrap();
        key.verify(
            certificate.details.as_ref().unwrap(),
            &signature.try_into().unwrap(),
        )
    }

    #[test]
    fn the_honest_chain_leads_from_the_root_to_the_static_key() {
        let (authority, chain, leaf) = parts(CertFault::None);
        let root = PublicKey::from_raw(&authority.root_key()).unwrap();
        assert!(signed_by(&root, chain.intermediate.as_ref().unwrap()));
        assert!(signed_by(
            &authority.intermediate.public,
            chain.leaf.as_ref().unwrap()
        ));
        assert_eq!(
            leaf.key.unwrap(),
            authority.static_key().public.as_bytes().to_vec()
        );
        assert!(leaf.not_before.unwrap() < 1_750_000_000);
        assert!(leaf.not_after.unwrap() > 1_750_000_000);
    }

    #[test]
    fn each_signature_fault_breaks_its_own_signature_only() {
        for (fault, intermediate, leaf) in [
            (CertFault::WrongRoot, false, true),
            (CertFault::BadIntermediateSignature, false, true),
            (CertFault::BadLeafSignature, true, false),
        ] {
            let (authority, chain, _) = parts(fault);
            let root = PublicKey::from_raw(&authority.root_key()).unwrap();
            let seen = (
                signed_by(&root, chain.intermediate.as_ref().unwrap()),
                signed_by(&authority.intermediate.public, chain.leaf.as_ref().unwrap()),
            );
            assert_eq!(seen, (intermediate, leaf), "{fault:?}");
        }
    }
}
