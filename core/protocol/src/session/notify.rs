//! Notifications: every one is answered once, after what it brought is part of the step.

use crate::devices::{Notification, OwnList};
use crate::error::Fault;
use crate::peer::{DeviceAddress, PeerKey};
use crate::prekeys;
use crate::session::Session;
use crate::stream::ack;
use crate::txn::Cx;
use crate::wap::Node;
use crate::{devices, signal};

impl Session {
    pub(super) fn notification(&mut self, cx: &mut Cx<'_>, node: &Node) -> Result<(), Fault> {
        if self.tell_account(cx, node)? {
            self.answer(cx, ack::ack(node));
            return Ok(());
        }
        match node.text("type").as_deref() {
            Some("account_sync" | "devices") => self.devices_changed(cx, node)?,
            Some("companion_reg_refresh") => self.refresh_qr(cx, node),
            Some("link_code_companion_reg") => self.phone_speaks(cx, node)?,
            Some("encrypt") => self.keys_notice(cx, node)?,
            Some("crsc_continuation" | "passkey_prologue_request") => {
                self.passkey_told(cx, node)?;
            }
            Some("mediaretry") => self.uploaded_again(cx, node)?,
            Some("mex") => self.ignored += 1,
            Some("server_sync") => self.app_state.notified(cx, &self.slot, node)?,
            Some("w:gp2") => self.group_changed(cx, node)?,
            _ => {}
        }
        self.answer(cx, ack::ack(node));
        Ok(())
    }

    /// `encrypt`: the server runs out of our keys, or a peer has new ones.
    fn keys_notice(&mut self, cx: &mut Cx<'_>, node: &Node) -> Result<(), Fault> {
        if let Some(left) = prekeys::upload::count(node) {
            self.top_up(cx, left)?;
        }
        if node.find("digest").is_some() {
            self.ask_digest(cx);
        }
        if node.find("identity").is_some()
            && let Some(from) = node.address("from")
            && let Some(address) = self.address(cx, &from)?
        {
            self.reset_peer(cx, &address)?;
            // Of our own phone nobody needs to hear, and no token is ours to issue.
            if !self.is_own(&from) {
                self.identity_changed(cx, &address)?;
            }
        }
        Ok(())
    }

    /// The keys of that device are void; of the primary device, those of the whole account.
    fn reset_peer(&mut self, cx: &mut Cx<'_>, address: &DeviceAddress) -> Result<(), Fault> {
        if address.device == 0 {
            return Ok(devices::forget_peer(
                &mut cx.txn,
                &self.slot,
                &address.peer,
            )?);
        }
        signal::delete_session(&mut cx.txn, &self.slot, address);
        Ok(())
    }

    fn devices_changed(&mut self, cx: &mut Cx<'_>, node: &Node) -> Result<(), Fault> {
        if node.find("privacy").is_some() {
            self.requests.privacy_changed();
        }
        if let Some(own) = OwnList::parse(node).filter(|_| node.is("type", "account_sync")) {
            let key = self.canonical(cx, own.account())?;
            devices::apply_own(cx, &self.slot, &key, &own);
        }
        if let Some(change) = Notification::parse(node).filter(|_| node.is("type", "devices")) {
            if let Some(pair) = &change.mapping {
                self.learn(cx, pair)?;
            }
            if let Some(peer) = PeerKey::of(&change.account) {
                let key = self.canonical(cx, &peer)?;
                devices::apply(&mut cx.txn, &self.slot, &key, &change)?;
            }
        }
        Ok(())
    }
}
