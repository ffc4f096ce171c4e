//! Primitives and system calls that the rows below cannot do without.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;

use sendpath_protocol::crypto::curve::KeyPair;
use sendpath_protocol::crypto::symmetric::{aes256_cbc_encrypt, hmac_sha256};

use crate::harness::{Case, Operation, repeated};
use crate::world::{PADDED_TEXT, Seeded};

pub(crate) const AGREE: &str = "floor x25519";
pub(crate) const SYMMETRIC: &str = "floor aes-cbc + hmac";
pub(crate) const FLUSH: &str = "floor write 4 KiB, flush";

pub(crate) fn cases() -> Vec<Case> {
    let floor = |name, make| Case {
        name,
        of: None,
        operations: 1,
        make,
    };
    vec![
        floor(AGREE, agree),
        floor(SYMMETRIC, symmetric),
        floor(FLUSH, flush),
    ]
}

fn agree(_: &Path) -> Operation {
    let mut rng = Seeded::new(1);
    let ours = KeyPair::generate(&mut rng);
    let theirs = KeyPair::generate(&mut rng);
    repeated(move || ours.private.agree(&theirs.public))
}

/// What encrypts and authenticates the text of the send rows.
fn symmetric(_: &Path) -> Operation {
    repeated(|| {
        let sealed = aes256_cbc_encrypt(&[1; 32], &[2; 16], &PADDED_TEXT);
        hmac_sha256(&[3; 32], &[&sealed])
    })
}

/// The least that a durable commit costs in this folder.
fn flush(folder: &Path) -> Operation {
    let mut file: File = tempfile::tempfile_in(folder).unwrap();
    repeated(move || {
        file.rewind().unwrap();
        file.write_all(&[1; 4096]).unwrap();
        file.sync_data().unwrap();
    })
}
