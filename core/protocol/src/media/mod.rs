//! Media: blobs that lie encrypted on HTTP servers, without the HTTP.
//!
//! ```text
//! iv 16 | cipher key 32 | mac key 32 | ref key 32 = HKDF-SHA256(media key, no salt, info of the kind)
//! file  = ciphertext || mac      ciphertext = AES-256-CBC/PKCS7(plain)
//! mac   = HMAC-SHA256(mac key, iv || ciphertext)[..10]
//! names = SHA-256(plain), SHA-256(file)
//! ```
//! Spec: "Media upload". A driver moves the bytes: [`fetch`] is what a session asks of it, [`encrypt`]
//! and [`decrypt`] work on pieces of any size, [`conn`] says which hosts there are, [`download`] and
//! [`upload`] how they are asked and what their answers mean.

mod attachment;
pub mod conn;
pub mod decrypt;
pub mod download;
pub mod encrypt;
pub mod fetch;
mod keys;
mod kind;
pub mod retry;
pub mod ticket;
pub mod upload;

pub use attachment::Attachment;
pub use keys::Keys;
pub use kind::MediaKind;

/// Bytes of a file's MAC.
pub const MAC_BYTES: usize = 10;

/// Bytes that are worked on at once. More saves calls, less saves memory.
pub const PIECE: usize = 64 << 10;

/// Base 64 as it stands in URLs, without padding: the server takes both.
fn base64url(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
