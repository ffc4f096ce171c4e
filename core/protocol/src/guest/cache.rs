//! Plans of contacts that were asked about lately, so that asking again reads no store.

use std::collections::HashMap;

use crate::jid::Jid;
use crate::tctoken::Attach;
use crate::tctoken::policy::MessageKind;
use crate::time::UnixSeconds;

/// Contacts in each of the two generations; a contact that is asked about moves to the young one.
const GENERATION: usize = 2_048;

/// What messages to contacts carry. Everything that can change an answer clears it: a write to any
/// row, and the next bucket.
#[derive(Debug, Default)]
pub(super) struct Cache {
    young: HashMap<Jid, Entry>,
    old: HashMap<Jid, Entry>,
}

#[derive(Debug)]
struct Entry {
    attach: Attach,
    from: UnixSeconds,
    until: UnixSeconds,
}

impl Cache {
    /// What a message of content to `to` carries at `now`, if that is known. Protocol messages
    /// carry the same; peer messages are not kept here.
    pub(super) fn get(&mut self, to: &Jid, kind: MessageKind, now: UnixSeconds) -> Option<&Attach> {
        if kind == MessageKind::Peer {
            return None;
        }
        if !self.young.contains_key(to) {
            let entry = self.old.remove(to)?;
            self.insert(to.clone(), entry);
        }
        let entry = self.young.get(to)?;
        (entry.from <= now && now < entry.until).then_some(&entry.attach)
    }

    /// Keeps an answer that was made at `now` and holds until `until`.
    pub(super) fn put(&mut self, to: &Jid, attach: Attach, now: UnixSeconds, until: UnixSeconds) {
        let entry = Entry {
            attach,
            from: now,
            until,
        };
        self.insert(to.clone(), entry);
    }

    /// Something was written.
    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    fn insert(&mut self, to: Jid, entry: Entry) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(to, entry);
    }
}
