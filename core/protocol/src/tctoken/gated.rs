//! Tokens in stanzas other than messages.
//!
//! ```text
//! <presence type="subscribe" to><tctoken/></presence>
//! <iq xmlns="w:profile:picture" type="get" target><picture type query="url"><tctoken/></picture></iq>
//! <user jid><tctoken/></user>                            of a user query that asks for <status/>
//! <participant jid [phone_number]><privacy/></participant>     of a group's <create> and <add>
//! <call to><offer call-id call-creator><privacy/> ..</offer></call>       the first child, always
//! <iq xmlns="spam" type="set"><spam_list/><tctoken/></iq>
//! ```
//!
//! Contents are the raw bytes. Never a cstoken, never for ourselves, and nowhere else: the server
//! drops a `<reject>` with a token without a word (whatsmeow 1182), and never answers a picture
//! request for ourselves with one (spec: "everywhere else").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::abprops::Gates;
use crate::error::StoreError;
use crate::jid::Jid;
use crate::peer::{Names, PeerKey};
use crate::secret::SecretBytes;
use crate::tctoken::policy::Freshness;
use crate::tctoken::{Tokens, stanza, with_address};
use crate::time::UnixSeconds;
use crate::txn::{Key, Namespace, Txn};
use crate::wap::{Content, Node};

/// People whose rows are read at once.
const BLOCK: usize = 500;

/// A token that may go along now: of a contact, valid, and not about ourselves. Only a look-up of
/// [`Tokens`] makes one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContactToken(SecretBytes);

impl Tokens {
    /// The token for a stanza about or to `to`; `known` are its names by the LID map. `None` for
    /// everybody without a valid one, and if the store cannot be read.
    pub fn token_for(
        &mut self,
        txn: &Txn<'_>,
        to: &Jid,
        known: &Names,
        now: UnixSeconds,
    ) -> Option<ContactToken> {
        let names = self.contact(to, known)?;
        let Ok(view) = self.view(txn, &names) else {
            self.counters.failed_reads += 1;
            return None;
        };
        let theirs = view.theirs?;
        let valid = self.props.freshness(theirs.t, now) != Freshness::Expired;
        valid.then_some(ContactToken(theirs.bytes))
    }

    /// The tokens for a stanza about many, in their order: one read of the store for each block of
    /// 500. A block that cannot be read has none.
    pub fn tokens_for(
        &mut self,
        txn: &mut Txn<'_>,
        people: &[(Jid, Names)],
        now: UnixSeconds,
    ) -> Vec<Option<ContactToken>> {
        let mut found = Vec::with_capacity(people.len());
        for block in people.chunks(BLOCK) {
            if self.read_block(txn, block).is_err() {
                self.counters.failed_reads += 1;
                found.resize(found.len() + block.len(), None);
                continue;
            }
            let tokens = block
                .iter()
                .map(|(to, known)| self.token_for(txn, to, known, now));
            found.extend(tokens);
        }
        found
    }

    fn read_block(&self, txn: &mut Txn<'_>, block: &[(Jid, Names)]) -> Result<(), StoreError> {
        let names = block.iter().map(|(to, known)| with_address(to, known));
        let peers = names.flat_map(|names| [names.lid, names.pn]).flatten();
        let key = |peer: PeerKey| Key::new(&self.scope, Namespace::Token, peer.storage());
        txn.read_ahead(peers.map(key).collect())
    }
}

/// Asks to be told when the contact comes and goes.
pub fn presence_subscribe(to: &Jid, token: Option<&ContactToken>) -> Node {
    let presence = Node::new("presence")
        .attr("type", "subscribe")
        .jid("to", to.account());
    with(presence, token.map(tctoken))
}

/// Which picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Picture {
    /// In full.
    Image,
    /// The small one.
    Preview,
}

/// Asks for the address of a profile picture: an IQ without its id. `known` is the id of the
/// picture we have; the server then answers only if there is another.
pub fn picture_get(
    target: &Jid,
    picture: Picture,
    known: Option<&str>,
    token: Option<&ContactToken>,
    gates: &Gates,
) -> Node {
    let kind = match picture {
        Picture::Image => "image",
        Picture::Preview => "preview",
    };
    let picture = Node::new("picture")
        .attr("type", kind)
        .attr("query", "url")
        .maybe("id", known.map(str::to_owned));
    let picture = with(picture, token.filter(|_| gates.picture).map(tctoken));
    Node::new("iq")
        .attr("xmlns", "w:profile:picture")
        .attr("type", "get")
        .jid("to", Jid::whatsapp())
        .jid("target", target.account())
        .child(picture)
}

/// One entry in the list of a user query; `query` is its `<query>`.
pub fn usync_user(user: &Jid, query: &Node, token: Option<&ContactToken>, gates: &Gates) -> Node {
    let asks_status = query.find("status").is_some();
    let open = gates.about_usync && asks_status;
    let user = Node::new("user").jid("jid", user.account());
    with(user, token.filter(|_| open).map(tctoken))
}

/// The argument of the MEX request for an about text: base64, padded.
pub fn about_argument(token: Option<&ContactToken>, gates: &Gates) -> Option<String> {
    let token = token.filter(|_| gates.about)?;
    Some(STANDARD.encode(token.0.expose()))
}

/// What is done to a participant of a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GroupAction {
    /// `<add>`.
    Add,
    /// `<create>`.
    Create,
    /// `<remove>`, `<promote>`, `<demote>`.
    Other,
}

/// A participant; `phone_number` goes beside a LID.
pub fn participant(
    action: GroupAction,
    jid: &Jid,
    phone_number: Option<&Jid>,
    token: Option<&ContactToken>,
    gates: &Gates,
) -> Node {
    let open = match action {
        GroupAction::Add => gates.group_add,
        GroupAction::Create => gates.group_create,
        GroupAction::Other => false,
    };
    let participant = Node::new("participant")
        .jid("jid", jid.account())
        .maybe_jid("phone_number", phone_number.map(Jid::account));
    with(participant, token.filter(|_| open).map(privacy))
}

/// A call action to `to`. Only an `<offer>` takes the token, in front of everything else: the
/// server answers 439 to any other order.
pub fn call(to: &Jid, mut action: Node, token: Option<&ContactToken>) -> Node {
    if let Some(token) = token.filter(|_| action.tag == "offer") {
        let others = match core::mem::replace(&mut action.content, Content::None) {
            Content::Nodes(nodes) => nodes,
            Content::None | Content::Bytes(_) | Content::Text(_) => Vec::new(),
        };
        action = action.children([privacy(token)].into_iter().chain(others));
    }
    Node::new("call").jid("to", to.clone()).child(action)
}

/// Reports a contact: an IQ without its id. `list` is the `<spam_list>`.
pub fn spam_report(list: Node, token: Option<&ContactToken>, gates: &Gates) -> Node {
    let report = Node::new("iq")
        .attr("xmlns", "spam")
        .attr("type", "set")
        .jid("to", Jid::whatsapp())
        .child(list);
    with(report, token.filter(|_| gates.spam_report).map(tctoken))
}

fn with(node: Node, child: Option<Node>) -> Node {
    match child {
        Some(child) => node.child(child),
        None => node,
    }
}

fn tctoken(token: &ContactToken) -> Node {
    stanza::tctoken(&token.0)
}

fn privacy(token: &ContactToken) -> Node {
    Node::new("privacy").bytes(token.0.expose())
}
