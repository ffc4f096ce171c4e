//! The program as a user runs it, against the model server.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use sendpath_model_server::{Command as Order, Config, Failure, Gate, ModelServer, Reply};
use tempfile::TempDir;

const OPEN: &str = "4915550001";
const COLD: &str = "4915550002";

#[test]
fn a_linked_account_sends_and_says_why_it_was_refused() {
    let world = World::new();
    assert!(world.output(&["status"]).starts_with("linked: no"));
    world.pair();

    let again = world.output(&["pair"]);
    assert!(again.starts_with("already linked"), "{again}");
    let status = world.output(&["status"]);
    assert!(status.starts_with("linked: …"), "{status}");
    assert!(status.contains("messages without an answer: 0"), "{status}");

    let sent = world.run(&["send", "+49 1555-0001", "Good morning", "--stay", "0"]);
    assert_eq!(
        (code(&sent), field(&sent, "outcome")),
        (0, "accepted".into())
    );
    let id = field(&sent, "id");
    let Reply::Received { messages } = world.order(Order::Received { peer: None }) else {
        panic!("the server tells what was received");
    };
    assert!(messages.iter().any(|message| message.id == id), "{id}");

    let refused = world.run(&["send", COLD, "Good morning"]);
    assert_eq!(
        (code(&refused), field(&refused, "outcome")),
        (2, "refused".into())
    );
    assert_eq!(field(&refused, "cause"), "TOKEN_MISSING_WARM");
    assert_eq!(field(&refused, "server code"), "463");
    assert_eq!(field(&refused, "next"), "ask_contact_to_write");
    assert!(field(&refused, "advice").contains("the contact's next message"));
}

#[test]
fn a_number_without_an_account_is_refused_as_input_to_fix() {
    let world = World::new();
    world.pair();
    let refused = world.run(&["send", "4915559998", "hello"]);
    assert_eq!(code(&refused), 2);
    assert_eq!(field(&refused, "cause"), "NOT_ON_WHATSAPP");
    assert_eq!(field(&refused, "next"), "fix_input");
}

#[test]
fn an_account_that_is_not_linked_cannot_send_or_listen() {
    let world = World::new();
    let refused = world.run(&["send", OPEN, "hello"]);
    assert_eq!(
        (code(&refused), field(&refused, "cause")),
        (2, "NOT_PAIRED".into())
    );
    let listening = world.run(&["listen"]);
    assert_eq!(code(&listening), 1);
    assert!(String::from_utf8_lossy(&listening.stderr).contains("run `sendpath pair` first"));
}

#[test]
fn messages_are_listened_to_without_showing_numbers_or_texts() {
    let world = World::new();
    world.pair();
    let mut listener = Running::start(&mut world.command(&["listen"]));
    let mut lines = listener.lines();
    assert_eq!(lines.next().as_deref(), Some("connected"));
    let said = Order::PeerSend {
        peer: OPEN.into(),
        text: "hello there".into(),
        account: None,
        device: 0,
        id: None,
        from_lid: true,
    };
    assert!(matches!(world.order(said), Reply::Sent { .. }));
    let message = lines.find(|line| line.contains("message by")).unwrap();
    assert!(message.ends_with("11 characters"), "{message}");
    assert!(
        !message.contains("hello") && !message.contains("900100"),
        "{message}"
    );
}

#[test]
fn wrong_usage_is_told_from_a_refusal_by_its_code() {
    let world = World::new();
    for words in [&["send", OPEN][..], &["send", "someone", "hello"], &["fly"]] {
        assert_eq!(code(&world.run(words)), 64, "{words:?}");
    }
    let help = world.run(&["--help"]);
    assert_eq!(code(&help), 0);
    assert!(String::from_utf8_lossy(&help.stdout).contains("2 refused"));
}

#[test]
fn a_connection_that_has_ended_for_good_ends_the_program() {
    let world = World::new();
    world.pair();
    let outdated = || {
        let failure = Failure {
            reason: 405,
            code: None,
            expire: None,
        };
        assert_eq!(world.order(Order::FailLogin(failure)), Reply::Done);
    };
    outdated();
    let listening = world.run(&["listen"]);
    assert_eq!(code(&listening), 1);
    outdated();
    let refused = world.run(&["send", OPEN, "hello"]);
    assert_eq!(
        (code(&refused), field(&refused, "cause")),
        (2, "CANCELLED".into())
    );
    for output in [listening, refused] {
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("a newer web version"), "{text}");
    }
}

/// A server with two contacts, and a folder for the store.
struct World {
    server: ModelServer,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self {
            server: ModelServer::start(Config::default()).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        for (pn, lid, gate) in [
            (OPEN, "900100000000001", Gate::Open),
            (COLD, "900100000000002", Gate::Token),
        ] {
            let peer = Order::AddPeer {
                pn: pn.into(),
                lid: lid.into(),
                devices: 1,
                gate,
                aliases: Vec::new(),
            };
            assert_eq!(world.order(peer), Reply::Done);
        }
        world
    }

    /// Links the store of this world: the phone scans what the program shows.
    fn pair(&self) {
        let mut pairing = Running::start(&mut self.command(&["pair", "--qr-text", "--stay", "0"]));
        let mut lines = pairing.lines();
        let blocks = |line: &String| line.contains('\u{2588}');
        assert!(lines.next().as_ref().is_some_and(blocks), "a code is drawn");
        let code = lines.find_map(|line| line.strip_prefix("code: ").map(str::to_owned));
        let scanned = self.order(Order::scan_qr(code.unwrap()));
        assert!(matches!(scanned, Reply::Linked { .. }), "{scanned:?}");
        assert_eq!(lines.last().as_deref(), Some("linked"));
        assert_eq!(pairing.0.wait().unwrap().code(), Some(0));
        assert_eq!(
            self.order(Order::Violations),
            Reply::Violations { violations: vec![] }
        );
        assert_private(&self.store());
    }

    fn order(&self, order: Order) -> Reply {
        self.server.control(order)
    }

    fn output(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(code(&output), 0, "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sendpath"));
        let key: String = self
            .server
            .root_key()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        command
            .args(words)
            .args(["--url", &self.server.url(), "--root-key", &key, "--store"])
            .arg(self.store());
        command
    }

    fn store(&self) -> std::path::PathBuf {
        self.folder.path().join("account.db")
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// The value of a line `name: value` of what was printed; empty when there is none.
fn field(output: &Output, name: &str) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned());
    text.lines().find_map(value).unwrap_or_default()
}

/// A program that ends with the test, however that goes.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).spawn().unwrap())
    }

    fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        let out = BufReader::new(self.0.stdout.take().unwrap());
        out.lines().map(Result::unwrap)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(unix)]
fn assert_private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only the owner reads keys");
}

#[cfg(not(unix))]
fn assert_private(_: &Path) {}
