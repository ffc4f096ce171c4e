//! The objects behind every foreign surface: the C ABI here and uniffi in `bindings/uniffi`.
//!
//! ```text
//! Engine -> Account -> send -> Pending | queue | callback      exactly one Completion each
//!                   -> next_event                              events and completions in one queue
//! Error: status number, class, message, what to do next        one table for all languages
//! ```
//!
//! Everything is `Send + Sync` and may be called from any thread. Blocking calls fail on the
//! library's own threads ([`Status::WouldDeadlock`]), and every call fails in a forked child
//! ([`Status::Forked`]).

mod account;
mod content;
mod counters;
mod engine;
mod error;
mod event;
mod evidence;
mod fields;
mod guest;
mod json;
mod kind;
mod limits;
mod pending;
mod questions;
mod runtime;
mod state;
mod status;
mod transfer;

pub use account::{Account, AccountConfig, SendOptions};
pub use content::{Card, Draft, DraftKind, Going, Media, MediaKind, MessageRef, Place, Quote};
pub use engine::{Engine, EngineConfig};
pub use error::{Error, attached_word};
pub use event::{AccountEvent, Completion, Receipt};
pub use fields::Fields;
pub use guest::{
    AttachKind, Guest, GuestClock, GuestSetup, GuestStatus, GuestStore, MessageKind, Plan,
    RecipientHint, Row, WorkItem, WorkItemKind, WorkResult,
};
pub use kind::{EventKind, Field};
pub use limits::Limits;
pub use pending::Pending;
pub use questions::{CanSend, Explanation, MaySend};
pub use runtime::{may_block, within_library};
pub use sendpath_engine::{BadProxy, Proxy, StoreSpec};
pub use sendpath_protocol::config::Browser;
pub use sendpath_protocol::tctoken::Counters;
pub use state::{AccountStatus, Phase};
pub use status::{Class, Status};
pub use transfer::{Sink, Source};
