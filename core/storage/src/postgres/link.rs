//! The one connection: made when needed, given up when it breaks.

use std::error::Error as _;
use std::time::{Duration, Instant};

use sendpath_protocol::error::StoreError;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::{Client, Error, Row};

use super::Parameters;
use super::address::Address;

/// Why a statement has no result.
pub(super) enum Failed {
    /// The server refused it; nothing happened.
    Answered(StoreError),
    /// The connection broke under it; it may have happened.
    Cut(StoreError),
    /// The server does not answer in time; it may still happen.
    Silent(StoreError),
    /// There is no connection; nothing was sent.
    Unreachable(StoreError),
}

impl Failed {
    pub(super) fn into_error(self) -> StoreError {
        match self {
            Self::Answered(error)
            | Self::Cut(error)
            | Self::Silent(error)
            | Self::Unreachable(error) => error,
        }
    }
}

pub(super) struct Link {
    address: Address,
    limit: Duration,
    /// Set until dropped. It runs while a call waits, no thread of its own.
    runtime: Option<Runtime>,
    client: Option<Client>,
    /// Until then every call fails at once with this.
    rest: Option<(Instant, StoreError)>,
}

impl Link {
    pub(super) fn new(address: Address, limit: Duration) -> Result<Self, StoreError> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build();
        Ok(Self {
            address,
            limit,
            runtime: Some(runtime.map_err(|error| StoreError::Io(error.to_string()))?),
            client: None,
            rest: None,
        })
    }

    /// Runs one statement and reads its rows.
    pub(super) fn rows<T>(
        &mut self,
        sql: &str,
        parameters: Parameters<'_>,
        read: impl Fn(&Row) -> Result<T, Error>,
    ) -> Result<Vec<T>, Failed> {
        self.run(async |client| {
            let rows = client.query_typed(sql, parameters).await?;
            rows.iter().map(&read).collect()
        })
    }

    /// Runs `work` on the connection, on a new one if there is none.
    pub(super) fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&Client) -> Result<T, Error>,
    ) -> Result<T, Failed> {
        let began = now();
        if let Some((until, error)) = &self.rest
            && began < *until
        {
            return Err(Failed::Unreachable(error.clone()));
        }
        let Some(runtime) = &self.runtime else {
            return Err(Failed::Unreachable(StoreError::Io("closed".into())));
        };
        let (address, limit, client) = (&self.address, self.limit, self.client.take());
        let (client, done) = runtime.block_on(async {
            let client = match client {
                Some(client) => client,
                None => match connect(address).await {
                    Ok(client) => client,
                    Err(error) => return (None, Err(Failed::Unreachable(error))),
                },
            };
            let done = match timeout(limit, work(&client)).await {
                Ok(done) => done.map_err(|error| failed(&error)),
                Err(_) => Err(Failed::Silent(late(limit))),
            };
            (Some(client), done)
        });
        match &done {
            Ok(_) | Err(Failed::Answered(_)) => self.client = client,
            Err(Failed::Cut(_)) => {}
            // Many accounts ask in turn. Each would wait as long as this one did.
            Err(Failed::Silent(error) | Failed::Unreachable(error)) => {
                self.rest = Some((now() + began.elapsed(), error.clone()));
            }
        }
        done
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Waiting for its threads is forbidden where a runtime runs.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn connect(address: &Address) -> Result<Client, StoreError> {
    let limit = address.limit();
    let connected = timeout(limit, address.config.connect(address.tls.clone())).await;
    let (client, connection) = connected
        .map_err(|_| late(limit))?
        .map_err(|error| store_error(&error))?;
    // Its end is seen through the client.
    tokio::spawn(async { drop(connection.await) });
    Ok(client)
}

fn failed(error: &Error) -> Failed {
    let fatal = |severity| matches!(severity, Severity::Fatal | Severity::Panic);
    match error.as_db_error() {
        Some(told) if !told.parsed_severity().is_some_and(fatal) => {
            Failed::Answered(store_error(error))
        }
        _ => Failed::Cut(store_error(error)),
    }
}

/// Tells the server's message and code, never its details: they quote rows.
fn store_error(error: &Error) -> StoreError {
    let Some(told) = error.as_db_error() else {
        let cause = error.source().map(|cause| format!(": {cause}"));
        return StoreError::Io(format!("PostgreSQL: {error}{}", cause.unwrap_or_default()));
    };
    let text = format!("PostgreSQL: {} ({})", told.message(), told.code().code());
    match *told.code() {
        SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::ReadOnly,
        SqlState::DISK_FULL => StoreError::Full,
        SqlState::LOCK_NOT_AVAILABLE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::T_R_SERIALIZATION_FAILURE => StoreError::Busy,
        SqlState::DATA_CORRUPTED
        | SqlState::INDEX_CORRUPTED
        | SqlState::INVALID_SCHEMA_NAME
        | SqlState::UNDEFINED_COLUMN
        | SqlState::UNDEFINED_TABLE => StoreError::Corrupt(text),
        _ => StoreError::Io(text),
    }
}

fn late(limit: Duration) -> StoreError {
    StoreError::Io(format!("PostgreSQL: no answer within {limit:?}"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a server kept us, no time of the protocol"
)]
fn now() -> Instant {
    Instant::now()
}
