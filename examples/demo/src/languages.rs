//! Chapter seven: the same send from C, Go, Python and Kotlin.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command as Process, Stdio};

use sendpath_model_server::Command;

use crate::stage::{Failure, Stage, failure, hex, say, title};

const PEER: &str = "4915550004";

const LANGUAGES: [&str; 4] = ["c", "go", "python", "kotlin"];

/// Tells the chapter; `programs` is the folder with one program for each language.
pub(crate) fn chapter(stage: &Stage, programs: &Path) -> Result<(), Failure> {
    title("7. The same send from four languages, each with its own linked device");
    stage.add_open_peer(PEER, "100000000000004")?;
    for (n, language) in LANGUAGES.into_iter().enumerate() {
        let last = run(stage, &programs.join(language), language, n)?;
        if !last.starts_with("accepted: ") {
            return Err(format!("{language} says: {last}"));
        }
        say(&format!("{language:<8}{last}"));
    }
    let texts = stage.texts_of(PEER)?;
    let expected: Vec<_> = LANGUAGES
        .iter()
        .map(|language| format!("hello from {language}"))
        .collect();
    if texts != expected {
        return Err(format!("the contact got {texts:?}"));
    }
    say("the contact got all four");
    Ok(())
}

/// Runs one program; the phone scans what it shows. Gives its last line.
fn run(stage: &Stage, program: &Path, language: &str, n: usize) -> Result<String, Failure> {
    let mut child = Process::new(program)
        .arg(stage.folder.join(format!("{language}.db")))
        .args([PEER, &format!("hello from {language}"), &stage.server.url()])
        .arg(hex(&stage.server.root_key()))
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let output = child.stdout.take().ok_or("no output")?;
    let mut last = String::new();
    let mut linked = false;
    for line in BufReader::new(output).lines() {
        last = line.map_err(failure)?;
        if let Some(qr) = last.strip_prefix("scan: ").filter(|_| !linked) {
            linked = true;
            stage.order(Command::ScanQr {
                qr: qr.into(),
                pn: Some(format!("4917000000{n}")),
                lid: Some(format!("20000000000000{n}")),
                lid_migrated: None,
            })?;
        }
    }
    child.wait().map_err(failure)?;
    Ok(last)
}
