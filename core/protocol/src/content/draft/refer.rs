//! Messages about other messages: reactions, edits, revokes, pins, and the timer of a chat.
//!
//! ```text
//! MessageKey { remoteJid(1) = chat, fromMe(2), id(3), participant(4) in groups, not for our own }
//! ```

use super::{BadDraft, Body, Scene};
use crate::jid::Jid;
use crate::pb::{self, KeepType, PinType, ProtocolMessageType};
use crate::verdict::MessageId;

/// Names a message of the chat.
#[derive(Clone, Eq, PartialEq)]
pub struct MessageRef {
    /// Its id.
    pub id: MessageId,
    /// Who wrote it.
    pub author: Author,
}

/// Who wrote a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Author {
    /// We did.
    Me,
    /// A member of the group.
    Member(Jid),
    /// The other side of a chat of two.
    Peer,
}

/// The message that a reply shows.
#[derive(Clone, Eq, PartialEq)]
pub struct Quote {
    /// Which one.
    pub of: MessageRef,
    /// Its content: an encoded `Message`. What it quoted itself is best left out.
    pub message: Vec<u8>,
}

/// A reaction.
#[derive(Clone, Eq, PartialEq)]
pub struct Reaction {
    /// To which message.
    pub to: MessageRef,
    /// One emoji; empty takes the reaction back.
    pub emoji: String,
}

/// A message at the top of the chat.
#[derive(Clone, Eq, PartialEq)]
pub struct Pin {
    /// Which one.
    pub of: MessageRef,
    /// For how many seconds (phones offer 1, 7 and 30 days); `None` unpins it.
    pub seconds: Option<u32>,
}

/// A message that stays although messages of the chat disappear.
#[derive(Clone, Eq, PartialEq)]
pub struct Keep {
    /// Which one.
    pub of: MessageRef,
    /// False lets it go.
    pub keep: bool,
}

impl Author {
    /// The account.
    pub(super) fn account(&self, scene: &Scene<'_>) -> Jid {
        match self {
            Self::Me => scene.own.account(),
            Self::Member(member) => member.account(),
            Self::Peer => scene.chat.account(),
        }
    }
}

impl MessageRef {
    pub(super) fn key(&self, scene: &Scene<'_>) -> pb::MessageKey {
        let participant = match &self.author {
            Author::Member(member) => Some(member.account().reveal()),
            Author::Me | Author::Peer => None,
        };
        pb::MessageKey {
            remote_jid: Some(scene.chat.reveal()),
            from_me: Some(self.author == Author::Me),
            id: Some(self.id.as_str().into()),
            participant,
        }
    }
}

impl Reaction {
    pub(super) fn compose(&self, scene: &Scene<'_>) -> pb::Composed {
        let reaction = pb::ReactionMessage {
            key: Some(self.to.key(scene)),
            text: Some(self.emoji.clone()),
            grouping_key: None,
            sender_timestamp_ms: Some(scene.now.0),
        };
        pb::Composed {
            reaction_message: Some(Box::new(reaction)),
            ..pb::Composed::default()
        }
    }
}

impl Pin {
    pub(super) fn compose(&self, scene: &Scene<'_>) -> pb::Composed {
        let kind = match self.seconds {
            Some(_) => PinType::PIN_FOR_ALL,
            None => PinType::UNPIN_FOR_ALL,
        };
        let pin = pb::PinInChatMessage {
            key: Some(self.of.key(scene)),
            r#type: Some(kind),
            sender_timestamp_ms: Some(scene.now.0),
        };
        let context = self.seconds.map(|seconds| pb::MessageContextInfo {
            message_add_on_duration_in_secs: Some(seconds),
            ..pb::MessageContextInfo::default()
        });
        pb::Composed {
            pin_in_chat_message: Some(Box::new(pin)),
            message_context_info: context.map(Box::new),
            ..pb::Composed::default()
        }
    }
}

impl Keep {
    pub(super) fn compose(&self, scene: &Scene<'_>) -> pb::Composed {
        let kind = if self.keep {
            KeepType::KEEP_FOR_ALL
        } else {
            KeepType::UNDO_KEEP_FOR_ALL
        };
        let keep = pb::KeepInChatMessage {
            key: Some(self.of.key(scene)),
            keep_type: Some(kind),
            timestamp_ms: Some(scene.now.0),
        };
        pb::Composed {
            keep_in_chat_message: Some(Box::new(keep)),
            ..pb::Composed::default()
        }
    }
}

/// A new content for a message of ours. It stands for itself: no wrapper, no secret of its own.
pub(super) fn edit(
    of: &MessageId,
    new: &Body,
    scene: &mut Scene<'_>,
) -> Result<pb::Composed, BadDraft> {
    let editable = matches!(
        new,
        Body::Text(_) | Body::Image(_) | Body::Video(_) | Body::Document(_)
    );
    if !editable {
        return Err(BadDraft::OutOfRange("the kind of an edit"));
    }
    let new = new.compose(scene, None)?;
    let of = MessageRef {
        id: of.clone(),
        author: Author::Me,
    };
    Ok(protocol(pb::Correction {
        key: Some(of.key(scene)),
        r#type: Some(ProtocolMessageType::MESSAGE_EDIT),
        edited_message: Some(Box::new(new)),
        timestamp_ms: Some(scene.now.0),
        ..pb::Correction::default()
    }))
}

/// Takes a message back.
pub(super) fn revoke(of: &MessageRef, scene: &Scene<'_>) -> pb::Composed {
    protocol(pb::Correction {
        key: Some(of.key(scene)),
        r#type: Some(ProtocolMessageType::REVOKE),
        ..pb::Correction::default()
    })
}

/// How long messages stay from now on.
pub(super) fn timer(seconds: u32, scene: &Scene<'_>) -> pb::Composed {
    protocol(pb::Correction {
        r#type: Some(ProtocolMessageType::EPHEMERAL_SETTING),
        ephemeral_expiration: Some(seconds),
        ephemeral_setting_timestamp: Some(scene.now.seconds().0),
        ..pb::Correction::default()
    })
}

fn protocol(message: pb::Correction) -> pb::Composed {
    pb::Composed {
        protocol_message: Some(Box::new(message)),
        ..pb::Composed::default()
    }
}
