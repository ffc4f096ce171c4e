//! Rows of contacts in the store. A contact has one row, or two for as long as nobody knew that its
//! phone number and its LID are the same; readers always see the two merged.

use crate::error::StoreError;
use crate::peer::{Names, PeerKey};
use crate::tctoken::record::TokenRecord;
use crate::txn::{Namespace, Scope, Txn};

/// One contact's rows, merged.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// What is known.
    pub(super) record: TokenRecord,
    /// Damaged rows that were treated as absent.
    pub(super) damaged: u64,
    /// A row is there under the phone number although the LID is known.
    pub(super) unmerged: bool,
}

/// Reads the rows under both names.
///
/// A damaged row counts as absent. A row of a newer version is an error, so that it is not
/// overwritten.
pub(super) fn load(txn: &Txn<'_>, scope: &Scope, names: &Names) -> Result<View, StoreError> {
    let read = |peer: &Option<PeerKey>| match peer {
        Some(peer) => txn.get_or_none(scope, peer.storage()),
        None => Ok(None),
    };
    let before = txn.damaged();
    let (lid, pn) = (read(&names.lid)?, read(&names.pn)?);
    Ok(View {
        damaged: txn.damaged() - before,
        unmerged: names.lid.is_some() && pn.is_some(),
        record: TokenRecord::merged(lid.unwrap_or_default(), pn.unwrap_or_default()),
    })
}

/// Writes the one row, under the LID if known, and removes the provisional one that was seen.
pub(super) fn store(txn: &mut Txn<'_>, scope: &Scope, names: &Names, view: &View) {
    let Some(canonical) = names.canonical() else {
        return;
    };
    txn.put(scope, canonical.storage(), &view.record);
    if let (Some(_), Some(pn)) = (&names.lid, &names.pn)
        && view.unmerged
    {
        txn.delete(scope, Namespace::Token, pn.storage());
    }
}
