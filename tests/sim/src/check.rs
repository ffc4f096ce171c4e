//! What must hold after every run.

use std::collections::{BTreeMap, BTreeSet};

use sendpath_model_server::{Command, Received, Reply};
use sendpath_protocol::device::DeviceRecord;
use sendpath_protocol::txn::{Namespace, Reader, Scope, Txn};
use sendpath_protocol::verdict::Outcome;

use crate::script;
use crate::world::{CONTACTS, SLOT, TO_GROUP, World};

type Checked = Result<(), String>;

pub(crate) fn all(world: &mut World) -> Checked {
    server_is_content(world)?;
    let arrived = arrived(world);
    let unlucky = unlucky(world);
    ends_are_true(world, &unlucky, &arrived)?;
    nothing_acked_is_lost(world)?;
    operations_end_once(world)?;
    the_phone_is_followed(world)?;
    nothing_is_left_over(world)?;
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
            // What leaves again is what left before, under the salt of that time.
            let salts = world.log.iter().filter(|line| line.contains("'s salt is"));
            let salted = salts.count() > 1;
            violations.retain(|violation| !(salted && violation.rule == "token_unknown"));
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
        // A copy of a group's key says nothing.
        let read = |got: &Received| got.error.is_none() && !got.duplicate && got.text.is_some();
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
        let read = |contact: usize| {
            let contact = CONTACTS[contact].0.to_owned();
            let devices = arrived.get(id.as_str());
            let times = devices.and_then(|devices| devices.get(&(contact, 0)));
            times.copied().unwrap_or(0)
        };
        // In the group these two are at all times.
        let (phone, other) = match world.host.sent[id] {
            TO_GROUP => (read(0), read(1)),
            contact => (read(contact), read(contact)),
        };
        let known: Vec<_> = ends
            .iter()
            .filter(|end| !matches!(end, Outcome::Unknown(_)))
            .collect();
        if known.len() > 1 {
            return Err(format!("{id} ended more than once: {ends:?}"));
        }
        match known.first() {
            Some(Outcome::Accepted { .. })
                if phone.min(other) == 0 && unlucky.contains(id.as_str()) => {}
            Some(Outcome::Accepted { .. }) if (phone, other) != (1, 1) => {
                return Err(format!(
                    "{id} was accepted and read {phone} and {other} times"
                ));
            }
            Some(Outcome::Refused(refusal)) if phone.max(other) != 0 => {
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
    // What could not be read is asked for, and a phone that is gone by then cannot answer.
    let gone = |line: &str, later: &[String]| {
        let new_phone = format!("{} has a new phone", &line[..line.len().min(9)]);
        later.contains(&new_phone)
    };
    let wrote = world.log.iter().enumerate().filter_map(|(at, line)| {
        let (_, id) = line.split_once("writes: Sent { id: \"")?;
        let (id, _) = id.split_once('"')?;
        (!gone(line, &world.log[at..])).then(|| id.to_owned())
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

/// Our name is the one that the phone gave us last.
pub(crate) fn the_phone_is_followed(world: &World) -> Checked {
    let Some(name) = &world.phone.name else {
        return Ok(());
    };
    let device = DeviceRecord::load(&Txn::reading(&world.store), &Scope::slot(SLOT));
    let device = device.map_err(|error| error.to_string())?;
    let known = device.and_then(|device| device.paired()?.push_name.clone());
    match known.as_ref() == Some(name) {
        true => Ok(()),
        false => Err(format!(
            "the phone says {name}, we are {known:?}: {:?}",
            world.session.as_ref().map(|s| s.status().app_state)
        )),
    }
}

/// Work that is done leaves no row, and the rest stays within its bounds.
pub(crate) fn nothing_is_left_over(world: &World) -> Checked {
    let scope = Scope::slot(SLOT);
    for (ns, most) in [
        (Namespace::Outbox, 0),
        (Namespace::History, 0),
        (Namespace::Seen, 40),
        (Namespace::AppStateKey, 12),
        (Namespace::AppStateIndex, 4),
        (Namespace::Groups, 1),
        (Namespace::SenderKey, 16),
    ] {
        let rows = world.store.scan(&scope, ns, b"", None, 1_000);
        let count = rows.map_err(|error| error.to_string())?.len();
        if count > most {
            return Err(format!("{count} rows in {ns:?}"));
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
    if let Reply::Receipts { receipts } = world.order(Command::Receipts) {
        let about = receipts.iter().filter(|seen| named(&seen.id));
        lines.extend(about.map(|seen| format!("answered: {seen:?}")));
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
