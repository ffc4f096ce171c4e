//! How long not to ask again after "too often".
//!
//! ```text
//! <error code="429" [backoff]/>     `backoff` seconds, else 5, 10, 20 .. 300 s, each within 10 %
//! ```
//! Source: spec "Rate limiting".

use crate::secret::{Entropy, EntropyExt};
use crate::time::{Millis, Mono};

const FIRST: u64 = 5_000;
const LONGEST: u64 = 300_000;

/// The pause of one kind of question.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pause {
    until: Option<Mono>,
    refusals: u32,
}

impl Pause {
    /// The server said so; how long it lasts from now.
    pub fn begin(&mut self, now: Mono, backoff: Option<u32>, rng: &mut dyn Entropy) -> Millis {
        let wait = match backoff {
            Some(seconds) => Millis::from_secs(seconds.into()),
            None => {
                let doubled = FIRST << self.refusals.min(6);
                let millis = doubled.min(LONGEST);
                let tenth = u32::try_from(millis / 10).unwrap_or(0);
                Millis(millis - u64::from(tenth) + u64::from(rng.below(2 * tenth + 1)))
            }
        };
        self.refusals = self.refusals.saturating_add(1);
        self.until = Some(now.plus(wait));
        wait
    }

    /// A question was answered.
    pub fn end(&mut self) {
        *self = Self::default();
    }

    /// Whole seconds until one may ask again; `None` when one may now.
    pub fn left(&self, now: Mono) -> Option<u32> {
        let until = self.until.filter(|until| *until > now)?;
        let seconds = until.since(now).0.div_ceil(1000);
        Some(u32::try_from(seconds).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Seeded;

    #[test]
    fn the_servers_word_counts() {
        let mut pause = Pause::default();
        assert_eq!(pause.left(Mono(0)), None);
        let wait = pause.begin(Mono(500), Some(60), &mut Seeded::new(1));
        assert_eq!(wait, Millis::from_secs(60));
        assert_eq!(pause.left(Mono(500)), Some(60));
        assert_eq!(pause.left(Mono(60_499)), Some(1));
        assert_eq!(pause.left(Mono(60_500)), None);
    }

    #[test]
    fn without_a_word_the_pause_doubles_up_to_five_minutes_until_an_answer() {
        let mut pause = Pause::default();
        let mut rng = Seeded::new(1);
        let mut waits = Vec::new();
        for _ in 0..9 {
            waits.push(pause.begin(Mono(0), None, &mut rng).0);
        }
        let expected = [5, 10, 20, 40, 80, 160, 300, 300, 300];
        for (wait, seconds) in waits.iter().zip(expected) {
            let exact = seconds * 1000;
            let range = (exact - exact / 10)..=(exact + exact / 10);
            assert!(range.contains(wait), "{wait} is not about {seconds} s");
        }
        pause.end();
        assert!(pause.begin(Mono(0), None, &mut rng).0 <= 5_500);
    }
}
