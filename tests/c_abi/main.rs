//! C and C++ programs against the library as hosts link it: shared, static, and under valgrind.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail like tests"
)]

mod build;
mod script;
mod symbols;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sendpath_model_server::{Config, ModelServer};

use build::{Link, ROOT, built, compile, output, run, scratch, succeed};

#[test]
fn misuse_is_a_status_in_every_dialect_and_linkage() {
    for dialect in ["-std=c99", "-std=c11", "-std=c17"] {
        run(&compile("misuse", "gcc", dialect, Link::Shared));
    }
    for dialect in ["-std=c++11", "-std=c++20"] {
        run(&compile("misuse", "g++", dialect, Link::Shared));
    }
    run(&compile("misuse", "gcc", "-std=c99", Link::Static));
}

#[test]
fn a_store_of_the_host_is_used_and_freed_once() {
    run(&compile("store", "gcc", "-std=c99", Link::Shared));
    run(&compile("store", "g++", "-std=c++11", Link::Static));
}

#[test]
fn sends_end_once_and_closing_wakes_everybody() {
    run(&compile("lifetime", "gcc", "-std=c99", Link::Shared));
    run(&compile("lifetime", "gcc", "-std=c99", Link::Static));
}

#[test]
fn every_send_ends_once_whoever_closes() {
    let program = compile("once", "gcc", "-std=c99", Link::Shared);
    let said = output(&mut Command::new(program));
    let sends: u32 = said.split(' ').next().unwrap().parse().unwrap();
    assert!(sends >= 100_000, "{said}");
}

#[test]
fn a_guest_answers_explains_and_says_what_is_wrong() {
    run(&compile("guest", "gcc", "-std=c99", Link::Shared));
    run(&compile("guest", "gcc", "-std=c99", Link::Static));
    run(&compile("guest", "g++", "-std=c++11", Link::Shared));
    run(&compile("guest_state", "gcc", "-std=c99", Link::Shared));
}

#[test]
fn the_example_of_a_guest_explains_its_refusal() {
    let program = compile("../../examples/c/guest", "gcc", "-std=c99", Link::Static);
    let said = output(Command::new(program).arg("memory:"));
    let lines: Vec<_> = said.lines().collect();
    let told = [
        "3EB0A1 carries tctoken of 7 bytes",
        "3EB0A2 carries nothing, never_received",
        "asking document 23983697327930364",
        "token of 100000000000001@lid",
        "the end of 3EB0A2",
        "  cause: ACCOUNT_TIMELOCKED",
        "  next: wait_until",
    ];
    for line in told {
        assert!(lines.contains(&line), "{line}: {said}");
    }
    let refusals = lines.iter().filter(|line| line.starts_with("refused: "));
    assert_eq!(refusals.count(), 2, "{said}");
}

#[test]
fn a_fork_is_told_and_hangs_nobody() {
    run(&compile("fork", "gcc", "-std=c99", Link::Shared));
    run(&compile("fork", "gcc", "-std=c99", Link::Static));
}

#[test]
fn the_example_links_a_device_sends_and_says_what_became_of_it() {
    for (gate, exit, last) in [
        ("open", 0, "accepted: "),
        ("token", 1, "  next: ask_contact_to_write"),
    ] {
        let server = ModelServer::start(Config::default()).unwrap();
        let peer =
            format!(r#"{{"cmd":"add_peer","pn":"4915550001","lid":"1001","gate":"{gate}"}}"#);
        server.control_json(&peer);
        let mut example = Command::new(example());
        example
            .args(["memory:", "4915550001", "hello", &server.url()])
            .arg(hex::encode(server.root_key()));
        let (code, said) = link(&mut example, &server);
        assert_eq!(code, Some(exit), "{said:?}");
        assert!(said.iter().any(|line| line.starts_with(last)), "{said:?}");
        let received = server.control_json(r#"{"cmd":"received","peer":"1001"}"#);
        assert_eq!(
            received.contains(r#""text":"hello""#),
            exit == 0,
            "{received}"
        );
        let violations = server.control_json(r#"{"cmd":"violations"}"#);
        assert_eq!(violations, r#"{"reply":"violations","violations":[]}"#);
    }
}

#[test]
fn nothing_leaks_and_no_memory_is_misused() {
    let found = Command::new("valgrind").arg("--version").output();
    assert!(
        found.is_ok(),
        "valgrind is missing: apt-get install valgrind"
    );
    for name in ["misuse", "store", "lifetime", "guest", "guest_state"] {
        let program = compile(name, "gcc", "-std=c99", Link::Shared);
        let mut checked = Command::new("valgrind");
        checked
            .args(["--quiet", "--error-exitcode=9", "--leak-check=full"])
            .args([
                "--errors-for-leak-kinds=definite,indirect",
                "--trace-children=no",
            ])
            .arg("--child-silent-after-fork=yes")
            .arg(&program);
        succeed(&mut checked);
    }
}

#[test]
fn an_installed_library_is_found_by_pkg_config() {
    let prefix = scratch().join("prefix");
    let script = Path::new(ROOT).join("ffi/install.sh");
    succeed(Command::new(script).arg(&prefix).arg(built("").as_path()));
    let ask = |what: &[&str]| {
        let mut asked = Command::new("pkg-config");
        asked.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
        output(asked.args(what).arg("sendpath"))
    };
    assert_eq!(ask(&["--modversion"]).trim(), env!("CARGO_PKG_VERSION"));
    let flags = ask(&["--cflags", "--libs"]);
    let program = scratch().join("installed");
    succeed(
        Command::new("gcc")
            .arg(Path::new(ROOT).join("examples/c/send_text.c"))
            .args(flags.split_whitespace())
            .arg(format!("-Wl,-rpath,{}", prefix.join("lib").display()))
            .arg("-o")
            .arg(&program),
    );
    let usage = Command::new(program).output().unwrap();
    assert_eq!(
        usage.status.code(),
        Some(2),
        "it starts and asks for arguments"
    );
}

/// Runs the example as a person would: every code it shows is scanned.
fn link(example: &mut Command, server: &ModelServer) -> (Option<i32>, Vec<String>) {
    let mut child = example.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(qr) = line.strip_prefix("scan: ") {
            let scan = serde_json::json!({"cmd": "scan_qr", "qr": qr});
            server.control_json(&scan.to_string());
        }
        said.push(line);
    }
    (child.wait().unwrap().code(), said)
}

fn example() -> PathBuf {
    compile(
        "../../examples/c/send_text",
        "gcc",
        "-std=c99",
        Link::Static,
    )
}
