//! What a host wants to say, and the `Message` it becomes.
//!
//! A draft is turned into bytes only when the address of the chat is certain, because messages that
//! refer to others name chat and people in the namespace of the stanza. Source: spec section 16.

mod event;
mod media;
mod place;
mod poll;
mod refer;
mod text;

use prost::Message as _;

pub use event::{Event, Going, Rsvp};
pub use media::{Audio, Blob, Document, Image, Sticker, Video};
pub use place::{Card, Degrees, Place};
pub use poll::{MAX_OPTIONS, Poll, Vote};
pub use refer::{Author, Keep, MessageRef, Pin, Quote, Reaction};
pub use text::{LinkPreview, Text};

use super::kinds::{MAX_MESSAGE, shape};
use crate::jid::Jid;
use crate::pb;
use crate::secret::{Entropy, EntropyExt, Secret};
use crate::time::{UnixMillis, UnixSeconds};
use crate::verdict::MessageId;

/// A message to compose.
#[derive(Clone, Eq, PartialEq)]
pub struct Draft {
    /// What it says.
    pub body: Body,
    /// What it refers to, and how long it stays. Ignored by bodies that have no context of their
    /// own: reactions, votes, and everything that changes another message.
    pub context: Context,
}

/// What a message says.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum Body {
    /// Sound, or a voice note.
    Audio(Audio),
    /// One or more visiting cards.
    Contacts(Vec<Card>),
    /// A file.
    Document(Document),
    /// Another text for a message of ours.
    Edit {
        /// The message.
        of: MessageId,
        /// What it says now, in whole; an edit keeps the kind of content.
        new: Box<Self>,
    },
    /// An appointment; keep the id to understand the answers.
    Event(Event),
    /// A picture.
    Image(Image),
    /// Keeps a message where messages disappear, or lets it go.
    Keep(Keep),
    /// Pins or unpins a message.
    Pin(Pin),
    /// A place.
    Place(Place),
    /// A question with answers to choose from; keep the id to understand the votes.
    Poll(Poll),
    /// A reaction.
    Reaction(Reaction),
    /// Takes a message back: our own, or as an admin of a group somebody else's.
    Revoke(MessageRef),
    /// An answer to an event.
    Rsvp(Rsvp),
    /// A sticker.
    Sticker(Sticker),
    /// Text with what plain text cannot have.
    Text(Text),
    /// How long messages of this chat stay from now on, in seconds; 0 for ever.
    Timer(u32),
    /// A video, or a GIF as a video.
    Video(Video),
    /// A vote.
    Vote(Vote),
}

/// What a message refers to, and how long it stays.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Context {
    /// The message that this one replies to.
    pub quote: Option<Quote>,
    /// Accounts that are named in the text as `@<user>`.
    pub mentions: Vec<Jid>,
    /// How often it was forwarded before; `None` for a message of our own.
    pub forwarded: Option<u32>,
    /// The timer of the chat, which every message in it repeats.
    pub timer: Option<Timer>,
}

/// The timer of a chat whose messages disappear.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timer {
    /// How long a message stays, in seconds.
    pub seconds: u32,
    /// When the timer was set, if known.
    pub set_at: Option<UnixSeconds>,
}

/// Why a draft cannot become a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BadDraft {
    /// A part that must not be empty is.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// A part is longer, more or larger than can be sent.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    /// The poll or event is not ours, or too old, and no secret was given.
    #[error("the secret of the message is not known here")]
    SecretUnknown,
}

/// Where and when a draft becomes a message.
pub struct Scene<'a> {
    /// The chat, as the stanza will name it.
    pub chat: &'a Jid,
    /// Our account in the same namespace.
    pub own: &'a Jid,
    /// Server time.
    pub now: UnixMillis,
    /// Randomness for secrets.
    pub rng: &'a mut dyn Entropy,
    /// The secret of the message in [`Draft::wants_secret_of`], if it is known here.
    pub secret: Option<Secret<32>>,
}

macro_rules! redacted {
    ($($name:ident),+ $(,)?) => {
        $(impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(stringify!($name))
            }
        })+
    };
}
redacted!(
    Audio,
    Blob,
    Body,
    Card,
    Context,
    Document,
    Draft,
    Event,
    Image,
    Keep,
    LinkPreview
);
redacted!(
    MessageRef, Pin, Place, Poll, Quote, Reaction, Rsvp, Sticker, Text, Video, Vote
);

impl From<Body> for Draft {
    fn from(body: Body) -> Self {
        Self {
            body,
            context: Context::default(),
        }
    }
}

impl Draft {
    /// The message whose secret this one is sealed with, unless the host brought it.
    pub fn wants_secret_of(&self) -> Option<&MessageRef> {
        match &self.body {
            Body::Rsvp(rsvp) if rsvp.secret.is_none() => Some(&rsvp.event),
            Body::Vote(vote) if vote.secret.is_none() => Some(&vote.poll),
            _ => None,
        }
    }

    /// The encoded `Message`, unpadded.
    ///
    /// # Errors
    /// [`BadDraft`].
    pub fn compose(&self, scene: &mut Scene<'_>) -> Result<Vec<u8>, BadDraft> {
        let context = self.context.compose(scene);
        let mut message = self.body.compose(scene, context)?;
        let outer = message.message_context_info.take();
        if self.body.is_viewed_once() {
            message = pb::Composed {
                view_once_message: wrapped(message),
                ..pb::Composed::default()
            };
        }
        if self.context.timer.is_some() && self.body.has_context() {
            message = pb::Composed {
                ephemeral_message: wrapped(message),
                ..pb::Composed::default()
            };
        }
        message.message_context_info = outer;
        let bytes = message.encode_to_vec();
        if bytes.len() > MAX_MESSAGE || shape(&bytes).is_err() {
            return Err(BadDraft::OutOfRange("the message"));
        }
        Ok(bytes)
    }
}

impl Body {
    fn compose(
        &self,
        scene: &mut Scene<'_>,
        context: Option<pb::ContextInfo>,
    ) -> Result<pb::Composed, BadDraft> {
        match self {
            Self::Audio(audio) => Ok(audio.compose(context)),
            Self::Contacts(cards) => place::contacts(cards, context),
            Self::Document(document) => document.compose(context),
            Self::Edit { of, new } => refer::edit(of, new, scene),
            Self::Event(event) => event.compose(scene, context),
            Self::Image(image) => Ok(image.compose(context)),
            Self::Keep(keep) => Ok(keep.compose(scene)),
            Self::Pin(pin) => Ok(pin.compose(scene)),
            Self::Place(place) => Ok(place.compose(context)),
            Self::Poll(poll) => poll.compose(scene, context),
            Self::Reaction(reaction) => Ok(reaction.compose(scene)),
            Self::Revoke(of) => Ok(refer::revoke(of, scene)),
            Self::Rsvp(rsvp) => rsvp.compose(scene),
            Self::Sticker(sticker) => Ok(sticker.compose(context)),
            Self::Text(text) => text.compose(context),
            Self::Timer(seconds) => Ok(refer::timer(*seconds, scene)),
            Self::Video(video) => Ok(video.compose(context)),
            Self::Vote(vote) => vote.compose(scene),
        }
    }

    const fn is_viewed_once(&self) -> bool {
        match self {
            Self::Audio(audio) => audio.view_once,
            Self::Image(image) => image.view_once,
            Self::Video(video) => video.view_once,
            _ => false,
        }
    }

    const fn has_context(&self) -> bool {
        !matches!(
            self,
            Self::Edit { .. }
                | Self::Keep(_)
                | Self::Pin(_)
                | Self::Reaction(_)
                | Self::Revoke(_)
                | Self::Rsvp(_)
                | Self::Timer(_)
                | Self::Vote(_)
        )
    }
}

impl Context {
    /// `None` when there is nothing to say.
    fn compose(&self, scene: &Scene<'_>) -> Option<pb::ContextInfo> {
        let mut context = pb::ContextInfo {
            mentioned_jid: self
                .mentions
                .iter()
                .map(|jid| jid.account().reveal())
                .collect(),
            forwarding_score: self.forwarded,
            is_forwarded: self.forwarded.map(|_| true),
            ..pb::ContextInfo::default()
        };
        if let Some(quote) = &self.quote {
            context.stanza_id = Some(quote.of.id.as_str().into());
            context.participant = Some(quote.of.author.account(scene).reveal());
            context.quoted_message = Some(quote.message.clone());
        }
        if let Some(timer) = self.timer {
            context.expiration = Some(timer.seconds);
            context.ephemeral_setting_timestamp = timer.set_at.map(|t| t.0);
        }
        (context != pb::ContextInfo::default()).then_some(context)
    }
}

impl Scene<'_> {
    /// The context of a message that others will answer: a secret that only its readers know.
    fn fresh_secret(&mut self) -> Option<Box<pb::MessageContextInfo>> {
        Some(Box::new(pb::MessageContextInfo {
            message_secret: Some(self.rng.bytes::<32>().to_vec()),
            ..pb::MessageContextInfo::default()
        }))
    }
}

fn wrapped(message: pb::Composed) -> Option<Box<pb::Wrapped>> {
    Some(Box::new(pb::Wrapped {
        message: Some(Box::new(message)),
    }))
}

/// `None` for empty text, which is left out.
fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn required(text: &str, what: &'static str) -> Result<Option<String>, BadDraft> {
    given(text).map(Some).ok_or(BadDraft::Empty(what))
}
