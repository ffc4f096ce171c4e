//! The store, the engine and the account that a command works with.

use std::error::Error;
use std::fs::DirBuilder;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sendpath_engine::clock::{Clock, SystemClock};
use sendpath_engine::{
    Account, AccountConfig, AccountEvent, ConnectionState, Engine, EngineConfig, StoreSpec,
};
use sendpath_protocol::event::{DisconnectReason, Event};
use sendpath_protocol::time::Millis;

use crate::args::Place;
use crate::text;

pub(crate) struct Opened {
    pub(crate) engine: Engine,
    pub(crate) account: Account,
}

impl Opened {
    pub(crate) fn new(place: &Place) -> Result<Self, Box<dyn Error>> {
        let path = match &place.store {
            Some(path) => path.clone(),
            None => default_store()?,
        };
        let path = path.to_str().ok_or("the path of the store is not UTF-8")?;
        let engine = Engine::open(EngineConfig::new(StoreSpec::Uri(path.into())))?;
        let mut config = AccountConfig::default();
        if let Some(url) = &place.url {
            config.server.url.clone_from(url);
        }
        if let Some(key) = place.root_key {
            config.server.root_key = key.0;
        }
        let account = engine.account(&place.account, config)?;
        Ok(Self { engine, account })
    }

    /// Whether a phone has accepted this machine.
    pub(crate) fn is_linked(&self) -> Result<bool, Box<dyn Error>> {
        let session = self.account.status()?.session;
        Ok(session.is_some_and(|session| session.jid.is_some()))
    }

    /// Connects and stays connected; the events from now on.
    pub(crate) fn connect(&self) -> Result<Events<'_>, Box<dyn Error>> {
        self.account.connect()?;
        Ok(Events {
            account: &self.account,
            lost: None,
        })
    }
}

/// Events of a connected account.
pub(crate) struct Events<'a> {
    account: &'a Account,
    /// Why the last connection ended, while there is no new one.
    lost: Option<DisconnectReason>,
}

/// How often to look whether an ended connection comes back.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

impl Events<'_> {
    /// The next event.
    ///
    /// # Errors
    /// The connection has ended and does not come back by itself.
    pub(crate) fn next(&mut self) -> Result<AccountEvent, Box<dyn Error>> {
        loop {
            if let Some(event) = self.take(Some(LOOK))? {
                return Ok(event);
            }
            if self.are_over()? {
                let why = self.lost.as_ref().map(text::reason);
                return Err(why.unwrap_or_default().into());
            }
        }
    }

    /// Whether the connection has ended and does not come back by itself.
    pub(crate) fn are_over(&self) -> Result<bool, Box<dyn Error>> {
        // Before the first end the engine may not have begun to connect.
        let idle = self.account.status()?.connection == ConnectionState::Idle;
        Ok(idle && self.lost.is_some())
    }

    /// Passes the time; what happens meanwhile is stored, not shown.
    pub(crate) fn pass(&mut self, time: Duration) -> Result<(), Box<dyn Error>> {
        let clock = SystemClock::start().ok_or("no randomness")?;
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let end = clock.now().mono.plus(Millis(time));
        while clock.now().mono < end && self.take(clock.until(end))?.is_some() {}
        Ok(())
    }

    /// Takes what is there; why there is no connection, if there is none.
    pub(crate) fn lost(&mut self) -> Result<Option<&DisconnectReason>, Box<dyn Error>> {
        while self.take(Some(Duration::ZERO))?.is_some() {}
        Ok(self.lost.as_ref())
    }

    fn take(&mut self, timeout: Option<Duration>) -> Result<Option<AccountEvent>, Box<dyn Error>> {
        let event = self.account.next_event(timeout)?;
        match &event {
            Some(AccountEvent::Event(Event::Connected)) => self.lost = None,
            Some(AccountEvent::Event(Event::Disconnected { reason })) => {
                self.lost = Some(reason.clone());
            }
            _ => {}
        }
        Ok(event)
    }
}

/// `sendpath.db` where this system keeps the data of programs; the folder is made for its owner.
fn default_store() -> Result<PathBuf, Box<dyn Error>> {
    let home = std::env::home_dir().ok_or("no home folder; use --store")?;
    let folder = home.join(DATA_FOLDER);
    make_private(&folder)?;
    Ok(folder.join("sendpath.db"))
}

const DATA_FOLDER: &str = if cfg!(target_os = "macos") {
    "Library/Application Support/sendpath"
} else if cfg!(windows) {
    "AppData/Local/sendpath"
} else {
    ".local/share/sendpath"
};

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
