//! The token machine beside a host that owns its connection, such as one built on whatsmeow.
//!
//! ```text
//! facts in      handle(Fact) ─▶ Step ─▶ commit ─▶ events
//! question      plan(to) ─▶ what the message carries, or why it must not leave     memory only
//! work out      outgoing() ─▶ IQs to send ─▶ handle(WorkDone)
//! coarse rows   row(peer), handle(RowPut)                    for hosts whose library knows only rows
//! ```
//!
//! It has no socket, no clock and no thread: the host brings `now`, and calls `handle(Tick)` at
//! [`Guest::deadline`] if it can. One that never ticks still gets correct plans; only what the guest
//! asks the server comes later.

mod cache;
mod fact;
mod plan;
mod rows;
mod sends;
mod stanza;
mod work;

use crate::account::{Account, Answer, Inquiry, Purpose};
use crate::error::{Fault, StoreError};
use crate::history::Blob;
use crate::jid::Jid;
use crate::lidmap;
use crate::nct::{self, Mutated};
use crate::peer::PeerKey;
use crate::secret::{Entropy, EntropyExt, SecretBytes};
use crate::tctoken::Counters;
use crate::tctoken::policy::Own;
use crate::tctoken::stanza::{MAX_TOKEN_BYTES, Notification, Token};
use crate::time::{Mono, Now, ServerClock, UnixSeconds};
use crate::txn::{self, Cx, Reader, Scope, Step, Txn};

pub use fact::{Fact, GuestConfig, Row, RowPut, WorkEnd};
pub use plan::GuestPlan;
pub use rows::PLACEHOLDER;
pub use work::{Work, WorkKind};

/// The machine of one account whose connection belongs to the host.
#[derive(Debug)]
pub struct Guest {
    slot: Scope,
    account: Account,
    config: GuestConfig,
    clock: ServerClock,
    work: work::WorkList,
    cache: cache::Cache,
    sends: sends::Sends,
    rows: rows::Handed,
    stopped: bool,
    /// Facts that made no sense here and changed nothing.
    ignored: u64,
}

impl Guest {
    /// Opens the machine of account `own`. Commit the step before anything else. `name` tells the
    /// guests of one store apart; its tokens belong to the account, whatever the name.
    ///
    /// # Errors
    /// [`Fault::Store`] if the store fails.
    pub fn open(
        name: &str,
        own: Own,
        config: GuestConfig,
        now: Now,
        rng: &mut dyn Entropy,
        reader: &dyn Reader,
    ) -> Result<(Self, Step), Fault> {
        let mut opened = None;
        let step = txn::step(now, rng, reader, |cx| {
            let slot = Scope::slot(name);
            let account = Account::load(cx, &slot, own, config.account.clone())?;
            let mut account = account.ok_or(Fault::Bug("an account has a name"))?;
            account.connected(cx, now.unix());
            let prefix = format!("sp{:x}-", cx.rng.below(1 << 24));
            // A host may report work of the guest that was here before.
            let first = u64::from(cx.rng.below(1 << 20)) << 24;
            let mut guest = Self {
                slot,
                account,
                config,
                clock: ServerClock::default(),
                work: work::WorkList::new(prefix, first),
                cache: cache::Cache::default(),
                sends: sends::Sends::default(),
                rows: rows::Handed::default(),
                stopped: false,
                ignored: 0,
            };
            guest.follow_account(cx);
            opened = Some(guest);
            Ok(())
        })?;
        let mut guest = opened.ok_or(Fault::Bug("a guest opens or fails"))?;
        guest.account.wind(now, now.unix());
        Ok((guest, step))
    }

    /// Takes in one fact. Commit the step before the next one; after an `Err` drop the guest, open
    /// it again and do not acknowledge the stanza the fact came from.
    ///
    /// # Errors
    /// [`Fault::Store`] if the store fails, [`Fault::Bug`] for a broken assumption of ours.
    pub fn handle(
        &mut self,
        now: Now,
        rng: &mut dyn Entropy,
        reader: &dyn Reader,
        fact: Fact,
    ) -> Result<Step, Fault> {
        let step = txn::step(now, rng, reader, |cx| {
            self.fact(cx, fact)?;
            self.follow_account(cx);
            Ok(())
        })?;
        self.account.wind(now, self.clock.unix(now));
        Ok(step)
    }

    /// Answers from what is known here: whether messages may be sent, what happened with a contact,
    /// the account's limits.
    ///
    /// # Errors
    /// What the store says.
    pub fn ask(
        &mut self,
        now: Now,
        reader: &dyn Reader,
        inquiry: &Inquiry,
    ) -> Result<Answer, StoreError> {
        let server = self.clock.unix(now);
        self.account.answer(&Txn::reading(reader), inquiry, server)
    }

    /// The work that is not done, oldest first: the same entries until they are reported.
    pub fn outgoing(&self) -> impl Iterator<Item = &Work> {
        self.work.open()
    }

    /// When `handle(Tick)` has something to do; `None` while nothing is scheduled.
    pub fn deadline(&self) -> Option<Mono> {
        let due = [self.account.deadline(), self.work.deadline()];
        due.into_iter().flatten().min()
    }

    /// What was learnt of the server's clock.
    pub const fn clock(&self) -> ServerClock {
        self.clock
    }

    /// Whether the host's connection is up, as far as it told.
    pub const fn is_online(&self) -> bool {
        self.account.is_online()
    }

    /// The scope of the account's rows.
    pub const fn account_scope(&self) -> &Scope {
        self.account.scope()
    }

    /// What the token machine left aside.
    pub const fn counters(&self) -> &Counters {
        self.account.counters()
    }

    /// Facts that made no sense here and changed nothing.
    pub const fn ignored(&self) -> u64 {
        self.ignored + self.account.ignored()
    }

    fn server_now(&self, cx: &Cx<'_>) -> UnixSeconds {
        self.clock.unix(cx.now)
    }

    fn fact(&mut self, cx: &mut Cx<'_>, fact: Fact) -> Result<(), Fault> {
        let now = self.server_now(cx);
        match fact {
            Fact::Ack { id, code } => self.acked(cx, &id, code)?,
            Fact::Backlog(open) => self.account.backlog(cx, open),
            Fact::Connected => self.connected(cx),
            Fact::Disconnected => self.disconnected(cx)?,
            Fact::Handed { id, to, kind } => self.handed(cx, id, to, kind)?,
            Fact::AppState {
                index,
                operation,
                value,
            } => {
                self.cache.clear();
                let scope = self.account.scope().clone();
                if nct::apply_mutation(cx, &scope, &index, operation, &value)? == Mutated::Odd {
                    self.ignored += 1;
                }
            }
            Fact::Background(background) => self.account.set_background(background),
            Fact::Forget => {
                self.cache.clear();
                self.work.drain();
                self.account.forget(cx, now)?;
            }
            Fact::History(blob) => {
                self.cache.clear();
                if self
                    .account
                    .history(cx, &self.slot, &Blob::new(&blob), now)?
                    .is_err()
                {
                    self.ignored += 1;
                }
            }
            Fact::IdentityChanged(jid) => self.account.identity_changed(cx, &jid, now)?,
            Fact::Mapping(one, other) => match lidmap::Mapping::of(&one, &other) {
                Some(pair) => self.learn(cx, &pair)?,
                None => self.ignored += 1,
            },
            Fact::Props(values) => {
                self.cache.clear();
                self.account.feed_props(cx, &values, now);
            }
            Fact::RefreshLimits => self.account.refresh_limits(cx),
            Fact::Receipt(ids) => self.account.arrived(cx, &ids),
            Fact::RowPut(put) => self.row_put(cx, &put)?,
            Fact::Salt(salt) => {
                self.cache.clear();
                let scope = self.account.scope().clone();
                match salt {
                    Some(salt) => nct::set(cx, &scope, salt)?,
                    None => nct::clear(cx, &scope)?,
                };
            }
            Fact::SaltFromHistory(salt) => {
                self.cache.clear();
                let scope = self.account.scope().clone();
                nct::backfill(cx, &scope, salt)?;
            }
            Fact::ServerTime(t) => self.clock.observe(t, cx.now),
            Fact::Stanza(node) => self.stanza(cx, &node)?,
            Fact::Stop => self.stop(cx)?,
            Fact::Tick => self.tick(cx)?,
            Fact::Token { from, bytes, t } => self.given(cx, &from, bytes, t)?,
            Fact::WorkDone { id, end } => self.work_done(cx, id, end)?,
            Fact::Wrote(jid) => self.account.wrote(cx, &jid, now)?,
        }
        Ok(())
    }

    /// A token that the host says a contact gave us.
    fn given(
        &mut self,
        cx: &mut Cx<'_>,
        from: &Jid,
        bytes: SecretBytes,
        t: UnixSeconds,
    ) -> Result<(), Fault> {
        if t.0 <= 0 || !(1..=MAX_TOKEN_BYTES).contains(&bytes.len()) {
            self.ignored += 1;
            return Ok(());
        }
        let token = Token {
            bytes,
            t,
            target: None,
        };
        let notification = Notification {
            from: PeerKey::of(from),
            tokens: vec![token],
            ..Notification::default()
        };
        self.received(cx, notification)
    }

    fn received(&mut self, cx: &mut Cx<'_>, notification: Notification) -> Result<(), Fault> {
        let now = self.server_now(cx);
        self.cache.clear();
        self.account
            .tokens_arrived(cx, &self.slot, notification, now)
    }

    fn learn(&mut self, cx: &mut Cx<'_>, pair: &lidmap::Mapping) -> Result<(), Fault> {
        self.cache.clear();
        self.account.learn(cx, &self.slot, pair)
    }

    fn connected(&mut self, cx: &mut Cx<'_>) {
        if !self.stopped {
            let now = self.server_now(cx);
            self.account.connected(cx, now);
        }
    }

    fn disconnected(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let now = self.server_now(cx);
        self.account.disconnected();
        for purpose in self.work.drain() {
            let end = crate::stream::iq::IqEnd::Disconnected;
            self.account.answered(cx, &purpose, &end, now)?;
        }
        Ok(())
    }

    fn stop(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let now = self.server_now(cx);
        self.stopped = true;
        self.account.stop(cx, now)?;
        self.work.drain();
        Ok(())
    }

    fn tick(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let now = self.server_now(cx);
        for purpose in self.work.expired(cx.now.mono) {
            let end = crate::stream::iq::IqEnd::Timeout;
            self.account.answered(cx, &purpose, &end, now)?;
        }
        self.account.tick(cx, now)
    }

    fn work_done(&mut self, cx: &mut Cx<'_>, id: u64, end: WorkEnd) -> Result<(), Fault> {
        let now = self.server_now(cx);
        let Some(purpose) = self.work.done(id) else {
            self.ignored += 1;
            return Ok(());
        };
        let end = end.into_iq(&purpose);
        // When we gave our token to somebody changes nobody's plan.
        if !matches!(purpose, Purpose::Issue { .. }) {
            self.cache.clear();
        }
        self.account.answered(cx, &purpose, &end, now)
    }
}
