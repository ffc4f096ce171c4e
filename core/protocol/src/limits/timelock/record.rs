//! The row of a lock.

use prost::Message;

use crate::limits::Origin;
use crate::time::UnixSeconds;
use crate::txn::{Namespace, Record};

/// The stored state.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TimelockRecord {
    /// The lock, if one was active when we last heard of it.
    pub lock: Option<Lock>,
    /// Server time of the last word.
    pub observed: UnixSeconds,
    /// A pull failed at that time, and none has succeeded since.
    pub unknown_since: Option<UnixSeconds>,
    /// Who said the last word; `None` in rows of older versions.
    pub source: Option<Origin>,
}

/// An active lock.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lock {
    /// The end.
    pub until: UnixSeconds,
    /// The server gave no end.
    pub provisional: bool,
    /// The server's word for the kind.
    pub kind: Option<String>,
    /// When we first heard of it.
    pub since: UnixSeconds,
}

impl Record for TimelockRecord {
    const NAMESPACE: Namespace = Namespace::Limits;
    const VERSION: u8 = 1;

    fn encode(&self) -> Vec<u8> {
        let lock = self.lock.as_ref().map(|lock| LockRow {
            until: lock.until.0,
            provisional: lock.provisional,
            kind: lock.kind.clone(),
            since: lock.since.0,
        });
        let row = Row {
            lock,
            observed: self.observed.0,
            unknown_since: self.unknown_since.map(|t| t.0),
            source: Origin::number(self.source),
        };
        row.encode_to_vec()
    }

    fn decode(_version: u8, body: &[u8]) -> Option<Self> {
        let row = Row::decode(body).ok()?;
        Some(Self {
            lock: row.lock.map(|lock| Lock {
                until: UnixSeconds(lock.until),
                provisional: lock.provisional,
                kind: lock.kind,
                since: UnixSeconds(lock.since),
            }),
            observed: UnixSeconds(row.observed),
            unknown_since: row.unknown_since.map(UnixSeconds),
            source: Origin::from_number(row.source),
        })
    }
}

#[derive(Clone, PartialEq, Message)]
struct Row {
    #[prost(message, optional, tag = "1")]
    lock: Option<LockRow>,
    #[prost(int64, tag = "2")]
    observed: i64,
    #[prost(int64, optional, tag = "3")]
    unknown_since: Option<i64>,
    #[prost(uint32, tag = "4")]
    source: u32,
}

#[derive(Clone, PartialEq, Message)]
struct LockRow {
    #[prost(int64, tag = "1")]
    until: i64,
    #[prost(bool, tag = "2")]
    provisional: bool,
    #[prost(string, optional, tag = "3")]
    kind: Option<String>,
    #[prost(int64, tag = "4")]
    since: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_row_never_change() {
        let record = TimelockRecord {
            lock: Some(Lock {
                until: UnixSeconds(5),
                provisional: true,
                kind: Some("K".into()),
                since: UnixSeconds(3),
            }),
            observed: UnixSeconds(4),
            unknown_since: Some(UnixSeconds(6)),
            source: Some(Origin::Push),
        };
        assert_eq!(
            hex::encode(record.to_row()),
            "010a09080510011a014b2003100418062003"
        );
        assert_eq!(
            TimelockRecord::from_row(&record.to_row()),
            Ok(record.clone())
        );
        let older = hex::decode("010a09080510011a014b200310041806").unwrap();
        let source = None;
        let without = TimelockRecord { source, ..record };
        assert_eq!(TimelockRecord::from_row(&older), Ok(without));
    }
}
