//! The server's certificate chain (spec: section 2.5).
//!
//! ```text
//! CertChain { leaf, intermediate }, each { details, XEdDSA signature over details }
//! details   { serial, issuer serial, key, not before, not after }
//! root key -> intermediate -> leaf; the leaf's key is the static key of the handshake
//! ```

use core::fmt;

use prost::Message;

use crate::crypto::curve::PublicKey;
use crate::crypto::symmetric::ct_eq;
use crate::pb::{CertChain, CertificateDetails, NoiseCertificate};
use crate::time::UnixSeconds;

/// Which certificate of the chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a chain has exactly these two")]
pub enum Certificate {
    /// Signed by the root.
    Intermediate,
    /// Signed by the intermediate; holds the server's static key.
    Leaf,
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Intermediate => "intermediate",
            Self::Leaf => "leaf",
        })
    }
}

/// Why a chain does not prove that we talk to WhatsApp.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CertError {
    /// The issuer's key did not make this signature.
    #[error("the signature of the {0} certificate is wrong")]
    BadSignature(Certificate),
    /// Past its end by more than the tolerance. Often our own clock.
    #[error("the {which} certificate expired at {not_after} and it is {now}; check the clock")]
    Expired {
        /// Which one.
        which: Certificate,
        /// Its end.
        not_after: UnixSeconds,
        /// Our clock.
        now: UnixSeconds,
    },
    /// The leaf names another issuer than the intermediate beside it.
    #[error("the leaf was issued by {found}, the intermediate is {expected}")]
    IssuerMismatch {
        /// Serial of the intermediate.
        expected: u32,
        /// Issuer serial of the leaf.
        found: u32,
    },
    /// The leaf belongs to another server than the one that did the handshake.
    #[error("the leaf certificate is not for the key of this handshake")]
    LeafIsNotStaticKey,
    /// A part is missing, does not decode or has the wrong length.
    #[error("the {0} certificate is malformed")]
    Malformed(Certificate),
    /// Before its start by more than the tolerance. Often our own clock.
    #[error("the {which} certificate begins at {not_before} and it is {now}; check the clock")]
    NotYetValid {
        /// Which one.
        which: Certificate,
        /// Its start.
        not_before: UnixSeconds,
        /// Our clock.
        now: UnixSeconds,
    },
    /// The bytes are no chain.
    #[error("the payload of the server's hello is not a certificate chain")]
    NotAChain,
    /// The intermediate was not issued by the root.
    #[error("the intermediate certificate was issued by {issuer}, not by the root")]
    WrongRoot {
        /// Issuer serial of the intermediate.
        issuer: u32,
    },
}

/// Whom we trust and when it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trust {
    pub(super) root: PublicKey,
    pub(super) now: UnixSeconds,
    /// Seconds that our clock may be off; negative counts as none.
    pub(super) tolerance: i64,
}

/// Checks that `chain` leads from the root to `static_key` and is valid now.
pub(super) fn verify(chain: &[u8], static_key: &[u8], trust: &Trust) -> Result<(), CertError> {
    let chain = CertChain::decode(chain).map_err(|_| CertError::NotAChain)?;
    let intermediate = Signed::parse(Certificate::Intermediate, chain.intermediate)?;
    let leaf = Signed::parse(Certificate::Leaf, chain.leaf)?;
    if intermediate.issuer != ROOT_SERIAL {
        return Err(CertError::WrongRoot {
            issuer: intermediate.issuer,
        });
    }
    intermediate.check_signature(&trust.root)?;
    if leaf.issuer != intermediate.serial {
        return Err(CertError::IssuerMismatch {
            expected: intermediate.serial,
            found: leaf.issuer,
        });
    }
    leaf.check_signature(&intermediate.key)?;
    if !ct_eq(leaf.key.as_bytes(), static_key) {
        return Err(CertError::LeafIsNotStaticKey);
    }
    intermediate.check_time(trust)?;
    leaf.check_time(trust)
}

const ROOT_SERIAL: u32 = 0;

struct Signed {
    which: Certificate,
    details: Vec<u8>,
    signature: [u8; 64],
    serial: u32,
    issuer: u32,
    key: PublicKey,
    not_before: UnixSeconds,
    not_after: UnixSeconds,
}

impl Signed {
    fn parse(which: Certificate, certificate: Option<NoiseCertificate>) -> Result<Self, CertError> {
        Self::try_parse(which, certificate).ok_or(CertError::Malformed(which))
    }

    fn try_parse(which: Certificate, certificate: Option<NoiseCertificate>) -> Option<Self> {
        let NoiseCertificate { details, signature } = certificate?;
        let details = details?;
        let CertificateDetails {
            serial,
            issuer_serial,
            key,
            not_before,
            not_after,
        } = CertificateDetails::decode(&details[..]).ok()?;
        Some(Self {
            which,
            signature: signature?.try_into().ok()?,
            serial: serial?,
            // The root's serial is 0, which an encoder may leave out; the signature decides anyway.
            issuer: issuer_serial.unwrap_or(ROOT_SERIAL),
            key: PublicKey::from_raw(&key?)?,
            not_before: UnixSeconds(not_before?.try_into().ok()?),
            not_after: UnixSeconds(not_after?.try_into().ok()?),
            details,
        })
    }

    fn check_signature(&self, issuer: &PublicKey) -> Result<(), CertError> {
        match issuer.verify(&self.details, &self.signature) {
            true => Ok(()),
            false => Err(CertError::BadSignature(self.which)),
        }
    }

    fn check_time(&self, trust: &Trust) -> Result<(), CertError> {
        let (which, now, tolerance) = (self.which, trust.now, trust.tolerance.max(0));
        if now.plus(tolerance) < self.not_before {
            return Err(CertError::NotYetValid {
                which,
                not_before: self.not_before,
                now,
            });
        }
        if self.not_after.plus(tolerance) < now {
            return Err(CertError::Expired {
                which,
                not_after: self.not_after,
                now,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::curve::KeyPair;
    use crate::testkit::Seeded;

    /// A server with a chain that the tests bend before it is signed.
    struct Authority {
        root: KeyPair,
        issuer: KeyPair,
        server: KeyPair,
        intermediate: CertificateDetails,
        leaf: CertificateDetails,
        rng: Seeded,
    }

    const START: u64 = 1_700_000_000;
    const END: u64 = 1_700_100_000;

    impl Authority {
        fn new() -> Self {
            let mut rng = Seeded::new(1);
            let [root, issuer, server] = [(); 3].map(|()| KeyPair::generate(&mut rng));
            let details = |serial, issuer, key: &KeyPair| CertificateDetails {
                serial: Some(serial),
                issuer_serial: Some(issuer),
                key: Some(key.public.as_bytes().to_vec()),
                not_before: Some(START),
                not_after: Some(END),
            };
            Self {
                intermediate: details(3, 0, &issuer),
                leaf: details(9, 3, &server),
                root,
                issuer,
                server,
                rng,
            }
        }

        fn chain(&mut self) -> CertChain {
            let mut sign = |by: &KeyPair, details: &CertificateDetails| {
                let details = details.encode_to_vec();
                Some(NoiseCertificate {
                    signature: Some(by.private.sign(&mut self.rng, &details).to_vec()),
                    details: Some(details),
                })
            };
            CertChain {
                leaf: sign(&self.issuer, &self.leaf),
                intermediate: sign(&self.root, &self.intermediate),
            }
        }

        fn check_at(&self, chain: &CertChain, now: u64, tolerance: i64) -> Result<(), CertError> {
            let trust = Trust {
                root: self.root.public,
                now: UnixSeconds(now.try_into().unwrap()),
                tolerance,
            };
            verify(
                &chain.encode_to_vec(),
                self.server.public.as_bytes(),
                &trust,
            )
        }

        fn check(&mut self) -> Result<(), CertError> {
            let chain = self.chain();
            self.check_at(&chain, START, 0)
        }
    }

    #[test]
    fn a_sound_chain_is_trusted() {
        assert_eq!(Authority::new().check(), Ok(()));
    }

    #[test]
    fn a_changed_signature_or_another_signer_is_refused() {
        let mut server = Authority::new();
        let sound = server.chain();
        for (which, part) in [(Certificate::Intermediate, 0), (Certificate::Leaf, 1)] {
            let mut chain = sound.clone();
            let parts = [&mut chain.intermediate, &mut chain.leaf];
            parts[part].as_mut().unwrap().signature.as_mut().unwrap()[5] ^= 1;
            let result = server.check_at(&chain, START, 0);
            assert_eq!(result, Err(CertError::BadSignature(which)));
        }
        server.root = server.issuer.clone();
        let result = server.check_at(&sound, START, 0);
        assert_eq!(
            result,
            Err(CertError::BadSignature(Certificate::Intermediate))
        );
    }

    #[test]
    fn an_intermediate_that_the_root_did_not_issue_is_refused() {
        let mut server = Authority::new();
        server.intermediate.issuer_serial = Some(4);
        assert_eq!(server.check(), Err(CertError::WrongRoot { issuer: 4 }));
    }

    #[test]
    fn a_leaf_of_another_issuer_is_refused() {
        let mut server = Authority::new();
        server.leaf.issuer_serial = Some(4);
        let (expected, found) = (3, 4);
        assert_eq!(
            server.check(),
            Err(CertError::IssuerMismatch { expected, found })
        );
    }

    #[test]
    fn a_leaf_for_another_key_is_refused() {
        let mut server = Authority::new();
        server.leaf.key = Some(vec![9; 32]);
        assert_eq!(server.check(), Err(CertError::LeafIsNotStaticKey));
    }

    #[test]
    fn validity_includes_its_ends_and_the_tolerance() {
        let mut server = Authority::new();
        let chain = server.chain();
        for (now, tolerance) in [(START, 0), (END, 0), (START - 60, 60), (END + 60, 60)] {
            assert_eq!(server.check_at(&chain, now, tolerance), Ok(()));
        }
        for (now, tolerance) in [(START - 1, 0), (START - 61, 60), (START - 1, -5)] {
            let result = server.check_at(&chain, now, tolerance);
            assert!(matches!(result, Err(CertError::NotYetValid { .. })));
        }
        for (now, tolerance) in [(END + 1, 0), (END + 61, 60), (END + 1, -5)] {
            let result = server.check_at(&chain, now, tolerance);
            assert!(matches!(result, Err(CertError::Expired { .. })));
        }
    }

    #[test]
    fn each_certificate_has_its_own_validity() {
        let mut server = Authority::new();
        server.intermediate.not_after = Some(START - 1);
        let expired = CertError::Expired {
            which: Certificate::Intermediate,
            not_after: UnixSeconds(1_699_999_999),
            now: UnixSeconds(1_700_000_000),
        };
        assert_eq!(server.check(), Err(expired));
        let mut server = Authority::new();
        server.leaf.not_before = Some(START + 1);
        let early = CertError::NotYetValid {
            which: Certificate::Leaf,
            not_before: UnixSeconds(1_700_000_001),
            now: UnixSeconds(1_700_000_000),
        };
        assert_eq!(server.check(), Err(early));
    }

    #[test]
    fn missing_parts_are_malformed_and_other_bytes_no_chain() {
        let mut server = Authority::new();
        server.leaf.key = Some(vec![9; 31]);
        assert_eq!(server.check(), Err(CertError::Malformed(Certificate::Leaf)));
        let mut server = Authority::new();
        server.intermediate.not_after = None;
        let malformed = CertError::Malformed(Certificate::Intermediate);
        assert_eq!(server.check(), Err(malformed));
        let empty = server.check_at(&CertChain::default(), START, 0);
        assert_eq!(empty, Err(malformed));
        let trust = Trust {
            root: server.root.public,
            now: UnixSeconds(0),
            tolerance: 0,
        };
        assert_eq!(
            verify(&[0xff; 9], &[0; 32], &trust),
            Err(CertError::NotAChain)
        );
    }
}
