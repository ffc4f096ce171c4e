//! Secrets of polls and events that others wrote: whoever votes or answers seals it with them.
//!
//! ```text
//! MessageSecret / m:<author>:<message id> -> SecretRecord          (slot scope, the newest CAPACITY)
//! ```
//! Our own lie in the messages that are kept for retry receipts. Source: spec "Stanza",
//! `messageSecret`.

use crate::content::{self, StanzaType};
use crate::error::StoreError;
use crate::peer::PeerKey;
use crate::prost_record;
use crate::secret::Secret;
use crate::txn::{Cx, Namespace, Scope, Txn, ring};
use crate::verdict::MessageId;

/// Secrets kept. More lets older polls be voted in, fewer saves disk (about 200 bytes each).
pub const CAPACITY: u32 = 1024;

#[derive(Clone, Eq, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct SecretRecord {
    #[prost(bytes = "vec", tag = "1")]
    secret: Vec<u8>,
}

impl core::fmt::Debug for SecretRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SecretRecord")
    }
}

prost_record!(SecretRecord, MessageSecret, version 1);

/// Keeps the secret of a poll or an event; other messages have none that anybody answers. `context`
/// is where it may lie instead: the message around it, for our own devices.
///
/// # Errors
/// What the store says.
pub fn keep(
    cx: &mut Cx<'_>,
    slot: &Scope,
    author: &PeerKey,
    id: &MessageId,
    message: &[u8],
    context: &[u8],
) -> Result<(), StoreError> {
    let kinds = [StanzaType::Event, StanzaType::Poll];
    let answered = content::shape(message).is_ok_and(|shape| kinds.contains(&shape.kind));
    let secret = || content::message_secret(message).or_else(|| content::message_secret(context));
    let Some(secret) = answered.then(secret).flatten() else {
        return Ok(());
    };
    let row = row_id(author, id);
    // The first word counts: nobody may replace the secret of a poll.
    if cx.txn.get::<SecretRecord>(slot, &row)?.is_some() {
        return Ok(());
    }
    let ns = Namespace::MessageSecret;
    if let Some(oldest) = ring::push(&mut cx.txn, slot, ns, CAPACITY, &row)? {
        cx.txn.delete(slot, ns, oldest);
    }
    let secret = secret.expose().to_vec();
    cx.txn.put(slot, row, &SecretRecord { secret });
    Ok(())
}

/// The secret of a poll or an event of `author`, by its canonical key.
///
/// # Errors
/// What the store says.
pub fn find(
    txn: &Txn<'_>,
    slot: &Scope,
    author: &PeerKey,
    id: &MessageId,
) -> Result<Option<Secret<32>>, StoreError> {
    let record = txn.get_or_none::<SecretRecord>(slot, row_id(author, id))?;
    Ok(record.and_then(|record| Secret::from_slice(&record.secret)))
}

fn row_id(author: &PeerKey, id: &MessageId) -> String {
    format!("m:{}:{id}", author.storage())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Bench;
    use crate::txn::Reader;

    /// `Message { pollCreationMessage {}, messageContextInfo { messageSecret } }`.
    fn poll(secret: u8) -> Vec<u8> {
        [&b"\x8a\x03\x00\x9a\x02\x22\x1a\x20"[..], &[secret; 32]].concat()
    }

    fn keep(bench: &mut Bench, author: &PeerKey, id: &str, message: &[u8], context: &[u8]) {
        let (slot, id) = (bench.slot.clone(), MessageId::parse(id).unwrap());
        bench.run(|cx| Ok(super::keep(cx, &slot, author, &id, message, context)?));
    }

    fn find(bench: &mut Bench, author: &PeerKey, id: &str) -> Option<Secret<32>> {
        let (slot, id) = (bench.slot.clone(), MessageId::parse(id).unwrap());
        bench.run(|cx| Ok(super::find(&cx.txn, &slot, author, &id)?))
    }

    fn lid(user: &str) -> PeerKey {
        PeerKey::Lid(user.into())
    }

    #[test]
    fn the_first_secret_of_a_poll_is_kept_by_author() {
        let mut bench = Bench::new(1);
        keep(&mut bench, &lid("1"), "A", &poll(7), b"");
        keep(&mut bench, &lid("1"), "A", &poll(8), b"");
        keep(&mut bench, &lid("2"), "A", &poll(9), b"");
        assert_eq!(find(&mut bench, &lid("1"), "A"), Some(Secret::new([7; 32])));
        assert_eq!(find(&mut bench, &lid("2"), "A"), Some(Secret::new([9; 32])));
        assert_eq!(find(&mut bench, &lid("1"), "B"), None);
    }

    #[test]
    fn the_secret_may_lie_beside_the_message_and_texts_have_none() {
        let mut bench = Bench::new(1);
        let whole = poll(7);
        let (message, context) = whole.split_at(3);
        keep(&mut bench, &lid("1"), "A", message, context);
        assert_eq!(find(&mut bench, &lid("1"), "A"), Some(Secret::new([7; 32])));
        let text = [&b"\x0a\x02hi"[..], &poll(7)[3..]].concat();
        keep(&mut bench, &lid("1"), "B", &text, b"");
        assert_eq!(find(&mut bench, &lid("1"), "B"), None);
    }

    #[test]
    fn the_oldest_secrets_leave() {
        let mut bench = Bench::new(1);
        for n in 0..=CAPACITY {
            keep(&mut bench, &lid("1"), &format!("M{n}"), &poll(7), b"");
        }
        assert_eq!(find(&mut bench, &lid("1"), "M0"), None);
        assert!(find(&mut bench, &lid("1"), "M1").is_some());
        let ns = Namespace::MessageSecret;
        let rows = bench.store.scan(&bench.slot, ns, b"m:", None, 9_999);
        assert_eq!(rows.unwrap().len(), 1024);
    }
}
