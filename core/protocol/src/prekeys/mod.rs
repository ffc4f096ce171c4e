//! Keys that let others open a session with us while we are away, and those of others.
//!
//! Numbers on the wire are big-endian bytes, keys are raw 32 bytes (spec: "Prekeys", "Sessions").

pub mod digest;
pub mod fetch;
pub mod rotate;
pub mod upload;

use crate::crypto::curve::{KEY_TYPE, PublicKey};
use crate::signal::keys::MAX_PREKEY_ID;
use crate::wap::Node;

/// `<type>05</type>`: all keys are Curve25519.
fn key_type() -> Node {
    Node::new("type").bytes([KEY_TYPE])
}

/// `<identity>` with a raw key.
fn identity(key: &PublicKey) -> Node {
    Node::new("identity").bytes(*key.as_bytes())
}

/// `<registration>` with four bytes.
fn registration(id: u32) -> Node {
    Node::new("registration").bytes(id.to_be_bytes())
}

/// `<key>` with a 24-bit id and a raw key.
fn one_time_key(id: u32, key: &PublicKey) -> Node {
    Node::new("key").children([key_id(id), key_value(key)])
}

fn signed_key(id: u32, key: &PublicKey, signature: &[u8; 64]) -> Node {
    let signature = Node::new("signature").bytes(*signature);
    Node::new("skey").children([key_id(id), key_value(key), signature])
}

/// The id behind `id`: 24 bits, never 0.
const fn next_id(id: u32) -> u32 {
    if id < MAX_PREKEY_ID { id + 1 } else { 1 }
}

fn key_id(id: u32) -> Node {
    let [_, id @ ..] = id.to_be_bytes();
    Node::new("id").bytes(id)
}

fn key_value(key: &PublicKey) -> Node {
    Node::new("value").bytes(*key.as_bytes())
}
