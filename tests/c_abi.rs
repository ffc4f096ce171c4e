//! C and C++ programs against the library as hosts link it: shared, static, and under valgrind.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail like tests"
)]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sendpath_model_server::{Config, ModelServer};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// What `rustc --print native-static-libs` asks for on Linux.
const SYSTEM_LIBRARIES: [&str; 6] = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"];

#[derive(Clone, Copy, Debug)]
enum Link {
    Shared,
    Static,
}

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
    for name in ["misuse", "store", "lifetime"] {
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
fn the_static_library_shows_nothing_but_its_own_functions() {
    let names = output(
        Command::new("nm")
            .args(["--defined-only", "--extern-only"])
            .arg(localised()),
    );
    let shown: Vec<_> = names
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    assert!(shown.len() > 40, "{shown:?}");
    assert!(
        shown.iter().all(|name| name.starts_with("sp_")),
        "{shown:?}"
    );
}

#[test]
fn the_shared_library_has_its_soname_and_exports_the_header_only() {
    let dynamic = output(Command::new("readelf").arg("-d").arg(shared()));
    assert!(
        dynamic.contains("Library soname: [libsendpath.so.0]"),
        "{dynamic}"
    );
    let names = output(
        Command::new("nm")
            .args(["-D", "--defined-only"])
            .arg(shared()),
    );
    let header = include_str!("../include/sendpath.h");
    for name in names.lines().filter_map(|line| line.split(' ').nth(2)) {
        assert!(
            header.contains(&format!("{name}(")),
            "{name} is not in the header"
        );
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

/// Compiles `tests/c/<name>.c`; any warning is an error.
fn compile(name: &str, compiler: &str, dialect: &str, link: Link) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let program = scratch().join(format!(
        "{}{dialect}-{link:?}-{count}",
        name.replace('/', "_")
    ));
    let mut command = Command::new(compiler);
    command
        .args([
            dialect,
            "-g",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pedantic",
            "-Wconversion",
        ])
        .args(["-Wno-missing-field-initializers", "-Wno-sign-conversion"])
        .args(["-D_POSIX_C_SOURCE=200809L", "-I"])
        .arg(Path::new(ROOT).join("include"))
        .arg(format!(
            "-DEXPECTED_VERSION=\"{}\"",
            env!("CARGO_PKG_VERSION")
        ));
    if cfg!(feature = "panic-injection") {
        command.arg("-DSENDPATH_PANIC_INJECTION");
    }
    command
        .arg("-x")
        .arg(if compiler == "g++" { "c++" } else { "c" });
    command.arg(Path::new(ROOT).join(format!("tests/c/{name}.c")));
    command.args(["-x", "none", "-o"]).arg(&program);
    match link {
        Link::Shared => {
            command.arg(soname()).arg("-lpthread");
            command.arg(format!("-Wl,-rpath,{}", scratch().display()));
        }
        Link::Static => {
            command.arg(localised()).args(SYSTEM_LIBRARIES);
        }
    }
    succeed(&mut command);
    program
}

fn run(program: &Path) {
    succeed(&mut Command::new(program));
}

fn localised() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = scratch().join("libsendpath.a");
        let script = Path::new(ROOT).join("ffi/localise.sh");
        succeed(Command::new(script).arg(built("libsendpath.a")).arg(&made));
        made
    })
}

/// The shared library under the name that programs look for, without the debug lines that valgrind
/// cannot read.
fn soname() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = scratch().join("libsendpath.so.0");
        let mut strip = Command::new("objcopy");
        succeed(strip.arg("--strip-debug").arg(shared()).arg(&made));
        made
    })
}

fn shared() -> PathBuf {
    built("libsendpath.so")
}

/// Cargo builds all forms of the library for its integration tests, next to `deps`.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let deps = test.parent().unwrap();
    assert_eq!(deps.file_name(), Some(OsStr::new("deps")));
    deps.join(name)
}

fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

fn output(command: &mut Command) -> String {
    String::from_utf8(succeed(command)).unwrap()
}

fn succeed(command: &mut Command) -> Vec<u8> {
    let result = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(
        result.status.success(),
        "{command:?}: {}\n{}",
        result.status,
        String::from_utf8_lossy(&result.stderr)
    );
    result.stdout
}
