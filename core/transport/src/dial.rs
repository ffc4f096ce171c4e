//! One connection to a host, with everything below it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::proxy::Proxy;

/// Time for name lookup, TCP, the proxy and TLS together.
const LIMIT: Duration = Duration::from_secs(20);

/// Bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A connection, whatever is below it.
pub type Stream = Box<dyn Duplex>;

/// The network as one account sees it. Clones are cheap.
#[derive(Clone)]
pub struct Network {
    tls: Arc<ClientConfig>,
    proxy: Option<Arc<Proxy>>,
}

impl Network {
    /// Without a proxy; trusts the public roots. `None` when the TLS provider lacks what TLS needs.
    pub fn new() -> Option<Self> {
        let roots = rustls::RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .ok()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Some(Self {
            tls: Arc::new(tls),
            proxy: None,
        })
    }

    /// The same through `proxy`. There is no way around it: when it fails the connection fails.
    #[must_use]
    pub fn through(&self, proxy: Option<Arc<Proxy>>) -> Self {
        Self {
            tls: self.tls.clone(),
            proxy,
        }
    }

    /// Connects within 20 seconds. With a proxy, names are looked up by the proxy.
    ///
    /// # Errors
    /// What the operating system, the proxy or TLS says.
    pub async fn dial(&self, host: &str, port: u16, secure: bool) -> io::Result<Stream> {
        let connected = timeout(LIMIT, self.connect(host, port, secure));
        connected
            .await
            .unwrap_or_else(|_| Err(io::Error::other("no connection within 20 seconds")))
    }

    async fn connect(&self, host: &str, port: u16, secure: bool) -> io::Result<Stream> {
        let tcp = match &self.proxy {
            Some(proxy) => proxy.connect(host, port).await?,
            None => TcpStream::connect((host, port)).await?,
        };
        tcp.set_nodelay(true)?;
        if !secure {
            return Ok(Box::new(tcp));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let tls = TlsConnector::from(self.tls.clone());
        Ok(Box::new(tls.connect(name, tcp).await?))
    }
}
