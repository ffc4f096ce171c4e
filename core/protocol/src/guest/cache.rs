//! Plans of contacts that were asked about lately, so that asking again reads no store.

use std::collections::HashMap;

use crate::jid::Jid;
use crate::peer::Names;
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
    names: Names,
    attach: Attach,
    from: UnixSeconds,
    until: UnixSeconds,
}

impl Cache {
    /// The contact's names and what a message of content to `to` carries at `now`, if that is
    /// known. Protocol messages carry the same; peer messages are not kept here.
    pub(super) fn get(
        &mut self,
        to: &Jid,
        kind: MessageKind,
        now: UnixSeconds,
    ) -> Option<(&Names, &Attach)> {
        if kind == MessageKind::Peer {
            return None;
        }
        if !self.young.contains_key(to) {
            let entry = self.old.remove(to)?;
            self.insert(to.clone(), entry);
        }
        let entry = self.young.get(to)?;
        (entry.from <= now && now < entry.until).then_some((&entry.names, &entry.attach))
    }

    /// Keeps an answer that was made at `now` and holds until `until`.
    pub(super) fn put(
        &mut self,
        to: &Jid,
        (names, attach): (Names, Attach),
        now: UnixSeconds,
        until: UnixSeconds,
    ) {
        let entry = Entry {
            names,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nct::NoCstoken;
    use crate::verdict::WhyNot;

    const NOW: UnixSeconds = UnixSeconds(1_786_074_400);

    #[test]
    fn it_is_bounded_and_keeps_who_was_asked_about_lately() {
        let nothing = Attach::Nothing {
            token: WhyNot::NeverReceived,
            cstoken: NoCstoken::NoSalt,
        };
        let contact = |number: usize| Jid::lid(number.to_string());
        let mut cache = Cache::default();
        for number in 0..10 * GENERATION {
            let known = (Names::default(), nothing.clone());
            cache.put(&contact(number), known, NOW, NOW.plus(1));
            assert!(cache.get(&contact(0), MessageKind::Content, NOW).is_some());
            assert!(cache.young.len() + cache.old.len() <= 2 * GENERATION);
        }
        let forgotten = cache.get(&contact(1), MessageKind::Content, NOW);
        assert_eq!(forgotten, None);
        let over = cache.get(&contact(0), MessageKind::Content, NOW.plus(1));
        assert_eq!(over, None, "it held until then");
    }
}
