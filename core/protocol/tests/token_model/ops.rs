//! The operations, and how a seed draws them: few contacts, few bytes, times at the edges, so that
//! everything happens to the same contact soon.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sendpath_protocol::jid::{Jid, Server};
use sendpath_protocol::tctoken::issue::IqEnd;
use sendpath_protocol::tctoken::policy::MessageKind;

use crate::counted::Counted;
use crate::model::{Buckets, DAY, Given, Model, Name, OWN, Props, WEEK};

pub(crate) const CONTACTS: u8 = 6;

/// An address on the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Addr {
    /// A person, by account and device.
    Person(Name, u16),
    /// Named like a person, yet a bot or the announcements.
    Stranger(&'static str),
    /// Groups, lists, channels.
    Nobody(&'static str),
}

impl Addr {
    pub(crate) fn jid(self) -> Jid {
        match self {
            Self::Person(name, device) => jid(name).with_device(device),
            Self::Stranger(text) | Self::Nobody(text) => text.parse().unwrap(),
        }
    }

    pub(crate) fn person(self) -> Option<Name> {
        match self {
            Self::Person(name, _) => Some(name),
            Self::Stranger(_) | Self::Nobody(_) => None,
        }
    }

    /// A person that is not ourselves.
    pub(crate) fn contact(self) -> Option<Name> {
        self.person().filter(|name| !name.is_own())
    }
}

/// The bare JID. The PN of contact 5 is spelt with the digits of contact 0's LID.
pub(crate) fn jid(name: Name) -> Jid {
    match name {
        Name::Lid(number) => Jid::device(format!("1000000000000{number:02}"), 0, Server::Lid),
        Name::Pn(5) => Jid::pn("100000000000000"),
        Name::Pn(number) => Jid::pn(format!("49155500{number:02}")),
    }
}

/// A `<token>`, perhaps an odd one.
#[derive(Clone, Debug)]
pub(crate) struct Tok {
    pub(crate) kind: &'static str,
    pub(crate) t: Option<String>,
    pub(crate) bytes: Option<Vec<u8>>,
    pub(crate) target: Option<Addr>,
}

impl Tok {
    /// "Only trusted_contact. Missing/non-numeric/zero t -> drop. Missing content -> drop."
    pub(crate) fn given(&self, counted: &mut Counted) -> Option<Given> {
        let t = self.t.as_ref().and_then(|t| t.parse().ok());
        let bytes = self.bytes.clone().filter(|bytes| !bytes.is_empty());
        let fault = match (t.filter(|t| *t > 0), bytes) {
            _ if self.kind != "trusted_contact" => &mut counted.unknown_type,
            (None, _) => &mut counted.bad_time,
            (_, None) => &mut counted.empty,
            (Some(t), Some(bytes)) => {
                let target = self.target.and_then(Addr::person);
                return Some(Given { bytes, t, target });
            }
        };
        *fault += 1;
        None
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Cancel(Addr),
    /// The same as the inner one, but the process dies before the commit.
    Crash(Box<Self>),
    /// The commit fails and nothing is written.
    CommitFails(Box<Self>),
    /// The commit fails and everything is written.
    CommitUnknown(Box<Self>),
    /// A row becomes unreadable.
    Damage(Name),
    /// An IQ ends: of those ever handed out, the one with this number from behind.
    End {
        back: usize,
        wrong_t: bool,
        end: IqEnd,
    },
    History {
        of: Addr,
        token: Option<Vec<u8>>,
        t: u64,
        sender_t: u64,
    },
    Hold(bool),
    Identity(Addr),
    /// The wall clock jumps.
    Jump(i64),
    Learn {
        pn: u8,
        lid: u8,
    },
    /// The LID map learns a pair and the token machine is not told yet.
    Map {
        pn: u8,
        lid: u8,
    },
    Notify {
        from: Addr,
        sender_lid: Option<Addr>,
        tokens: Vec<Tok>,
    },
    /// Milliseconds go by on both clocks.
    Pass(u64),
    Props(Props),
    /// The newest message to that contact was refused.
    Refused(usize),
    Restart,
    /// App state sets the salt, or removes it.
    Salt(Option<Vec<u8>>),
    SaltOfHistory(Vec<u8>),
    Send(Addr, MessageKind),
    Stop,
    Tick,
    /// The inner one, while the store cannot be read.
    Unreadable(Box<Self>),
}

pub(crate) struct Dice {
    rng: ChaCha8Rng,
    favourite: u8,
    mood: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            favourite: 0,
            mood: seed % 3,
        };
        dice.favourite = dice.small(CONTACTS.into());
        dice
    }

    pub(crate) fn op(&mut self, model: &Model) -> Op {
        match self.below(100) {
            0..=3 => Op::Crash(Box::new(self.writing(model))),
            4..=6 => Op::CommitFails(Box::new(self.writing(model))),
            7..=9 => Op::CommitUnknown(Box::new(self.writing(model))),
            10 => Op::Unreadable(Box::new(self.writing(model))),
            11..=34 => Op::Send(self.addr(), self.kind()),
            35..=49 => Op::Pass(self.pick(PASSES)),
            50..=52 => Op::Jump(self.pick(JUMPS)),
            53..=56 => Op::Props(self.props()),
            57 => Op::Damage(self.name()),
            58..=59 => Op::Restart,
            60..=61 => Op::Hold(self.one_in(2)),
            62 => Op::Stop,
            63..=64 => Op::Cancel(self.addr()),
            65..=70 => Op::Tick,
            _ => self.writing(model),
        }
    }

    /// One that may write.
    fn writing(&mut self, model: &Model) -> Op {
        match self.below(24) {
            0..=7 => self.notify(model),
            8..=10 => Op::History {
                of: self.addr(),
                token: self.bytes(),
                t: self.time(model),
                sender_t: self.time(model),
            },
            11..=16 => Op::End {
                back: usize::from(self.small(4)),
                wrong_t: self.one_in(12),
                end: self.end(),
            },
            17..=18 => {
                let (pn, lid) = self.pair();
                Op::Learn { pn, lid }
            }
            19 => {
                let (pn, lid) = self.pair();
                Op::Map { pn, lid }
            }
            20 => Op::Refused(usize::from(self.small(3))),
            21 => Op::Salt(self.bytes()),
            22 if self.one_in(2) => Op::SaltOfHistory(vec![b'h'; usize::from(self.small(2))]),
            22 => Op::Send(self.addr(), MessageKind::Content),
            _ => Op::Identity(self.addr()),
        }
    }

    fn notify(&mut self, model: &Model) -> Op {
        let sender_lid = match self.below(8) {
            0..=2 => None,
            3 => Some(self.addr()),
            _ => Some(Addr::Person(Name::Lid(self.favourite), 0)),
        };
        Op::Notify {
            from: self.addr(),
            sender_lid,
            tokens: (0..self.below(4)).map(|_| self.token(model)).collect(),
        }
    }

    fn token(&mut self, model: &Model) -> Tok {
        let mut token = Tok {
            kind: "trusted_contact",
            t: Some(self.stamp(model).to_string()),
            bytes: Some(vec![b'A' + self.small(4)]),
            target: self.one_in(2).then(|| self.addr()),
        };
        match self.below(24) {
            0 => token.kind = "other",
            1 => token.t = None,
            2 => {
                token.t = Some(
                    self.pick(&["", "abc", "0", "-5", "99999999999999999999"])
                        .into(),
                );
            }
            3 => token.bytes = None,
            4 => token.bytes = Some(Vec::new()),
            _ => {}
        }
        token
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        match self.below(6) {
            0 => None,
            1 => Some(Vec::new()),
            _ => Some(vec![b'A' + self.small(4)]),
        }
    }

    /// A time in a history sync.
    fn time(&mut self, model: &Model) -> u64 {
        match self.below(8) {
            0..=1 => 0,
            2 => u64::MAX,
            _ => u64::try_from(self.stamp(model)).unwrap_or(0),
        }
    }

    /// Edges of buckets, stamps that are stored, and the future; each with its neighbours.
    fn stamp(&mut self, model: &Model) -> i64 {
        let stored = |row: &crate::model::Row| {
            let token = row.token.as_ref().map(|token| token.t);
            token.into_iter().chain(row.sender_t).collect::<Vec<_>>()
        };
        let stored: Vec<_> = model.rows.values().flat_map(stored).collect();
        let near = match self.below(6) {
            0 if !stored.is_empty() => self.pick(&stored),
            1 => model.now + self.pick(&[DAY, 10 * 365 * DAY, -WEEK]),
            2 => model.now,
            3 => self.edge(model, 28),
            _ => self.edge(model, 5),
        };
        near + self.pick(&[-1, 0, 0, 1])
    }

    fn edge(&mut self, model: &Model, back: u64) -> i64 {
        (model.now.div_euclid(WEEK) - i64::from(self.small(back))) * WEEK
    }

    fn addr(&mut self) -> Addr {
        match self.below(30) {
            0 => Addr::Stranger(self.pick(&["0@s.whatsapp.net", "13135550002@s.whatsapp.net"])),
            1 => Addr::Nobody(self.pick(NOBODIES)),
            2 => Addr::Person(self.pick(&[Name::Lid(OWN), Name::Pn(OWN)]), self.device()),
            _ => Addr::Person(self.name(), self.device()),
        }
    }

    fn name(&mut self) -> Name {
        let number = match self.below(5) {
            0..=2 => self.favourite,
            _ => self.small(CONTACTS.into()),
        };
        match self.below(12) {
            0 => Name::Lid(number + 10),
            1..=6 => Name::Lid(number),
            _ => Name::Pn(number),
        }
    }

    /// A phone number and its LID; rarely the one of its next owner.
    fn pair(&mut self) -> (u8, u8) {
        let number = self.small(CONTACTS.into());
        let pn = if self.one_in(2) {
            self.favourite
        } else {
            number
        };
        (pn, if self.one_in(6) { pn + 10 } else { pn })
    }

    fn device(&mut self) -> u16 {
        u16::from(self.below(6) == 0) * 3
    }

    fn kind(&mut self) -> MessageKind {
        match self.below(10) {
            0 => MessageKind::Peer,
            1 => MessageKind::Protocol,
            _ => MessageKind::Content,
        }
    }

    /// The server of this script is well, tired or busy.
    fn end(&mut self) -> IqEnd {
        match (self.mood, self.below(8)) {
            (0, 0..=5) | (1, 0..=3) | (2, 0) => IqEnd::Ok,
            (0 | 1, 4..=6) => self.pick(&[IqEnd::Disconnected, IqEnd::Timeout]),
            (0 | 1, _) => IqEnd::Error(self.pick(CODES)),
            _ => IqEnd::Error(self.pick(&[429, 503])),
        }
    }

    fn props(&mut self) -> Props {
        Props {
            receive: self.buckets(),
            send: self.buckets(),
            issue_to_lid: self.pick(&[None, Some(false), Some(true), Some(true)]),
            cstoken: self.pick(&[None, Some(false), Some(true)]),
        }
    }

    fn buckets(&mut self) -> Option<Buckets> {
        self.pick(&[
            None,
            Some((WEEK, 4)),
            Some((WEEK, 26)),
            Some((WEEK, 1)),
            Some((DAY, 3)),
            Some((1, 1)),
        ])
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn small(&mut self, n: u64) -> u8 {
        u8::try_from(self.below(n)).unwrap()
    }

    fn below(&mut self, n: u64) -> u64 {
        self.rng.next_u64() % n
    }
}

const HOUR: u64 = 3_600_000;
const PASSES: &[u64] = &[
    0,
    100,
    499,
    500,
    500,
    1_000,
    59_999,
    60_000,
    120_000,
    300_000,
    300_000,
    600_000,
    HOUR,
    6 * HOUR,
    24 * HOUR,
    7 * 24 * HOUR,
];
const JUMPS: &[i64] = &[
    -4 * WEEK,
    -WEEK,
    -DAY,
    -1,
    1,
    DAY,
    WEEK,
    4 * WEEK,
    27 * WEEK,
];
const CODES: &[u16] = &[
    400, 401, 402, 403, 404, 405, 406, 407, 429, 429, 500, 503, 503, 503,
];
const NOBODIES: &[&str] = &[
    "120363000000000000@g.us",
    "120363000000000000@newsletter",
    "867051314767696@bot",
    "status@broadcast",
];
