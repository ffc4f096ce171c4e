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

pub mod adopt;

mod facts;
mod query;
mod refusal;
mod sending;

use crate::abprops::Props;
use crate::error::{Fault, StoreError};
use crate::limits::breaker::Breaker;
use crate::limits::capping::Capping;
use crate::limits::pull::Reason;
use crate::limits::timelock::Timelock;
use crate::mex::{DocIds, Question};
use crate::tctoken::Tokens;
use crate::tctoken::policy::Own;
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
    props: Props,
    timelock: Timelock,
    capping: Capping,
    breaker: Breaker,
    documents: DocIds,
    queries: Vec<Query>,
    /// 463s that wait for the pull.
    open: Vec<Refused>,
    settled: Vec<Settled>,
    waiting: refusal::Waiting,
    heard: Heard,
    online: bool,
    /// When the limits are asked for, after a login.
    bootstrap: Option<Mono>,
    /// When the known end of a lock passes, and when the props are due.
    wound: [Option<Mono>; 2],
}

impl Account {
    /// The machine of `own` with what is stored; `None` when the account has no name.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(txn: &Txn<'_>, own: Own, documents: DocIds) -> Result<Option<Self>, StoreError> {
        let Some(account) = own.account() else {
            return Ok(None);
        };
        let scope = Scope::account(&account);
        let props = Props::load(txn, &scope)?;
        let Some(mut tokens) = Tokens::new(own, props.tokens()) else {
            return Ok(None);
        };
        tokens.hold_issues(true);
        Ok(Some(Self {
            tokens,
            props,
            timelock: Timelock::load(txn, &scope)?,
            capping: Capping::load(txn, &scope)?,
            breaker: Breaker::load(txn, &scope)?,
            documents,
            queries: Vec::new(),
            open: Vec::new(),
            settled: Vec::new(),
            waiting: refusal::Waiting::default(),
            heard: Heard::default(),
            online: false,
            bootstrap: None,
            wound: [None; 2],
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

    /// Whether the connection is up.
    pub const fn is_online(&self) -> bool {
        self.online
    }

    /// The connection is up and logged in: queries leave from now on.
    pub fn connected(&mut self, cx: &Cx<'_>, now: UnixSeconds) {
        self.online = true;
        self.bootstrap = Some(cx.now.mono.plus(BOOTSTRAP));
        self.tokens.hold_issues(false);
        self.props.notified();
        self.ask_props(cx, now);
    }

    /// The server begins (true) or has ended to deliver what it kept. Until then nothing is issued:
    /// the same contact may come up several times.
    pub fn backlog(&mut self, cx: &Cx<'_>, open: bool) {
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
        self.props.disconnected();
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
        let due = [self.tokens.deadline(), self.bootstrap];
        let all = due.into_iter().chain(self.wound).flatten();
        all.filter(|_| self.online).min()
    }

    /// What time brings. Calling it late or twice does no harm.
    pub fn tick(&mut self, cx: &mut Cx<'_>, now: UnixSeconds) {
        if !self.online {
            return;
        }
        if self.bootstrap.is_some_and(|at| at <= cx.now.mono) {
            self.bootstrap = None;
            self.pull(cx, Question::ReachoutTimelock, Reason::Connected);
            if self.props.capping().limit.is_none_or(|limit| limit > 0) {
                self.pull(cx, Question::NewChatCapping, Reason::Connected);
            }
        }
        self.ask_props(cx, now);
        if self.timelock.tick(cx.now.mono, now) {
            self.ask(Question::ReachoutTimelock, 0);
        }
        let due = self.tokens.tick(cx.now.mono);
        self.issue(due);
    }

    /// Brings the deadlines up to date at the end of a step.
    pub fn wind(&mut self, now: Now, server: UnixSeconds) {
        self.wound = [
            self.timelock.deadline(now, server),
            self.props.deadline(now.mono, server),
        ];
    }
}
