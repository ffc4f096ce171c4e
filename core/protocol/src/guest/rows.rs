//! Coarse rows: the interface of hosts whose library asks its store for rows and writes rows back.
//!
//! whatsmeow reads a row before a send and attaches its token if the row's time lies in its own
//! window of four weeks. So the time it gets is not the token's: it is "now" for a token that may be
//! attached, and none for one that may not. It writes back what it read, with only the sender's
//! time changed; such a write says nothing about the token (spec: "guest mode on an unpatched
//! whatsmeow").

use std::collections::BTreeMap;

use crate::error::{Fault, StoreError};
use crate::guest::{Guest, Row, RowPut};
use crate::jid::Jid;
use crate::limits::gate::RecipientHint;
use crate::nct::{self, NoCstoken};
use crate::peer::{Names, PeerKey};
use crate::secret::SecretBytes;
use crate::tctoken::Attach;
use crate::tctoken::policy::MessageKind;
use crate::time::{Millis, Mono, Now, UnixSeconds};
use crate::txn::{Cx, Reader, Txn};
use crate::verdict::WhyNot;

/// Stands for "no token, but a row", because such hosts skip rows without token bytes. It is never
/// attached: its row has no time.
pub const PLACEHOLDER: &[u8] = b"sendpath:none";

/// How long a host that issues by itself may take until its issue is not expected any more.
const CLAIM: Millis = Millis::from_secs(60);

/// Contacts whose rows are remembered as handed out.
const MOST: usize = 4_096;

/// Values that were made up for rows, so that they are known again when they are written back.
#[derive(Debug, Default)]
pub(super) struct Handed(BTreeMap<PeerKey, Made>);

#[derive(Clone, Copy, Debug, Default)]
struct Made {
    t: Times,
    sender: Times,
    /// When a row was read that makes the host issue.
    claimed: Option<Mono>,
}

/// The times that were made up lately, from the first to the last: several sends may be under way,
/// each with its own row.
#[derive(Clone, Copy, Debug, Default)]
struct Times(Option<(UnixSeconds, UnixSeconds)>);

impl Made {
    fn and(self, other: Self) -> Self {
        Self {
            t: self.t.and(other.t),
            sender: self.sender.and(other.sender),
            claimed: self.claimed.max(other.claimed),
        }
    }
}

impl Times {
    /// Seconds after which a host has long written back what it read.
    const KEPT: i64 = 300;

    fn add(&mut self, t: UnixSeconds) {
        let recent = |first: &UnixSeconds| (0..=Self::KEPT).contains(&t.since(*first));
        let first = self.0.map(|(first, _)| first).filter(recent);
        self.0 = Some((first.unwrap_or(t), t));
    }

    fn and(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some((a, b)), Some((c, d))) => Self(Some((a.min(c), b.max(d)))),
            (own, other) => Self(own.or(other)),
        }
    }

    fn has(self, t: UnixSeconds) -> bool {
        self.0
            .is_some_and(|(first, last)| (first..=last).contains(&t))
    }
}

impl Handed {
    /// What was made up for a contact, under either of its names: its LID may have become known
    /// since.
    fn of(&self, names: &Names) -> Made {
        let known = [&names.lid, &names.pn].into_iter().flatten();
        let made = known.filter_map(|peer| self.0.get(peer)).copied();
        made.fold(Made::default(), Made::and)
    }

    fn set(&mut self, names: &Names, made: Made) {
        let mut known = [&names.lid, &names.pn].into_iter().flatten();
        let Some(peer) = known.next() else {
            return;
        };
        known.for_each(|other| {
            self.0.remove(other);
        });
        if self.0.len() >= MOST && !self.0.contains_key(peer) {
            self.0.pop_first();
        }
        self.0.insert(peer.clone(), made);
    }
}

impl Guest {
    /// The row of a contact as the host's library must see it to do the right thing; `None` for
    /// chats that have none. A contact of whom nothing is known has one: such libraries do not write
    /// down that they issued where they found no row.
    ///
    /// # Errors
    /// What the store says.
    pub fn row(
        &mut self,
        now: Now,
        reader: &dyn Reader,
        peer: &Jid,
    ) -> Result<Option<Row>, StoreError> {
        let server = self.clock.unix(now);
        let plan = self.plan(
            now,
            reader,
            peer,
            MessageKind::Content,
            RecipientHint::Ordinary,
        );
        let not_eligible = Attach::Nothing {
            token: WhyNot::NotEligible,
            cstoken: NoCstoken::NotEligible,
        };
        if plan.attach == not_eligible {
            return Ok(None);
        }
        let txn = Txn::reading(reader);
        let names = self.account.names(&txn, peer)?;
        let ours = self.account.issued_at(&txn, &names)?;
        let mut made = self.rows.of(&names);
        let sender_t = self.sender_time(now, ours, &mut made);
        let (token, t) = match plan.attach {
            Attach::Tctoken { bytes, .. } => (bytes, Some(server)),
            _ => (SecretBytes::new(PLACEHOLDER.to_vec()), None),
        };
        t.into_iter().for_each(|t| made.t.add(t));
        self.rows.set(&names, made);
        Ok(Some(Row { token, t, sender_t }))
    }

    /// The salt as the host's library must see it: `None` when no cstoken may be sent.
    ///
    /// # Errors
    /// What the store says.
    pub fn salt_row(&self, reader: &dyn Reader) -> Result<Option<SecretBytes>, StoreError> {
        if !self.account.cstoken_allowed() {
            return Ok(None);
        }
        nct::salt(&Txn::reading(reader), self.account.scope())
    }

    /// The sender's time that makes the host's library issue exactly when an issue is due: once,
    /// and never when the guest issues by itself.
    fn sender_time(
        &self,
        now: Now,
        ours: Option<UnixSeconds>,
        made: &mut Made,
    ) -> Option<UnixSeconds> {
        let server = self.clock.unix(now);
        if !self.account.must_issue(ours, server) {
            return ours;
        }
        let claimed = made.claimed.is_some_and(|at| now.mono.since(at) < CLAIM);
        if self.config.host_issues && !claimed {
            made.claimed = Some(now.mono);
            return ours;
        }
        made.sender.add(server);
        Some(server)
    }

    pub(super) fn row_put(&mut self, cx: &mut Cx<'_>, put: &RowPut) -> Result<(), Fault> {
        let now = self.server_now(cx);
        self.cache.clear();
        let names = self.account.names(&cx.txn, &put.peer)?;
        if names.canonical().is_none() {
            self.ignored += 1;
            return Ok(());
        }
        let made = self.rows.of(&names);
        let row = &put.row;
        if let (false, Some(t)) = (row.token.expose() == PLACEHOLDER, row.t)
            && !(made.t.has(t) && self.account.holds(&cx.txn, &names, &row.token)?)
        {
            self.given(cx, &put.peer, row.token.clone(), t)?;
        }
        // Whoever was made to issue writes the time of its issue, which may be one we made up for
        // the others.
        let awaited = made.claimed.is_some();
        let known = self.account.issued_at(&cx.txn, &names)?;
        let news = |t: &UnixSeconds| Some(*t) > known && (awaited || !made.sender.has(*t));
        if let Some(t) = row.sender_t.filter(news) {
            self.account.issued_elsewhere(cx, &names, t, now)?;
            let done = Made {
                claimed: None,
                ..made
            };
            self.rows.set(&names, done);
        }
        Ok(())
    }
}
