//! The start of a session: X3DH, both roles.
//!
//! ```text
//! secret = FF*32 || DH(IKa, SPKb) || DH(EKa, IKb) || DH(EKa, SPKb) [|| DH(EKa, OPKb)]
//! root 32 || chain 32 = HKDF(ikm secret, no salt, "WhisperText", 64)
//! ```
//!
//! Source: X3DH as published by Signal, without the post-quantum part (spec section 7.2).

use zeroize::Zeroizing;

use super::chain::{ChainKey, RootKey, split};
use crate::crypto::curve::{KeyPair, PrivateKey, PublicKey, UnpackedKey};
use crate::crypto::symmetric::hkdf_sha256;
use crate::secret::Secret;

/// What the initiator knows of the other side.
#[derive(Clone, Copy, Debug)]
pub(super) struct TheirKeys {
    pub(super) identity: PublicKey,
    /// Three agreements are with it: two here and the first of the ratchet.
    pub(super) signed_prekey: UnpackedKey,
    pub(super) one_time: Option<PublicKey>,
}

/// Initiator: root and chain for our identity and base key; `None` if a key of theirs is low-order.
pub(super) fn initiate(
    identity: &PrivateKey,
    base: &PrivateKey,
    theirs: &TheirKeys,
) -> Option<(RootKey, ChainKey)> {
    derive([
        Some(identity.agree_with(&theirs.signed_prekey)?),
        Some(base.agree(&theirs.identity)?),
        Some(base.agree_with(&theirs.signed_prekey)?),
        match &theirs.one_time {
            Some(one_time) => Some(base.agree(one_time)?),
            None => None,
        },
    ])
}

/// Our keys that the initiator used.
#[derive(Debug)]
pub(super) struct OurKeys<'a> {
    pub(super) identity: &'a KeyPair,
    pub(super) signed_prekey: &'a KeyPair,
    pub(super) one_time: Option<&'a KeyPair>,
}

/// Responder: the same root and chain; `None` if a key of theirs is low-order.
pub(super) fn respond(
    ours: &OurKeys<'_>,
    identity: &PublicKey,
    base: &PublicKey,
) -> Option<(RootKey, ChainKey)> {
    let base = base.unpack();
    derive([
        Some(ours.signed_prekey.private.agree(identity)?),
        Some(ours.identity.private.agree_with(&base)?),
        Some(ours.signed_prekey.private.agree_with(&base)?),
        match ours.one_time {
            Some(one_time) => Some(one_time.private.agree_with(&base)?),
            None => None,
        },
    ])
}

fn derive(agreements: [Option<Secret<32>>; 4]) -> Option<(RootKey, ChainKey)> {
    let mut secret = Zeroizing::new(Vec::with_capacity(5 * 32));
    secret.extend([0xff; 32]);
    for agreement in agreements.iter().flatten() {
        secret.extend(agreement.expose());
    }
    let okm = Zeroizing::new(hkdf_sha256::<64>(&secret, None, b"WhisperText"));
    let (root, chain) = split(&okm);
    Some((RootKey::new(root), ChainKey::new(chain)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::testdata::{SESSIONS, array, pair, vector};

    #[test]
    fn both_roles_match_the_known_answers() {
        for name in SESSIONS {
            let case = vector(name);
            let [identity, base, ratchet] =
                ["alice_identity", "alice_base", "alice_ratchet"].map(|key| pair(&case, key));
            let [bob, signed_prekey] = ["bob_id", "bob_spk"].map(|key| pair(&case, key));
            let one_time = case["bob_one_time_prekey_id"].as_u64();
            let one_time = one_time.map(|_| pair(&case, "bob_opk"));
            let theirs = TheirKeys {
                identity: bob.public,
                signed_prekey: signed_prekey.public.unpack(),
                one_time: one_time.as_ref().map(|pair| pair.public),
            };
            let ours = OurKeys {
                identity: &bob,
                signed_prekey: &signed_prekey,
                one_time: one_time.as_ref(),
            };
            let (root, chain) = initiate(&identity.private, &base.private, &theirs).unwrap();
            let (mirrored, _) = respond(&ours, &identity.public, &base.public).unwrap();
            assert_eq!(root.secret(), &Secret::new(array(&case, "x3dh_root")));
            assert_eq!(mirrored.secret(), root.secret());
            assert_eq!(chain.key, Secret::new(array(&case, "x3dh_chain")));
            let (root, chain) = root.step(&ratchet.private, &theirs.signed_prekey).unwrap();
            let known = array(&case, "root_after_first_ratchet");
            assert_eq!(root.secret(), &Secret::new(known));
            assert_eq!(chain.key, Secret::new(array(&case, "alice_sending_chain")));
        }
    }

    #[test]
    fn a_low_order_key_starts_no_session() {
        let case = vector(SESSIONS[0]);
        let [identity, base] = ["alice_identity", "alice_base"].map(|key| pair(&case, key));
        let good = TheirKeys {
            identity: identity.public,
            signed_prekey: base.public.unpack(),
            one_time: Some(base.public),
        };
        let zero = PublicKey::new([0; 32]);
        for bad in [
            TheirKeys {
                identity: zero,
                ..good
            },
            TheirKeys {
                signed_prekey: zero.unpack(),
                ..good
            },
            TheirKeys {
                one_time: Some(zero),
                ..good
            },
        ] {
            assert!(initiate(&identity.private, &base.private, &bad).is_none());
        }
        assert!(initiate(&identity.private, &base.private, &good).is_some());
    }
}
