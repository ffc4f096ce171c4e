//! A small honest WhatsApp for tests, on loopback only.
//!
//! It is written from the protocol's description, not from our client: where the real server is
//! inconvenient, so is this one. Issuing a token returns no token, a mix of namespaces is refused,
//! a stanza without an answer comes again. What a client does wrong is collected in `violations`.
//!
//! ```no_run
//! use sendpath_model_server::{Command, Config, ModelServer};
//!
//! let server = ModelServer::start(Config::default())?;
//! let reply = server.control(Command::Violations);
//! # Ok::<(), std::io::Error>(())
//! ```
//! README.md lists every command.
#![forbid(unsafe_code)]

mod abprops;
mod adv;
pub mod bare;
mod bundle;
mod cert;
mod command;
mod config;
mod connection;
mod deliver;
mod endpoint;
mod faults;
mod framing;
mod gate;
mod groupkey;
mod groupmessages;
mod groups;
mod http;
mod iq;
mod journal;
mod kinds;
mod ledger;
mod limits;
mod login;
mod media;
mod messages;
mod nodejson;
pub mod noise;
mod obey;
mod outgoing;
mod paircode;
mod pairing;
mod passkey;
mod peers;
mod people;
mod phash;
mod phone;
mod phone_media;
mod phone_resend;
mod queue;
mod receipts;
mod reply;
mod report;
mod rng;
mod schema;
mod server;
mod sha1;
mod syncd;
mod time;
mod tokens;
mod world;

pub use cert::{Authority, CertFault};
pub use command::{Command, HistoryChat, StreamErrorKind};
pub use config::Config;
pub use faults::{AckMode, DropWhen, IqError};
pub use gate::Gate;
pub use journal::{Issued, Judged, ReceiptSeen, Received, Violation};
pub use login::Failure;
pub use media::FileFault;
pub use nodejson::NodeJson;
pub use reply::{Condition, Reply};
pub use server::ModelServer;
pub use syncd::{PatchFault, RowChange};
pub use time::TimeSource;
