//! What must hold after every run.

use std::collections::{BTreeMap, BTreeSet};

use sendpath_model_server::{Command, Received, Reply};
use sendpath_protocol::verdict::Outcome;

use crate::script;
use crate::world::{CONTACTS, World};

type Checked = Result<(), String>;

pub(crate) fn all(world: &mut World) -> Checked {
    server_is_content(world)?;
    let arrived = arrived(world);
    let unlucky = unlucky(world);
    ends_are_true(world, &unlucky, &arrived)?;
    nothing_acked_is_lost(world)?;
    operations_end_once(world)?;
    the_newest_token_is_used(world)
}

/// Each contact that ever gave us a token gets one more message: it carries the last one.
fn the_newest_token_is_used(world: &mut World) -> Checked {
    for contact in 0..CONTACTS.len() {
        let Some(newest) = world.newest[contact].clone() else {
            continue;
        };
        // Answers that the script withheld may still be due; the host tries again.
        for _ in 0..12 {
            let id = script::send(world, contact);
            script::settle(world)?;
            let ends = world.host.ends.get(&id);
            if ends.is_some_and(|ends| matches!(ends[..], [Outcome::Accepted { .. }])) {
                break;
            }
        }
        let Reply::Messages { messages } = world.order(Command::Messages) else {
            return Err("no messages".into());
        };
        let carried = messages.into_iter().rev().find_map(|judged| judged.tctoken);
        if carried.as_ref() != Some(&newest) {
            return Err(format!(
                "contact {contact} gave {newest}, the message carried {carried:?}: {:?}",
                world.host.ends.last_key_value()
            ));
        }
    }
    Ok(())
}

/// No rule of the wire was broken: above all, no message key was used twice.
fn server_is_content(world: &mut World) -> Checked {
    match world.order(Command::Violations) {
        Reply::Violations { mut violations } => {
            // What the server said twice is answered twice.
            let twice = world.log.iter().any(|line| line == "a stanza comes twice");
            violations.retain(|violation| !(twice && violation.rule == "answered_twice"));
            match violations.is_empty() {
                true => Ok(()),
                false => Err(format!("the server saw {violations:?}")),
            }
        }
        other => Err(format!("unexpected reply {other:?}")),
    }
}

/// How often each message was read by each device of each contact.
fn arrived(world: &mut World) -> BTreeMap<String, BTreeMap<(String, u16), u32>> {
    let mut arrived: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for (pn, ..) in CONTACTS {
        let peer = Some(pn.to_owned());
        let Reply::Received { messages } = world.order(Command::Received { peer }) else {
            continue;
        };
        let read = |got: &Received| got.error.is_none() && !got.duplicate;
        for got in messages.into_iter().filter(read) {
            let devices = arrived.entry(got.id).or_default();
            *devices.entry((got.peer, got.device)).or_default() += 1;
        }
    }
    arrived
}

/// Messages that were taken, could not be read, and whose copy for that device was refused.
fn unlucky(world: &mut World) -> BTreeSet<String> {
    let Reply::Messages { messages } = world.order(Command::Messages) else {
        return BTreeSet::new();
    };
    let refused = messages.into_iter().filter(|judged| judged.error.is_some());
    refused.map(|judged| judged.id).collect()
}

fn ends_are_true(
    world: &World,
    unlucky: &BTreeSet<String>,
    arrived: &BTreeMap<String, BTreeMap<(String, u16), u32>>,
) -> Checked {
    for (id, ends) in &world.host.ends {
        let contact = CONTACTS[world.host.sent[id]].0.to_owned();
        let phone = arrived
            .get(id.as_str())
            .and_then(|devices| devices.get(&(contact, 0)))
            .copied()
            .unwrap_or(0);
        let known: Vec<_> = ends
            .iter()
            .filter(|end| !matches!(end, Outcome::Unknown(_)))
            .collect();
        if known.len() > 1 {
            return Err(format!("{id} ended more than once: {ends:?}"));
        }
        match known.first() {
            Some(Outcome::Accepted { .. }) if phone == 0 && unlucky.contains(id.as_str()) => {}
            Some(Outcome::Accepted { .. }) if phone != 1 => {
                return Err(format!("{id} was accepted and read {phone} times"));
            }
            Some(Outcome::Refused(refusal)) if phone != 0 => {
                return Err(format!("{id} was refused ({refusal:?}) and read"));
            }
            _ if phone > 1 => return Err(format!("{id} was read {phone} times")),
            _ => {}
        }
    }
    more_than_once(arrived)
}

/// Also of messages whose end nobody heard.
fn more_than_once(arrived: &BTreeMap<String, BTreeMap<(String, u16), u32>>) -> Checked {
    for (id, devices) in arrived {
        if let Some((device, times)) = devices.iter().find(|(_, times)| **times > 1) {
            return Err(format!("{device:?} read {id} {times} times"));
        }
    }
    Ok(())
}

/// Whatever a contact wrote was answered by now, so the host must have it.
fn nothing_acked_is_lost(world: &mut World) -> Checked {
    let wrote = world.log.iter().filter_map(|line| {
        let (_, id) = line.split_once("writes: Sent { id: \"")?;
        id.split_once('"').map(|(id, _)| id.to_owned())
    });
    for id in wrote {
        if !world.host.got.contains_key(&id) {
            return Err(format!(
                "{id} of a contact was answered, and the host never got it"
            ));
        }
    }
    Ok(())
}

fn operations_end_once(world: &World) -> Checked {
    if world.host.strays.is_empty() {
        return Ok(());
    }
    let strays: Vec<_> = world.host.strays.iter().collect();
    Err(format!("{strays:?} ended twice"))
}

/// What became of the messages that a text names, for people who look for the cause.
pub(crate) fn fates(world: &mut World, text: &str) -> String {
    let mut lines = Vec::new();
    let named = |id: &str| text.contains(id);
    if let Reply::Messages { messages } = world.order(Command::Messages) {
        let about = messages.iter().filter(|judged| named(&judged.id));
        lines.extend(
            about.map(|judged| {
                format!("judged: error {:?}, resend {}", judged.error, judged.resend)
            }),
        );
    }
    for (pn, ..) in CONTACTS {
        let peer = Some(pn.to_owned());
        if let Reply::Received { messages } = world.order(Command::Received { peer }) {
            let about = messages.iter().filter(|got| named(&got.id));
            lines.extend(about.map(|got| format!("received: {got:?}")));
        }
    }
    lines.join("\n")
}
