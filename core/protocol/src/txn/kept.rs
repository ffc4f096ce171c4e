//! A row that its owner reads once and then keeps in memory beside the store.

use crate::error::StoreError;
use crate::txn::{Cx, Record, Scope, Txn};

/// One record of an account as it is stored.
#[derive(Debug)]
pub struct Kept<R> {
    scope: Scope,
    id: &'static str,
    record: Option<R>,
}

impl<R: PartialEq + Record> Kept<R> {
    /// The record with `id`; a damaged row counts as none.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(txn: &Txn<'_>, scope: &Scope, id: &'static str) -> Result<Self, StoreError> {
        Ok(Self {
            scope: scope.clone(),
            id,
            record: txn.get_or_none(scope, id)?,
        })
    }

    /// The record, if there is one.
    pub const fn get(&self) -> Option<&R> {
        self.record.as_ref()
    }

    /// Replaces the record. What changes nothing is not written.
    pub fn put(&mut self, cx: &mut Cx<'_>, record: R) {
        if self.record.as_ref() != Some(&record) {
            cx.txn.put(&self.scope, self.id, &record);
            self.record = Some(record);
        }
    }

    /// Removes the record.
    pub fn delete(&mut self, cx: &mut Cx<'_>) {
        if self.record.take().is_some() {
            cx.txn.delete(&self.scope, R::NAMESPACE, self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::breaker::BreakerRecord;
    use crate::testkit::Bench;

    const ROW: &str = "any";

    fn opened(opened: u32) -> BreakerRecord {
        BreakerRecord {
            opened,
            ..BreakerRecord::default()
        }
    }

    fn load(bench: &mut Bench) -> Kept<BreakerRecord> {
        let slot = bench.slot.clone();
        bench.run(|cx| Ok(Kept::load(&cx.txn, &slot, ROW)?))
    }

    fn put(bench: &mut Bench, kept: &mut Kept<BreakerRecord>, record: BreakerRecord) {
        bench.run(|cx| {
            kept.put(cx, record);
            Ok(())
        });
    }

    #[test]
    fn it_is_written_when_it_changes_and_read_again() {
        let mut bench = Bench::new(1);
        let mut kept = load(&mut bench);
        assert_eq!(kept.get(), None);
        for record in [opened(0), opened(0), opened(1)] {
            put(&mut bench, &mut kept, record);
        }
        assert_eq!(bench.store.commits(), 2);
        assert_eq!(load(&mut bench).get(), Some(&opened(1)));
        bench.run(|cx| {
            kept.delete(cx);
            Ok(())
        });
        assert_eq!((kept.get(), load(&mut bench).get()), (None, None));
    }
}
