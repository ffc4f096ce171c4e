//! Pairing within a session: after the link there is an account, and the connection restarts.

use crate::error::Fault;
use crate::event::{Event, PairFailure};
use crate::pair::code::CodeRequest;
use crate::pair::passkey::PasskeyAnswer;
use crate::pair::{self, Next};
use crate::session::{Purpose, Session};
use crate::stream::iq::IqEnd;
use crate::txn::Cx;
use crate::wap::Node;

impl Session {
    pub(super) fn pair(&mut self, cx: &mut Cx<'_>, iq: &Node) -> Result<(), Fault> {
        let was_linked = self.device.paired().is_some();
        let next = self.pairing.handle(cx, &self.slot, &mut self.device, iq)?;
        if !was_linked && self.device.paired().is_some() {
            self.load_account(cx)?;
            let now = self.server_now(cx);
            if let Some(account) = &self.account {
                account.linked(cx, now)?;
            }
        }
        self.go_on(cx, next)
    }

    pub(super) fn pair_by_code(
        &mut self,
        cx: &mut Cx<'_>,
        request: CodeRequest,
    ) -> Result<(), Fault> {
        if self.device.paired().is_some() {
            let reason = PairFailure::AlreadyLinked;
            cx.effect(Event::PairFailed { reason });
            return Ok(());
        }
        let next = self.pairing.want_code(cx, &self.device, request);
        self.go_on(cx, next)
    }

    pub(super) fn pairing_answered(
        &mut self,
        cx: &mut Cx<'_>,
        request: pair::Request,
        end: &IqEnd,
    ) -> Result<(), Fault> {
        let next = self.pairing.answered(cx, &self.device, request, end);
        self.go_on(cx, next)
    }

    /// A `passkey_prologue_request` or `crsc_continuation` notification.
    pub(super) fn passkey_told(&mut self, cx: &mut Cx<'_>, told: &Node) -> Result<(), Fault> {
        let next = self.pairing.passkey_told(cx, &self.device, told);
        self.go_on(cx, next)
    }

    pub(super) fn passkey_signed(
        &mut self,
        cx: &mut Cx<'_>,
        answer: PasskeyAnswer,
    ) -> Result<(), Fault> {
        let next = self.pairing.passkey_signed(cx, answer);
        self.go_on(cx, next)
    }

    pub(super) fn passkey_confirmed(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let next = self
            .pairing
            .passkey_confirmed(cx, &self.slot, &mut self.device);
        self.go_on(cx, next)
    }

    /// A `link_code_companion_reg` notification: the phone speaks.
    pub(super) fn phone_speaks(&mut self, cx: &mut Cx<'_>, told: &Node) -> Result<(), Fault> {
        let next = self.pairing.phone(cx, &self.slot, &mut self.device, told);
        self.go_on(cx, next)
    }

    pub(super) fn tick_pairing(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let next = self.pairing.tick(cx, &self.device);
        self.go_on(cx, next)
    }

    pub(super) fn refresh_qr(&mut self, cx: &mut Cx<'_>, notification: &Node) {
        self.pairing
            .refresh(cx, &self.slot, &mut self.device, notification);
    }

    fn go_on(&mut self, cx: &mut Cx<'_>, next: Next) -> Result<(), Fault> {
        match next {
            Next::Ask(request, order) => self.ask(cx, order, Purpose::Pair(request)),
            Next::GaveUp => self.offline(cx)?,
            Next::Wait => {}
        }
        Ok(())
    }
}
