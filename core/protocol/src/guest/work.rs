//! What the guest asks its host to send: a list that stays until each entry is reported done.

use std::collections::BTreeMap;

use crate::account::{Purpose, Query};
use crate::jid::Jid;
use crate::time::{Millis, Mono, UnixSeconds};
use crate::wap;

/// How long the host may take to report the end of work that it has.
const WORK_TIMEOUT: Millis = Millis::from_secs(75);

/// An IQ to send. Taking the list again gives the same entries until they are reported done, so a
/// host that lost one finds it again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Work {
    /// The number to report it under; never used again.
    pub id: u64,
    /// What it is for.
    pub kind: WorkKind,
    /// The `id` in the IQ.
    pub iq_id: String,
    /// The whole IQ, encoded as it goes into the Noise layer (flag byte first).
    pub iq: Vec<u8>,
}

/// What work is for, with the parts that hosts need whose library builds the IQ.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum WorkKind {
    /// Ask for the AB props.
    Props,
    /// Issue our token to a contact.
    Issue {
        /// The address in the IQ.
        target: Jid,
        /// The time stamp in the IQ.
        t: UnixSeconds,
    },
    /// A GraphQL query.
    Mex {
        /// The document id.
        query_id: String,
        /// The variables, as JSON text.
        variables: String,
    },
}

/// Work that is not done.
#[derive(Debug, Default)]
pub(super) struct WorkList {
    prefix: String,
    next: u64,
    open: BTreeMap<u64, Open>,
}

#[derive(Debug)]
struct Open {
    work: Work,
    purpose: Purpose,
    give_up: Mono,
}

impl WorkList {
    /// A list whose IQ ids no other guest of this process shares; its numbers come behind `last`.
    pub(super) fn new(prefix: String, last: u64) -> Self {
        Self {
            prefix,
            next: last,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, query: Query, now: Mono) {
        self.next += 1;
        let id = self.next;
        let iq_id = format!("{}{id}", self.prefix);
        let Some(kind) = kind(&query) else {
            return;
        };
        let node = query.node.attr("id", iq_id.clone());
        let work = Work {
            id,
            kind,
            iq_id,
            iq: wap::encode(&node),
        };
        let open = Open {
            work,
            purpose: query.purpose,
            give_up: now.plus(WORK_TIMEOUT),
        };
        self.open.insert(id, open);
    }

    /// Everything that is not done, oldest first.
    pub(super) fn open(&self) -> impl Iterator<Item = &Work> {
        self.open.values().map(|open| &open.work)
    }

    /// Takes out one entry; `None` for one that is done or never was.
    pub(super) fn done(&mut self, id: u64) -> Option<Purpose> {
        Some(self.open.remove(&id)?.purpose)
    }

    /// The number of the entry with that IQ id.
    pub(super) fn of_iq(&self, iq_id: &str) -> Option<u64> {
        iq_id.strip_prefix(&*self.prefix)?.parse().ok()
    }

    /// Takes out everything whose time is over.
    pub(super) fn expired(&mut self, now: Mono) -> Vec<Purpose> {
        let late = self.open.iter().filter(|(_, open)| open.give_up <= now);
        let late: Vec<u64> = late.map(|(id, _)| *id).collect();
        late.into_iter().filter_map(|id| self.done(id)).collect()
    }

    /// Takes out everything.
    pub(super) fn drain(&mut self) -> Vec<Purpose> {
        let all = std::mem::take(&mut self.open).into_values();
        all.map(|open| open.purpose).collect()
    }

    /// When the next entry is given up.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.open.values().map(|open| open.give_up).min()
    }
}

fn kind(query: &Query) -> Option<WorkKind> {
    match &query.purpose {
        Purpose::Props => Some(WorkKind::Props),
        Purpose::Issue { t, .. } => {
            let token = query.node.find("tokens")?.find("token")?;
            Some(WorkKind::Issue {
                target: token.address("jid")?,
                t: *t,
            })
        }
        Purpose::Limit { .. } => {
            let node = query.node.find("query")?;
            Some(WorkKind::Mex {
                query_id: node.text("query_id")?.into_owned(),
                variables: String::from_utf8(node.payload()?.to_vec()).ok()?,
            })
        }
    }
}
