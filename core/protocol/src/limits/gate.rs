//! The check before anything of a send leaves, typing and look-ups included.
//!
//! ```text
//! exempt: not a 1:1 chat, ourselves, a bot, enterprise or support account, or a valid tctoken
//! locked and not exempt -> AccountTimelocked until its end
//! capped and not exempt -> NewChatCapped until the end of the cycle
//! breaker open and not exempt -> CircuitOpen until the end of the pause
//! ```
//!
//! It reads what is known and asks nobody. A cstoken exempts from nothing (spec: "send gate").

use crate::limits::capping::Capped;
use crate::limits::timelock::Phase;
use crate::tctoken::Attach;
use crate::tctoken::policy::Class;
use crate::time::UnixSeconds;
use crate::verdict::{Cause, Refusal};

/// What a host knows about a recipient that its address does not tell.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum RecipientHint {
    /// A verified official business.
    Enterprise,
    /// Nothing special.
    #[default]
    Ordinary,
    /// WhatsApp's own support.
    Support,
}

/// The answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Gate {
    /// Go on.
    Allow,
    /// Refused here; nothing may be sent.
    Refuse(Refusal),
}

/// Whether a message may go on its way. `breaker` is the end of the circuit breaker's pause.
pub fn gate(
    class: Class,
    hint: RecipientHint,
    attach: &Attach,
    timelock: Phase,
    capped: Option<Capped>,
    breaker: Option<UnixSeconds>,
) -> Gate {
    if is_exempt(class, hint, attach) {
        return Gate::Allow;
    }
    let (cause, until) = match (timelock, capped, breaker) {
        (Phase::Active { until, .. }, _, _) => (Cause::AccountTimelocked, until),
        (_, Some(capped), _) => (Cause::NewChatCapped, capped.until),
        (_, _, Some(until)) => (Cause::CircuitOpen, until),
        (Phase::Inactive | Phase::Over | Phase::Unknown, None, None) => return Gate::Allow,
    };
    Gate::Refuse(Refusal {
        attached: attach.summary(),
        until: Some(until),
        ..Refusal::local(None, cause)
    })
}

fn is_exempt(class: Class, hint: RecipientHint, attach: &Attach) -> bool {
    class != Class::Contact || hint != RecipientHint::Ordinary || attach.has_token()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nct::NoCstoken;
    use crate::secret::SecretBytes;
    use crate::tctoken::policy::Freshness;
    use crate::tctoken::record::Source;
    use crate::verdict::WhyNot;

    const END: UnixSeconds = UnixSeconds(1_786_218_427);
    const LOCKED: Phase = Phase::Active {
        until: END,
        provisional: false,
    };
    const CAPPED: Capped = Capped {
        until: UnixSeconds(1_787_000_000),
        total: Some(50),
        used: Some(50),
    };

    const OPEN: Option<UnixSeconds> = Some(UnixSeconds(1_786_075_000));

    fn cold() -> Attach {
        Attach::Nothing {
            token: WhyNot::NeverReceived,
            cstoken: NoCstoken::NoSalt,
        }
    }

    fn refusal(gate: Gate) -> Option<(Cause, Option<UnixSeconds>)> {
        match gate {
            Gate::Allow => None,
            Gate::Refuse(refusal) => Some((refusal.cause, refusal.until)),
        }
    }

    #[test]
    fn a_lock_refuses_cold_contacts_until_its_end() {
        let cstoken = Attach::Cstoken {
            bytes: [0; 32],
            instead_of: WhyNot::NeverReceived,
        };
        for attach in [cold(), cstoken] {
            let Gate::Refuse(refused) = gate(
                Class::Contact,
                RecipientHint::Ordinary,
                &attach,
                LOCKED,
                Some(CAPPED),
                OPEN,
            ) else {
                panic!("a cold message passes");
            };
            assert_eq!(
                (refused.cause, refused.until),
                (Cause::AccountTimelocked, Some(END))
            );
            assert_eq!(refused.attached, attach.summary());
        }
    }

    #[test]
    fn a_cap_comes_before_the_breaker_and_each_says_its_own_end() {
        for phase in [Phase::Inactive, Phase::Over, Phase::Unknown] {
            let ordinary = RecipientHint::Ordinary;
            let answer = gate(Class::Contact, ordinary, &cold(), phase, Some(CAPPED), OPEN);
            assert_eq!(
                refusal(answer),
                Some((Cause::NewChatCapped, Some(CAPPED.until)))
            );
            let answer = gate(Class::Contact, ordinary, &cold(), phase, None, OPEN);
            assert_eq!(refusal(answer), Some((Cause::CircuitOpen, OPEN)));
            let answer = gate(Class::Contact, ordinary, &cold(), phase, None, None);
            assert_eq!(answer, Gate::Allow);
        }
    }

    #[test]
    fn tokens_hints_and_other_chats_are_exempt() {
        let token = Attach::Tctoken {
            bytes: SecretBytes::new(vec![1]),
            t: UnixSeconds(1),
            freshness: Freshness::Fresh,
            source: Source::Notification,
        };
        let ordinary = RecipientHint::Ordinary;
        let pass = |class, hint, attach: &Attach| {
            gate(class, hint, attach, LOCKED, Some(CAPPED), OPEN) == Gate::Allow
        };
        assert!(pass(Class::Contact, ordinary, &token));
        for hint in [RecipientHint::Enterprise, RecipientHint::Support] {
            assert!(pass(Class::Contact, hint, &cold()));
        }
        for class in [
            Class::Bot,
            Class::Broadcast,
            Class::Group,
            Class::Newsletter,
            Class::Other,
            Class::Own,
            Class::Psa,
        ] {
            assert!(pass(class, ordinary, &cold()), "{class:?}");
        }
    }
}
