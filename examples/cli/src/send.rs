//! `send`: one text, and the whole truth about how it ended.

use std::error::Error;
use std::io::{self, Write};

use sendpath_engine::SendOptions;
use sendpath_protocol::verdict::{Attached, Next, Outcome, Refusal, WhyNot};

use crate::Exit;
use crate::args::Send;
use crate::open::{LOOK, Opened};
use crate::text::{reason, utc};

pub(crate) fn run(
    opened: &Opened,
    options: &Send,
    out: &mut impl Write,
) -> Result<Exit, Box<dyn Error>> {
    let mut settings = SendOptions::default();
    settings.deadline = Some(options.timeout);
    let mut events = opened.connect()?;
    let sending = opened
        .account
        .send_text(&options.number, &options.text, settings)?;
    // A message that waits is refused at its deadline; one that has left may take as long again.
    let mut patience = options.timeout * 2;
    let outcome = loop {
        if let Some(outcome) = sending.wait_blocking(Some(LOOK)) {
            break outcome;
        }
        patience = patience.saturating_sub(LOOK);
        events.lost()?;
        if patience.is_zero() || events.are_over()? {
            sending.cancel();
        }
    };
    print(&outcome, out)?;
    out.flush()?;
    let exit = match outcome {
        Outcome::Accepted { .. } => {
            events.pass(options.stay)?;
            return Ok(Exit::Done);
        }
        Outcome::Refused(_) => Exit::Refused,
        _ => Exit::Unknown,
    };
    if let Some(why) = events.lost()? {
        writeln!(io::stderr(), "sendpath: {}", reason(why))?;
    }
    Ok(exit)
}

fn print(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    match outcome {
        Outcome::Accepted {
            id,
            server_time,
            attached,
        } => {
            writeln!(out, "outcome: accepted")?;
            writeln!(out, "id: {id}")?;
            if let Some(t) = server_time {
                writeln!(out, "server time: {}", utc(*t))?;
            }
            writeln!(out, "attached: {}", carried(*attached))
        }
        Outcome::Refused(refusal) => print_refusal(refusal, out),
        Outcome::Unknown(lost) => {
            writeln!(out, "outcome: unknown")?;
            writeln!(out, "id: {}", lost.id)?;
            let advice = match lost.still_trying {
                true => "The next connection sends it again under the same id; do not send a copy.",
                false => "It may have arrived; look at the chat before you send a copy.",
            };
            writeln!(out, "advice: {advice}")
        }
        _ => writeln!(out, "outcome: of a kind this program does not know"),
    }
}

fn print_refusal(refusal: &Refusal, out: &mut impl Write) -> io::Result<()> {
    let cause = refusal.cause;
    writeln!(out, "outcome: refused")?;
    if let Some(id) = &refusal.id {
        writeln!(out, "id: {id}")?;
    }
    writeln!(out, "cause: {}", cause.as_str())?;
    match refusal.code {
        Some(code) => writeln!(out, "server code: {code}")?,
        None => writeln!(out, "server code: none, refused here")?,
    }
    writeln!(out, "attached: {}", carried(refusal.attached))?;
    if let Some(until) = refusal.until {
        writeln!(out, "until: {}", utc(until))?;
    }
    let next = refusal.next();
    match next {
        Next::RetryAfter(after) => writeln!(out, "next: {} {} s", next.as_str(), after.0 / 1000)?,
        Next::WaitUntil(until) => writeln!(out, "next: {} {}", next.as_str(), utc(until))?,
        _ => writeln!(out, "next: {}", next.as_str())?,
    }
    writeln!(out, "advice: {}", cause.advice())
}

fn carried(attached: Attached) -> String {
    match attached {
        Attached::Cstoken => "cstoken".into(),
        Attached::Nothing(WhyNot::Expired { t }) => {
            format!("nothing, the contact's token of {} has expired", utc(t))
        }
        Attached::Nothing(WhyNot::NeverReceived) => {
            "nothing, the contact never gave us a token".into()
        }
        Attached::Nothing(WhyNot::NotEligible) => "nothing, this recipient needs no token".into(),
        Attached::Nothing(_) => "nothing, the tokens could not be read".into(),
        Attached::Tctoken { t } => format!("tctoken of {}", utc(t)),
        _ => "nothing was built".into(),
    }
}

#[cfg(test)]
mod tests {
    use sendpath_protocol::time::UnixSeconds;
    use sendpath_protocol::verdict::{Cause, Lost, MessageId};

    use super::*;

    fn printed(outcome: Outcome) -> String {
        let mut out = Vec::new();
        print(&outcome, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_lock_says_until_when_in_utc() {
        let text = printed(Outcome::Refused(Refusal {
            id: MessageId::parse("3EB0"),
            cause: Cause::AccountTimelocked,
            code: Some(463),
            attached: Attached::Nothing(WhyNot::NeverReceived),
            until: Some(UnixSeconds(1_786_218_427)),
            evidence: None,
        }));
        for line in [
            "cause: ACCOUNT_TIMELOCKED\n",
            "server code: 463\n",
            "until: 2026-08-08 19:47:07 UTC\n",
            "next: wait_until 2026-08-08 19:47:07 UTC\n",
            "attached: nothing, the contact never gave us a token\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }

    #[test]
    fn a_lost_answer_says_whether_a_copy_would_be_a_second_message() {
        let lost = |still_trying| {
            let id = MessageId::parse("3EB0").unwrap();
            printed(Outcome::Unknown(Lost { id, still_trying }))
        };
        assert!(lost(true).contains("do not send a copy"));
        assert!(lost(false).contains("look at the chat"));
    }
}
