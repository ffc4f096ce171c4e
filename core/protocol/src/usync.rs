//! Asking the server about users: their devices, and the LID behind a phone number.
//!
//! ```text
//! <iq xmlns="usync" type="get" to="s.whatsapp.net">
//!   <usync sid="…" mode="query" last="true" index="0" context="message">
//!     <query> <devices version="2"/> </query>
//!     <list> <user jid="…"/> … </list>
//!   </usync></iq>
//! ->
//! <usync> <result> <devices [refresh]> [<error code text [backoff]/>] </devices> … </result>
//!   <list> <user jid [pn_jid]> <devices>…</devices> <lid val/> <contact type>echo</contact> </user> … </list></usync>
//! ```
//!
//! Source: the shapes that whatsapp-rust and zapo send. Numbers come back in the server's
//! spelling (Brazil's ninth digit), so an answer is matched by the echo of what was asked.

use crate::devices::ReportedList;
use crate::jid::Jid;
use crate::lidmap::Mapping;
use crate::peer::PeerKey;
use crate::secret::{Entropy, EntropyExt};
use crate::wap::Node;

/// Users in one query. The server takes several hundred; a smaller number loses less when a query
/// fails, a larger one needs fewer round trips.
pub const BATCH: usize = 100;

/// Queries for the device lists of these accounts: IQs without an id, one for each [`BATCH`].
///
/// Bots and everything that is not a person or business are left out; they have no such list.
pub fn device_queries(rng: &mut dyn Entropy, users: &[Jid]) -> Vec<Node> {
    let users: Vec<_> = users
        .iter()
        .filter(|user| user.is_user() && !user.is_bot() && !user.is_psa())
        .map(|user| Node::new("user").jid("jid", user.account()))
        .collect();
    queries(rng, "message", || vec![devices_protocol()], users)
}

/// Queries for the LIDs of phone numbers (digits with country code, without `+`): IQs without an
/// id, one for each [`BATCH`].
pub fn lid_queries(rng: &mut dyn Entropy, numbers: &[&str]) -> Vec<Node> {
    let contact = |number: &&str| {
        let text = format!("+{number}").into_bytes();
        Node::new("user").child(Node::new("contact").bytes(text))
    };
    let protocols = || vec![Node::new("contact"), Node::new("lid")];
    queries(
        rng,
        "interactive",
        protocols,
        numbers.iter().map(contact).collect(),
    )
}

fn devices_protocol() -> Node {
    Node::new("devices").attr("version", "2")
}

fn queries(
    rng: &mut dyn Entropy,
    context: &'static str,
    protocols: impl Fn() -> Vec<Node>,
    users: Vec<Node>,
) -> Vec<Node> {
    users
        .chunks(BATCH)
        .map(|users| {
            let usync = Node::new("usync")
                .attr("sid", format!("{:016x}", rng.u64()))
                .attr("mode", "query")
                .attr("last", "true")
                .attr("index", "0")
                .attr("context", context)
                .child(Node::new("query").children(protocols()))
                .child(Node::new("list").children(users.iter().cloned()));
            Node::new("iq")
                .attr("xmlns", "usync")
                .attr("type", "get")
                .jid("to", Jid::whatsapp())
                .child(usync)
        })
        .collect()
}

/// What a query brought.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Answer {
    /// The users, in the server's order.
    pub users: Vec<User>,
    /// Protocols that failed for all users.
    pub errors: Vec<ProtocolError>,
}

/// A protocol that failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProtocolError {
    /// Its name, such as `devices`.
    pub protocol: String,
    /// The error number, if there was one.
    pub code: Option<u16>,
    /// For how many seconds not to ask again, if the server said so.
    pub backoff: Option<u32>,
}

/// What is known of one user.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct User {
    /// The account; `None` when the server could not name it (an invalid number).
    pub jid: Option<Jid>,
    /// The account by phone number, where the answer says so.
    pub pn: Option<Jid>,
    /// The account by LID, where the answer says so.
    pub lid: Option<Jid>,
    /// What became of a phone number that was asked for.
    pub contact: Option<Contact>,
    /// The device list, if it was asked for and given.
    pub devices: Option<ReportedList>,
    /// Protocols that failed for this user.
    pub errors: Vec<ProtocolError>,
}

/// The fate of a phone number.
#[derive(Clone, Eq, PartialEq)]
pub struct Contact {
    /// The digits that were asked for.
    pub digits: String,
    /// Whether the number is on WhatsApp.
    pub registered: bool,
}

impl core::fmt::Debug for Contact {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Contact(registered: {})", self.registered)
    }
}

impl Answer {
    /// Reads the answer of an IQ; `None` if it is not one to a user query.
    pub fn parse(iq: &Node) -> Option<Self> {
        let usync = iq.find("usync")?;
        let list = usync.find("list").map_or(&[][..], Node::nodes);
        let result = usync.find("result").map_or(&[][..], Node::nodes);
        let users = list.iter().filter(|node| node.tag == "user");
        Some(Self {
            users: users.map(User::parse).collect(),
            errors: result.iter().filter_map(ProtocolError::parse).collect(),
        })
    }

    /// The user that was asked for by `digits`, whatever number the server made of it.
    pub fn by_number(&self, digits: &str) -> Option<&User> {
        let asked = |user: &&User| {
            let contact = user.contact.as_ref();
            contact.is_some_and(|contact| contact.digits == digits)
        };
        self.users.iter().find(asked)
    }

    /// All device lists, each under a name of its account.
    pub fn lists(&self) -> impl Iterator<Item = (PeerKey, &ReportedList)> {
        self.users.iter().filter_map(|user| {
            let name = user.lid.as_ref().or(user.jid.as_ref())?;
            Some((PeerKey::of(name)?, user.devices.as_ref()?))
        })
    }

    /// All pairs of phone number and LID that the answer tells.
    pub fn mappings(&self) -> impl Iterator<Item = Mapping> {
        self.users.iter().filter_map(User::mapping)
    }

    /// The failure of a protocol for all users.
    pub fn error(&self, protocol: &str) -> Option<&ProtocolError> {
        self.errors.iter().find(|error| error.protocol == protocol)
    }
}

impl User {
    fn parse(node: &Node) -> Self {
        let account = |jid: Option<Jid>| jid.filter(Jid::is_user).map(|jid| jid.account());
        let jid = account(node.address("jid"));
        let lid = node.find("lid").and_then(|lid| lid.address("val"));
        let of_kind = |lid: bool| jid.clone().filter(|jid| jid.is_lid() == lid);
        Self {
            pn: account(node.address("pn_jid"))
                .filter(Jid::is_pn)
                .or_else(|| of_kind(false)),
            lid: account(lid).filter(Jid::is_lid).or_else(|| of_kind(true)),
            contact: node.find("contact").and_then(Contact::parse),
            devices: node.find("devices").and_then(ReportedList::parse),
            errors: node
                .nodes()
                .iter()
                .filter_map(ProtocolError::parse)
                .collect(),
            jid,
        }
    }

    /// The pair of phone number and LID, if the answer tells both.
    pub fn mapping(&self) -> Option<Mapping> {
        Mapping::of(self.pn.as_ref()?, self.lid.as_ref()?)
    }
}

impl Contact {
    fn parse(node: &Node) -> Option<Self> {
        let echo = core::str::from_utf8(node.payload()?).ok()?;
        let number = echo.split('@').next().unwrap_or(echo);
        let digits = number.strip_prefix('+').unwrap_or(number);
        Some(Self {
            digits: digits.into(),
            registered: node.is("type", "in"),
        })
    }
}

impl ProtocolError {
    fn parse(protocol: &Node) -> Option<Self> {
        let error = protocol.find("error")?;
        Some(Self {
            protocol: protocol.tag.to_string(),
            code: error.number("code"),
            backoff: error.number("backoff"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Seeded;
    use crate::wap::Content;

    fn answer(users: Vec<Node>) -> Answer {
        let usync = Node::new("usync").child(Node::new("list").children(users));
        Answer::parse(&Node::new("iq").attr("type", "result").child(usync)).unwrap()
    }

    fn asked(query: &Node) -> &[Node] {
        let usync = query.find("usync").unwrap();
        usync.find("list").unwrap().nodes()
    }

    #[test]
    fn a_device_query_names_accounts_without_devices() {
        let users = ["7:3@lid", "49@c.us", "1@g.us", "13135550002@s.whatsapp.net"];
        let users: Vec<Jid> = users.iter().map(|text| text.parse().unwrap()).collect();
        let queries = device_queries(&mut Seeded::new(1), &users);
        assert_eq!(queries.len(), 1);
        let usync = queries[0].find("usync").unwrap();
        assert!(usync.is("context", "message") && usync.is("mode", "query"));
        assert_eq!(
            usync.find("query").unwrap().nodes(),
            [Node::new("devices").attr("version", "2")]
        );
        assert_eq!(
            asked(&queries[0]),
            [
                Node::new("user").jid("jid", Jid::lid("7")),
                Node::new("user").jid("jid", Jid::pn("49")),
            ]
        );
    }

    #[test]
    fn long_lists_become_several_queries_with_ids_of_their_own() {
        let numbers: Vec<String> = (0..250).map(|n| format!("49{n}")).collect();
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let queries = lid_queries(&mut Seeded::new(1), &numbers);
        let sizes: Vec<usize> = queries.iter().map(|query| asked(query).len()).collect();
        assert_eq!(sizes, [100, 100, 50]);
        let sid = |n: usize| queries[n].find("usync").unwrap().text("sid").unwrap();
        assert_ne!(sid(0), sid(1));
        let contact = asked(&queries[0])[0].find("contact").unwrap();
        assert_eq!(contact.payload(), Some(b"+490".as_slice()));
        assert!(lid_queries(&mut Seeded::new(1), &[]).is_empty());
    }

    #[test]
    fn a_number_is_found_by_its_echo_and_teaches_the_canonical_one() {
        let answer = answer(vec![
            Node::new("user")
                .jid("jid", Jid::pn("551187654321"))
                .child(
                    Node::new("contact")
                        .attr("type", "in")
                        .bytes("+5511987654321"),
                )
                .child(Node::new("lid").jid("val", Jid::lid("77"))),
            Node::new("user").attr("jid", "undefined").child(
                Node::new("contact")
                    .attr("type", "invalid")
                    .bytes("+12@c.us"),
            ),
        ]);
        let user = answer.by_number("5511987654321").unwrap();
        assert!(user.contact.as_ref().unwrap().registered);
        assert_eq!(
            user.mapping(),
            Mapping::of(&Jid::pn("551187654321"), &Jid::lid("77"))
        );
        let invalid = answer.by_number("12").unwrap();
        assert_eq!((invalid.jid.as_ref(), invalid.mapping()), (None, None));
        assert!(!invalid.contact.as_ref().unwrap().registered);
        assert_eq!(answer.mappings().count(), 1);
    }

    #[test]
    fn a_lid_answer_with_its_phone_number_teaches_the_pair() {
        let answer = answer(vec![
            Node::new("user")
                .jid("jid", Jid::lid("77"))
                .jid("pn_jid", Jid::pn("49")),
        ]);
        assert_eq!(
            answer.users[0].mapping(),
            Mapping::of(&Jid::pn("49"), &Jid::lid("77"))
        );
    }

    #[test]
    fn lists_are_told_by_lid_where_it_is_known() {
        let list = || Node::new("devices").child(Node::new("device-list"));
        let answer = answer(vec![
            Node::new("user")
                .jid("jid", Jid::pn("49"))
                .children([list(), Node::new("lid").jid("val", Jid::lid("77"))]),
            Node::new("user").jid("jid", Jid::pn("50")).child(list()),
            Node::new("user").attr("jid", "undefined").child(list()),
            Node::new("user").jid("jid", Jid::pn("51")),
        ]);
        let names: Vec<PeerKey> = answer.lists().map(|(peer, _)| peer).collect();
        assert_eq!(names, [PeerKey::Lid("77".into()), PeerKey::Pn("50".into())]);
    }

    #[test]
    fn errors_are_kept_by_protocol_and_by_user() {
        let error = Node::new("error").attr("code", "429").attr("backoff", "60");
        let devices = Node::new("devices").child(error);
        let usync = Node::new("usync")
            .child(Node::new("result").children([devices.clone(), Node::new("lid")]))
            .child(
                Node::new("list").child(Node::new("user").jid("jid", Jid::lid("7")).child(devices)),
            );
        let answer = Answer::parse(&Node::new("iq").child(usync)).unwrap();
        let expected = ProtocolError {
            protocol: "devices".into(),
            code: Some(429),
            backoff: Some(60),
        };
        assert_eq!(answer.error("devices"), Some(&expected));
        assert_eq!(answer.error("lid"), None);
        assert_eq!(answer.users[0].errors, [expected]);
        assert_eq!(answer.users[0].devices, None);
    }

    #[test]
    fn an_iq_about_something_else_is_no_answer() {
        assert_eq!(Answer::parse(&Node::new("iq")), None);
        let mut empty = Node::new("iq").child(Node::new("usync"));
        assert_eq!(Answer::parse(&empty), Some(Answer::default()));
        empty.content = Content::Bytes(vec![1]);
        assert_eq!(Answer::parse(&empty), None);
    }

    proptest::proptest! {
        #[test]
        fn no_node_panics(node in crate::testkit::any_node()) {
            let wrapped = Node::new("iq").child(Node::new("usync").child(node.clone()));
            let list = Node::new("list").child(node);
            let listed = Node::new("iq").child(Node::new("usync").child(list));
            for iq in [wrapped, listed] {
                if let Some(answer) = Answer::parse(&iq) {
                    answer.mappings().count();
                }
            }
        }
    }
}
