//! `sp_draft`: what a host sends, as one struct with a kind.

use super::bytes::Slice;
use super::media::MediaFields;
use super::raw::{self, Versioned};
use crate::facade::{
    Card, Draft, DraftKind, Error, Going, Media, MessageRef, Place, Quote, Status,
};

/// A place. Set everything to zero, then `struct_size`, then the rest.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct PlaceFields {
    /// `sizeof(sp_place)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// Degrees north of the equator, -90 to 90.
    pub latitude: f64,
    /// Degrees east of Greenwich, -180 to 180.
    pub longitude: f64,
    /// Its name; may be empty.
    pub name: Slice,
    /// Its address; may be empty.
    pub address: Slice,
    /// A page about it; may be empty.
    pub url: Slice,
}

// SAFETY: repr(C), a u32 first; numbers and raw pointers only.
unsafe impl Versioned for PlaceFields {
    const FIRST_SIZE: usize = 72;
    const DEFAULT: Self = Self {
        struct_size: 72,
        reserved: 0,
        latitude: 0.0,
        longitude: 0.0,
        name: Slice::EMPTY,
        address: Slice::EMPTY,
        url: Slice::EMPTY,
    };
}

/// A visiting card. It will never grow: cards stand in arrays.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CardFields {
    /// The name that is shown.
    pub name: Slice,
    /// The card itself, as a vCard of version 3.
    pub vcard: Slice,
}

/// A message to send. Set everything to zero, then `struct_size` and `kind`, then the fields that
/// `sp_draft_kind` names for that kind; others are ignored, and zero is "not given".
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct DraftFields {
    /// `sizeof(sp_draft)`.
    pub struct_size: u32,
    /// What it is, an `sp_draft_kind`.
    pub kind: i32,
    /// Text, caption, question or emoji.
    pub text: Slice,
    /// For a text, image, video or document: the id of our message that this replaces; an edit keeps
    /// the kind of content.
    pub replaces: Slice,
    /// The file, as `sp_file_media` tells it or as the host has stored it.
    pub media: *const MediaFields,
    /// Such as `image/jpeg`; empty for that of the media.
    pub mimetype: Slice,
    /// A name.
    pub name: Slice,
    /// A description.
    pub description: Slice,
    /// A small JPEG; a PNG for a sticker.
    pub thumbnail: Slice,
    /// Loudness over time: 64 bytes from 0 to 100.
    pub waveform: Slice,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// A duration.
    pub seconds: u32,
    /// Number of pages.
    pub pages: u32,
    /// Not 0: it can be looked at or listened to once.
    pub view_once: i32,
    /// Not 0: it moves.
    pub animated: i32,
    /// A link.
    pub link: Slice,
    /// Title of what the link leads to.
    pub title: Slice,
    /// Where; NULL for nowhere.
    pub place: *const PlaceFields,
    /// Visiting cards.
    pub cards: *const CardFields,
    /// Number of cards.
    pub card_count: usize,
    /// The id of the message that this one is about.
    pub target_id: Slice,
    /// Who wrote that message, as its event says; empty for a message of ours.
    pub target_author: Slice,
    /// Answers to choose from, or chosen.
    pub options: *const Slice,
    /// Number of options.
    pub option_count: usize,
    /// How many may be chosen at once; 0 for any number.
    pub selectable: u32,
    /// Whether we come, an `sp_going`.
    pub going: i32,
    /// The message secret of a poll or event that another device sent: 32 bytes.
    pub secret: Slice,
    /// When it begins, in Unix seconds.
    pub starts: i64,
    /// When it ends; 0 if that is not said.
    pub ends: i64,
    /// Not 0: people may bring others.
    pub guests_allowed: i32,
    /// Not 0: it will not take place.
    pub canceled: i32,
    /// How many others we bring, up to 255.
    pub guests: u32,
    /// How often it was forwarded, this time included; 0 for a message of our own.
    pub forwarded: u32,
    /// An encoded `Message`.
    pub payload: Slice,
    /// The id of the message that this one replies to; empty for no reply.
    pub quote_id: Slice,
    /// Who wrote that message, as its event says; empty for a message of ours.
    pub quote_author: Slice,
    /// Its content: the payload of its event, or of what was sent.
    pub quote_payload: Slice,
    /// Accounts that are named in the text as `@<user>`.
    pub mentions: *const Slice,
    /// Number of mentions.
    pub mention_count: usize,
    /// When the timer of the chat was set, in Unix seconds; 0 if not known.
    pub timer_set_at: i64,
    /// The timer of the chat, which every message in it repeats, in seconds; 0 for none.
    pub disappears: u32,
    /// Zero.
    pub reserved: u32,
}

// SAFETY: repr(C), a u32 first; integers and raw pointers only.
unsafe impl Versioned for DraftFields {
    const FIRST_SIZE: usize = 408;
    const DEFAULT: Self = Self {
        struct_size: 408,
        kind: 0,
        text: Slice::EMPTY,
        replaces: Slice::EMPTY,
        media: std::ptr::null(),
        mimetype: Slice::EMPTY,
        name: Slice::EMPTY,
        description: Slice::EMPTY,
        thumbnail: Slice::EMPTY,
        waveform: Slice::EMPTY,
        width: 0,
        height: 0,
        seconds: 0,
        pages: 0,
        view_once: 0,
        animated: 0,
        link: Slice::EMPTY,
        title: Slice::EMPTY,
        place: std::ptr::null(),
        cards: std::ptr::null(),
        card_count: 0,
        target_id: Slice::EMPTY,
        target_author: Slice::EMPTY,
        options: std::ptr::null(),
        option_count: 0,
        selectable: 0,
        going: 0,
        secret: Slice::EMPTY,
        starts: 0,
        ends: 0,
        guests_allowed: 0,
        canceled: 0,
        guests: 0,
        forwarded: 0,
        payload: Slice::EMPTY,
        quote_id: Slice::EMPTY,
        quote_author: Slice::EMPTY,
        quote_payload: Slice::EMPTY,
        mentions: std::ptr::null(),
        mention_count: 0,
        timer_set_at: 0,
        disappears: 0,
        reserved: 0,
    };
}

/// The draft behind the pointer.
pub(super) fn draft(pointer: *const DraftFields) -> Result<Draft, Error> {
    let fields = raw::versioned(pointer, "draft")?;
    let kind = DraftKind::from_number(fields.kind).ok_or_else(|| unknown("kind", fields.kind))?;
    let text = |slice: Slice, name: &str| slice.text(name).map(str::to_owned);
    let texts = |first: *const Slice, count, name: &str| {
        let slices = raw::array(first, count, name)?.iter();
        slices
            .map(|slice| text(*slice, name))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(Draft {
        kind,
        text: text(fields.text, "draft.text")?,
        replaces: text(fields.replaces, "draft.replaces")?,
        media: media(fields.media)?,
        mimetype: text(fields.mimetype, "draft.mimetype")?,
        name: text(fields.name, "draft.name")?,
        description: text(fields.description, "draft.description")?,
        thumbnail: fields.thumbnail.bytes("draft.thumbnail")?.to_vec(),
        waveform: fields.waveform.bytes("draft.waveform")?.to_vec(),
        width: fields.width,
        height: fields.height,
        seconds: fields.seconds,
        pages: fields.pages,
        view_once: fields.view_once != 0,
        animated: fields.animated != 0,
        link: text(fields.link, "draft.link")?,
        title: text(fields.title, "draft.title")?,
        place: place(fields.place)?,
        cards: cards(&fields)?,
        target: reference(fields.target_id, fields.target_author, "draft.target")?,
        options: texts(fields.options, fields.option_count, "draft.options")?,
        selectable: fields.selectable,
        secret: fields.secret.bytes("draft.secret")?.to_vec(),
        starts: fields.starts,
        ends: fields.ends,
        guests_allowed: fields.guests_allowed != 0,
        canceled: fields.canceled != 0,
        going: going(fields.going)?,
        guests: u8::try_from(fields.guests).map_err(|_| unknown("guests", fields.guests))?,
        payload: fields.payload.bytes("draft.payload")?.to_vec(),
        quote: quote(&fields)?,
        mentions: texts(fields.mentions, fields.mention_count, "draft.mentions")?,
        forwarded: fields.forwarded,
        disappears: fields.disappears,
        timer_set_at: fields.timer_set_at,
    })
}

fn media(pointer: *const MediaFields) -> Result<Option<Media>, Error> {
    if pointer.is_null() {
        return Ok(None);
    }
    Ok(Some(raw::versioned(pointer, "draft.media")?.media()?))
}

fn place(pointer: *const PlaceFields) -> Result<Option<Place>, Error> {
    if pointer.is_null() {
        return Ok(None);
    }
    let fields = raw::versioned(pointer, "draft.place")?;
    Ok(Some(Place {
        latitude: fields.latitude,
        longitude: fields.longitude,
        name: fields.name.text("place.name")?.to_owned(),
        address: fields.address.text("place.address")?.to_owned(),
        url: fields.url.text("place.url")?.to_owned(),
    }))
}

fn cards(fields: &DraftFields) -> Result<Vec<Card>, Error> {
    let cards = raw::array(fields.cards, fields.card_count, "draft.cards")?;
    let card = |card: &CardFields| {
        Ok(Card {
            name: card.name.text("card.name")?.to_owned(),
            vcard: card.vcard.text("card.vcard")?.to_owned(),
        })
    };
    cards.iter().map(card).collect()
}

fn reference(id: Slice, author: Slice, name: &str) -> Result<Option<MessageRef>, Error> {
    let id = id.maybe_text(name)?.map(str::to_owned);
    let author = author.text(name)?.to_owned();
    Ok(id.map(|id| MessageRef { id, author }))
}

fn quote(fields: &DraftFields) -> Result<Option<Quote>, Error> {
    let of = reference(fields.quote_id, fields.quote_author, "draft.quote")?;
    let payload = fields.quote_payload.bytes("draft.quote_payload")?;
    Ok(of.map(|of| Quote {
        of,
        payload: payload.to_vec(),
    }))
}

fn going(number: i32) -> Result<Going, Error> {
    match number {
        0 => Ok(Going::Yes),
        1 => Ok(Going::No),
        2 => Ok(Going::Maybe),
        _ => Err(unknown("going", number)),
    }
}

fn unknown(field: &str, number: impl Into<i64>) -> Error {
    let message = format!("draft.{field} is {}", number.into());
    Error::new(Status::InvalidArgument, message)
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn the_first_release_fixes_the_sizes() {
        assert_eq!(size_of::<DraftFields>(), DraftFields::FIRST_SIZE);
        assert_eq!(size_of::<PlaceFields>(), PlaceFields::FIRST_SIZE);
    }

    #[test]
    fn zero_is_an_empty_text() {
        let read = draft(&DraftFields::DEFAULT).unwrap();
        assert_eq!(read, Draft::default());
    }

    #[test]
    fn what_is_no_kind_is_refused() {
        for (kind, going, guests) in [(22, 0, 0), (-1, 0, 0), (0, 3, 0), (0, 0, 256)] {
            let fields = DraftFields {
                kind,
                going,
                guests,
                ..DraftFields::DEFAULT
            };
            let error = draft(&raw const fields).unwrap_err();
            assert_eq!(error.status(), Status::InvalidArgument);
        }
    }

    #[test]
    fn lists_and_references_arrive() {
        let options = [Slice::of(b"yes"), Slice::of(b"no")];
        let fields = DraftFields {
            kind: DraftKind::Vote as i32,
            target_id: Slice::of(b"3EB0"),
            target_author: Slice::of(b"1@lid"),
            options: options.as_ptr(),
            option_count: 2,
            ..DraftFields::DEFAULT
        };
        let read = draft(&raw const fields).unwrap();
        assert_eq!(read.options, ["yes", "no"]);
        assert_eq!(read.target.unwrap().author, "1@lid");
    }
}
