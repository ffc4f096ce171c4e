//! Figures: what one operation costs, in nanoseconds, instructions and memory.
//!
//! ```text
//! sendpath-bench [--only TEXT] [--folder PATH] [--no-instructions]
//! name      min ns   median ns   cpu ns   instructions   heap bytes  allocations   x  of
//! ```
//! Each row with a name behind `of` is the multiple of another row of the same run: of the
//! primitive it must pay for, or of the same step without what is measured. There are no limits:
//! the figures are for reading.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark stops at the first surprise"
)]

mod cases;
mod cpu;
mod fleet;
mod harness;
mod heap;
mod instructions;
mod memory;
mod served;
mod world;

use std::io::{self, Write};
use std::path::PathBuf;

use harness::{Case, Figures};
use heap::Heap;

const HELP: &str = "\
sendpath-bench: what one operation costs

  --only TEXT         only rows whose name contains TEXT, and what they are compared with
  --folder PATH       where SQLite files are made; the default is next to this program
  --no-instructions   do not count instructions (valgrind takes most of the time)
  --iterations N      run each row N times without a table; for profilers
";

struct Args {
    only: String,
    folder: PathBuf,
    instructions: bool,
    iterations: Option<u64>,
}

fn main() -> io::Result<()> {
    if let Some(done) = helper() {
        return done;
    }
    let Some(args) = args(std::env::args().skip(1)) else {
        return io::stdout().write_all(HELP.as_bytes());
    };
    let cases = cases::all();
    if let Some(iterations) = args.iterations {
        // Exactly that row, so that a profiler sees nothing else.
        for case in cases.iter().filter(|case| case.name == args.only) {
            harness::run(case, &args.folder, iterations);
        }
        return Ok(());
    }
    let chosen: Vec<&Case> = cases
        .iter()
        .filter(|case| case.name.contains(&args.only))
        .collect();
    let beside = |case: &Case| chosen.iter().any(|chosen| chosen.of == Some(case.name));
    let shown = cases
        .iter()
        .filter(|case| case.name.contains(&args.only) || beside(case));
    table(shown, &args)?;
    memory::table(&args.only, &args.folder)
}

/// Runs as one of the processes that rows start.
fn helper() -> Option<io::Result<()>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(|word| &**word).collect();
    match words[..] {
        ["--serve"] => Some(fleet::serve()),
        ["--idle", store, url, root_key] => {
            let root_key = hex::decode(root_key).unwrap().try_into().unwrap();
            let url = url.to_owned();
            Some(memory::idle(store, &fleet::Place { url, root_key }))
        }
        _ => None,
    }
}

fn args(mut words: impl Iterator<Item = String>) -> Option<Args> {
    let mut args = Args {
        only: String::new(),
        folder: std::env::current_exe().ok()?.parent()?.to_owned(),
        instructions: true,
        iterations: None,
    };
    while let Some(word) = words.next() {
        match &*word {
            "--only" => args.only = words.next()?,
            "--folder" => args.folder = words.next()?.into(),
            "--no-instructions" => args.instructions = false,
            "--iterations" => args.iterations = Some(words.next()?.parse().ok()?),
            _ => return None,
        }
    }
    Some(args)
}

fn table<'a>(cases: impl Iterator<Item = &'a Case>, args: &Args) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let counter = match args.instructions.then(instructions::Counter::find) {
        None => None,
        Some(Err(why)) => {
            writeln!(out, "instructions: not available, {why}")?;
            None
        }
        Some(Ok(counter)) => {
            writeln!(
                out,
                "instructions: by callgrind, which hides SHA extensions from the code"
            )?;
            Some(counter)
        }
    };
    let header = ("name", "min ns", "median ns", "cpu ns", "instructions", "x");
    let (name, min, median, cpu, count, times) = header;
    let (heap, blocks) = ("heap bytes", "allocations");
    writeln!(
        out,
        "{name:<30} {min:>10} {median:>10} {cpu:>10} {count:>13} {heap:>10} {blocks:>11} {times:>7}  of"
    )?;
    let mut done: Vec<(&str, Figures)> = Vec::new();
    for case in cases {
        let figures = harness::time(case, &args.folder);
        let count = match &counter {
            None => "-".into(),
            Some(counter) => counter
                .count(case, &args.folder)
                .map_or("failed".into(), |count| count.to_string()),
        };
        let of = case
            .of
            .and_then(|of| done.iter().find(|(name, _)| *name == of));
        let (times, of) = of.map_or((String::new(), ""), |(name, base)| {
            (format!("{:.2}", figures.median / base.median), name)
        });
        let Figures {
            min,
            median,
            cpu,
            heap,
        } = figures;
        let Heap { peak, allocations } = heap;
        let name = case.name;
        writeln!(
            out,
            "{name:<30} {min:>10.0} {median:>10.0} {cpu:>10.0} {count:>13} {peak:>10} {allocations:>11} {times:>7}  {of}"
        )?;
        out.flush()?;
        done.push((name, figures));
    }
    Ok(())
}
