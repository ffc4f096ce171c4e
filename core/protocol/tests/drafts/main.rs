//! What hosts compose, compared with the schema's own encoding of the same JSON.
#![expect(clippy::unwrap_used, reason = "helpers outside the test functions")]

mod answers;
#[path = "../schema/mod.rs"]
mod schema;

use schema::message;
use sendpath_protocol::content::draft::{
    Audio, Author, BadDraft, Blob, Body, Card, Context, Degrees, Document, Event, Image, Keep,
    LinkPreview, MessageRef, Pin, Place, Poll, Quote, Reaction, Scene, Sticker, Text, Timer, Video,
};
use sendpath_protocol::content::{Draft, message_secret, shape};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::secret::{Entropy, Secret};
use sendpath_protocol::time::{UnixMillis, UnixSeconds};
use sendpath_protocol::verdict::MessageId;
use serde_json::{Value, json};

const NOW: UnixMillis = UnixMillis(1_790_000_000_123);

/// Every byte is the same.
struct Sevens;

impl Entropy for Sevens {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill(7);
    }
}

fn compose(draft: &Draft, secret: Option<Secret<32>>) -> Result<Vec<u8>, BadDraft> {
    draft.compose(&mut Scene {
        chat: &Jid::lid("200"),
        own: &Jid::lid("100"),
        now: NOW,
        rng: &mut Sevens,
        secret,
    })
}

fn check(draft: impl Into<Draft>, expected: &Value) {
    let bytes = compose(&draft.into(), None).unwrap();
    assert_eq!(
        hex::encode(&bytes),
        hex::encode(message(expected)),
        "{expected}"
    );
}

fn bad(draft: impl Into<Draft>) -> BadDraft {
    compose(&draft.into(), None).unwrap_err()
}

fn id(text: &str) -> MessageId {
    MessageId::parse(text).unwrap()
}

fn of(text: &str, author: Author) -> MessageRef {
    MessageRef {
        id: id(text),
        author,
    }
}

fn text(body: &str) -> Text {
    Text {
        body: body.into(),
        preview: None,
    }
}

fn blob() -> Blob {
    Blob {
        url: "https://x/y".into(),
        direct_path: "/y".into(),
        media_key: Secret::new([1; 32]),
        keyed_at: Some(UnixSeconds(1_789_999_000)),
        sha256: [2; 32],
        enc_sha256: [3; 32],
        length: 300,
    }
}

/// The blob's fields and these.
fn media(mimetype: &str, more: &Value) -> Value {
    let mut all = json!({
        "url": "https://x/y", "directPath": "/y", "mediaKeyTimestamp": 1_789_999_000,
        "mediaKey": "01".repeat(32), "fileSha256": "02".repeat(32),
        "fileEncSha256": "03".repeat(32), "fileLength": 300, "mimetype": mimetype,
    });
    let more = more.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(more);
    all
}

fn image() -> Image {
    Image {
        blob: blob(),
        mimetype: "image/jpeg".into(),
        caption: "hi".into(),
        size: Some((40, 30)),
        thumbnail: Some(vec![9]),
        view_once: false,
    }
}

fn video() -> Video {
    Video {
        blob: blob(),
        mimetype: "video/mp4".into(),
        caption: String::new(),
        size: None,
        seconds: Some(5),
        thumbnail: None,
        gif: false,
        view_once: false,
    }
}

#[test]
fn plain_text_is_a_conversation() {
    check(Body::Text(text("hi")), &json!({"conversation": "hi"}));
}

#[test]
fn a_reply_with_mentions_carries_its_context() {
    let draft = Draft {
        body: Body::Text(text("@300 hi")),
        context: Context {
            quote: Some(Quote {
                of: of("AB", Author::Peer),
                message: b"\x0a\x01q".to_vec(),
            }),
            mentions: vec![Jid::lid("300").with_device(3)],
            forwarded: Some(2),
            timer: None,
        },
    };
    let context = json!({
        "stanzaId": "AB", "participant": "200@lid", "quotedMessage": {"conversation": "q"},
        "mentionedJid": ["300@lid"], "forwardingScore": 2, "isForwarded": true,
    });
    check(
        draft,
        &json!({"extendedTextMessage": {"text": "@300 hi", "contextInfo": context}}),
    );
}

#[test]
fn a_link_preview_names_a_link_of_the_text() {
    let mut linked = text("see https://x.org");
    linked.preview = Some(LinkPreview {
        link: "https://x.org".into(),
        title: Some("X".into()),
        description: None,
        thumbnail: Some(vec![1]),
    });
    let expected = json!({"extendedTextMessage": {
        "text": "see https://x.org", "matchedText": "https://x.org", "title": "X",
        "jpegThumbnail": "01",
    }});
    check(Body::Text(linked.clone()), &expected);
    linked.body = "see".into();
    assert_eq!(bad(Body::Text(linked)), BadDraft::OutOfRange("the link"));
}

#[test]
fn media_says_where_its_blob_is_and_how_to_read_it() {
    let more = json!({"caption": "hi", "width": 40, "height": 30, "jpegThumbnail": "09"});
    check(
        Body::Image(image()),
        &json!({"imageMessage": media("image/jpeg", &more)}),
    );
    let video_of = |more: Value| json!({"videoMessage": media("video/mp4", &more)});
    check(Body::Video(video()), &video_of(json!({"seconds": 5})));
    let gif = Video {
        gif: true,
        ..video()
    };
    check(
        Body::Video(gif),
        &video_of(json!({"seconds": 5, "gifPlayback": true})),
    );
    let sticker = Sticker {
        blob: blob(),
        mimetype: "image/webp".into(),
        size: None,
        animated: true,
        thumbnail: None,
    };
    let expected = media("image/webp", &json!({"isAnimated": true}));
    check(Body::Sticker(sticker), &json!({"stickerMessage": expected}));
}

#[test]
fn a_voice_note_is_audio_that_was_spoken() {
    let voice = Audio {
        blob: blob(),
        mimetype: "audio/ogg; codecs=opus".into(),
        seconds: Some(3),
        voice: true,
        waveform: Some(vec![0, 100]),
        view_once: false,
    };
    let more = json!({"seconds": 3, "ptt": true, "waveform": "0064"});
    let expected = media("audio/ogg; codecs=opus", &more);
    check(Body::Audio(voice), &json!({"audioMessage": expected}));
}

#[test]
fn a_document_with_a_caption_is_wrapped() {
    let mut document = Document {
        blob: blob(),
        mimetype: "application/pdf".into(),
        file_name: "a.pdf".into(),
        caption: String::new(),
        pages: Some(2),
        thumbnail: None,
    };
    let more = json!({"title": "a.pdf", "fileName": "a.pdf", "pageCount": 2});
    let mut expected = json!({"documentMessage": media("application/pdf", &more)});
    check(Body::Document(document.clone()), &expected);
    document.caption = "c".into();
    expected["documentMessage"]["caption"] = json!("c");
    let wrapped = json!({"documentWithCaptionMessage": {"message": expected}});
    check(Body::Document(document.clone()), &wrapped);
    document.file_name.clear();
    assert_eq!(
        bad(Body::Document(document)),
        BadDraft::Empty("the file name")
    );
}

#[test]
fn what_is_viewed_once_says_so_twice() {
    let once = Video {
        view_once: true,
        ..video()
    };
    let inner = media("video/mp4", &json!({"seconds": 5, "viewOnce": true}));
    let expected = json!({"viewOnceMessage": {"message": {"videoMessage": inner}}});
    check(Body::Video(once.clone()), &expected);
    let bytes = compose(&Body::Video(once).into(), None).unwrap();
    assert!(shape(&bytes).unwrap().meta.view_once);
}

#[test]
fn messages_that_disappear_are_wrapped_and_say_when() {
    let context = Context {
        timer: Some(Timer {
            seconds: 86_400,
            set_at: Some(UnixSeconds(9)),
        }),
        ..Context::default()
    };
    let draft = |body| Draft {
        body,
        context: context.clone(),
    };
    let inner = json!({"extendedTextMessage": {
        "text": "hi", "contextInfo": {"expiration": 86_400, "ephemeralSettingTimestamp": 9},
    }});
    let expected = json!({"ephemeralMessage": {"message": inner}});
    check(draft(Body::Text(text("hi"))), &expected);
    let revoke = json!({"protocolMessage": {
        "key": {"remoteJid": "200@lid", "fromMe": true, "id": "A"}, "type": "REVOKE",
    }});
    check(draft(Body::Revoke(of("A", Author::Me))), &revoke);
    let timer = json!({"protocolMessage": {
        "type": "EPHEMERAL_SETTING", "ephemeralExpiration": 604_800,
        "ephemeralSettingTimestamp": 1_790_000_000,
    }});
    check(Body::Timer(604_800), &timer);
}

#[test]
fn one_card_and_several_are_different_messages() {
    let card = |name: &str| Card {
        name: name.into(),
        vcard: "BEGIN:VCARD".into(),
    };
    let one = |name: &str| json!({"displayName": name, "vcard": "BEGIN:VCARD"});
    check(
        Body::Contacts(vec![card("A")]),
        &json!({"contactMessage": one("A")}),
    );
    check(
        Body::Contacts(vec![card("A"), card("B")]),
        &json!({"contactsArrayMessage": {
            "displayName": "2 contacts", "contacts": [one("A"), one("B")],
        }}),
    );
    let bad_list = |cards| bad(Body::Contacts(cards));
    assert_eq!(bad_list(vec![]), BadDraft::Empty("the list of contacts"));
    assert_eq!(bad_list(vec![card("")]), BadDraft::Empty("a name"));
    let many = vec![card("A"); 257];
    assert_eq!(
        bad_list(many),
        BadDraft::OutOfRange("the number of contacts")
    );
}

#[test]
fn a_place_is_on_earth() {
    let place = Place {
        latitude: Degrees::latitude(-23.5).unwrap(),
        longitude: Degrees::longitude(-46.6).unwrap(),
        name: "SP".into(),
        address: String::new(),
        url: String::new(),
        thumbnail: None,
    };
    let expected = json!({"degreesLatitude": -23.5, "degreesLongitude": -46.6, "name": "SP"});
    check(Body::Place(place), &json!({"locationMessage": expected}));
    assert_eq!(Degrees::latitude(90.1), None);
    assert_eq!(Degrees::longitude(f64::NAN), None);
}

#[test]
fn reactions_edits_and_revokes_name_their_message() {
    let key = json!({"remoteJid": "200@lid", "fromMe": false, "id": "A"});
    let own = json!({"remoteJid": "200@lid", "fromMe": true, "id": "A"});
    let member = Author::Member(Jid::lid("300").with_device(2));
    let theirs = json!({
        "remoteJid": "200@lid", "fromMe": false, "id": "A", "participant": "300@lid",
    });
    let reaction = Reaction {
        to: of("A", Author::Peer),
        emoji: "+".into(),
    };
    let expected = json!({"key": key, "text": "+", "senderTimestampMs": NOW.0});
    check(
        Body::Reaction(reaction),
        &json!({"reactionMessage": expected}),
    );
    let edit = Body::Edit {
        of: id("A"),
        new: Box::new(Body::Text(text("new"))),
    };
    let expected = json!({
        "key": own, "type": "MESSAGE_EDIT", "editedMessage": {"conversation": "new"},
        "timestampMs": NOW.0,
    });
    check(edit, &json!({"protocolMessage": expected}));
    let expected = json!({"protocolMessage": {"key": theirs, "type": "REVOKE"}});
    check(Body::Revoke(of("A", member)), &expected);
    let endless = Body::Edit {
        of: id("A"),
        new: Box::new(Body::Timer(0)),
    };
    assert_eq!(bad(endless), BadDraft::OutOfRange("the kind of an edit"));
}

#[test]
fn pins_have_a_duration_and_keeps_have_none() {
    let key = json!({"remoteJid": "200@lid", "fromMe": true, "id": "A"});
    let pin = |seconds| {
        Body::Pin(Pin {
            of: of("A", Author::Me),
            seconds,
        })
    };
    let pinned = |kind: &str| json!({"key": key, "type": kind, "senderTimestampMs": NOW.0});
    check(
        pin(Some(86_400)),
        &json!({
            "pinInChatMessage": pinned("PIN_FOR_ALL"),
            "messageContextInfo": {"messageAddOnDurationInSecs": 86_400},
        }),
    );
    check(
        pin(None),
        &json!({"pinInChatMessage": pinned("UNPIN_FOR_ALL")}),
    );
    let keep = |keep| {
        Body::Keep(Keep {
            of: of("A", Author::Me),
            keep,
        })
    };
    let kept = |kind: &str| json!({"key": key, "keepType": kind, "timestampMs": NOW.0});
    check(
        keep(true),
        &json!({"keepInChatMessage": kept("KEEP_FOR_ALL")}),
    );
    check(
        keep(false),
        &json!({"keepInChatMessage": kept("UNDO_KEEP_FOR_ALL")}),
    );
}

#[test]
fn an_empty_or_oversized_text_is_no_draft() {
    assert_eq!(bad(Body::Text(text(""))), BadDraft::Empty("the text"));
    let long = text(&"x".repeat(65_537));
    assert_eq!(bad(Body::Text(long)), BadDraft::OutOfRange("the text"));
    let mut heavy = image();
    heavy.thumbnail = Some(vec![0; 300_000]);
    assert_eq!(bad(Body::Image(heavy)), BadDraft::OutOfRange("the message"));
}

#[test]
fn drafts_do_not_show_in_logs() {
    let draft = Draft::from(Body::Text(text("a secret")));
    assert_eq!(format!("{draft:?}"), "Draft");
}
