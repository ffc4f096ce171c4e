//! Pairing within a session: after the link there is an account, and the connection restarts.

use crate::error::Fault;
use crate::session::{Phase, Session};
use crate::txn::Cx;
use crate::wap::Node;

impl Session {
    pub(super) fn pair(&mut self, cx: &mut Cx<'_>, iq: &Node) -> Result<(), Fault> {
        let was_linked = self.device.paired().is_some();
        self.pairing.handle(cx, &self.slot, &mut self.device, iq)?;
        if !was_linked && self.device.paired().is_some() {
            self.load_account(cx)?;
            let now = self.server_now(cx);
            if let Some(account) = &self.account {
                account.linked(cx, now)?;
            }
        }
        Ok(())
    }

    pub(super) fn tick_pairing(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let was_showing = self.pairing.deadline().is_some();
        self.pairing.tick(cx, &self.device);
        let gave_up = was_showing && self.pairing.deadline().is_none();
        if gave_up && self.phase == Phase::Pairing {
            self.offline(cx)?;
        }
        Ok(())
    }

    pub(super) fn refresh_qr(&mut self, cx: &mut Cx<'_>, notification: &Node) {
        self.pairing
            .refresh(cx, &self.slot, &mut self.device, notification);
    }
}
