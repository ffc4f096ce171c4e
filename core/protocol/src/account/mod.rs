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
mod presence;
mod query;
mod questions;
mod refusal;
mod sending;
mod waiting;

use std::collections::BTreeSet;

use crate::abprops::Props;
use crate::device::Forgotten;
use crate::error::Fault;
use crate::event::Event;
use crate::jid::Jid;
use crate::limits::breaker::Breaker;
use crate::limits::capping::Capping;
use crate::limits::pull::{Pull, Reason};
use crate::limits::silent::Watch;
use crate::limits::timelock::Timelock;
use crate::mex::{DocIds, Question};
use crate::peer::{AccountKey, Names, PeerKey};
use crate::tctoken::journal;
use crate::tctoken::policy::Own;
use crate::tctoken::prune::Pruner;
use crate::tctoken::timeline::What;
use crate::tctoken::{Counters, Tokens};
use crate::time::{Millis, Mono, Now, UnixSeconds};
use crate::txn::{Cx, Scope};
use crate::wap::Node;

pub use facts::Heard;
pub use presence::presence;
pub use query::{Purpose, Query};
pub use questions::{Answer, CanSend, Inquiry, MaySend};
pub use refusal::{Refused, Settled};
pub use sending::{Plan, Sent};
pub use waiting::WaitingRecord;

/// How long the limits are asked for after a login at the latest. They are asked for when the server
/// has delivered what it kept, and that end may never be announced.
const BOOTSTRAP: Millis = Millis::from_secs(10);

/// The machine of one account.
#[derive(Debug)]
pub struct Account {
    /// Owner of the rows about messages of this device.
    slot: Scope,
    tokens: Tokens,
    props: Props,
    timelock: Timelock,
    capping: Capping,
    breaker: Breaker,
    silent: Watch,
    pruner: Pruner,
    settings: Settings,
    queries: Vec<Query>,
    stanzas: Vec<Node>,
    followed: BTreeSet<PeerKey>,
    /// 463s that wait for the pull.
    open: Vec<Refused>,
    settled: Vec<Settled>,
    heard: Heard,
    online: bool,
    /// What was said about the backlog before the login was complete: a new device first uploads
    /// keys, and the server does not wait for that.
    early: Option<bool>,
    /// When the limits are asked for, after a login.
    bootstrap: Option<Mono>,
    /// They were asked for on this connection.
    bootstrapped: bool,
    /// The host asked while the question was on its way: its answer may be older than the wish.
    owed: Vec<Question>,
    background: Background,
    /// When the known end of a lock passes, when the props are due, when the quota is, and when a
    /// message counts as dropped.
    wound: [Option<Mono>; 4],
}

/// What a host may choose for an account.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Settings {
    /// Ids of the GraphQL documents by which limits are asked for.
    pub documents: DocIds,
    /// Honour AB prop 10518 if the server has switched tokens on messages off. WhatsApp Web's newest
    /// releases attach them regardless, and so do we by default.
    pub strict_props: bool,
}

/// What is known about the link of the account, for the diagnosis of refusals.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Background {
    /// Server time of the pairing.
    pub linked_at: Option<UnixSeconds>,
    /// Whether the phone has sent all of its history; `None` when nobody knows.
    pub history_complete: Option<bool>,
    /// Whether the account's 1:1 chats are addressed by LID.
    pub lid_migrated: Option<bool>,
}

impl Account {
    /// The machine of `own` with what is stored; `None` when the account has no name. What was
    /// stored under our phone number while nobody knew our LID comes along. Rows about single
    /// messages belong to `slot`.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(
        cx: &mut Cx<'_>,
        slot: &Scope,
        own: Own,
        settings: Settings,
    ) -> Result<Option<Self>, Fault> {
        if let Names {
            lid: Some(lid),
            pn: Some(pn),
        } = own.names()
        {
            adopt::own_lid(cx, &AccountKey(pn), &AccountKey(lid))?;
        }
        let (txn, damaged) = (&cx.txn, cx.txn.damaged());
        let Some(account) = own.account() else {
            return Ok(None);
        };
        let scope = Scope::account(&account);
        let props = Props::load(txn, &scope)?;
        let Some(mut tokens) = Tokens::new(own, props.tokens()) else {
            return Ok(None);
        };
        tokens.hold_issues(true);
        let mut account = Self {
            slot: slot.clone(),
            tokens,
            props,
            timelock: Timelock::load(txn, &scope)?,
            capping: Capping::load(txn, &scope)?,
            breaker: Breaker::load(txn, &scope)?,
            silent: Watch::load(txn, slot)?,
            pruner: Pruner::load(txn, &scope)?,
            settings,
            queries: Vec::new(),
            stanzas: Vec::new(),
            followed: BTreeSet::new(),
            open: Vec::new(),
            settled: Vec::new(),
            heard: Heard::default(),
            online: false,
            early: None,
            bootstrap: None,
            bootstrapped: false,
            owed: Vec::new(),
            background: Background::default(),
            wound: [None; 4],
        };
        account.tokens.count_damaged(txn.damaged() - damaged);
        account.props_changed();
        Ok(Some(account))
    }

    /// Deletes everything that is stored for the account: tokens, names, limits, timelines. What
    /// was asked and not answered is forgotten, too.
    ///
    /// # Errors
    /// What the store says.
    pub fn forget(&mut self, cx: &mut Cx<'_>, now: UnixSeconds) -> Result<(), Fault> {
        let nameless = Fault::Bug("an account has a name");
        let own = self.own().clone();
        let key = own.account().ok_or(nameless.clone())?;
        while adopt::forget_account(cx, &key)? == Forgotten::More {}
        self.silent.clear(cx);
        waiting::clear(cx, &self.slot)?;
        journal::note_account(cx, self.scope(), What::Forgotten, now)?;
        let fresh = Self::load(cx, &self.slot, own, self.settings.clone())?.ok_or(nameless)?;
        let old = std::mem::replace(self, fresh);
        self.background = old.background;
        if old.online {
            self.connected(cx, now);
        }
        Ok(())
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

    /// What is known about the link; it is not stored here.
    pub const fn set_background(&mut self, background: Background) {
        self.background = background;
    }

    /// Whether `jid` is a device of this account.
    pub fn is_own(&self, jid: &Jid) -> bool {
        self.own().is_jid(jid)
    }

    /// The connection is up and logged in: queries leave from now on.
    pub fn connected(&mut self, cx: &mut Cx<'_>, now: UnixSeconds) {
        self.online = true;
        self.bootstrap = Some(cx.now.mono.plus(BOOTSTRAP));
        self.bootstrapped = false;
        self.tokens.hold_issues(false);
        self.pruner.start(cx, now);
        self.props.notified();
        self.ask_props(cx, now);
        if let Some(open) = self.early.take() {
            self.backlog(cx, open);
        }
    }

    /// The server begins (true) or has ended to deliver what it kept. Until then nothing is issued:
    /// the same contact may come up several times. The end may be announced more than once.
    pub fn backlog(&mut self, cx: &Cx<'_>, open: bool) {
        self.tokens.hold_issues(open || !self.online);
        if !self.online {
            self.early = Some(open);
        } else if open {
            self.bootstrap = None;
        } else if !self.bootstrapped {
            self.bootstrap = Some(cx.now.mono);
        }
    }

    /// The connection is gone. Every query that had left must be reported as
    /// [`IqEnd::Disconnected`](crate::stream::iq::IqEnd).
    pub fn disconnected(&mut self) {
        self.online = false;
        self.early = None;
        self.bootstrap = None;
        self.stanzas.clear();
        self.followed.clear();
        self.props.disconnected();
        self.tokens.hold_issues(true);
    }

    /// Nothing leaves any more. Refusals that wait for an answer end as undetermined.
    ///
    /// # Errors
    /// What the store says.
    pub fn stop(&mut self, cx: &mut Cx<'_>, now: UnixSeconds) -> Result<(), Fault> {
        self.tokens.stop();
        self.pruner.stop();
        self.settle_open(cx, false, now)?;
        self.disconnected();
        Ok(())
    }

    /// The host wants to know the limits as they are now: they are asked for, and a change is an
    /// event. Does nothing without a connection.
    pub fn refresh_limits(&mut self, cx: &Cx<'_>) {
        for question in [Question::ReachoutTimelock, Question::NewChatCapping] {
            let joined = self.pull(cx, question, Reason::Host) == Pull::Join;
            if joined && !self.owed.contains(&question) {
                self.owed.push(question);
            }
        }
    }

    /// Answers without props, and values of props that were left out.
    pub const fn ignored(&self) -> u64 {
        self.props.ignored()
    }

    /// What was left aside so far.
    pub const fn counters(&self) -> &Counters {
        self.tokens.counters()
    }

    /// When [`Account::tick`] has something to do; `None` for never.
    pub fn deadline(&self) -> Option<Mono> {
        let due = [
            self.tokens.deadline(),
            self.bootstrap,
            self.pruner.deadline(),
        ];
        let all = due.into_iter().chain(self.wound).flatten();
        all.filter(|_| self.online).min()
    }

    /// What time brings. Calling it late or twice does no harm.
    ///
    /// # Errors
    /// What the store says.
    pub fn tick(&mut self, cx: &mut Cx<'_>, now: UnixSeconds) -> Result<(), Fault> {
        if !self.online {
            return Ok(());
        }
        if self.bootstrap.is_some_and(|at| at <= cx.now.mono) {
            self.bootstrap = None;
            self.bootstrapped = true;
            self.pull(cx, Question::ReachoutTimelock, Reason::Connected);
            if self.props.capping().limit.is_none_or(|limit| limit > 0) {
                self.pull(cx, Question::NewChatCapping, Reason::Connected);
            }
        }
        self.ask_props(cx, now);
        // Before the end of the backlog the receipts may lie in it.
        if self.bootstrapped {
            for (peer, ids) in self.silent.due(cx, now) {
                cx.effect(Event::SilentDrop { peer, ids });
            }
        }
        if self.capping.is_stale(now, &self.props.capping()) {
            self.capping.refreshing(now);
            self.pull(cx, Question::NewChatCapping, Reason::Ended);
        }
        if self.timelock.tick(cx.now.mono, now) {
            self.ask(Question::ReachoutTimelock, 0);
        }
        let due = self.tokens.tick(cx.now.mono);
        self.issue(due);
        self.pruner.tick(cx, &mut self.tokens, now)?;
        Ok(())
    }

    /// Brings the deadlines up to date at the end of a step.
    pub fn wind(&mut self, now: Now, server: UnixSeconds) {
        self.wound = [
            self.timelock.deadline(now, server),
            self.props.deadline(now.mono, server),
            self.capping.refresh_at(now, server, &self.props.capping()),
            self.bootstrapped
                .then(|| self.silent.deadline(now, server))
                .flatten(),
        ];
    }
}
