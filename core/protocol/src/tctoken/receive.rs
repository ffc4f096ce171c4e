//! What comes in live: notifications, and copies of our other devices' issues.

use crate::error::Fault;
use crate::event::Event;
use crate::lidmap;
use crate::peer::{Names, PeerKey};
use crate::secret::SecretBytes;
use crate::tctoken::policy::{Class, class};
use crate::tctoken::record::{Change, Source, Theirs};
use crate::tctoken::stanza::{Notification, Token};
use crate::tctoken::timeline::What;
use crate::tctoken::{Tokens, journal};
use crate::time::UnixSeconds;
use crate::txn::Cx;

/// A stamp further ahead than this counts as now: a token from the far future would keep every
/// later one out.
pub(super) const FUTURE_TOLERANCE: i64 = 86_400;

/// What a notification brought.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Received {
    /// The contact whose token is new: worth a presence re-subscription and a word to the host about
    /// refused messages.
    pub fresh: Option<PeerKey>,
    /// Phone number and LID that the notification states to be one contact, for the LID map.
    pub mapping: Option<(PeerKey, PeerKey)>,
}

impl Tokens {
    /// A `privacy_token` notification. `known` is what the LID map says about its `from`. The
    /// caller acknowledges it with the effects of this step, so only after the rows are durable.
    ///
    /// # Errors
    /// What the store says.
    pub fn receive(
        &mut self,
        cx: &mut Cx<'_>,
        notification: Notification,
        known: &Names,
        now: UnixSeconds,
    ) -> Result<Received, Fault> {
        let seen = &mut self.counters.ignored;
        seen.bad_time += notification.ignored.bad_time;
        seen.empty += notification.ignored.empty;
        seen.too_much += notification.ignored.too_much;
        seen.unknown_type += notification.ignored.unknown_type;

        let names = notification.subject(known);
        let mut received = Received::default();
        if notification.names().any(|peer| self.own.is(peer)) || self.own.is_any(&names) {
            for token in &notification.tokens {
                self.own_copy(cx, token, now)?;
            }
            return Ok(received);
        }
        if !self.may_give(&names) {
            self.counters.not_a_contact += 1;
            return Ok(received);
        }
        received.mapping = notification.mapping();
        if let Some((pn, lid)) = &received.mapping {
            let why = Some((What::Merged, now));
            let noted = journal::merge(cx, &self.scope, (pn, lid), why)?;
            self.tally(noted);
            self.mapping_learned(cx, pn, lid)?;
        }
        for token in notification.tokens {
            let source = Source::Notification;
            let theirs = self.theirs(token.bytes, token.t, source, now);
            let t = theirs.t;
            let change = self.give(cx, &names, theirs)?;
            let fresh = change == Change::Stored;
            if fresh {
                received.fresh = names.canonical().cloned();
            }
            if fresh || change == Change::Advanced {
                self.note_contact(cx, &names, What::Received { source, t, fresh }, now);
            }
        }
        Ok(received)
    }

    /// A copy of an issue by another device of ours: not a token for us, but its contact needs none
    /// from this device.
    fn own_copy(&mut self, cx: &mut Cx<'_>, token: &Token, now: UnixSeconds) -> Result<(), Fault> {
        let target = match &token.target {
            Some(peer) => Some(lidmap::resolve(&cx.txn, &self.scope, peer)?),
            None => None,
        };
        match target.filter(|names| self.may_give(names)) {
            Some(names) => self.issued_elsewhere(cx, &names, token.t, now),
            None => {
                self.counters.not_a_contact += 1;
                Ok(())
            }
        }
    }

    /// Another device of ours, or the host's own library, issued to the contact at `t`.
    ///
    /// # Errors
    /// What the store says.
    pub fn issued_elsewhere(
        &mut self,
        cx: &mut Cx<'_>,
        names: &Names,
        t: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        let t = self.not_from_the_future(t, now);
        let mut later = false;
        self.update(cx, names, |row| {
            later = row.touch_sender(t);
            later
        })?;
        if later {
            self.note_contact(cx, names, What::Issued { t, here: false }, now);
        }
        Ok(())
    }

    fn give(&mut self, cx: &mut Cx<'_>, names: &Names, theirs: Theirs) -> Result<Change, Fault> {
        let t = theirs.t;
        let mut change = Change::None;
        self.update(cx, names, |row| {
            change = row.receive(theirs);
            matches!(change, Change::Advanced | Change::Stored)
        })?;
        match (change, names.canonical()) {
            (Change::Advanced | Change::Stored, Some(peer)) => cx.effect(Event::TokenStored {
                peer: peer.clone(),
                t,
                fresh: change == Change::Stored,
            }),
            (Change::Older, _) => self.counters.older += 1,
            _ => {}
        }
        Ok(change)
    }

    pub(super) fn theirs(
        &mut self,
        bytes: SecretBytes,
        t: UnixSeconds,
        source: Source,
        now: UnixSeconds,
    ) -> Theirs {
        Theirs {
            bytes,
            t: self.not_from_the_future(t, now),
            source,
            seen: now,
            suspect: false,
        }
    }

    pub(super) fn not_from_the_future(&mut self, t: UnixSeconds, now: UnixSeconds) -> UnixSeconds {
        if t.since(now) <= FUTURE_TOLERANCE {
            return t;
        }
        self.counters.from_the_future += 1;
        now
    }

    /// Whether these are names of somebody else who can give a token.
    pub(super) fn may_give(&self, names: &Names) -> bool {
        let mut names = [&names.lid, &names.pn].into_iter().flatten().peekable();
        names.peek().is_some() && names.all(|peer| class(&peer.jid(), &self.own) == Class::Contact)
    }
}
