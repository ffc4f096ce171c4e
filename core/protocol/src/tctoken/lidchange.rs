//! A contact whose LID changed.
//!
//! ```text
//! lid:<old>  ->  lid:<new>      token row and timeline; merged if the new one has them already
//! ```
//!
//! The server announces it in a push of its own; whether it does so for every contact, and whether
//! tokens stay valid, is not known (spec: open questions). A token that is not valid any more costs
//! nothing, one that is left behind costs the chat.

use crate::error::{Fault, StoreError};
use crate::peer::{Names, PeerKey};
use crate::tctoken::record::TokenRecord;
use crate::tctoken::timeline::What;
use crate::tctoken::{Tokens, journal, rows};
use crate::time::UnixSeconds;
use crate::txn::{Cx, Key, Namespace};

impl Tokens {
    /// A contact has the LID `new` instead of `old`: its rows follow. Changes of our own LID are not
    /// for here, see [`own_lid`](crate::account::adopt::own_lid).
    ///
    /// # Errors
    /// What the store says.
    pub fn lid_changed(
        &mut self,
        cx: &mut Cx<'_>,
        old: &PeerKey,
        new: &PeerKey,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        let lids = matches!((old, new), (PeerKey::Lid(_), PeerKey::Lid(_)));
        if !lids || old == new || self.own.is(old) || self.own.is(new) {
            return Ok(());
        }
        let row = Key::new(&self.scope, Namespace::Token, old.storage());
        if cx.txn.row(&row)?.is_some() {
            self.move_contact(cx, old, new)?;
        }
        // What waits to be sent has the old address; the next message brings it back.
        self.issuance.cancel(old);
        self.issuance.rename(old, new, cx.now.mono);
        let why = Some((What::LidChanged, now));
        let noted = journal::merge(cx, &self.scope, (old, new), why)?;
        self.tally(noted);
        Ok(())
    }

    fn move_contact(
        &mut self,
        cx: &mut Cx<'_>,
        old: &PeerKey,
        new: &PeerKey,
    ) -> Result<(), StoreError> {
        let [old_names, new_names] = [old, new].map(|peer| Names::of(peer.clone()));
        let found = rows::load(&cx.txn, &self.scope, &old_names)
            .and_then(|moved| Ok((moved, rows::load(&cx.txn, &self.scope, &new_names)?)));
        let (moved, mut there) = match found {
            Err(StoreError::Version { .. }) => {
                self.counters.newer_rows += 1;
                return Ok(());
            }
            found => found?,
        };
        self.counters.damaged_rows += moved.damaged + there.damaged;
        there.record = TokenRecord::merged(there.record, moved.record);
        if !there.record.is_empty() {
            rows::store(&mut cx.txn, &self.scope, &new_names, &there);
        }
        cx.txn.delete(&self.scope, Namespace::Token, old.storage());
        Ok(())
    }
}
