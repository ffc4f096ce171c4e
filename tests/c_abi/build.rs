//! Compiling and linking as hosts do.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// What `rustc --print native-static-libs` asks for on Linux.
const SYSTEM_LIBRARIES: [&str; 6] = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"];

#[derive(Clone, Copy, Debug)]
pub(super) enum Link {
    Shared,
    Static,
}

/// Compiles `tests/c/<name>.c`; any warning is an error.
pub(super) fn compile(name: &str, compiler: &str, dialect: &str, link: Link) -> PathBuf {
    compile_with(name, compiler, dialect, link, &[])
}

/// The same, beside other libraries.
pub(super) fn compile_with(
    name: &str,
    compiler: &str,
    dialect: &str,
    link: Link,
    others: &[&Path],
) -> PathBuf {
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
        .arg("-I")
        .arg(scratch())
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
    command.args(["-x", "none"]).args(others);
    command.arg("-o").arg(&program);
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

pub(super) fn run(program: &Path) {
    succeed(&mut Command::new(program));
}

pub(super) fn localised() -> &'static Path {
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

pub(super) fn shared() -> PathBuf {
    built("libsendpath.so")
}

/// Cargo builds all forms of the library for its integration tests, next to `deps`.
pub(super) fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let deps = test.parent().unwrap();
    assert_eq!(deps.file_name(), Some(OsStr::new("deps")));
    deps.join(name)
}

pub(super) fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

pub(super) fn output(command: &mut Command) -> String {
    String::from_utf8(succeed(command)).unwrap()
}

pub(super) fn succeed(command: &mut Command) -> Vec<u8> {
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
