//! Protobuf messages: the first byte chooses one; what decodes is written and read alike.

use prost::Message;
use sendpath_protocol::{content, pb};

use crate::bench::{Steady, split};

/// Decodes bytes, and panics when something does not hold.
type Reader = fn(&[u8]);

/// Every message that bytes of others are decoded as.
pub(crate) const READERS: &[(&str, Reader)] = &[
    ("ADVDeviceIdentity", round::<pb::AdvDeviceIdentity>),
    ("ADVKeyIndexList", round::<pb::AdvKeyIndexList>),
    (
        "ADVSignedDeviceIdentity",
        round::<pb::AdvSignedDeviceIdentity>,
    ),
    (
        "ADVSignedDeviceIdentityHMAC",
        round::<pb::AdvSignedDeviceIdentityHmac>,
    ),
    ("ADVSignedKeyIndexList", round::<pb::AdvSignedKeyIndexList>),
    ("ClientPairingProps", round::<pb::ClientPairingProps>),
    ("AppStateSyncKeyShare", round::<pb::AppStateSyncKeyShare>),
    ("ExternalBlobReference", round::<pb::ExternalBlobReference>),
    ("SyncActionData", round::<pb::SyncActionData>),
    ("SyncActionValue", round::<pb::SyncActionValue>),
    ("SyncdMutations", round::<pb::SyncdMutations>),
    ("SyncdPatch", round::<pb::SyncdPatch>),
    ("SyncdSnapshot", round::<pb::SyncdSnapshot>),
    ("CertChain", round::<pb::CertChain>),
    (
        "CertChain.NoiseCertificate.Details",
        round::<pb::CertificateDetails>,
    ),
    ("HandshakeMessage", round::<pb::HandshakeMessage>),
    ("Conversation", round::<pb::Conversation>),
    ("HistorySync", round::<pb::HistorySync>),
    (
        "HistorySyncNotification",
        round::<pb::HistorySyncNotification>,
    ),
    (
        "LIDMigrationMappingSyncPayload",
        round::<pb::LidMigrationMappingSyncPayload>,
    ),
    (
        "PhoneNumberToLIDMapping",
        round::<pb::PhoneNumberToLidMapping>,
    ),
    (
        "MediaRetryNotification",
        round::<pb::MediaRetryNotification>,
    ),
    ("Message", message),
    ("ProtocolMessage", round::<pb::ProtocolMessage>),
    (
        "SenderKeyDistributionMessage",
        round::<pb::SenderKeyDistributionMessage>,
    ),
    ("PreKeySignalMessage", round::<pb::PreKeySignalMessage>),
    ("SenderKeyDistribution", round::<pb::SenderKeyDistribution>),
    ("SenderKeyMessage", round::<pb::SenderKeyMessage>),
    ("SignalMessage", round::<pb::SignalMessage>),
];

pub(crate) fn run(data: &[u8]) {
    if let Some((kind, rest)) = split(data)
        && let Some((_, read)) = READERS.get(usize::from(kind))
    {
        read(rest);
    }
}

/// By bytes: a number that is none does not equal itself.
fn round<M: Message + Default + core::fmt::Debug>(data: &[u8]) {
    if let Ok(message) = M::decode(data) {
        let written = message.encode_to_vec();
        let again = M::decode(&*written).expect("what we write we can read");
        assert!(
            again.encode_to_vec() == written,
            "it is written differently"
        );
        let _ = format!("{message:?}");
    }
}

/// Hosts give us the bytes of messages too, and what they say is found without decoding.
fn message(data: &[u8]) {
    round::<pb::Message>(data);
    let shape = content::shape(data);
    let secret = content::message_secret(data);
    let prepared = content::reporting::prepare(data.to_vec(), &mut Steady::new(1));
    if let Ok(shape) = shape {
        let _ = shape.meta_node();
        let again = content::shape(&prepared);
        assert!(again.as_ref() == Ok(&shape), "a secret changes what it is");
    }
    if secret.is_some() {
        assert!(
            content::message_secret(&prepared) == secret,
            "another secret"
        );
    }
}
