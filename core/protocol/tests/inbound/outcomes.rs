//! Spec 8.9: what each ack does to a message of ours.

use sendpath_protocol::session::Content;
use sendpath_protocol::verdict::{Cause, Outcome};
use sendpath_protocol::wap::Node;

use crate::world::{World, jid};

const CONTACT: &str = "100000000000001@lid";

/// What follows an ack with an error.
enum Then {
    /// The same bytes again, three times, and then this.
    Repeats(Cause),
    /// The limits are asked for before anything is said.
    Asks,
    /// The end, and nothing more leaves.
    Ends(Cause),
}
use Then::{Asks, Ends, Repeats};

#[rustfmt::skip]
const ROWS: &[(u16, Then)] = &[
    // The address fits: the account is migrated, and so is the message.
    (400, Ends(Cause::ServerRefused)),
    (401, Ends(Cause::NotAllowed)),
    (403, Ends(Cause::NotAllowed)),
    (404, Ends(Cause::RecipientNotFound)),
    (405, Ends(Cause::NotAllowed)),
    (406, Ends(Cause::NotAllowed)),
    (408, Repeats(Cause::ServerBusy)),
    (421, Ends(Cause::ServerRefused)),
    (429, Repeats(Cause::ServerBusy)),
    (463, Asks),
    (475, Ends(Cause::NewChatCapped)),
    (479, Ends(Cause::StanzaInvalid)),
    (487, Ends(Cause::ServerRefused)),
    (488, Ends(Cause::ServerRefused)),
    (489, Ends(Cause::ServerRefused)),
    (490, Ends(Cause::ServerRefused)),
    (491, Ends(Cause::ServerRefused)),
    (493, Ends(Cause::ServerRefused)),
    (495, Ends(Cause::ServerRefused)),
    (496, Ends(Cause::ServerRefused)),
    (499, Ends(Cause::ServerRefused)),
    (500, Repeats(Cause::ServerBusy)),
    (503, Repeats(Cause::ServerBusy)),
    (550, Ends(Cause::ServerRefused)),
    (551, Ends(Cause::ServerRefused)),
    (552, Ends(Cause::ServerRefused)),
];

/// A world in which a message has just left; and the message.
fn left() -> (World, Node) {
    let mut world = World::online();
    let mut contact = world.device(CONTACT);
    world.writes(&mut contact, "HELLO");
    world.send(CONTACT, Content::Text("hi".into()), None);
    world.list_devices();
    let mut sent = world.take_sent();
    sent.retain(|node| node.tag == "message");
    let message = sent.pop().unwrap();
    (world, message)
}

fn ack(error: Option<u16>) -> Node {
    let ack = Node::new("ack").attr("class", "message").attr("id", "ID");
    let ack = ack.jid("from", jid(CONTACT)).attr("t", "1786074401");
    ack.maybe("error", error.map(|code| code.to_string()))
}

fn cause(world: &World) -> Option<Cause> {
    match &world.outcomes[..] {
        [] => None,
        [Outcome::Refused(refusal)] => Some(refusal.cause),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_error_of_an_ack_does_what_its_row_says() {
    for (code, then) in ROWS {
        let (mut world, message) = left();
        world.tell(&ack(Some(*code)));
        match then {
            Ends(expected) => assert_eq!(cause(&world), Some(*expected), "{code}"),
            Asks => {
                assert_eq!(cause(&world), None, "{code}");
                let sent = world.take_sent();
                assert!(sent.iter().any(|node| node.is("xmlns", "w:mex")), "{code}");
            }
            Repeats(expected) => {
                for wait in [5, 10, 20] {
                    assert_eq!(cause(&world), None, "{code}");
                    world.pass(wait * 1_000);
                    let again = world.take_sent();
                    assert!(again.contains(&message), "{code}: the same bytes");
                    world.tell(&ack(Some(*code)));
                }
                assert_eq!(cause(&world), Some(*expected), "{code}");
            }
        }
        world.take_sent();
        world.pass(30_000);
        let again = world.take_sent();
        assert!(again.iter().all(|node| node.tag != "message"), "{code}");
    }
}

#[test]
fn only_an_ack_without_an_error_is_success() {
    let (mut world, _) = left();
    world.tell(
        &Node::new("receipt")
            .attr("id", "ID")
            .jid("from", jid(CONTACT)),
    );
    assert_eq!(world.outcomes, []);
    world.tell(&ack(None).attr("class", "receipt"));
    assert_eq!(world.outcomes, []);
    world.tell(&ack(None));
    assert!(matches!(world.outcomes[..], [Outcome::Accepted { .. }]));
}

#[test]
fn another_phash_asks_for_the_devices_before_the_next_message_and_not_again() {
    let (mut world, _) = left();
    world.tell(&ack(None).attr("phash", "2:AAAAAAAA"));
    assert!(matches!(world.outcomes[..], [Outcome::Accepted { .. }]));
    assert_eq!(
        world
            .take_sent()
            .iter()
            .filter(|n| n.tag == "message")
            .count(),
        0
    );
    world.send(CONTACT, Content::Text("hi".into()), None);
    let sent = world.take_sent();
    assert!(
        sent.iter().any(|node| node.is("xmlns", "usync")),
        "{sent:?}"
    );
}
