//! One WhatsApp account without its connection: tokens, limits, and what a refusal meant.
//!
//! ```text
//! plan ─▶ handed ─▶ accepted | refused ─▶ settled            one message
//! notification, history, mapping, identity                   what the server and the phone tell
//! queries ─▶ answered                                        what this machine asks the server
//! ```
//!
//! The session drives it beside the connection that it owns, and a guest for
//! hosts that own theirs; it exists once. It keeps no clock: every method takes the server's time,
//! and [`Account::tick`] is due at [`Account::deadline`].

mod facts;
mod query;
mod refusal;
mod sending;

use crate::error::{Fault, StoreError};
use crate::limits::capping::Capping;
use crate::limits::pull::Reason;
use crate::limits::timelock::Timelock;
use crate::mex::{DocIds, Question};
use crate::tctoken::Tokens;
use crate::tctoken::policy::{Own, TokenProps};
use crate::time::{Millis, Mono, Now, UnixSeconds};
use crate::txn::{Cx, Scope, Txn};

pub use facts::Heard;
pub use query::{Purpose, Query};
pub use refusal::{Refused, Settled};
pub use sending::{Plan, Sent};

/// How long the limits are asked for after a login at the latest. They are asked for when the server
/// has delivered what it kept, and that end may never be announced.
const BOOTSTRAP: Millis = Millis::from_secs(10);

/// The machine of one account.
#[derive(Debug)]
pub struct Account {
    tokens: Tokens,
    timelock: Timelock,
    capping: Capping,
    documents: DocIds,
    queries: Vec<Query>,
    /// 463s that wait for the pull.
    open: Vec<Refused>,
    settled: Vec<Settled>,
    waiting: refusal::Waiting,
    heard: Heard,
    online: bool,
    /// The server delivers what it kept while we were away.
    backlog: bool,
    /// When the limits are asked for, after a login.
    bootstrap: Option<Mono>,
    lock_ends: Option<Mono>,
}

impl Account {
    /// The machine of `own` with what is stored; `None` when the account has no name.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(txn: &Txn<'_>, own: Own, documents: DocIds) -> Result<Option<Self>, StoreError> {
        let Some(mut tokens) = Tokens::new(own, TokenProps::default()) else {
            return Ok(None);
        };
        tokens.hold_issues(true);
        let timelock = Timelock::load(txn, tokens.scope())?;
        let capping = Capping::load(txn, tokens.scope())?;
        Ok(Some(Self {
            tokens,
            timelock,
            capping,
            documents,
            queries: Vec::new(),
            open: Vec::new(),
            settled: Vec::new(),
            waiting: refusal::Waiting::default(),
            heard: Heard::default(),
            online: false,
            backlog: false,
            bootstrap: None,
            lock_ends: None,
        }))
    }

    /// The owner of all rows.
    pub const fn scope(&self) -> &Scope {
        self.tokens.scope()
    }

    /// Who we are.
    pub const fn own(&self) -> &Own {
        self.tokens.own()
    }

    /// The connection is up and logged in: queries leave from now on.
    pub fn connected(&mut self, cx: &Cx<'_>) {
        self.online = true;
        self.backlog = false;
        self.bootstrap = Some(cx.now.mono.plus(BOOTSTRAP));
        self.tokens.hold_issues(false);
    }

    /// The server begins (true) or has ended to deliver what it kept. Until then nothing is issued:
    /// the same contact may come up several times.
    pub fn backlog(&mut self, cx: &Cx<'_>, open: bool) {
        self.backlog = open;
        self.tokens.hold_issues(open || !self.online);
        if open {
            self.bootstrap = None;
        } else if self.online {
            self.bootstrap = Some(cx.now.mono);
        }
    }

    /// The connection is gone. Every query that had left must be reported as
    /// [`IqEnd::Disconnected`](crate::stream::iq::IqEnd).
    pub fn disconnected(&mut self) {
        self.online = false;
        self.bootstrap = None;
        self.queries.clear();
        self.tokens.hold_issues(true);
    }

    /// Nothing leaves any more. Refusals that wait for an answer end as undetermined.
    ///
    /// # Errors
    /// What the store says.
    pub fn stop(&mut self, cx: &mut Cx<'_>, now: UnixSeconds) -> Result<(), Fault> {
        self.tokens.stop();
        self.settle_open(cx, false, now)?;
        self.disconnected();
        Ok(())
    }

    /// When [`Account::tick`] has something to do; `None` for never.
    pub fn deadline(&self) -> Option<Mono> {
        let due = [self.tokens.deadline(), self.lock_ends, self.bootstrap];
        due.into_iter().flatten().filter(|_| self.online).min()
    }

    /// What time brings. Calling it late or twice does no harm.
    pub fn tick(&mut self, cx: &mut Cx<'_>, now: UnixSeconds) {
        if !self.online {
            return;
        }
        if self.bootstrap.is_some_and(|at| at <= cx.now.mono) {
            self.bootstrap = None;
            self.pull(cx, Question::ReachoutTimelock, Reason::Connected);
        }
        if self.timelock.tick(cx.now.mono, now) {
            self.ask(Question::ReachoutTimelock, 0);
        }
        let due = self.tokens.tick(cx.now.mono);
        self.issue(due);
    }

    /// Brings the deadlines up to date at the end of a step.
    pub fn wind(&mut self, now: Now, server: UnixSeconds) {
        self.lock_ends = self.timelock.deadline(now, server);
    }
}
