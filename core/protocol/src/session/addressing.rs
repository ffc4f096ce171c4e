//! Which of a contact's two names a message goes to.
//!
//! An account whose chats have moved to LIDs writes to LIDs; one that has not is refused with 400 for
//! it, and one that has may be refused, or silently dropped, for a number. The phone tells: when it
//! links us, in its history, or when the account moves. While nobody has told, LIDs are tried first.
//! Source: spec "Which namespace".

use crate::error::Fault;
use crate::jid::Jid;
use crate::peer::PeerKey;
use crate::session::Session;
use crate::txn::Cx;
use crate::verdict::MessageId;

impl Session {
    /// Whether the account's chats are addressed by LID; `None` while nobody has told.
    pub(super) fn lid_migrated(&self) -> Option<bool> {
        self.device.paired()?.lid_migrated
    }

    /// Somebody has told. An account does not move back.
    pub(super) fn migrated(&mut self, cx: &mut Cx<'_>, by_lid: bool) {
        if let Some(paired) = self.device.paired_mut()
            && paired.lid_migrated != Some(true)
            && paired.lid_migrated != Some(by_lid)
        {
            paired.lid_migrated = Some(by_lid);
            self.save_device(cx);
            self.tell_background();
        }
    }

    /// The server has refused a message; true when it was for a LID that it may not go to, and it is
    /// built once more for the number, under the same id.
    pub(super) fn lid_refused(
        &mut self,
        cx: &mut Cx<'_>,
        id: &MessageId,
        code: u16,
    ) -> Result<bool, Fault> {
        if code != 400 || self.lid_migrated().is_some() {
            return Ok(false);
        }
        let record = self.outbox.peek(&cx.txn, &self.slot, id)?;
        let (Some(to), Some(hint)) = (
            record.as_ref().and_then(|record| record.recipient()),
            record.as_ref().map(|record| record.hint()),
        ) else {
            return Ok(false);
        };
        let Some(pn) = self.number_of(cx, &to)?.filter(|_| to.is_lid()) else {
            return Ok(false);
        };
        self.build_anew(cx, id, pn.jid(), hint, true)
    }

    /// The server took a message to `to`. If it is a number, and nobody has told, it was one that was
    /// refused for the LID: the account has not moved.
    pub(super) fn took_number(&mut self, cx: &mut Cx<'_>, to: Option<&Jid>) {
        if self.lid_migrated().is_none() && to.is_some_and(Jid::is_pn) {
            self.migrated(cx, false);
        }
    }

    /// The server says that the LID of a contact is another one now: it is asked for.
    pub(super) fn refresh_lid(&mut self, cx: &mut Cx<'_>, to: Option<&Jid>) -> Result<(), Fault> {
        if let Some(to) = to
            && let Some(pn) = self.number_of(cx, to)?
        {
            self.ask_lid(cx, &pn);
        }
        Ok(())
    }

    fn number_of(&self, cx: &Cx<'_>, to: &Jid) -> Result<Option<PeerKey>, Fault> {
        let Some(account) = self.account.as_ref().filter(|_| to.is_user()) else {
            return Ok(None);
        };
        Ok(account.names(&cx.txn, to)?.pn)
    }
}
