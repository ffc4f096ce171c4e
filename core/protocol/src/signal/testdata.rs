//! The vectors of `tests/vectors/signal.json`.

use serde_json::Value;

use crate::crypto::curve::{KeyPair, PrivateKey};

/// The two cases that are whole sessions.
pub(crate) const SESSIONS: [&str; 2] = [
    "session with one-time pre-key",
    "session without one-time pre-key",
];

pub(crate) fn vector(name: &str) -> Value {
    let file = include_str!("../../tests/vectors/signal.json");
    let file: Value = serde_json::from_str(file).unwrap();
    let mut cases = file["cases"].as_array().unwrap().iter();
    cases.find(|case| case["name"] == name).unwrap().clone()
}

pub(crate) fn bytes(case: &Value, field: &str) -> Vec<u8> {
    hex::decode(case[field].as_str().unwrap()).unwrap()
}

pub(crate) fn array<const N: usize>(case: &Value, field: &str) -> [u8; N] {
    bytes(case, field).try_into().unwrap()
}

/// The pair of `<name>_priv`, checked against `<name>_pub`.
pub(crate) fn pair(case: &Value, name: &str) -> KeyPair {
    let private = array(case, &format!("{name}_priv"));
    let pair = KeyPair::from_private(PrivateKey::from_bytes(private));
    assert_eq!(pair.public.as_bytes(), &array(case, &format!("{name}_pub")));
    pair
}
