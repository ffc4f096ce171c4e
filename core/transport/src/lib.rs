//! How bytes travel: directly or through a proxy, with TLS or without, as a WebSocket or as HTTP.
//!
//! ```text
//! Network::websocket ─┐                      ┌─ directly
//! Network::download  ─┼─▶ TLS ─▶ Network::dial ─┼─ HTTP CONNECT
//! Network::upload    ─┘                      └─ SOCKS5
//! ```
//! What is said on a connection is not known here, with one exception: media servers are asked as
//! `sendpath_protocol::media` says, piece by piece, so that no file is ever in memory as a whole.
#![forbid(unsafe_code)]

mod dial;
mod download;
mod http;
mod proxy;
mod spool;
mod upload;
mod websocket;

pub use dial::{Network, Stream};
pub use proxy::{BadProxy, Proxy};
pub use spool::{Spool, Spooled};
pub use websocket::Socket;
