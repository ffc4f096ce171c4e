//! The few rows that we read.
//!
//! ```text
//! regular_high    ["nct_salt_sync"]      nctSaltSyncAction 80 { salt 1 }     REMOVE: there is none
//! critical_block  ["setting_pushName"]   pushNameSetting 7 { name 1 }
//! ```

use prost::Message;

use super::Collection;
use super::seal::Opened;
use crate::nct::{self, Operation};

/// Bytes of a display name; WhatsApp allows 25 characters.
const MOST_NAME_BYTES: usize = 1_024;

/// What a row means for us.
#[derive(Clone, Eq, PartialEq)]
pub enum Action {
    /// Our own display name.
    PushName(String),
    /// The NCT salt.
    Salt(nct::Mutation),
}

impl core::fmt::Debug for Action {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::PushName(name) => write!(f, "PushName({} bytes)", name.len()),
            Self::Salt(salt) => write!(f, "Salt({salt:?})"),
        }
    }
}

/// What a snapshot or a patch brought.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Findings {
    /// In order; of several for one thing the last.
    pub actions: Vec<Action>,
    /// Rows that were read.
    pub rows: u64,
    /// Rows of other kinds, passed by.
    pub others: u64,
    /// Rows of a kind we read that say nothing we can use.
    pub odd: u64,
    /// Removals of rows that were not there.
    pub unknown_removals: u64,
}

impl Findings {
    pub(super) fn add(&mut self, collection: Collection, operation: Operation, row: &Opened) {
        self.rows += 1;
        match action(collection, operation, row) {
            Some(Ok(action)) => {
                let same = |other: &Action| {
                    core::mem::discriminant(other) == core::mem::discriminant(&action)
                };
                self.actions.retain(|other| !same(other));
                self.actions.push(action);
            }
            Some(Err(())) => self.odd += 1,
            None => self.others += 1,
        }
    }
}

/// `None` for a row of another kind, `Err` for one of ours that cannot be used.
fn action(
    collection: Collection,
    operation: Operation,
    row: &Opened,
) -> Option<Result<Action, ()>> {
    match collection {
        Collection::RegularHigh => {
            let value = row.value.as_ref().map(Message::encode_to_vec);
            let value = value.unwrap_or_default();
            let mutation = nct::Mutation::parse(&row.index, operation, &value)?;
            Some(match mutation {
                nct::Mutation::Odd => Err(()),
                salt => Ok(Action::Salt(salt)),
            })
        }
        Collection::CriticalBlock => {
            let index: Vec<serde_json::Value> = serde_json::from_slice(&row.index).ok()?;
            if index.first()?.as_str() != Some("setting_pushName") {
                return None;
            }
            let setting = row
                .value
                .as_ref()
                .and_then(|value| value.push_name_setting.as_ref());
            let name = setting.and_then(|setting| setting.name.clone());
            let fits = |name: &String| (1..=MOST_NAME_BYTES).contains(&name.len());
            let name = name.filter(fits).filter(|_| operation == Operation::Set);
            Some(name.map(Action::PushName).ok_or(()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb;
    use crate::secret::SecretBytes;

    fn row(index: &str, value: Option<pb::SyncActionValue>) -> Opened {
        Opened {
            index: index.into(),
            value,
        }
    }

    fn name(name: &str) -> Option<pb::SyncActionValue> {
        Some(pb::SyncActionValue {
            push_name_setting: Some(pb::PushNameSetting {
                name: Some(name.into()),
            }),
            ..pb::SyncActionValue::default()
        })
    }

    fn salt(salt: &[u8]) -> Option<pb::SyncActionValue> {
        Some(pb::SyncActionValue {
            nct_salt_sync_action: Some(pb::NctSaltSyncAction {
                salt: Some(salt.to_vec()),
            }),
            ..pb::SyncActionValue::default()
        })
    }

    #[test]
    fn each_kind_counts_in_its_own_collection_only() {
        let mut findings = Findings::default();
        let (high, block) = (Collection::RegularHigh, Collection::CriticalBlock);
        let set = Operation::Set;
        findings.add(high, set, &row(r#"["setting_pushName"]"#, name("Eve")));
        findings.add(block, set, &row(r#"["nct_salt_sync"]"#, salt(b"x")));
        findings.add(
            Collection::Regular,
            set,
            &row(r#"["nct_salt_sync"]"#, salt(b"x")),
        );
        findings.add(high, set, &row("no json", None));
        assert_eq!((findings.others, findings.actions.len()), (4, 0));
        findings.add(block, set, &row(r#"["setting_pushName"]"#, name("Shop")));
        findings.add(high, Operation::Remove, &row(r#"["nct_salt_sync"]"#, None));
        let expected = [
            Action::PushName("Shop".into()),
            Action::Salt(nct::Mutation::Clear),
        ];
        assert_eq!(findings.actions, expected);
    }

    #[test]
    fn the_last_word_counts_and_an_odd_one_is_none() {
        let mut findings = Findings::default();
        let high = Collection::RegularHigh;
        for value in [salt(b"a"), salt(b"b"), salt(b""), None] {
            findings.add(high, Operation::Set, &row(r#"["nct_salt_sync"]"#, value));
        }
        let last = nct::Mutation::Set(SecretBytes::new(b"b".to_vec()));
        assert_eq!(
            (findings.actions, findings.odd),
            (vec![Action::Salt(last)], 2)
        );
    }

    #[test]
    fn a_name_that_is_empty_or_removed_is_odd() {
        let mut findings = Findings::default();
        let block = Collection::CriticalBlock;
        let index = r#"["setting_pushName"]"#;
        findings.add(block, Operation::Set, &row(index, name("")));
        findings.add(block, Operation::Set, &row(index, None));
        findings.add(block, Operation::Remove, &row(index, name("Shop")));
        assert_eq!((findings.actions.len(), findings.odd), (0, 3));
    }
}
