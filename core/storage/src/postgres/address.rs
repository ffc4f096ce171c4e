//! `postgres://..` as a server, credentials and TLS.

use std::path::Path;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{self, Check};
use crate::OpenError;

/// For one host. Longer stops all accounts for as long when a host is gone, shorter gives up one
/// that is far.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Address {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
}

impl Address {
    /// How long connecting may take, with all hosts and the login.
    pub(super) fn limit(&self) -> Duration {
        let hosts = self.config.get_hosts().len().max(1);
        let each = self.config.get_connect_timeout();
        each.map_or(CONNECT_TIMEOUT, |each| *each)
            .saturating_mul(hosts.try_into().unwrap_or(u32::MAX))
    }
}

/// Reads a URI. No error quotes it: any part may be a piece of a password that was not encoded.
pub(super) fn parse(uri: &str) -> Result<Address, OpenError> {
    let (rest, security) = take_security(uri)?;
    let mut config: Config = rest.parse().map_err(|_| OpenError::PostgresUri)?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(OpenError::PostgresUri);
    }
    let is_local = |host: &Host| !matches!(host, Host::Tcp(_));
    let local = config.get_hostaddrs().is_empty() && config.get_hosts().iter().all(is_local);
    // As libpq: a Unix socket has no TLS and needs none.
    config.ssl_mode(if local {
        SslMode::Disable
    } else {
        security.mode
    });
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_application_name().is_none() {
        config.application_name("sendpath");
    }
    let tls = tls::connector(security.check, security.roots.as_deref().map(Path::new))?;
    Ok(Address { config, tls })
}

/// The options of TLS; the driver knows them in part.
struct Security {
    mode: SslMode,
    check: Check,
    roots: Option<String>,
}

fn take_security(uri: &str) -> Result<(String, Security), OpenError> {
    // Credentials come first and end at the first `@`; the query cannot begin in them.
    let start = uri.find('@').unwrap_or(0);
    let query = uri[start..].find('?').map(|at| start + at);
    let (base, query) = query.map_or((uri, ""), |at| (&uri[..at], &uri[at + 1..]));
    let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value),
            Some(("sslrootcert", value)) => {
                let path = percent_decode_str(value).decode_utf8();
                roots = Some(path.map_err(|_| OpenError::PostgresUri)?.into_owned());
            }
            _ => rest.push(pair),
        }
    }
    // As libpq: given roots are used even if only encryption was asked for.
    let (mode, check) = match (mode, &roots) {
        (None | Some("prefer"), _) => (SslMode::Prefer, Check::Nothing),
        (Some("disable"), _) => (SslMode::Disable, Check::Nothing),
        (Some("require"), None) => (SslMode::Require, Check::Nothing),
        (Some("require" | "verify-ca"), _) => (SslMode::Require, Check::Chain),
        (Some("verify-full"), _) => (SslMode::Require, Check::ChainAndName),
        _ => return Err(OpenError::PostgresUri),
    };
    let security = Security { mode, check, roots };
    let mut uri = base.to_owned();
    if !rest.is_empty() {
        uri = uri + "?" + &rest.join("&");
    }
    Ok((uri, security))
}
