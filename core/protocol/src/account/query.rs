//! What the account asks the server, and what each answer changes.

use crate::account::Account;
use crate::error::Fault;
use crate::limits::pull::{Pull, Reason};
use crate::limits::{capping, timelock};
use crate::mex::{self, MexError, Question};
use crate::peer::PeerKey;
use crate::stream::iq::IqEnd;
use crate::tctoken::issue::{self, Issue};
use crate::time::UnixSeconds;
use crate::txn::Cx;
use crate::wap::Node;

/// An IQ for whoever owns the connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Query {
    /// What it is for; hand it back with the answer.
    pub purpose: Purpose,
    /// The IQ without its id.
    pub node: Node,
}

/// What a query is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// Issuing our token to a contact.
    Issue {
        /// The contact.
        peer: PeerKey,
        /// The time stamp in the request.
        t: UnixSeconds,
    },
    /// The AB props.
    Props,
    /// A limit of the account.
    Limit {
        /// Which.
        question: Question,
        /// Which of the known document ids, from 0.
        attempt: usize,
    },
}

impl Account {
    /// The queries to send now; each is reported to [`Account::answered`] exactly once.
    pub fn take_queries(&mut self) -> Vec<Query> {
        std::mem::take(&mut self.queries)
    }

    /// A query ended. Answers to nothing we asked change nothing.
    ///
    /// # Errors
    /// What the store says.
    pub fn answered(
        &mut self,
        cx: &mut Cx<'_>,
        purpose: &Purpose,
        end: &IqEnd,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        match purpose {
            Purpose::Issue { peer, t } => self.issued(cx, (peer, *t), end, now),
            Purpose::Props => {
                self.props_answered(cx, end, now);
                Ok(())
            }
            Purpose::Limit { question, attempt } => self.pulled(cx, *question, *attempt, end, now),
        }
    }

    fn issued(
        &mut self,
        cx: &mut Cx<'_>,
        (peer, t): (&PeerKey, UnixSeconds),
        end: &IqEnd,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        let end = match end {
            IqEnd::Result(_) => issue::IqEnd::Ok,
            IqEnd::Error { code, .. } => issue::IqEnd::Error(*code),
            IqEnd::Timeout => issue::IqEnd::Timeout,
            IqEnd::Disconnected => issue::IqEnd::Disconnected,
        };
        let due = self.tokens.iq_result(cx, peer, t, end, now)?;
        self.issue(due);
        Ok(())
    }

    pub(super) fn issue(&mut self, due: Vec<Issue>) {
        let queries = due.into_iter().map(|issue| Query {
            purpose: Purpose::Issue {
                peer: issue.peer,
                t: issue.t,
            },
            node: issue.node,
        });
        self.queries.extend(queries);
    }

    /// Asks for the AB props when they are due and nobody has.
    pub(super) fn ask_props(&mut self, cx: &Cx<'_>, now: UnixSeconds) {
        let due = self.online && self.props.is_due(cx.now.mono, now);
        if let Some(node) = due.then(|| self.props.want(cx.now.mono)).flatten() {
            let purpose = Purpose::Props;
            self.queries.push(Query { purpose, node });
        }
    }

    fn props_answered(&mut self, cx: &mut Cx<'_>, end: &IqEnd, now: UnixSeconds) {
        if self.props.answered(cx, end.result(), now) {
            self.props_changed();
        }
    }

    /// The server's numbers reach the token machine.
    pub(super) fn props_changed(&mut self) {
        self.tokens.set_props(self.props.tokens());
        let off = self.props.gates().messages == Some(false);
        self.tokens.withhold(off && self.settings.strict_props);
    }

    /// Asks for a limit, unless somebody has.
    pub(super) fn pull(&mut self, cx: &Cx<'_>, question: Question, reason: Reason) -> Pull {
        let possible = self.online && self.settings.documents.can_ask(question);
        let pull = match question {
            _ if !possible => Pull::Fresh(false),
            Question::NewChatCapping => self.capping.pull(reason, cx.now.mono),
            Question::ReachoutTimelock => self.timelock.pull(reason, cx.now.mono),
        };
        if pull == Pull::Ask {
            self.ask(question, 0);
        }
        pull
    }

    /// True when there is a document id for that attempt.
    pub(super) fn ask(&mut self, question: Question, attempt: usize) -> bool {
        let Some(node) = self.settings.documents.request(question, attempt) else {
            return false;
        };
        let purpose = Purpose::Limit { question, attempt };
        self.queries.push(Query { purpose, node });
        true
    }

    /// A pull ended. A document id that the server does not know is followed by the next one.
    fn pulled(
        &mut self,
        cx: &mut Cx<'_>,
        question: Question,
        attempt: usize,
        end: &IqEnd,
        now: UnixSeconds,
    ) -> Result<(), Fault> {
        let root = match question {
            Question::NewChatCapping => capping::PULL_ROOT,
            Question::ReachoutTimelock => timelock::PULL_ROOT,
        };
        let answer = end.result().map(|iq| mex::answer(iq, root));
        let stale = matches!(&answer, Some(Err(MexError::StaleDocId)));
        if stale && self.online && self.ask(question, attempt + 1) {
            return Ok(());
        }
        let fields = answer.and_then(Result::ok);
        match question {
            Question::NewChatCapping => self.capping.pulled(cx, fields.as_ref(), now),
            Question::ReachoutTimelock => {
                self.timelock.pulled(cx, fields.as_ref(), now);
                if fields.is_some() && self.timelock.phase(now) == timelock::Phase::Inactive {
                    self.breaker.pull_inactive(cx);
                }
                self.settle_open(cx, fields.is_some(), now)?;
            }
        }
        if let Some(at) = self.owed.iter().position(|owed| *owed == question) {
            self.owed.remove(at);
            self.pull(cx, question, Reason::Host);
        }
        Ok(())
    }
}
