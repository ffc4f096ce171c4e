//! Content of every kind: the model server compares each stanza with what it decrypts.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers outside the test functions"
)]

use sendpath_e2e::{ALICE, World, outcome};
use sendpath_engine::SendOptions;
use sendpath_model_server::Gate;
use sendpath_protocol::content::draft::{
    Audio, Author, Blob, Body, Card, Context, Document, Event, Going, Image, MessageRef, Pin, Poll,
    Reaction, Rsvp, Text, Timer, Video, Vote,
};
use sendpath_protocol::content::{Draft, text};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::secret::Secret;
use sendpath_protocol::session::Content;
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::verdict::{Cause, MessageId, Outcome};

fn send(world: &World, content: Content) -> Outcome {
    let to = Jid::recipient(ALICE.0).unwrap();
    let options = SendOptions::default();
    outcome(&world.account.send(to, content, options).unwrap())
}

fn sent(world: &World, draft: impl Into<Draft>) -> MessageId {
    match send(world, Content::Draft(Box::new(draft.into()))) {
        Outcome::Accepted { id, .. } => id,
        other => panic!("not accepted: {other:?}"),
    }
}

fn own(id: MessageId) -> MessageRef {
    MessageRef {
        id,
        author: Author::Me,
    }
}

fn words(body: &str) -> Text {
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

fn linked() -> World {
    let world = World::linked();
    world.add_with_devices(ALICE, Gate::Open, 2);
    world
}

/// Everything that was sent has arrived at both devices of the contact and at our phone.
fn arrived(world: &World, messages: usize) {
    assert_eq!(world.received(ALICE.0).len(), 2 * messages);
    let account = world.judged()[0].account.clone();
    assert_eq!(world.received(&account).len(), messages);
    world.no_violations();
}

#[test]
fn media_says_its_kind_on_every_ciphertext() {
    let world = linked();
    let image = Image {
        blob: blob(),
        mimetype: "image/jpeg".into(),
        caption: "hi".into(),
        size: None,
        thumbnail: None,
        view_once: false,
    };
    let once = Image {
        view_once: true,
        ..image.clone()
    };
    let gif = Video {
        blob: blob(),
        mimetype: "video/mp4".into(),
        caption: String::new(),
        size: None,
        seconds: None,
        thumbnail: None,
        gif: true,
        view_once: false,
    };
    let voice = Audio {
        blob: blob(),
        mimetype: "audio/ogg; codecs=opus".into(),
        seconds: None,
        voice: true,
        waveform: None,
        view_once: false,
    };
    let document = Document {
        blob: blob(),
        mimetype: "application/pdf".into(),
        file_name: "a.pdf".into(),
        caption: "c".into(),
        pages: None,
        thumbnail: None,
    };
    let card = Card {
        name: "A".into(),
        vcard: "BEGIN:VCARD".into(),
    };
    let bodies = [
        Body::Image(image),
        Body::Image(once),
        Body::Video(gif),
        Body::Audio(voice),
        Body::Document(document),
        Body::Contacts(vec![card]),
    ];
    let count = bodies.len();
    for body in bodies {
        sent(&world, body);
    }
    arrived(&world, count);
}

#[test]
fn a_sent_message_is_edited_reacted_to_pinned_and_taken_back() {
    let world = linked();
    let id = sent(&world, Body::Text(words("one")));
    let edit = Body::Edit {
        of: id.clone(),
        new: Box::new(Body::Text(words("two"))),
    };
    let react = |emoji: &str| {
        Body::Reaction(Reaction {
            to: own(id.clone()),
            emoji: emoji.into(),
        })
    };
    let pin = Body::Pin(Pin {
        of: own(id.clone()),
        seconds: Some(86_400),
    });
    for body in [edit, react("+"), react(""), pin, Body::Timer(86_400)] {
        sent(&world, body);
    }
    let context = Context {
        timer: Some(Timer {
            seconds: 86_400,
            set_at: None,
        }),
        ..Context::default()
    };
    let body = Body::Text(words("gone tomorrow"));
    sent(&world, Draft { body, context });
    sent(&world, Body::Revoke(own(id)));
    arrived(&world, 8);
}

#[test]
fn votes_and_answers_find_the_secret_of_what_was_sent() {
    let world = linked();
    let poll = sent(
        &world,
        Body::Poll(Poll {
            question: "Q?".into(),
            options: vec!["Yes".into(), "No".into()],
            selectable: 1,
        }),
    );
    let event = sent(
        &world,
        Body::Event(Event {
            name: "E".into(),
            description: String::new(),
            starts: UnixSeconds(1_800_000_000),
            ends: None,
            place: None,
            join_link: String::new(),
            guests: false,
            canceled: false,
        }),
    );
    let vote = |poll| {
        Body::Vote(Vote {
            poll: own(poll),
            choices: vec!["No".into()],
            secret: None,
        })
    };
    let rsvp = Rsvp {
        event: own(event),
        going: Going::Yes,
        guests: None,
        secret: None,
    };
    sent(&world, vote(poll));
    sent(&world, Body::Rsvp(rsvp));
    arrived(&world, 4);
    let unknown = MessageId::parse("3EB0UNKNOWN").unwrap();
    let draft = Content::Draft(Box::new(vote(unknown).into()));
    let Outcome::Refused(refusal) = send(&world, draft) else {
        panic!("a vote without a secret was sent");
    };
    assert_eq!(refusal.cause, Cause::BadRequest);
}

#[test]
fn a_host_sends_what_it_built_itself_but_nothing_that_would_be_dropped() {
    let world = linked();
    let sticker = b"\xd2\x01\x03\x0a\x01u".to_vec();
    for raw in [text("hi").unwrap(), sticker] {
        assert!(matches!(
            send(&world, Content::Raw(raw)),
            Outcome::Accepted { .. }
        ));
    }
    arrived(&world, 2);
    let before = world.judged().len();
    let call = b"\x52\x00".to_vec();
    for raw in [call, b"no protobuf".to_vec(), Vec::new()] {
        let Outcome::Refused(refusal) = send(&world, Content::Raw(raw)) else {
            panic!("sent what the server drops");
        };
        assert_eq!(refusal.cause, Cause::BadRequest);
    }
    assert_eq!(world.judged().len(), before);
}
