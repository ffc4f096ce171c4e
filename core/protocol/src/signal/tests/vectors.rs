//! The known answers of whole sessions.

use super::*;
use crate::signal::message::PreKeyMessage;
use crate::signal::testdata::{SESSIONS, array, bytes, pair, vector};

/// Gives the listed 32-byte values in order.
struct Listed(Vec<[u8; 32]>);

impl Entropy for Listed {
    fn fill(&mut self, out: &mut [u8]) {
        out.copy_from_slice(&self.0.remove(0));
    }
}

fn vector_parties(case: &serde_json::Value) -> (Party, Party, Bundle) {
    let number = |field: &str| u32::try_from(case[field].as_u64().unwrap()).unwrap();
    let ours = |identity: &str, registration: &str| OwnIdentity {
        identity: pair(case, identity),
        registration_id: number(registration),
    };
    let bob = ours("bob_id", "bob_reg");
    let signed_pair = pair(case, "bob_spk");
    let mut rng = Seeded::new(9);
    let signed = SignedPreKeyRecord {
        id: number("bob_signed_prekey_id"),
        signature: bob
            .identity
            .private
            .sign(&mut rng, &signed_pair.public.typed()),
        pair: signed_pair,
        created: UnixSeconds(0),
    };
    let one_time = case["bob_one_time_prekey_id"]
        .as_u64()
        .map(|_| PreKeyRecord {
            id: number("bob_one_time_prekey_id"),
            pair: pair(case, "bob_opk"),
            uploaded: true,
        });
    let bundle = Bundle {
        registration_id: bob.registration_id,
        identity: bob.identity.public,
        signed_prekey: SignedPreKey {
            id: signed.id,
            key: signed.pair.public,
            signature: signed.signature,
        },
        one_time: one_time.as_ref().map(|record| OneTimePreKey {
            id: record.id,
            key: record.pair.public,
        }),
    };
    let mut bob = Party::with(bob, &signed, rng);
    bob.run(|cx, slot, _| {
        one_time
            .iter()
            .for_each(|record| record.store(&mut cx.txn, slot));
        Ok(())
    });
    let alice = ours("alice_identity", "alice_registration_id");
    let alice = Party::with(alice, &signed, Seeded::new(8));
    (alice, bob, bundle)
}

#[test]
fn whole_sessions_match_the_known_answers() {
    for name in SESSIONS {
        let case = vector(name);
        let (mut alice, mut bob, bundle) = vector_parties(&case);
        let mut keys = Listed(vec![
            array(&case, "alice_base_priv"),
            array(&case, "alice_ratchet_priv"),
        ]);
        let to = bob.address.clone();
        let started = alice.run_with(&mut keys, |cx, slot, ours| {
            establish(cx, slot, ours, &to, &bundle)
        });
        assert_eq!(
            started,
            Ok(Established {
                identity_changed: false
            })
        );
        let messages = case["messages"].as_array().unwrap();
        for known in messages {
            let text = known["plaintext"].as_str().unwrap().as_bytes();
            let mut sealed = alice.encrypt(&bob, text);
            let kind = EncType::parse(known["type"].as_str().unwrap()).unwrap();
            if kind == EncType::Msg {
                let inner = PreKeyMessage::parse(&sealed.bytes).unwrap().message;
                sealed = Ciphertext { kind, bytes: inner };
            }
            assert_eq!((sealed.kind, &sealed.bytes), (kind, &bytes(known, "hex")));
            let mut keys = Listed(vec![array(&case, "bob_ratchet_priv")]);
            let from = alice.address.clone();
            let opened = bob.run_with(&mut keys, |cx, slot, ours| {
                decrypt(cx, slot, ours, &from, sealed.kind, &sealed.bytes)
            });
            assert_eq!(opened.unwrap().plaintext, text);
        }
        assert_eq!(messages.len(), 3);
        let known = &case["bob_reply"];
        let text = known["plaintext"].as_str().unwrap().as_bytes();
        let reply = bob.encrypt(&alice, text);
        assert_eq!(
            (reply.kind, &reply.bytes),
            (EncType::Msg, &bytes(known, "hex"))
        );
        assert_eq!(alice.read(&bob, &reply), Ok(text.to_vec()));
    }
}
