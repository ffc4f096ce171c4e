//! What whatsmeow and Baileys do against the model server, done by our engine: one line a check; a
//! failed one panics. `INTEROP_STANZAS` names a file for the stanzas that the server got.

use std::io::{self, Write};

use sendpath_e2e::{ALICE, BOB, Person, World};
use sendpath_model_server::{Command, Condition, Gate, Reply};
use sendpath_protocol::event::{DisconnectReason, Event};
use sendpath_protocol::verdict::{Attached, Outcome};

/// The default account of the model server.
const ACCOUNT: &str = "15550100001";

fn main() -> io::Result<()> {
    let world = World::linked();
    world.add_with_devices(ALICE, Gate::Open, 2);
    world.add(BOB, Gate::Token);
    let mut out = io::stdout();
    writeln!(out, "ok   sendpath: pairs by QR, follows 515 and logs in")?;
    for (name, check) in CHECKS {
        check(&world);
        writeln!(out, "ok   sendpath: {name}")?;
    }
    save_stanzas(&world)?;
    leaves(&world);
    writeln!(out, "ok   sendpath: leaves when the phone unlinks it")
}

type Check = fn(&World);

const CHECKS: [(&str, Check); 9] = [
    ("uploads prekeys", |world| {
        world.wait_for(Condition::Iq {
            kind: "encrypt/registration".into(),
            count: 1,
        });
    }),
    (
        "sends a text that all devices on both sides read",
        |world| {
            accepted(world, ALICE, "hello from sendpath");
            wait_read(world, ALICE.0, "hello from sendpath", 2);
            wait_read(world, ACCOUNT, "hello from sendpath", 1);
        },
    ),
    ("reads a text from a contact", |world| {
        world.peer_writes(ALICE, "hello");
        expect_text(world, "hello");
    }),
    ("sends again on the established session", |world| {
        accepted(world, ALICE, "second");
        wait_read(world, ALICE.0, "second", 2);
    }),
    (
        "is refused with 463 by a contact that gave no token",
        |world| {
            assert_eq!(world.refused(&lid(BOB), "cold call").code, Some(463));
        },
    ),
    (
        "attaches the privacy token that the contact gave",
        |world| {
            let token = world.give_token(BOB, None);
            let attached = accepted(world, BOB, "warm call");
            assert!(matches!(attached, Attached::Tctoken { .. }));
            let judged = world.judged();
            let seen = judged.last().and_then(|message| message.tctoken.as_ref());
            assert_eq!(seen, Some(&token));
        },
    ),
    ("issues a token to each contact it wrote to", |world| {
        for person in [ALICE, BOB] {
            world.wait_for(Condition::Issued {
                peer: Some(person.0.into()),
                count: 1,
            });
        }
    }),
    ("sends again what a device could not read", sends_again),
    ("reads what came while it was offline", |world| {
        assert_eq!(world.account.disconnect(), Ok(()));
        world.wait_for(Condition::Disconnected { account: None });
        world.peer_writes(ALICE, "while away");
        assert_eq!(world.account.connect(), Ok(()));
        expect_text(world, "while away");
    }),
];

fn sends_again(world: &World) {
    accepted(world, ALICE, "twice");
    wait_read(world, ALICE.0, "twice", 2);
    let id = world.judged().last().map(|message| message.id.clone());
    world.order(Command::RetryRequest {
        peer: ALICE.0.into(),
        account: None,
        device: 0,
        id: id.unwrap_or_default(),
        count: 1,
    });
    wait_read(world, ALICE.0, "twice", 3);
}

fn leaves(world: &World) {
    world.order(Command::Unlink { account: None });
    let reason = world.event(|event| match event {
        Event::LoggedOut { reason } => Some(reason.clone()),
        _ => None,
    });
    assert!(matches!(reason, DisconnectReason::Unlinked { .. }));
    world.no_violations();
    assert_eq!(
        world.order(Command::Unexpected),
        Reply::Texts { texts: Vec::new() }
    );
}

fn save_stanzas(world: &World) -> io::Result<()> {
    let Some(file) = std::env::var_os("INTEROP_STANZAS") else {
        return Ok(());
    };
    let (heard, payloads) = (Command::Heard { tag: None }, Command::Payloads);
    let saved = match (world.order(heard), world.order(payloads)) {
        (Reply::Heard { stanzas }, Reply::Texts { texts }) => {
            serde_json::json!({ "stanzas": stanzas, "payloads": texts })
        }
        other => return Err(io::Error::other(format!("{other:?}"))),
    };
    std::fs::write(file, saved.to_string())
}

/// Sends to the LID, as the others do when stanzas are compared; what the message carried.
fn accepted(world: &World, to: Person, text: &str) -> Attached {
    let outcome = world.send(&lid(to), text);
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    match outcome {
        Outcome::Accepted { attached, .. } => attached,
        _ => Attached::Undecided,
    }
}

fn expect_text(world: &World, text: &str) {
    let read = world.event(|event| match event {
        Event::Message(message) => Some(message.text.clone()),
        _ => None,
    });
    assert_eq!(read.as_deref(), Some(text));
    world.wait_for(Condition::Answered { account: None });
}

fn wait_read(world: &World, pn: &str, text: &str, count: usize) {
    world.wait_for(Condition::Received {
        peer: Some(pn.into()),
        text: Some(text.into()),
        count,
    });
}

fn lid(person: Person) -> String {
    format!("{}@lid", person.1)
}
