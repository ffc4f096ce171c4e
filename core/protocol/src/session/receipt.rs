//! Receipts: those that messages of others get, and those that ours get.
//!
//! ```text
//! -> <receipt id to [participant] [recipient] [type] [context]>[<list>]</receipt>
//! <- <receipt id from [participant] [type] [t]>[<list>][<participants key><user jid t/>..]</receipt>
//! ```
//! Source: spec "Receipts we send" and "Other receipts".

use crate::error::Fault;
use crate::event::{Event, ReceiptKind};
use crate::jid::Jid;
use crate::session::Session;
use crate::session::retry::Keys;
use crate::session::source::Source;
use crate::stream::ack::{self, Delivery};
use crate::time::UnixSeconds;
use crate::txn::Cx;
use crate::verdict::MessageId;
use crate::wap::Node;

impl Session {
    /// A message is here: its sender gets a receipt, which also is the answer to the server. Those
    /// of the offline backlog wait for others of their kind.
    pub(super) fn delivered(
        &mut self,
        cx: &mut Cx<'_>,
        message: &Node,
        source: &Source,
        own: &Jid,
    ) {
        if message.tag != "message" {
            // Whether a receipt alone consumes it is not known.
            self.answer(cx, ack::message_ack(message, own));
        }
        let Some(delivery) = Delivery::of(message, source.from_me, self.requests.is_available())
        else {
            return;
        };
        let waits = self.offline_queue.is_open()
            && message.value("offline").is_some()
            && !message.is("category", "peer");
        if !waits {
            self.send_receipt(cx, &delivery, core::slice::from_ref(&source.id));
        } else if self.receipts.add(delivery, source.id.clone()) {
            self.send_receipts(cx);
        }
    }

    /// Every receipt that waits for others leaves now.
    pub(super) fn send_receipts(&mut self, cx: &mut Cx<'_>) {
        for (delivery, ids) in self.receipts.take() {
            self.send_receipt(cx, &delivery, &ids);
        }
    }

    fn send_receipt(&mut self, cx: &mut Cx<'_>, delivery: &Delivery, ids: &[MessageId]) {
        self.inbox.receipted(delivery.sender(), ids);
        self.answer(cx, delivery.receipt(ids));
    }

    /// Somebody has a message of ours, or could not read it.
    pub(super) fn receipt(&mut self, cx: &mut Cx<'_>, receipt: &Node) -> Result<(), Fault> {
        match receipt.text("type").as_deref() {
            Some("retry") => {
                if let Some(address) = self.resend(cx, receipt, Keys::Known)? {
                    self.await_keys(cx, receipt, address);
                    return Ok(());
                }
            }
            // Calls: there are none here.
            Some("enc_rekey_retry") => {}
            kind => self.confirmed(cx, receipt, kind),
        }
        self.answer(cx, ack::ack(receipt));
        Ok(())
    }

    fn confirmed(&mut self, cx: &mut Cx<'_>, receipt: &Node, kind: Option<&str>) {
        let kind = match kind {
            None | Some("inactive" | "sender") => ReceiptKind::Delivered,
            Some("read" | "read-self") => ReceiptKind::Read,
            Some("played" | "played-self") => ReceiptKind::Played,
            Some(_) => ReceiptKind::Other,
        };
        let t = |node: &Node| node.number("t").map(UnixSeconds);
        for group in receipt.all("participants") {
            let id = group.text("key").and_then(|key| MessageId::parse(&key));
            for user in group.all("user") {
                if let (Some(id), Some(from)) = (&id, user.address("jid")) {
                    self.tell_receipt(cx, vec![id.clone()], from, kind, t(user));
                }
            }
        }
        let from = receipt
            .address("participant")
            .or_else(|| receipt.address("from"));
        if let Some(from) = from.filter(|_| receipt.find("participants").is_none()) {
            self.tell_receipt(cx, ack::receipt_ids(receipt), from, kind, t(receipt));
        }
    }

    fn tell_receipt(
        &mut self,
        cx: &mut Cx<'_>,
        ids: Vec<MessageId>,
        from: Jid,
        kind: ReceiptKind,
        t: Option<UnixSeconds>,
    ) {
        if let Some(account) = self
            .account
            .as_mut()
            .filter(|account| !account.is_own(&from))
        {
            account.arrived(cx, &ids);
        }
        cx.effect(Event::Receipt { ids, from, kind, t });
    }
}
