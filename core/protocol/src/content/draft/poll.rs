//! Polls and votes.
//!
//! ```text
//! vote = AES-256-GCM("Poll Vote" key of the poll, iv, { selectedOptions(1) = SHA-256(name) .. })
//! ```
//! Source: the vectors `message_secret.json`.

use std::collections::BTreeSet;

use prost::Message as _;

use super::{BadDraft, MessageRef, Scene, required};
use crate::content::secret::{About, UseCase};
use crate::crypto::symmetric::sha256;
use crate::pb;
use crate::secret::{EntropyExt, Secret};

/// Answers of one poll at most, as phones offer.
pub const MAX_OPTIONS: usize = 12;

/// A question with answers to choose from.
#[derive(Clone, Eq, PartialEq)]
pub struct Poll {
    /// The question.
    pub question: String,
    /// 2 to [`MAX_OPTIONS`] different answers.
    pub options: Vec<String>,
    /// How many may be chosen at once; 0 for any number.
    pub selectable: u32,
}

/// A vote.
#[derive(Clone, Eq, PartialEq)]
pub struct Vote {
    /// In which poll.
    pub poll: MessageRef,
    /// The chosen answers as they are written in the poll; none takes a vote back.
    pub choices: Vec<String>,
    /// The poll's message secret; `None` for a poll that this device sent or received.
    pub secret: Option<Secret<32>>,
}

impl Poll {
    pub(super) fn compose(
        &self,
        scene: &mut Scene<'_>,
        context: Option<pb::ContextInfo>,
    ) -> Result<pb::Composed, BadDraft> {
        let different: BTreeSet<&String> = self.options.iter().collect();
        let count = different.len();
        if count != self.options.len() || !(2..=MAX_OPTIONS).contains(&count) {
            return Err(BadDraft::OutOfRange("the options"));
        }
        if usize::try_from(self.selectable).is_ok_and(|most| most > count) {
            return Err(BadDraft::OutOfRange("the number of choices"));
        }
        let option = |option: &String| {
            required(option, "an option").map(|option_name| pb::PollOption { option_name })
        };
        let poll = pb::PollCreationMessage {
            name: required(&self.question, "the question")?,
            options: self.options.iter().map(option).collect::<Result<_, _>>()?,
            selectable_options_count: Some(self.selectable),
            context_info: context,
        };
        let poll = Some(Box::new(poll));
        let message = pb::Composed {
            message_context_info: scene.fresh_secret(),
            ..pb::Composed::default()
        };
        // One choice travels in the third version, as web clients send it; more in the first, which
        // every client knows.
        Ok(if self.selectable == 1 {
            pb::Composed {
                poll_creation_message_v3: poll,
                ..message
            }
        } else {
            pb::Composed {
                poll_creation_message: poll,
                ..message
            }
        })
    }
}

impl Vote {
    pub(super) fn compose(&self, scene: &mut Scene<'_>) -> Result<pb::Composed, BadDraft> {
        let chosen = self
            .choices
            .iter()
            .map(|name| sha256(name.as_bytes()).to_vec());
        let vote = pb::PollVoteMessage {
            selected_options: chosen.collect(),
        };
        let sealed = seal(
            &self.poll,
            self.secret.as_ref(),
            UseCase::PollVote,
            &vote.encode_to_vec(),
            scene,
        )?;
        let update = pb::PollUpdateMessage {
            poll_creation_message_key: Some(self.poll.key(scene)),
            vote: Some(pb::PollEncValue {
                enc_payload: sealed.payload,
                enc_iv: sealed.iv,
            }),
            sender_timestamp_ms: Some(scene.now.0),
        };
        Ok(pb::Composed {
            poll_update_message: Some(Box::new(update)),
            ..pb::Composed::default()
        })
    }
}

/// What only readers of the message can open.
pub(super) struct Sealed {
    pub(super) payload: Option<Vec<u8>>,
    pub(super) iv: Option<Vec<u8>>,
}

/// Seals our word about a message with its secret: the one that the host brought, or the one that is
/// known here.
pub(super) fn seal(
    of: &MessageRef,
    brought: Option<&Secret<32>>,
    use_case: UseCase,
    plain: &[u8],
    scene: &mut Scene<'_>,
) -> Result<Sealed, BadDraft> {
    let secret = brought
        .or(scene.secret.as_ref())
        .ok_or(BadDraft::SecretUnknown)?;
    let about = About {
        id: &of.id,
        author: &of.author.account(scene),
        modifier: scene.own,
    };
    let iv = scene.rng.bytes::<12>();
    Ok(Sealed {
        payload: Some(about.seal(secret, use_case, &iv, plain)),
        iv: Some(iv.to_vec()),
    })
}
