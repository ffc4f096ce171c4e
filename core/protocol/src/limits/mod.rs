//! What the server does not let an account do, until when, and what a refusal meant.
//!
//! `timelock` and `capping` are facts of the account, `breaker` is our own caution; all are kept in
//! its rows. `gate` refuses before anything is sent; `classify` explains a refusal of the server;
//! `silent` suspects what was taken and never arrived; `snapshot` is what hosts see.

pub mod breaker;
pub mod capping;
pub mod classify;
pub mod gate;
pub mod pull;
pub mod silent;
pub mod snapshot;
pub mod timelock;

mod evidence;
mod origin;

pub use origin::Origin;
