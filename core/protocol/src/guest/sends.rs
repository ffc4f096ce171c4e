//! Messages that the host handed to its connection, until they are answered.

use std::collections::BTreeMap;

use crate::account::{Refused, Sent};
use crate::error::Fault;
use crate::event::Event;
use crate::guest::Guest;
use crate::jid::Jid;
use crate::limits::gate::RecipientHint;
use crate::tctoken::AttachRecord;
use crate::tctoken::policy::MessageKind;
use crate::time::UnixSeconds;
use crate::txn::Cx;
use crate::verdict::{MessageId, Outcome};

/// Messages remembered at a time; the oldest are forgotten first, and their answers then change
/// nothing.
const MOST: usize = 4_096;

/// What was handed over, by message id.
#[derive(Debug, Default)]
pub(super) struct Sends {
    /// Each with the number it came under.
    open: BTreeMap<MessageId, (u64, Handed)>,
    order: BTreeMap<u64, MessageId>,
    next: u64,
}

#[derive(Debug)]
struct Handed {
    to: Jid,
    carried: AttachRecord,
    built: UnixSeconds,
}

impl Sends {
    /// False for an id that was handed over before.
    fn add(&mut self, id: MessageId, handed: Handed) -> bool {
        if self.open.contains_key(&id) {
            return false;
        }
        if self.order.len() >= MOST
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.open.remove(&oldest);
        }
        self.order.insert(self.next, id.clone());
        self.open.insert(id, (self.next, handed));
        self.next += 1;
        true
    }

    fn take(&mut self, id: &MessageId) -> Option<Handed> {
        let (number, handed) = self.open.remove(id)?;
        self.order.remove(&number);
        Some(handed)
    }
}

impl Guest {
    pub(super) fn handed(
        &mut self,
        cx: &mut Cx<'_>,
        id: MessageId,
        to: Jid,
        kind: MessageKind,
    ) -> Result<(), Fault> {
        let now = self.server_now(cx);
        // The host has asked a moment ago what the message carries.
        let (names, attach) = match self.cache.get(&to, kind, now) {
            Some((names, attach)) => (names.clone(), attach.clone()),
            None => {
                let names = self.account.names(&cx.txn, &to)?;
                let attach = self.account.attach(&cx.txn, &to, &names, kind, now);
                (names, attach)
            }
        };
        let handed = Handed {
            to: to.clone(),
            carried: self.account.carried(&attach, now),
            built: now,
        };
        if !self.sends.add(id, handed) {
            self.ignored += 1;
            return Ok(());
        }
        let sent = Sent {
            to: &to,
            names: &names,
            kind,
            attached: attach.summary(),
            issue: !self.config.host_issues,
        };
        self.account.handed(cx, sent, now);
        Ok(())
    }

    pub(super) fn acked(
        &mut self,
        cx: &mut Cx<'_>,
        id: &MessageId,
        code: Option<u16>,
    ) -> Result<(), Fault> {
        let now = self.server_now(cx);
        let Some(handed) = self.sends.take(id) else {
            self.ignored += 1;
            return Ok(());
        };
        let Some(code) = code else {
            let (to, attached) = (&handed.to, handed.carried.attached);
            return self.account.accepted(cx, id, to, attached, now);
        };
        let refused = Refused {
            id: id.clone(),
            to: Some(handed.to),
            carried: handed.carried,
            hint: RecipientHint::Ordinary,
            built: handed.built,
            code,
        };
        self.account.refused(cx, refused, now)
    }

    /// What the account's machine asks for: work, and the ends of refused messages.
    pub(super) fn follow_account(&mut self, cx: &mut Cx<'_>) {
        for query in self.account.take_queries() {
            self.work.add(query, cx.now.mono);
        }
        for settled in self.account.take_settled() {
            cx.effect(Event::Settled(Outcome::Refused(settled.refusal)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nct::NoCstoken;
    use crate::tctoken::Attach;
    use crate::verdict::WhyNot;

    #[test]
    fn the_oldest_message_that_waits_is_forgotten_first() {
        let nothing = Attach::Nothing {
            token: WhyNot::NeverReceived,
            cstoken: NoCstoken::NoSalt,
        };
        let handed = || Handed {
            to: Jid::lid("7"),
            carried: nothing.summary().into(),
            built: UnixSeconds(1),
        };
        let id = |number: usize| MessageId::parse(&format!("M{number}")).unwrap();
        let mut sends = Sends::default();
        for number in 0..MOST {
            assert!(sends.add(id(number), handed()));
        }
        assert!(!sends.add(id(1), handed()), "it waits");
        assert!(sends.take(&id(0)).is_some());
        assert!(sends.add(id(MOST), handed()), "there is room again");
        assert!(sends.add(id(MOST + 1), handed()));
        assert!(sends.take(&id(1)).is_none(), "forgotten");
        assert!(sends.take(&id(2)).is_some());
        assert_eq!(sends.open.len(), sends.order.len());
    }
}
