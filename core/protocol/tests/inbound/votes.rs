//! Votes in polls of others: their secrets are kept.

use sendpath_protocol::content::draft::{Author, Body, MessageRef, Vote};
use sendpath_protocol::content::{About, UseCase};
use sendpath_protocol::pb;
use sendpath_protocol::secret::Secret;
use sendpath_protocol::session::Content;
use sendpath_protocol::verdict::{Cause, MessageId, Outcome};
use serde_json::json;

use crate::schema::message;
use crate::world::{World, jid};

const CONTACT: &str = "100000000000001@lid";

fn vote(author: Author) -> Content {
    let id = MessageId::parse("POLL").unwrap();
    let vote = Vote {
        poll: MessageRef { id, author },
        choices: vec!["yes".into()],
        secret: None,
    };
    Content::Draft(Box::new(Body::Vote(vote).into()))
}

#[test]
fn a_vote_is_sealed_with_the_secret_that_came_with_the_poll() {
    let mut world = World::online();
    let mut alice = world.device(CONTACT);
    let poll = message(&json!({
        "pollCreationMessageV3": {"name": "?"},
        "messageContextInfo": {"messageSecret": "07".repeat(32)},
    }));
    let enc = world.seal(&mut alice, &poll);
    let stanza = world.stanza(&alice, "POLL").child(enc);
    world.tell(&stanza);
    world.restart();
    world.send(CONTACT, vote(Author::Peer), None);
    world.list_devices();
    let sent = world.take_sent();
    let stanza = sent.iter().find(|node| node.tag == "message").unwrap();
    let to = stanza.find("participants").unwrap().find("to").unwrap();
    let plain = world.unseal(&mut alice, to.find("enc").unwrap());
    let message = <pb::Composed as prost::Message>::decode(&*plain).unwrap();
    let sealed = message.poll_update_message.unwrap().vote.unwrap();
    let about = About {
        id: &MessageId::parse("POLL").unwrap(),
        author: &jid(CONTACT),
        modifier: &jid("900100001@lid"),
    };
    let iv = sealed.enc_iv.unwrap().try_into().unwrap();
    let payload = sealed.enc_payload.unwrap();
    let secret = Secret::new([7; 32]);
    assert!(
        about
            .open(&secret, UseCase::PollVote, &iv, &payload)
            .is_some()
    );
}

#[test]
fn a_vote_in_a_poll_that_never_came_is_refused() {
    let mut world = World::online();
    let mut alice = world.device(CONTACT);
    world.writes(&mut alice, "POLL");
    world.send(CONTACT, vote(Author::Peer), None);
    world.list_devices();
    let refused =
        |outcome: &Outcome| matches!(outcome, Outcome::Refused(r) if r.cause == Cause::BadRequest);
    assert!(world.outcomes.iter().any(refused), "{:?}", world.outcomes);
}
