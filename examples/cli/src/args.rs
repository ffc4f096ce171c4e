//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use sendpath_protocol::jid::Jid;

/// Sends text messages through a linked WhatsApp account, and says why when one is refused.
#[derive(Debug, Parser)]
#[command(name = "sendpath", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) task: Task,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done or accepted, 1 failed, 2 refused, 3 nobody knows, 64 wrong usage.
One program at a time uses an account: a second one takes it over from the first.";

/// Where the account lies and which server it talks to.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// File with keys and tokens, readable for you only [default: sendpath.db in your data folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    /// Name of the account in the store, if you have several
    #[arg(long, global = true, value_name = "NAME", default_value = "default")]
    pub(crate) account: String,
    /// Another server, for tests: ws://.. or wss://..
    #[arg(long, global = true, requires = "root_key")]
    pub(crate) url: Option<String>,
    /// The key that other server is known by: 64 hex digits
    #[arg(long, global = true, value_name = "HEX", value_parser = key)]
    pub(crate) root_key: Option<Key>,
}

/// A public key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key(pub(crate) [u8; 32]);

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Link this machine: shows a code to scan with the phone (Settings, Linked devices)
    Pair(Pair),
    /// Send one text and wait for the server's answer
    Send(Send),
    /// Print what happens until Ctrl-C; nothing is lost by ending it
    Listen(Show),
    /// Print what is stored, without connecting
    Status(Show),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Pair {
    /// Also print the text of the code. Whoever has it can link in your place: do not share it
    #[arg(long)]
    pub(crate) qr_text: bool,
    /// Stay connected after the link for keys to be given out and the phone's history to come
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    pub(crate) stay: Duration,
    #[command(flatten)]
    pub(crate) show: Show,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Send {
    /// Phone number with country code, or <digits>@lid
    #[arg(value_parser = recipient)]
    pub(crate) number: String,
    /// The message
    pub(crate) text: String,
    /// Do not send later than this, and do not wait longer for the answer
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "60")]
    pub(crate) timeout: Duration,
    /// Stay connected after the answer, in case a device asks for the message again
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "3")]
    pub(crate) stay: Duration,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// Print numbers, names and texts in full
    #[arg(long)]
    pub(crate) reveal: bool,
}

fn key(text: &str) -> Result<Key, String> {
    let bytes = hex::decode(text).map_err(|error| error.to_string())?;
    let exact = |bytes: Vec<u8>| format!("{} bytes instead of 32", bytes.len());
    bytes.try_into().map(Key).map_err(exact)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "not a number of seconds")?;
    Ok(Duration::from_secs(seconds))
}

/// Numbers as people write them: `+49 1555-0001`.
fn recipient(text: &str) -> Result<String, String> {
    let number = text.strip_prefix('+').unwrap_or(text);
    let number = number.replace([' ', '-', '(', ')'], "");
    match Jid::recipient(&number) {
        Some(_) => Ok(number),
        None => Err("not a number with country code".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn numbers_are_taken_as_people_write_them() {
        for text in ["+49 1555-0001", "4915550001", "(49) 1555 0001"] {
            assert_eq!(recipient(text), Ok("4915550001".into()), "{text}");
        }
        assert_eq!(recipient("77@lid"), Ok("77@lid".into()));
        for text in ["", "+", "someone", "1@g.us"] {
            assert!(recipient(text).is_err(), "{text}");
        }
    }

    #[test]
    fn another_server_needs_its_key() {
        let parse =
            |words: &[&str]| Args::try_parse_from([&["sendpath", "status"], words].concat());
        let key = "00".repeat(32);
        assert!(parse(&["--url", "ws://127.0.0.1:1/", "--root-key", &key]).is_ok());
        assert!(parse(&["--url", "ws://127.0.0.1:1/"]).is_err());
        assert!(parse(&["--url", "ws://127.0.0.1:1/", "--root-key", "00"]).is_err());
    }
}
