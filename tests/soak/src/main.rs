//! A soak: many accounts in one engine, a server that fails, and an account of every message.
//!
//! ```text
//! sendpath-soak MINUTES [ACCOUNTS [SEED]]        the server, its faults, the verdict
//!   └─ sendpath-soak child URL ROOT_KEY STORE ACCOUNTS     the engine, in a process of its own, so that its
//!                                                memory can be told from the server's
//! ```
//! The child tells each event in a line and remembers none, so what grows in it is the library.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program for people that lasts as long as it is told and fails by panicking"
)]

mod child;
mod faults;
mod tally;

use std::process::{Child, Command as Process, ExitCode, Stdio};
use std::time::{Duration, Instant};

use faults::Faults;
use sendpath_model_server::{Config, ModelServer};
use tally::Tally;

/// Resident memory may grow by a tenth and by this after the warm-up, in KiB: what the allocator and
/// SQLite's caches take until they have seen everything.
const GROWTH: u64 = 8 << 10;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_secs(10);

/// How long the rest may take when the faults have ended.
const REST: Duration = Duration::from_secs(420);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|first| first == "child") {
        child::run(&args[1..]);
        return ExitCode::SUCCESS;
    }
    let number = |at: usize, otherwise: u64| {
        let given = args.get(at).map(|text| text.parse().expect("a number"));
        given.unwrap_or(otherwise)
    };
    let (minutes, accounts, seed) = (number(0, 30), number(1, 100), number(2, 1));
    let passed = soak(Duration::from_secs(60 * minutes), accounts, seed);
    ExitCode::from(u8::from(!passed))
}

/// Runs for that long and prints the figures; whether they are good.
fn soak(time: Duration, accounts: u64, seed: u64) -> bool {
    let server = ModelServer::start(Config::default()).expect("a server on loopback");
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("soak.db").display().to_string();
    let mut process = start(&server, &store, accounts);
    let mut tally = Tally::listen(process.stdout.take().expect("a pipe"));
    let mut faults = Faults::new(&server, accounts, seed);
    tally.link(&server, accounts);
    println!("{accounts} accounts are linked");
    let (begin, mut looked) = (Instant::now(), Instant::now());
    let mut memory = Vec::new();
    while begin.elapsed() < time {
        tally.hear(Duration::from_millis(50));
        faults.next();
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            memory.push(resident(&process));
        }
    }
    let wrote = faults.end();
    // The child sends no more, and tells the ends that are still due.
    drop(process.stdin.take());
    let rest = Instant::now();
    while rest.elapsed() < REST && !tally.is_complete(&wrote) {
        tally.hear(Duration::from_millis(200));
    }
    memory.push(resident(&process));
    process.kill().expect("it runs");
    process.wait().expect("it ran");
    let flat = flat(&memory);
    let whole = tally.verdict(&server, &wrote, &faults);
    flat && whole
}

fn start(server: &ModelServer, store: &str, accounts: u64) -> Child {
    let me = std::env::current_exe().expect("a program has a path");
    Process::new(me)
        .args(["child", &server.url(), &hex::encode(server.root_key())])
        .args([store, &accounts.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts again")
}

/// Resident memory of the child in KiB.
fn resident(process: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id()));
    let status = status.expect("the child runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let words = line.and_then(|line| line.split_whitespace().next());
    words
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

/// Whether memory stays after the first third.
fn flat(memory: &[u64]) -> bool {
    let warm = memory.len() / 3;
    let (Some(&first), Some(&last)) = (memory.get(warm), memory.last()) else {
        return false;
    };
    let most = first + first / 10 + GROWTH;
    let peak = memory.iter().max().copied().unwrap_or(0);
    println!("memory: {first} KiB after the warm-up, {last} KiB at the end, {peak} KiB at most");
    println!("memory: {most} KiB are allowed");
    last <= most
}
