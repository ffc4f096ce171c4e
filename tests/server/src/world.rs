//! The whole state of the server behind one lock, and the dispatch of what clients send.

use std::collections::BTreeMap;

use sendpath_protocol::jid::Jid;
use sendpath_protocol::time::{Mono, Now, UnixMillis, UnixSeconds};
use sendpath_protocol::wap::Node;

use crate::abprops::Props;
use crate::cert::{Authority, CertFault};
use crate::config::Config;
use crate::connection::{Connection, ConnectionId, Out, Phase};
use crate::faults::Faults;
use crate::groups::Group;
use crate::journal::Journal;
use crate::media::Media;
use crate::people::{Client, ClientId, Person, PersonId};
use crate::phone_media::Kept;
use crate::rng::SeededRng;
use crate::time::TimeSource;

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: TimeSource,
    pub(crate) rng: SeededRng,
    pub(crate) authority: Authority,
    pub(crate) cert_fault: CertFault,
    pub(crate) people: Vec<Person>,
    pub(crate) groups: Vec<Group>,
    pub(crate) connections: BTreeMap<ConnectionId, Connection>,
    pub(crate) props: Props,
    pub(crate) faults: BTreeMap<ClientId, Faults>,
    pub(crate) login_faults: Vec<crate::login::Failure>,
    /// Answers to issues carry tokens that are nobody's.
    pub(crate) echo_tokens: bool,
    /// The server wants a passkey before it links a client.
    pub(crate) passkeys: Option<crate::passkey::Demand>,
    pub(crate) journal: Journal,
    pub(crate) media: Media,
    /// Files of the phones, by message.
    pub(crate) kept: BTreeMap<String, Kept>,
    serial: u64,
}

impl World {
    pub(crate) fn new(config: &Config) -> Self {
        let mut rng = SeededRng::new(config.seed);
        Self {
            clock: config.time,
            authority: Authority::generate(&mut rng),
            rng,
            cert_fault: config.cert_fault,
            people: Vec::new(),
            groups: Vec::new(),
            connections: BTreeMap::new(),
            props: Props::new(config.props.clone()),
            faults: BTreeMap::new(),
            login_faults: Vec::new(),
            echo_tokens: false,
            passkeys: None,
            journal: Journal::default(),
            media: Media::default(),
            kept: BTreeMap::new(),
            serial: 0,
        }
    }

    pub(crate) fn now(&self) -> UnixSeconds {
        self.clock.now()
    }

    /// The instant for code of the protocol crate that model phones run.
    pub(crate) fn step_now(&self) -> Now {
        let seconds = self.now().0;
        Now::new(Mono(0), UnixMillis(seconds.saturating_mul(1000)))
    }

    /// A number that no stanza of this server had before.
    pub(crate) const fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// An id for a stanza of the server.
    pub(crate) fn stanza_id(&mut self) -> String {
        format!("{}", 1_000_000 + self.next_serial())
    }

    pub(crate) fn find(&self, jid: &Jid) -> Option<PersonId> {
        self.people.iter().position(|person| person.is(jid))
    }

    pub(crate) fn client(&self, id: ClientId) -> Option<&Client> {
        self.people.get(id.person)?.client(id.device)
    }

    pub(crate) fn client_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.people.get_mut(id.person)?.client_mut(id.device)
    }

    pub(crate) fn faults(&mut self, id: ClientId) -> &mut Faults {
        self.faults.entry(id).or_default()
    }

    /// Who is logged in on a connection.
    pub(crate) fn who(&self, connection: ConnectionId) -> Option<ClientId> {
        match self.connections.get(&connection)?.phase {
            Phase::Online(client) => Some(client),
            _ => None,
        }
    }

    /// Writes a stanza on a connection.
    pub(crate) fn write(&self, connection: ConnectionId, node: Node) {
        self.out(connection, Out::Stanza(node));
    }

    pub(crate) fn out(&self, connection: ConnectionId, out: Out) {
        if let Some(connection) = self.connections.get(&connection) {
            // The receiver is gone only when the connection is; its task then reports that.
            let _ = connection.out.send(out);
        }
    }

    /// Queues a stanza that the client must answer, and writes it if it is connected.
    pub(crate) fn post(&mut self, to: ClientId, node: Node) {
        let Some(client) = self.client_mut(to) else {
            return;
        };
        let connection = client.connection;
        if let (Some(node), Some(connection)) =
            (client.mailbox.post(node, connection.is_some()), connection)
        {
            self.write(connection, node);
        }
    }

    /// Posts to all clients of a person; `make` gets a fresh id each time.
    pub(crate) fn post_all(&mut self, person: PersonId, make: impl Fn(String) -> Node) {
        let devices: Vec<u16> = self.people[person]
            .clients
            .iter()
            .map(|c| c.device)
            .collect();
        for device in devices {
            let id = self.stanza_id();
            self.post(ClientId { person, device }, make(id));
        }
    }

    pub(crate) fn violation(
        &mut self,
        connection: ConnectionId,
        rule: &str,
        detail: impl Into<String>,
    ) {
        let account = self.account_of(connection);
        self.journal.violation(account, rule, detail);
    }

    pub(crate) fn account_of(&self, connection: ConnectionId) -> Option<String> {
        let client = self.who(connection)?;
        Some(self.people.get(client.person)?.pn.clone())
    }

    /// A decrypted frame: the stanza and its exact bytes.
    pub(crate) fn frame(&mut self, connection: ConnectionId, frame: &[u8]) {
        let Ok(node) = sendpath_protocol::wap::decode(frame) else {
            self.violation(
                connection,
                "undecodable_stanza",
                format!("{} bytes", frame.len()),
            );
            let fault = Node::new("stream:error").child(Node::new("xml-not-well-formed"));
            self.write(connection, fault);
            self.out(connection, Out::Close);
            return;
        };
        let account = self.account_of(connection);
        self.journal.hear(account, &node);
        match self.who(connection) {
            Some(client) => self.stanza(connection, client, &node, frame),
            None => self.pairing_stanza(connection, &node),
        }
    }

    fn stanza(&mut self, connection: ConnectionId, client: ClientId, node: &Node, frame: &[u8]) {
        match &*node.tag {
            "iq" => self.on_iq(connection, client, node),
            "message" => self.on_message(connection, client, node, frame),
            "receipt" => self.on_receipt(connection, client, node),
            "ack" => self.on_ack(connection, client, node),
            "ib" => self.on_ib(connection, client, node),
            "presence" => self.on_presence(connection, node),
            "chatstate" => self.on_chatstate(connection, node),
            "xmlstreamend" => {}
            other => self.journal.unexpected.push(format!("stanza {other}")),
        }
    }

    pub(crate) fn disconnected(&mut self, connection: ConnectionId) {
        let who = self.who(connection);
        self.connections.remove(&connection);
        if let Some(client) = who.and_then(|client| self.client_mut(client))
            && client.connection == Some(connection)
        {
            client.connection = None;
        }
    }
}
