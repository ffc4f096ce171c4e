//! The rules of sessions, at their edges.

use super::*;
use crate::crypto::curve::PrivateKey;
use crate::signal::keys::TheirIdentity;
use crate::signal::message::{PreKeyMessage, Received};

#[test]
fn every_message_is_a_pkmsg_until_the_peer_answered() {
    let (mut alice, mut bob) = (Party::new(1), Party::new(2));
    alice.establish(&mut bob);
    let [first, second] = [b"1", b"2"].map(|text| alice.encrypt(&bob, text));
    assert_eq!([first.kind, second.kind], [EncType::Pkmsg; 2]);
    bob.read(&alice, &second).unwrap();
    let answer = bob.encrypt(&alice, b"3");
    assert_eq!(answer.kind, EncType::Msg);
    alice.read(&bob, &answer).unwrap();
    assert_eq!(alice.encrypt(&bob, b"4").kind, EncType::Msg);
    assert_eq!(bob.read(&alice, &first), Ok(b"1".to_vec()));
}

#[test]
fn without_a_session_nothing_is_encrypted_or_decrypted() {
    let (mut alice, mut bob) = talking();
    let sealed = alice.encrypt(&bob, b"x");
    let to = alice.address.clone();
    bob.run(|cx, slot, _| {
        delete_session(&mut cx.txn, slot, &to);
        assert!(!has_session(&cx.txn, slot, &to)?);
        Ok(())
    });
    assert_eq!(bob.read(&alice, &sealed), Err(DecryptError::NoSession));
    let none = bob.run(|cx, slot, ours| encrypt(cx, slot, ours, &to, b"x"));
    assert_eq!(none, None);
}

#[test]
fn the_one_time_prekey_goes_with_the_first_message_and_not_before() {
    let (mut alice, mut bob) = (Party::new(1), Party::new(2));
    alice.establish(&mut bob);
    let sealed = alice.encrypt(&bob, b"x");
    let has = |bob: &mut Party| bob.run(|cx, slot, _| Ok(PreKeyRecord::load(&cx.txn, slot, 1)?));
    let mut damaged = sealed.clone();
    let at = damaged.bytes.len() - 20;
    damaged.bytes[at] ^= 1;
    assert_eq!(bob.read(&alice, &damaged), Err(DecryptError::BadMac));
    assert!(has(&mut bob).is_some());
    bob.read(&alice, &sealed).unwrap();
    assert!(has(&mut bob).is_none());
    assert_eq!(bob.read(&alice, &sealed), Err(DecryptError::Duplicate));
}

#[test]
fn a_repeated_first_message_deletes_no_other_prekey() {
    let (mut alice, mut bob) = (Party::new(1), Party::new(2));
    alice.establish(&mut bob);
    let [first, second] = [b"1", b"2"].map(|text| alice.encrypt(&bob, text));
    bob.read(&alice, &first).unwrap();
    bob.bundle();
    let mut forged = PreKeyMessage::parse(&second.bytes).unwrap();
    forged.pre_key_id = Some(2);
    let forged = Ciphertext {
        kind: EncType::Pkmsg,
        bytes: forged.encode(),
    };
    assert_eq!(bob.read(&alice, &forged), Ok(b"2".to_vec()));
    let kept = bob.run(|cx, slot, _| Ok(PreKeyRecord::load(&cx.txn, slot, 2)?));
    assert!(kept.is_some());
}

#[test]
fn an_unknown_prekey_id_is_typed() {
    let (mut alice, mut bob) = (Party::new(1), Party::new(2));
    let good = bob.bundle();
    let mut bundle = good.clone();
    bundle.one_time = good.one_time.map(|key| OneTimePreKey { id: 99, ..key });
    alice.establish_from(&bob.address, &bundle).unwrap();
    let sealed = alice.encrypt(&bob, b"x");
    assert_eq!(bob.read(&alice, &sealed), Err(DecryptError::InvalidKeyId));
    let mut bundle = good;
    bundle.signed_prekey.id = 99;
    alice.establish_from(&bob.address, &bundle).unwrap();
    let sealed = alice.encrypt(&bob, b"x");
    assert_eq!(bob.read(&alice, &sealed), Err(DecryptError::InvalidKeyId));
}

#[test]
fn a_bundle_with_a_wrong_signature_or_a_low_order_key_changes_nothing() {
    let (mut alice, mut bob) = (Party::new(1), Party::new(2));
    let good = bob.bundle();
    let before = alice.rows();
    let mut bad = good.clone();
    bad.signed_prekey.signature[5] ^= 1;
    let refused = alice.establish_from(&bob.address, &bad);
    assert_eq!(refused, Err(BundleError::BadSignature));
    let mut bad = good;
    bad.one_time = Some(OneTimePreKey {
        id: 1,
        key: PublicKey::new([0; 32]),
    });
    let refused = alice.establish_from(&bob.address, &bad);
    assert_eq!(refused, Err(BundleError::LowOrderKey));
    assert_eq!(alice.rows(), before);
}

#[test]
fn a_low_order_ratchet_key_is_refused() {
    let (mut alice, mut bob) = talking();
    let mut sealed = alice.encrypt(&bob, b"x");
    sealed.bytes[4..36].fill(0);
    assert_eq!(bob.read(&alice, &sealed), Err(DecryptError::InvalidKey));
}

#[test]
fn a_message_more_than_2000_ahead_is_typed_and_2000_is_read() {
    let (mut alice, mut bob) = talking();
    let mut sealed: Vec<_> = (0..2002).map(|_| alice.encrypt(&bob, b"x")).collect();
    let last = sealed.pop().unwrap();
    assert_eq!(bob.read(&alice, &last), Err(DecryptError::TooFarAhead));
    assert!(bob.read(&alice, &sealed[2000]).is_ok());
    assert!(bob.read(&alice, &last).is_ok());
    assert!(bob.read(&alice, &sealed[0]).is_ok());
}

#[test]
fn no_more_than_2000_skipped_keys_are_kept_and_the_oldest_go() {
    let (mut alice, mut bob) = talking();
    let sealed: Vec<_> = (0..2003).map(|_| alice.encrypt(&bob, b"x")).collect();
    bob.read(&alice, &sealed[1500]).unwrap();
    bob.read(&alice, &sealed[2002]).unwrap();
    for (at, lost) in [(0, true), (1, false), (2001, false)] {
        let read = bob.read(&alice, &sealed[at]);
        assert_eq!(read == Err(DecryptError::Duplicate), lost, "{at}");
    }
}

#[test]
fn a_new_identity_is_accepted_replaces_the_old_one_and_is_reported() {
    let (mut alice, mut bob) = talking();
    let old = bob.encrypt(&alice, b"old");
    let mut again = Party::new(3);
    again.address = bob.address.clone();
    again.establish(&mut alice);
    let sealed = again.encrypt(&alice, b"new phone");
    let opened = alice.decrypt(&again, &sealed).unwrap();
    assert!(opened.identity_changed);
    assert_eq!(opened.plaintext, b"new phone");
    assert_eq!(alice.read(&bob, &old), Err(DecryptError::BadMac));
    let known = alice.run(|cx, slot, _| Ok(TheirIdentity::load(&cx.txn, slot, &again.address)?));
    assert_eq!(known, Some(TheirIdentity(again.ours.identity.public)));
    assert!(alice.establish(&mut bob).identity_changed);
}

#[test]
fn a_known_base_key_under_another_identity_is_no_known_session() {
    let (mut alice, mut bob) = (Party::new(1), Party::new(2));
    alice.establish(&mut bob);
    let [first, second] = [b"1", b"2"].map(|text| alice.encrypt(&bob, text));
    bob.read(&alice, &first).unwrap();
    let mut forged = PreKeyMessage::parse(&second.bytes).unwrap();
    forged.identity = Party::new(5).ours.identity.public;
    let forged = Ciphertext {
        kind: EncType::Pkmsg,
        bytes: forged.encode(),
    };
    let before = bob.rows();
    assert_eq!(bob.read(&alice, &forged), Err(DecryptError::InvalidKeyId));
    assert_eq!(bob.rows(), before);
}

#[test]
fn both_sides_may_start_at_once_and_then_agree() {
    let (mut alice, mut bob) = (Party::new(1), Party::new(2));
    alice.establish(&mut bob);
    bob.establish(&mut alice);
    let (to_bob, to_alice) = (alice.encrypt(&bob, b"a"), bob.encrypt(&alice, b"b"));
    assert_eq!(bob.read(&alice, &to_bob), Ok(b"a".to_vec()));
    assert_eq!(alice.read(&bob, &to_alice), Ok(b"b".to_vec()));
    for _ in 0..3 {
        let sealed = alice.encrypt(&bob, b"c");
        assert_eq!(bob.read(&alice, &sealed), Ok(b"c".to_vec()));
        let sealed = bob.encrypt(&alice, b"d");
        assert_eq!(alice.read(&bob, &sealed), Ok(b"d".to_vec()));
    }
    assert_eq!(alice.encrypt(&bob, b"e").kind, EncType::Msg);
    let base = |party: &mut Party, of: &DeviceAddress| {
        party.run(|cx, slot, _| Ok(session_base_key(&cx.txn, slot, of)?))
    };
    let (a, b) = (alice.address.clone(), bob.address.clone());
    assert_eq!(base(&mut alice, &b), base(&mut bob, &a));
    assert!(base(&mut alice, &b).is_some());
}

#[test]
fn a_session_that_was_archived_still_opens_and_becomes_current() {
    let (mut alice, mut bob) = talking();
    let late = alice.encrypt(&bob, b"late");
    for _ in 0..40 {
        bob.establish(&mut alice);
    }
    assert_eq!(bob.encrypt(&alice, b"x").kind, EncType::Pkmsg);
    assert_eq!(bob.read(&alice, &late), Ok(b"late".to_vec()));
    assert_eq!(bob.encrypt(&alice, b"x").kind, EncType::Msg);
}

#[test]
fn the_forty_first_archived_session_is_gone() {
    let (mut alice, mut bob) = talking();
    let late = alice.encrypt(&bob, b"late");
    for _ in 0..41 {
        bob.establish(&mut alice);
    }
    assert_eq!(bob.read(&alice, &late), Err(DecryptError::BadMac));
}

#[test]
fn a_damaged_row_counts_as_no_session_and_is_replaced() {
    let (mut alice, mut bob) = talking();
    let key = txn::Key::new(&bob.slot, Namespace::Session, alice.address.storage());
    let mut changes = txn::Changes::default();
    changes.put(key, vec![1, 0xff]);
    bob.store.commit(&[(&changes, &bob.fence)]).unwrap();
    let sealed = alice.encrypt(&bob, b"x");
    assert_eq!(bob.read(&alice, &sealed), Err(DecryptError::NoSession));
    bob.establish(&mut alice);
    let sealed = bob.encrypt(&alice, b"y");
    assert_eq!(alice.read(&bob, &sealed), Ok(b"y".to_vec()));
}

#[test]
fn the_registration_id_is_that_of_the_peer_on_both_sides() {
    let (mut alice, mut bob) = talking();
    let (a, b) = (alice.address.clone(), bob.address.clone());
    let id = |party: &mut Party, of: &DeviceAddress| {
        party.run(|cx, slot, _| Ok(remote_registration_id(&cx.txn, slot, of)?))
    };
    assert_eq!(id(&mut alice, &b), Some(1002));
    assert_eq!(id(&mut bob, &a), Some(1001));
}

#[test]
fn debug_shows_no_key_and_no_text() {
    let (mut alice, mut bob) = talking();
    let sealed = alice.encrypt(&bob, b"secret");
    let opened = bob.decrypt(&alice, &sealed).unwrap();
    assert_eq!(format!("{opened:?}"), "Decrypted(6 bytes)");
    let received = Received::parse(&sealed.bytes).unwrap();
    assert_eq!(received.counter, 0);
    let sessions = bob.run(|cx, slot, _| Ok(load(&cx.txn, slot, &alice.address)?));
    let shown = format!("{sessions:?}");
    let root = sessions.0[0].root.secret().expose();
    assert!(!shown.contains(&format!("{root:?}")), "{shown}");
    assert!(shown.contains("Secret(32 bytes)"));
    let key = PrivateKey::from_bytes([1; 32]);
    assert_eq!(format!("{key:?}"), "PrivateKey(Secret(32 bytes))");
}
