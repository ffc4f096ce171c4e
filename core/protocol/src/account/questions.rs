//! What a host can ask without sending. Sending to find out would count against the account.

use crate::account::Account;
use crate::error::StoreError;
use crate::jid::Jid;
use crate::limits::gate::RecipientHint;
use crate::limits::snapshot::Limits;
use crate::peer::Names;
use crate::tctoken::explain::Explanation;
use crate::tctoken::journal;
use crate::tctoken::policy::{Class, MessageKind, class};
use crate::tctoken::timeline::What;
use crate::time::UnixSeconds;
use crate::txn::Txn;
use crate::verdict::{Attached, Next, Refusal};

/// What would become of a message to a contact now, as far as is known here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CanSend {
    /// The address that was asked about.
    pub to: Jid,
    /// The answer.
    pub answer: MaySend,
}

/// Whether a message may be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MaySend {
    /// It would be sent and carry this. With nothing attached the server may refuse it, and a
    /// refused first message counts against the account.
    Allowed(Attached),
    /// It would be refused here until a limit of the account ends.
    Blocked(Refusal),
    /// It would be sent, but the server has refused the last one, and nothing has come from the
    /// contact since: it has to write first.
    ContactMustWrite(Attached),
    /// Nothing can be sent to that address by this library.
    NotResolvable,
}

/// A question about the account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Inquiry {
    /// Whether messages may be sent to these.
    CanSend {
        /// The addresses.
        to: Vec<Jid>,
        /// What the host knows about all of them.
        hint: RecipientHint,
    },
    /// What happened with a contact.
    Explain(Jid),
    /// The account's limits.
    Limits,
}

/// The answer to the [`Inquiry`] of the same name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// In the order of the question.
    CanSend(Vec<CanSend>),
    /// The contact's timeline and rows.
    Explanation {
        /// What is known.
        told: Box<Explanation>,
        /// Server time of the answer.
        now: UnixSeconds,
    },
    /// The limits.
    Limits(Box<Limits>),
}

impl Account {
    /// Answers from what is known here; asks nobody.
    ///
    /// # Errors
    /// What the store says.
    pub fn answer(
        &mut self,
        txn: &Txn<'_>,
        inquiry: &Inquiry,
        now: UnixSeconds,
    ) -> Result<Answer, StoreError> {
        Ok(match inquiry {
            Inquiry::CanSend { to, hint } => Answer::CanSend(self.can_send(txn, to, *hint, now)?),
            Inquiry::Explain(to) => Answer::Explanation {
                told: Box::new(self.explain(txn, to, now)?),
                now,
            },
            Inquiry::Limits => Answer::Limits(Box::new(self.limits(now))),
        })
    }

    /// What happened with the contact behind `to`, and what is known about it.
    ///
    /// # Errors
    /// What the store says.
    pub fn explain(
        &self,
        txn: &Txn<'_>,
        to: &Jid,
        now: UnixSeconds,
    ) -> Result<Explanation, StoreError> {
        let names = self.names(txn, to)?;
        self.tokens.explain(txn, to, &names, now)
    }

    /// Whether a message may be sent to each of these, by what is known here. Asks nobody.
    ///
    /// # Errors
    /// What the store says.
    pub fn can_send(
        &mut self,
        txn: &Txn<'_>,
        to: &[Jid],
        hint: RecipientHint,
        now: UnixSeconds,
    ) -> Result<Vec<CanSend>, StoreError> {
        let one = |to: &Jid| {
            Ok(CanSend {
                answer: self.may_send(txn, to, hint, now)?,
                to: to.clone(),
            })
        };
        to.iter().map(one).collect()
    }

    fn may_send(
        &mut self,
        txn: &Txn<'_>,
        to: &Jid,
        hint: RecipientHint,
        now: UnixSeconds,
    ) -> Result<MaySend, StoreError> {
        if class(to, self.own()) == Class::Other || to.user_part().is_empty() {
            return Ok(MaySend::NotResolvable);
        }
        let plan = self.plan(txn, to, MessageKind::Content, hint, now)?;
        let attached = plan.attach.summary();
        Ok(match plan.refusal {
            Some(refusal) => MaySend::Blocked(refusal),
            None if self.waits_for_contact(txn, &plan.names)? => {
                MaySend::ContactMustWrite(attached)
            }
            None => MaySend::Allowed(attached),
        })
    }

    /// Whether the last word of the server about this contact was a refusal that only the contact
    /// can lift, and nothing has come from it since.
    fn waits_for_contact(&mut self, txn: &Txn<'_>, names: &Names) -> Result<bool, StoreError> {
        let timeline = journal::load(txn, self.scope(), names)?;
        let (mut refused, mut lifted) = (None, self.tokens.received_at(txn, names)?);
        for entry in timeline.entries() {
            match entry.what {
                What::Accepted | What::Received { .. } | What::Wrote => {
                    lifted = lifted.max(Some(entry.last));
                }
                What::Refused { cause, .. } if cause.next(None) == Next::AskContactToWrite => {
                    refused = refused.max(Some(entry.last));
                }
                _ => {}
            }
        }
        Ok(refused > lifted)
    }

    /// The account's limits, with what is known about each.
    pub fn limits(&self, now: UnixSeconds) -> Limits {
        let props = self.props.capping();
        Limits::of(&self.timelock, (&self.capping, &props), &self.breaker, now)
    }
}
