//! Appointments and answers to them.
//!
//! ```text
//! answer = AES-256-GCM("Event Response" key of the event, iv, { response(1), timestampMs(2) .. })
//! ```

use prost::Message as _;

use super::poll::seal;
use super::{BadDraft, MessageRef, Place, Scene, given, required};
use crate::content::secret::UseCase;
use crate::pb::{self, EventResponseType};
use crate::secret::Secret;
use crate::time::UnixSeconds;

/// An appointment.
#[derive(Clone, Eq, PartialEq)]
pub struct Event {
    /// What it is.
    pub name: String,
    /// More about it; may be empty.
    pub description: String,
    /// When it begins.
    pub starts: UnixSeconds,
    /// When it ends, if that is said.
    pub ends: Option<UnixSeconds>,
    /// Where it is.
    pub place: Option<Place>,
    /// A link to a call; may be empty.
    pub join_link: String,
    /// People may bring others.
    pub guests: bool,
    /// It will not take place.
    pub canceled: bool,
}

/// An answer to an event.
#[derive(Clone, Eq, PartialEq)]
pub struct Rsvp {
    /// Which event.
    pub event: MessageRef,
    /// What we say.
    pub going: Going,
    /// How many others we bring.
    pub guests: Option<u8>,
    /// The event's message secret; `None` for an event that this device sent or received.
    pub secret: Option<Secret<32>>,
}

/// Whether somebody comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Going {
    /// Perhaps.
    Maybe,
    /// No.
    No,
    /// Yes.
    Yes,
}

impl Event {
    pub(super) fn compose(
        &self,
        scene: &mut Scene<'_>,
        context: Option<pb::ContextInfo>,
    ) -> Result<pb::Composed, BadDraft> {
        if self.ends.is_some_and(|ends| ends < self.starts) {
            return Err(BadDraft::OutOfRange("the end"));
        }
        let place = self.place.as_ref();
        let event = pb::EventMessage {
            context_info: context,
            is_canceled: self.canceled.then_some(true),
            name: required(&self.name, "the name")?,
            description: given(&self.description),
            location: place.map(|place| Box::new(place.location(None))),
            join_link: given(&self.join_link),
            start_time: Some(self.starts.0),
            end_time: self.ends.map(|ends| ends.0),
            extra_guests_allowed: self.guests.then_some(true),
        };
        Ok(pb::Composed {
            event_message: Some(Box::new(event)),
            message_context_info: scene.fresh_secret(),
            ..pb::Composed::default()
        })
    }
}

impl Rsvp {
    pub(super) fn compose(&self, scene: &mut Scene<'_>) -> Result<pb::Composed, BadDraft> {
        let response = match self.going {
            Going::Maybe => EventResponseType::MAYBE,
            Going::No => EventResponseType::NOT_GOING,
            Going::Yes => EventResponseType::GOING,
        };
        let answer = pb::EventResponseMessage {
            response: Some(response),
            timestamp_ms: Some(scene.now.0),
            extra_guest_count: self.guests.map(i32::from),
        };
        let sealed = seal(
            &self.event,
            self.secret.as_ref(),
            UseCase::EventResponse,
            &answer.encode_to_vec(),
            scene,
        )?;
        let response = pb::EncEventResponseMessage {
            event_creation_message_key: Some(self.event.key(scene)),
            enc_payload: sealed.payload,
            enc_iv: sealed.iv,
        };
        Ok(pb::Composed {
            enc_event_response_message: Some(Box::new(response)),
            ..pb::Composed::default()
        })
    }
}
