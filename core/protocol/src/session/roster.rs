//! What we know of groups: their metadata, their changes, and when our keys of them change.

use crate::error::Fault;
use crate::groups::marks;
use crate::groups::{self, AddressingMode, Notice};
use crate::jid::Jid;
use crate::peer::PeerKey;
use crate::send::{Answered, Outgoing, Stage};
use crate::session::Session;
use crate::session::queries::Purpose;
use crate::signal::senderkey;
use crate::stream::iq::IqEnd;
use crate::txn::Cx;
use crate::verdict::Cause;
use crate::wap::Node;

impl Session {
    /// Asks for a group's metadata, once for all who wait for it.
    pub(super) fn ask_group(
        &mut self,
        cx: &mut Cx<'_>,
        group: &Jid,
        known: Option<&groups::Group>,
    ) {
        let same = |purpose: &Purpose| matches!(purpose, Purpose::Group(asked) if asked == group);
        if !self.iqs.purposes().any(same) {
            let query = groups::query(group, known);
            self.ask(cx, query, Purpose::Group(group.clone()));
        }
    }

    /// The server has told a group's metadata, or why not.
    pub(super) fn group_told(
        &mut self,
        cx: &mut Cx<'_>,
        group: Jid,
        end: &IqEnd,
    ) -> Result<(), Fault> {
        let cause = match end {
            IqEnd::Error { code: 404, .. } => Some(Cause::RecipientNotFound),
            IqEnd::Error {
                code: 401 | 403, ..
            } => Some(Cause::NotAllowed),
            _ => None,
        };
        if let Some(cause) = cause {
            groups::forget(&mut cx.txn, &self.slot, &group);
            let waits = |send: &Outgoing| send.to == group && send.stage == Stage::Grouping;
            let all = std::mem::take(&mut self.sends).into_iter();
            let (refused, rest): (Vec<_>, Vec<_>) = all.partition(waits);
            self.sends = rest;
            for send in refused {
                self.end_send(cx, &send, cause)?;
            }
        }
        if let IqEnd::Result(answer) = end {
            let (told, mappings) = groups::parse(answer);
            self.learn_all(cx, &mappings)?;
            let now = cx.now.unix();
            groups::store(&mut cx.txn, &self.slot, &group, told, now)?;
        }
        self.resume(cx, &Answered::Group(group), end)
    }

    /// `w:gp2`: a group has changed.
    pub(super) fn group_changed(&mut self, cx: &mut Cx<'_>, node: &Node) -> Result<(), Fault> {
        let Some(notice) = Notice::parse(node) else {
            self.ignored += 1;
            return Ok(());
        };
        self.learn_all(cx, &notice.mappings)?;
        let Some(scope) = self.account_scope().cloned() else {
            return Ok(());
        };
        groups::apply(&mut cx.txn, &scope, &self.slot, &notice)?;
        for peer in notice.added() {
            let key = self.canonical(cx, peer)?;
            marks::forget_peer(&mut cx.txn, &self.slot, &notice.group, &key)?;
        }
        if notice.somebody_left() {
            self.rotate_key(cx, &notice.group);
        }
        Ok(())
    }

    /// The next message to the group starts another key.
    fn rotate_key(&self, cx: &mut Cx<'_>, group: &Jid) {
        for own in self.own_names() {
            senderkey::rotate(&mut cx.txn, &self.slot, group, &own);
        }
        marks::forget(&mut cx.txn, &self.slot, group);
    }

    /// An account was registered anew: whoever holds its old keys must not read on.
    pub(super) fn rotate_groups_of(&self, cx: &mut Cx<'_>, peer: &PeerKey) -> Result<(), Fault> {
        for group in marks::groups_of(&cx.txn, &self.slot, peer)? {
            self.rotate_key(cx, &group);
        }
        Ok(())
    }

    /// Our account under the names of a mode; `None` if we have none there.
    pub(super) fn own_named(&self, mode: AddressingMode) -> Option<PeerKey> {
        self.own_names().find(|own| mode.fits(own))
    }

    pub(super) fn own_names(&self) -> impl Iterator<Item = PeerKey> + use<> {
        let paired = self.device.paired();
        let jids = paired.map(|paired| [paired.lid.clone(), Some(paired.jid.clone())]);
        let jids = jids.into_iter().flatten().flatten();
        jids.filter_map(|jid| PeerKey::of(&jid))
    }
}
