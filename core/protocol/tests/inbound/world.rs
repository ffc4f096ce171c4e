//! A linked session that is online, the devices that write to it, and virtual time.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sendpath_protocol::device::{DeviceRecord, Link, Paired};
use sendpath_protocol::effect::{Effect, OpId};
use sendpath_protocol::event::{DisconnectReason, Event, IncomingMessage};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::lidmap;
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::peer::{DeviceAddress, PeerKey};
use sendpath_protocol::secret::Entropy;
use sendpath_protocol::session::{Command, Content, Input, SendRequest, Session, SessionConfig};
use sendpath_protocol::signal::senderkey::OwnSenderKey;
use sendpath_protocol::signal::{self, EncType, OwnIdentity, padding};
use sendpath_protocol::time::{Mono, Now, UnixMillis};
use sendpath_protocol::txn::{self, Cx, Fence, MemoryStore, Scope, Step, Store, Txn};
use sendpath_protocol::verdict::{MessageId, Outcome};
use sendpath_protocol::wap::{self, Node, Value};

pub(crate) const NOW: i64 = 1_786_074_400;

pub(crate) const OWN: &str = "15550100001:5@s.whatsapp.net";
pub(crate) const OWN_LID: &str = "900100001:5@lid";
pub(crate) const PHONE: &str = "15550100001@s.whatsapp.net";
pub(crate) const ALICE: &str = "100000000000001:3@lid";
pub(crate) const GROUP: &str = "120363001@g.us";
pub(crate) const STATUS: &str = "status@broadcast";

pub(crate) fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

#[derive(Clone)]
struct Seeded(ChaCha8Rng);

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

/// A stanza in one line: attributes in alphabetical order, children in braces, no bytes.
pub(crate) fn shown(node: &Node) -> String {
    let text = |value: &Value| match value {
        Value::Jid(jid) => jid.reveal(),
        Value::Text(text) => text.to_string(),
    };
    let attrs = node.attrs.iter();
    let mut attrs: Vec<_> = attrs.map(|(k, v)| format!(" {k}={}", text(v))).collect();
    attrs.sort_unstable();
    let children: String = match &node.content {
        wap::Content::Nodes(nodes) => nodes.iter().map(|n| format!(" {{{}}}", shown(n))).collect(),
        _ => String::new(),
    };
    format!("{}{}{children}", node.tag, attrs.concat())
}

/// A device with keys of its own.
pub(crate) struct Device {
    store: MemoryStore,
    slot: Scope,
    fence: Fence,
    record: DeviceRecord,
    jid: Jid,
    group_key: Option<OwnSenderKey>,
}

impl Device {
    fn run<T>(&mut self, rng: &mut Seeded, body: impl FnOnce(&mut Cx<'_>, &Scope) -> T) -> T {
        let (mut answer, slot) = (None, self.slot.clone());
        let step = txn::step(clock(NOW, 1), rng, &self.store, |cx| {
            answer = Some(body(cx, &slot));
            Ok(())
        });
        step.unwrap().commit(&mut self.store, &self.fence).unwrap();
        answer.unwrap()
    }

    fn identity(&self) -> OwnIdentity {
        OwnIdentity {
            identity: self.record.identity.clone(),
            registration_id: self.record.registration_id,
        }
    }
}

fn clock(seconds: i64, mono: u64) -> Now {
    Now::new(Mono(mono), UnixMillis(seconds * 1_000))
}

pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) session: Session,
    pub(crate) events: Vec<Event>,
    pub(crate) outcomes: Vec<Outcome>,
    sent: Vec<Node>,
    sends: u32,
    now: i64,
    mono: u64,
    fence: Fence,
    rng: Seeded,
}

impl World {
    /// Linked, online, with every question of the login still open.
    pub(crate) fn online() -> Self {
        let mut rng = Seeded(ChaCha8Rng::seed_from_u64(1));
        let mut store = MemoryStore::default();
        let slot = Scope::slot("inbound");
        let fence = store.acquire(&slot).unwrap();
        let step = txn::step(clock(NOW, 1_000_000), &mut rng, &store, |cx| {
            let mut device = DeviceRecord::load_or_create(cx, &slot)?;
            device.link = Link::Paired(Box::new(Paired {
                server_has_prekeys: true,
                lid_migrated: Some(true),
                ..Paired::new(jid(OWN), Some(jid(OWN_LID)), vec![1])
            }));
            device.save(cx, &slot);
            Ok(())
        });
        step.unwrap().commit(&mut store, &fence).unwrap();
        let (session, step) = open(&store, &mut rng, 1_000_000);
        step.commit(&mut store, &fence).unwrap();
        let mut world = Self {
            store,
            session,
            events: Vec::new(),
            outcomes: Vec::new(),
            sent: Vec::new(),
            sends: 0,
            now: NOW,
            mono: 1_000_000,
            fence,
            rng,
        };
        world.connect();
        world
    }

    pub(crate) fn connect(&mut self) {
        self.handle(Input::Established);
        self.tell(&Node::new("success").attr("t", self.now.to_string()));
        self.sent.clear();
        self.events.clear();
    }

    pub(crate) fn lose(&mut self) {
        self.handle(Input::Lost(DisconnectReason::Network("gone".into())));
    }

    /// The process ends and another one opens the same store.
    pub(crate) fn restart(&mut self) {
        let (session, step) = open(&self.store, &mut self.rng, self.mono);
        step.commit(&mut self.store, &self.fence).unwrap();
        self.session = session;
        self.connect();
    }

    pub(crate) fn handle(&mut self, input: Input) {
        let now = clock(self.now, self.mono);
        let step = self.session.handle(now, &mut self.rng, &self.store, input);
        let step = step.unwrap();
        for effect in step.commit(&mut self.store, &self.fence).unwrap() {
            match effect {
                Effect::Transmit(stanza) => self.sent.push(wap::decode(&stanza.0).unwrap()),
                Effect::Event(event) => self.events.push(event),
                Effect::Done(_, outcome) => self.outcomes.push(outcome),
                _ => {}
            }
        }
    }

    /// The server writes a stanza.
    pub(crate) fn tell(&mut self, node: &Node) {
        self.handle(Input::Received(wap::encode(node)));
    }

    /// The host sends something: the first time with the id `ID`, then `ID1` and so on.
    pub(crate) fn send(&mut self, to: &str, content: Content, media_id: Option<&str>) {
        let id = match self.sends {
            0 => "ID".to_owned(),
            n => format!("ID{n}"),
        };
        self.sends += 1;
        let request = SendRequest {
            to: jid(to),
            content,
            recipient: RecipientHint::Ordinary,
            id: MessageId::parse(&id),
            deadline: None,
            media_id: media_id.map(Into::into),
        };
        self.handle(Input::Command(OpId(1), Command::Send(request)));
    }

    /// Answers every question for device lists: each account has the one device that it has.
    pub(crate) fn list_devices(&mut self) {
        for iq in self.take_sent() {
            let listed = iq.find("usync").and_then(|usync| usync.find("list"));
            let (Some(listed), Some(id)) = (listed, iq.text("id")) else {
                self.sent.push(iq);
                continue;
            };
            let users = listed.all("user").filter_map(|user| user.address("jid"));
            let users = users.map(|jid| {
                let phone = Node::new("device-list").child(Node::new("device").attr("id", "0"));
                let devices = Node::new("devices").child(phone);
                Node::new("user").jid("jid", jid).child(devices)
            });
            let list = Node::new("list").children(users);
            let result = Node::new("iq")
                .attr("type", "result")
                .attr("id", id.into_owned());
            let usync = Node::new("usync").child(Node::new("result")).child(list);
            self.tell(&result.jid("from", Jid::whatsapp()).child(usync));
        }
        for iq in self.take_sent() {
            let keys = iq.find("key").filter(|_| iq.is("xmlns", "encrypt"));
            let (Some(_), Some(id)) = (keys, iq.text("id")) else {
                self.sent.push(iq);
                continue;
            };
            // Nobody else has keys.
            let result = Node::new("iq")
                .attr("type", "result")
                .attr("id", id.into_owned());
            self.tell(&result.jid("from", Jid::whatsapp()).child(Node::new("list")));
        }
    }

    /// What left since the last look, but for requests.
    pub(crate) fn answers(&mut self) -> Vec<String> {
        let sent = self.take_sent();
        let answers = sent.iter().filter(|node| node.tag != "iq");
        answers.map(shown).collect()
    }

    /// What left since the last look.
    pub(crate) fn take_sent(&mut self) -> Vec<Node> {
        std::mem::take(&mut self.sent)
    }

    /// Lets milliseconds pass, and the session do what is due then.
    pub(crate) fn pass(&mut self, millis: u64) {
        self.mono += millis;
        self.now += i64::try_from(millis / 1_000).unwrap();
        self.handle(Input::Tick);
    }

    /// Messages that the host got since the last look.
    pub(crate) fn messages(&mut self) -> Vec<IncomingMessage> {
        let events = std::mem::take(&mut self.events).into_iter();
        let message = |event| match event {
            Event::Message(message) => Some(*message),
            _ => None,
        };
        events.filter_map(message).collect()
    }

    /// A device that can write to us.
    pub(crate) fn device(&mut self, name: &str) -> Device {
        let mut store = MemoryStore::default();
        let slot = Scope::slot(name);
        let fence = store.acquire(&slot).unwrap();
        let mut record = None;
        let step = txn::step(clock(NOW, 1), &mut self.rng, &store, |cx| {
            record = Some(DeviceRecord::load_or_create(cx, &slot)?);
            Ok(())
        });
        step.unwrap().commit(&mut store, &fence).unwrap();
        let mut device = Device {
            store,
            slot,
            fence,
            record: record.unwrap(),
            jid: jid(name),
            group_key: None,
        };
        let own = self.own_record();
        let bundle = signal::Bundle {
            registration_id: own.registration_id,
            identity: own.identity.public,
            signed_prekey: signal::SignedPreKey {
                id: own.signed_prekey.id,
                key: own.signed_prekey.public,
                signature: own.signed_prekey.signature,
            },
            one_time: None,
        };
        let (ours, to) = (device.identity(), us());
        device
            .run(&mut self.rng, |cx, slot| {
                signal::establish(cx, slot, &ours, &to, &bundle)
            })
            .unwrap()
            .unwrap();
        device
    }

    /// A device writes to us, at once.
    pub(crate) fn writes(&mut self, from: &mut Device, id: &'static str) {
        let enc = self.seal(from, b"\x0a\x02hi");
        let stanza = self.stanza(from, id).child(enc);
        self.tell(&stanza);
    }

    pub(crate) fn has_session(&self, with: &str) -> bool {
        let (txn, address) = (Txn::reading(&self.store), DeviceAddress::of(&jid(with)));
        signal::has_session(&txn, &Scope::slot("inbound"), &address.unwrap()).unwrap()
    }

    /// The LID of a phone number, if it is known here.
    pub(crate) fn lid_of(&self, pn: &str) -> Option<String> {
        let scope = self.session.account_scope().unwrap();
        let names = lidmap::resolve(&Txn::reading(&self.store), scope, &PeerKey::Pn(pn.into()));
        names.unwrap().lid.map(|lid| lid.user().to_owned())
    }

    fn own_record(&self) -> DeviceRecord {
        let (txn, slot) = (Txn::reading(&self.store), Scope::slot("inbound"));
        DeviceRecord::load(&txn, &slot).unwrap().unwrap()
    }

    /// An `<enc>` with these bytes as the padded plaintext.
    pub(crate) fn seal_padded(&mut self, from: &mut Device, padded: &[u8]) -> Node {
        let (ours, to) = (from.identity(), us());
        let sealed = from.run(&mut self.rng, |cx, slot| {
            signal::encrypt(cx, slot, &ours, &to, padded).unwrap()
        });
        let sealed = sealed.unwrap();
        Node::new("enc")
            .attr("v", "2")
            .attr("type", sealed.kind.as_str())
            .bytes(sealed.bytes)
    }

    /// An `<enc>` of a `Message`.
    pub(crate) fn seal(&mut self, from: &mut Device, message: &[u8]) -> Node {
        let padded = padding::pad(&mut self.rng, message.to_vec());
        self.seal_padded(from, &padded)
    }

    /// An `<enc type="skmsg">` of a `Message`, and the key that opens it.
    pub(crate) fn seal_group(&mut self, from: &mut Device, message: &[u8]) -> (Node, Vec<u8>) {
        let mut key = match from.group_key.take() {
            Some(key) => key,
            None => OwnSenderKey::generate(&mut self.rng),
        };
        let told = key.distribution();
        let padded = padding::pad(&mut self.rng, message.to_vec());
        let bytes = key.encrypt(&mut self.rng, &padded).unwrap();
        from.group_key = Some(key);
        let enc = Node::new("enc").attr("v", "2").attr("type", "skmsg");
        (enc.bytes(bytes), told)
    }

    /// Reads what we wrote to a device.
    pub(crate) fn unseal(&mut self, to: &mut Device, enc: &Node) -> Vec<u8> {
        let kind = EncType::parse(&enc.text("type").unwrap()).unwrap();
        let (ours, from) = (to.identity(), us());
        let opened = to.run(&mut self.rng, |cx, slot| {
            signal::decrypt(cx, slot, &ours, &from, kind, enc.payload().unwrap()).unwrap()
        });
        padding::unpad(opened.unwrap().plaintext).unwrap()
    }

    /// The beginning of a message stanza from a device.
    pub(crate) fn stanza(&self, from: &Device, id: &'static str) -> Node {
        Node::new("message")
            .attr("id", id)
            .jid("from", from.jid.clone())
            .attr("type", "text")
            .attr("t", self.now.to_string())
    }
}

fn open(store: &MemoryStore, rng: &mut Seeded, mono: u64) -> (Session, Step) {
    let (now, config) = (clock(NOW, mono), SessionConfig::default());
    Session::open("inbound", config, now, rng, store).unwrap()
}

/// Where the sessions of others with us lie.
fn us() -> DeviceAddress {
    DeviceAddress::of(&jid(OWN_LID)).unwrap()
}
