//! Chapter six: the process is killed in the middle of a run.

use std::collections::VecDeque;
use std::path::Path;
use std::process::{Command as Process, Stdio};

use sendpath_engine::SendOptions;
use sendpath_model_server::Condition;
use sendpath_protocol::event::Event;
use sendpath_protocol::verdict::{Attached, Outcome};

use crate::stage::{self, Failure, Stage, event, failure, hex, say, send, title};

const PEER: &str = "4915550001";
const RUN: usize = 500;
const KILL_AFTER: usize = 40;

/// Messages under way at a time.
const WINDOW: usize = 8;

/// Tells the chapter.
pub(crate) fn chapter(stage: &Stage) -> Result<(), Failure> {
    title("6. Killed (SIGKILL) in the middle of a run of sends, then started again");
    let before = stage.texts_of(PEER)?.len();
    let mut child = Process::new(std::env::current_exe().map_err(failure)?)
        .arg("crash-child")
        .arg(stage.server.url())
        .arg(hex(&stage.server.root_key()))
        .arg(stage.folder.join("story.db"))
        .stdout(Stdio::null())
        .spawn()
        .map_err(failure)?;
    stage.wait_for(Condition::Received {
        peer: Some(PEER.into()),
        text: None,
        count: before + KILL_AFTER,
    })?;
    child.kill().map_err(failure)?;
    child.wait().map_err(failure)?;
    let account = stage.account()?;
    let waiting = account
        .status()
        .map_err(failure)?
        .session
        .map_or(0, |session| session.outbox);
    say(&format!(
        "killed; on disk {waiting} messages had left without an answer"
    ));
    account.connect().map_err(failure)?;
    for _ in 0..waiting {
        event(&account, |event| match event {
            Event::Settled(Outcome::Accepted { .. }) => Some(()),
            _ => None,
        })?;
    }
    match send(&account, PEER, "back again")? {
        Outcome::Accepted {
            attached: Attached::Tctoken { .. },
            ..
        } => {
            say("the token survived: the next message carried it");
        }
        other => return Err(format!("expected an accepted message, got {other:?}")),
    }
    account.close().map_err(failure)?;
    stage.no_violations()?;
    let texts: Vec<_> = stage
        .texts_of(PEER)?
        .split_off(before)
        .into_iter()
        .collect();
    let run: Vec<_> = texts
        .iter()
        .filter(|text| text.starts_with("run "))
        .collect();
    let expected: Vec<_> = (0..run.len()).map(|n| format!("run {n}")).collect();
    if !run.iter().copied().eq(expected.iter()) {
        return Err(format!("the contact got {run:?}"));
    }
    say(&format!(
        "the contact got {} messages of the run, in order, each once",
        run.len()
    ));
    say("no message key was used twice");
    Ok(())
}

/// The process that gets killed: sends until then.
pub(crate) fn child(args: Vec<String>) -> Result<(), Failure> {
    let [url, root_key, path] = <[String; 3]>::try_from(args).map_err(|_| "three arguments")?;
    let engine = stage::open_engine(Path::new(&path))?;
    let account = stage::open_account(&engine, &url, unhex(&root_key)?)?;
    account.connect().map_err(failure)?;
    let mut open = VecDeque::new();
    for n in 0..RUN {
        let text = format!("run {n}");
        let sending = account.send_text(PEER, &text, SendOptions::default());
        open.push_back(sending.map_err(failure)?);
        if open.len() == WINDOW {
            open.pop_front()
                .and_then(|oldest| oldest.wait_blocking(None));
        }
    }
    Ok(())
}

fn unhex(text: &str) -> Result<[u8; 32], Failure> {
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2).unwrap_or(""), 16);
    let bytes: Result<Vec<u8>, _> = (0..64).step_by(2).map(byte).collect();
    bytes
        .map_err(failure)?
        .try_into()
        .map_err(|_| "a root key has 32 bytes".into())
}
