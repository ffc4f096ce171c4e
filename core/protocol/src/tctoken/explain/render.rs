//! An explanation as text.

use core::fmt::{self, Write};

use crate::nct::NoCstoken;
use crate::tctoken::explain::{Explanation, OurIssue, TheirToken};
use crate::tctoken::policy::{Class, Freshness};
use crate::tctoken::record::Source;
use crate::tctoken::timeline::{Entry, What};
use crate::time::UnixSeconds;
use crate::verdict::{Attached, WhyNot};

pub(super) fn text(explanation: &Explanation, reveal: bool, now: UnixSeconds) -> String {
    let mut text = String::new();
    // Writing to a string never fails.
    let _ = write(&mut text, explanation, reveal, now);
    text
}

fn write(out: &mut String, told: &Explanation, reveal: bool, now: UnixSeconds) -> fmt::Result {
    writeln!(out, "contact: {}", contact(told, reveal))?;
    if told.class != Class::Contact {
        return writeln!(out, "nobody of this kind has tokens");
    }
    if told.damaged > 0 {
        writeln!(out, "damaged rows, treated as absent: {}", told.damaged)?;
    }
    match &told.token {
        Some(token) => token_lines(out, token, told.props_known, now)?,
        None => writeln!(out, "their token: none")?,
    }
    match told.sender {
        Some(OurIssue { t, next_due }) => writeln!(
            out,
            "our token: issued {}, next with a message from {}",
            When(t, now),
            When(next_due, now)
        )?,
        None => writeln!(out, "our token: never issued")?,
    }
    match told.no_cstoken {
        Some(reason) => writeln!(out, "cstoken: none, {}", no_cstoken(reason))?,
        None => writeln!(out, "cstoken: attached when there is no valid token")?,
    }
    writeln!(out, "timeline:")?;
    if told.timeline_cut {
        writeln!(out, "  (earlier entries are missing)")?;
    }
    if told.timeline.is_empty() {
        writeln!(out, "  (nothing)")?;
    }
    for entry in &told.timeline {
        line(out, entry, now)?;
    }
    Ok(())
}

fn contact(told: &Explanation, reveal: bool) -> String {
    let kind = match told.class {
        Class::Bot => "a bot",
        Class::Broadcast => "status or a broadcast list",
        Class::Contact => "a person or business",
        Class::Group => "a group",
        Class::Newsletter => "a channel",
        Class::Other => "an address of another kind",
        Class::Own => "ourselves",
        Class::Psa => "announcements",
    };
    let names = [&told.names.lid, &told.names.pn];
    if reveal {
        let names = names.into_iter().flatten().map(|name| name.jid().reveal());
        return [vec![kind.to_owned()], names.collect()].concat().join(", ");
    }
    let known = match names.map(Option::is_some) {
        [true, true] => "known by LID and phone number",
        [true, false] => "known by LID only",
        [false, true] => "known by phone number only",
        [false, false] => return kind.to_owned(),
    };
    format!("{kind}, {known}")
}

fn token_lines(
    out: &mut String,
    token: &TheirToken,
    props_known: bool,
    now: UnixSeconds,
) -> fmt::Result {
    let suspect = if token.suspect {
        "; a message with it was refused"
    } else {
        ""
    };
    writeln!(
        out,
        "their token: stamped {}, {}, stored {}{suspect}",
        When(token.t, now),
        source(token.source),
        When(token.seen, now),
    )?;
    let verb = match token.freshness {
        Freshness::Expired => "expired",
        Freshness::Ambiguous | Freshness::Fresh => "attached until",
    };
    let assumed = if props_known {
        ""
    } else {
        ", as far as can be said without the server's settings"
    };
    writeln!(out, "  {verb} {}{assumed}", When(token.expires_at, now))
}

fn line(out: &mut String, entry: &Entry, now: UnixSeconds) -> fmt::Result {
    write!(out, "  {} {}", When(entry.at, now), Deed(&entry.what))?;
    if entry.count > 1 {
        let last = When(entry.last, now);
        write!(out, ", {} times, the last {last}", entry.count)?;
    }
    writeln!(out)
}

/// A time, absolute and as seen from now.
struct When(UnixSeconds, UnixSeconds);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(t, now) = self;
        let (age, far) = (now.since(*t), now.since(*t).unsigned_abs());
        let (number, unit) = match far {
            0..60 => (far, "second"),
            60..3_600 => (far / 60, "minute"),
            3_600..86_400 => (far / 3_600, "hour"),
            _ => (far / 86_400, "day"),
        };
        let plural = if number == 1 { "" } else { "s" };
        match age {
            0 => write!(f, "{} (now)", t.utc()),
            1.. => write!(f, "{} ({number} {unit}{plural} ago)", t.utc()),
            _ => write!(f, "{} (in {number} {unit}{plural})", t.utc()),
        }
    }
}

/// What happened, in words.
struct Deed<'a>(&'a What);

impl fmt::Display for Deed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.0 {
            What::Accepted => f.write_str("message accepted"),
            What::Attached(attached) => carried(f, attached),
            What::Forgotten => f.write_str("everything before was erased on request"),
            What::IdentityChanged => f.write_str("the contact's phone was registered anew"),
            What::Issued { t, here } => {
                let by = if here { "this" } else { "another" };
                write!(f, "our token issued by {by} device, stamped {}", t.utc())
            }
            What::IssueFailed { code: Some(code) } => {
                write!(f, "our token not issued, the server answered {code}")
            }
            What::IssueFailed { code: None } => f.write_str("our token not issued, no answer"),
            What::LidChanged => f.write_str("the contact's LID changed"),
            What::Merged => f.write_str("phone number and LID found to be one contact"),
            What::Pruned { t } => {
                write!(f, "token deleted, too old: stamped {}", t.utc())
            }
            What::Received {
                source: by,
                t,
                fresh,
            } => {
                let what = if fresh { "received" } else { "confirmed" };
                write!(f, "token {what}, {}, stamped {}", source(by), t.utc())
            }
            What::Refused { code, cause } => {
                write!(f, "message refused: {}", cause.as_str())?;
                match code {
                    Some(code) => write!(f, " ({code})"),
                    None => f.write_str(" (before it was sent)"),
                }
            }
            What::Relinked => f.write_str("the account was linked anew"),
            What::Wrote => f.write_str("the contact wrote to us"),
        }
    }
}

fn carried(f: &mut fmt::Formatter<'_>, attached: Attached) -> fmt::Result {
    match attached {
        Attached::Cstoken => f.write_str("message left with a cstoken"),
        Attached::Nothing(WhyNot::Expired { t }) => write!(
            f,
            "message left without a token, expired: stamped {}",
            t.utc()
        ),
        Attached::Nothing(why) => write!(f, "message left without a token, {}", why_not(why)),
        Attached::Tctoken { t } => {
            write!(f, "message left with the token stamped {}", t.utc())
        }
        Attached::Undecided => f.write_str("message ended before it was built"),
    }
}

const fn why_not(why: WhyNot) -> &'static str {
    match why {
        WhyNot::Expired { .. } => "expired",
        WhyNot::NeverReceived => "none was ever received",
        WhyNot::NotEligible => "it is of a kind that has none",
        WhyNot::GateOff => "the server does not want them on messages",
        WhyNot::StoreError => "the store could not be read",
    }
}

const fn source(source: Source) -> &'static str {
    match source {
        Source::History => "from history sync",
        Source::Host => "handed in by the host",
        Source::Import => "imported",
        Source::Notification => "by notification",
        Source::Unknown => "in a way this version does not know",
    }
}

const fn no_cstoken(reason: NoCstoken) -> &'static str {
    match reason {
        NoCstoken::GateOff => "the server switched it off for this account",
        NoCstoken::NoLid => "the contact's LID is not known",
        NoCstoken::NoSalt => "the account has no salt",
        NoCstoken::NotEligible => "the contact is of a kind that has none",
        NoCstoken::StoreError => "the store could not be read",
    }
}
