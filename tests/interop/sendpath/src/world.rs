//! A model server, an engine with a store in memory, and one account.

use std::path::PathBuf;
use std::time::Duration;

use sendpath_engine::StoreSpec;
use sendpath_engine::{Account, AccountConfig, AccountEvent, Engine, EngineConfig, SendOptions};
use sendpath_model_server::{Command, Condition, Config, Gate, Judged, ModelServer, Reply};
use sendpath_protocol::config::ServerConfig;
use sendpath_protocol::event::Event;
use sendpath_protocol::verdict::{Attached, Outcome};

/// Bounds every wait.
const GUARD: Duration = Duration::from_secs(20);

/// Why a check failed.
pub(crate) struct Failed(pub(crate) String);

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Fails with `reason` unless the fact holds.
pub(crate) fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(Failed(reason())) }
}

/// Everything that a check needs.
pub(crate) struct World {
    server: ModelServer,
    _engine: Engine,
    account: Account,
}

impl World {
    pub(crate) fn start() -> Result<Self, Failed> {
        let server = ModelServer::start(Config::default())?;
        let engine = Engine::open(EngineConfig::new(StoreSpec::Uri("memory:".into())))?;
        let mut config = AccountConfig::default();
        config.server = ServerConfig {
            url: server.url(),
            root_key: server.root_key(),
            ..ServerConfig::default()
        };
        let account = engine.account("interop", config)?;
        Ok(Self {
            server,
            _engine: engine,
            account,
        })
    }

    pub(crate) fn link(&self) -> Result<(), Failed> {
        self.account.connect()?;
        let qr = self.event(|event| match event {
            Event::PairQr { text, .. } => Some(text.clone()),
            _ => None,
        })?;
        self.order(Command::scan_qr(qr))?;
        self.event(|event| matches!(event, Event::Paired { .. }).then_some(()))?;
        self.event(|event| matches!(event, Event::Connected).then_some(()))
    }

    pub(crate) fn connect(&self) -> Result<(), Failed> {
        self.account.connect()?;
        self.event(|event| matches!(event, Event::Connected).then_some(()))
    }

    pub(crate) fn disconnect(&self) -> Result<(), Failed> {
        self.account.disconnect()?;
        self.wait_for(Condition::Disconnected { account: None })
    }

    pub(crate) fn add(&self, pn: &str, lid: &str, devices: u16, gate: Gate) -> Result<(), Failed> {
        self.order(Command::AddPeer {
            pn: pn.into(),
            lid: lid.into(),
            devices,
            gate,
            aliases: Vec::new(),
        })?;
        Ok(())
    }

    pub(crate) fn peer_writes(&self, peer: &str, text: &str) -> Result<(), Failed> {
        self.order(Command::PeerSend {
            peer: peer.into(),
            text: text.into(),
            account: None,
            device: 0,
            id: None,
            from_lid: true,
        })?;
        Ok(())
    }

    /// The contact gives us a token; returns its bytes in hex when it is stored.
    pub(crate) fn give_token(&self, peer: &str) -> Result<String, Failed> {
        let issued = self.order(Command::IssueToken {
            peer: peer.into(),
            account: None,
            bytes: None,
            t: None,
            push: true,
            from_lid: true,
        })?;
        self.event(|event| matches!(event, Event::TokenStored { .. }).then_some(()))?;
        match issued {
            Reply::Token { bytes, .. } => Ok(bytes),
            other => Err(Failed(format!("no token: {other:?}"))),
        }
    }

    pub(crate) fn send(&self, to: &str, text: &str) -> Result<Outcome, Failed> {
        let sending = self.account.send_text(to, text, SendOptions::default())?;
        let outcome = sending.wait_blocking(Some(GUARD));
        outcome.ok_or_else(|| Failed(format!("no outcome of {text:?} in time")))
    }

    /// Sends a text that must be accepted; what it carried.
    pub(crate) fn accepted(&self, to: &str, text: &str) -> Result<Attached, Failed> {
        match self.send(to, text)? {
            Outcome::Accepted { attached, .. } => Ok(attached),
            other => Err(Failed(format!("{other:?}"))),
        }
    }

    pub(crate) fn expect_text(&self, text: &str) -> Result<(), Failed> {
        let read = self.event(|event| match event {
            Event::Message(message) => Some(message.text.clone()),
            _ => None,
        })?;
        ensure(read.as_deref() == Some(text), || format!("read {read:?}"))
    }

    /// The next event that fits; others are dropped.
    pub(crate) fn event<T>(&self, wanted: impl Fn(&Event) -> Option<T>) -> Result<T, Failed> {
        loop {
            match self.account.next_event(Some(GUARD))? {
                Some(AccountEvent::Event(event)) => {
                    if let Some(found) = wanted(&event) {
                        return Ok(found);
                    }
                }
                Some(_) => {}
                None => return Err(Failed("no fitting event in time".into())),
            }
        }
    }

    pub(crate) fn wait_read(&self, peer: &str, text: &str, count: usize) -> Result<(), Failed> {
        self.wait_for(Condition::Received {
            peer: Some(peer.into()),
            text: Some(text.into()),
            count,
        })
    }

    pub(crate) fn wait_for(&self, condition: Condition) -> Result<(), Failed> {
        let text = format!("not met in time: {condition:?}");
        let timeout_ms = GUARD.as_secs() * 1000;
        let met = self.order(Command::WaitFor {
            condition,
            timeout_ms,
        })?;
        ensure(met == Reply::Waited { met: true }, || text)
    }

    pub(crate) fn judged(&self) -> Result<Vec<Judged>, Failed> {
        match self.order(Command::Messages)? {
            Reply::Messages { messages } => Ok(messages),
            other => Err(Failed(format!("{other:?}"))),
        }
    }

    pub(crate) fn no_complaints(&self) -> Result<(), Failed> {
        for question in [Command::Violations, Command::Unexpected] {
            match self.order(question)? {
                Reply::Violations { violations } if violations.is_empty() => {}
                Reply::Texts { texts } if texts.is_empty() => {}
                complaints => return Err(Failed(format!("{complaints:?}"))),
            }
        }
        Ok(())
    }

    /// Writes what the server heard to the file that `INTEROP_STANZAS` names.
    pub(crate) fn save_stanzas(&self) -> Result<(), Failed> {
        let Some(file) = std::env::var_os("INTEROP_STANZAS").map(PathBuf::from) else {
            return Ok(());
        };
        let (heard, payloads) = (Command::Heard { tag: None }, Command::Payloads);
        let saved = match (self.order(heard)?, self.order(payloads)?) {
            (Reply::Heard { stanzas }, Reply::Texts { texts }) => {
                serde_json::json!({ "stanzas": stanzas, "payloads": texts })
            }
            other => return Err(Failed(format!("{other:?}"))),
        };
        std::fs::write(file, saved.to_string())?;
        Ok(())
    }

    pub(crate) fn order(&self, command: Command) -> Result<Reply, Failed> {
        match self.server.control(command) {
            Reply::Error { message } => Err(Failed(message)),
            reply => Ok(reply),
        }
    }
}
