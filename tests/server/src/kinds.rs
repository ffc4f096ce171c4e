//! Whether a stanza says of its content what the content is.
//!
//! ```text
//! <message type [edit]> <enc [mediatype] [decrypt-fail]/> [<meta/>] </message>
//! ```
//! Source: spec 8.7. Written from that table alone, with messages decoded in full: nothing of the
//! client's way to look at them is shared.

use prost::Message;

use crate::outgoing::{Enc, Form, Outgoing};

/// What a stanza should say, as `type mediatype edit decrypt-fail meta`, and what it says; `None`
/// when they agree or nothing is known of the content.
pub(crate) fn disagreement(message: &Outgoing, enc: &Enc, plain: &[u8]) -> Option<String> {
    let content = Content::decode(plain).ok()?;
    let expected = content.row(false)?;
    let [kind, mediatype, edit, hide, meta] = expected;
    // Resends are for one device and say nothing beside the message.
    let meta = if message.form == Form::Retry {
        ""
    } else {
        meta
    };
    let said = [
        &*message.kind,
        enc.mediatype.as_deref().unwrap_or_default(),
        message.edit.as_deref().unwrap_or_default(),
        enc.decrypt_fail.as_deref().unwrap_or_default(),
        &*message.meta,
    ];
    let expected = [kind, mediatype, edit, hide, meta];
    (said != expected).then(|| format!("{said:?} instead of {expected:?}"))
}

type Row = [&'static str; 5];

const fn media(mediatype: &'static str) -> Row {
    ["media", mediatype, "", "", ""]
}

#[derive(Clone, PartialEq, Message)]
struct Content {
    #[prost(string, optional, tag = "1")]
    conversation: Option<String>,
    #[prost(message, optional, tag = "3")]
    image: Option<Any>,
    #[prost(message, optional, tag = "4")]
    contact: Option<Any>,
    #[prost(message, optional, tag = "5")]
    location: Option<Any>,
    #[prost(message, optional, tag = "6")]
    text: Option<Text>,
    #[prost(message, optional, tag = "7")]
    document: Option<Any>,
    #[prost(message, optional, tag = "8")]
    audio: Option<Audio>,
    #[prost(message, optional, tag = "9")]
    video: Option<Video>,
    #[prost(message, optional, tag = "12")]
    protocol: Option<Protocol>,
    #[prost(message, optional, tag = "13")]
    contacts: Option<Any>,
    #[prost(message, optional, tag = "26")]
    sticker: Option<Any>,
    #[prost(message, optional, boxed, tag = "31")]
    device_sent: Option<Box<DeviceSent>>,
    #[prost(message, optional, boxed, tag = "37")]
    view_once: Option<Box<Wrapped>>,
    #[prost(message, optional, boxed, tag = "40")]
    ephemeral: Option<Box<Wrapped>>,
    #[prost(message, optional, tag = "46")]
    reaction: Option<Reaction>,
    #[prost(message, optional, tag = "49")]
    poll: Option<Any>,
    #[prost(message, optional, tag = "50")]
    vote: Option<Any>,
    #[prost(message, optional, tag = "51")]
    keep: Option<Keep>,
    #[prost(message, optional, boxed, tag = "53")]
    captioned: Option<Box<Wrapped>>,
    #[prost(message, optional, tag = "63")]
    pin: Option<Any>,
    #[prost(message, optional, tag = "64")]
    poll_v3: Option<Any>,
    #[prost(message, optional, tag = "75")]
    event: Option<Any>,
    #[prost(message, optional, tag = "76")]
    answer: Option<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {}

/// Keeps a message (1) or lets it go (2).
#[derive(Clone, PartialEq, Message)]
struct Keep {
    #[prost(message, optional, tag = "1")]
    key: Option<Key>,
    #[prost(int32, tag = "2")]
    kind: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Text {
    #[prost(string, tag = "2")]
    matched: String,
}

#[derive(Clone, PartialEq, Message)]
struct Audio {
    #[prost(bool, tag = "6")]
    ptt: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Video {
    #[prost(bool, tag = "8")]
    gif: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Protocol {
    #[prost(message, optional, tag = "1")]
    key: Option<Key>,
    #[prost(int32, tag = "2")]
    kind: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Key {
    #[prost(bool, tag = "2")]
    from_me: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Reaction {
    #[prost(string, tag = "2")]
    text: String,
}

#[derive(Clone, PartialEq, Message)]
struct Wrapped {
    #[prost(message, optional, tag = "1")]
    message: Option<Content>,
}

#[derive(Clone, PartialEq, Message)]
struct DeviceSent {
    #[prost(message, optional, tag = "2")]
    message: Option<Content>,
}

impl Content {
    fn row(&self, once: bool) -> Option<Row> {
        let wrapped = [&self.ephemeral, &self.captioned];
        if let Some(inner) = wrapped.into_iter().find_map(|inner| inner.as_ref()) {
            return inner.message.as_ref()?.row(once);
        }
        if let Some(inner) = &self.view_once {
            return inner.message.as_ref()?.row(true);
        }
        if let Some(sent) = &self.device_sent {
            return sent.message.as_ref()?.row(once);
        }
        let [kind, mediatype, edit, hide, meta] = self.plain_row()?;
        let meta = if once { "view_once=true" } else { meta };
        Some([kind, mediatype, edit, hide, meta])
    }

    fn plain_row(&self) -> Option<Row> {
        let kinds = [
            (self.conversation.is_some(), ["text", "", "", "", ""]),
            (self.image.is_some(), media("image")),
            (self.contact.is_some(), media("vcard")),
            (self.contacts.is_some(), media("contact_array")),
            (self.location.is_some(), media("location")),
            (self.document.is_some(), media("document")),
            (self.sticker.is_some(), media("sticker")),
            (
                self.poll.is_some() || self.poll_v3.is_some(),
                ["poll", "", "", "", "polltype=creation"],
            ),
            (
                self.vote.is_some(),
                ["poll", "", "", "hide", "polltype=vote"],
            ),
            (
                self.event.is_some(),
                ["event", "", "", "", "event_type=creation"],
            ),
            (
                self.answer.is_some(),
                ["event", "", "", "hide", "event_type=response"],
            ),
            (self.keeps(false), ["text", "", "", "hide", ""]),
            (self.keeps(true), ["text", "", "7", "hide", ""]),
            (self.pin.is_some(), ["text", "", "2", "hide", ""]),
        ];
        let known = kinds.into_iter().find(|(there, _)| *there);
        known
            .map(|(_, row)| row)
            .or_else(|| self.row_by_a_look_inside())
    }

    /// A keep that takes one of our own back, or any other.
    fn keeps(&self, back: bool) -> bool {
        let keep = self.keep.as_ref();
        keep.is_some_and(|keep| {
            back == (keep.kind == 2 && keep.key.as_ref().is_some_and(|key| key.from_me))
        })
    }

    fn row_by_a_look_inside(&self) -> Option<Row> {
        if let Some(text) = &self.text {
            let plain = ["text", "", "", "", ""];
            return Some(if text.matched.is_empty() {
                plain
            } else {
                media("url")
            });
        }
        if let Some(audio) = &self.audio {
            return Some(media(if audio.ptt { "ptt" } else { "audio" }));
        }
        if let Some(video) = &self.video {
            return Some(media(if video.gif { "gif" } else { "video" }));
        }
        if let Some(reaction) = &self.reaction {
            let edit = if reaction.text.is_empty() { "7" } else { "" };
            return Some(["reaction", "", edit, "hide", ""]);
        }
        let protocol = self.protocol.as_ref()?;
        let own = protocol.key.as_ref().is_some_and(|key| key.from_me);
        Some(match protocol.kind {
            0 => ["text", "", if own { "7" } else { "8" }, "", ""],
            14 => ["text", "", "1", "hide", ""],
            _ => ["text", "", "", "", ""],
        })
    }
}
