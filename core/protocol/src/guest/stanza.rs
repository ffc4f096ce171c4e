//! Facts from raw stanzas, for hosts that can show what arrives.

use crate::error::Fault;
use crate::guest::{Guest, WorkEnd};
use crate::lidmap::Mapping;
use crate::stream::ack;
use crate::time::UnixSeconds;
use crate::txn::Cx;
use crate::verdict::MessageId;
use crate::wap::Node;

impl Guest {
    /// Takes from a stanza what concerns tokens and limits; every other stanza changes nothing.
    pub(super) fn stanza(&mut self, cx: &mut Cx<'_>, node: &Node) -> Result<(), Fault> {
        match &*node.tag {
            "ack" => self.ack_stanza(cx, node),
            "ib" => {
                self.info_stanza(cx, node);
                Ok(())
            }
            "iq" => self.iq_stanza(cx, node),
            "message" => self.message_stanza(cx, node),
            "notification" => self.notification_stanza(cx, node),
            "receipt" => {
                self.receipt_stanza(cx, node);
                Ok(())
            }
            "success" => {
                if let Some(t) = node.number("t") {
                    self.clock.observe(UnixSeconds(t), cx.now);
                }
                self.connected(cx);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn ack_stanza(&mut self, cx: &mut Cx<'_>, ack: &Node) -> Result<(), Fault> {
        if !ack.is("class", "message") {
            return Ok(());
        }
        let Some(id) = ack.text("id").and_then(|id| MessageId::parse(&id)) else {
            self.ignored += 1;
            return Ok(());
        };
        let code = ack.value("error").map(|_| ack.number("error").unwrap_or(0));
        self.acked(cx, &id, code)
    }

    fn info_stanza(&mut self, cx: &Cx<'_>, info: &Node) {
        if let Some(preview) = info.find("offline_preview") {
            let any = preview.number::<u32>("count").unwrap_or(0) > 0;
            self.account.backlog(cx, any);
        }
        if info.find("offline").is_some() {
            self.account.backlog(cx, false);
        }
    }

    fn iq_stanza(&mut self, cx: &mut Cx<'_>, iq: &Node) -> Result<(), Fault> {
        match iq.text("id").and_then(|id| self.work.of_iq(&id)) {
            Some(work) => self.work_done(cx, work, WorkEnd::of(iq)),
            None => Ok(()),
        }
    }

    fn message_stanza(&mut self, cx: &mut Cx<'_>, message: &Node) -> Result<(), Fault> {
        let now = self.server_now(cx);
        for pair in Mapping::all_in(message) {
            self.learn(cx, &pair)?;
        }
        match message.address("from").filter(|from| from.is_user()) {
            Some(from) => self.account.wrote(cx, &from, now),
            None => Ok(()),
        }
    }

    fn notification_stanza(&mut self, cx: &mut Cx<'_>, node: &Node) -> Result<(), Fault> {
        let now = self.server_now(cx);
        if self.account.notification(cx, &self.slot, node, now)? {
            self.cache.clear();
            return Ok(());
        }
        match node.address("from") {
            Some(from) if node.is("type", "encrypt") && node.find("identity").is_some() => {
                self.account.identity_changed(cx, &from, now)
            }
            _ => Ok(()),
        }
    }

    fn receipt_stanza(&mut self, cx: &mut Cx<'_>, receipt: &Node) {
        let from = receipt
            .address("participant")
            .or_else(|| receipt.address("from"));
        let theirs = from.is_some_and(|from| !self.account.is_own(&from));
        if theirs && !receipt.is("type", "retry") {
            self.account.arrived(cx, &ack::receipt_ids(receipt));
        }
    }
}
