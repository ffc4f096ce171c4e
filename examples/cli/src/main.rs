//! A small program on sendpath: link an account, send a text, listen.
//!
//! ```text
//! sendpath pair                              scan the code with the phone
//! sendpath send +4915550001 "Good morning"   exit code 0 accepted, 2 refused, 3 unknown
//! sendpath listen                            events until Ctrl-C
//! sendpath status                            what is stored, without a connection
//! ```

mod args;
mod listen;
mod open;
mod pair;
mod qr;
mod send;
mod status;
mod text;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use args::{Args, Task};
use clap::Parser;
use open::Opened;

/// How the program ends. Numbers are stable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
enum Exit {
    Done = 0,
    Failed = 1,
    Refused = 2,
    Unknown = 3,
    Usage = 64,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help that nobody reads any more is no failure.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            }
            .into();
        }
    };
    match run(args) {
        Ok(exit) => exit,
        Err(error) => {
            let _ = writeln!(io::stderr(), "sendpath: {error}");
            Exit::Failed
        }
    }
    .into()
}

fn run(args: Args) -> Result<Exit, Box<dyn Error>> {
    let opened = Opened::new(&args.place)?;
    let mut out = io::stdout().lock();
    let exit = match args.task {
        Task::Pair(options) => pair::run(&opened, &options, &mut out)?,
        Task::Send(options) => send::run(&opened, &options, &mut out)?,
        Task::Listen(options) => listen::run(&opened, &options, &mut out)?,
        Task::Status(options) => status::run(&opened, &options, &mut out)?,
    };
    opened.engine.close()?;
    Ok(exit)
}
