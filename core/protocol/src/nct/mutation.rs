//! The salt in app state.
//!
//! ```text
//! collection regular_high, index ["nct_salt_sync"]:  SET { SyncActionValue 80 { salt 1 } } | REMOVE
//! ```
//! The index decides what a mutation is about: a removal may come without a value (spec: "NCT salt").

use prost::Message;

use crate::error::Fault;
use crate::nct;
use crate::pb;
use crate::secret::SecretBytes;
use crate::txn::{Cx, Scope};

/// The action's name in an index.
const ACTION: &str = "nct_salt_sync";

/// What app state does with a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// `REMOVE`.
    Remove,
    /// `SET`.
    Set,
}

/// What a mutation says about the salt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Mutation {
    /// There is none any more.
    Clear,
    /// A `SET` that holds no salt, or one that cannot be used: to be ignored.
    Odd,
    /// This is the salt.
    Set(SecretBytes),
}

/// What became of a mutation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mutated {
    /// It is about another row.
    Another,
    /// The salt changed.
    Changed,
    /// What it says was known.
    Known,
    /// It is about the salt but odd; worth a count.
    Odd,
}

impl Mutation {
    /// Reads a decrypted mutation: its index, and the bytes of its `SyncActionValue` (for a removal
    /// they do not matter). `None` for every other row.
    pub fn parse(index: &[u8], operation: Operation, value: &[u8]) -> Option<Self> {
        let index: Vec<serde_json::Value> = serde_json::from_slice(index).ok()?;
        if index.first()?.as_str() != Some(ACTION) {
            return None;
        }
        if operation == Operation::Remove {
            return Some(Self::Clear);
        }
        let salt = pb::SyncActionValue::decode(value)
            .ok()
            .and_then(|value| value.nct_salt_sync_action?.salt)
            .map(SecretBytes::new)
            .filter(nct::usable);
        Some(salt.map_or(Self::Odd, Self::Set))
    }
}

/// Takes over what a mutation says about the salt of `account`.
///
/// # Errors
/// What the store says.
pub fn apply_mutation(
    cx: &mut Cx<'_>,
    account: &Scope,
    index: &[u8],
    operation: Operation,
    value: &[u8],
) -> Result<Mutated, Fault> {
    match Mutation::parse(index, operation, value) {
        Some(mutation) => apply(cx, account, mutation),
        None => Ok(Mutated::Another),
    }
}

/// As [`apply_mutation`], for one that was read.
///
/// # Errors
/// What the store says.
pub fn apply(cx: &mut Cx<'_>, account: &Scope, mutation: Mutation) -> Result<Mutated, Fault> {
    let changed = match mutation {
        Mutation::Odd => return Ok(Mutated::Odd),
        Mutation::Clear => nct::clear(cx, account)?,
        Mutation::Set(salt) => nct::set(cx, account, salt)?,
    };
    Ok(if changed {
        Mutated::Changed
    } else {
        Mutated::Known
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::peer::{AccountKey, PeerKey};
    use crate::testkit::Bench;

    const INDEX: &[u8] = br#"["nct_salt_sync"]"#;

    fn value(salt: Option<&[u8]>) -> Vec<u8> {
        let salt = salt.map(<[u8]>::to_vec);
        let value = pb::SyncActionValue {
            timestamp: Some(1),
            nct_salt_sync_action: Some(pb::NctSaltSyncAction { salt }),
            ..pb::SyncActionValue::default()
        };
        value.encode_to_vec()
    }

    fn secret(bytes: &[u8]) -> SecretBytes {
        SecretBytes::new(bytes.to_vec())
    }

    #[test]
    fn the_index_decides_and_not_the_value() {
        let parse = |index: &[u8]| Mutation::parse(index, Operation::Set, &value(Some(b"s")));
        let set = Some(Mutation::Set(secret(b"s")));
        assert_eq!(parse(INDEX), set);
        assert_eq!(parse(br#" [ "nct_salt_sync", "more" ] "#), set);
        for other in [
            &br#"["setting_pushName"]"#[..],
            br#"["x","nct_salt_sync"]"#,
            br#""nct_salt_sync""#,
            b"[]",
            b"[1]",
            b"nct_salt_sync",
            b"",
            b"\xff",
        ] {
            assert_eq!(parse(other), None, "{other:x?}");
        }
    }

    #[test]
    fn the_bytes_of_a_value_are_those_of_the_schema() {
        let value = hex::decode("082a8205030a0173").unwrap();
        let set = Mutation::parse(INDEX, Operation::Set, &value);
        assert_eq!(set, Some(Mutation::Set(secret(b"s"))));
    }

    #[test]
    fn a_removal_needs_no_value() {
        for value in [&b""[..], b"\xff", &value(Some(b"s"))] {
            let parsed = Mutation::parse(INDEX, Operation::Remove, value);
            assert_eq!(parsed, Some(Mutation::Clear));
        }
    }

    #[test]
    fn a_set_without_a_usable_salt_is_odd() {
        let no_action = pb::SyncActionValue::default().encode_to_vec();
        let long = value(Some(&[1; nct::MAX_SALT_BYTES + 1]));
        for value in [value(Some(b"")), value(None), no_action, long, vec![0xff]] {
            let parsed = Mutation::parse(INDEX, Operation::Set, &value);
            assert_eq!(parsed, Some(Mutation::Odd), "{value:x?}");
        }
    }

    #[test]
    fn mutations_change_the_salt_and_say_so() {
        let mut bench = Bench::new(1);
        let account = Scope::account(&AccountKey(PeerKey::Lid("9".into())));
        let mut apply = |operation, value: &[u8], index: &[u8]| {
            bench.run(|cx| {
                let mutated = apply_mutation(cx, &account, index, operation, value)?;
                Ok((mutated, nct::salt(&cx.txn, &account)?))
            })
        };
        let (set, salt) = (value(Some(b"a")), Some(secret(b"a")));
        let known = (Mutated::Known, salt.clone());
        assert_eq!(apply(Operation::Set, &set, b"[]"), (Mutated::Another, None));
        assert_eq!(
            apply(Operation::Set, &set, INDEX),
            (Mutated::Changed, salt.clone())
        );
        assert_eq!(apply(Operation::Set, &set, INDEX), known);
        assert_eq!(
            apply(Operation::Set, &value(Some(b"")), INDEX),
            (Mutated::Odd, salt)
        );
        assert_eq!(
            apply(Operation::Remove, b"", INDEX),
            (Mutated::Changed, None)
        );
        assert_eq!(apply(Operation::Remove, b"", INDEX), (Mutated::Known, None));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_without_a_panic(
            index in prop::collection::vec(any::<u8>(), 0..40),
            value in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            for operation in [Operation::Remove, Operation::Set] {
                let _ = Mutation::parse(&index, operation, &value);
                let _ = Mutation::parse(INDEX, operation, &value);
            }
        }
    }
}
