//! Tokens in stanzas other than messages.

use std::cell::Cell;

use sendpath_protocol::abprops::Gates;
use sendpath_protocol::error::StoreError;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::peer::Names;
use sendpath_protocol::tctoken::gated::{
    ContactToken, GroupAction, Picture, about_argument, call, participant, picture_get,
    presence_subscribe, spam_report, usync_user,
};
use sendpath_protocol::txn::{Key, Namespace, Reader, Rows, Scope, Txn};
use sendpath_protocol::wap::Node;

use crate::world::*;

const OPEN: Gates = Gates {
    about: true,
    about_usync: true,
    group_add: true,
    group_create: true,
    messages: None,
    picture: true,
    spam_report: true,
};

const CLOSED: Gates = Gates {
    about: false,
    about_usync: false,
    group_add: false,
    group_create: false,
    messages: None,
    picture: false,
    spam_report: false,
};

/// The token that a stanza about `who` may carry.
fn token_for(world: &mut World, who: &str, known: &Names) -> Option<ContactToken> {
    let (who, now) = (jid(who), world.clock());
    world.step(|tokens, cx| tokens.token_for(&cx.txn, &who, known, now))
}

/// A world with a valid token of A, and that token.
fn granted() -> (World, ContactToken) {
    let mut world = World::new();
    world.give("\u{1}raw", NOW);
    let token = token_for(&mut world, LID, &a()).unwrap();
    (world, token)
}

fn tctoken() -> Node {
    Node::new("tctoken").bytes("\u{1}raw")
}

fn privacy() -> Node {
    Node::new("privacy").bytes("\u{1}raw")
}

#[test]
fn scenario_40_each_stanza_has_its_token_in_its_place() {
    let (_, token) = granted();
    let (a, token) = (jid(LID), Some(&token));

    let presence = presence_subscribe(&a, token);
    assert!(presence.is("type", "subscribe") && presence.is("to", LID));
    assert_eq!(presence.nodes(), [tctoken()]);

    let iq = picture_get(&a, Picture::Preview, Some("7"), token, &OPEN);
    assert!(iq.is("xmlns", "w:profile:picture") && iq.is("target", LID));
    let [picture] = iq.nodes() else {
        panic!("the token is inside of <picture>, not beside it: {iq:?}")
    };
    assert!(picture.is("type", "preview") && picture.is("query", "url") && picture.is("id", "7"));
    assert_eq!(picture.nodes(), [tctoken()]);

    let status = Node::new("query").child(Node::new("status"));
    let user = usync_user(&a, &status, token, &OPEN);
    assert_eq!(user.nodes(), [tctoken()]);
    let devices = Node::new("query").child(Node::new("devices"));
    assert_eq!(usync_user(&a, &devices, token, &OPEN).nodes(), []);

    let about = about_argument(token, &OPEN);
    assert_eq!(about.as_deref(), Some("AXJhdw=="));

    let audio = Node::new("audio").attr("enc", "opus");
    let offer = Node::new("offer").attr("call-id", "C").child(audio.clone());
    let made = call(&a, offer, token);
    assert_eq!(made.nodes()[0].nodes(), [privacy(), audio]);
    for silent in ["accept", "preaccept", "reject", "terminate", "transport"] {
        let action = Node::new(silent).attr("call-id", "C");
        assert_eq!(call(&a, action.clone(), token).nodes(), [action]);
    }

    let list = Node::new("spam_list").jid("jid", a.clone());
    let report = spam_report(list.clone(), token, &OPEN);
    assert_eq!(report.nodes(), [list, tctoken()]);

    for (action, carries) in [
        (GroupAction::Add, true),
        (GroupAction::Create, true),
        (GroupAction::Other, false),
    ] {
        let member = participant(action, &a, Some(&jid(PN)), token, &OPEN);
        assert!(member.is("jid", LID) && member.is("phone_number", PN));
        let expected = carries.then(privacy);
        assert_eq!(member.nodes(), expected.as_slice(), "{action:?}");
    }
}

#[test]
fn each_gate_closes_its_own_stanza_and_no_other() {
    let (_, token) = granted();
    let (a, token) = (jid(LID), Some(&token));
    let carried = |gates: &Gates| {
        let status = Node::new("query").child(Node::new("status"));
        let picture = picture_get(&a, Picture::Image, None, token, gates);
        let member = |action| participant(action, &a, None, token, gates);
        let report = spam_report(Node::new("spam_list"), token, gates);
        [
            about_argument(token, gates).is_some(),
            !usync_user(&a, &status, token, gates).nodes().is_empty(),
            !member(GroupAction::Add).nodes().is_empty(),
            !member(GroupAction::Create).nodes().is_empty(),
            !picture.nodes()[0].nodes().is_empty(),
            report.find("tctoken").is_some(),
        ]
    };
    assert_eq!(carried(&OPEN), [true; 6]);
    let about = true;
    let gates = [
        Gates { about, ..CLOSED },
        Gates {
            about_usync: true,
            ..CLOSED
        },
        Gates {
            group_add: true,
            ..CLOSED
        },
        Gates {
            group_create: true,
            ..CLOSED
        },
        Gates {
            picture: true,
            ..CLOSED
        },
        Gates {
            spam_report: true,
            ..CLOSED
        },
    ];
    for (place, gates) in gates.iter().enumerate() {
        let alone = std::array::from_fn(|other| other == place);
        assert_eq!(carried(gates), alone, "{gates:?}");
    }
}

#[test]
fn a_token_is_for_contacts_only_and_while_it_is_valid() {
    let (mut world, _) = granted();
    let nobody = Names::default();
    for who in [
        "900000000000009@lid",
        "4915559999@s.whatsapp.net",
        "0@s.whatsapp.net",
        "13135550002@s.whatsapp.net",
        "120363@g.us",
        "120363@newsletter",
        "status@broadcast",
        "4915550002@s.whatsapp.net",
    ] {
        assert_eq!(token_for(&mut world, who, &nobody), None, "{who}");
    }
    assert!(token_for(&mut world, "100000000000001:3@lid", &nobody).is_some());
    assert!(token_for(&mut world, PN, &a()).is_some());
    let mut world = World::new();
    world.set_salt(&[1; 32]);
    world.give("expired", 1_784_159_999);
    assert_eq!(token_for(&mut world, LID, &a()), None);
    world.fail_reads(true);
    assert_eq!(token_for(&mut world, LID, &a()), None);
    assert_eq!(world.tokens.counters().failed_reads, 1);
}

/// Counts how often the store is asked.
struct Counting<'a> {
    store: &'a dyn Reader,
    asked: Cell<usize>,
}

impl Reader for Counting<'_> {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.asked.set(self.asked.get() + 1);
        self.store.get(key)
    }

    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.asked.set(self.asked.get() + 1);
        self.store.get_many(keys)
    }

    fn scan(
        &self,
        scope: &Scope,
        ns: Namespace,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        self.asked.set(self.asked.get() + 1);
        self.store.scan(scope, ns, prefix, after, limit)
    }
}

/// Tokens for all of `people`, and how often the store was asked.
fn tokens_for(world: &mut World, people: &[(Jid, Names)]) -> (Vec<Option<ContactToken>>, usize) {
    let now = world.clock();
    let store = Counting {
        store: &world.store,
        asked: Cell::new(0),
    };
    let mut txn = Txn::reading(&store);
    let found = world.tokens.tokens_for(&mut txn, people, now);
    (found, store.asked.get())
}

#[test]
fn scenario_41_a_group_of_500_is_read_at_once_and_a_broken_store_costs_the_tokens_only() {
    let mut world = World::new();
    let person = |number: usize| {
        let (lid, pn) = (
            format!("{}@lid", 1_000 + number),
            format!("49{number}@s.whatsapp.net"),
        );
        (jid(&lid), Names::pair(peer(&lid), peer(&pn)))
    };
    let people: Vec<_> = (0..500).map(person).collect();
    for (number, (_, names)) in people
        .iter()
        .enumerate()
        .filter(|(number, _)| number % 3 == 0)
    {
        world.history(names, Some(&format!("T{number}")), NOW.unsigned_abs(), 0);
    }
    let add = |tokens: &[Option<ContactToken>]| -> Vec<Node> {
        let member = |((who, _), token): (&(Jid, Names), &Option<ContactToken>)| {
            participant(GroupAction::Add, who, None, token.as_ref(), &OPEN)
        };
        people.iter().zip(tokens).map(member).collect()
    };

    let (tokens, asked) = tokens_for(&mut world, &people);
    assert!(asked <= 2, "the store was asked {asked} times");
    assert_eq!(tokens.len(), people.len());
    for (number, member) in add(&tokens).iter().enumerate() {
        let carried = member.find("privacy").and_then(Node::payload);
        let expected = (number % 3 == 0).then(|| format!("T{number}").into_bytes());
        assert_eq!(carried, expected.as_deref());
    }

    world.fail_reads(true);
    let (tokens, _) = tokens_for(&mut world, &people);
    let members = add(&tokens);
    assert_eq!(members.len(), people.len());
    assert!(
        members
            .iter()
            .all(|member| member.find("privacy").is_none())
    );
    assert_eq!(world.tokens.counters().failed_reads, 1);
}
