//! Our keys at the server: enough of them, the right ones, and not too old.
//!
//! ```text
//! login -> count -> upload if low -> rotate the signed prekey if due
//! upload failed -> again after 1, 2, 3, 5 .. 610 s, or what the server says
//! <notification type="encrypt"><digest/> -> digest -> upload anew if it differs
//! ```
//! Source: spec 6.3 and 6.4. Uploads go before rotations, never two at a time.

use crate::error::Fault;
use crate::prekeys::digest::{self, Verdict};
use crate::prekeys::{rotate, upload};
use crate::session::{Phase, Purpose, Session};
use crate::stream::iq::IqEnd;
use crate::time::{Millis, Mono};
use crate::txn::Cx;

/// The longest wait between two attempts to upload, in seconds.
const LONGEST: u64 = 610;

/// What is to be done for our keys.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    /// Uploads in a row that the server did not take.
    failures: u32,
    /// When the next attempt is, on this connection.
    retry: Option<Mono>,
    /// When the signed prekey is looked at again.
    rotate: Option<Mono>,
    /// Everything was uploaded anew because of a difference; a second time would find the same.
    repaired: bool,
}

impl Upkeep {
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.retry.into_iter().chain(self.rotate).min()
    }

    pub(super) const fn disconnected(&mut self) {
        self.failures = 0;
        self.retry = None;
        self.rotate = None;
    }

    fn failed(&mut self, now: Mono, end: &IqEnd) {
        let wait = match end {
            IqEnd::Error {
                backoff: Some(seconds),
                ..
            } => u64::from(*seconds),
            _ => fibonacci(self.failures),
        };
        self.failures = self.failures.saturating_add(1);
        self.retry = Some(now.plus(Millis::from_secs(wait)));
    }
}

/// 1, 2, 3, 5 ..
fn fibonacci(step: u32) -> u64 {
    let (mut this, mut next) = (1, 2);
    for _ in 0..step {
        if this >= LONGEST {
            break;
        }
        (this, next) = (next, this + next);
    }
    this.min(LONGEST)
}

impl Session {
    /// After login: does the server still have keys of ours?
    pub(super) fn check_prekeys(&mut self, cx: &mut Cx<'_>) {
        self.ask(cx, upload::count_query(), Purpose::Count);
        let now = self.server_now(cx);
        if self.device.rotation.is_some() && rotate::due(&self.device) <= now {
            self.ask_digest(cx);
        }
    }

    pub(super) fn ask_digest(&mut self, cx: &mut Cx<'_>) {
        let asked = |purpose: &Purpose| matches!(purpose, Purpose::Digest);
        if !self.iqs.purposes().any(asked) {
            self.ask(cx, digest::query(), Purpose::Digest);
        }
    }

    pub(super) fn counted(&mut self, cx: &mut Cx<'_>, end: &IqEnd) -> Result<(), Fault> {
        match end.result().and_then(upload::count) {
            Some(left) => self.top_up(cx, left)?,
            None if *end == IqEnd::Disconnected => return Ok(()),
            None if self.upkeep.failures > 0 => self.upkeep.failed(cx.now.mono, end),
            None => {}
        }
        self.rotate_when_due(cx);
        Ok(())
    }

    pub(super) fn digested(&mut self, cx: &mut Cx<'_>, end: &IqEnd) -> Result<(), Fault> {
        match digest::compare(&cx.txn, &self.slot, &self.device, end)? {
            Verdict::Matches | Verdict::Unknown => Ok(()),
            Verdict::MatchesNext => rotate::taken(cx, &self.slot, &mut self.device),
            Verdict::Differs if self.upkeep.repaired => {
                self.ignored += 1;
                Ok(())
            }
            Verdict::Differs | Verdict::Missing => {
                self.upkeep.repaired = true;
                if let Some(paired) = self.device.paired_mut() {
                    paired.server_has_prekeys = false;
                }
                self.save_device(cx);
                self.top_up(cx, 0)
            }
        }
    }

    pub(super) fn top_up(&mut self, cx: &mut Cx<'_>, left: u32) -> Result<(), Fault> {
        if self.is_changing_keys() {
            return Ok(());
        }
        self.upkeep.retry = None;
        if let Some(request) = upload::top_up(cx, &self.slot, &mut self.device, left)? {
            self.ask(cx, request, Purpose::Upload);
        }
        Ok(())
    }

    /// An upload ended; the one of the first login opens the way.
    pub(super) fn uploaded(&mut self, cx: &mut Cx<'_>, end: &IqEnd) -> Result<(), Fault> {
        match end {
            IqEnd::Result(_) => {
                self.upkeep.failures = 0;
                upload::succeeded(cx, &self.slot, &mut self.device);
            }
            IqEnd::Error { .. } => {
                upload::refused(cx, &self.slot, &mut self.device);
                self.upkeep.failed(cx.now.mono, end);
            }
            // The server may have taken them: they stay.
            IqEnd::Timeout => self.upkeep.failed(cx.now.mono, end),
            IqEnd::Disconnected => return Ok(()),
        }
        self.rotate_when_due(cx);
        match self.phase {
            Phase::Authenticating => self.activate(cx),
            _ => Ok(()),
        }
    }

    pub(super) fn rotated(&mut self, cx: &mut Cx<'_>, end: &IqEnd) -> Result<(), Fault> {
        let now = self.server_now(cx);
        rotate::ended(cx, &self.slot, &mut self.device, end, now)?;
        if *end != IqEnd::Disconnected {
            self.rotate_when_due(cx);
        }
        Ok(())
    }

    pub(super) fn tick_upkeep(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let now = cx.now.mono;
        let due = |at: Option<Mono>| at.is_some_and(|at| at <= now);
        if due(self.upkeep.rotate) {
            self.rotate_when_due(cx);
        }
        if due(self.upkeep.retry) {
            // What is left there may have changed; the server is asked for a number, not for a favour.
            self.upkeep.retry = None;
            match self.device.paired().map(|paired| paired.server_has_prekeys) {
                Some(true) => self.ask(cx, upload::count_query(), Purpose::Count),
                Some(false) => self.top_up(cx, 0)?,
                None => {}
            }
        }
        Ok(())
    }

    /// Rotates the signed prekey if it is old, else looks again when it is.
    fn rotate_when_due(&mut self, cx: &mut Cx<'_>) {
        self.upkeep.rotate = None;
        if self.device.paired().is_none() || self.is_changing_keys() {
            return;
        }
        let now = self.server_now(cx);
        let left = rotate::due(&self.device).since(now);
        match u64::try_from(left) {
            Ok(left @ 1..) => {
                self.upkeep.rotate = Some(cx.now.mono.plus(Millis::from_secs(left)));
            }
            _ => {
                let request = rotate::rotate(cx, &self.slot, &mut self.device, now);
                self.ask(cx, request, Purpose::Rotate);
            }
        }
    }

    fn is_changing_keys(&self) -> bool {
        let changes = |purpose: &Purpose| matches!(purpose, Purpose::Rotate | Purpose::Upload);
        self.iqs.purposes().any(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_come_more_and_more_rarely_up_to_ten_minutes() {
        let mut upkeep = Upkeep::default();
        let mut waits = Vec::new();
        for _ in 0..16 {
            upkeep.failed(Mono(0), &IqEnd::Timeout);
            waits.push(upkeep.deadline().unwrap().0 / 1000);
        }
        let expected = [
            1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 610, 610,
        ];
        assert_eq!(waits, expected);
        upkeep.disconnected();
        assert_eq!(upkeep.deadline(), None);
    }

    #[test]
    fn the_servers_own_wait_counts() {
        let mut upkeep = Upkeep::default();
        let busy = IqEnd::Error {
            code: 429,
            backoff: Some(90),
        };
        upkeep.failed(Mono(500), &busy);
        assert_eq!(upkeep.deadline(), Some(Mono(90_500)));
    }
}
