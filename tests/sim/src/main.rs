//! Plays many seeds: `sendpath-sim [FROM [COUNT]]`. Ends with 1 when one breaks a promise.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut numbers = std::env::args()
        .skip(1)
        .map(|text| text.parse::<u64>().ok());
    let mut number = |otherwise| numbers.next().flatten().unwrap_or(otherwise);
    let (from, count) = (number(0), number(10_000));
    let mut broken = 0_u64;
    for seed in from..from.saturating_add(count) {
        if let Err(text) = sendpath_sim::run(seed) {
            println!("{text}\n");
            broken += 1;
        }
    }
    println!("{count} seeds, {broken} broken");
    ExitCode::from(u8::from(broken > 0))
}
