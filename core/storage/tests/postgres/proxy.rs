//! A socket in front of the server's: the test decides what becomes of its connections.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use sendpath_test_postgres::Database;
use tempfile::TempDir;

/// Passes bytes on to the server of a database.
pub(crate) struct Proxy {
    folder: TempDir,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    connections: Vec<Connection>,
    /// New connections are held.
    silent: bool,
}

struct Connection {
    client: UnixStream,
    server: UnixStream,
    /// What the client said.
    heard: Vec<u8>,
    /// How much of it the server got.
    delivered: usize,
    held: bool,
}

impl Proxy {
    pub(crate) fn before(database: &Database) -> Self {
        let folder = TempDir::new().unwrap();
        let server = database.socket();
        let listener = UnixListener::bind(folder.path().join(server.file_name().unwrap())).unwrap();
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        // It ends with the process.
        thread::spawn(move || {
            for client in listener.incoming() {
                accept(client.unwrap(), &server, &shared);
            }
        });
        Self { folder, state }
    }

    pub(crate) fn uri(&self, database: &Database) -> String {
        database.uri_in(self.folder.path())
    }

    /// Breaks the connections on the client's side. The server is not told, as by a network that
    /// went away.
    pub(crate) fn cut(&self) {
        for connection in &self.state.lock().unwrap().connections {
            // One that has ended is fine.
            let _ = connection.client.shutdown(Shutdown::Both);
        }
    }

    /// Holds back what clients say, on these connections and on new ones.
    pub(crate) fn be_silent(&self) {
        self.hold();
        self.state.lock().unwrap().silent = true;
    }

    /// Holds back what clients say on the connections there are.
    pub(crate) fn hold(&self) {
        for connection in &mut self.state.lock().unwrap().connections {
            connection.held = true;
        }
    }

    /// Delivers what was held back, and lets new connections pass. Those that were held end behind
    /// it.
    pub(crate) fn release(&self) {
        let mut state = self.state.lock().unwrap();
        state.silent = false;
        for connection in state.connections.iter_mut().filter(|one| one.held) {
            connection.held = false;
            connection.deliver();
            let _ = connection.server.shutdown(Shutdown::Write);
        }
    }

    /// What the clients said, by connection.
    pub(crate) fn heard(&self) -> Vec<Vec<u8>> {
        let state = self.state.lock().unwrap();
        let heard = state.connections.iter().map(|one| one.heard.clone());
        heard.collect()
    }
}

impl Connection {
    fn deliver(&mut self) {
        if !self.held {
            // A server that has ended the session hears no more.
            let _ = self.server.write_all(&self.heard[self.delivered..]);
            self.delivered = self.heard.len();
        }
    }
}

fn accept(mut client: UnixStream, server: &Path, shared: &Arc<Mutex<State>>) {
    let server = UnixStream::connect(server).unwrap();
    let copy = |stream: &UnixStream| stream.try_clone().unwrap();
    let (mut from_server, mut to_client) = (copy(&server), copy(&client));
    let number = {
        let mut state = shared.lock().unwrap();
        let held = state.silent;
        state.connections.push(Connection {
            client: copy(&client),
            server,
            heard: Vec::new(),
            delivered: 0,
            held,
        });
        state.connections.len() - 1
    };
    thread::spawn(move || std::io::copy(&mut from_server, &mut to_client));
    let shared = shared.clone();
    thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            let connection = &mut shared.lock().unwrap().connections[number];
            connection.heard.extend(&buffer[..length]);
            connection.deliver();
        }
    });
}
