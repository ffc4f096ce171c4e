//! From the form to the content.

use core::fmt;

use sendpath_protocol::content::draft::{
    self, Audio, Author, Body, Context, Degrees, Document, Event, Image, Keep, LinkPreview, Pin,
    Poll, Reaction, Rsvp, Sticker, Text, Timer, Video, Vote,
};
use sendpath_protocol::error::ApiMisuse;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::secret::Secret;
use sendpath_protocol::session::Content;
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::verdict::MessageId;

use super::{Card, DraftKind, Going, Media, MessageRef, Place, Quote};
use crate::facade::{Error, Status};

/// A message to send. Which fields count depends on [`Draft::kind`].
#[derive(Clone, Default, PartialEq)]
pub struct Draft {
    /// What it is.
    pub kind: DraftKind,
    /// Text, caption, question or emoji.
    pub text: String,
    /// For a text, image, video or document: the id of our message that this replaces; an edit keeps
    /// the kind of content. Empty for a new message.
    pub replaces: String,
    /// The file.
    pub media: Option<Media>,
    /// Such as `image/jpeg`; empty for that of the media.
    pub mimetype: String,
    /// A name.
    pub name: String,
    /// A description.
    pub description: String,
    /// A small JPEG; a PNG for a sticker.
    pub thumbnail: Vec<u8>,
    /// Loudness over time: 64 values from 0 to 100.
    pub waveform: Vec<u8>,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// A duration.
    pub seconds: u32,
    /// Number of pages.
    pub pages: u32,
    /// It can be looked at or listened to once.
    pub view_once: bool,
    /// It moves.
    pub animated: bool,
    /// A link.
    pub link: String,
    /// Title of what the link leads to.
    pub title: String,
    /// Where.
    pub place: Option<Place>,
    /// Visiting cards.
    pub cards: Vec<Card>,
    /// The message that this one is about.
    pub target: Option<MessageRef>,
    /// Answers to choose from, or chosen.
    pub options: Vec<String>,
    /// How many may be chosen at once; 0 for any number.
    pub selectable: u32,
    /// The message secret of a poll or event that another device sent: 32 bytes.
    pub secret: Vec<u8>,
    /// When it begins, in Unix seconds.
    pub starts: i64,
    /// When it ends; 0 if that is not said.
    pub ends: i64,
    /// People may bring others.
    pub guests_allowed: bool,
    /// It will not take place.
    pub canceled: bool,
    /// Whether we come.
    pub going: Going,
    /// How many others we bring.
    pub guests: u8,
    /// An encoded `Message`.
    pub payload: Vec<u8>,
    /// The message that this one replies to.
    pub quote: Option<Quote>,
    /// Accounts that are named in the text as `@<user>`.
    pub mentions: Vec<String>,
    /// How often it was forwarded, this time included; 0 for a message of our own.
    pub forwarded: u32,
    /// The timer of the chat, which every message in it repeats, in seconds; 0 for none.
    pub disappears: u32,
    /// When that timer was set, in Unix seconds; 0 if not known.
    pub timer_set_at: i64,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft({:?})", self.kind)
    }
}

impl Draft {
    /// A text.
    pub fn text(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            ..Self::default()
        }
    }

    /// The content for that chat.
    pub(in crate::facade) fn content(mut self, chat: &Jid) -> Result<Content, Error> {
        if self.kind == DraftKind::Raw {
            return Ok(Content::Raw(self.payload));
        }
        let context = self.context(chat)?;
        if self.is_plain(&context) {
            return Ok(Content::Text(self.text));
        }
        let replaces = std::mem::take(&mut self.replaces);
        let body = self.body(chat)?;
        let body = match replaces.is_empty() {
            true => body,
            false => Body::Edit {
                of: id(&replaces)?,
                new: Box::new(body),
            },
        };
        Ok(Content::Draft(Box::new(draft::Draft { body, context })))
    }

    fn is_plain(&self, context: &Context) -> bool {
        let bare = self.link.is_empty() && self.replaces.is_empty();
        self.kind == DraftKind::Text && bare && *context == Context::default()
    }

    fn body(self, chat: &Jid) -> Result<Body, Error> {
        Ok(match self.kind {
            DraftKind::Text | DraftKind::Raw => Body::Text(Text {
                preview: self.preview(),
                body: self.text,
            }),
            DraftKind::Image => Body::Image(self.image()?),
            DraftKind::Video | DraftKind::Gif => Body::Video(self.video()?),
            DraftKind::Audio | DraftKind::Voice => Body::Audio(self.audio()?),
            DraftKind::Document => Body::Document(self.document()?),
            DraftKind::Sticker => Body::Sticker(self.sticker()?),
            DraftKind::Contacts => Body::Contacts(self.cards.into_iter().map(card).collect()),
            DraftKind::Location => {
                let thumbnail = some(self.thumbnail);
                let place = self.place.ok_or_else(|| missing("place"))?;
                Body::Place(place.core(thumbnail)?)
            }
            DraftKind::Event => Body::Event(self.event()?),
            DraftKind::Poll => Body::Poll(Poll {
                question: self.text,
                options: self.options,
                selectable: self.selectable,
            }),
            DraftKind::Timer => Body::Timer(self.seconds),
            DraftKind::Reaction
            | DraftKind::Revoke
            | DraftKind::Vote
            | DraftKind::EventAnswer
            | DraftKind::Pin
            | DraftKind::Unpin
            | DraftKind::Keep
            | DraftKind::Unkeep => self.about(chat)?,
        })
    }

    /// The kinds that are about another message.
    fn about(self, chat: &Jid) -> Result<Body, Error> {
        let target = self.target.as_ref().ok_or_else(|| missing("target"))?;
        let of = target.core(chat)?;
        let keep = |keep| {
            Body::Keep(Keep {
                of: of.clone(),
                keep,
            })
        };
        let secret = match &*self.secret {
            [] => None,
            bytes => Some(Secret::from_slice(bytes).ok_or_else(|| missing("secret"))?),
        };
        Ok(match self.kind {
            DraftKind::Reaction => Body::Reaction(Reaction {
                to: of,
                emoji: self.text,
            }),
            DraftKind::Vote => Body::Vote(Vote {
                poll: of,
                choices: self.options,
                secret,
            }),
            DraftKind::EventAnswer => Body::Rsvp(Rsvp {
                event: of,
                going: self.going.core(),
                guests: (self.guests > 0).then_some(self.guests),
                secret,
            }),
            DraftKind::Pin => Body::Pin(Pin {
                of,
                seconds: Some(self.seconds),
            }),
            DraftKind::Unpin => Body::Pin(Pin { of, seconds: None }),
            DraftKind::Keep => keep(true),
            DraftKind::Unkeep => keep(false),
            _ => Body::Revoke(of),
        })
    }

    fn context(&mut self, chat: &Jid) -> Result<Context, Error> {
        let mentions = std::mem::take(&mut self.mentions);
        let mention = |text: &String| Jid::recipient(text).ok_or(ApiMisuse::BadAddress);
        let quote = self.quote.take().map(|quote| {
            Ok::<_, Error>(draft::Quote {
                of: quote.of.core(chat)?,
                message: quote.payload,
            })
        });
        Ok(Context {
            quote: quote.transpose()?,
            mentions: mentions.iter().map(mention).collect::<Result<_, _>>()?,
            forwarded: (self.forwarded > 0).then_some(self.forwarded),
            timer: (self.disappears > 0).then_some(Timer {
                seconds: self.disappears,
                set_at: instant(self.timer_set_at),
            }),
        })
    }

    fn preview(&self) -> Option<LinkPreview> {
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        Some(LinkPreview {
            link: given(&self.link)?,
            title: given(&self.title),
            description: given(&self.description),
            thumbnail: some(self.thumbnail.clone()),
        })
    }

    /// The file and its type.
    fn file(&mut self) -> Result<(draft::Blob, String), Error> {
        let mut media = self.media.take().ok_or_else(|| missing("media"))?;
        let mut mimetype = std::mem::take(&mut self.mimetype);
        if mimetype.is_empty() {
            mimetype = std::mem::take(&mut media.mimetype);
        }
        Ok((media.blob()?, mimetype))
    }

    fn size(&self) -> Option<(u32, u32)> {
        (self.width > 0 && self.height > 0).then_some((self.width, self.height))
    }

    fn image(mut self) -> Result<Image, Error> {
        let (blob, mimetype) = self.file()?;
        Ok(Image {
            blob,
            mimetype,
            size: self.size(),
            caption: self.text,
            thumbnail: some(self.thumbnail),
            view_once: self.view_once,
        })
    }

    fn video(mut self) -> Result<Video, Error> {
        let (blob, mimetype) = self.file()?;
        Ok(Video {
            blob,
            mimetype,
            size: self.size(),
            caption: self.text,
            seconds: above_zero(self.seconds),
            thumbnail: some(self.thumbnail),
            gif: self.kind == DraftKind::Gif,
            view_once: self.view_once,
        })
    }

    fn audio(mut self) -> Result<Audio, Error> {
        let (blob, mimetype) = self.file()?;
        Ok(Audio {
            blob,
            mimetype,
            seconds: above_zero(self.seconds),
            voice: self.kind == DraftKind::Voice,
            waveform: some(self.waveform),
            view_once: self.view_once,
        })
    }

    fn document(mut self) -> Result<Document, Error> {
        let (blob, mimetype) = self.file()?;
        Ok(Document {
            blob,
            mimetype,
            file_name: self.name,
            caption: self.text,
            pages: above_zero(self.pages),
            thumbnail: some(self.thumbnail),
        })
    }

    fn sticker(mut self) -> Result<Sticker, Error> {
        let (blob, mimetype) = self.file()?;
        Ok(Sticker {
            blob,
            mimetype,
            size: self.size(),
            animated: self.animated,
            thumbnail: some(self.thumbnail),
        })
    }

    fn event(self) -> Result<Event, Error> {
        let place = self.place.map(|place| place.core(None));
        Ok(Event {
            name: self.name,
            description: self.description,
            starts: UnixSeconds(self.starts),
            ends: instant(self.ends),
            place: place.transpose()?,
            join_link: self.link,
            guests: self.guests_allowed,
            canceled: self.canceled,
        })
    }
}

impl MessageRef {
    /// In a chat of two an author who is not us is the other side, whatever its address is today.
    fn core(&self, chat: &Jid) -> Result<draft::MessageRef, Error> {
        let author = match (self.author.is_empty(), chat.is_user()) {
            (true, _) => Author::Me,
            (false, true) => Author::Peer,
            (false, false) => {
                Author::Member(Jid::recipient(&self.author).ok_or(ApiMisuse::BadAddress)?)
            }
        };
        let id = id(&self.id)?;
        Ok(draft::MessageRef { id, author })
    }
}

impl Place {
    fn core(self, thumbnail: Option<Vec<u8>>) -> Result<draft::Place, Error> {
        let wrong = || {
            let message = "place: latitude is -90 to 90 and longitude -180 to 180 degrees";
            Error::new(Status::InvalidArgument, message)
        };
        Ok(draft::Place {
            latitude: Degrees::latitude(self.latitude).ok_or_else(wrong)?,
            longitude: Degrees::longitude(self.longitude).ok_or_else(wrong)?,
            name: self.name,
            address: self.address,
            url: self.url,
            thumbnail,
        })
    }
}

impl Going {
    const fn core(self) -> draft::Going {
        match self {
            Self::Yes => draft::Going::Yes,
            Self::No => draft::Going::No,
            Self::Maybe => draft::Going::Maybe,
        }
    }
}

fn card(card: Card) -> draft::Card {
    draft::Card {
        name: card.name,
        vcard: card.vcard,
    }
}

fn id(text: &str) -> Result<MessageId, Error> {
    Ok(MessageId::parse(text).ok_or(ApiMisuse::BadMessageId)?)
}

fn instant(seconds: i64) -> Option<UnixSeconds> {
    (seconds != 0).then_some(UnixSeconds(seconds))
}

fn above_zero(number: u32) -> Option<u32> {
    (number > 0).then_some(number)
}

fn some(bytes: Vec<u8>) -> Option<Vec<u8>> {
    (!bytes.is_empty()).then_some(bytes)
}

fn missing(field: &str) -> Error {
    let message = format!("the draft needs a usable `{field}`");
    Error::new(Status::InvalidArgument, message)
}
