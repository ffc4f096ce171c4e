//! The model server, the store, and small helpers of the story.

use std::path::PathBuf;
use std::time::Duration;

use sendpath_engine::{
    Account, AccountConfig, AccountEvent, Engine, EngineConfig, SendOptions, StoreSpec,
};
use sendpath_model_server::{
    Command, Condition, Config, Gate, Judged, ModelServer, Received, Reply,
};
use sendpath_protocol::config::ServerConfig;
use sendpath_protocol::event::Event;
use sendpath_protocol::verdict::Outcome;

/// Why the story ends early.
pub(crate) type Failure = String;

/// Any error as the end of the story.
pub(crate) fn failure(error: impl ToString) -> Failure {
    error.to_string()
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Where the story plays.
pub(crate) struct Stage {
    /// The model WhatsApp.
    pub(crate) server: ModelServer,
    /// The folder of the store.
    pub(crate) folder: PathBuf,
    engine: Engine,
}

impl Stage {
    /// Starts the server and opens a store in a fresh folder.
    pub(crate) fn open() -> Result<Self, Failure> {
        let server = ModelServer::start(Config::default()).map_err(failure)?;
        let folder = std::env::temp_dir().join(format!("sendpath-demo-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(failure)?;
        let engine = open_engine(&folder.join("story.db"))?;
        Ok(Self {
            server,
            folder,
            engine,
        })
    }

    /// The account of the story.
    pub(crate) fn account(&self) -> Result<Account, Failure> {
        open_account(&self.engine, &self.server.url(), self.server.root_key())
    }

    /// Gives the server an order.
    pub(crate) fn order(&self, command: Command) -> Result<Reply, Failure> {
        match self.server.control(command) {
            Reply::Error { message } => Err(message),
            reply => Ok(reply),
        }
    }

    /// Adds a contact that lets nobody write without a token.
    pub(crate) fn add_strict_peer(&self, pn: &str, lid: &str) -> Result<(), Failure> {
        self.add_peer(pn, lid, Gate::Token)
    }

    /// Adds a contact that anybody may write to.
    pub(crate) fn add_open_peer(&self, pn: &str, lid: &str) -> Result<(), Failure> {
        self.add_peer(pn, lid, Gate::Open)
    }

    fn add_peer(&self, pn: &str, lid: &str, gate: Gate) -> Result<(), Failure> {
        let (pn, lid) = (pn.into(), lid.into());
        let aliases = Vec::new();
        self.order(Command::AddPeer {
            pn,
            lid,
            devices: 1,
            gate,
            aliases,
        })?;
        Ok(())
    }

    /// Texts that a contact got, duplicates left out.
    pub(crate) fn texts_of(&self, peer: &str) -> Result<Vec<String>, Failure> {
        let fresh = |message: Received| message.text.filter(|_| !message.duplicate);
        match self.order(Command::Received {
            peer: Some(peer.into()),
        })? {
            Reply::Received { messages } => Ok(messages.into_iter().filter_map(fresh).collect()),
            other => Err(format!("unexpected reply {other:?}")),
        }
    }

    /// The stanzas that the server judged so far.
    pub(crate) fn judged(&self) -> Result<Vec<Judged>, Failure> {
        match self.order(Command::Messages)? {
            Reply::Messages { messages } => Ok(messages),
            other => Err(format!("unexpected reply {other:?}")),
        }
    }

    /// Frames that the server got from the account.
    pub(crate) fn frames(&self) -> Result<u64, Failure> {
        match self.order(Command::Stats { account: None })? {
            Reply::Stats { frames, .. } => Ok(frames),
            other => Err(format!("unexpected reply {other:?}")),
        }
    }

    /// Waits until the server sees something.
    pub(crate) fn wait_for(&self, condition: Condition) -> Result<(), Failure> {
        let wait = Command::WaitFor {
            condition: condition.clone(),
            timeout_ms: 20_000,
        };
        match self.order(wait)? {
            Reply::Waited { met: true } => Ok(()),
            _ => Err(format!("waited in vain for {condition:?}")),
        }
    }

    /// The server has nothing to complain about.
    pub(crate) fn no_violations(&self) -> Result<(), Failure> {
        match self.order(Command::Violations)? {
            Reply::Violations { violations } if violations.is_empty() => Ok(()),
            other => Err(format!("the server complains: {other:?}")),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Only a temporary folder; if it stays, the system removes it.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// Opens an engine on a SQLite file.
pub(crate) fn open_engine(path: &std::path::Path) -> Result<Engine, Failure> {
    let spec = StoreSpec::Uri(path.display().to_string());
    Engine::open(EngineConfig::new(spec)).map_err(failure)
}

/// Opens the account `shop` for the model server.
pub(crate) fn open_account(
    engine: &Engine,
    url: &str,
    root_key: [u8; 32],
) -> Result<Account, Failure> {
    let server = ServerConfig {
        url: url.into(),
        root_key,
        ..ServerConfig::default()
    };
    let mut config = AccountConfig::default();
    config.server = server;
    engine.account("shop", config).map_err(failure)
}

/// Sends a text and waits for its outcome.
pub(crate) fn send(account: &Account, to: &str, text: &str) -> Result<Outcome, Failure> {
    let sending = account
        .send_text(to, text, SendOptions::default())
        .map_err(failure)?;
    sending
        .wait_blocking(Some(PATIENCE))
        .ok_or_else(|| "no outcome in time".into())
}

/// Waits for an event, passing over others.
pub(crate) fn event<T>(
    account: &Account,
    wanted: impl Fn(&Event) -> Option<T>,
) -> Result<T, Failure> {
    loop {
        match account.next_event(Some(PATIENCE)).map_err(failure)? {
            Some(AccountEvent::Event(event)) => {
                if let Some(found) = wanted(&event) {
                    return Ok(found);
                }
            }
            Some(_) => {}
            None => return Err("the event did not come in time".into()),
        }
    }
}

/// Tells what a refusal says, as a host would.
pub(crate) fn explain(outcome: &Outcome) -> Result<(), Failure> {
    let Outcome::Refused(refusal) = outcome else {
        return Err(format!("expected a refusal, got {outcome:?}"));
    };
    let code = refusal
        .code
        .map_or("none: nothing was sent".to_owned(), |code| code.to_string());
    say(&format!("cause   {}", refusal.cause.as_str()));
    say(&format!("code    {code}"));
    if let Some(until) = refusal.until {
        say(&format!("until   {until} (unix seconds)"));
    }
    say(&format!("next    {}", refusal.next().as_str()));
    say(&format!("advice  {}", refusal.cause.advice()));
    Ok(())
}

/// One indented line.
pub(crate) fn say(line: &str) {
    println!("   {line}");
}

/// The title of a chapter.
pub(crate) fn title(line: &str) {
    println!("\n{line}");
}

/// Bytes as hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
