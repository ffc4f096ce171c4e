//! Known answers for keys and files, and the rules of streaming.
#![expect(clippy::unwrap_used, reason = "helpers outside the test functions")]

use proptest::prelude::*;
use sendpath_protocol::media::decrypt::{Damage, Decryptor, Expected};
use sendpath_protocol::media::encrypt::{Encryptor, Sealed};
use sendpath_protocol::media::{Keys, MAC_BYTES, MediaKind, PIECE};
use sendpath_protocol::secret::Secret;
use serde_json::Value;
use sha2::{Digest, Sha256};

fn cases(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn bytes(case: &Value, field: &str) -> Vec<u8> {
    hex::decode(case[field].as_str().unwrap()).unwrap()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn key(case: &Value) -> Secret<32> {
    Secret::from_slice(&bytes(case, "media_key")).unwrap()
}

fn seal(key: &Secret<32>, kind: MediaKind, pieces: &[&[u8]]) -> (Vec<u8>, Sealed) {
    let (mut encryptor, mut file) = (Encryptor::new(key, kind), Vec::new());
    pieces
        .iter()
        .for_each(|piece| encryptor.push(piece, &mut file));
    let sealed = encryptor.finish(&mut file);
    (file, sealed)
}

fn open(
    key: &Secret<32>,
    kind: MediaKind,
    expected: Expected,
    pieces: &[&[u8]],
) -> Result<Vec<u8>, Damage> {
    let (mut decryptor, mut plain) = (Decryptor::new(key, kind, expected), Vec::new());
    for piece in pieces {
        decryptor.push(piece, &mut plain)?;
    }
    decryptor.finish(&mut plain)?;
    Ok(plain)
}

fn expected(file: &[u8], plain: Option<&[u8]>) -> Expected {
    Expected {
        file_enc_sha256: sha256(file),
        file_sha256: plain.map(sha256),
        most: 1 << 30,
    }
}

#[test]
fn every_kind_agrees_with_the_vectors() {
    let cases = cases(include_str!("vectors/media.json"));
    let cases: Vec<_> = cases
        .iter()
        .filter(|case| case["info"].is_string())
        .collect();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let name = case["type"].as_str().unwrap();
        let kind = match name {
            "history" => MediaKind::History,
            "ptt" => MediaKind::Voice,
            "sticker" => MediaKind::Sticker,
            name => MediaKind::ALL
                .into_iter()
                .find(|kind| kind.name() == name)
                .unwrap(),
        };
        assert_eq!(kind.info(), case["info"].as_str().unwrap());
        let key = key(case);
        let keys = Keys::expand(&key, kind);
        assert_eq!(keys.iv.expose().to_vec(), bytes(case, "iv"), "{name}");
        assert_eq!(
            keys.cipher.expose().to_vec(),
            bytes(case, "cipher_key"),
            "{name}"
        );
        assert_eq!(keys.mac.expose().to_vec(), bytes(case, "mac_key"), "{name}");
        assert_eq!(
            keys.reference.expose().to_vec(),
            bytes(case, "ref_key"),
            "{name}"
        );
        let plain = bytes(case, "plaintext");
        let (file, sealed) = seal(&key, kind, &[&plain]);
        assert_eq!(file, bytes(case, "encrypted"), "{name}");
        assert_eq!(
            sealed.file_sha256.to_vec(),
            bytes(case, "file_sha256"),
            "{name}"
        );
        assert_eq!(
            sealed.file_enc_sha256.to_vec(),
            bytes(case, "file_enc_sha256"),
            "{name}"
        );
        let expected = Expected {
            file_enc_sha256: sealed.file_enc_sha256,
            file_sha256: Some(sealed.file_sha256),
            most: sealed.enc_length,
        };
        assert_eq!(open(&key, kind, expected, &[&file]), Ok(plain), "{name}");
    }
}

#[test]
fn the_key_derivation_of_the_specification_holds() {
    let keys = Keys::expand(&Secret::new([7; 32]), MediaKind::Image);
    let all = [
        keys.iv.expose().as_slice(),
        keys.cipher.expose(),
        keys.mac.expose(),
        keys.reference.expose(),
    ];
    assert_eq!(
        hex::encode(all.concat()),
        "ae2d1d58a0146c8cdde42f6e5e883c61bf73a5f47f04306460c94876795b7745c95803437d90bd259bb3de126e\
         420970d194adde12e228c08e702aa68ad8750f583fbad4293f1102d991a2b68e76613aa1b226464ab64785d165\
         a15be4e9a4e0dfa1fbd16cff08238dad74c4281c65ea"
    );
}

#[test]
fn the_encrypted_history_blob_opens_to_its_zlib_form() {
    for case in cases(include_str!("vectors/history_sync_blob.json")) {
        let (file, plain) = (bytes(&case, "encrypted"), bytes(&case, "zlib"));
        let opened = open(
            &key(&case),
            MediaKind::History,
            expected(&file, Some(&plain)),
            &[&file],
        );
        assert_eq!(opened, Ok(plain));
    }
}

#[test]
fn a_bit_changed_anywhere_is_found_by_the_hash_and_without_it_by_the_mac() {
    let key = Secret::new([3; 32]);
    let (file, sealed) = seal(&key, MediaKind::Image, &[&[5; 100]]);
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1;
        let announced = Expected {
            file_enc_sha256: sealed.file_enc_sha256,
            file_sha256: None,
            most: 1 << 20,
        };
        let by_hash = open(&key, MediaKind::Image, announced, &[&changed]);
        assert_eq!(by_hash, Err(Damage::FileHash), "{at}");
        let by_mac = open(
            &key,
            MediaKind::Image,
            expected(&changed, None),
            &[&changed],
        );
        assert_eq!(by_mac, Err(Damage::Mac), "{at}");
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let key = Secret::new([3; 32]);
    let (file, _) = seal(&key, MediaKind::Image, &[&[5; 100]]);
    for length in 0..file.len() {
        let cut = &file[..length];
        let whole_blocks = length >= 16 + MAC_BYTES && (length - MAC_BYTES).is_multiple_of(16);
        let damage = if whole_blocks {
            Damage::Mac
        } else {
            Damage::Length
        };
        let opened = open(&key, MediaKind::Image, expected(cut, None), &[cut]);
        assert_eq!(opened, Err(damage), "{length}");
    }
}

#[test]
fn content_other_than_announced_is_refused() {
    let key = Secret::new([3; 32]);
    let (file, _) = seal(&key, MediaKind::Image, &[b"one"]);
    let other = expected(&file, Some(b"other"));
    assert_eq!(
        open(&key, MediaKind::Image, other, &[&file]),
        Err(Damage::PlainHash)
    );
    let kind = open(&key, MediaKind::Video, expected(&file, None), &[&file]);
    assert_eq!(kind, Err(Damage::Mac));
}

#[test]
fn a_file_above_its_limit_ends_at_once() {
    let key = Secret::new([3; 32]);
    let (file, sealed) = seal(&key, MediaKind::Image, &[&[5; 100]]);
    let most = sealed.enc_length - 1;
    let limited = Expected {
        most,
        ..expected(&file, None)
    };
    let mut decryptor = Decryptor::new(&key, MediaKind::Image, limited);
    let mut plain = Vec::new();
    assert_eq!(
        decryptor.push(&file, &mut plain),
        Err(Damage::TooLong { most })
    );
    assert!(plain.is_empty());
}

#[test]
fn what_is_in_flight_stays_small() {
    let key = Secret::new([3; 32]);
    let (mut encryptor, mut file) = (Encryptor::new(&key, MediaKind::Document), Vec::new());
    for _ in 0..50 {
        let before = file.len();
        encryptor.push(&[9; PIECE], &mut file);
        assert_eq!(file.len() - before, PIECE);
    }
    encryptor.finish(&mut file);
    let mut decryptor = Decryptor::new(&key, MediaKind::Document, expected(&file, None));
    let mut out = Vec::new();
    for piece in file.chunks(PIECE) {
        out.clear();
        decryptor.push(piece, &mut out).unwrap();
        assert!(out.len() >= piece.len().saturating_sub(48) && out.len() <= piece.len() + 48);
    }
    decryptor.finish(&mut out).unwrap();
}

#[test]
fn the_sidecar_has_a_mac_of_each_window() {
    use sendpath_protocol::crypto::symmetric::hmac_sha256;
    let key = Secret::new([3; 32]);
    let keys = Keys::expand(&key, MediaKind::Video);
    for length in [0, 100, PIECE - 17, PIECE - 16, PIECE, 3 * PIECE + 5] {
        let plain = vec![7; length];
        let (file, sealed) = seal(&key, MediaKind::Video, &[&plain]);
        let covered = [keys.iv.expose(), &file[..file.len() - MAC_BYTES]].concat();
        let mut macs = Vec::new();
        for start in (0..covered.len()).step_by(PIECE) {
            let window = &covered[start..covered.len().min(start + PIECE + 16)];
            macs.extend_from_slice(&hmac_sha256(keys.mac.expose(), &[window])[..MAC_BYTES]);
        }
        assert_eq!(sealed.sidecar, Some(macs), "{length}");
        assert_eq!(seal(&key, MediaKind::Document, &[&plain]).1.sidecar, None);
    }
}

proptest! {
    #[test]
    fn pieces_of_any_size_give_the_same_file_and_the_same_content(
        plain in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(0usize..400, 0..6),
    ) {
        let key = Secret::new([4; 32]);
        let pieces = |whole: &[u8]| {
            let mut at: Vec<_> = cuts.iter().map(|cut| (*cut).min(whole.len())).collect();
            at.extend([0, whole.len()]);
            at.sort_unstable();
            at.windows(2).map(|pair| pair[0]..pair[1]).collect::<Vec<_>>()
        };
        let (whole, sealed) = seal(&key, MediaKind::Audio, &[&plain]);
        let split: Vec<_> = pieces(&plain).into_iter().map(|range| &plain[range]).collect();
        let (file, same) = seal(&key, MediaKind::Audio, &split);
        prop_assert_eq!(&file, &whole);
        prop_assert_eq!(&same, &sealed);
        let length = u64::try_from(file.len()).unwrap();
        prop_assert_eq!(sealed.enc_length, length);
        let split: Vec<_> = pieces(&file).into_iter().map(|range| &file[range]).collect();
        let opened = open(&key, MediaKind::Audio, expected(&file, Some(&plain)), &split);
        prop_assert_eq!(opened, Ok(plain));
    }
}
