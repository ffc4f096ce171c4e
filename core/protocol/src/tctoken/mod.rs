//! The life of trusted-contact tokens: theirs that let us write, and ours that we issue.
//!
//! ```text
//! privacy_token, history ──▶ receive ──▶ row (theirs)  ──▶ attach ──▶ <tctoken> | <cstoken> | none
//! message handed over    ──▶ sent ──▶ issue IQ ──▶ iq_result ok ──▶ row (ours)
//! ```
//!
//! [`Tokens`] knows contacts, times and bytes; no sockets and no ids of IQs. Both the session and a
//! host with its own connection use this same machine. Read `bucket` for the arithmetic, `record`
//! for the merge rules, `policy` for who carries what, `issue` for pacing, `stanza` for the wire.

pub mod bucket;
pub mod explain;
pub mod gated;
pub mod issue;
pub mod journal;
pub mod policy;
pub mod prune;
pub mod record;
pub mod stanza;
pub mod timeline;

mod attach;
mod chunk;
mod lidchange;
mod receive;
mod rows;

use crate::error::{Fault, StoreError};
use crate::jid::Jid;
use crate::nct::{self, NoCstoken};
use crate::peer::{Names, PeerKey};
use crate::secret::SecretBytes;
use crate::time::{Mono, UnixSeconds};
use crate::txn::{Cx, Scope, Txn};
use crate::verdict::{Attached, WhyNot};

pub use attach::{Attach, AttachRecord};
pub use chunk::{ChunkReport, HistoryEntry};
pub use receive::Received;

use issue::{IqEnd, Issuance, Issue, Reason};
use policy::{Class, Freshness, MessageKind, Own, TokenProps, class};
use timeline::What;

/// The token machine of one account.
#[derive(Debug)]
pub struct Tokens {
    own: Own,
    scope: Scope,
    props: TokenProps,
    withheld: bool,
    issuance: Issuance,
    counters: Counters,
}

/// What was left aside, counted since the machine was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Parts of notifications that were left out.
    pub ignored: stanza::Ignored,
    /// Tokens without a contact they could belong to: self, bots, announcements, no address.
    pub not_a_contact: u64,
    /// Tokens older than the stored one.
    pub older: u64,
    /// Tokens and issues stamped in the far future, taken as now.
    pub from_the_future: u64,
    /// Damaged rows treated as absent.
    pub damaged_rows: u64,
    /// Writes left out because a newer version wrote the row.
    pub newer_rows: u64,
    /// Reads that failed while a message was sent; it went on without.
    pub failed_reads: u64,
    /// Results of IQs that are not ours, or came twice.
    pub unknown_results: u64,
}

/// What the rows say about a refused message, for the diagnosis.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TokenEvidence {
    /// A token that may be attached now was stored since, and the message did not carry it.
    pub arrived_late: bool,
    /// The message carried no token although one is stored that the server may still accept:
    /// under the other name, or outside the window we assumed.
    pub was_unused: bool,
}

impl Tokens {
    /// The machine of `own`; `None` when the account has no name.
    pub fn new(own: Own, props: TokenProps) -> Option<Self> {
        Some(Self {
            scope: Scope::account(&own.account()?),
            own,
            props,
            withheld: false,
            issuance: Issuance::default(),
            counters: Counters::default(),
        })
    }

    /// Who we are.
    pub const fn own(&self) -> &Own {
        &self.own
    }

    /// The owner of all rows.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What was left aside so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The server's numbers, as far as known.
    pub const fn props(&self) -> &TokenProps {
        &self.props
    }

    /// New numbers of the server.
    pub const fn set_props(&mut self, props: TokenProps) {
        self.props = props;
    }

    /// Messages carry no tctoken (true): the server said so, and the host wants that honoured.
    pub const fn withhold(&mut self, withheld: bool) {
        self.withheld = withheld;
    }

    /// What a message to `to` carries. `known` are the contact's names by the LID map; `to` itself
    /// is added. Never fails: without a readable store the message goes on without a token.
    pub fn attach(
        &mut self,
        txn: &Txn<'_>,
        to: &Jid,
        known: &Names,
        kind: MessageKind,
        now: UnixSeconds,
    ) -> Attach {
        let Some(names) = self
            .contact(to, known)
            .filter(|_| kind != MessageKind::Peer)
        else {
            return Attach::Nothing {
                token: WhyNot::NotEligible,
                cstoken: NoCstoken::NotEligible,
            };
        };
        let why = match self.view(txn, &names).map(|row| row.theirs) {
            Err(_) => {
                self.counters.failed_reads += 1;
                WhyNot::StoreError
            }
            Ok(None) => WhyNot::NeverReceived,
            Ok(Some(_)) if self.withheld => WhyNot::GateOff,
            Ok(Some(theirs)) => match self.props.freshness(theirs.t, now) {
                Freshness::Expired => WhyNot::Expired { t: theirs.t },
                freshness => {
                    return Attach::Tctoken {
                        bytes: theirs.bytes,
                        t: theirs.t,
                        freshness,
                        source: theirs.source,
                    };
                }
            },
        };
        match self.cstoken(txn, &names) {
            Ok(bytes) => Attach::Cstoken {
                bytes,
                instead_of: why,
            },
            Err(cstoken) => Attach::Nothing {
                token: why,
                cstoken,
            },
        }
    }

    /// When the contact's token was stored, in server time.
    ///
    /// # Errors
    /// What the store says.
    pub fn received_at(
        &mut self,
        txn: &Txn<'_>,
        names: &Names,
    ) -> Result<Option<UnixSeconds>, StoreError> {
        Ok(self.view(txn, names)?.theirs.map(|theirs| theirs.seen))
    }

    /// When our token was issued to the contact last.
    ///
    /// # Errors
    /// What the store says.
    pub fn issued_at(
        &mut self,
        txn: &Txn<'_>,
        names: &Names,
    ) -> Result<Option<UnixSeconds>, StoreError> {
        Ok(self.view(txn, names)?.ours.map(|ours| ours.t))
    }

    /// Whether `token` is the stored one of the contact.
    ///
    /// # Errors
    /// What the store says.
    pub fn holds(
        &mut self,
        txn: &Txn<'_>,
        names: &Names,
        token: &SecretBytes,
    ) -> Result<bool, StoreError> {
        let theirs = self.view(txn, names)?.theirs;
        Ok(theirs.is_some_and(|theirs| theirs.bytes == *token))
    }

    /// A message to `to` was handed to the connection at server time `now`; gives the IQs to send.
    ///
    /// If the store cannot be read nothing is issued: we may have issued already.
    pub fn sent(
        &mut self,
        cx: &Cx<'_>,
        to: &Jid,
        known: &Names,
        kind: MessageKind,
        now: UnixSeconds,
    ) -> Vec<Issue> {
        if kind == MessageKind::Content
            && let Some(names) = self.contact(to, known)
        {
            self.want_issue(cx, &names, now);
        }
        self.issuance.due(cx.now.mono)
    }

    /// An issue ended. Results of others, late and repeated ones change nothing. Gives the IQs to
    /// send next.
    ///
    /// # Errors
    /// What the store says.
    pub fn iq_result(
        &mut self,
        cx: &mut Cx<'_>,
        peer: &PeerKey,
        t: UnixSeconds,
        end: IqEnd,
        now: UnixSeconds,
    ) -> Result<Vec<Issue>, Fault> {
        match self.issuance.ended(peer, t, end, cx.now.mono) {
            Ok(Some(taken)) => {
                let names = Names::of(taken.peer);
                self.update(cx, &names, |row| row.touch_sender(taken.t))?;
                self.note_contact(cx, &names, What::Issued { t, here: true }, now);
            }
            Ok(None) => self.note_issue(cx, peer, t, end, now),
            Err(_) => self.counters.unknown_results += 1,
        }
        Ok(self.issuance.due(cx.now.mono))
    }

    fn note_issue(
        &mut self,
        cx: &mut Cx<'_>,
        peer: &PeerKey,
        t: UnixSeconds,
        end: IqEnd,
        now: UnixSeconds,
    ) {
        let what = match end {
            IqEnd::Ok => What::Issued { t, here: true },
            IqEnd::Error(code) => What::IssueFailed { code: Some(code) },
            IqEnd::Disconnected | IqEnd::Timeout => What::IssueFailed { code: None },
        };
        self.note_contact(cx, &Names::of(peer.clone()), what, now);
    }

    /// The message to `to` was refused: what waits for that contact is not issued.
    pub fn cancel(&mut self, to: &Jid, known: &Names) {
        let names = with_address(to, known);
        for peer in [&names.lid, &names.pn].into_iter().flatten() {
            self.issuance.cancel(peer);
        }
    }

    /// The phone behind `jid` was registered anew (`<notification type="encrypt"><identity/>`). The
    /// contact gets again what it had: the stored time, if that is still valid. Companion devices
    /// and ourselves change nothing.
    pub fn identity_changed(
        &mut self,
        cx: &Cx<'_>,
        jid: &Jid,
        known: &Names,
        now: UnixSeconds,
    ) -> Vec<Issue> {
        if jid.device_part() == 0
            && let Some(names) = self.contact(jid, known)
        {
            self.want_reissue(cx, &names, now);
        }
        self.issuance.due(cx.now.mono)
    }

    /// `pn` and `lid` are one contact: its two rows become one.
    ///
    /// # Errors
    /// What the store says.
    pub fn mapping_learned(
        &mut self,
        cx: &mut Cx<'_>,
        pn: &PeerKey,
        lid: &PeerKey,
    ) -> Result<(), Fault> {
        if !matches!((pn, lid), (PeerKey::Pn(_), PeerKey::Lid(_))) {
            return Ok(());
        }
        self.issuance.rename(pn, lid, cx.now.mono);
        self.join_rows(cx, pn, lid)
    }

    fn join_rows(&mut self, cx: &mut Cx<'_>, pn: &PeerKey, lid: &PeerKey) -> Result<(), Fault> {
        let names = Names::pair(lid.clone(), pn.clone());
        self.update(cx, &names, |_| false)?;
        let noted = journal::merge(cx, &self.scope, (pn, lid), None)?;
        self.tally(noted);
        Ok(())
    }

    /// A message that carried the token of time `t` was refused: the token is kept and still
    /// attached, but marked.
    ///
    /// # Errors
    /// What the store says.
    pub fn token_refused(
        &mut self,
        cx: &mut Cx<'_>,
        to: &Jid,
        known: &Names,
        t: UnixSeconds,
    ) -> Result<(), Fault> {
        let names = with_address(to, known);
        self.update(cx, &names, |row| match &mut row.theirs {
            Some(theirs) if theirs.t == t && !theirs.suspect => {
                theirs.suspect = true;
                true
            }
            _ => false,
        })
    }

    /// What the rows say about a message to `to` that carried `attached`, was built at `built`, and
    /// was refused.
    ///
    /// # Errors
    /// What the store says.
    pub fn evidence(
        &mut self,
        txn: &Txn<'_>,
        to: &Jid,
        known: &Names,
        (attached, built): (Attached, UnixSeconds),
        now: UnixSeconds,
    ) -> Result<TokenEvidence, StoreError> {
        let Some(names) = self.contact(to, known) else {
            return Ok(TokenEvidence::default());
        };
        let Some(theirs) = self.view(txn, &names)?.theirs else {
            return Ok(TokenEvidence::default());
        };
        let carried = matches!(attached, Attached::Tctoken { t } if t >= theirs.t);
        let attachable = self.props.freshness(theirs.t, now) != Freshness::Expired;
        let widest = TokenProps::default().freshness(theirs.t, now) != Freshness::Expired;
        let no_token = !matches!(attached, Attached::Tctoken { .. });
        Ok(TokenEvidence {
            arrived_late: attachable && !carried && theirs.seen >= built,
            was_unused: no_token && (attachable || widest) && theirs.seen < built,
        })
    }

    /// Issues wait while the server delivers what we missed offline (true), and go on behind it.
    pub fn hold_issues(&mut self, held: bool) {
        self.issuance.hold(held);
    }

    /// No IQ leaves any more; results of those in flight are still taken.
    pub fn stop(&mut self) {
        self.issuance.stop();
    }

    /// When [`Tokens::tick`] has something to do; `None` for never.
    pub fn deadline(&self) -> Option<Mono> {
        self.issuance.next_at()
    }

    /// The IQs that may leave now. Calling it late or twice does no harm.
    pub fn tick(&mut self, now: Mono) -> Vec<Issue> {
        self.issuance.due(now)
    }

    fn want_issue(&mut self, cx: &Cx<'_>, names: &Names, now: UnixSeconds) {
        self.one_contact(names, cx.now.mono);
        let Ok(row) = self.view(&cx.txn, names) else {
            self.counters.failed_reads += 1;
            return;
        };
        let last = row.ours.map(|ours| ours.t);
        if !self.props.send_window().span.must_issue(last, now) {
            return;
        }
        if let (Some(peer), Some(target)) = (names.canonical(), self.props.issue_target(names)) {
            let peer = peer.clone();
            self.issuance
                .want(peer, target, now, Reason::Message, cx.now.mono);
        }
    }

    fn want_reissue(&mut self, cx: &Cx<'_>, names: &Names, now: UnixSeconds) {
        self.one_contact(names, cx.now.mono);
        let Ok(row) = self.view(&cx.txn, names) else {
            self.counters.failed_reads += 1;
            return;
        };
        let live = row
            .ours
            .filter(|ours| !self.props.send_window().expired(ours.t, now));
        if let (Some(ours), Some(peer), Some(target)) =
            (live, names.canonical(), self.props.reissue_target(names))
        {
            let peer = peer.clone();
            self.issuance
                .want(peer, target, ours.t, Reason::IdentityChange, cx.now.mono);
        }
    }

    /// The caller may know both names before the mapping was told here; what is on its way under
    /// the phone number must not leave again under the LID.
    fn one_contact(&mut self, names: &Names, now: Mono) {
        if let (Some(lid), Some(pn)) = (&names.lid, &names.pn) {
            self.issuance.rename(pn, lid, now);
        }
    }

    fn cstoken(&self, txn: &Txn<'_>, names: &Names) -> Result<[u8; 32], NoCstoken> {
        if !self.props.cstoken_allowed() {
            return Err(NoCstoken::GateOff);
        }
        let lid = names.lid.as_ref().ok_or(NoCstoken::NoLid)?;
        let salt = nct::salt(txn, &self.scope).map_err(|_| NoCstoken::StoreError)?;
        let salt = salt.ok_or(NoCstoken::NoSalt)?;
        nct::cstoken(&salt, lid).ok_or(NoCstoken::NoLid)
    }

    /// The names of the contact behind `to`; `None` for everybody that has no tokens.
    fn contact(&self, to: &Jid, known: &Names) -> Option<Names> {
        let names = with_address(to, known);
        (class(to, &self.own) == Class::Contact && !self.own.is_any(&names)).then_some(names)
    }

    fn view(&mut self, txn: &Txn<'_>, names: &Names) -> Result<record::TokenRecord, StoreError> {
        let view = rows::load(txn, &self.scope, names)?;
        self.counters.damaged_rows += view.damaged;
        Ok(view.record)
    }

    /// Changes a contact's row, merging what is under both names. `change` tells whether it changed
    /// anything.
    fn update(
        &mut self,
        cx: &mut Cx<'_>,
        names: &Names,
        change: impl FnOnce(&mut record::TokenRecord) -> bool,
    ) -> Result<(), Fault> {
        let mut view = match rows::load(&cx.txn, &self.scope, names) {
            Err(StoreError::Version { .. }) => {
                self.counters.newer_rows += 1;
                return Ok(());
            }
            view => view?,
        };
        self.counters.damaged_rows += view.damaged;
        let changed = change(&mut view.record);
        if changed || view.unmerged {
            rows::store(&mut cx.txn, &self.scope, names, &view);
        }
        Ok(())
    }
}

fn with_address(to: &Jid, known: &Names) -> Names {
    PeerKey::of(to).map_or_else(|| known.clone(), |peer| known.clone().including(peer))
}
