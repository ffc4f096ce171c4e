//! The reference: the rules of the specification on plain lists. It is slow, and shares no code
//! with the machine.

use std::collections::BTreeMap;

use crate::counted::Counted;
use crate::pacing::{Pacing, Wanted};

pub(crate) const DAY: i64 = 86_400;
pub(crate) const WEEK: i64 = 7 * DAY;

/// A name of an account: its number as a LID or as a PN.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Name {
    Lid(u8),
    Pn(u8),
}

/// The number of our own account.
pub(crate) const OWN: u8 = 99;

impl Name {
    pub(crate) fn is_own(self) -> bool {
        matches!(self, Self::Lid(OWN) | Self::Pn(OWN))
    }
}

/// What is known of one contact's names; at least one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Both {
    pub(crate) lid: Option<Name>,
    pub(crate) pn: Option<Name>,
}

impl Both {
    pub(crate) fn with(mut self, name: Name) -> Self {
        match name {
            Name::Lid(_) => self.lid = Some(name),
            Name::Pn(_) => self.pn = Some(name),
        }
        self
    }

    pub(crate) fn each(self) -> impl Iterator<Item = Name> {
        self.lid.into_iter().chain(self.pn)
    }

    /// "LID preferred."
    pub(crate) fn key(self) -> Name {
        self.lid.or(self.pn).unwrap()
    }
}

/// "Row per (own account, peer account)."
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Row {
    pub(crate) token: Option<Token>,
    pub(crate) sender_t: Option<i64>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Token {
    pub(crate) bytes: Vec<u8>,
    pub(crate) t: i64,
    pub(crate) seen: i64,
    pub(crate) suspect: bool,
}

/// Duration and number of buckets.
pub(crate) type Buckets = (i64, i64);

/// The AB props; `None` was never fetched.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Props {
    pub(crate) receive: Option<Buckets>,
    pub(crate) send: Option<Buckets>,
    pub(crate) issue_to_lid: Option<bool>,
    pub(crate) cstoken: Option<bool>,
}

const DEFAULT: Buckets = (WEEK, 4);
const WIDEST: Buckets = (WEEK, 26);

/// What a message carries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Carried {
    NotEligible,
    Token {
        bytes: Vec<u8>,
        t: i64,
        ambiguous: bool,
    },
    Cstoken {
        salt: Vec<u8>,
        lid: Name,
        why: Why,
    },
    Nothing(Why, NoSalt),
}

/// Why no token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Why {
    Never,
    Expired(i64),
    Unreadable,
}

/// Why no cstoken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NoSalt {
    Gate,
    Lid,
    Salt,
    Unreadable,
}

/// A token of a notification that passed the filters, and the contact it was issued for.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) bytes: Vec<u8>,
    pub(crate) t: i64,
    pub(crate) target: Option<Name>,
}

/// Told to the host: whose token, its time, whether its bytes are new.
pub(crate) type Told = (Name, i64, bool);

#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) now: i64,
    pub(crate) mono: u64,
    pub(crate) props: Props,
    /// The store cannot be read.
    pub(crate) blind: bool,
    /// Durable: rows, the LID map, the salt and whether app state spoke of it.
    pub(crate) rows: BTreeMap<Name, Row>,
    pub(crate) lid_of: BTreeMap<u8, u8>,
    pub(crate) salt: Option<Vec<u8>>,
    pub(crate) salt_is_authoritative: bool,
    /// Gone after a restart.
    pub(crate) pacing: Pacing,
    pub(crate) counted: Counted,
    /// Of the last operation.
    pub(crate) told: Vec<Told>,
}

/// "floor(x / D), floor division also for negative x"
fn bucket(x: i64, span: i64) -> i64 {
    x.div_euclid(span)
}

fn cutoff(now: i64, (span, count): Buckets) -> i64 {
    (bucket(now, span) - (count - 1)) * span
}

impl Model {
    pub(crate) fn new(now: i64) -> Self {
        Self {
            now,
            mono: 1_000_000,
            props: Props::default(),
            blind: false,
            rows: BTreeMap::new(),
            lid_of: BTreeMap::new(),
            salt: None,
            salt_is_authoritative: false,
            pacing: Pacing::default(),
            counted: Counted::default(),
            told: Vec::new(),
        }
    }

    /// What is behind the row keys of one contact: "combine field-wise".
    pub(crate) fn view(&self, names: Both) -> Row {
        let row = |name: Option<Name>| name.and_then(|name| self.rows.get(&name)).cloned();
        let lid = row(names.lid).unwrap_or_default();
        let pn = row(names.pn).unwrap_or_default();
        // "row with larger token_ts (tie -> LID row)"
        let token = match (lid.token, pn.token) {
            (Some(lid), Some(pn)) => Some(if pn.t > lid.t { pn } else { lid }),
            (lid, pn) => lid.or(pn),
        };
        let sender_t = lid.sender_t.into_iter().chain(pn.sender_t).max();
        Row { token, sender_t }
    }

    /// "merge atomically": whatever changes a row of a contact leaves one row.
    fn change(&mut self, names: Both, change: impl FnOnce(&mut Row)) {
        let mut row = self.view(names);
        change(&mut row);
        for name in names.each() {
            self.rows.remove(&name);
        }
        if row != Row::default() {
            self.rows.insert(names.key(), row);
        }
    }

    /// What the LID map knows.
    pub(crate) fn known(&self, name: Name) -> Both {
        let only = Both::default().with(name);
        match name {
            Name::Pn(pn) => Both {
                lid: self.lid_of.get(&pn).map(|lid| Name::Lid(*lid)),
                ..only
            },
            Name::Lid(lid) => Both {
                pn: self
                    .lid_of
                    .iter()
                    .find(|(_, known)| **known == lid)
                    .map(|(pn, _)| Name::Pn(*pn)),
                ..only
            },
        }
    }

    /// The LID map learns a pair; the token machine is not told.
    pub(crate) fn map(&mut self, pn: u8, lid: u8) {
        self.lid_of.retain(|_, known| *known != lid);
        self.lid_of.insert(pn, lid);
    }

    /// "On every newly learned pair: merge, delete PN row."
    pub(crate) fn learn(&mut self, pn: Name, lid: Name) {
        self.pacing.join(pn, lid, self.mono);
        let both = Both::default().with(pn).with(lid);
        self.change(both, |_| {});
    }

    /// A notification. `None` stands for addresses that are nobody's, `stranger` for bots and
    /// announcements.
    pub(crate) fn notified(
        &mut self,
        from: Option<Name>,
        stranger: bool,
        sender_lid: Option<Name>,
        tokens: &[Given],
    ) {
        // "if issuer is own PN/LID, never store token bytes"
        if [from, sender_lid].into_iter().flatten().any(Name::is_own) {
            for token in tokens {
                self.issued_elsewhere(token);
            }
            return;
        }
        // "sender_lid if present and a LID, else toLid(from), else from"
        let names = match (from, sender_lid) {
            (Some(Name::Pn(_)), Some(lid)) => Both {
                lid: Some(lid),
                pn: from,
            },
            (Some(from), Some(lid)) if from != lid => Both::default().with(lid),
            (None, Some(lid)) => Both::default().with(lid),
            (Some(from), _) => self.known(from),
            (None, None) => Both::default(),
        };
        if stranger || names == Both::default() {
            self.counted.not_a_contact += 1;
            return;
        }
        if let (Some(pn @ Name::Pn(number)), Some(Name::Lid(lid))) = (from, sender_lid) {
            self.learn(pn, Name::Lid(lid));
            self.map(number, lid);
        }
        for token in tokens {
            let told = self.store_received(names, &token.bytes, token.t);
            self.told.extend(told);
        }
    }

    /// "if jid is another user, use t to advance that user's sender_timestamp"
    fn issued_elsewhere(&mut self, copy: &Given) {
        match copy.target.filter(|target| !target.is_own()) {
            Some(target) => self.touch_sender(Both::default().with(target), copy.t),
            None => self.counted.not_a_contact += 1,
        }
    }

    /// A chat of a history sync: bytes may be absent or empty, times absent or zero. The host is
    /// told of the whole chunk, not of each token.
    pub(crate) fn history(&mut self, names: Both, token: Option<&[u8]>, t: u64, sender_t: u64) {
        let time = |t: u64| i64::try_from(t).unwrap_or(i64::MAX);
        match token.filter(|bytes| !bytes.is_empty()) {
            Some(_) if t == 0 => self.counted.bad_time += 1,
            Some(bytes) => drop(self.store_received(names, bytes, time(t))),
            None => {}
        }
        if sender_t > 0 {
            self.touch_sender(names, time(sender_t));
        }
    }

    fn store_received(&mut self, names: Both, bytes: &[u8], t: i64) -> Option<Told> {
        let now = self.now;
        let t = self.not_from_the_future(t);
        let (mut told, mut older) = (None, 0);
        self.change(names, |row| match &mut row.token {
            // "same bytes -> t := max(old,t)"
            Some(old) if old.bytes == bytes => {
                if t > old.t {
                    old.t = t;
                    old.suspect = false;
                    told = Some((names.key(), t, false));
                }
            }
            // "t < old t -> drop"
            Some(old) if t < old.t => older = 1,
            _ => {
                row.token = Some(Token {
                    bytes: bytes.to_vec(),
                    t,
                    seen: now,
                    suspect: false,
                });
                told = Some((names.key(), t, true));
            }
        });
        self.counted.older += older;
        told
    }

    /// "sender_ts := max(coalesce(sender_ts, t), t), creating a placeholder"
    fn touch_sender(&mut self, names: Both, t: i64) {
        let t = self.not_from_the_future(t);
        self.change(names, |row| row.sender_t = row.sender_t.max(Some(t)));
    }

    /// "mark token suspect (keep)"
    pub(crate) fn refused(&mut self, names: Both, t: i64) {
        self.change(names, |row| {
            if let Some(token) = &mut row.token
                && token.t == t
            {
                token.suspect = true;
            }
        });
    }

    /// "valid tctoken, else cstoken, else nothing"
    pub(crate) fn carried(&self, contact: Option<Both>) -> Carried {
        let Some(names) = contact else {
            return Carried::NotEligible;
        };
        let why = match self.view(names).token {
            _ if self.blind => Why::Unreadable,
            None => Why::Never,
            Some(token) if !self.usable(token.t) => Why::Expired(token.t),
            Some(token) => {
                return Carried::Token {
                    ambiguous: self.props.receive.is_none() && token.t < cutoff(self.now, DEFAULT),
                    bytes: token.bytes,
                    t: token.t,
                };
            }
        };
        match (names.lid, &self.salt) {
            // "attach if a salt exists" while unknown, else "value"
            _ if self.props.cstoken == Some(false) => Carried::Nothing(why, NoSalt::Gate),
            (None, _) => Carried::Nothing(why, NoSalt::Lid),
            _ if self.blind => Carried::Nothing(why, NoSalt::Unreadable),
            (_, None) => Carried::Nothing(why, NoSalt::Salt),
            (Some(lid), Some(salt)) => Carried::Cstoken {
                salt: salt.clone(),
                lid,
                why,
            },
        }
    }

    /// "token_ts < cutoff(D_recv, N_recv) -> do not attach"; unknown: "do not attach beyond N=26".
    fn usable(&self, t: i64) -> bool {
        t >= cutoff(self.now, self.props.receive.unwrap_or(WIDEST))
    }

    /// A message was handed over: "sender_ts none or bucket(now) > bucket(sender_ts)".
    pub(crate) fn sent(&mut self, names: Both) {
        self.one_contact(names);
        if self.blind {
            self.counted.failed_reads += 1;
            return;
        }
        let (span, _) = self.props.send.unwrap_or(DEFAULT);
        let due = match self.view(names).sender_t {
            None => true,
            Some(last) => bucket(self.now, span) > bucket(last, span),
        };
        let target = match self.props.issue_to_lid {
            None => names.pn.or(names.lid),
            Some(true) => names.lid,
            Some(false) => names.pn,
        };
        if let Some(target) = target.filter(|_| due) {
            self.want(names, target, self.now, true);
        }
    }

    /// A new phone: "sender_ts live -> issue(t = sender_ts, record = no)".
    pub(crate) fn identity_changed(&mut self, names: Both) {
        self.one_contact(names);
        if self.blind {
            self.counted.failed_reads += 1;
            return;
        }
        let window = self.props.send.unwrap_or(DEFAULT);
        let asked = match self.props.issue_to_lid {
            None => names.pn,
            Some(true) => names.lid,
            Some(false) => names.pn,
        };
        // "falls back to given form"
        let target = asked.unwrap_or_else(|| names.key());
        if let Some(t) = self.view(names).sender_t
            && t >= cutoff(self.now, window)
        {
            self.want(names, target, t, false);
        }
    }

    /// "Dedupe key = peer account key": whoever names both names speaks of one contact.
    fn one_contact(&mut self, names: Both) {
        if let (Some(lid), Some(pn)) = (names.lid, names.pn) {
            self.pacing.join(pn, lid, self.mono);
        }
    }

    fn want(&mut self, names: Both, target: Name, t: i64, recorded: bool) {
        let wanted = Wanted {
            who: names.key(),
            target,
            t,
            recorded,
        };
        self.pacing.want(wanted, self.mono);
    }

    /// An IQ ended: "ok -> touch_sender(key, t)".
    pub(crate) fn ended(&mut self, handed_out: Name, t: i64, end: Result<(), Option<u16>>) {
        match self.pacing.ended(handed_out, t, end, self.mono) {
            Some(Some(taken)) => {
                let names = Both::default().with(taken.who);
                self.change(names, |row| row.sender_t = row.sender_t.max(Some(taken.t)));
            }
            Some(None) => {}
            None => self.counted.unknown_results += 1,
        }
    }

    /// App state: "SET with non-empty salt -> replace; SET with empty -> ignore; REMOVE -> delete".
    pub(crate) fn salt_of_app_state(&mut self, salt: Option<&[u8]>) {
        if salt != Some(&[]) {
            self.salt = salt.map(<[u8]>::to_vec);
            self.salt_is_authoritative = true;
        }
    }

    /// History: "use if no salt is stored and no authoritative mutation was ever seen".
    pub(crate) fn salt_of_history(&mut self, salt: &[u8]) {
        if self.salt.is_none() && !self.salt_is_authoritative && !salt.is_empty() {
            self.salt = Some(salt.to_vec());
        }
    }

    /// Rows 2 and 5 of the diagnosis: a newer token came after the message was built; a usable or
    /// perhaps usable one had been there all along.
    pub(crate) fn evidence(&self, names: Both, carried: Option<i64>, built: i64) -> (bool, bool) {
        let Some(token) = self.view(names).token else {
            return (false, false);
        };
        let newer = carried.is_none_or(|t| t < token.t);
        let perhaps = self.usable(token.t) || token.t >= cutoff(self.now, WIDEST);
        (
            newer && self.usable(token.t) && token.seen >= built,
            carried.is_none() && perhaps && token.seen < built,
        )
    }

    /// "if t > server_now + 86400: treat t as server_now and log"
    fn not_from_the_future(&mut self, t: i64) -> i64 {
        if t <= self.now + DAY {
            return t;
        }
        self.counted.from_the_future += 1;
        self.now
    }
}
