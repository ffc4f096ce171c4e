//! What a host sends, as one flat form that every language fills in.
//!
//! ```text
//! Draft { kind, the fields of that kind }  ->  content::Draft | Raw bytes
//! ```
//! Fields that a kind does not have are ignored; empty and zero are "not given".

mod compose;
mod media;

pub use compose::Draft;
pub use media::{Media, MediaKind};

/// What a message is. The comment says which fields of a draft count.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(i32)]
pub enum DraftKind {
    /// `text`; `link`, `title`, `description`, `thumbnail` for the preview of a link in it.
    #[default]
    Text = 0,
    /// `media`, `mimetype`, `text` as caption, `width`, `height`, `thumbnail`, `view_once`.
    Image = 1,
    /// As IMAGE, and `seconds`.
    Video = 2,
    /// As VIDEO: without sound, again and again.
    Gif = 3,
    /// `media`, `mimetype`, `seconds`, `view_once`.
    Audio = 4,
    /// As AUDIO, and `waveform`: spoken just now.
    Voice = 5,
    /// `media`, `mimetype`, `name` of the file, `text` as caption, `pages`, `thumbnail`.
    Document = 6,
    /// `media`, `mimetype`, `width`, `height`, `animated`, `thumbnail`.
    Sticker = 7,
    /// `cards`.
    Contacts = 8,
    /// `place`, `thumbnail`.
    Location = 9,
    /// `target`, `text` as the emoji; empty takes the reaction back.
    Reaction = 10,
    /// `target`: our own, or as an admin of a group somebody else's.
    Revoke = 11,
    /// `text` as question, `options`, `selectable`. Keep the id to understand the votes.
    Poll = 12,
    /// `target`, `options` as they are written in the poll, none takes the vote back; `secret`.
    Vote = 13,
    /// `name`, `description`, `starts`, `ends`, `place`, `link` to a call, `guests_allowed`,
    /// `canceled`. Keep the id to understand the answers.
    Event = 14,
    /// `target`, `going`, `guests`, `secret`.
    EventAnswer = 15,
    /// `target`, `seconds`: at the top of the chat for so long.
    Pin = 16,
    /// `target`.
    Unpin = 17,
    /// `target`: stays although messages of the chat disappear.
    Keep = 18,
    /// `target`.
    Unkeep = 19,
    /// `seconds`: how long messages of the chat stay from now on; 0 for ever.
    Timer = 20,
    /// `payload`: an encoded `Message` of the host's own.
    Raw = 21,
}

/// Whether somebody comes to an event.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(i32)]
pub enum Going {
    /// Yes.
    #[default]
    Yes = 0,
    /// No.
    No = 1,
    /// Perhaps.
    Maybe = 2,
}

/// Names a message of the chat.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MessageRef {
    /// Its id.
    pub id: String,
    /// Who wrote it, as the event of the message says; empty for a message of ours.
    pub author: String,
}

/// A place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    /// Degrees north of the equator, -90 to 90.
    pub latitude: f64,
    /// Degrees east of Greenwich, -180 to 180.
    pub longitude: f64,
    /// Its name; may be empty.
    pub name: String,
    /// Its address; may be empty.
    pub address: String,
    /// A page about it; may be empty.
    pub url: String,
}

/// A visiting card.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Card {
    /// The name that is shown.
    pub name: String,
    /// The card itself, as a vCard of version 3.
    pub vcard: String,
}

/// The message that a reply shows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Quote {
    /// Which one.
    pub of: MessageRef,
    /// Its content: the payload of its event, or of what was sent.
    pub payload: Vec<u8>,
}

impl DraftKind {
    /// Every kind, in the order of its numbers.
    ///
    /// cbindgen:ignore
    pub const ALL: [Self; 22] = [
        Self::Text,
        Self::Image,
        Self::Video,
        Self::Gif,
        Self::Audio,
        Self::Voice,
        Self::Document,
        Self::Sticker,
        Self::Contacts,
        Self::Location,
        Self::Reaction,
        Self::Revoke,
        Self::Poll,
        Self::Vote,
        Self::Event,
        Self::EventAnswer,
        Self::Pin,
        Self::Unpin,
        Self::Keep,
        Self::Unkeep,
        Self::Timer,
        Self::Raw,
    ];

    /// The kind with that number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i32 == number)
    }
}
