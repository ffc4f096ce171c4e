//! How results reach a host.
//!
//! Two halves that meet on any two threads, without a runtime: an [`EventQueue`] hands over what an
//! account has to tell, an [`operation`] the one [`Outcome`](sendpath_protocol::verdict::Outcome)
//! of a send, a [`request`](fn@request) the one reply to a question. A host may poll, block or wait on a descriptor; none of these misses anything.
#![forbid(unsafe_code)]

mod events;
mod operation;
mod pending;
#[cfg(unix)]
mod signal;
mod status;

pub use events::{AccountEvent, Closed, EventQueue, Promise};
pub use operation::{Admission, Completer, Sending, operation};
pub use pending::{Answerer, Pending, request};
pub use status::{ConnectionState, Shared, Status};
