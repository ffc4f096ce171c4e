//! A linked account and the model server without a socket between them, for rows in which the
//! server's answers are part of the work. Only what the account does is measured.

use std::path::{Path, PathBuf};

use sendpath_model_server::bare::{Bare, Line, Spoken};
use sendpath_model_server::{Command, Config, Gate, Reply, TimeSource};
use sendpath_protocol::crypto::symmetric::aes256_gcm_seal;
use sendpath_protocol::effect::{Effect, OpId};
use sendpath_protocol::event::Event;
use sendpath_protocol::jid::{Jid, Server};
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::session::{
    self, Content, Input, Phase, SendRequest, Session, SessionConfig,
};
use sendpath_protocol::txn::{Fence, Scope, Store};
use sendpath_protocol::wap::{self, Node};
use sendpath_storage::open;
use tempfile::TempDir;

use crate::harness::Meter;
use crate::world::{NOW, Seeded, TEXT};

const SLOT: &str = "bench";
const GROUP: &str = "120363000000000001";

/// A linked account that is a member of a group and has never written to it: its file, and what the
/// server knows.
pub(crate) struct Prepared {
    server: Bare,
    file: PathBuf,
    folder: TempDir,
}

impl Prepared {
    /// `members` other people with two devices each.
    pub(crate) fn new(folder: &Path, members: u64) -> Self {
        let folder = tempfile::tempdir_in(folder).unwrap();
        let file = folder.path().join("prepared.db");
        let config = Config {
            time: TimeSource::Fixed(NOW.unix().0),
            ..Config::default()
        };
        let mut served = Served::new(Bare::new(&config), &file, None);
        served.link();
        let name = |number: u64| (4_915_550_000_000 + number).to_string();
        for number in 0..members {
            served.order(Command::AddPeer {
                pn: name(number),
                lid: (200_000_000_000_000 + number).to_string(),
                devices: 2,
                gate: Gate::Open,
                aliases: Vec::new(),
            });
        }
        served.order(Command::AddGroup {
            group: GROUP.into(),
            members: (0..members).map(name).collect(),
            account: None,
            lid: true,
        });
        Self {
            server: served.server,
            file,
            folder,
        }
    }

    /// The account online, in a world of its own.
    pub(crate) fn online(&self) -> Served {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        let file = folder.path().join("bench.db");
        std::fs::copy(&self.file, &file).unwrap();
        let mut served = Served::new(self.server.clone(), &file, Some(folder));
        served.connect();
        served.talk();
        assert_eq!(served.session.status().phase, Phase::Online);
        served
    }
}

/// A session, its store and its line to the server.
pub(crate) struct Served {
    server: Bare,
    line: Option<Line>,
    store: Box<dyn Store>,
    fence: Fence,
    session: Session,
    rng: Seeded,
    outgoing: Vec<Vec<u8>>,
    code: Option<String>,
    sent: u64,
    _folder: Option<TempDir>,
}

impl Served {
    fn new(server: Bare, file: &Path, folder: Option<TempDir>) -> Self {
        let mut store = open(file.to_str().unwrap()).unwrap();
        let mut rng = Seeded::new(1);
        let fence = store.acquire(&Scope::slot(SLOT)).unwrap();
        let opened = Session::open(SLOT, SessionConfig::default(), NOW, &mut rng, &*store);
        let (session, step) = opened.unwrap();
        step.commit(&mut *store, &fence).unwrap();
        Self {
            server,
            line: None,
            store,
            fence,
            session,
            rng,
            outgoing: Vec::new(),
            code: None,
            sent: 0,
            _folder: folder,
        }
    }

    /// Our key to the group reaches everybody, and the server says so.
    pub(crate) fn warm(&mut self) {
        self.write(&mut Meter::default());
        while self.message().is_none() {
            self.exchange(&mut Meter::default());
        }
        self.accept();
    }

    /// The whole first message to the group: every question to the server, every answer, the
    /// message. Gives the bytes that leave.
    pub(crate) fn write_cold(&mut self, meter: &mut Meter) -> usize {
        self.write(meter);
        loop {
            if let Some(message) = self.message() {
                return seal(meter, message);
            }
            self.exchange(meter);
        }
    }

    /// A message to the group that has our key.
    pub(crate) fn write_warm(&mut self, meter: &mut Meter) -> usize {
        self.write(meter);
        let message = self.message().unwrap();
        let length = seal(meter, message);
        self.accept();
        length
    }

    fn write(&mut self, meter: &mut Meter) {
        self.sent += 1;
        let request = SendRequest {
            to: group(),
            content: Content::Text(TEXT.into()),
            recipient: RecipientHint::Ordinary,
            id: None,
            deadline: None,
            media_id: None,
        };
        let command = session::Command::Send(request);
        self.input(meter, Input::Command(OpId(self.sent), command));
    }

    /// The group message among what is to leave.
    fn message(&mut self) -> Option<&[u8]> {
        let is_message = |frame: &Vec<u8>| wap::decode(frame).unwrap().tag == "message";
        self.outgoing
            .iter()
            .find(|frame| is_message(frame))
            .map(|frame| &**frame)
    }

    /// The server takes the message.
    fn accept(&mut self) {
        let message = wap::decode(self.message().unwrap()).unwrap();
        self.outgoing.clear();
        let ack = Node::new("ack")
            .attr("class", "message")
            .attr("id", message.text("id").unwrap().into_owned())
            .jid("from", group())
            .num("t", NOW.unix());
        self.input(&mut Meter::default(), Input::Received(wap::encode(&ack)));
        assert_eq!(self.session.status().outbox, 0, "the message is accepted");
    }

    fn link(&mut self) {
        while self.session.status().phase != Phase::Online {
            if self.line.is_none() {
                self.connect();
            }
            self.talk();
            if let Some(code) = self.code.take() {
                self.order(Command::scan_qr(code));
            }
        }
        self.talk();
    }

    fn connect(&mut self) {
        let (noise, payload) = self.session.introduction();
        self.line = Some(self.server.connect(*noise.public.as_bytes(), &payload));
        self.input(&mut Meter::default(), Input::Established);
    }

    /// Lets both say all they have to say.
    fn talk(&mut self) {
        while self.exchange(&mut Meter::default()) {}
    }

    /// Carries what waits, there and back; false when nothing came back.
    fn exchange(&mut self, meter: &mut Meter) -> bool {
        let Some(line) = self.line else {
            return false;
        };
        for frame in std::mem::take(&mut self.outgoing) {
            self.server.hear(line, &frame);
        }
        let spoken = self.server.speak(line);
        let heard = !spoken.is_empty();
        for spoken in spoken {
            match spoken {
                Spoken::Frame(frame) => self.input(meter, Input::Received(frame)),
                Spoken::End => self.line = None,
            }
        }
        heard
    }

    fn input(&mut self, meter: &mut Meter, input: Input) {
        let Self {
            session,
            store,
            rng,
            fence,
            ..
        } = self;
        let effects = meter.measure(|| {
            let step = session.handle(NOW, rng, &**store, input).unwrap();
            step.commit(&mut **store, fence).unwrap()
        });
        for effect in effects {
            match effect {
                Effect::Transmit(stanza) => self.outgoing.push(stanza.0),
                Effect::Event(Event::PairQr { text, .. }) => self.code = Some(text),
                Effect::Disconnect(_) => self.line = None,
                _ => {}
            }
        }
    }

    fn order(&mut self, command: Command) {
        if let Reply::Error { message } = self.server.control(command) {
            panic!("the server refuses the order: {message}");
        }
    }
}

fn group() -> Jid {
    Jid::user(GROUP, Server::Group)
}

/// What the connection does with every frame.
pub(crate) fn seal(meter: &mut Meter, frame: &[u8]) -> usize {
    meter.measure(|| aes256_gcm_seal(&[1; 32], &[0; 12], &[], frame).len())
}
