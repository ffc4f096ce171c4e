//! A PostgreSQL server for tests: made by `initdb` in a temporary folder, on a Unix socket there and
//! on 127.0.0.1. It ends with the process that started it, however that ends.
//!
//! A machine without PostgreSQL fails the test with one line; nothing is skipped.
#![expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub use postgres::{Client, NoTls};

/// The owner of everything; a superuser.
pub const USER: &str = "sendpath";

/// The owner's password, asked for on TCP.
pub const PASSWORD: &str = "p@ss/wörd?";

/// [`PASSWORD`] as a part of a URI.
pub const PASSWORD_IN_URI: &str = "p%40ss%2Fw%C3%B6rd%3F";

/// One line, and how to mend it.
const MISSING: &str = "missing: PostgreSQL (Debian package postgresql; `make setup` installs it)";

/// A running server.
pub struct Server {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    /// Waits for the end of its input, then stops the server and removes the folder.
    guard: Child,
    databases: AtomicU32,
}

/// An empty database.
#[derive(Clone, Debug)]
pub struct Database {
    /// Its name.
    pub name: String,
    folder: PathBuf,
    port: u16,
}

/// The server that the tests of one process share.
pub fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

impl Server {
    /// Makes and starts a server.
    pub fn start() -> Self {
        let programs = programs().unwrap_or_else(|| panic!("{MISSING}"));
        let folder = tempfile::Builder::new().prefix("sendpath-pg-").tempdir();
        let folder = folder.expect("a temporary folder").keep();
        let guard = guard(&folder, &programs);
        if is_root() {
            // PostgreSQL refuses to run as root.
            run(Command::new("chown").arg("postgres:postgres").arg(&folder));
        }
        certificates(&folder);
        fs::write(folder.join("password"), PASSWORD).expect("a file in the folder");
        let mut initdb = plain_user(&programs.join("initdb"));
        initdb.args([
            "--username",
            USER,
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        initdb.args([
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--pgdata",
        ]);
        initdb.arg(folder.join("data"));
        run(initdb.arg("--pwfile").arg(folder.join("password")));
        let mut server = Self {
            folder,
            programs,
            port: 0,
            guard,
            databases: AtomicU32::new(0),
        };
        // Another process may take the port between the look and the start.
        for _ in 0..5 {
            server.port = free_port();
            if server.try_resume() {
                return server;
            }
        }
        panic!("PostgreSQL does not start: {}", server.log());
    }

    /// Ends the server as a crash of its machine would.
    pub fn stop(&self) {
        let mut stop = plain_user(&self.programs.join("pg_ctl"));
        stop.args(["stop", "--wait", "--mode=immediate", "--pgdata"]);
        run(stop.arg(self.folder.join("data")));
    }

    /// Starts it again after [`Server::stop`].
    pub fn resume(&self) {
        assert!(
            self.try_resume(),
            "PostgreSQL does not start: {}",
            self.log()
        );
    }

    /// A new empty database.
    pub fn database(&self) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let of = |name: String| Database {
            name,
            folder: self.folder.clone(),
            port: self.port,
        };
        let new = of(format!("test{number}"));
        let create = format!("CREATE DATABASE {} TEMPLATE template0", new.name);
        let mut client = of("postgres".into()).client();
        client.batch_execute(&create).expect("a new database");
        new
    }

    /// The certificate that signed the server's, which names `localhost`.
    pub fn root_certificate(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    fn try_resume(&self) -> bool {
        let folder = self.folder.display();
        let options = format!(
            "-k {folder} -p {} -c listen_addresses=127.0.0.1 -c fsync=off -c ssl=on \
             -c ssl_cert_file={folder}/server.pem -c ssl_key_file={folder}/server.key",
            self.port
        );
        let mut start = plain_user(&self.programs.join("pg_ctl"));
        start.args(["start", "--wait", "--timeout=60", "--options", &options]);
        start.arg("--log").arg(self.folder.join("log"));
        start.arg("--pgdata").arg(self.folder.join("data"));
        start.stdout(Stdio::null()).stderr(Stdio::null());
        start.status().is_ok_and(|status| status.success())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // A guard that fails leaves a folder behind, no wrong result.
        let _ = self.guard.wait();
    }
}

impl Database {
    /// Its address through the Unix socket, where no password is asked for.
    pub fn uri(&self) -> String {
        self.uri_in(&self.folder)
    }

    /// As [`Database::uri`], through a socket of this server's file name in another folder.
    pub fn uri_in(&self, folder: &Path) -> String {
        let (name, port, folder) = (&self.name, self.port, folder.display());
        format!("postgres:///{name}?host={folder}&port={port}&user={USER}")
    }

    /// Its address through TCP with these credentials, ready for `?options`.
    pub fn tcp_uri(&self, host: &str, credentials: &str) -> String {
        format!(
            "postgres://{credentials}@{host}:{}/{}",
            self.port, self.name
        )
    }

    /// The file of the Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.port))
    }

    /// A session of the test's own.
    pub fn client(&self) -> Client {
        Client::connect(&self.uri(), NoTls).expect("a session")
    }
}

/// The folder of `initdb`: Debian's newest, else the one in the path.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debian = versions
        .flatten()
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path())))
        .map(|(number, path): (u32, _)| (number, path.join("bin")))
        .filter(|(_, programs)| programs.join("initdb").exists())
        .max();
    if let Some((_, programs)) = debian {
        return Some(programs);
    }
    let found = Command::new("sh")
        .args(["-c", "command -v initdb"])
        .output();
    let found = PathBuf::from(String::from_utf8(found.ok()?.stdout).ok()?.trim());
    Some(found.parent()?.to_owned()).filter(|programs| programs.join("initdb").exists())
}

fn guard(folder: &Path, programs: &Path) -> Child {
    let mut stop = plain_user(&programs.join("pg_ctl"));
    stop.args(["stop", "--wait", "--mode=immediate", "--pgdata"]);
    stop.arg(folder.join("data"));
    Command::new("sh")
        .args(["-c", r#"trap "" INT TERM; cat; "$@"; rm -rf "$0""#])
        .arg(folder)
        .arg(stop.get_program())
        .args(stop.get_args())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell")
}

/// Certificates of a root, and of a server that is `localhost`.
fn certificates(folder: &Path) {
    let request = |name: &str, subject: &str| {
        let mut openssl = plain_user("openssl".as_ref());
        openssl.args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"]);
        openssl.args(["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", subject]);
        openssl
            .arg("-keyout")
            .arg(folder.join(format!("{name}.key")));
        openssl.arg("-out").arg(folder.join(format!("{name}.pem")));
        openssl
    };
    run(&mut request("ca", "/CN=tests"));
    let mut server = request("server", "/CN=localhost");
    server.arg("-CA").arg(folder.join("ca.pem"));
    server.arg("-CAkey").arg(folder.join("ca.key"));
    server.args(["-addext", "subjectAltName=DNS:localhost"]);
    run(server.args(["-addext", "basicConstraints=CA:FALSE"]));
}

/// The program as a user that is not root.
fn plain_user(program: &Path) -> Command {
    let mut command = Command::new(if is_root() {
        "setpriv".as_ref()
    } else {
        program
    });
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
        command.arg(program);
    }
    // The folder of the tests need not be readable for that user.
    command.current_dir("/");
    command
}

fn is_root() -> bool {
    static ROOT: OnceLock<bool> = OnceLock::new();
    *ROOT.get_or_init(|| {
        let id = Command::new("id").arg("-u").output();
        id.is_ok_and(|id| id.stdout == b"0\n")
    })
}

fn run(command: &mut Command) {
    let name = command.get_program().to_owned();
    let done = command.output();
    let done = done.unwrap_or_else(|error| panic!("missing: {} ({error})", told(&name)));
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{} failed: {said}", told(&name));
}

fn told(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}
