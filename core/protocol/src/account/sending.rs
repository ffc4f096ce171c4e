//! One message: what it carries, whether it may leave, and how it ended.

use crate::account::Account;
use crate::error::StoreError;
use crate::jid::Jid;
use crate::limits::capping::CappingProps;
use crate::limits::gate::{Gate, RecipientHint, gate};
use crate::peer::Names;
use crate::tctoken::Attach;
use crate::tctoken::policy::{MessageKind, class};
use crate::time::UnixSeconds;
use crate::txn::{Cx, Txn};
use crate::verdict::Refusal;

/// The decision for a message at an instant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// Both names of the recipient, as far as they are known.
    pub names: Names,
    /// What the stanza carries.
    pub attach: Attach,
    /// Why it must not leave; nothing is asked and nothing is sent then.
    pub refusal: Option<Refusal>,
}

/// A message that was handed to the connection.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The wire recipient.
    pub to: &'a Jid,
    /// Its names, from the plan.
    pub names: &'a Names,
    /// What it is.
    pub kind: MessageKind,
}

impl Account {
    /// What a message to `to` carries, and whether it may leave. Reads what is stored and asks
    /// nobody.
    ///
    /// # Errors
    /// What the store says about the LID map; a store that fails for tokens costs the token only.
    pub fn plan(
        &mut self,
        txn: &Txn<'_>,
        to: &Jid,
        kind: MessageKind,
        hint: RecipientHint,
        now: UnixSeconds,
    ) -> Result<Plan, StoreError> {
        let names = self.names(txn, to)?;
        let attach = self.tokens.attach(txn, to, &names, kind, now);
        let capped = self.capping.capped(&CappingProps::default(), now);
        let class = class(to, self.own());
        let refusal = match gate(class, hint, &attach, self.timelock.phase(now), capped, None) {
            Gate::Allow => None,
            Gate::Refuse(refusal) => Some(refusal),
        };
        Ok(Plan {
            names,
            attach,
            refusal,
        })
    }

    /// A message was handed to the connection; our own token may be issued behind it.
    pub fn handed(&mut self, cx: &Cx<'_>, sent: Sent<'_>, now: UnixSeconds) {
        let due = self.tokens.sent(cx, sent.to, sent.names, sent.kind, now);
        self.issue(due);
    }
}
