//! What the rows work on: seeded randomness, a store, contacts with their keys, and a linked
//! session that is online and knows everybody.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sendpath_protocol::crypto::curve::KeyPair;
use sendpath_protocol::device::{DeviceRecord, Link, Paired};
use sendpath_protocol::devices::{Device, DeviceList};
use sendpath_protocol::effect::OpId;
use sendpath_protocol::error::Fault;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::lidmap::{self, Mapping};
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::peer::{DeviceAddress, PeerKey};
use sendpath_protocol::secret::{Entropy, SecretBytes};
use sendpath_protocol::session::{
    Command, Content, Input, Phase, SendRequest, Session, SessionConfig,
};
use sendpath_protocol::signal::keys::{PreKeyRecord, SignedPreKeyRecord};
use sendpath_protocol::signal::{
    self, Bundle, Ciphertext, OneTimePreKey, OwnIdentity, SignedPreKey,
};
use sendpath_protocol::tctoken::record::{Issued, Source, Theirs, TokenRecord};
use sendpath_protocol::time::{Mono, Now, UnixMillis};
use sendpath_protocol::txn::{self, Cx, Fence, Scope, Step, Store};
use sendpath_protocol::verdict::MessageId;
use sendpath_protocol::wap::{self, Node};

pub(crate) const NOW: Now = Now::new(Mono(1_000), UnixMillis(1_790_000_000_000));
pub(crate) const TEXT: &str = "The parcel arrives tomorrow between nine and eleven.";
/// As long as [`TEXT`] is as a padded `Message`.
pub(crate) const PADDED_TEXT: [u8; 64] = [7; 64];

/// Randomness that a seed repeats.
pub(crate) struct Seeded(ChaCha8Rng);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }
}

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

/// Runs `body` as one step; its changes wait for the commit.
pub(crate) fn step<T>(
    store: &dyn Store,
    rng: &mut Seeded,
    body: impl FnOnce(&mut Cx<'_>) -> Result<T, Fault>,
) -> (T, Step) {
    let mut answer = None;
    let step = txn::step(NOW, rng, store, |cx| {
        answer = Some(body(cx)?);
        Ok(())
    });
    (answer.unwrap(), step.unwrap())
}

/// One device with its keys.
pub(crate) struct Party {
    pub(crate) slot: Scope,
    pub(crate) ours: OwnIdentity,
    pub(crate) address: DeviceAddress,
}

impl Party {
    /// The phone of the account `lid`, with a slot of its own.
    pub(crate) fn phone(rng: &mut Seeded, lid: &str) -> Self {
        Self {
            slot: Scope::slot(lid),
            ours: OwnIdentity {
                identity: KeyPair::generate(rng),
                registration_id: 1234,
            },
            address: DeviceAddress::of(&Jid::lid(lid)).unwrap(),
        }
    }

    /// Makes and stores prekeys, and publishes them.
    pub(crate) fn bundle(&self, cx: &mut Cx<'_>) -> Bundle {
        let Self { slot, ours, .. } = self;
        let signed = SignedPreKeyRecord::generate(cx.rng, &ours.identity, 1, NOW.unix());
        let one_time = PreKeyRecord {
            id: 1,
            pair: KeyPair::generate(cx.rng),
            uploaded: true,
        };
        signed.store(&mut cx.txn, slot);
        one_time.store(&mut cx.txn, slot);
        Bundle {
            registration_id: ours.registration_id,
            identity: ours.identity.public,
            signed_prekey: SignedPreKey {
                id: 1,
                key: signed.pair.public,
                signature: signed.signature,
            },
            one_time: Some(OneTimePreKey {
                id: 1,
                key: one_time.pair.public,
            }),
        }
    }

    pub(crate) fn encrypt(&self, cx: &mut Cx<'_>, to: &Self) -> Ciphertext {
        let encrypted = signal::encrypt(cx, &self.slot, &self.ours, &to.address, &PADDED_TEXT);
        encrypted.unwrap().unwrap()
    }

    pub(crate) fn decrypt(&self, cx: &mut Cx<'_>, from: &Self, sealed: &Ciphertext) {
        let Ciphertext { kind, bytes } = sealed;
        let Self { slot, ours, .. } = self;
        let opened = signal::decrypt(cx, slot, ours, &from.address, *kind, bytes);
        assert_eq!(opened.unwrap().unwrap().plaintext, PADDED_TEXT);
    }

    /// A session between the two that both have used.
    pub(crate) fn befriend(&self, cx: &mut Cx<'_>, other: &Self) {
        let bundle = other.bundle(cx);
        let started = signal::establish(cx, &self.slot, &self.ours, &other.address, &bundle);
        started.unwrap().unwrap();
        let first = self.encrypt(cx, other);
        other.decrypt(cx, self, &first);
        let reply = other.encrypt(cx, self);
        self.decrypt(cx, other, &reply);
    }
}

/// A token that may be attached, and an issue of ours that is not due again.
pub(crate) fn token() -> TokenRecord {
    TokenRecord {
        theirs: Some(Theirs {
            bytes: SecretBytes::new(vec![9; 200]),
            t: NOW.unix(),
            source: Source::Notification,
            seen: NOW.unix(),
            suspect: false,
        }),
        ours: Some(Issued { t: NOW.unix() }),
    }
}

/// A linked account that is online. It and its contact have one phone each, so a message goes to
/// two devices.
pub(crate) struct Linked {
    pub(crate) fence: Fence,
    session: Session,
    rng: Seeded,
    contact: Mapping,
    sent: u64,
}

impl Linked {
    /// `number` tells accounts in one store apart.
    pub(crate) fn new(store: &mut dyn Store, number: u64) -> Self {
        let mut rng = Seeded::new(number);
        let name = format!("account-{number}");
        let fence = store.acquire(&Scope::slot(&name)).unwrap();
        let opened = Session::open(&name, SessionConfig::default(), NOW, &mut rng, store);
        opened.unwrap().1.commit(store, &fence).unwrap();
        let pair = |pn: u64, lid: u64| {
            let (pn, lid) = ((pn + number).to_string(), (lid + number).to_string());
            Mapping::of(&Jid::pn(pn), &Jid::lid(lid)).unwrap()
        };
        let own = pair(4_915_550_000_000, 100_000_000_000_000);
        let contact = pair(4_915_770_000_000, 200_000_000_000_000);
        let linked = step(store, &mut rng, |cx| link(cx, &fence.scope, &own, &contact));
        linked.1.commit(store, &fence).unwrap();
        let opened = Session::open(&name, SessionConfig::default(), NOW, &mut rng, store);
        let mut linked = Self {
            session: opened.unwrap().0,
            fence,
            rng,
            contact,
            sent: 0,
        };
        let success = Node::new("success").num("t", NOW.unix());
        linked.handle(store, Input::Established);
        linked.handle(store, Input::Received(wap::encode(&success)));
        assert_eq!(linked.session.status().phase, Phase::Online);
        linked
    }

    /// The step of one message; commit it.
    pub(crate) fn send(&mut self, store: &dyn Store) -> Step {
        self.sent += 1;
        let request = SendRequest {
            to: self.contact.pn().jid(),
            content: Content::Text(TEXT.into()),
            recipient: RecipientHint::Ordinary,
            id: Some(self.id()),
            deadline: None,
            media_id: None,
        };
        let input = Input::Command(OpId(self.sent), Command::Send(request));
        let step = self.session.handle(NOW, &mut self.rng, store, input);
        step.unwrap()
    }

    /// The server takes the last message.
    pub(crate) fn accept(&mut self, store: &mut dyn Store) {
        assert_eq!(self.session.status().outbox, 1, "the message has left");
        let ack = Node::new("ack")
            .attr("class", "message")
            .attr("id", self.id().as_str().to_owned())
            .jid("from", self.contact.lid().jid())
            .num("t", NOW.unix());
        self.handle(store, Input::Received(wap::encode(&ack)));
        assert_eq!(self.session.status().outbox, 0, "the message is accepted");
    }

    fn id(&self) -> MessageId {
        MessageId::parse(&format!("3EB0{:018X}", self.sent)).unwrap()
    }

    fn handle(&mut self, store: &mut dyn Store, input: Input) {
        let step = self.session.handle(NOW, &mut self.rng, store, input);
        step.unwrap().commit(store, &self.fence).unwrap();
    }
}

/// Links the new device of `slot` to `own`, and stores all that a message to `contact` needs.
fn link(cx: &mut Cx<'_>, slot: &Scope, own: &Mapping, contact: &Mapping) -> Result<(), Fault> {
    let mut device = DeviceRecord::load_or_create(cx, slot)?;
    let ours = OwnIdentity {
        identity: device.identity.clone(),
        registration_id: device.registration_id,
    };
    let jid = |account: PeerKey| account.jid().with_device(12);
    let (pn, lid) = (jid(own.pn()), jid(own.lid()));
    let mut paired = Paired::new(pn, Some(lid.clone()), vec![1; 150]);
    paired.lid_migrated = Some(true);
    paired.server_has_prekeys = true;
    let account = paired.scope().unwrap();
    device.link = Link::Paired(Box::new(paired));
    device.save(cx, slot);
    let us = Party {
        slot: slot.clone(),
        ours,
        address: DeviceAddress::of(&lid).unwrap(),
    };
    let mut rng = Seeded::new(1);
    for account_of in [own, contact] {
        lidmap::learn(cx, &account, slot, account_of)?;
        let lid = account_of.lid();
        cx.txn.put(slot, lid.storage(), &phone_only());
        us.befriend(cx, &Party::phone(&mut rng, lid.user()));
    }
    cx.txn.put(&account, contact.lid().storage(), &token());
    Ok(())
}

fn phone_only() -> DeviceList {
    DeviceList {
        devices: vec![Device::phone()],
        hash: Some("2:bench".into()),
        raw_id: None,
        fetched: NOW.unix(),
    }
}
