//! From the handshake to a working session, and to its end.
//!
//! ```text
//! handshake -> <success t lid/> -> <iq xmlns="passive"><active/></iq> -> outbox again, new sends
//! ```

use crate::appstate::AppState;
use crate::device::{self, DeviceRecord, Forgotten};
use crate::effect::{Effect, Reconnect};
use crate::error::Fault;
use crate::event::{DisconnectReason, Event};
use crate::jid::Jid;
use crate::placeholder::Placeholders;
use crate::request::RequestError;
use crate::send::recent;
use crate::session::{Phase, Purpose, Session};
use crate::stream::keepalive::KeepAlive;
use crate::stream::offline;
use crate::time::{Millis, UnixSeconds};
use crate::txn::Cx;
use crate::txn::Scope;
use crate::verdict::Cause;
use crate::wap::Node;

/// How long the server may take to accept a login (spec: 30 s).
const LOGIN: Millis = Millis::from_secs(30);

impl Session {
    pub(super) fn established(&mut self, cx: &mut Cx<'_>) {
        self.attempts = self.attempts.saturating_add(1);
        self.routing_failures = 0;
        if self.device.paired().is_some() {
            self.phase = Phase::Authenticating;
            self.login_deadline = Some(cx.now.mono.plus(LOGIN));
        } else {
            self.phase = Phase::Pairing;
        }
        self.keepalive = Some(KeepAlive::start(cx.now.mono, cx.rng));
    }

    pub(super) fn success(&mut self, cx: &mut Cx<'_>, success: &Node) -> Result<(), Fault> {
        let waiting = self.login_deadline.is_some();
        let Some(paired) = self.device.paired_mut().filter(|_| waiting) else {
            self.ignored += 1;
            return Ok(());
        };
        self.login_deadline = None;
        paired.login_counter += 1;
        let first = !paired.server_has_prekeys;
        if let Some(t) = success.number("t") {
            self.device.clock.observe(UnixSeconds(t), cx.now);
        }
        self.save_device(cx);
        if first {
            // Nobody can start a session with us before the server has keys of ours.
            return self.top_up(cx, 0);
        }
        self.check_prekeys(cx);
        self.activate(cx)
    }

    /// We are ready: the server delivers what it kept, and sending works.
    pub(super) fn activate(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        self.phase = Phase::Online;
        let active = Node::new("iq")
            .attr("xmlns", "passive")
            .attr("type", "set")
            .jid("to", Jid::whatsapp())
            .child(Node::new("active"));
        self.ask(cx, active, Purpose::Active);
        let now = self.server_now(cx);
        if let Some(account) = &mut self.account {
            account.connected(cx, now);
            account.tick(cx, now)?;
        }
        recent::prune(cx, &self.slot, now)?;
        self.app_state.connected(cx, &self.slot)?;
        cx.effect(Event::Connected);
        self.outbox.resend_all(cx, &self.slot)?;
        self.history_online(cx);
        self.progress(cx)
    }

    pub(super) fn tick_offline_queue(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        match self.offline_queue.tick(cx.now.mono) {
            offline::Due::Batch => {
                self.send_receipts(cx);
                self.transmit(cx, &offline::batch());
            }
            offline::Due::End => self.offline_ended(cx)?,
            offline::Due::Nothing => {}
        }
        Ok(())
    }

    pub(super) fn offline_ended(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        self.offline_queue.ended();
        self.send_receipts(cx);
        self.backlog(cx, false);
        self.tick_account(cx)
    }

    pub(super) fn backlog(&mut self, cx: &Cx<'_>, open: bool) {
        if let Some(account) = &mut self.account {
            account.backlog(cx, open);
        }
    }

    /// Unlinks this device: tells the server if there is a connection, deletes the credentials
    /// whatever it says. Without a link there is nothing to do.
    pub(super) fn logout(&mut self, cx: &mut Cx<'_>, keep_tokens: bool) -> Result<(), Fault> {
        let Some(paired) = self.device.paired() else {
            return Ok(());
        };
        if self.phase == Phase::Online {
            let remove = Node::new("remove-companion-device")
                .jid("jid", paired.jid.clone())
                .attr("reason", "user_initiated");
            let request = Node::new("iq")
                .attr("xmlns", "md")
                .attr("type", "set")
                .jid("to", Jid::whatsapp())
                .child(remove);
            let id = self.iqs.id();
            self.transmit(cx, &request.attr("id", id));
        }
        if let Some(scope) = self.account_scope().filter(|_| !keep_tokens).cloned() {
            erase(cx, &scope)?;
        }
        self.forget(cx)?;
        self.offline(cx)?;
        cx.effect(Event::LoggedOut {
            reason: DisconnectReason::Stopped,
        });
        cx.effect(Effect::Disconnect(Reconnect::Stop));
        Ok(())
    }

    /// Everything stored for the account goes; the link stays.
    pub(super) fn forget_account(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let now = self.server_now(cx);
        if let Some(account) = &mut self.account {
            account.forget(cx, now)?;
            // The salt comes from there.
            self.app_state.begin_anew(cx, &self.slot)?;
        }
        Ok(())
    }

    /// The link is gone: nothing of this device is worth anything any more.
    pub(super) fn forget(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        self.drop_sends(cx, Cause::LoggedOut);
        for (op, id) in self.outbox.release() {
            super::lose(cx, op, id, false);
        }
        self.stop_account(cx)?;
        self.end_requests(cx, &RequestError::ConnectionLost);
        erase(cx, &self.slot)?;
        self.device = DeviceRecord::load_or_create(cx, &self.slot)?;
        self.outbox = crate::send::outbox::Outbox::default();
        self.inbox = crate::inbox::Inbox::default();
        self.history = super::history::Parts::default();
        self.media.forget();
        self.app_state = AppState::default();
        self.placeholders = Placeholders::default();
        self.account = None;
        Ok(())
    }
}

/// Deletes all rows of a scope in this step.
fn erase(cx: &mut Cx<'_>, scope: &Scope) -> Result<(), Fault> {
    while device::forget(&mut cx.txn, scope)? == Forgotten::More {}
    Ok(())
}
