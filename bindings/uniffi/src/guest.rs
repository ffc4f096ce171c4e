//! The token machine for hosts that own their connection.

use std::sync::Arc;
use std::time::Duration;

use sendpath::facade::{self, Status, StoreSpec};
use sendpath_protocol::mex::DocIds;

use crate::account::{TokenCounters, capacity};
use crate::error::NativeError;
use crate::event::Event;

/// An open store that guests share.
#[derive(uniffi::Object)]
pub struct GuestStore(facade::GuestStore);

#[uniffi::export]
impl GuestStore {
    /// Opens the store under `uri`. Blocks.
    #[uniffi::constructor]
    pub fn open(uri: String) -> Result<Arc<Self>, NativeError> {
        let store = facade::GuestStore::open(StoreSpec::Uri(uri))?;
        Ok(Arc::new(Self(store)))
    }
}

/// How a guest is opened; what is `None` has the library's default.
#[derive(Clone, Debug, uniffi::Record)]
pub struct GuestConfig {
    /// Our own account by phone number.
    pub own_jid: Option<String>,
    /// Our own account by LID; one of the two must be known.
    pub own_lid: Option<String>,
    /// The host's library issues our token behind its sends by itself.
    pub host_issues: bool,
    /// Ids of the GraphQL documents by which limits are asked for.
    pub documents: Option<Documents>,
    /// Honour the server if it switches tokens on messages off.
    pub strict_props: bool,
    /// Events that wait for a slow host before they are dropped and counted.
    pub event_capacity: Option<u32>,
    /// A clock that the host sets; `None` for the system's.
    pub clock: Option<ManualClock>,
}

/// Where a guest stands.
#[derive(Clone, Copy, Debug, uniffi::Record)]
pub struct GuestStatus {
    /// The host's connection is up, as far as it told.
    pub online: bool,
    /// Facts that made no sense and changed nothing.
    pub ignored: u64,
    /// What the token machine left aside.
    pub tokens: TokenCounters,
}

/// Ids of GraphQL documents by question, newest first.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Documents {
    /// The quota of new chats.
    pub capping: Vec<String>,
    /// The reachout timelock.
    pub timelock: Vec<String>,
}

/// An instant of a clock that the host sets.
#[derive(Clone, Copy, Debug, uniffi::Record)]
pub struct ManualClock {
    /// Wall clock, in milliseconds since 1970.
    pub unix_ms: i64,
    /// Monotonic clock, in milliseconds since any instant.
    pub mono_ms: u64,
}

/// The tokens and limits of one account whose connection the host owns.
#[derive(uniffi::Object)]
pub struct Guest(pub(crate) facade::Guest);

#[uniffi::export]
impl Guest {
    /// Opens the guest that the host calls `name`.
    #[uniffi::constructor]
    pub fn open(
        store: &GuestStore,
        name: String,
        config: GuestConfig,
    ) -> Result<Arc<Self>, NativeError> {
        let setup = facade::GuestSetup {
            own_jid: config.own_jid,
            own_lid: config.own_lid,
            host_issues: config.host_issues,
            documents: config.documents.map(Into::into),
            strict_props: config.strict_props,
            event_capacity: capacity(config.event_capacity)?,
            clock: config.clock.map(Into::into).unwrap_or_default(),
            ..facade::GuestSetup::new(store.0.clone(), name)
        };
        Ok(Arc::new(Self(facade::Guest::open(setup)?)))
    }

    /// Where the guest stands.
    pub fn status(&self) -> Result<GuestStatus, NativeError> {
        let status = self.0.status()?;
        Ok(GuestStatus {
            online: status.online,
            ignored: status.ignored,
            tokens: status.tokens.into(),
        })
    }

    /// Sets a manual clock.
    pub fn set_time(&self, to: ManualClock) -> Result<(), NativeError> {
        Ok(self.0.set_time(to.unix_ms, to.mono_ms)?)
    }

    /// How long from now [`Guest::tick`] has something to do; `None` while nothing is scheduled.
    pub fn deadline_ms(&self) -> Result<Option<u64>, NativeError> {
        Ok(self.0.deadline_ms()?)
    }

    /// Does what time brings.
    pub fn tick(&self) -> Result<(), NativeError> {
        Ok(self.0.tick()?)
    }

    /// Returns when [`Guest::take_event`] has something to say.
    pub async fn event_ready(&self) -> Result<(), NativeError> {
        Ok(self.0.readable().await?)
    }

    /// The next event; `None` when there is none now. Fails with `Closed` after the last one.
    pub fn take_event(&self) -> Result<Option<Event>, NativeError> {
        match self.0.next_event(Some(Duration::ZERO)) {
            Ok(event) => Ok(Some(event.into())),
            Err(error) if error.status() == Status::Timeout => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the guest and wakes everybody who waits; a second call does nothing.
    pub fn shutdown(&self) -> Result<(), NativeError> {
        Ok(self.0.close()?)
    }
}

impl From<Documents> for DocIds {
    fn from(documents: Documents) -> Self {
        Self {
            capping: documents.capping,
            timelock: documents.timelock,
        }
    }
}

impl From<ManualClock> for facade::GuestClock {
    fn from(ManualClock { unix_ms, mono_ms }: ManualClock) -> Self {
        Self::Manual { unix_ms, mono_ms }
    }
}
