//! The answer to "why does this contact not get my messages": the facts and the story, for humans.
//!
//! ```text
//! contact: a person or business, known by LID and phone number
//! their token: stamped 2026-08-06T07:06:40Z (20 hours ago), from history sync, stored ..
//!   attached until 2026-09-03T00:00:00Z (in 26 days)
//! our token: issued 2026-08-06T00:00:00Z (1 day ago), next with a message from ..
//! cstoken: none, the account has no salt
//! timeline:
//!   2026-08-06T07:08:20Z (20 hours ago) token received, from history sync, stamped ..
//!   2026-08-06T07:10:00Z (20 hours ago) message left with the token stamped .., 57 times, the last ..
//!   2026-08-07T03:45:41Z (59 seconds ago) message refused: TOKEN_REFUSED (463)
//! ```
//!
//! Nothing personal is shown unless asked for: no number, no JID, no bytes.

mod render;

use crate::error::StoreError;
use crate::jid::Jid;
use crate::nct::{self, NoCstoken};
use crate::peer::Names;
use crate::tctoken::bucket::{BucketCount, BucketSpan, Window};
use crate::tctoken::policy::{Class, Freshness, TokenProps, class};
use crate::tctoken::record::{Source, Theirs, TokenRecord};
use crate::tctoken::timeline::{Entry, Timeline, What};
use crate::tctoken::{Tokens, journal, rows, with_address};
use crate::time::UnixSeconds;
use crate::txn::Txn;

/// What is known about a contact at an instant. `Debug` is redacted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explanation {
    /// Both names, as far as known.
    pub names: Names,
    /// What kind of chat it is; only a contact has tokens.
    pub class: Class,
    /// The contact's token; `None` when there is none.
    pub token: Option<TheirToken>,
    /// Our last issue; `None` when we never issued.
    pub sender: Option<OurIssue>,
    /// The account has a salt.
    pub salt: bool,
    /// Why a message without a token would not carry a cstoken either; `None` when it would.
    pub no_cstoken: Option<NoCstoken>,
    /// The server has told us its windows; otherwise the times are assumptions.
    pub props_known: bool,
    /// Damaged token rows of the contact, treated as absent.
    pub damaged: u64,
    /// What happened, oldest first.
    pub timeline: Vec<Entry>,
    /// Earlier entries are missing.
    pub timeline_cut: bool,
}

/// A contact's token, without its bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TheirToken {
    /// Its time stamp.
    pub t: UnixSeconds,
    /// How it came.
    pub source: Source,
    /// Server time at which it was stored.
    pub seen: UnixSeconds,
    /// A message that carried it was refused.
    pub suspect: bool,
    /// Whether it may be attached now.
    pub freshness: Freshness,
    /// The first second at which it is not attached any more, by the windows as known now.
    pub expires_at: UnixSeconds,
}

/// Our issue to a contact.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OurIssue {
    /// Its time stamp.
    pub t: UnixSeconds,
    /// The first second at which a message causes another one.
    pub next_due: UnixSeconds,
}

impl Explanation {
    /// Text for humans, without anything personal: safe to paste into a bug report.
    pub fn render(&self, now: UnixSeconds) -> String {
        render::text(self, false, now)
    }

    /// As [`Explanation::render`], naming the contact.
    pub fn render_revealing(&self, now: UnixSeconds) -> String {
        render::text(self, true, now)
    }
}

impl Tokens {
    /// What is known about `to`, and what happened. `known` are the contact's names by the LID map.
    ///
    /// # Errors
    /// What the store says; [`StoreError::Version`] when a newer version wrote the token row.
    pub fn explain(
        &self,
        txn: &Txn<'_>,
        to: &Jid,
        known: &Names,
        now: UnixSeconds,
    ) -> Result<Explanation, StoreError> {
        let class = class(to, &self.own);
        let contact = self.contact(to, known);
        let (view, timeline) = match &contact {
            Some(names) => (
                rows::load(txn, &self.scope, names)?,
                journal::load(txn, &self.scope, names)?,
            ),
            None => Default::default(),
        };
        let TokenRecord { theirs, ours } = view.record;
        let cstoken = match &contact {
            Some(names) => self.cstoken(txn, names).map(|_| ()),
            None => Err(NoCstoken::NotEligible),
        };
        let (timeline, timeline_cut) = story(timeline, theirs.as_ref());
        Ok(Explanation {
            names: contact.unwrap_or_else(|| with_address(to, known)),
            class,
            token: theirs.map(|theirs| TheirToken::at(&theirs, &self.props, now)),
            sender: ours.map(|ours| OurIssue {
                t: ours.t,
                next_due: self.props.send_window().span.next(ours.t),
            }),
            salt: nct::salt(txn, &self.scope)?.is_some(),
            no_cstoken: cstoken.err(),
            props_known: self.props.receive.is_some() && self.props.send.is_some(),
            damaged: view.damaged,
            timeline,
            timeline_cut,
        })
    }
}

impl TheirToken {
    fn at(theirs: &Theirs, props: &TokenProps, now: UnixSeconds) -> Self {
        // While the window is unknown a token is attached as long as any window seen would allow.
        let window = props.receive.unwrap_or(Window {
            span: BucketSpan::DEFAULT,
            count: BucketCount::WIDEST_SEEN,
        });
        Self {
            t: theirs.t,
            source: theirs.source,
            seen: theirs.seen,
            suspect: theirs.suspect,
            freshness: props.freshness(theirs.t, now),
            expires_at: window.end(theirs.t),
        }
    }
}

/// The entries, and that the stored token was received if no entry says so: history sync writes
/// none, and old ones are dropped.
fn story(timeline: Timeline, theirs: Option<&Theirs>) -> (Vec<Entry>, bool) {
    let mut entries = timeline.entries().to_vec();
    let tells =
        |entry: &Entry, t| matches!(entry.what, What::Received { t: told, .. } if told == t);
    if let Some(theirs) = theirs.filter(|theirs| !entries.iter().any(|e| tells(e, theirs.t))) {
        let received = What::Received {
            source: theirs.source,
            t: theirs.t,
            fresh: true,
        };
        let place = entries.iter().position(|entry| entry.at > theirs.seen);
        let entry = Entry::once(received, theirs.seen);
        entries.insert(place.unwrap_or(entries.len()), entry);
    }
    (entries, timeline.is_cut())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::PeerKey;
    use crate::secret::SecretBytes;
    use crate::tctoken::policy::Own;
    use crate::tctoken::record::Issued;
    use crate::testkit::Bench;
    use crate::verdict::{Attached, Cause, WhyNot};

    const NOW: UnixSeconds = UnixSeconds(1_786_074_400);
    const T: UnixSeconds = UnixSeconds(1_786_000_000);

    fn names() -> Names {
        Names::pair(PeerKey::Lid("777".into()), PeerKey::Pn("4915".into()))
    }

    fn tokens(count: Option<i64>) -> Tokens {
        let own = Own::new(Some(&Jid::lid("9")), None).unwrap();
        let window = count.map(|count| Window {
            span: BucketSpan::DEFAULT,
            count: BucketCount::new(count),
        });
        let props = TokenProps {
            receive: window,
            send: window,
            ..TokenProps::default()
        };
        Tokens::new(own, props).unwrap()
    }

    fn theirs(t: UnixSeconds) -> Theirs {
        Theirs {
            bytes: SecretBytes::new(b"secret".to_vec()),
            t,
            source: Source::History,
            seen: T.plus(100),
            suspect: false,
        }
    }

    fn put(bench: &mut Bench, tokens: &Tokens, row: &TokenRecord) {
        bench.run(|cx| {
            cx.txn.put(tokens.scope(), "lid:777", row);
            Ok(())
        });
    }

    fn explained(bench: &mut Bench, tokens: &Tokens, to: &Jid) -> Explanation {
        bench.run(|cx| Ok(tokens.explain(&cx.txn, to, &names(), NOW)?))
    }

    #[test]
    fn the_end_of_a_token_follows_the_windows_as_known() {
        let mut bench = Bench::new(1);
        for (count, t, freshness, end) in [
            (Some(4), T, Freshness::Fresh, 1_788_393_600),
            (
                Some(4),
                UnixSeconds(1_784_159_999),
                Freshness::Expired,
                1_785_974_400,
            ),
            (
                None,
                UnixSeconds(1_784_159_999),
                Freshness::Ambiguous,
                1_799_280_000,
            ),
        ] {
            let tokens = tokens(count);
            let row = TokenRecord {
                theirs: Some(theirs(t)),
                ours: None,
            };
            put(&mut bench, &tokens, &row);
            let told = explained(&mut bench, &tokens, &Jid::lid("777"));
            let token = told.token.unwrap();
            assert_eq!((token.freshness, token.expires_at.0), (freshness, end));
            assert_eq!(told.props_known, count.is_some());
            let props = tokens.props();
            let at_end = props.freshness(t, token.expires_at);
            let before = props.freshness(t, token.expires_at.plus(-1));
            assert_eq!(at_end, Freshness::Expired);
            assert_ne!(before, Freshness::Expired);
        }
    }

    #[test]
    fn a_token_that_no_entry_tells_of_gets_one_at_its_place() {
        let mut bench = Bench::new(1);
        let tokens = tokens(Some(4));
        let row = TokenRecord {
            theirs: Some(theirs(T)),
            ours: None,
        };
        put(&mut bench, &tokens, &row);
        let received = |source| What::Received {
            source,
            t: T,
            fresh: true,
        };
        let note = |bench: &mut Bench, what, at| {
            bench.run(|cx| Ok(journal::note(cx, tokens.scope(), &names(), what, at)?));
        };
        note(&mut bench, What::IdentityChanged, theirs(T).seen);
        note(&mut bench, What::Accepted, NOW);
        let whats = |told: Explanation| told.timeline.iter().map(|e| e.what).collect::<Vec<_>>();
        let told = explained(&mut bench, &tokens, &Jid::lid("777"));
        assert_eq!(
            whats(told),
            [
                What::IdentityChanged,
                received(Source::History),
                What::Accepted
            ]
        );
        note(&mut bench, received(Source::Notification), NOW);
        let told = explained(&mut bench, &tokens, &Jid::lid("777"));
        assert_eq!(
            whats(told),
            [
                What::IdentityChanged,
                What::Accepted,
                received(Source::Notification)
            ]
        );
    }

    #[test]
    fn groups_and_ourselves_have_nothing_to_tell() {
        let mut bench = Bench::new(1);
        let tokens = tokens(None);
        for (to, class) in [
            (Jid::lid("9"), Class::Own),
            ("1203@g.us".parse().unwrap(), Class::Group),
        ] {
            let told = bench.run(|cx| {
                let known = Names::default();
                Ok(tokens.explain(&cx.txn, &to, &known, NOW)?)
            });
            assert_eq!(told.class, class);
            assert_eq!(told.no_cstoken, Some(NoCstoken::NotEligible));
            assert!(told.render(NOW).contains("nobody of this kind"));
        }
    }

    #[test]
    fn half_of_the_props_is_not_all_of_them() {
        let mut bench = Bench::new(1);
        for (receive, send) in [(true, false), (false, true)] {
            let mut tokens = tokens(None);
            tokens.set_props(TokenProps {
                receive: receive.then(Window::default),
                send: send.then(Window::default),
                ..TokenProps::default()
            });
            let told = explained(&mut bench, &tokens, &Jid::lid("777"));
            assert!(!told.props_known);
        }
    }

    #[test]
    fn damaged_rows_are_told_when_there_are_any() {
        let mut bench = Bench::new(1);
        let tokens = tokens(None);
        let told = explained(&mut bench, &tokens, &Jid::lid("7"));
        assert!(!told.render(NOW).contains("damaged"));
        let told = Explanation { damaged: 2, ..told };
        assert!(told.render(NOW).contains("treated as absent: 2\n"));
    }

    fn storied(bench: &mut Bench) -> Explanation {
        let tokens = tokens(Some(4));
        let row = TokenRecord {
            theirs: Some(Theirs {
                suspect: true,
                ..theirs(T)
            }),
            ours: Some(Issued { t: NOW }),
        };
        put(bench, &tokens, &row);
        let refused = |code| What::Refused {
            code,
            cause: Cause::TokenRefused,
        };
        for (what, at) in [
            (What::Attached(Attached::Nothing(WhyNot::NeverReceived)), T),
            (What::Issued { t: T, here: true }, T.plus(50)),
            (What::Attached(Attached::Tctoken { t: T }), T.plus(200)),
            (What::Attached(Attached::Tctoken { t: T }), NOW.plus(-60)),
            (refused(Some(463)), NOW.plus(-59)),
        ] {
            bench.run(|cx| Ok(journal::note(cx, tokens.scope(), &names(), what, at)?));
        }
        explained(bench, &tokens, &Jid::pn("4915"))
    }

    #[test]
    fn the_text_tells_the_facts_and_the_story() {
        let told = storied(&mut Bench::new(1));
        let lines: Vec<_> = told.render(NOW).lines().map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "contact: a person or business, known by LID and phone number",
                "their token: stamped 2026-08-06T07:06:40Z (20 hours ago), from history sync, stored 2026-08-06T07:08:20Z (20 hours ago); a message with it was refused",
                "  attached until 2026-09-03T00:00:00Z (in 26 days)",
                "our token: issued 2026-08-07T03:46:40Z (now), next with a message from 2026-08-13T00:00:00Z (in 5 days)",
                "cstoken: none, the account has no salt",
                "timeline:",
                "  2026-08-06T07:06:40Z (20 hours ago) message left without a token, none was ever received",
                "  2026-08-06T07:07:30Z (20 hours ago) our token issued by this device, stamped 2026-08-06T07:06:40Z",
                "  2026-08-06T07:08:20Z (20 hours ago) token received, from history sync, stamped 2026-08-06T07:06:40Z",
                "  2026-08-06T07:10:00Z (20 hours ago) message left with the token stamped 2026-08-06T07:06:40Z, 2 times, the last 2026-08-07T03:45:40Z (1 minute ago)",
                "  2026-08-07T03:45:41Z (59 seconds ago) message refused: TOKEN_REFUSED (463)"
            ]
        );
    }

    #[test]
    fn nobody_is_named_unless_it_is_asked_for() {
        let told = storied(&mut Bench::new(1));
        for text in [told.render(NOW), format!("{told:?}")] {
            for personal in ["777", "4915", "secret"] {
                assert!(!text.contains(personal), "{text}");
            }
        }
        let named = told.render_revealing(NOW);
        assert!(named.starts_with("contact: a person or business, 777@lid, 4915@s.whatsapp.net\n"));
        assert!(!named.contains("secret"));
    }
}
