//! Visiting cards and places.

use super::{BadDraft, given, required};
use crate::pb;

/// Cards in one message at most.
const MAX_CARDS: usize = 256;

/// A visiting card.
#[derive(Clone, Eq, PartialEq)]
pub struct Card {
    /// The name that is shown.
    pub name: String,
    /// The card itself, as a vCard of version 3.
    pub vcard: String,
}

/// A place.
#[derive(Clone, Eq, PartialEq)]
pub struct Place {
    /// North of the equator.
    pub latitude: Degrees,
    /// East of Greenwich.
    pub longitude: Degrees,
    /// Its name; may be empty.
    pub name: String,
    /// Its address; may be empty.
    pub address: String,
    /// A page about it; may be empty.
    pub url: String,
    /// A small JPEG.
    pub thumbnail: Option<Vec<u8>>,
}

/// An angle in degrees; always a number.
#[derive(Clone, Copy, PartialEq)]
pub struct Degrees(f64);

impl Eq for Degrees {}

impl core::fmt::Debug for Degrees {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Degrees")
    }
}

impl Degrees {
    /// `None` outside of -90 to 90.
    pub fn latitude(degrees: f64) -> Option<Self> {
        (-90.0..=90.0).contains(&degrees).then_some(Self(degrees))
    }

    /// `None` outside of -180 to 180.
    pub fn longitude(degrees: f64) -> Option<Self> {
        (-180.0..=180.0).contains(&degrees).then_some(Self(degrees))
    }
}

impl Place {
    pub(super) fn compose(&self, context: Option<pb::ContextInfo>) -> pb::Composed {
        pb::Composed {
            location_message: Some(Box::new(self.location(context))),
            ..pb::Composed::default()
        }
    }

    pub(super) fn location(&self, context: Option<pb::ContextInfo>) -> pb::LocationMessage {
        pb::LocationMessage {
            degrees_latitude: Some(self.latitude.0),
            degrees_longitude: Some(self.longitude.0),
            name: given(&self.name),
            address: given(&self.address),
            url: given(&self.url),
            jpeg_thumbnail: self.thumbnail.clone(),
            context_info: context,
        }
    }
}

/// One card, or several in one message.
pub(super) fn contacts(
    cards: &[Card],
    context: Option<pb::ContextInfo>,
) -> Result<pb::Composed, BadDraft> {
    if cards.len() > MAX_CARDS {
        return Err(BadDraft::OutOfRange("the number of contacts"));
    }
    let contact = |card: &Card| {
        Ok(pb::ContactMessage {
            display_name: required(&card.name, "a name")?,
            vcard: required(&card.vcard, "a card")?,
            context_info: None,
        })
    };
    let mut contacts = cards.iter().map(contact).collect::<Result<Vec<_>, _>>()?;
    match (contacts.len(), contacts.pop()) {
        (_, None) => Err(BadDraft::Empty("the list of contacts")),
        (1, Some(only)) => Ok(pb::Composed {
            contact_message: Some(Box::new(pb::ContactMessage {
                context_info: context,
                ..only
            })),
            ..pb::Composed::default()
        }),
        (count, Some(last)) => {
            contacts.push(last);
            let array = pb::ContactsArrayMessage {
                display_name: Some(format!("{count} contacts")),
                contacts,
                context_info: context,
            };
            Ok(pb::Composed {
                contacts_array_message: Some(Box::new(array)),
                ..pb::Composed::default()
            })
        }
    }
}
