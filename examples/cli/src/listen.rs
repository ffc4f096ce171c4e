//! `listen`: one line for each event.

use std::error::Error;
use std::io::{self, Write};

use sendpath_engine::AccountEvent;
use sendpath_protocol::event::{Event, IncomingMessage, ReceiptKind};
use sendpath_protocol::verdict::Outcome;

use crate::Exit;
use crate::args::Show;
use crate::open::Opened;
use crate::text::{Names, reason, utc};

pub(crate) fn run(
    opened: &Opened,
    options: &Show,
    out: &mut impl Write,
) -> Result<Exit, Box<dyn Error>> {
    if !opened.is_linked()? {
        return Err("not linked; run `sendpath pair` first".into());
    }
    let names = Names::new(options);
    let mut events = opened.connect()?;
    loop {
        match events.next()? {
            AccountEvent::Event(event) => {
                print(&event, names, out)?;
                out.flush()?;
                if let Event::LoggedOut { .. } = event {
                    return Ok(Exit::Failed);
                }
            }
            AccountEvent::Overflow { dropped } => writeln!(out, "missed {dropped} events")?,
            _ => {}
        }
    }
}

fn print(event: &Event, names: Names, out: &mut impl Write) -> io::Result<()> {
    match event {
        Event::Connected => writeln!(out, "connected"),
        Event::Disconnected { reason: why } => writeln!(out, "disconnected: {}", reason(why)),
        Event::IdentityChanged { peer } => {
            writeln!(out, "new phone or number: {}", names.jid(&peer.jid()))
        }
        Event::LoggedOut { reason: why } => writeln!(out, "unlinked: {}", reason(why)),
        Event::MayRetry { peer, ids } => {
            let ids: Vec<_> = ids.iter().map(|id| id.as_str()).collect();
            let peer = names.jid(&peer.jid());
            writeln!(out, "may be sent again to {peer}: {}", ids.join(" "))
        }
        Event::Message(message) => print_message(message, names, out),
        Event::Receipt { ids, from, kind, t } => {
            let what = match kind {
                ReceiptKind::Delivered => "delivered",
                ReceiptKind::Played => "played",
                ReceiptKind::Read => "read",
                _ => "receipt",
            };
            let at = t.map_or(String::new(), |t| format!("{} ", utc(t)));
            let ids: Vec<_> = ids.iter().map(|id| id.as_str()).collect();
            writeln!(out, "{at}{what} by {}: {}", names.jid(from), ids.join(" "))
        }
        Event::Settled(outcome) => {
            let (what, id) = match outcome {
                Outcome::Accepted { id, .. } => ("accepted".to_owned(), Some(id)),
                Outcome::Refused(refusal) => {
                    let cause = refusal.cause.as_str();
                    (format!("refused, {cause}"), refusal.id.as_ref())
                }
                Outcome::Unknown(lost) => ("unknown".to_owned(), Some(&lost.id)),
                _ => ("ended".to_owned(), None),
            };
            let id = id.map_or("-", |id| id.as_str());
            writeln!(out, "message of an earlier run {id}: {what}")
        }
        Event::TimelockChanged { active, until, .. } => {
            let until = until.map_or(String::new(), |until| format!(" until {}", utc(until)));
            let state = if *active { "refused" } else { "allowed" };
            writeln!(out, "new chats are {state}{until}")
        }
        Event::TokenStored { peer, t, .. } => {
            let peer = names.jid(&peer.jid());
            writeln!(out, "{} token of {peer} stored", utc(*t))
        }
        _ => Ok(()),
    }
}

fn print_message(message: &IncomingMessage, names: Names, out: &mut impl Write) -> io::Result<()> {
    let IncomingMessage {
        chat,
        sender,
        from_me,
        t,
        text,
        ..
    } = message;
    let (at, chat) = (utc(*t), names.jid(chat));
    let content = match text {
        Some(text) => names.content(text),
        None => "not a text".into(),
    };
    match from_me {
        true => writeln!(out, "{at} message of mine to {chat}: {content}"),
        false => writeln!(
            out,
            "{at} message by {} in {chat}: {content}",
            names.jid(sender)
        ),
    }
}

#[cfg(test)]
mod tests {
    use sendpath_protocol::jid::Jid;
    use sendpath_protocol::time::UnixSeconds;
    use sendpath_protocol::verdict::MessageId;

    use super::*;

    #[test]
    fn numbers_and_texts_are_printed_only_when_asked_for() {
        let message = IncomingMessage {
            id: MessageId::parse("3A").unwrap(),
            chat: Jid::pn("4915550001"),
            sender: Jid::pn("4915550001").with_device(3),
            from_me: false,
            t: UnixSeconds(0),
            push_name: Some("Ann".into()),
            text: Some("hello".into()),
            payload: Vec::new(),
        };
        let printed = |reveal| {
            let mut out = Vec::new();
            let names = Names::new(&Show { reveal });
            print(&Event::Message(Box::new(message.clone())), names, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let redacted = printed(false);
        for private in ["491555", "hello", "Ann"] {
            assert!(!redacted.contains(private), "{redacted}");
        }
        let full = printed(true);
        assert!(full.contains("4915550001:3@s.whatsapp.net") && full.contains("hello"));
    }
}
