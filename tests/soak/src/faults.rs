//! What the server does to them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sendpath_model_server::{Command, DropWhen, Gate, ModelServer, Reply, StreamErrorKind};

/// Contacts that everybody writes to, and that write to everybody.
const CONTACTS: u64 = 20;

/// Messages that come while an account is away.
const BACKLOG: u64 = 20;

/// Number and LID of a contact.
pub(crate) fn contact(serial: u64) -> (String, String) {
    let at = serial % CONTACTS;
    (format!("49155500{at:02}"), format!("1000000000{at:02}"))
}

/// Number and LID of an account.
pub(crate) fn account(number: u64) -> (String, String) {
    (format!("1555{number:07}"), format!("9001{number:08}"))
}

/// Faults in an order that a seed repeats.
pub(crate) struct Faults<'a> {
    server: &'a ModelServer,
    accounts: u64,
    dice: ChaCha8Rng,
    wrote: Vec<String>,
    /// How many of each kind there were.
    pub(crate) counts: [u64; 5],
}

impl<'a> Faults<'a> {
    pub(crate) fn new(server: &'a ModelServer, accounts: u64, seed: u64) -> Self {
        for serial in 0..CONTACTS {
            let (pn, lid) = contact(serial);
            let added = server.control(Command::AddPeer {
                pn,
                lid,
                devices: 1,
                gate: Gate::Open,
                aliases: Vec::new(),
            });
            assert!(!matches!(added, Reply::Error { .. }), "{added:?}");
        }
        Self {
            server,
            accounts,
            dice: ChaCha8Rng::seed_from_u64(seed),
            wrote: Vec::new(),
            counts: [0; 5],
        }
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice.next_u64() % sides
    }

    /// A contact writes, and at times something breaks.
    pub(crate) fn next(&mut self) {
        let number = self.roll(self.accounts);
        let (pn, _) = account(number);
        self.write(&pn);
        let account = Some(pn.clone());
        // An account that is away has no connection to break: that is no error of ours.
        let ordered = match self.roll(40) {
            0 => {
                self.counts[0] += 1;
                let when = [
                    DropWhen::AfterAck,
                    DropWhen::BeforeAck,
                    DropWhen::BeforeDelivery,
                ];
                let at = usize::try_from(self.roll(3)).expect("a small number");
                Command::DropConnection {
                    account,
                    when: when[at],
                }
            }
            1 => {
                self.counts[1] += 1;
                let code = [429, 503][usize::from(self.roll(2) == 0)];
                Command::NackNext {
                    account,
                    code,
                    count: 1,
                }
            }
            2 => {
                self.counts[2] += 1;
                let kind = StreamErrorKind::Code(515);
                Command::StreamError { account, kind }
            }
            3 => {
                self.counts[3] += 1;
                let when = DropWhen::Now;
                let _ = self
                    .server
                    .control(Command::DropConnection { account, when });
                (0..BACKLOG).for_each(|_| self.write(&pn));
                return;
            }
            4 => {
                self.counts[4] += 1;
                Command::IqFault {
                    account,
                    kind: "usync/usync".into(),
                    error: None,
                    count: 1,
                }
            }
            _ => return,
        };
        let _ = self.server.control(ordered);
    }

    fn write(&mut self, to: &str) {
        let (peer, _) = contact(self.dice.next_u64());
        let sent = self.server.control(Command::PeerSend {
            peer,
            text: "soak".into(),
            account: Some(to.to_owned()),
            device: 0,
            id: None,
            from_lid: true,
        });
        match sent {
            Reply::Sent { id } => self.wrote.push(id),
            other => panic!("unexpected reply {other:?}"),
        }
    }

    /// No more of them; the ids of what contacts wrote.
    pub(crate) fn end(&mut self) -> Vec<String> {
        std::mem::take(&mut self.wrote)
    }
}
