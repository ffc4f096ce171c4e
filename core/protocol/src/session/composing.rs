//! From what a host asked for to the bytes of a message.

use crate::content::draft::{Author, Scene};
use crate::content::{self, About, Draft, Shape, reporting};
use crate::error::Fault;
use crate::jid::Jid;
use crate::peer::PeerKey;
use crate::secret::Secret;
use crate::secrets;
use crate::send::{Outgoing, Payload, recent};
use crate::session::{Content, Session};
use crate::txn::Cx;

/// A message as it will be encrypted.
pub(super) struct Composed {
    /// The encoded `Message`, unpadded.
    pub(super) bytes: Vec<u8>,
    /// What its stanza says.
    pub(super) shape: Shape,
    /// What lets the recipient report it.
    pub(super) reporting: Option<[u8; 16]>,
}

impl Session {
    /// Takes content in; `None` for what cannot be sent.
    pub(super) fn payload(&self, cx: &mut Cx<'_>, to: &Jid, content: Content) -> Option<Payload> {
        let bytes = match content {
            Content::Draft(draft) => {
                // Whether the secret is known is certain only when earlier messages have left.
                let any = Some(Secret::new([0; 32]));
                let own = self.own_names().next()?;
                self.write(cx, &draft, &own, to, any)?;
                return Some(Payload::Draft(draft));
            }
            Content::Raw(bytes) => bytes,
            Content::Text(text) => content::text(&text)?,
        };
        content::shape(&bytes)
            .is_ok()
            .then_some(Payload::Ready(bytes))
    }

    /// The bytes of a message from `own` to the chat `to`, both in the stanza's namespace; `None` when
    /// it refers to something that is not known here.
    pub(super) fn compose(
        &self,
        cx: &mut Cx<'_>,
        send: &Outgoing,
        own: &PeerKey,
        to: &Jid,
    ) -> Result<Option<Composed>, Fault> {
        let bytes = match &send.payload {
            Payload::Draft(draft) => {
                let secret = self.secret_of(cx, draft, own, to)?;
                self.write(cx, draft, own, to, secret)
            }
            Payload::Ready(bytes) => Some(bytes.clone()),
        };
        let Some(mut bytes) = bytes else {
            return Ok(None);
        };
        if self.config.device.reporting_tokens {
            bytes = reporting::prepare(bytes, cx.rng);
        }
        let Ok(shape) = content::shape(&bytes) else {
            return Ok(None);
        };
        let reporting = self.report(send, &bytes, own, to);
        Ok(Some(Composed {
            bytes,
            shape,
            reporting,
        }))
    }

    fn write(
        &self,
        cx: &mut Cx<'_>,
        draft: &Draft,
        own: &PeerKey,
        to: &Jid,
        secret: Option<Secret<32>>,
    ) -> Option<Vec<u8>> {
        let mut scene = Scene {
            chat: to,
            own: &own.jid(),
            now: self.device.clock.millis(cx.now),
            rng: cx.rng,
            secret,
        };
        draft.compose(&mut scene).ok()
    }

    /// The secret of the message that a draft answers: one of this device, or one that came in.
    fn secret_of(
        &self,
        cx: &Cx<'_>,
        draft: &Draft,
        own: &PeerKey,
        chat: &Jid,
    ) -> Result<Option<Secret<32>>, Fault> {
        let Some(of) = draft.wants_secret_of() else {
            return Ok(None);
        };
        let author = match &of.author {
            Author::Me => Some(own.clone()),
            Author::Member(member) => PeerKey::of(member),
            Author::Peer => PeerKey::of(chat),
        };
        if of.author == Author::Me
            && let Some(sent) = recent::find(&cx.txn, &self.slot, &of.id)?
        {
            return Ok(content::message_secret(&sent.payload));
        }
        match author {
            Some(author) => {
                let author = self.canonical(cx, &author)?;
                Ok(secrets::find(&cx.txn, &self.slot, &author, &of.id)?)
            }
            None => Ok(None),
        }
    }

    fn report(&self, send: &Outgoing, message: &[u8], own: &PeerKey, to: &Jid) -> Option<[u8; 16]> {
        if !self.config.device.reporting_tokens {
            return None;
        }
        let about = About {
            id: &send.id,
            author: &own.jid(),
            modifier: to,
        };
        reporting::token(message, &about)
    }
}
