//! A store that is slow or fails while the server waits for an ack.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use sendpath_e2e::{ALICE, World, attached, open_account, open_engine_with, store_in};
use sendpath_engine::StoreSpec;
use sendpath_model_server::{Condition, Gate};
use sendpath_protocol::error::StoreError;
use sendpath_protocol::event::Event;
use sendpath_protocol::txn::{Changes, Fence, Key, Namespace, Reader, Rows, Scope, Store};
use sendpath_protocol::verdict::Attached;

const GUARD: Duration = Duration::from_secs(30);

/// A store whose commits of tokens wait for a word of the test.
struct Guarded {
    inner: Box<dyn Store + Send>,
    seen: Sender<()>,
    /// Closed for "go on by yourself".
    word: Receiver<Result<(), StoreError>>,
}

impl Reader for Guarded {
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

impl Store for Guarded {
    fn acquire(&mut self, scope: &Scope) -> Result<Fence, StoreError> {
        self.inner.acquire(scope)
    }

    fn commit(&mut self, changes: &[(&Changes, &Fence)]) -> Result<(), StoreError> {
        let mut rows = changes.iter().flat_map(|(changes, _)| changes.iter());
        if rows.any(|(key, _)| key.ns == Namespace::Token) {
            // A test that has ended does not listen.
            let _ = self.seen.send(());
            self.word.recv().unwrap_or(Ok(()))?;
        }
        self.inner.commit(changes)
    }
}

/// How many notifications of tokens were acknowledged.
fn acks(world: &World) -> usize {
    let is = |key: &str, value: &str, attrs: &std::collections::BTreeMap<String, String>| {
        attrs.get(key).is_some_and(|found| found == value)
    };
    let heard = world.heard().into_iter();
    heard
        .filter(|node| {
            node.tag == "ack"
                && is("class", "notification", &node.attrs)
                && is("type", "privacy_token", &node.attrs)
        })
        .count()
}

#[test]
fn scenario_33_a_token_is_acknowledged_when_it_is_stored_and_not_before() {
    for failures in [0, 1] {
        let folder = tempfile::tempdir().unwrap();
        let path = store_in(folder.path());
        let mut world = World::linked_on(&path);
        world.add(ALICE, Gate::Token);
        world.engine.close().unwrap();
        let (seen, commits) = channel();
        let (word, words) = channel();
        let guarded = Guarded {
            inner: sendpath_storage::open(&path).unwrap(),
            seen,
            word: words,
        };
        world.engine = open_engine_with(StoreSpec::Custom(Box::new(guarded)), None);
        world.account = open_account(&world.engine, &world.server);
        world.account.connect().unwrap();
        world.online();

        let token = world.issue(ALICE, None);
        for _ in 0..failures {
            commits.recv_timeout(GUARD).unwrap();
            word.send(Err(StoreError::Full)).unwrap();
        }
        commits.recv_timeout(GUARD).unwrap();
        assert_eq!(acks(&world), 0, "it is not stored");
        word.send(Ok(())).unwrap();
        drop(word);
        world.event(|event| matches!(event, Event::TokenStored { .. }).then_some(()));
        world.wait_for(Condition::Answered { account: None });
        assert_eq!(acks(&world), 1);
        let carried = attached(world.send(ALICE.0, "hello"));
        assert!(matches!(carried, Attached::Tctoken { .. }), "{carried:?}");
        assert_eq!(world.judged()[0].tctoken.as_deref(), Some(&*token));
        world.no_violations();
    }
}
