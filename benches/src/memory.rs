//! What connected accounts that do nothing keep in memory: resident pages of a process of its own,
//! before and after it has connected them.
//!
//! ```text
//! name                           base KiB    all KiB   each KiB
//! ```

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command as Process, Stdio};

use crate::fleet::{Fleet, Place, account, engine, online};

const NAME: &str = "idle accounts, 100, SQLite";
const ACCOUNTS: u64 = 100;

/// Prints the table, if its row is wanted.
pub(crate) fn table(only: &str, folder: &Path) -> io::Result<()> {
    if !NAME.contains(only) {
        return Ok(());
    }
    let mut parked = Fleet::new(folder, ACCOUNTS).park();
    let Place { url, root_key } = parked.place();
    let mut process = Process::new(std::env::current_exe()?)
        .args(["--idle", &parked.store, url, &hex::encode(root_key)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut told = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut number = || told.next().unwrap().unwrap().parse::<u64>().unwrap();
    let base = number();
    parked.settled(ACCOUNTS);
    drop(process.stdin.take());
    let all = number();
    process.wait()?;
    let each = (all - base) / ACCOUNTS;
    let mut out = io::stdout().lock();
    let (name, header) = ("name", ("base KiB", "all KiB", "each KiB"));
    writeln!(
        out,
        "\n{name:<30} {:>10} {:>10} {:>10}",
        header.0, header.1, header.2
    )?;
    writeln!(out, "{NAME:<30} {base:>10} {all:>10} {each:>10}")
}

/// What the process that is measured does.
pub(crate) fn idle(store: &str, place: &Place) -> io::Result<()> {
    let engine = engine(store);
    let base = resident()?;
    let accounts: Vec<_> = (0..ACCOUNTS)
        .map(|number| account(&engine, place, number))
        .collect();
    accounts
        .iter()
        .for_each(|account| account.connect().unwrap());
    accounts.iter().for_each(online);
    writeln!(io::stdout(), "{base}")?;
    // The other process says when the server has heard everything.
    io::stdin().read_line(&mut String::new())?;
    writeln!(io::stdout(), "{}", resident()?)
}

/// Resident memory of this process in KiB.
fn resident() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    Ok(line.trim_end_matches("kB").trim().parse().unwrap())
}
