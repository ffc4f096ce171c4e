//! Asking the phone to upload a blob again that the servers lost or spoiled.
//!
//! ```text
//! <receipt id=<message> to=<own PN> type="server-error"><encrypt><enc_p/><enc_iv/></encrypt><rmr jid from_me/></receipt>
//! <notification type="mediaretry" id=<message>><encrypt><enc_p/><enc_iv/></encrypt></notification>
//! key = HKDF-SHA256(media key, no salt, "WhatsApp Media Retry Notification", 32)
//! enc_p = AES-256-GCM(key, enc_iv, aad = message id, ServerErrorReceipt | MediaRetryNotification)
//! ```
//! Spec: 10.8 and the vectors; the children of the receipt are those of the web client.

use prost::Message;

use crate::crypto::symmetric::{aes256_gcm_open, aes256_gcm_seal, hkdf_sha256};
use crate::jid::Jid;
use crate::pb::{MediaRetryNotification, MediaRetryResult, ServerErrorReceipt};
use crate::secret::{Entropy, EntropyExt, Secret};
use crate::wap::Node;

/// What the phone answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The blob lies there now.
    At(String),
    /// The phone cannot.
    Never,
}

/// The request to the phone of our own account.
pub fn request(rng: &mut dyn Entropy, id: &str, own: &Jid, media_key: &Secret<32>) -> Node {
    let iv: [u8; 12] = rng.bytes();
    let plain = ServerErrorReceipt {
        stanza_id: Some(id.to_owned()),
    };
    let sealed = seal(media_key, &iv, id, &plain.encode_to_vec());
    let encrypt = Node::new("encrypt")
        .child(Node::new("enc_p").bytes(sealed))
        .child(Node::new("enc_iv").bytes(iv.to_vec()));
    let about = Node::new("rmr")
        .jid("jid", own.account())
        .attr("from_me", "true");
    Node::new("receipt")
        .attr("id", id.to_owned())
        .jid("to", own.account())
        .attr("type", "server-error")
        .child(encrypt)
        .child(about)
}

/// The message that a `mediaretry` notification is about.
pub fn subject(notification: &Node) -> Option<String> {
    Some(notification.text("id")?.into_owned())
}

/// Opens such a notification; `None` when it is not for this key and message.
pub fn answer(notification: &Node, media_key: &Secret<32>) -> Option<Answer> {
    let id = subject(notification)?;
    if notification.find("error").is_some() {
        return Some(Answer::Never);
    }
    let encrypt = notification.find("encrypt")?;
    let part = |name| encrypt.find(name).and_then(Node::payload);
    let iv = part("enc_iv")?.try_into().ok()?;
    let plain = aes256_gcm_open(&key(media_key), iv, id.as_bytes(), part("enc_p")?)?;
    let told = MediaRetryNotification::decode(&*plain).ok()?;
    let moved = told.result == Some(MediaRetryResult::SUCCESS) && told.stanza_id? == id;
    Some(match told.direct_path.filter(|_| moved) {
        Some(path) => Answer::At(path),
        None => Answer::Never,
    })
}

fn seal(media_key: &Secret<32>, iv: &[u8; 12], id: &str, plain: &[u8]) -> Vec<u8> {
    aes256_gcm_seal(&key(media_key), iv, id.as_bytes(), plain)
}

fn key(media_key: &Secret<32>) -> [u8; 32] {
    let info = b"WhatsApp Media Retry Notification";
    hkdf_sha256(media_key.expose(), None, info)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    struct Given(Vec<u8>);

    impl Entropy for Given {
        fn fill(&mut self, out: &mut [u8]) {
            out.copy_from_slice(&self.0);
        }
    }

    fn case() -> Value {
        let file = include_str!("../../tests/vectors/media.json");
        let file: Value = serde_json::from_str(file).unwrap();
        let cases = file["cases"].as_array().unwrap();
        let retry = cases.iter().find(|case| case["type"] == "media retry");
        retry.unwrap().clone()
    }

    fn bytes(case: &Value, name: &str) -> Vec<u8> {
        hex::decode(case[name].as_str().unwrap()).unwrap()
    }

    fn notification(id: &str, sealed: Vec<u8>, iv: Vec<u8>) -> Node {
        let encrypt = Node::new("encrypt")
            .child(Node::new("enc_p").bytes(sealed))
            .child(Node::new("enc_iv").bytes(iv));
        Node::new("notification")
            .attr("id", id.to_owned())
            .child(encrypt)
    }

    #[test]
    fn request_and_answer_agree_with_the_vectors() {
        let case = case();
        let media_key = Secret::from_slice(&bytes(&case, "media_key")).unwrap();
        let id = String::from_utf8(bytes(&case, "aad")).unwrap();
        assert_eq!(key(&media_key).to_vec(), bytes(&case, "retry_key"));
        let mut rng = Given(bytes(&case, "iv"));
        let receipt = request(&mut rng, &id, &Jid::pn("1"), &media_key);
        let sealed = receipt.find("encrypt").unwrap().find("enc_p").unwrap();
        assert_eq!(sealed.payload().unwrap(), bytes(&case, "encrypted_receipt"));
        let sealed = bytes(&case, "encrypted_notification");
        let told = notification(&id, sealed.clone(), bytes(&case, "iv"));
        let there = Answer::At("/v/t62/new".into());
        assert_eq!(answer(&told, &media_key), Some(there));
        let other = notification("other", sealed, bytes(&case, "iv"));
        assert_eq!(answer(&other, &media_key), None);
        assert_eq!(answer(&told, &Secret::new([1; 32])), None);
    }

    #[test]
    fn an_error_is_a_no() {
        let told = notification("1", Vec::new(), Vec::new()).child(Node::new("error"));
        assert_eq!(answer(&told, &Secret::new([1; 32])), Some(Answer::Never));
    }
}
