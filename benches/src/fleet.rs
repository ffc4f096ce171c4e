//! An engine on SQLite with linked accounts, and the model server in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command as Process, Stdio};
use std::time::Duration;

use sendpath_engine::{
    Account, AccountConfig, AccountEvent, Engine, EngineConfig, SendOptions, Sending, StoreSpec,
};
use sendpath_model_server::{Command, Condition, Config, Gate, ModelServer, Reply};
use sendpath_protocol::config::ServerConfig;
use sendpath_protocol::event::Event;
use sendpath_protocol::verdict::Outcome;
use tempfile::TempDir;

use crate::harness::Meter;
use crate::world::TEXT;

const GUARD: Option<Duration> = Some(Duration::from_secs(60));

/// How to find a server.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) root_key: [u8; 32],
}

/// The model server as a child process; it ends with its input.
struct Server {
    place: Place,
    orders: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
    process: Child,
}

/// What that process does.
pub(crate) fn serve() -> std::io::Result<()> {
    let server = ModelServer::start(Config::default())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} {}", server.url(), hex::encode(server.root_key()))?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        writeln!(out, "{}", server.control_json(&line?))?;
        out.flush()?;
    }
    Ok(())
}

impl Server {
    fn start() -> Self {
        let mut process = Process::new(std::env::current_exe().unwrap())
            .arg("--serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut replies = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        replies.read_line(&mut line).unwrap();
        let (url, root_key) = line.trim_end().split_once(' ').unwrap();
        Self {
            place: Place {
                url: url.to_owned(),
                root_key: hex::decode(root_key).unwrap().try_into().unwrap(),
            },
            orders: process.stdin.take(),
            replies,
            process,
        }
    }

    fn order(&mut self, command: &Command) {
        let orders = self.orders.as_mut().unwrap();
        writeln!(orders, "{}", serde_json::to_string(command).unwrap()).unwrap();
        let mut line = String::new();
        self.replies.read_line(&mut line).unwrap();
        match serde_json::from_str(&line).unwrap() {
            Reply::Error { message } => panic!("the server refuses the order: {message}"),
            reply => assert_ne!(reply, Reply::Waited { met: false }, "{command:?}"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Whatever it says, it is over.
        let _ = self.process.wait();
    }
}

/// Linked accounts, all connected. Each has one contact, and has written to it.
pub(crate) struct Fleet {
    accounts: Vec<Account>,
    engine: Engine,
    server: Server,
    folder: TempDir,
}

impl Fleet {
    pub(crate) fn new(folder: &Path, accounts: u64) -> Self {
        let folder = tempfile::tempdir_in(folder).unwrap();
        let server = Server::start();
        let engine = engine(&store(&folder));
        let mut fleet = Self {
            accounts: Vec::new(),
            engine,
            server,
            folder,
        };
        (0..accounts).for_each(|number| fleet.link(number));
        fleet.send(&mut Meter::default(), 1);
        fleet
    }

    fn link(&mut self, number: u64) {
        let account = account(&self.engine, &self.server.place, number);
        account.connect().unwrap();
        let qr = event(&account, |event| match event {
            Event::PairQr { text, .. } => Some(text),
            _ => None,
        });
        self.server.order(&Command::ScanQr {
            qr,
            pn: Some(own(number)),
            lid: Some((900_100_000 + number).to_string()),
            lid_migrated: None,
        });
        self.server.order(&Command::AddPeer {
            pn: contact(number),
            lid: (200_000_000_000_000 + number).to_string(),
            devices: 1,
            gate: Gate::Open,
            aliases: Vec::new(),
        });
        online(&account);
        self.accounts.push(account);
    }

    /// So many messages of each account, all under way at the same time, until the server has
    /// taken the last.
    pub(crate) fn send(&mut self, meter: &mut Meter, each: u32) {
        let accounts = &self.accounts;
        let start = |(account, number): (&Account, u64)| {
            let started = account.send_text(&contact(number), TEXT, SendOptions::default());
            started.unwrap()
        };
        let outcomes: Vec<Option<Outcome>> = meter.measure(|| {
            let sending: Vec<Sending> = (0..each)
                .flat_map(|_| accounts.iter().zip(0..).map(start))
                .collect();
            let ends = sending.iter().map(|sending| sending.wait_blocking(GUARD));
            ends.collect()
        });
        for outcome in outcomes {
            assert!(
                matches!(outcome, Some(Outcome::Accepted { .. })),
                "{outcome:?}"
            );
        }
        for account in accounts {
            while account.next_event(Some(Duration::ZERO)).unwrap().is_some() {}
        }
    }

    /// Ends the engine. What is left is the store's file and the server.
    pub(crate) fn park(self) -> Parked {
        self.engine.close().unwrap();
        Parked {
            store: store(&self.folder),
            server: self.server,
            _folder: self.folder,
        }
    }
}

/// Linked accounts that nobody runs.
pub(crate) struct Parked {
    pub(crate) store: String,
    server: Server,
    _folder: TempDir,
}

impl Parked {
    pub(crate) const fn place(&self) -> &Place {
        &self.server.place
    }

    /// Waits until the server has heard all that so many accounts have to say after their login.
    pub(crate) fn settled(&mut self, accounts: u64) {
        for number in 0..accounts {
            self.server.order(&Command::WaitFor {
                condition: Condition::Answered {
                    account: Some(own(number)),
                },
                timeout_ms: 60_000,
            });
        }
    }
}

fn store(folder: &TempDir) -> String {
    folder.path().join("bench.db").to_str().unwrap().to_owned()
}

fn own(number: u64) -> String {
    (15_550_100_000 + number).to_string()
}

fn contact(number: u64) -> String {
    (4_915_550_000_000 + number).to_string()
}

pub(crate) fn engine(store: &str) -> Engine {
    Engine::open(EngineConfig::new(StoreSpec::Uri(store.to_owned()))).unwrap()
}

pub(crate) fn account(engine: &Engine, place: &Place, number: u64) -> Account {
    let mut config = AccountConfig::default();
    config.server = ServerConfig {
        url: place.url.clone(),
        root_key: place.root_key,
        ..ServerConfig::default()
    };
    engine
        .account(&format!("account-{number}"), config)
        .unwrap()
}

/// Waits for the login.
pub(crate) fn online(account: &Account) {
    event(account, |event| {
        matches!(event, Event::Connected).then_some(())
    });
}

fn event<T>(account: &Account, wanted: impl Fn(Event) -> Option<T>) -> T {
    loop {
        let next = account.next_event(GUARD).unwrap();
        if let AccountEvent::Event(event) = next.expect("an event within a minute")
            && let Some(found) = wanted(event)
        {
            return found;
        }
    }
}
