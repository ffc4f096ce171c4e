//! Rows of contacts in the store. A contact has one row, or two for as long as nobody knew that its
//! phone number and its LID are the same; readers always see the two merged.

use crate::error::StoreError;
use crate::peer::{Names, PeerKey};
use crate::tctoken::record::TokenRecord;
use crate::txn::{Key, Namespace, Record, Scope, Txn};

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
/// A damaged row counts as absent: one bad row must not stop a send. A row of a newer version is an
/// error, so that it is not overwritten.
pub(super) fn load(txn: &Txn<'_>, scope: &Scope, names: &Names) -> Result<View, StoreError> {
    let mut view = View::default();
    let lid = match &names.lid {
        Some(lid) => read(txn, scope, lid, &mut view.damaged)?,
        None => None,
    };
    let pn = match &names.pn {
        Some(pn) => read(txn, scope, pn, &mut view.damaged)?,
        None => None,
    };
    view.unmerged = names.lid.is_some() && pn.is_some();
    view.record = TokenRecord::merged(lid.unwrap_or_default(), pn.unwrap_or_default());
    Ok(view)
}

/// Writes the one row, under the LID if known, and removes the provisional one that was seen.
pub(super) fn store(txn: &mut Txn<'_>, scope: &Scope, names: &Names, view: &View) {
    let Some(canonical) = names.canonical() else {
        return;
    };
    txn.put(scope, canonical.storage(), &view.record);
    if let (Some(_), Some(pn)) = (&names.lid, &names.pn)
        && (view.unmerged || view.damaged > 0)
    {
        txn.delete(scope, Namespace::Token, pn.storage());
    }
}

fn read(
    txn: &Txn<'_>,
    scope: &Scope,
    peer: &PeerKey,
    damaged: &mut u64,
) -> Result<Option<TokenRecord>, StoreError> {
    let Some(row) = txn.row(&Key::new(scope, Namespace::Token, peer.storage()))? else {
        return Ok(None);
    };
    match TokenRecord::from_row(&row) {
        Ok(record) => Ok(Some(record)),
        Err(StoreError::Corrupt(_)) => {
            *damaged += 1;
            Ok(None)
        }
        Err(newer) => Err(newer),
    }
}
