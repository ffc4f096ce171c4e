//! Chapter five: what a host can ask instead of sending to find out.

use sendpath_engine::Account;
use sendpath_protocol::account::{Answer, Inquiry, MaySend};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::tctoken::timeline::What;
use sendpath_protocol::verdict::{Attached, Outcome};

use crate::chapters::{COLD, KNOWN};
use crate::stage::{Failure, Stage, failure, say, send, title};

/// A contact that refuses us in this chapter.
const STRICT: (&str, &str) = ("4915550005", "100000000000005");

/// Tells the chapter.
pub(crate) fn chapter(stage: &Stage, account: &Account) -> Result<(), Failure> {
    title("5. Asking first: nothing is sent, so nothing counts against the account");
    stage.add_strict_peer(STRICT.0, STRICT.1)?;
    let refused = send(account, STRICT.0, "hello, you do not know me either")?;
    if !matches!(refused, Outcome::Refused(_)) {
        return Err(format!("expected a refusal, got {refused:?}"));
    }
    let before = stage.judged()?.len();
    for (who, wanted) in [
        (KNOWN.0, "may be sent, with the contact's token"),
        (STRICT.0, "the contact must write first"),
        ("4915550006", "may be sent, and nothing opens the chat"),
    ] {
        let told = may_send(account, who)?;
        if told != wanted {
            return Err(format!("{who}: expected {wanted:?}, got {told:?}"));
        }
        say(&format!("{who:<12}{told}"));
    }
    if stage.judged()?.len() != before {
        return Err("asking sent a message".into());
    }
    say("and the story of the contact of chapters 2 and 3:");
    story(account, COLD.0)
}

fn may_send(account: &Account, to: &str) -> Result<&'static str, Failure> {
    let inquiry = Inquiry::CanSend {
        to: vec![address(to)?],
        hint: RecipientHint::Ordinary,
    };
    let Answer::CanSend(answers) = ask(account, inquiry)? else {
        return Err("an answer to another question".into());
    };
    Ok(match answers.first().map(|answer| &answer.answer) {
        Some(MaySend::Allowed(Attached::Tctoken { .. })) => "may be sent, with the contact's token",
        Some(MaySend::Allowed(_)) => "may be sent, and nothing opens the chat",
        Some(MaySend::Blocked(_)) => "would be refused here",
        Some(MaySend::ContactMustWrite(_)) => "the contact must write first",
        _ => "no such address",
    })
}

fn story(account: &Account, contact: &str) -> Result<(), Failure> {
    let Answer::Explanation { told, .. } = ask(account, Inquiry::Explain(address(contact)?))?
    else {
        return Err("an answer to another question".into());
    };
    let mut tokens = 0;
    for entry in &told.timeline {
        let line = match entry.what {
            What::Attached(Attached::Tctoken { .. }) => "a message left with the token".into(),
            What::Attached(_) => "a message left with nothing that opens the chat".into(),
            What::Accepted => "the server took it".into(),
            What::Refused { code, cause } => {
                let code = code.map_or("here".into(), |code| code.to_string());
                format!("refused: {} ({code})", cause.as_str())
            }
            What::Received { .. } => {
                tokens += 1;
                "the contact's token came".into()
            }
            What::Wrote => "the contact wrote".to_owned(),
            // When our own token was issued depends on the pace of the machine.
            _ => continue,
        };
        say(&format!("  {line}"));
    }
    match tokens {
        1 => Ok(()),
        other => Err(format!("expected one token in the story, got {other}")),
    }
}

fn ask(account: &Account, inquiry: Inquiry) -> Result<Answer, Failure> {
    let answer = account.ask(inquiry).map_err(failure)?;
    answer.ok_or_else(|| "the account is not linked".into())
}

fn address(text: &str) -> Result<Jid, Failure> {
    Jid::recipient(text).ok_or_else(|| format!("{text} is no address"))
}
