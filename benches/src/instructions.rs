//! Instructions of one operation: this program under callgrind, with N and with 2N iterations; the
//! difference is free of start-up and of first-time work.

use std::path::Path;
use std::process::Command;

use crate::harness::Case;

/// Operations to count. Few, since callgrind is fifty times slower than the machine, and enough to
/// even out those whose work differs, such as commits that end with a checkpoint.
const OPERATIONS: u32 = 32;

/// A working valgrind.
pub(crate) struct Counter;

impl Counter {
    /// `Err` says in a few words why instructions cannot be counted here.
    pub(crate) fn find() -> Result<Self, &'static str> {
        let version = Command::new("valgrind").arg("--version").output();
        match version.map(|version| version.status.success()) {
            Ok(true) => Ok(Self),
            _ => Err("valgrind is not installed"),
        }
    }

    /// `None` when the run failed.
    pub(crate) fn count(&self, case: &Case, folder: &Path) -> Option<u64> {
        let iterations = u64::from((OPERATIONS / case.operations).max(1));
        let once = total(case, folder, iterations)?;
        let twice = total(case, folder, 2 * iterations)?;
        Some(twice.checked_sub(once)? / (iterations * u64::from(case.operations)))
    }
}

/// Instructions inside `harness::measured`, over all iterations.
fn total(case: &Case, folder: &Path, iterations: u64) -> Option<u64> {
    let scratch = tempfile::tempdir_in(folder).ok()?;
    let figures = scratch.path().join("callgrind.out");
    let status = Command::new("valgrind")
        .args([
            "-q",
            "--tool=callgrind",
            "--toggle-collect=*harness*measured*",
        ])
        .arg(format!("--callgrind-out-file={}", figures.display()))
        .arg(std::env::current_exe().ok()?)
        .args(["--only", case.name, "--iterations", &iterations.to_string()])
        .arg("--folder")
        .arg(folder)
        .stderr(std::process::Stdio::null())
        .status()
        .ok()?;
    let figures = std::fs::read_to_string(figures)
        .ok()
        .filter(|_| status.success())?;
    let totals = figures
        .lines()
        .find_map(|line| line.strip_prefix("totals:"))?;
    totals.split_whitespace().next()?.parse().ok()
}
