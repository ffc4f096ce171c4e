//! Messages to send, and files on the media servers, in the shape of uniffi.

use sendpath::facade;
use sendpath_protocol::time::UnixSeconds;

/// Declares an enum that has the variants of the facade's.
macro_rules! mirrored {
    ($(#[$doc:meta])* $name:ident { $($variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, uniffi::Enum)]
        pub enum $name {
            $(
                /// As the facade's.
                $variant,
            )+
        }

        impl From<$name> for facade::$name {
            fn from(own: $name) -> Self {
                match own {
                    $($name::$variant => Self::$variant,)+
                }
            }
        }

        impl From<facade::$name> for $name {
            fn from(other: facade::$name) -> Self {
                match other {
                    $(facade::$name::$variant => Self::$variant,)+
                }
            }
        }
    };
}

mirrored! {
    /// What a message is: it says which fields of a draft count.
    DraftKind {
        Text,
        Image,
        Video,
        Gif,
        Audio,
        Voice,
        Document,
        Sticker,
        Contacts,
        Location,
        Reaction,
        Revoke,
        Poll,
        Vote,
        Event,
        EventAnswer,
        Pin,
        Unpin,
        Keep,
        Unkeep,
        Timer,
        Raw,
    }
}

mirrored! {
    /// What a file is.
    MediaKind {
        Image, Video, Gif, Audio, Voice, Document, Sticker, Ptv,
    }
}

mirrored! {
    /// Whether somebody comes to an event.
    Going { Yes, No, Maybe }
}

/// Names a message of the chat.
#[derive(Clone, Debug, uniffi::Record)]
pub struct MessageRef {
    /// Its id.
    pub id: String,
    /// Who wrote it; empty for a message of ours.
    #[uniffi(default = "")]
    pub author: String,
}

/// The message that a reply shows.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Quote {
    /// Which one.
    pub of: MessageRef,
    /// Its content.
    pub payload: Vec<u8>,
}

/// A place.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Place {
    /// Degrees north of the equator.
    pub latitude: f64,
    /// Degrees east of Greenwich.
    pub longitude: f64,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// A page about it.
    pub url: String,
}

/// A visiting card.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Card {
    /// The name that is shown.
    pub name: String,
    /// The card itself.
    pub vcard: String,
}

/// A file on the media servers.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Where it was put.
    pub url: String,
    /// The same without the host.
    pub direct_path: String,
    /// What its keys are made of.
    pub media_key: Vec<u8>,
    /// When that key was made, in Unix seconds, if known.
    pub keyed_at: Option<i64>,
    /// SHA-256 of the file.
    pub sha256: Vec<u8>,
    /// SHA-256 of what is on the servers.
    pub enc_sha256: Vec<u8>,
    /// Length of the file.
    pub length: u64,
    /// Such as `image/jpeg`, if the message said it.
    pub mimetype: String,
}

/// A message to send: the fields of its kind, as in the facade.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Draft {
    /// What it is.
    pub kind: DraftKind,
    /// As the facade's.
    #[uniffi(default = "")]
    pub text: String,
    /// As the facade's.
    #[uniffi(default = "")]
    pub replaces: String,
    /// As the facade's.
    #[uniffi(default = None)]
    pub media: Option<Media>,
    /// As the facade's.
    #[uniffi(default = "")]
    pub mimetype: String,
    /// As the facade's.
    #[uniffi(default = "")]
    pub name: String,
    /// As the facade's.
    #[uniffi(default = "")]
    pub description: String,
    /// As the facade's.
    #[uniffi(default = None)]
    pub thumbnail: Option<Vec<u8>>,
    /// As the facade's.
    #[uniffi(default = None)]
    pub waveform: Option<Vec<u8>>,
    /// As the facade's.
    #[uniffi(default = 0)]
    pub width: u32,
    /// As the facade's.
    #[uniffi(default = 0)]
    pub height: u32,
    /// As the facade's.
    #[uniffi(default = 0)]
    pub seconds: u32,
    /// As the facade's.
    #[uniffi(default = 0)]
    pub pages: u32,
    /// As the facade's.
    #[uniffi(default = false)]
    pub view_once: bool,
    /// As the facade's.
    #[uniffi(default = false)]
    pub animated: bool,
    /// As the facade's.
    #[uniffi(default = "")]
    pub link: String,
    /// As the facade's.
    #[uniffi(default = "")]
    pub title: String,
    /// As the facade's.
    #[uniffi(default = None)]
    pub place: Option<Place>,
    /// As the facade's.
    #[uniffi(default = [])]
    pub cards: Vec<Card>,
    /// As the facade's.
    #[uniffi(default = None)]
    pub target: Option<MessageRef>,
    /// As the facade's.
    #[uniffi(default = [])]
    pub options: Vec<String>,
    /// As the facade's.
    #[uniffi(default = 0)]
    pub selectable: u32,
    /// As the facade's.
    #[uniffi(default = None)]
    pub secret: Option<Vec<u8>>,
    /// As the facade's.
    #[uniffi(default = 0)]
    pub starts: i64,
    /// As the facade's.
    #[uniffi(default = 0)]
    pub ends: i64,
    /// As the facade's.
    #[uniffi(default = false)]
    pub guests_allowed: bool,
    /// As the facade's.
    #[uniffi(default = false)]
    pub canceled: bool,
    /// As the facade's.
    #[uniffi(default = None)]
    pub going: Option<Going>,
    /// As the facade's.
    #[uniffi(default = 0)]
    pub guests: u8,
    /// As the facade's.
    #[uniffi(default = None)]
    pub payload: Option<Vec<u8>>,
    /// As the facade's.
    #[uniffi(default = None)]
    pub quote: Option<Quote>,
    /// As the facade's.
    #[uniffi(default = [])]
    pub mentions: Vec<String>,
    /// As the facade's.
    #[uniffi(default = 0)]
    pub forwarded: u32,
    /// As the facade's.
    #[uniffi(default = 0)]
    pub disappears: u32,
    /// As the facade's.
    #[uniffi(default = 0)]
    pub timer_set_at: i64,
}

impl From<Draft> for facade::Draft {
    fn from(draft: Draft) -> Self {
        Self {
            kind: draft.kind.into(),
            text: draft.text,
            replaces: draft.replaces,
            media: draft.media.map(Into::into),
            mimetype: draft.mimetype,
            name: draft.name,
            description: draft.description,
            thumbnail: draft.thumbnail.unwrap_or_default(),
            waveform: draft.waveform.unwrap_or_default(),
            width: draft.width,
            height: draft.height,
            seconds: draft.seconds,
            pages: draft.pages,
            view_once: draft.view_once,
            animated: draft.animated,
            link: draft.link,
            title: draft.title,
            place: draft.place.map(Into::into),
            cards: draft.cards.into_iter().map(Into::into).collect(),
            target: draft.target.map(Into::into),
            options: draft.options,
            selectable: draft.selectable,
            secret: draft.secret.unwrap_or_default(),
            starts: draft.starts,
            ends: draft.ends,
            guests_allowed: draft.guests_allowed,
            canceled: draft.canceled,
            going: draft.going.map(Into::into).unwrap_or_default(),
            guests: draft.guests,
            payload: draft.payload.unwrap_or_default(),
            quote: draft.quote.map(Into::into),
            mentions: draft.mentions,
            forwarded: draft.forwarded,
            disappears: draft.disappears,
            timer_set_at: draft.timer_set_at,
        }
    }
}

impl From<MessageRef> for facade::MessageRef {
    fn from(of: MessageRef) -> Self {
        let MessageRef { id, author } = of;
        Self { id, author }
    }
}

impl From<Quote> for facade::Quote {
    fn from(quote: Quote) -> Self {
        Self {
            of: quote.of.into(),
            payload: quote.payload,
        }
    }
}

impl From<Place> for facade::Place {
    fn from(place: Place) -> Self {
        let Place {
            latitude,
            longitude,
            name,
            address,
            url,
        } = place;
        Self {
            latitude,
            longitude,
            name,
            address,
            url,
        }
    }
}

impl From<Card> for facade::Card {
    fn from(card: Card) -> Self {
        let Card { name, vcard } = card;
        Self { name, vcard }
    }
}

impl From<Media> for facade::Media {
    fn from(media: Media) -> Self {
        Self {
            kind: media.kind.into(),
            url: media.url,
            direct_path: media.direct_path,
            media_key: media.media_key,
            keyed_at: media.keyed_at.map(UnixSeconds),
            sha256: media.sha256,
            enc_sha256: media.enc_sha256,
            length: media.length,
            mimetype: media.mimetype,
        }
    }
}

impl From<facade::Media> for Media {
    fn from(media: facade::Media) -> Self {
        Self {
            kind: media.kind.into(),
            url: media.url,
            direct_path: media.direct_path,
            media_key: media.media_key,
            keyed_at: media.keyed_at.map(|t| t.0),
            sha256: media.sha256,
            enc_sha256: media.enc_sha256,
            length: media.length,
            mimetype: media.mimetype,
        }
    }
}
