//! The question before a send: what does it carry, and may it leave?

use crate::guest::Guest;
use crate::jid::Jid;
use crate::limits::gate::RecipientHint;
use crate::nct::NoCstoken;
use crate::tctoken::Attach;
use crate::tctoken::policy::MessageKind;
use crate::time::Now;
use crate::txn::{Reader, Txn};
use crate::verdict::{Refusal, WhyNot};

/// The decision for one message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GuestPlan {
    /// What the stanza carries.
    pub attach: Attach,
    /// Why it must not leave; `None` when it may.
    pub refusal: Option<Refusal>,
}

impl Guest {
    /// What a message to `to` carries at `now`, and whether it may leave. Asks nobody; a contact
    /// that was asked about lately is answered from memory. Never fails: without a readable store
    /// the message goes on without a token.
    pub fn plan(
        &mut self,
        now: Now,
        reader: &dyn Reader,
        to: &Jid,
        kind: MessageKind,
        hint: RecipientHint,
    ) -> GuestPlan {
        let server = self.clock.unix(now);
        if let Some((_, attach)) = self.cache.get(to, kind, server) {
            let refusal = self.account.gate(to, hint, attach, server);
            return GuestPlan {
                attach: attach.clone(),
                refusal,
            };
        }
        let txn = Txn::reading(reader);
        let Ok(names) = self.account.names(&txn, to) else {
            let attach = Attach::Nothing {
                token: WhyNot::StoreError,
                cstoken: NoCstoken::StoreError,
            };
            let refusal = self.account.gate(to, hint, &attach, server);
            return GuestPlan { attach, refusal };
        };
        let attach = self.account.attach(&txn, to, &names, kind, server);
        let failed = matches!(
            attach,
            Attach::Nothing {
                token: WhyNot::StoreError,
                ..
            } | Attach::Cstoken {
                instead_of: WhyNot::StoreError,
                ..
            }
        );
        if kind != MessageKind::Peer && !failed {
            let until = self.account.attach_holds_until(server);
            self.cache.put(to, (names, attach.clone()), server, until);
        }
        let refusal = self.account.gate(to, hint, &attach, server);
        GuestPlan { attach, refusal }
    }
}
