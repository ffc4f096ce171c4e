//! From the bytes of a message to what its stanza says.
//!
//! ```text
//! Message { .., wrapper { Message { content } }, messageContextInfo }  ->  type mediatype edit ..
//! ```
//! Source: spec "Attribute tables" and the table of kinds made from four clients, which
//! `tests/stanza_kinds` goes through row by row. Where the clients disagree, the value that the
//! server is known to deliver was taken.

use super::shape::{Edit, Shape, StanzaType};
use super::wire::{Field, Level, Value};

/// Wrappers around a content that are looked through; real clients nest two or three.
const MAX_WRAPPERS: usize = 8;

/// Most bytes of a message. Above the longest text with a large thumbnail; every device gets them,
/// and all of them together must fit into one frame.
pub const MAX_MESSAGE: usize = 256 * 1024;

/// Why a message cannot be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsendable {
    /// There is nothing in it, or only what accompanies a content.
    #[error("the message has no content")]
    Empty,
    /// The bytes are no protobuf.
    #[error("the bytes are no message")]
    Malformed,
    /// It is wrapped too often.
    #[error("the content is wrapped more than {MAX_WRAPPERS} times")]
    TooDeep,
    /// It is longer than [`MAX_MESSAGE`].
    #[error("the message has more than {MAX_MESSAGE} bytes")]
    TooLong,
    /// The server would drop this content without a word.
    #[error("no stanza carries content field {field}")]
    Unknown {
        /// Number of the content's field in `Message`.
        field: u32,
    },
}

/// What the stanza of `message` (the encoded `Message`, unpadded) says.
///
/// # Errors
/// [`Unsendable`], when no stanza is known to carry it.
pub fn shape(message: &[u8]) -> Result<Shape, Unsendable> {
    if message.len() > MAX_MESSAGE {
        return Err(Unsendable::TooLong);
    }
    let mut level = Level::parse(message).ok_or(Unsendable::Malformed)?;
    let mut view_once = false;
    for _ in 0..=MAX_WRAPPERS {
        let content = content(level).ok_or(Unsendable::Empty)?;
        let Some(wrapper) = wrapper(content.number) else {
            let field = content.number;
            let mut shape = known(content).ok_or(Unsendable::Unknown { field })?;
            shape.meta.view_once |= view_once;
            return Ok(shape);
        };
        view_once |= wrapper.view_once;
        let inner = body(content).and_then(|body| body.level(wrapper.inner));
        level = inner.ok_or(Unsendable::Malformed)?;
    }
    Err(Unsendable::TooDeep)
}

/// The content of `message` behind all wrappers: the number of its field, and what is in it. `None`
/// when there is none.
pub(crate) fn innermost(message: &[u8]) -> Option<(u32, &[u8])> {
    let mut level = Level::parse(message)?;
    for _ in 0..=MAX_WRAPPERS {
        let content = content(level)?;
        match (wrapper(content.number), content.value) {
            (Some(wrapper), _) => level = body(content)?.level(wrapper.inner)?,
            (None, Value::Bytes(bytes)) => return Some((content.number, bytes)),
            (None, _) => return None,
        }
    }
    None
}

/// The field that is the content: the first we know, else the first there is.
fn content(level: Level<'_>) -> Option<Field<'_>> {
    let contents = || level.fields().filter(|field| !accompanies(field.number));
    let ours = |field: &Field<'_>| wrapper(field.number).is_some() || known(*field).is_some();
    contents().find(ours).or_else(|| contents().next())
}

/// Sender keys and the context of the message.
const fn accompanies(field: u32) -> bool {
    matches!(field, 2 | 15 | 35)
}

struct Wrapper {
    /// The field of the wrapper that is a `Message`.
    inner: u32,
    view_once: bool,
}

const fn wrapper(field: u32) -> Option<Wrapper> {
    let (inner, view_once) = match field {
        // deviceSentMessage
        31 => (2, false),
        // viewOnceMessage, V2, V2Extension
        37 | 55 | 59 => (1, true),
        // ephemeral, documentWithCaption, groupMentioned, botInvoke, lottieSticker
        40 | 53 | 62 | 67 | 74 => (1, false),
        // eventCoverImage, statusMention, pollCreationOptionImage, associatedChild
        85 | 87 | 90 | 91 => (1, false),
        // groupStatusMention, statusAddYours, groupStatus, limitSharing
        92 | 95 | 96 | 99 => (1, false),
        // question, groupStatusV2, questionReply, newsletterAdminProfile, V2, spoiler
        101 | 103 | 106 | 116 | 117 | 118 => (1, false),
        _ => return None,
    };
    Some(Wrapper { inner, view_once })
}

/// The table: the number of a content in `Message`, and sometimes a look into it.
fn known(content: Field<'_>) -> Option<Shape> {
    let body = || body(content);
    let flag = |field| body().is_some_and(|body| body.flag(field));
    Some(match content.number {
        // conversation, templateButtonReply, interactive, requestPhoneNumber, newsletterAdminInvite
        1 | 29 | 45 | 54 | 78 => Shape::text(),
        // The payment family, albums and poll results have no mediatype: as media they are dropped.
        16 | 22 | 23 | 24 | 41 | 44 | 83 | 88 | 115 => Shape::text(),
        3 => viewed_once(Shape::media("image"), flag(25)),
        4 => Shape::media("vcard"),
        5 if flag(6) => Shape::media("livelocation"),
        5 => Shape::media("location"),
        6 if previews_a_link(body()) => Shape::media("url"),
        6 => Shape::text(),
        7 => Shape::media("document"),
        8 => viewed_once(
            Shape::media(if flag(6) { "ptt" } else { "audio" }),
            flag(21),
        ),
        9 => viewed_once(
            Shape::media(if flag(8) { "gif" } else { "video" }),
            flag(20),
        ),
        12 => protocol(body()?),
        13 => Shape::media("contact_array"),
        18 => Shape::media("livelocation"),
        26 => Shape::media("sticker"),
        28 => Shape::media("url"),
        30 => Shape::media("product"),
        36 => Shape::media("list"),
        38 => Shape::media("order"),
        39 => Shape::media("list_response"),
        43 => Shape::media("buttons_response"),
        46 if body()?.bytes(2).is_none_or(<[u8]>::is_empty) => Shape::of(StanzaType::Reaction)
            .edit(Edit::SenderRevoke)
            .hidden(),
        46 | 56 => Shape::of(StanzaType::Reaction).hidden(),
        48 => Shape::media("native_flow_response"),
        // pollCreation, V2, V3, V5, V6
        49 | 60 | 64 | 111 | 119 => Shape::poll(Some("creation")),
        50 => Shape::poll(Some("vote")).hidden(),
        51 => keep(body()?),
        58 => Shape::text().edit(Edit::Message).hidden(),
        63 => Shape::text().edit(Edit::Pin).hidden(),
        66 => Shape::media("ptv"),
        70 => Shape::media("group_history"),
        // encComment, messageHistoryNotice
        71 | 102 => Shape::text().hidden(),
        75 => Shape::event("creation"),
        76 => Shape::event("response").hidden(),
        82 => secret_encrypted(body()?)?,
        86 => Shape::media("sticker_pack"),
        // pollCreationV4 wraps an older form, and no client says polltype.
        93 => Shape::poll(None),
        _ => return None,
    })
}

fn body(content: Field<'_>) -> Option<Level<'_>> {
    match content.value {
        Value::Bytes(bytes) => Level::parse(bytes),
        Value::Fixed | Value::Varint(_) => None,
    }
}

const fn viewed_once(mut shape: Shape, flag: bool) -> Shape {
    shape.meta.view_once = flag;
    shape
}

fn previews_a_link(text: Option<Level<'_>>) -> bool {
    let matched = text.and_then(|text| text.bytes(2)).unwrap_or_default();
    !matched.trim_ascii().is_empty()
}

fn protocol(message: Level<'_>) -> Shape {
    match message.varint(2).unwrap_or_default() {
        // Hidden revokes are dropped by the server.
        0 if names_own(message) => Shape::text().edit(Edit::SenderRevoke),
        0 => Shape::text().edit(Edit::AdminRevoke),
        // EPHEMERAL_SYNC_RESPONSE, REQUEST_WELCOME_MESSAGE
        4 | 18 => Shape::text().hidden(),
        14 => Shape::text().edit(Edit::Message).hidden(),
        _ => Shape::text(),
    }
}

fn keep(message: Level<'_>) -> Shape {
    const UNDO: u64 = 2;
    if message.varint(2) == Some(UNDO) && names_own(message) {
        return Shape::text().edit(Edit::SenderRevoke).hidden();
    }
    Shape::text().hidden()
}

fn secret_encrypted(message: Level<'_>) -> Option<Shape> {
    Some(match message.varint(4)? {
        1 => Shape::event("edit").edit(Edit::Message).hidden(),
        2 => Shape::text().edit(Edit::Message).hidden(),
        4 | 5 => Shape::poll(Some("edit")).hidden(),
        _ => return None,
    })
}

/// Whether the key of the message that this is about (field 1) says that it is our own.
fn names_own(message: Level<'_>) -> bool {
    message.level(1).is_some_and(|key| key.flag(2))
}
