//! A plain client for the tests of the server: it speaks the protocol with the parts of the
//! protocol crate, one step at a time, and does nothing by itself.

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use prost::Message as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sendpath_model_server::{Command, Config, ModelServer, Reply, TimeSource};
use sendpath_protocol::config::DeviceConfig;
use sendpath_protocol::crypto::symmetric::hmac_sha256;
use sendpath_protocol::device::{DeviceRecord, Link as Linked, Paired};
use sendpath_protocol::error::Fault;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::login;
use sendpath_protocol::noise::{Link, LinkConfig, LinkError, LinkOutput};
use sendpath_protocol::pb::{AdvSignedDeviceIdentity, AdvSignedDeviceIdentityHmac};
use sendpath_protocol::peer::DeviceAddress;
use sendpath_protocol::prekeys::{fetch, upload};
use sendpath_protocol::secret::Entropy;
use sendpath_protocol::signal::{self, Ciphertext, EncType, OwnIdentity, padding};
use sendpath_protocol::time::{Mono, Now, UnixMillis};
use sendpath_protocol::txn::{Cx, Fence, MemoryStore, Scope, Store, step};
use sendpath_protocol::wap::{self, Node};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

/// The second at which the tests take place.
pub(crate) const NOW: i64 = 1_790_000_000;
const TIMEOUT: Duration = Duration::from_secs(20);

/// A server whose time stands still.
pub(crate) fn server() -> ModelServer {
    ModelServer::start(Config {
        time: TimeSource::Fixed(NOW),
        ..Config::default()
    })
    .unwrap()
}

/// Obeys a JSON command that must not fail.
pub(crate) fn order(server: &ModelServer, json: &str) -> Reply {
    let reply = server.control(serde_json::from_str(json).unwrap());
    assert!(!matches!(reply, Reply::Error { .. }), "{json}: {reply:?}");
    reply
}

/// The rules that clients broke so far.
pub(crate) fn violations(server: &ModelServer) -> Vec<String> {
    match server.control(Command::Violations) {
        Reply::Violations { violations } => violations.into_iter().map(|v| v.rule).collect(),
        other => panic!("{other:?}"),
    }
}

struct Seeded(ChaCha8Rng);

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

/// One device of a client.
pub(crate) struct Client {
    runtime: Runtime,
    connection: Option<(WebSocketStream<TcpStream>, Link)>,
    inbox: VecDeque<Node>,
    store: MemoryStore,
    fence: Fence,
    slot: Scope,
    rng: Seeded,
    pub(crate) device: DeviceRecord,
    ids: u64,
}

impl Client {
    /// A device that was never linked.
    pub(crate) fn new(seed: u64) -> Self {
        let slot = Scope::slot("client");
        let mut store = MemoryStore::default();
        let fence = store.acquire(&slot).unwrap();
        let mut rng = Seeded(ChaCha8Rng::seed_from_u64(seed));
        let mut device = None;
        let made = step(now(), &mut rng, &store, |cx| {
            device = Some(DeviceRecord::load_or_create(cx, &slot)?);
            Ok(())
        });
        made.unwrap().commit(&mut store, &fence).unwrap();
        Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            connection: None,
            inbox: VecDeque::new(),
            store,
            fence,
            slot,
            rng,
            device: device.unwrap(),
            ids: 0,
        }
    }

    /// A device that is linked, logged in and has prekeys at the server.
    pub(crate) fn linked(server: &ModelServer, seed: u64) -> Self {
        Self::linked_as(server, seed, "15550100001", "900100001")
    }

    /// As [`Client::linked`], to that account.
    pub(crate) fn linked_as(server: &ModelServer, seed: u64, pn: &str, lid: &str) -> Self {
        let mut client = Self::new(seed);
        client.register(server).unwrap();
        client.pair(server, pn, lid);
        client.login(server);
        client.upload();
        client
    }

    /// All rows as they are now.
    pub(crate) fn save(&self) -> MemoryStore {
        self.store.clone()
    }

    /// Goes back to saved rows, as a client that lost its last writes.
    pub(crate) fn restore(&mut self, rows: &MemoryStore) {
        self.store = rows.clone();
    }

    pub(crate) fn step<T>(&mut self, body: impl FnOnce(&mut Cx<'_>) -> Result<T, Fault>) -> T {
        let mut result = None;
        let made = step(now(), &mut self.rng, &self.store, |cx| {
            result = Some(body(cx)?);
            Ok(())
        });
        made.unwrap().commit(&mut self.store, &self.fence).unwrap();
        result.unwrap()
    }

    /// Connects with a payload, up to the end of the handshake.
    pub(crate) fn connect(
        &mut self,
        server: &ModelServer,
        payload: Vec<u8>,
    ) -> Result<(), LinkError> {
        let config = LinkConfig {
            root_key: server.root_key(),
            clock_tolerance: 24 * 3600,
            static_key: self.device.noise.clone(),
            payload,
            routing: None,
        };
        let (mut link, first) = Link::new(config, &mut self.rng);
        let url = server.url();
        let mut request = url.clone().into_client_request().unwrap();
        let origin = "https://web.whatsapp.com".parse().unwrap();
        request.headers_mut().insert("Origin", origin);
        let address = url.trim_start_matches("ws://").split('/').next().unwrap();
        let connected = self.runtime.block_on(async {
            let stream = TcpStream::connect(address).await.unwrap();
            let (mut socket, _) = client_async(request, stream).await.unwrap();
            socket.send(Message::Binary(first.into())).await.unwrap();
            while !link.is_established() {
                let bytes = socket.next().await.unwrap().unwrap().into_data();
                for output in link.receive(now().unix(), &bytes)? {
                    if let LinkOutput::Write(bytes) = output {
                        socket.send(Message::Binary(bytes.into())).await.unwrap();
                    }
                }
            }
            Ok::<_, LinkError>((socket, link))
        });
        self.inbox.clear();
        self.connection = Some(connected?);
        Ok(())
    }

    pub(crate) fn register(&mut self, server: &ModelServer) -> Result<(), LinkError> {
        let payload = login::registration_payload(&self.device, &DeviceConfig::default());
        self.connect(server, payload)
    }

    /// Shows a code, is scanned, signs, and is sent away with 515.
    pub(crate) fn pair(&mut self, server: &ModelServer, pn: &str, lid: &str) {
        let iq = self.expect("iq");
        let reference = iq.find("pair-device").unwrap().nodes()[0]
            .payload()
            .unwrap();
        let reference = String::from_utf8(reference.to_vec()).unwrap();
        self.answer(&iq, None);
        let parts = [
            self.device.noise.public.as_bytes(),
            self.device.identity.public.as_bytes(),
            self.device.adv_secret.expose(),
        ];
        let fields = parts.map(|key| STANDARD.encode(key)).join(",");
        let reply = server.control(Command::ScanQr {
            qr: format!("{reference},{fields},1"),
            pn: Some(pn.into()),
            lid: Some(lid.into()),
            lid_migrated: None,
        });
        assert!(matches!(reply, Reply::Linked { .. }), "{reply:?}");
        let iq = self.expect("iq");
        let success = iq.find("pair-success").unwrap();
        let container = success.find("device-identity").unwrap().payload().unwrap();
        let container = AdvSignedDeviceIdentityHmac::decode(container).unwrap();
        let details = container.details.unwrap();
        let mac = hmac_sha256(self.device.adv_secret.expose(), &[&details]);
        assert_eq!(container.hmac.unwrap(), mac);
        let mut signed = AdvSignedDeviceIdentity::decode(&*details).unwrap();
        let account = signed.account_signature_key.clone().unwrap();
        let identity = self.device.identity.clone();
        let inner = signed.details.clone().unwrap();
        let message = [&[6, 1], &*inner, identity.public.as_bytes(), &account].concat();
        let signature = identity.private.sign(&mut self.rng, &message);
        signed.device_signature = Some(signature.to_vec());
        let device = success.find("device").unwrap();
        let jid = device.address("jid").unwrap();
        let mut paired = Paired::new(jid, device.address("lid"), signed.encode_to_vec());
        paired.lid_migrated = Some(true);
        self.device.link = Linked::Paired(Box::new(paired));
        signed.account_signature_key = None;
        let sign = Node::new("device-identity")
            .num("key-index", 1)
            .bytes(signed.encode_to_vec());
        self.answer(&iq, Some(Node::new("pair-device-sign").child(sign)));
        assert!(self.expect("stream:error").is("code", "515"));
        assert_eq!(self.next(), None);
    }

    /// Connects as the linked device.
    pub(crate) fn open(&mut self, server: &ModelServer) {
        let paired = self.device.paired().unwrap();
        let payload = login::login_payload(paired, &DeviceConfig::default(), 0).unwrap();
        self.connect(server, payload).unwrap();
    }

    /// Connects and is let in; the offline queue is not read yet.
    pub(crate) fn login(&mut self, server: &ModelServer) {
        self.open(server);
        let success = self.expect("success");
        assert_eq!(success.number("t"), Some(NOW));
    }

    fn upload(&mut self) {
        let (slot, mut device) = (self.slot.clone(), self.device.clone());
        let iq = self.step(|cx| upload::top_up(cx, &slot, &mut device, 0));
        self.device = device;
        assert!(self.ask(iq.unwrap()).is("type", "result"));
    }

    pub(crate) fn send(&mut self, node: &Node) {
        let (socket, link) = self.connection.as_mut().unwrap();
        let frame = link.seal(&wap::encode(node)).unwrap();
        let message = Message::Binary(frame.into());
        self.runtime.block_on(socket.send(message)).unwrap();
    }

    /// The next stanza; `None` when the server closed the connection.
    pub(crate) fn next(&mut self) -> Option<Node> {
        while self.inbox.is_empty() {
            let (socket, link) = self.connection.as_mut()?;
            let read = async { tokio::time::timeout(TIMEOUT, socket.next()).await };
            let message = self.runtime.block_on(read).expect("the server is silent");
            let bytes = match message {
                Some(Ok(Message::Binary(bytes))) => bytes,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                _ => {
                    self.connection = None;
                    return None;
                }
            };
            for output in link.receive(now().unix(), &bytes).unwrap() {
                if let LinkOutput::Stanza(frame) = output {
                    self.inbox.push_back(wap::decode(&frame).unwrap());
                }
            }
        }
        self.inbox.pop_front()
    }

    /// The next stanza with that tag; others on the way are dropped, `<ib>` above all.
    pub(crate) fn expect(&mut self, tag: &str) -> Node {
        loop {
            let node = self
                .next()
                .unwrap_or_else(|| panic!("closed instead of <{tag}>"));
            if node.tag == tag {
                return node;
            }
        }
    }

    /// Sends an IQ under a fresh id and reads its answer.
    pub(crate) fn ask(&mut self, iq: Node) -> Node {
        self.ids += 1;
        let id = format!("c{}", self.ids);
        self.send(&iq.attr("id", id.clone()));
        loop {
            let answer = self.expect("iq");
            if answer.is("id", &id) {
                return answer;
            }
        }
    }

    fn answer(&mut self, iq: &Node, child: Option<Node>) {
        let id = iq.text("id").unwrap().into_owned();
        let answer = Node::new("iq")
            .jid("to", Jid::whatsapp())
            .attr("type", "result")
            .attr("id", id);
        let answer = match child {
            Some(child) => answer.child(child),
            None => answer,
        };
        self.send(&answer);
    }

    /// Acknowledges a stanza.
    pub(crate) fn acknowledge(&mut self, node: &Node) {
        let ack = Node::new("ack")
            .attr("class", node.tag.clone())
            .attr("id", node.text("id").unwrap().into_owned())
            .jid("to", node.address("from").unwrap())
            .maybe("type", node.text("type").map(|kind| kind.into_owned()));
        self.send(&ack);
    }

    /// Borrows the randomness, for builders of the protocol crate.
    pub(crate) fn with_rng<T>(&mut self, body: impl FnOnce(&mut dyn Entropy) -> T) -> T {
        body(&mut self.rng)
    }

    /// `<keys>` for a retry receipt.
    pub(crate) fn retry_keys(&mut self) -> Node {
        let (slot, mut device) = (self.slot.clone(), self.device.clone());
        let keys = self.step(|cx| upload::retry_keys(cx, &slot, &mut device));
        self.device = device;
        keys
    }

    /// Replaces the session with a device.
    pub(crate) fn start_session(&mut self, with: &Jid, keys: fetch::Fetched) {
        let (slot, ours) = (self.slot.clone(), self.ours());
        let address = DeviceAddress::of(with).unwrap();
        let made = self.step(|cx| fetch::accept(cx, &slot, &ours, &address, Ok(keys)));
        made.unwrap();
    }

    fn ours(&self) -> OwnIdentity {
        OwnIdentity {
            identity: self.device.identity.clone(),
            registration_id: self.device.registration_id,
        }
    }

    /// Encrypts for a device whose session is made from a bundle if there is none.
    pub(crate) fn seal(&mut self, to: &Jid, message: &[u8]) -> Ciphertext {
        let (slot, ours) = (self.slot.clone(), self.ours());
        let address = DeviceAddress::of(to).unwrap();
        let known = self.step(|cx| Ok(signal::has_session(&cx.txn, &slot, &address)?));
        if !known {
            let query = fetch::queries(std::slice::from_ref(to)).remove(0);
            let answer = self.ask(query);
            let (_, fetched) = fetch::parse(&answer).remove(0);
            let made = self.step(|cx| fetch::accept(cx, &slot, &ours, &address, fetched));
            made.unwrap();
        }
        let padded = padding::pad(&mut self.rng, message.to_vec());
        let sealed = self.step(|cx| signal::encrypt(cx, &slot, &ours, &address, &padded));
        sealed.unwrap()
    }

    /// Decrypts an incoming message for us.
    pub(crate) fn unseal(&mut self, message: &Node) -> Vec<u8> {
        let (slot, ours) = (self.slot.clone(), self.ours());
        let from = DeviceAddress::of(&message.address("from").unwrap()).unwrap();
        let enc = message.find("enc").unwrap();
        let kind = EncType::parse(&enc.text("type").unwrap()).unwrap();
        let bytes = enc.payload().unwrap();
        let opened = self.step(|cx| signal::decrypt(cx, &slot, &ours, &from, kind, bytes));
        padding::unpad(opened.unwrap().plaintext).unwrap()
    }
}

fn now() -> Now {
    Now::new(Mono(0), UnixMillis(NOW * 1000))
}
