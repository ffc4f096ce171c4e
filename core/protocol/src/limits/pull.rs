//! One question to the server for everybody who wants the answer.

use crate::time::{Millis, Mono};

/// Refusals within this time share one answer. Shorter would ask once per refused message; longer
/// would explain a refusal by a state that is over.
pub const FRESH: Millis = Millis::from_secs(30);

/// Why the state is wanted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// Logged in, and the server has delivered what we missed.
    Connected,
    /// The known end has passed.
    Ended,
    /// The host asked.
    Host,
    /// A message was refused.
    Refused,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Pull {
    /// Send the question and report its end.
    Ask,
    /// The answer to a question asked before is not older than [`FRESH`]; true if there was one.
    Fresh(bool),
    /// A question is on its way; wait for its end.
    Join,
}

/// Questions of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pulls {
    asking: Option<Reason>,
    /// The last question after a refusal. One that was asked for another reason may be older than
    /// what the server refused for.
    last: Option<(Mono, bool)>,
}

impl Pulls {
    /// Whether to ask now.
    pub fn want(&mut self, reason: Reason, now: Mono) -> Pull {
        if self.asking.is_some() {
            return Pull::Join;
        }
        match self.last {
            Some((at, answered)) if reason == Reason::Refused && now.since(at) < FRESH => {
                Pull::Fresh(answered)
            }
            _ => {
                self.asking = Some(reason);
                Pull::Ask
            }
        }
    }

    /// The question ended, with an answer or without. False when none was asked.
    pub fn ended(&mut self, answered: bool, now: Mono) -> bool {
        let asked = self.asking.take();
        if asked == Some(Reason::Refused) {
            self.last = Some((now, answered));
        }
        asked.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_refusals_ask_once_in_thirty_seconds() {
        let mut pulls = Pulls::default();
        assert_eq!(pulls.want(Reason::Refused, Mono(0)), Pull::Ask);
        assert_eq!(pulls.want(Reason::Refused, Mono(1)), Pull::Join);
        assert!(pulls.ended(true, Mono(100)));
        assert_eq!(pulls.want(Reason::Refused, Mono(30_099)), Pull::Fresh(true));
        assert_eq!(pulls.want(Reason::Refused, Mono(30_100)), Pull::Ask);
        assert!(pulls.ended(false, Mono(30_200)));
        assert_eq!(
            pulls.want(Reason::Refused, Mono(30_300)),
            Pull::Fresh(false)
        );
        assert_eq!(pulls.want(Reason::Host, Mono(30_300)), Pull::Ask);
    }

    #[test]
    fn an_end_without_a_question_counts_for_nothing() {
        let mut pulls = Pulls::default();
        assert!(!pulls.ended(true, Mono(0)));
        assert_eq!(pulls.want(Reason::Refused, Mono(1)), Pull::Ask);
    }
}
