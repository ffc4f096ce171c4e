//! The script of every language, in C: its table becomes a header.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};

use sendpath::facade::Status;
use sendpath_model_server::{Config, ModelServer};
use serde_json::Value;

use super::build::{Link, compile, scratch};

const SCRIPT: &str = include_str!("../script/script.json");

#[test]
fn the_script_ends_as_its_table_says() {
    let script: Value = serde_json::from_str(SCRIPT).unwrap();
    std::fs::write(scratch().join("script_table.h"), table(&script)).unwrap();
    for (compiler, dialect, link) in [
        ("gcc", "-std=c99", Link::Shared),
        ("gcc", "-std=c17", Link::Static),
    ] {
        let server = ModelServer::start(Config::default()).unwrap();
        let program = compile("script", compiler, dialect, link);
        let mut child = Command::new(program)
            .arg(server.url())
            .arg(hex::encode(server.root_key()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut back = child.stdin.take().unwrap();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            server.control_json(line.strip_prefix("order: ").unwrap());
            writeln!(back, "done").unwrap();
        }
        assert!(child.wait().unwrap().success());
        assert_eq!(seen(&server), expected(&script));
        let violations = server.control_json(r#"{"cmd":"violations"}"#);
        assert_eq!(violations, r#"{"reply":"violations","violations":[]}"#);
    }
}

fn expected(script: &Value) -> Vec<Value> {
    let steps = script["steps"].as_array().unwrap().iter();
    steps
        .filter_map(|step| step.get("stanza").cloned())
        .collect()
}

fn seen(server: &ModelServer) -> Vec<Value> {
    let reply: Value = serde_json::from_str(&server.control_json(r#"{"cmd":"messages"}"#)).unwrap();
    let stanza = |message: &Value| {
        let told = ["type", "mediatype", "edit", "error"].map(|name| (name, &message[name]));
        let told = told.into_iter().filter(|(_, value)| !value.is_null());
        Value::Object(
            told.map(|(name, value)| (name.to_owned(), value.clone()))
                .collect(),
        )
    };
    reply["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(stanza)
        .collect()
}

/// The table as C.
fn table(script: &Value) -> String {
    let mut lists = String::new();
    let mut steps = String::from("static const struct step steps[] = {\n");
    for (at, step) in script["steps"].as_array().unwrap().iter().enumerate() {
        let to = step.get("to").and_then(Value::as_str).unwrap_or("peer");
        let status = step.get("status").and_then(Value::as_str).unwrap_or("OK");
        let known = Status::ALL
            .into_iter()
            .find(|known| known.as_str() == status);
        let form = step["draft"].as_object().unwrap();
        let name = |field: &str| {
            let name = form.get(field).and_then(Value::as_str);
            name.map_or("NULL".to_owned(), |name| format!("{name:?}"))
        };
        let media = form.get("media").and_then(Value::as_str);
        let media = media.map_or("-1".to_owned(), |kind| {
            format!("SP_MEDIA_KIND_{}", kind.to_uppercase())
        });
        write!(
            steps,
            "    {{{}, {}, {}, {media}, {}, {}, {}, {{.struct_size = sizeof(sp_draft)",
            step["name"],
            script["to"][to],
            known.unwrap().number(),
            name("target"),
            name("quote"),
            name("replaces"),
        )
        .unwrap();
        for (field, value) in form {
            initialiser(at, field, value, &mut lists, &mut steps);
        }
        steps.push_str("}},\n");
    }
    steps.push_str("};\n");
    let orders = script["world"].as_array().unwrap().iter();
    let orders: String = orders
        .map(|order| format!("    {:?},\n", order.to_string()))
        .collect();
    let peer = &script["to"]["peer"];
    let picture = |fault: &str| {
        let order = format!(r#"{{"cmd":"peer_picture","peer":{peer},"bytes":70000{fault}}}"#);
        format!("{order:?}")
    };
    format!(
        "{lists}{steps}static const char *const world[] = {{\n{orders}}};\n\
         static const char cold[] = {};\n\
         static const char whole_picture[] = {};\n\
         static const char lost_picture[] = {};\n\
         static const sp_slice quoted = TEXT({});\n",
        script["to"]["cold"],
        picture(""),
        picture(r#","fault":"lost""#),
        literal(&hex::decode(script["quoted"].as_str().unwrap()).unwrap()),
    )
}

/// One field of a draft, and the arrays it needs before it.
fn initialiser(at: usize, field: &str, value: &Value, lists: &mut String, steps: &mut String) {
    let texts = |list: &Value| {
        let list = list.as_array().unwrap().iter();
        list.map(|text| format!("TEXT({}), ", literal(text.as_str().unwrap().as_bytes())))
            .collect::<String>()
    };
    let one = |form: &Value, field: &str| {
        let text = form[field].as_str().unwrap_or_default();
        format!("TEXT({})", literal(text.as_bytes()))
    };
    match (field, value) {
        ("target" | "quote" | "replaces" | "media", _) => {}
        ("kind", Value::String(kind)) => {
            write!(steps, ", .kind = SP_DRAFT_KIND_{}", kind.to_uppercase()).unwrap();
        }
        ("going", Value::String(word)) => {
            write!(steps, ", .going = SP_GOING_{}", word.to_uppercase()).unwrap();
        }
        ("thumbnail" | "waveform" | "payload", Value::String(hex)) => {
            let bytes = literal(&hex::decode(hex).unwrap());
            write!(steps, ", .{field} = TEXT({bytes})").unwrap();
        }
        ("place", form) => {
            writeln!(
                lists,
                "static const sp_place place_{at} = {{sizeof(sp_place), 0, {:?}, {:?}, {}, {}, {}}};",
                form["latitude"].as_f64().unwrap(),
                form["longitude"].as_f64().unwrap(),
                one(form, "name"),
                one(form, "address"),
                one(form, "url"),
            )
            .unwrap();
            write!(steps, ", .place = &place_{at}").unwrap();
        }
        ("cards", Value::Array(cards)) => {
            let all = cards.iter();
            let all: String = all
                .map(|card| format!("{{{}, {}}}, ", one(card, "name"), one(card, "vcard")))
                .collect();
            writeln!(lists, "static const sp_card cards_{at}[] = {{{all}}};").unwrap();
            let count = cards.len();
            write!(steps, ", .cards = cards_{at}, .card_count = {count}").unwrap();
        }
        ("options" | "mentions", Value::Array(list)) => {
            let all = texts(value);
            writeln!(lists, "static const sp_slice {field}_{at}[] = {{{all}}};").unwrap();
            let (one, count) = (field.trim_end_matches('s'), list.len());
            write!(steps, ", .{field} = {field}_{at}, .{one}_count = {count}").unwrap();
        }
        (_, Value::Bool(flag)) => write!(steps, ", .{field} = {}", i32::from(*flag)).unwrap(),
        (_, Value::Number(number)) => write!(steps, ", .{field} = {number}").unwrap(),
        (_, Value::String(text)) => {
            write!(steps, ", .{field} = TEXT({})", literal(text.as_bytes())).unwrap();
        }
        other => panic!("{other:?}"),
    }
}

/// A literal of any bytes.
fn literal(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("\\{byte:03o}")).collect();
    format!("\"{digits}\"")
}
