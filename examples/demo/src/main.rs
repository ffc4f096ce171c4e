//! The story of `server returned error 463`, told against the model server on this machine.
//!
//! Seven chapters: a valid token, a missing one, its arrival, an account lock, questions that send
//! nothing, a kill in the middle of a run, and the same send from four languages. Each chapter checks
//! what it tells; the program fails if one is not true.
#![expect(clippy::print_stdout, reason = "the program tells a story")]

mod chapters;
mod crash;
mod languages;
mod questions;
mod stage;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let ended = match args.next().as_deref() {
        Some("crash-child") => crash::child(args.collect()),
        programs => tell(programs),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\n   !! {error}");
            ExitCode::FAILURE
        }
    }
}

fn tell(programs: Option<&str>) -> Result<(), stage::Failure> {
    let stage = stage::Stage::open()?;
    println!("A model WhatsApp runs on this machine; nothing leaves it.\n");
    let account = chapters::pair(&stage)?;
    chapters::valid_token(&stage, &account)?;
    chapters::missing_token(&stage, &account)?;
    chapters::token_arrives(&stage, &account)?;
    chapters::timelock(&stage, &account)?;
    questions::chapter(&stage, &account)?;
    account.close().map_err(stage::failure)?;
    crash::chapter(&stage)?;
    if let Some(programs) = programs {
        languages::chapter(&stage, programs.as_ref())?;
    }
    stage.no_violations()?;
    println!("\nThe server saw no broken rule in all of this.");
    Ok(())
}
