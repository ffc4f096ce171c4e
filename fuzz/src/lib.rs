//! Everything in the library that reads bytes of somebody else, one function each.
//!
//! ```text
//! bytes -> target: a panic is a finding        fuzz/corpus/<target>/*   replayed by `make test`
//! ```
//! The functions are ordinary ones: `fuzz/runner` gives them to libFuzzer, `tests/corpus.rs` replays
//! what it found. Each also asserts what must hold of any input. See `docs/fuzzing.md`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a target reports by panicking"
)]

mod bench;
pub mod seeds;
mod targets;

/// One way in.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder in the corpus.
    pub name: &'static str,
    /// Reads the bytes; panics when something that must hold does not.
    pub run: fn(&[u8]),
}

/// All of them, by name.
pub const TARGETS: &[Target] = &[
    target("appstate", targets::appstate::run),
    target("certificate", targets::noise::certificate),
    target("history", targets::history::run),
    target("jid", targets::jid::run),
    target("media", targets::media::run),
    target("noise", targets::noise::run),
    target("pairing", targets::pairing::run),
    target("parsers", targets::parsers::run),
    target("pb", targets::pb::run),
    target("senderkey", targets::senderkey::run),
    target("signal_message", targets::signal::message),
    target("signal_row", targets::signal::row),
    target("stanza", targets::stanza::run),
    target("wap", targets::wap::run),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// The target with that name.
pub fn find(name: &str) -> Option<Target> {
    TARGETS.iter().copied().find(|target| target.name == name)
}
