//! What whatsmeow and Baileys do against the model server, done by our engine: one line a check,
//! status 1 after a failure. `INTEROP_STANZAS` names a file for the stanzas that the server got.

mod world;

use std::io::Write;
use std::process::ExitCode;

use sendpath_model_server::{Command, Condition, Gate};
use sendpath_protocol::event::{DisconnectReason, Event};
use sendpath_protocol::verdict::{Attached, Outcome};

use crate::world::{Failed, World, ensure};

const ACCOUNT: &str = "15550100001";
const FRIEND: &str = "4915550001";
const COLD: &str = "4915550002";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed(reason)) => {
            report(&format!("FAIL sendpath: {reason}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failed> {
    let world = World::start()?;
    world.add(FRIEND, "1001", 2, Gate::Open)?;
    world.add(COLD, "1002", 1, Gate::Token)?;
    for (name, check) in CHECKS {
        check(&world).map_err(|Failed(reason)| Failed(format!("{name}: {reason}")))?;
        report(&format!("ok   sendpath: {name}"));
    }
    Ok(())
}

fn report(line: &str) {
    // Nobody is left to tell when the output is closed.
    let _ = writeln!(std::io::stdout(), "{line}");
}

type Check = fn(&World) -> Result<(), Failed>;

const CHECKS: [(&str, Check); 11] = [
    ("pairs by QR, follows 515 and logs in", World::link),
    ("uploads prekeys", |world| {
        world.wait_for(iq("encrypt/registration"))
    }),
    (
        "sends a text that all devices on both sides read",
        sends_to_all,
    ),
    ("reads a text from a contact", |world| {
        world.peer_writes(FRIEND, "hello")?;
        world.expect_text("hello")?;
        world.wait_for(answered())
    }),
    ("sends again on the established session", |world| {
        world.accepted("1001@lid", "second")?;
        world.wait_read(FRIEND, "second", 2)
    }),
    (
        "is refused with 463 by a contact that gave no token",
        is_refused,
    ),
    (
        "attaches the privacy token that the contact gave",
        attaches_token,
    ),
    ("issues a token to each contact it wrote to", |world| {
        world.wait_for(issued(FRIEND))?;
        world.wait_for(issued(COLD))
    }),
    ("sends again what a device could not read", sends_again),
    ("reads what came while it was offline", |world| {
        world.disconnect()?;
        world.peer_writes(FRIEND, "while away")?;
        world.connect()?;
        world.expect_text("while away")?;
        world.wait_for(answered())
    }),
    (
        "leaves when the phone unlinks it, having broken no rule",
        leaves,
    ),
];

fn sends_to_all(world: &World) -> Result<(), Failed> {
    world.accepted("1001@lid", "hello from sendpath")?;
    world.wait_read(FRIEND, "hello from sendpath", 2)?;
    world.wait_read(ACCOUNT, "hello from sendpath", 1)
}

fn is_refused(world: &World) -> Result<(), Failed> {
    match world.send("1002@lid", "cold call")? {
        Outcome::Refused(refusal) => ensure(refusal.code == Some(463), || format!("{refusal:?}")),
        other => Err(Failed(format!("{other:?}"))),
    }
}

fn attaches_token(world: &World) -> Result<(), Failed> {
    let token = world.give_token(COLD)?;
    let attached = world.accepted("1002@lid", "warm call")?;
    ensure(matches!(attached, Attached::Tctoken { .. }), || {
        format!("{attached:?}")
    })?;
    let judged = world.judged()?;
    let seen = judged.last().and_then(|message| message.tctoken.clone());
    ensure(seen.as_deref() == Some(&*token), || {
        format!("the server saw {seen:?}")
    })
}

fn sends_again(world: &World) -> Result<(), Failed> {
    world.accepted("1001@lid", "twice")?;
    world.wait_read(FRIEND, "twice", 2)?;
    let judged = world.judged()?;
    let id = judged.last().map(|message| message.id.clone());
    world.order(Command::RetryRequest {
        peer: FRIEND.into(),
        account: None,
        device: 0,
        id: id.unwrap_or_default(),
        count: 1,
    })?;
    world.wait_read(FRIEND, "twice", 3)
}

fn leaves(world: &World) -> Result<(), Failed> {
    world.save_stanzas()?;
    world.order(Command::Unlink { account: None })?;
    let reason = world.event(|event| match event {
        Event::LoggedOut { reason } => Some(reason.clone()),
        _ => None,
    })?;
    let unlinked = matches!(reason, DisconnectReason::Unlinked { .. });
    ensure(unlinked, || format!("{reason:?}"))?;
    world.no_complaints()
}

fn answered() -> Condition {
    Condition::Answered { account: None }
}

fn issued(peer: &str) -> Condition {
    Condition::Issued {
        peer: Some(peer.into()),
        count: 1,
    }
}

fn iq(kind: &str) -> Condition {
    Condition::Iq {
        kind: kind.into(),
        count: 1,
    }
}
