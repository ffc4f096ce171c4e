//! What happens in a run, and how it comes to rest.

use sendpath_model_server::{AckMode, Command, Condition, DropWhen, Reply};
use sendpath_protocol::error::StoreError;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::session::{Command as Order, Content, Input, SendRequest};
use sendpath_protocol::time::Millis;
use sendpath_protocol::txn::CommitFailure;
use sendpath_protocol::verdict::MessageId;

use crate::check;
use crate::world::{CONTACTS, Crash, GROUP, TO_GROUP, World};

/// Actions of one run.
const LENGTH: usize = 40;

/// Plays the actions that the seed chooses.
pub(crate) fn play(world: &mut World) {
    for _ in 0..LENGTH {
        let action = world.dice.roll(100);
        let contact = world.dice.roll(CONTACTS.len());
        match action {
            0..15 => drop(send(world, contact)),
            15..20 => drop(send(world, TO_GROUP)),
            20..25 => write(world, contact),
            25..28 => note(world, format!("token from {contact}"), |w| w.token(contact)),
            28..30 => upset(world, contact),
            30..34 => world.group(),
            34..38 => world.phone(),
            38..55 => carry(world),
            55..66 => wait(world),
            66..75 => network(world),
            75..83 => answers(world),
            83..90 => storage(world),
            90..95 => crash(world),
            95..97 => jump(world),
            97 => note(world, "another process".into(), World::usurp),
            _ => cancel(world),
        }
    }
}

/// Takes every fault back and lets time pass until nobody waits for anything.
pub(crate) fn settle(world: &mut World) -> Result<(), String> {
    world.log.push("settle".into());
    world.crash = None;
    world.store.fail_reads(None);
    world.order(Command::MediaFaults {
        statuses: Vec::new(),
        cut_after: None,
        renew: false,
    });
    // Who changed app state under a fresh key shares it sooner or later.
    world.order(Command::ShareKeys { account: None });
    world.order(Command::AckMode {
        account: None,
        mode: AckMode::Normal,
    });
    if world.half_open {
        world.cut();
    }
    for _ in 0..60 {
        world.revive();
        world.carry_all();
        world.pass(20_000);
        world.carry_all();
        let answered = Command::WaitFor {
            condition: Condition::Answered { account: None },
            timeout_ms: 0,
        };
        let idle = world.session.as_ref().is_some_and(|session| {
            let status = session.status();
            status.outbox == 0 && status.queued == 0
        });
        let met = world.order(answered) == Reply::Waited { met: true };
        let done = check::nothing_is_left_over(world).and(check::the_phone_is_followed(world));
        if idle && met && done.is_ok() && world.online() && world.host.waits() == 0 {
            return Ok(());
        }
    }
    // What is left may be the cause.
    check::nothing_is_left_over(world)?;
    check::the_phone_is_followed(world)?;
    let status = world.session.as_ref().map(|session| session.status());
    Err(format!(
        "it does not come to rest: {} operations wait, {status:?}",
        world.host.waits()
    ))
}

fn note(world: &mut World, text: String, act: impl FnOnce(&mut World)) {
    world.log.push(text);
    act(world);
}

/// The host orders a text, to a contact or to the group.
pub(crate) fn send(world: &mut World, contact: usize) -> MessageId {
    let (op, id) = world.host.order(contact);
    world.log.push(format!("send {id} to {contact}"));
    let deadline = (world.dice.roll(8) == 0).then(|| world.now.mono.plus(Millis(5_000)));
    let request = SendRequest {
        to: match CONTACTS.get(contact) {
            Some((pn, ..)) => Jid::pn(*pn),
            None => GROUP.parse().expect("an address"),
        },
        content: Content::Text(format!("text of {id}")),
        recipient: RecipientHint::default(),
        id: Some(id.clone()),
        deadline,
        media_id: None,
    };
    world.revive();
    if world.session.is_none() {
        world.host.crash();
        return id;
    }
    world.input(Input::Command(op, Order::Send(request)));
    id
}

fn write(world: &mut World, contact: usize) {
    let reply = world.order(Command::PeerSend {
        peer: CONTACTS[contact].0.into(),
        text: "hello".into(),
        account: None,
        device: 0,
        id: None,
        from_lid: true,
    });
    world
        .log
        .push(format!("contact {contact} writes: {reply:?}"));
}

/// A contact installs the app again, or links another device.
fn upset(world: &mut World, contact: usize) {
    let peer = CONTACTS[contact].0.to_owned();
    if world.dice.roll(2) == 0 {
        world.log.push(format!("contact {contact} has a new phone"));
        let announce = world.dice.roll(3) > 0;
        world.order(Command::IdentityChange { peer, announce });
    } else {
        world.log.push(format!("contact {contact} links a device"));
        let announce = world.dice.roll(3) > 0;
        world.order(Command::AddDevice { peer, announce });
    }
}

fn carry(world: &mut World) {
    let frames = 1 + world.dice.roll(12);
    world.log.push(format!("carry {frames}"));
    if world.dice.roll(3) == 0 {
        world.fetch();
    }
    for _ in 0..frames {
        let to_server = world.dice.roll(2) == 0;
        if !world.carry(to_server) {
            world.carry(!to_server);
        }
    }
}

fn wait(world: &mut World) {
    let seconds = [1, 2, 5, 11, 31, 61, 200][world.dice.roll(7)];
    world.log.push(format!("wait {seconds} s"));
    world.pass(seconds * 1_000);
}

fn network(world: &mut World) {
    match world.dice.roll(6) {
        0 => note(world, "cut".into(), World::cut),
        1 => note(world, "half-open line".into(), |world| {
            world.half_open = true;
        }),
        2 | 3 => {
            let when = [
                DropWhen::BeforeDelivery,
                DropWhen::BeforeAck,
                DropWhen::AfterAck,
            ][world.dice.roll(3)];
            world.log.push(format!("the next message is cut {when:?}"));
            let account = None;
            world.order(Command::DropConnection { account, when });
        }
        4 => {
            world.carry(true);
            if let Some(frame) = world.inbound.front().cloned()
                && world.online()
                && !frame.is_empty()
            {
                world.log.push("a stanza comes twice".into());
                world.inbound.push_front(frame);
            }
        }
        _ => {
            if world.online() && world.inbound.len() > 1 && !world.inbound.iter().any(Vec::is_empty)
            {
                world.log.push("two stanzas change places".into());
                world.inbound.swap(0, 1);
            }
        }
    }
}

/// The server answers otherwise.
fn answers(world: &mut World) {
    let account = None;
    match world.dice.roll(5) {
        0 => {
            let mode = [AckMode::Drop, AckMode::Hold, AckMode::Normal][world.dice.roll(3)];
            world.log.push(format!("acks: {mode:?}"));
            world.order(Command::AckMode { account, mode });
        }
        1 => {
            world.log.push("held acks are released".into());
            world.order(Command::ReleaseAcks { account });
        }
        2 => {
            let kind = [
                "usync/usync",
                "encrypt/key",
                "encrypt/count",
                "w:mex/query",
                "w:g2/query",
                "w:sync:app:state/sync",
                "w:m/media_conn",
            ][world.dice.roll(7)];
            world.log.push(format!("no answer to {kind}"));
            world.order(Command::IqFault {
                account,
                kind: kind.into(),
                error: None,
                count: 1,
            });
        }
        _ => {
            let code = [400, 429, 463, 479, 500, 503][world.dice.roll(6)];
            world.log.push(format!("the next message gets {code}"));
            world.order(Command::NackNext {
                account,
                code,
                count: 1,
            });
        }
    }
}

fn storage(world: &mut World) {
    let error = StoreError::Io("simulated".into());
    match world.dice.roll(3) {
        0 => note(world, "the next commit fails".into(), |world| {
            world.store.fail_next_commit(CommitFailure::Clean(error));
        }),
        1 => note(world, "the next commit fails, yet writes".into(), |world| {
            world
                .store
                .fail_next_commit(CommitFailure::AfterWrite(error));
        }),
        _ => {
            world.log.push("reads fail for a moment".into());
            world.store.fail_reads(Some(error));
            world.carry(false);
            world.input(Input::Tick);
            world.store.fail_reads(None);
        }
    }
}

fn crash(world: &mut World) {
    let crash = [Crash::BeforeCommit, Crash::AfterCommit][world.dice.roll(2)];
    world.log.push(format!("crash {crash:?}"));
    world.crash = Some(crash);
}

fn jump(world: &mut World) {
    let seconds = [-7_200, -60, 60, 7_200][world.dice.roll(4)];
    world.log.push(format!("our clock jumps by {seconds} s"));
    world.jump(seconds);
}

fn cancel(world: &mut World) {
    if let Some(op) = world.host.any_open() {
        world.log.push(format!("cancel {op:?}"));
        world.input(Input::Cancel(op));
    }
}
