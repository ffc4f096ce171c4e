//! What a message says: from a host's words to `Message` bytes, and from the bytes to the stanza's
//! attributes.
//!
//! ```text
//! <message type edit> <enc mediatype decrypt-fail/> <meta polltype event_type view_once/> </message>
//! ```
//! [`shape`] derives these from the bytes alone, whoever made them, so a host may build any `Message`
//! itself. Source: spec "Attribute tables".

mod context;
mod copy;
pub mod draft;
mod kinds;
pub mod reporting;
mod secret;
mod shape;
mod text;
mod wire;

pub use context::message_secret;
pub use copy::device_sent;
pub use draft::Draft;
pub(crate) use kinds::innermost;
pub use kinds::{MAX_MESSAGE, Unsendable, shape};
pub use secret::{About, UseCase};
pub use shape::{Edit, Meta, Shape, StanzaType};
pub use text::{MAX_TEXT, text};
