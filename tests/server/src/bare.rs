//! The server without sockets, handshake, threads and clock: for simulations, which hand stanzas over
//! themselves.
//!
//! A copy is a snapshot: a simulation that begins in a prepared world copies it.

use std::collections::BTreeMap;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::command::Command;
use crate::config::Config;
use crate::connection::{ConnectionId, Out};
use crate::reply::Reply;
use crate::world::World;

/// The server's state, and the connections that a simulation holds.
pub struct Bare {
    world: World,
    lines: BTreeMap<Line, UnboundedReceiver<Out>>,
}

/// One connection.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Line(ConnectionId);

/// What the server does on a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Spoken {
    /// An encoded stanza, flag byte first.
    Frame(Vec<u8>),
    /// It ends the connection.
    End,
}

impl Clone for Bare {
    /// The same world, without its connections.
    fn clone(&self) -> Self {
        let mut world = self.world.clone();
        let open: Vec<_> = world.connections.keys().copied().collect();
        for connection in open {
            world.disconnected(connection);
        }
        Self {
            world,
            lines: BTreeMap::new(),
        }
    }
}

impl Bare {
    /// A server that nobody has connected to.
    pub fn new(config: &Config) -> Self {
        let mut world = World::new(config);
        world.media.host = "media.invalid".into();
        Self {
            world,
            lines: BTreeMap::new(),
        }
    }

    /// What the media server answers to a GET: status and body.
    pub fn get(&mut self, url: &str) -> (u16, Vec<u8>) {
        let (_, rest) = url.split_once("://").unwrap_or(("", url));
        let path = rest.find('/').map_or("/", |at| &rest[at..]);
        self.world.media.get(path)
    }

    /// Other random bytes from here on.
    pub fn reseed(&mut self, seed: u64) {
        self.world.rng = crate::rng::SeededRng::new(seed);
    }

    /// A client whose handshake brought this static key and payload.
    pub fn connect(&mut self, noise_key: [u8; 32], payload: &[u8]) -> Line {
        let (sender, receiver) = unbounded_channel();
        let line = Line(self.world.connected(sender, noise_key, payload));
        self.lines.insert(line, receiver);
        line
    }

    /// The client wrote a stanza.
    pub fn hear(&mut self, line: Line, frame: &[u8]) {
        if self.world.connections.contains_key(&line.0) {
            self.world.frame(line.0, frame);
        }
    }

    /// What the server has said on a connection since the last time.
    pub fn speak(&mut self, line: Line) -> Vec<Spoken> {
        let Some(receiver) = self.lines.get_mut(&line) else {
            return Vec::new();
        };
        let mut spoken = Vec::new();
        while let Ok(out) = receiver.try_recv() {
            match out {
                Out::Stanza(node) => {
                    spoken.push(Spoken::Frame(sendpath_protocol::wap::encode(&node)));
                }
                Out::Close | Out::Cut => {
                    spoken.push(Spoken::End);
                    self.leave(line);
                    break;
                }
            }
        }
        spoken
    }

    /// The connection is gone.
    pub fn leave(&mut self, line: Line) {
        self.lines.remove(&line);
        self.world.disconnected(line.0);
    }

    /// Obeys a command; `WaitFor` does not wait, it looks.
    pub fn control(&mut self, command: Command) -> Reply {
        match command {
            Command::WaitFor { condition, .. } => match self.world.holds(&condition) {
                Ok(met) => Reply::Waited { met },
                Err(message) => Reply::Error { message },
            },
            command => self.world.obey(command),
        }
    }
}
