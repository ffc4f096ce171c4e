//! Answers to a test's questions, and conditions it waits for.

use std::collections::BTreeMap;

use crate::command::Command;
use crate::connection::Phase;
use crate::journal::{Issued, ReceiptSeen, Received};
use crate::nodejson::NodeJson;
use crate::reply::{Condition, Reply};
use crate::world::World;

impl World {
    /// Answers a question.
    pub(crate) fn report(&self, command: Command) -> Result<Reply, String> {
        let journal = &self.journal;
        Ok(match command {
            Command::Heard { tag } => Reply::Heard {
                stanzas: journal
                    .heard
                    .iter()
                    .filter(|node| tag.as_ref().is_none_or(|tag| node.tag == *tag))
                    .map(NodeJson::of)
                    .collect(),
            },
            Command::Issued { peer } => Reply::Issued {
                issued: self.issued_to(peer.as_deref())?.cloned().collect(),
            },
            Command::Messages => Reply::Messages {
                messages: journal.judged.clone(),
            },
            Command::Payloads => Reply::Texts {
                texts: journal.payloads.clone(),
            },
            Command::PhoneCode => Reply::Code {
                code: self.phone_code()?,
            },
            Command::Receipts => Reply::Receipts {
                receipts: journal.receipts.clone(),
            },
            Command::Received { peer } => Reply::Received {
                messages: self.received_by(peer.as_deref())?.cloned().collect(),
            },
            Command::Routing => Reply::Texts {
                texts: journal.routing.clone(),
            },
            Command::Stats { account } => self.stats(account.as_deref())?,
            Command::Unanswered { account } => {
                let client = self.linked(account.as_deref())?;
                let mailbox = self.client(client).map(|client| &client.mailbox);
                Reply::Texts {
                    texts: mailbox.map(|m| m.unanswered()).unwrap_or_default(),
                }
            }
            Command::Unexpected => Reply::Texts {
                texts: journal.unexpected.clone(),
            },
            Command::Violations => Reply::Violations {
                violations: journal.violations.clone(),
            },
            _ => return Err("not a question".into()),
        })
    }

    fn stats(&self, account: Option<&str>) -> Result<Reply, String> {
        let client = self.linked(account)?;
        let pn = &self.people[client.person].pn;
        let mut iqs = BTreeMap::new();
        for ((who, kind), count) in &self.journal.iqs {
            if who == pn {
                iqs.insert(kind.clone(), *count);
            }
        }
        let state = self.client(client);
        Ok(Reply::Stats {
            frames: self.journal.frames.get(pn).copied().unwrap_or(0),
            logins: self.journal.logins,
            connected: state.is_some_and(|client| client.connection.is_some()),
            prekeys: state.map_or(0, |client| client.one_time.len()),
            iqs,
        })
    }

    fn pn_of(&self, peer: Option<&str>) -> Result<Option<String>, String> {
        peer.map(|peer| Ok(self.people[self.person(peer)?].pn.clone()))
            .transpose()
    }

    fn issued_to(&self, peer: Option<&str>) -> Result<impl Iterator<Item = &Issued>, String> {
        let pn = self.pn_of(peer)?;
        let matches = move |issued: &&Issued| pn.is_none() || issued.peer == pn;
        Ok(self.journal.issued.iter().filter(matches))
    }

    fn received_by(&self, peer: Option<&str>) -> Result<impl Iterator<Item = &Received>, String> {
        let pn = self.pn_of(peer)?;
        let matches = move |r: &&Received| pn.as_ref().is_none_or(|pn| r.peer == *pn);
        Ok(self.journal.received.iter().filter(matches))
    }

    /// Whether a condition is met.
    pub(crate) fn holds(&self, condition: &Condition) -> Result<bool, String> {
        let journal = &self.journal;
        let connected = |account: &Option<String>| {
            let client = self.linked(account.as_deref()).ok();
            client
                .and_then(|client| self.client(client))
                .is_some_and(|client| client.connection.is_some())
        };
        Ok(match condition {
            Condition::Answered { account } => {
                let client = self.linked(account.as_deref())?;
                let mailbox = self.client(client).map(|client| &client.mailbox);
                mailbox.is_some_and(|m| m.unanswered().is_empty() && m.backlog(None) == 0)
            }
            Condition::Connected { account } => connected(account),
            Condition::Disconnected { account } => !connected(account),
            Condition::Iq { kind, count } => {
                let kinds = journal.iqs.iter().filter(|((_, k), _)| k == kind);
                kinds.map(|(_, n)| n).sum::<u64>() >= *count
            }
            Condition::Issued { peer, count } => self.issued_to(peer.as_deref())?.count() >= *count,
            Condition::Linked { count } => {
                self.people.iter().map(|p| p.clients.len()).sum::<usize>() >= *count
            }
            Condition::Logins { count } => journal.logins >= *count,
            Condition::Messages { count } => journal.judged.len() >= *count,
            Condition::Pairing => self
                .connections
                .values()
                .any(|connection| matches!(connection.phase, Phase::Pairing(_))),
            Condition::Receipts { kind, count } => {
                let matches = |r: &&ReceiptSeen| kind.is_none() || r.kind == *kind;
                journal.receipts.iter().filter(matches).count() >= *count
            }
            Condition::Received { peer, text, count } => {
                let readable = |r: &&Received| r.error.is_none();
                let matches = |r: &&Received| text.is_none() || r.text == *text;
                let received = self.received_by(peer.as_deref())?;
                received.filter(readable).filter(matches).count() >= *count
            }
            Condition::Violations { count } => journal.violations.len() >= *count,
        })
    }
}
