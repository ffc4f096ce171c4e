//! Keys and an encrypted vote as other clients make them.
#![expect(clippy::unwrap_used, reason = "helpers outside the test functions")]

use sendpath_protocol::content::{About, UseCase};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::secret::Secret;
use sendpath_protocol::verdict::MessageId;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/message_secret.json")).unwrap()
}

#[test]
fn keys_are_those_of_the_vectors() {
    let vectors = vectors();
    let mut checked = 0;
    for case in vectors["cases"][0]["cases"].as_array().unwrap() {
        let text = |field: &str| case[field].as_str().unwrap();
        let use_case = match text("type") {
            "Enc Comment" => UseCase::EncComment,
            "Enc Reaction" => UseCase::EncReaction,
            "Event Edit" => UseCase::EventEdit,
            "Message Edit" => UseCase::MessageEdit,
            "Poll Add Option" => UseCase::PollAddOption,
            "Poll Edit" => UseCase::PollEdit,
            "Event Response" => UseCase::EventResponse,
            "Poll Vote" => UseCase::PollVote,
            "Report Token" => UseCase::ReportToken,
            other => panic!("no use case {other}"),
        };
        let about = About {
            id: &MessageId::parse(text("id")).unwrap(),
            author: &text("orig").parse::<Jid>().unwrap(),
            modifier: &text("mod").parse::<Jid>().unwrap(),
        };
        let secret = Secret::from_slice(&hex::decode(text("secret")).unwrap()).unwrap();
        assert_eq!(
            hex::encode(about.key(&secret, use_case).expose()),
            text("key")
        );
        checked += 1;
    }
    assert_eq!(checked, 9);
}

#[test]
fn a_vote_is_sealed_and_opened_as_in_the_vector() {
    let vectors = vectors();
    let (key, vote) = (&vectors["cases"][0]["cases"][0], &vectors["cases"][1]);
    let hex = |case: &Value, field: &str| hex::decode(case[field].as_str().unwrap()).unwrap();
    let text = |field: &str| key[field].as_str().unwrap();
    let about = About {
        id: &MessageId::parse(text("id")).unwrap(),
        author: &text("orig").parse::<Jid>().unwrap(),
        modifier: &text("mod").parse::<Jid>().unwrap(),
    };
    let secret = Secret::from_slice(&hex(key, "secret")).unwrap();
    let iv: [u8; 12] = hex(vote, "iv").try_into().unwrap();
    let (plain, sealed) = (hex(vote, "plaintext"), hex(vote, "enc_payload"));
    assert_eq!(about.seal(&secret, UseCase::PollVote, &iv, &plain), sealed);
    assert_eq!(
        about.open(&secret, UseCase::PollVote, &iv, &sealed),
        Some(plain)
    );
    assert_eq!(
        about.open(&secret, UseCase::EventResponse, &iv, &sealed),
        None
    );
}
