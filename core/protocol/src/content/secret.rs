//! What only those who can read a message may say about it: votes, answers.
//!
//! ```text
//! key   = HKDF-SHA256(messageSecret, no salt, id || author || modifier || use case, 32)
//! sealed = AES-256-GCM(key, iv, aad = id || 0 || modifier, plain)
//! ```
//! Source: the vectors `message_secret.json`; author and modifier are account addresses in the
//! namespace of the chat. The additional data is known of votes and answers only.

use crate::crypto::symmetric::{aes256_gcm_open, aes256_gcm_seal, hkdf_sha256};
use crate::jid::Jid;
use crate::secret::Secret;
use crate::verdict::MessageId;

/// What a key is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum UseCase {
    /// A comment.
    EncComment,
    /// A reaction where reactions are hidden.
    EncReaction,
    /// Another version of an event.
    EventEdit,
    /// An answer to an event.
    EventResponse,
    /// Another text for a message.
    MessageEdit,
    /// One more option for a poll.
    PollAddOption,
    /// Another version of a poll.
    PollEdit,
    /// A vote in a poll.
    PollVote,
    /// The token of a report.
    ReportToken,
}

impl UseCase {
    const fn label(self) -> &'static str {
        match self {
            Self::EncComment => "Enc Comment",
            Self::EncReaction => "Enc Reaction",
            Self::EventEdit => "Event Edit",
            Self::EventResponse => "Event Response",
            Self::MessageEdit => "Message Edit",
            Self::PollAddOption => "Poll Add Option",
            Self::PollEdit => "Poll Edit",
            Self::PollVote => "Poll Vote",
            Self::ReportToken => "Report Token",
        }
    }
}

/// Whose word it is, about which message of whom.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The message with the secret.
    pub id: &'a MessageId,
    /// Who sent it.
    pub author: &'a Jid,
    /// Who speaks now; the recipient for a report.
    pub modifier: &'a Jid,
}

impl About<'_> {
    /// The key for one use.
    pub fn key(&self, secret: &Secret<32>, use_case: UseCase) -> Secret<32> {
        let (author, modifier) = (self.author.account(), self.modifier.account());
        let parts = [
            self.id.as_str(),
            &author.reveal(),
            &modifier.reveal(),
            use_case.label(),
        ];
        Secret::new(hkdf_sha256(
            secret.expose(),
            None,
            parts.concat().as_bytes(),
        ))
    }

    /// Seals `plain` under the key of `use_case`.
    pub fn seal(
        &self,
        secret: &Secret<32>,
        use_case: UseCase,
        iv: &[u8; 12],
        plain: &[u8],
    ) -> Vec<u8> {
        let key = self.key(secret, use_case);
        aes256_gcm_seal(key.expose(), iv, &self.aad(), plain)
    }

    /// Reverses [`About::seal`]; `None` when it is not theirs.
    pub fn open(
        &self,
        secret: &Secret<32>,
        use_case: UseCase,
        iv: &[u8; 12],
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        let key = self.key(secret, use_case);
        aes256_gcm_open(key.expose(), iv, &self.aad(), sealed)
    }

    fn aad(&self) -> Vec<u8> {
        let modifier = self.modifier.account().reveal();
        [self.id.as_str(), "\0", &modifier].concat().into_bytes()
    }
}
