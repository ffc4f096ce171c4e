//! A process to be killed: sends until its store says stop, or until it is done.
//!
//! ```text
//! crash_child URL ROOT_KEY_HEX STORE ROUND COMMIT
//! ```
//! At the commit of that number it kills itself: even numbers just before the rows are written, odd
//! numbers just after, before anything of that step has left. 0 never does.
#![expect(clippy::expect_used, reason = "a helper of tests fails by panicking")]

use std::collections::VecDeque;
use std::process::Command;

use sendpath_e2e::{ALICE, open_account_at};
use sendpath_engine::{Engine, EngineConfig, SendOptions, StoreSpec};
use sendpath_protocol::error::StoreError;
use sendpath_protocol::txn::{Changes, Fence, Key, Namespace, Reader, Rows, Scope, Store};

const MESSAGES: usize = 30;
const WINDOW: usize = 4;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, root_key, path, round, commit] =
        <[String; 5]>::try_from(args).expect("five arguments");
    let inner = sendpath_storage::open(&path).expect("the store opens");
    let kill_at = commit.parse().expect("a number");
    let store = StoreSpec::Custom(Box::new(Deadly {
        inner,
        left: kill_at,
        kill_at,
    }));
    let engine = Engine::open(EngineConfig::new(store)).expect("an engine");
    let account = open_account_at(&engine, &url, key(&root_key));
    account.connect().expect("an open account");
    let mut open = VecDeque::new();
    for n in 0..MESSAGES {
        let text = format!("round {round} message {n}");
        let sending = account.send_text(ALICE.0, &text, SendOptions::default());
        open.push_back(sending.expect("an open account"));
        if open.len() == WINDOW {
            open.pop_front()
                .and_then(|oldest| oldest.wait_blocking(None));
        }
    }
    for sending in open {
        sending.wait_blocking(None);
    }
}

/// A store that kills its process.
struct Deadly {
    inner: Box<dyn Store + Send>,
    left: u64,
    kill_at: u64,
}

impl Deadly {
    fn die(&self) {
        let me = std::process::id().to_string();
        // The thread that owns all sessions waits here, so nothing happens any more.
        Command::new("kill")
            .args(["-9", &me])
            .status()
            .expect("kill is there");
    }
}

impl Reader for Deadly {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(key)
    }

    fn scan(
        &self,
        scope: &Scope,
        ns: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        self.inner.scan(scope, ns, prefix, after, limit)
    }
}

impl Store for Deadly {
    fn acquire(&mut self, scope: &Scope) -> Result<Fence, StoreError> {
        self.inner.acquire(scope)
    }

    fn commit(&mut self, changes: &[(&Changes, &Fence)]) -> Result<(), StoreError> {
        self.left = self.left.saturating_sub(1);
        let now = self.left == 0 && self.kill_at > 0;
        if now && self.kill_at.is_multiple_of(2) {
            self.die();
        }
        self.inner.commit(changes)?;
        if now {
            self.die();
        }
        Ok(())
    }
}

fn key(hex: &str) -> [u8; 32] {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    std::array::from_fn(|n| byte(2 * n))
}
