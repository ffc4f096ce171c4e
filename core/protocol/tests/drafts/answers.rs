//! Polls and events, and the sealed answers to them.

use sendpath_protocol::content::draft::{Going, Rsvp, Vote};
use sendpath_protocol::content::{About, UseCase};

use super::*;

fn poll() -> Poll {
    Poll {
        question: "Q?".into(),
        options: vec!["Yes".into(), "No".into()],
        selectable: 1,
    }
}

fn event() -> Event {
    Event {
        name: "E".into(),
        description: String::new(),
        starts: UnixSeconds(50),
        ends: Some(UnixSeconds(60)),
        place: None,
        join_link: String::new(),
        guests: true,
        canceled: false,
    }
}

fn vote(author: Author, secret: Option<Secret<32>>) -> Draft {
    let vote = Vote {
        poll: of("3EB0POLL", author),
        choices: vec!["No".into()],
        secret,
    };
    Body::Vote(vote).into()
}

#[test]
fn a_poll_has_a_secret_and_its_answers() {
    let options = json!([{"optionName": "Yes"}, {"optionName": "No"}]);
    let asked =
        |most: u32| json!({"name": "Q?", "options": options, "selectableOptionsCount": most});
    let context = json!({"messageSecret": "07".repeat(32)});
    check(
        Body::Poll(poll()),
        &json!({"pollCreationMessageV3": asked(1), "messageContextInfo": context}),
    );
    let any = Poll {
        selectable: 0,
        ..poll()
    };
    check(
        Body::Poll(any),
        &json!({"pollCreationMessage": asked(0), "messageContextInfo": context}),
    );
}

#[test]
fn polls_that_phones_would_not_show_are_refused() {
    let with = |options: &[&str], selectable| {
        bad(Body::Poll(Poll {
            question: "Q?".into(),
            options: options.iter().map(|&option| option.into()).collect(),
            selectable,
        }))
    };
    let options = BadDraft::OutOfRange("the options");
    assert_eq!(with(&["a"], 1), options);
    assert_eq!(with(&["a", "a"], 1), options);
    let many: Vec<String> = (0..13).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(with(&many, 1), options);
    assert_eq!(with(&["a", ""], 1), BadDraft::Empty("an option"));
    assert_eq!(
        with(&["a", "b"], 3),
        BadDraft::OutOfRange("the number of choices")
    );
}

#[test]
fn the_secret_stays_outside_when_messages_disappear() {
    let draft = Draft {
        body: Body::Poll(poll()),
        context: Context {
            timer: Some(Timer {
                seconds: 60,
                set_at: None,
            }),
            ..Context::default()
        },
    };
    let bytes = compose(&draft, None).unwrap();
    assert_eq!(message_secret(&bytes), Some(Secret::new([7; 32])));
    assert_eq!(shape(&bytes).unwrap().meta.polltype, Some("creation"));
}

#[test]
fn a_vote_can_be_opened_by_whoever_has_the_poll() {
    let secret = Secret::new([5; 32]);
    let voted = |author, known, brought| compose(&vote(author, brought), known).unwrap();
    let (chat, own) = (Jid::lid("200"), Jid::lid("100"));
    for (author, asker) in [(Author::Peer, &chat), (Author::Me, &own)] {
        let known = voted(author.clone(), Some(secret.clone()), None);
        let brought = voted(author.clone(), None, Some(secret.clone()));
        assert_eq!(known, brought);
        let about = About {
            id: &id("3EB0POLL"),
            author: asker,
            modifier: &own,
        };
        let plain = message_of(
            "Message.PollVoteMessage",
            &json!({
                "selectedOptions": ["1ea442a134b2a184bd5d40104401f2a37fbc09ccf3f4bc9da161c6099be3691d"],
            }),
        );
        let sealed = about.seal(&secret, UseCase::PollVote, &[7; 12], &plain);
        let expected = json!({"pollUpdateMessage": {
            "pollCreationMessageKey": {
                "remoteJid": "200@lid", "fromMe": author == Author::Me, "id": "3EB0POLL",
            },
            "vote": {"encPayload": hex::encode(sealed), "encIv": "07".repeat(12)},
            "senderTimestampMs": NOW.0,
        }});
        assert_eq!(known, message(&expected));
    }
}

#[test]
fn a_vote_without_the_poll_s_secret_is_refused() {
    let draft = vote(Author::Peer, None);
    assert_eq!(draft.wants_secret_of().unwrap().id, id("3EB0POLL"));
    assert_eq!(bad(draft), BadDraft::SecretUnknown);
    let brought = vote(Author::Peer, Some(Secret::new([5; 32])));
    assert_eq!(brought.wants_secret_of(), None);
}

#[test]
fn an_event_has_a_secret_and_ends_after_it_begins() {
    check(
        Body::Event(event()),
        &json!({
            "eventMessage": {
                "name": "E", "startTime": 50, "endTime": 60, "extraGuestsAllowed": true,
            },
            "messageContextInfo": {"messageSecret": "07".repeat(32)},
        }),
    );
    let late = Event {
        ends: Some(UnixSeconds(49)),
        ..event()
    };
    assert_eq!(bad(Body::Event(late)), BadDraft::OutOfRange("the end"));
}

#[test]
fn an_answer_to_an_event_is_sealed() {
    let secret = Secret::new([5; 32]);
    let rsvp = Body::Rsvp(Rsvp {
        event: of("3EB0EVENT", Author::Peer),
        going: Going::No,
        guests: Some(0),
        secret: None,
    });
    let about = About {
        id: &id("3EB0EVENT"),
        author: &Jid::lid("200"),
        modifier: &Jid::lid("100"),
    };
    let plain = message_of(
        "Message.EventResponseMessage",
        &json!({"response": "NOT_GOING", "timestampMs": NOW.0, "extraGuestCount": 0}),
    );
    let sealed = about.seal(&secret, UseCase::EventResponse, &[7; 12], &plain);
    let expected = json!({"encEventResponseMessage": {
        "eventCreationMessageKey": {"remoteJid": "200@lid", "fromMe": false, "id": "3EB0EVENT"},
        "encPayload": hex::encode(sealed), "encIv": "07".repeat(12),
    }});
    assert_eq!(
        compose(&rsvp.into(), Some(secret)).unwrap(),
        message(&expected)
    );
}

fn message_of(path: &str, content: &Value) -> Vec<u8> {
    schema::Schema::load().encode(path, content)
}
