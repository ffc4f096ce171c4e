//! Is the server still there?
//!
//! ```text
//! <iq xmlns="w:p" type="get" to="s.whatsapp.net" id/>   every 20 to 30 s
//! ```
//! Source: spec "Keepalive". A connection is dead when nothing at all arrived within 20 s after the
//! first unanswered ping; a pending request alone never hides that.

use crate::jid::Jid;
use crate::secret::{Entropy, EntropyExt};
use crate::time::{Millis, Mono};
use crate::wap::Node;

const EVERY: Millis = Millis::from_secs(20);
const JITTER: Millis = Millis::from_secs(10);
const DEAD_AFTER: Millis = Millis::from_secs(20);

/// What is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Due {
    /// Close the connection: it is dead.
    Dead,
    /// Nothing yet.
    Nothing,
    /// Send a ping.
    Ping,
}

/// The watch over one connection.
#[derive(Debug)]
pub struct KeepAlive {
    next_ping: Mono,
    unanswered_since: Option<Mono>,
}

impl KeepAlive {
    /// Starts watching a new connection.
    pub fn start(now: Mono, rng: &mut dyn Entropy) -> Self {
        Self {
            next_ping: now.plus(interval(rng)),
            unanswered_since: None,
        }
    }

    /// Something arrived.
    pub fn heard(&mut self) {
        self.unanswered_since = None;
    }

    /// What is due at `now`; a ping counts as sent.
    pub fn tick(&mut self, now: Mono, rng: &mut dyn Entropy) -> Due {
        if self
            .unanswered_since
            .is_some_and(|since| since.plus(DEAD_AFTER) <= now)
        {
            return Due::Dead;
        }
        if self.next_ping > now {
            return Due::Nothing;
        }
        self.next_ping = now.plus(interval(rng));
        self.unanswered_since.get_or_insert(now);
        Due::Ping
    }

    /// When [`KeepAlive::tick`] has something to do.
    pub fn deadline(&self) -> Mono {
        let dead = self
            .unanswered_since
            .map_or(Mono(u64::MAX), |since| since.plus(DEAD_AFTER));
        dead.min(self.next_ping)
    }
}

/// The ping, without an id.
pub fn ping() -> Node {
    Node::new("iq")
        .attr("xmlns", "w:p")
        .attr("type", "get")
        .jid("to", Jid::whatsapp())
}

fn interval(rng: &mut dyn Entropy) -> Millis {
    let jitter = u32::try_from(JITTER.0).unwrap_or(0);
    Millis(EVERY.0 + u64::from(rng.below(jitter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zero;
    impl Entropy for Zero {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(0);
        }
    }

    #[test]
    fn silence_after_the_first_unanswered_ping_is_death() {
        let mut watch = KeepAlive::start(Mono(0), &mut Zero);
        assert_eq!(watch.tick(Mono(19_999), &mut Zero), Due::Nothing);
        assert_eq!(watch.tick(Mono(20_000), &mut Zero), Due::Ping);
        assert_eq!(watch.deadline(), Mono(40_000));
        assert_eq!(watch.tick(Mono(39_999), &mut Zero), Due::Nothing);
        assert_eq!(watch.tick(Mono(40_000), &mut Zero), Due::Dead);
    }

    #[test]
    fn anything_heard_keeps_it_alive() {
        let mut watch = KeepAlive::start(Mono(0), &mut Zero);
        watch.tick(Mono(20_000), &mut Zero);
        watch.heard();
        assert_eq!(watch.tick(Mono(40_000), &mut Zero), Due::Ping);
        assert_eq!(watch.tick(Mono(59_999), &mut Zero), Due::Nothing);
    }
}
