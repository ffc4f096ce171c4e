//! The script that every language runs: each kind of message, refusals, questions, files.
//!
//! `script.json` says what is done and what the model server must have seen; the tests of Go, Python
//! and Kotlin read the same file, and the one of C is made from it.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail like tests"
)]

use std::collections::HashMap;
use std::time::Duration;

use sendpath::facade::{
    Account, AccountConfig, AccountEvent, Card, Draft, DraftKind, Engine, EngineConfig, Error,
    EventKind, Field, Fields, Going, Media, MediaKind, MessageRef, Place, Quote, RecipientHint,
    SendOptions, Sink, Source, Status, StoreSpec,
};
use sendpath_model_server::{Config, ModelServer};
use serde_json::{Value, json};

const WAIT: Option<Duration> = Some(Duration::from_secs(60));

#[test]
fn the_script_ends_as_its_table_says() {
    let script: Value = serde_json::from_str(include_str!("script.json")).unwrap();
    let server = ModelServer::start(Config::default()).unwrap();
    let store = StoreSpec::Uri("memory:".into());
    let engine = Engine::open(EngineConfig { store }).unwrap();
    let account = linked(&engine, &server);
    for order in list(&script, "world") {
        server.control_json(&order.to_string());
    }
    let mut run = Run {
        account: &account,
        script: &script,
        ids: HashMap::new(),
    };
    let sent: Vec<Value> = list(&script, "steps")
        .iter()
        .filter_map(|step| run.step(step))
        .collect();
    assert_eq!(sent, seen(&server));
    for (who, answer) in script["can_send"].as_object().unwrap() {
        let to = text(&script["to"], who);
        let told = account.can_send(&[&to], RecipientHint::Ordinary).unwrap();
        assert_eq!(told[0].answer.as_str(), answer, "{who}");
    }
    let cold = text(&script["to"], "cold");
    let told = account.explain(&cold).unwrap().text(false);
    assert!(told.contains(&text(&script, "explain")), "{told}");
    picture(&account, &server, &script);
    account.close().unwrap();
    let closed = account.send("1", Draft::text("x"), SendOptions::default());
    assert_eq!(
        closed.err().map(|error| error.status()),
        Some(Status::Closed)
    );
    engine.close().unwrap();
    let violations = server.control_json(r#"{"cmd":"violations"}"#);
    assert_eq!(violations, r#"{"reply":"violations","violations":[]}"#);
}

struct Run<'a> {
    account: &'a Account,
    script: &'a Value,
    /// Ids of the messages that steps sent.
    ids: HashMap<String, String>,
}

impl Run<'_> {
    /// What the server must have seen, if anything.
    fn step(&mut self, step: &Value) -> Option<Value> {
        let name = text(step, "name");
        let to = step.get("to").and_then(Value::as_str).unwrap_or("peer");
        let to = text(&self.script["to"], to);
        let id = self.send(&to, &step["draft"]);
        let status = match &id {
            Ok(_) => Status::Ok,
            Err(error) => error.status(),
        };
        let expected = step.get("status").and_then(Value::as_str).unwrap_or("OK");
        assert_eq!(status.as_str(), expected, "{name}: {id:?}");
        if let Ok(id) = id {
            self.ids.insert(name, id);
        }
        step.get("stanza").cloned()
    }

    fn send(&self, to: &str, form: &Value) -> Result<String, Error> {
        let draft = self.draft(form)?;
        let sent = self.account.send(to, draft, SendOptions::default())?;
        Ok(sent.wait(WAIT)?.result?.id.as_str().to_owned())
    }

    fn draft(&self, form: &Value) -> Result<Draft, Error> {
        let media = form.get("media").map(|kind| {
            let kind = number_of(kind.as_str().unwrap(), &MEDIA);
            let kind = MediaKind::from_number(kind).unwrap();
            let source = Source::Bytes(b"nine bytes".to_vec());
            self.account.upload_wait(kind, source, WAIT)
        });
        let reference = |name| {
            let target = form.get(name)?.as_str()?;
            let id = self.ids.get(target).map_or(target, |id| id);
            Some(MessageRef {
                id: id.to_owned(),
                author: String::new(),
            })
        };
        let number = |name: &str| form.get(name).and_then(Value::as_u64).unwrap_or(0);
        let count = |name: &str| u32::try_from(number(name)).unwrap();
        let time = |name: &str| i64::try_from(number(name)).unwrap();
        let flag = |name: &str| form.get(name).and_then(Value::as_bool).unwrap_or(false);
        let bytes = |name: &str| hex::decode(text(form, name)).unwrap();
        let kind = DraftKind::from_number(number_of(&text(form, "kind"), &KINDS)).unwrap();
        Ok(Draft {
            kind,
            text: text(form, "text"),
            replaces: reference("replaces").map_or(String::new(), |of| of.id),
            media: media.transpose()?,
            mimetype: text(form, "mimetype"),
            name: text(form, "name"),
            description: text(form, "description"),
            thumbnail: bytes("thumbnail"),
            waveform: bytes("waveform"),
            width: count("width"),
            height: count("height"),
            seconds: count("seconds"),
            pages: count("pages"),
            view_once: flag("view_once"),
            animated: flag("animated"),
            link: text(form, "link"),
            title: text(form, "title"),
            place: form.get("place").map(place),
            cards: list(form, "cards").iter().map(card).collect(),
            target: reference("target"),
            options: texts(form, "options"),
            selectable: count("selectable"),
            secret: Vec::new(),
            starts: time("starts"),
            ends: time("ends"),
            guests_allowed: flag("guests_allowed"),
            canceled: flag("canceled"),
            going: match &*text(form, "going") {
                "maybe" => Going::Maybe,
                "no" => Going::No,
                _ => Going::Yes,
            },
            guests: u8::try_from(number("guests")).unwrap(),
            payload: bytes("payload"),
            quote: reference("quote").map(|of| Quote {
                of,
                payload: hex::decode(text(self.script, "quoted")).unwrap(),
            }),
            mentions: texts(form, "mentions"),
            forwarded: count("forwarded"),
            disappears: count("disappears"),
            timer_set_at: time("timer_set_at"),
        })
    }
}

/// A picture of the peer comes in, whole and lost.
fn picture(account: &Account, server: &ModelServer, script: &Value) {
    let peer = text(&script["to"], "peer");
    for (fault, expected) in [(None, Status::Ok), (Some("lost"), Status::MediaGone)] {
        let order = json!({"cmd": "peer_picture", "peer": peer, "bytes": 70_000, "fault": fault});
        server.control_json(&order.to_string());
        let message = until(account, EventKind::Message);
        let media = Media::of_message(message.payload().unwrap()).unwrap();
        assert_eq!((media.kind, media.length), (MediaKind::Image, 70_000));
        let folder = std::env::temp_dir().join(format!("sendpath-script-{}", std::process::id()));
        let ended = account.download_wait(media, Sink::Path(folder.clone()), WAIT);
        let status = ended.as_ref().map_or_else(Error::status, |_| Status::Ok);
        assert_eq!(status, expected);
        let written = std::fs::read(&folder).map(|plain| plain.len()).ok();
        assert_eq!(written, ended.is_ok().then_some(70_000));
        let _ = std::fs::remove_file(folder);
    }
}

fn linked(engine: &Engine, server: &ModelServer) -> Account {
    let mut config = AccountConfig::default();
    config.server.url = server.url();
    config.server.root_key = server.root_key();
    let account = engine.account("main", config).unwrap();
    account.connect().unwrap();
    let shown = until(&account, EventKind::PairQr);
    let qr = shown.text(Field::Qr, 0).unwrap();
    server.control_json(&json!({"cmd": "scan_qr", "qr": qr}).to_string());
    until(&account, EventKind::Paired);
    until(&account, EventKind::Connected);
    account
}

fn until(account: &Account, kind: EventKind) -> Fields {
    loop {
        let event: AccountEvent = account.next_event(WAIT).unwrap();
        let fields = Fields::of(event);
        if fields.kind() == kind {
            return fields;
        }
    }
}

/// Type, mediatype and edit of each message, and the error of its ack, as the script has them.
fn seen(server: &ModelServer) -> Vec<Value> {
    let reply: Value = serde_json::from_str(&server.control_json(r#"{"cmd":"messages"}"#)).unwrap();
    let stanza = |message: &Value| {
        let fields = ["type", "mediatype", "edit", "error"].into_iter();
        let told = fields.filter_map(|name| {
            let value = message.get(name).filter(|value| !value.is_null())?;
            Some((name.to_owned(), value.clone()))
        });
        Value::Object(told.collect())
    };
    list(&reply, "messages").iter().map(stanza).collect()
}

const KINDS: [&str; 22] = [
    "text",
    "image",
    "video",
    "gif",
    "audio",
    "voice",
    "document",
    "sticker",
    "contacts",
    "location",
    "reaction",
    "revoke",
    "poll",
    "vote",
    "event",
    "event_answer",
    "pin",
    "unpin",
    "keep",
    "unkeep",
    "timer",
    "raw",
];

const MEDIA: [&str; 7] = [
    "image", "video", "gif", "audio", "voice", "document", "sticker",
];

fn number_of(word: &str, words: &[&str]) -> i32 {
    let at = words.iter().position(|known| *known == word);
    i32::try_from(at.unwrap_or_else(|| panic!("no kind {word}"))).unwrap()
}

fn place(form: &Value) -> Place {
    Place {
        latitude: form["latitude"].as_f64().unwrap(),
        longitude: form["longitude"].as_f64().unwrap(),
        name: text(form, "name"),
        address: text(form, "address"),
        url: text(form, "url"),
    }
}

fn card(form: &Value) -> Card {
    Card {
        name: text(form, "name"),
        vcard: text(form, "vcard"),
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let found = value.get(name).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

fn texts(value: &Value, name: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list(value, name).iter().map(text).collect()
}

fn text(value: &Value, name: &str) -> String {
    let text = value.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}
