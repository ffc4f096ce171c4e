//! Spec 9.5: channels, both ways.

use sendpath_protocol::session::Content;
use sendpath_protocol::verdict::Outcome;
use sendpath_protocol::wap::Node;
use serde_json::json;

use crate::schema::message;
use crate::world::{World, jid, shown};

const CHANNEL: &str = "120363999@newsletter";

/// What leaves for this content: the stanza and its plaintext.
fn sent(content: Content, media_id: Option<&str>) -> (String, Vec<u8>) {
    let mut world = World::online();
    world.send(CHANNEL, content, media_id);
    let sent = world.take_sent();
    let [stanza] = &sent[..] else {
        panic!("{:?} {sent:?}", world.outcomes);
    };
    let plain = stanza.find("plaintext").unwrap();
    (shown(stanza), plain.payload().unwrap_or_default().to_vec())
}

#[test]
fn a_publication_is_one_plaintext_without_padding() {
    let (stanza, plain) = sent(Content::Text("hi".into()), None);
    assert_eq!(
        stanza,
        format!("message id=ID to={CHANNEL} type=text {{plaintext}}")
    );
    assert_eq!(plain, b"\x0a\x02hi");
    let image = message(&json!({"imageMessage": {"url": "u"}}));
    let (stanza, plain) = sent(Content::Raw(image.clone()), Some("handle"));
    let expected = "message id=ID media_id=handle to=120363999@newsletter type=media {plaintext mediatype=image}";
    assert_eq!((stanza.as_str(), plain), (expected, image));
}

#[test]
fn an_edit_and_a_revoke_go_under_the_id_of_their_message() {
    let change = |kind: &str, new: serde_json::Value| {
        let mut change = json!({"key": {"fromMe": true, "id": "OLD"}, "type": kind});
        if !new.is_null() {
            change["editedMessage"] = new;
        }
        Content::Raw(message(&json!({"protocolMessage": change})))
    };
    let (stanza, plain) = sent(change("MESSAGE_EDIT", json!({"conversation": "new"})), None);
    assert_eq!(
        stanza,
        format!("message edit=3 id=OLD to={CHANNEL} type=text {{plaintext}}")
    );
    assert_eq!(plain, b"\x0a\x03new");
    let (stanza, plain) = sent(change("REVOKE", serde_json::Value::Null), None);
    assert_eq!(
        stanza,
        format!("message edit=8 id=OLD to={CHANNEL} type=text {{plaintext}}")
    );
    assert_eq!(plain, b"");
}

#[test]
fn the_ack_ends_a_publication() {
    let mut world = World::online();
    world.send(CHANNEL, Content::Text("hi".into()), None);
    let ack = Node::new("ack").attr("class", "message").attr("id", "ID");
    world.tell(&ack.jid("from", jid(CHANNEL)).attr("server_id", "100"));
    assert!(matches!(world.outcomes[..], [Outcome::Accepted { .. }]));
}

#[test]
fn what_a_channel_says_is_told_once() {
    let mut world = World::online();
    let publication = |id: &'static str| {
        let plain = Node::new("plaintext").bytes(*b"\x0a\x02hi");
        let stanza = Node::new("message").attr("id", id).attr("t", "5");
        stanza.jid("from", jid(CHANNEL)).child(plain)
    };
    for id in ["A", "A", "B"] {
        world.tell(&publication(id));
    }
    assert_eq!(world.answers().len(), 3, "acks");
    let got = world.messages();
    let ids: Vec<_> = got.iter().map(|message| message.id.as_str()).collect();
    assert_eq!(ids, ["A", "B"]);
    let first = &got[0];
    assert_eq!(
        (first.text.as_deref(), first.chat.reveal()),
        (Some("hi"), CHANNEL.into())
    );
    let views = Node::new("message")
        .attr("id", "C")
        .jid("from", jid(CHANNEL));
    world.tell(&views.child(Node::new("views_count").attr("count", "9")));
    assert_eq!((world.answers().len(), world.messages().len()), (1, 0));
    let broken = Node::new("message")
        .attr("id", "D")
        .jid("from", jid(CHANNEL));
    world.tell(&broken.child(Node::new("plaintext").bytes(*b"\x0a\x7f")));
    assert!(world.answers()[0].contains("error=491"));
}
