//! What a stanza says about its content, for every kind of the table that four clients make.
#![expect(clippy::unwrap_used, reason = "helpers outside the test functions")]

#[path = "../schema/mod.rs"]
mod schema;
mod table;

use schema::{Schema, message};
use sendpath_protocol::content::{Shape, Unsendable, shape};
use serde_json::{Value, json};
use table::kinds;

fn shown(shape: &Shape) -> String {
    let meta = shape.meta_node().map(|node| {
        let attrs = node.attrs.iter();
        let attrs = attrs.map(|(key, _)| format!("{key}={}", node.text(key).unwrap()));
        attrs.collect::<Vec<_>>().join(",")
    });
    format!(
        "{} {} {} {} {}",
        shape.kind.as_str(),
        shape.mediatype.unwrap_or("-"),
        shape.edit.map_or("-", |edit| edit.as_str()),
        if shape.hide { "hide" } else { "-" },
        meta.as_deref().unwrap_or("-"),
    )
}

/// The table's suggestion in the same form; `None` where a column is open.
fn suggested(row: &Value) -> Option<String> {
    let columns = ["type", "mediatype", "edit", "decrypt_fail", "meta"].map(|column| {
        match &row["suggested"][column] {
            Value::Null => Some("-".to_owned()),
            Value::Object(open) if open.contains_key("open") => None,
            Value::Object(meta) => {
                let (key, value) = meta.iter().next().unwrap();
                Some(format!("{key}={}", value.as_str().unwrap()))
            }
            value => Some(value.as_str().unwrap().to_owned()),
        }
    });
    columns
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .map(|columns| columns.join(" "))
}

#[test]
fn every_kind_of_the_table_gets_its_attributes() {
    let table: Value = serde_json::from_str(include_str!("../data/stanza_kinds.json")).unwrap();
    let rows = table["kinds"].as_array().unwrap();
    let (schema, kinds) = (Schema::load(), kinds());
    assert_eq!(kinds.len(), rows.len());
    for (row, (name, content, decided)) in rows.iter().zip(kinds) {
        assert_eq!(row["kind"], name);
        let got = shape(&schema.encode("Message", &content));
        match (decided, suggested(row)) {
            ("refused", expected) => {
                assert!(got.is_err(), "{name}: {got:?}");
                // Nothing that the clients agree how to deliver is refused.
                let dropped = "media - - - -";
                assert!(
                    expected.is_none_or(|expected| expected == dropped),
                    "{name}"
                );
            }
            ("", expected) => assert_eq!(shown(&got.unwrap()), expected.unwrap(), "{name}"),
            (decided, expected) => {
                assert_eq!(expected, None, "{name} is not open");
                assert_eq!(shown(&got.unwrap()), decided, "{name}");
            }
        }
    }
}

#[test]
fn nothing_is_media_without_a_mediatype() {
    let schema = Schema::load();
    for (name, content, _) in kinds() {
        if let Ok(shape) = shape(&schema.encode("Message", &content)) {
            let media = shape.kind.as_str() == "media";
            assert_eq!(media, shape.mediatype.is_some(), "{name}");
        }
    }
}

#[test]
fn every_wrapper_is_looked_through() {
    let wrappers = [
        "ephemeralMessage",
        "documentWithCaptionMessage",
        "groupMentionedMessage",
        "botInvokeMessage",
        "associatedChildMessage",
        "groupStatusMessage",
        "groupStatusMessageV2",
        "lottieStickerMessage",
        "deviceSentMessage",
        "viewOnceMessage",
        "viewOnceMessageV2",
        "viewOnceMessageV2Extension",
    ];
    for wrapper in wrappers {
        let poll = json!({wrapper: {"message": {"pollCreationMessage": {"name": "?"}}}});
        let once = if wrapper.starts_with("viewOnce") {
            ",view_once=true"
        } else {
            ""
        };
        let shape = shape(&message(&poll)).unwrap();
        assert_eq!(
            shown(&shape),
            format!("poll - - - polltype=creation{once}"),
            "{wrapper}"
        );
    }
}

#[test]
fn wrappers_nest_but_not_without_end() {
    let nested = |times| {
        let mut content = json!({"conversation": "hi"});
        for _ in 0..times {
            content = json!({"ephemeralMessage": {"message": content}});
        }
        shape(&message(&content))
    };
    assert_eq!(shown(&nested(8).unwrap()), "text - - - -");
    assert_eq!(nested(9), Err(Unsendable::TooDeep));
    assert_eq!(nested(100), Err(Unsendable::TooDeep));
}

#[test]
fn what_accompanies_a_content_is_not_the_content() {
    let content = json!({
        "senderKeyDistributionMessage": {"groupId": "g"},
        "stickerMessage": {},
        "messageContextInfo": {"messageSecret": "00"},
    });
    assert_eq!(
        shown(&shape(&message(&content)).unwrap()),
        "media sticker - - -"
    );
    let bare = json!({"messageContextInfo": {"messageSecret": "00"}});
    assert_eq!(shape(&message(&bare)), Err(Unsendable::Empty));
    assert_eq!(shape(b""), Err(Unsendable::Empty));
}

#[test]
fn a_blank_matched_text_is_no_link_preview() {
    let blank = json!({"extendedTextMessage": {"text": "a", "matchedText": " \n"}});
    assert_eq!(shown(&shape(&message(&blank)).unwrap()), "text - - - -");
}

#[test]
fn the_keep_of_another_s_message_is_undone_without_a_revoke() {
    let undo = json!({"keepInChatMessage": {"key": {"id": "A"}, "keepType": "UNDO_KEEP_FOR_ALL"}});
    assert_eq!(shown(&shape(&message(&undo)).unwrap()), "text - - hide -");
}

#[test]
fn bytes_that_are_no_message_are_refused() {
    assert_eq!(shape(b"hello"), Err(Unsendable::Malformed));
    assert_eq!(shape(b"\xc2\x02\x02\x0a\x05"), Err(Unsendable::Malformed));
    assert_eq!(
        shape(b"\xba\x3e\x00"),
        Err(Unsendable::Unknown { field: 999 })
    );
}

#[test]
fn edits_in_a_newsletter_are_those_of_its_admins() {
    let edit = json!({"protocolMessage": {"type": "MESSAGE_EDIT"}});
    let revoke = json!({"protocolMessage": {"key": {"fromMe": true}, "type": "REVOKE"}});
    let edits = [edit, revoke].map(|content| shape(&message(&content)).unwrap().in_newsletter());
    assert_eq!(edits.map(|shape| shape.edit.unwrap().as_str()), ["3", "8"]);
}

#[test]
fn what_would_not_fit_into_a_frame_is_refused() {
    let text = "x".repeat(sendpath_protocol::content::MAX_MESSAGE);
    let long = message(&json!({"conversation": text}));
    assert_eq!(shape(&long), Err(Unsendable::TooLong));
}
