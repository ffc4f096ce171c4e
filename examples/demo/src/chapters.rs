//! Chapters one to four.

use sendpath_engine::Account;
use sendpath_model_server::{Command, Condition, Reply};
use sendpath_protocol::event::Event;
use sendpath_protocol::verdict::{Attached, Cause, Outcome, Refusal};

use crate::stage::{Failure, Stage, event, explain, failure, say, send, title};

/// A contact that has given us its token.
pub(crate) const KNOWN: (&str, &str) = ("4915550001", "100000000000001");

/// A contact that has not.
pub(crate) const COLD: (&str, &str) = ("4915550002", "100000000000002");

/// A long time from now, in Unix seconds.
const LOCK_ENDS: i64 = 4_102_444_800;

/// Prologue: the QR code, the phone, the login.
pub(crate) fn pair(stage: &Stage) -> Result<Account, Failure> {
    title("0. Linking a device");
    let account = stage.account()?;
    account.connect().map_err(failure)?;
    let qr = event(&account, |event| match event {
        Event::PairQr { text, .. } => Some(text.clone()),
        _ => None,
    })?;
    say(&format!(
        "a QR code of {} characters is shown; the phone scans it",
        qr.len()
    ));
    stage.order(Command::scan_qr(qr))?;
    event(&account, |event| {
        matches!(event, Event::Paired { .. }).then_some(())
    })?;
    event(&account, |event| {
        matches!(event, Event::Connected).then_some(())
    })?;
    say("linked, restarted, logged in");
    stage.add_strict_peer(KNOWN.0, KNOWN.1)?;
    stage.add_strict_peer(COLD.0, COLD.1)?;
    Ok(account)
}

/// A contact whose token we hold.
pub(crate) fn valid_token(stage: &Stage, account: &Account) -> Result<(), Failure> {
    title("1. A contact whose token we hold");
    give_token(stage, account, KNOWN.0)?;
    let outcome = send(account, KNOWN.0, "hello")?;
    let Outcome::Accepted {
        attached: Attached::Tctoken { .. },
        ..
    } = outcome
    else {
        return Err(format!(
            "expected an accepted message with a token, got {outcome:?}"
        ));
    };
    let seen = stage.judged()?.pop().and_then(|message| message.tctoken);
    let token = seen.ok_or("the server saw no token")?;
    say(&format!(
        "delivered; the server saw the token ({} bytes)",
        token.len() / 2
    ));
    Ok(())
}

/// A contact whose token is missing.
pub(crate) fn missing_token(stage: &Stage, account: &Account) -> Result<(), Failure> {
    title("2. A contact whose token is missing: not \"server returned error 463\", but");
    let outcome = send(account, COLD.0, "hello, you do not know me")?;
    explain(&outcome)?;
    let tries = stage
        .judged()?
        .iter()
        .filter(|message| message.error == Some(463))
        .count();
    if tries != 1 {
        return Err(format!("the message went out {tries} times"));
    }
    say("the server saw the message once; nothing was sent again");
    Ok(())
}

/// The contact writes; its token comes with that.
pub(crate) fn token_arrives(stage: &Stage, account: &Account) -> Result<(), Failure> {
    title("3. The contact writes; its token arrives");
    let write = Command::PeerSend {
        peer: COLD.0.into(),
        text: "hi, who is this?".into(),
        account: None,
        device: 0,
        id: None,
        from_lid: true,
    };
    stage.order(write)?;
    let text = event(account, |event| match event {
        Event::Message(message) => message.text.clone(),
        _ => None,
    })?;
    say(&format!("they wrote: {text}"));
    give_token(stage, account, COLD.0)?;
    match send(account, COLD.0, "hello again")? {
        Outcome::Accepted {
            attached: Attached::Tctoken { .. },
            ..
        } => say("the next text is delivered"),
        other => return Err(format!("expected an accepted message, got {other:?}")),
    }
    Ok(())
}

/// The account may not start chats.
pub(crate) fn timelock(stage: &Stage, account: &Account) -> Result<(), Failure> {
    title("4. The account may not start chats for a while");
    stage.order(Command::SetTimelock {
        account: None,
        active: true,
        until: Some(LOCK_ENDS),
        kind: Some("RESTRICT_ALL_COMPANIONS".into()),
        push: true,
    })?;
    event(account, |event| {
        matches!(event, Event::TimelockChanged { active: true, .. }).then_some(())
    })?;
    stage.add_strict_peer("4915550003", "100000000000003")?;
    stage.wait_for(Condition::Answered { account: None })?;
    let before = stage.frames()?;
    let outcome = send(account, "4915550003", "hello, stranger")?;
    if !matches!(
        &outcome,
        Outcome::Refused(Refusal {
            cause: Cause::AccountTimelocked,
            code: None,
            ..
        })
    ) {
        return Err(format!("expected a refusal on the spot, got {outcome:?}"));
    }
    explain(&outcome)?;
    let frames = stage.frames()? - before;
    if frames != 0 {
        return Err(format!(
            "{frames} frames left although the account is locked"
        ));
    }
    say("zero frames left this machine");
    match send(account, KNOWN.0, "still there?")? {
        Outcome::Accepted { .. } => say("a contact whose token we hold still gets messages"),
        other => return Err(format!("expected an accepted message, got {other:?}")),
    }
    stage.order(Command::SetTimelock {
        account: None,
        active: false,
        until: None,
        kind: None,
        push: true,
    })?;
    event(account, |event| {
        matches!(event, Event::TimelockChanged { active: false, .. }).then_some(())
    })
}

fn give_token(stage: &Stage, account: &Account, peer: &str) -> Result<(), Failure> {
    let issue = Command::IssueToken {
        peer: peer.into(),
        account: None,
        bytes: None,
        t: None,
        push: true,
        from_lid: true,
    };
    match stage.order(issue)? {
        Reply::Token { .. } => {}
        other => return Err(format!("unexpected reply {other:?}")),
    }
    event(account, |event| {
        matches!(event, Event::TokenStored { .. }).then_some(())
    })
}
