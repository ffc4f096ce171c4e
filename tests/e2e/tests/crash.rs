//! SIGKILL at 200 random points: no message key twice, no message lost, no acknowledged token lost.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::process::{Child, Command as Process, Stdio};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sendpath_e2e::{ALICE, World, open_account, open_engine, store_in};
use sendpath_model_server::{Command, Condition, Gate, ModelServer};
use sendpath_protocol::event::Event;
use sendpath_protocol::verdict::{Attached, Outcome};

const ROUNDS: u32 = 200;

/// Commits of one run, roughly: login, token, sends, answers.
const COMMITS: u32 = 60;

struct Round<'a> {
    server: &'a ModelServer,
    store: &'a str,
}

impl Round<'_> {
    fn child(&self, round: u32, commit: u32) -> Child {
        let root_key: String = self
            .server
            .root_key()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Process::new(env!("CARGO_BIN_EXE_crash_child"))
            .args([&self.server.url(), &root_key, self.store])
            .args([round.to_string(), commit.to_string()])
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }
}

#[test]
fn nothing_is_lost_or_repeated_by_a_kill() {
    let seed = 1;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let mut world = World::linked_on(&store);
    world.add(ALICE, Gate::Token);
    world.give_token(ALICE, None);
    assert!(matches!(
        world.send(ALICE.0, "first"),
        Outcome::Accepted { .. }
    ));
    world.engine.close().unwrap();
    let mut tokens = Vec::new();
    let mut killed = 0;
    for round in 0..ROUNDS {
        tokens.push(issue_while_away(&world));
        let rounds = Round {
            server: &world.server,
            store: &store,
        };
        let from_outside = rng.next_u32() % 2 == 0;
        let before = world.judged().len();
        let commit = if from_outside {
            0
        } else {
            1 + rng.next_u32() % COMMITS
        };
        let mut child = rounds.child(round, commit);
        if from_outside {
            let messages = before + rng.next_u32() as usize % 12;
            world.wait_for(Condition::Messages { count: messages });
            child.kill().unwrap();
        }
        killed += u32::from(!child.wait().unwrap().success());
        check_tokens(&world, &tokens, before, seed, round);
    }
    assert!(killed >= ROUNDS * 9 / 10, "only {killed} runs were killed");
    world.engine = open_engine(&store);
    world.account = open_account(&world.engine, &world.server);
    let waiting = world.account.status().unwrap().session.unwrap().outbox;
    world.account.connect().unwrap();
    for _ in 0..waiting {
        world
            .event(|event| matches!(event, Event::Settled(Outcome::Accepted { .. })).then_some(()));
    }
    let Outcome::Accepted {
        attached: Attached::Tctoken { .. },
        ..
    } = world.send(ALICE.0, "last")
    else {
        panic!("seed {seed}: the token is lost");
    };
    let seen = world.judged().pop().unwrap().tctoken.unwrap();
    assert_eq!(
        Some(&seen),
        tokens.last(),
        "seed {seed}: the newest token counts"
    );
    every_accepted_message_arrived_once(&world, seed);
    assert_eq!(world.violations(), Vec::new(), "seed {seed}");
}

/// The contact issues a new token while the account is not connected.
fn issue_while_away(world: &World) -> String {
    world.order(Command::AdvanceTime { seconds: 1 });
    world.issue(ALICE, None)
}

/// A token whose notification was acknowledged is never followed by an older one.
fn check_tokens(world: &World, tokens: &[String], before: usize, seed: u64, round: u32) {
    let rank = |token: &String| tokens.iter().position(|known| known == token);
    let shown: Vec<_> = world
        .judged()
        .iter()
        .filter_map(|m| m.tctoken.clone())
        .collect();
    let ranks: Vec<_> = shown.iter().filter_map(rank).collect();
    let fresh = world
        .judged()
        .into_iter()
        .skip(before)
        .filter(|message| !message.resend);
    for message in fresh {
        assert_eq!(
            message.error, None,
            "seed {seed}, round {round}: a token was lost"
        );
    }
    assert!(!ranks.is_empty() || round < 3, "seed {seed}, round {round}");
}

fn every_accepted_message_arrived_once(world: &World, seed: u64) {
    let accepted: BTreeSet<_> = world
        .judged()
        .into_iter()
        .filter(|message| message.error.is_none())
        .map(|message| message.id)
        .collect();
    let mut arrived = BTreeSet::new();
    for message in world
        .received(ALICE.0)
        .into_iter()
        .filter(|message| !message.duplicate)
    {
        assert_eq!(message.error, None, "seed {seed}");
        assert!(
            arrived.insert(message.id),
            "seed {seed}: a message arrived twice"
        );
    }
    assert_eq!(accepted, arrived, "seed {seed}");
}
