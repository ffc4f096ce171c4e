//! The protobuf messages we read or write, by the schema's names, with the fields we need.
//!
//! Every field is optional on the wire, so absent is `None`. Fields that are not listed are skipped
//! when decoding; a part that has to survive unchanged is `raw`: its encoded bytes. Source of all
//! numbers: the web client's schema (spec section 16), which `tests/pb_subset.rs` checks against
//! [`schema`]. `Debug` prints a type and a length only.

#[macro_use]
mod define;

mod adv;
mod appstate;
mod content;
mod handshake;
mod history;
mod media;
mod message;
mod passkey;
mod payload;
mod phone;
mod signal;

pub use adv::{
    AdvDeviceIdentity, AdvEncryptionType, AdvKeyIndexList, AdvSignedDeviceIdentity,
    AdvSignedDeviceIdentityHmac, AdvSignedKeyIndexList, ClientPairingProps,
};
pub use appstate::{
    AppStateSyncKey, AppStateSyncKeyData, AppStateSyncKeyFingerprint, AppStateSyncKeyId,
    AppStateSyncKeyRequest, AppStateSyncKeyShare, ExternalBlobReference, NctSaltSyncAction,
    PushNameSetting, SyncActionData, SyncActionValue, SyncdIndex, SyncdKeyId, SyncdMutation,
    SyncdMutations, SyncdOperation, SyncdPatch, SyncdRecord, SyncdSnapshot, SyncdValue,
    SyncdVersion,
};
pub use content::{
    AudioMessage, Composed, ContactMessage, ContactsArrayMessage, Correction, DocumentMessage,
    EncEventResponseMessage, EventMessage, EventResponseMessage, EventResponseType, ImageMessage,
    KeepInChatMessage, KeepType, LocationMessage, PinInChatMessage, PinType, PollCreationMessage,
    PollEncValue, PollOption, PollUpdateMessage, PollVoteMessage, StickerMessage, VideoMessage,
    Wrapped,
};
pub use handshake::{
    CertChain, CertificateDetails, ClientFinish, ClientHello, HandshakeMessage, NoiseCertificate,
    ServerHello,
};
pub use history::{
    Conversation, GlobalSettings, HistorySync, HistorySyncNotification,
    HistorySyncNotificationType, LidMigrationMapping, LidMigrationMappingSyncMessage,
    LidMigrationMappingSyncPayload, PhoneNumberToLidMapping,
};
pub use media::{MediaRetryNotification, MediaRetryResult, ServerErrorReceipt};
pub use message::{
    ContextInfo, DeviceCopy, DeviceListMetadata, DeviceSentMessage, ExtendedTextMessage,
    FutureProofMessage, Message, MessageContextInfo, MessageKey, ProtocolMessage,
    ProtocolMessageType, ReactionMessage, SenderKeyDistributionMessage,
};
pub use passkey::{
    CompanionCommitment, CompanionEphemeralIdentity, EncryptedPairingRequest, PairingRequest,
    PrimaryEphemeralIdentity, ProloguePayload,
};
pub use payload::{
    AppVersion, ClientAccountType, ClientPayload, ConnectReason, ConnectType,
    DevicePairingRegistrationData, DeviceProps, DevicePropsVersion, HistorySyncConfig,
    PlatformType, Product, ReleaseChannel, UserAgent, UserAgentDeviceType, UserAgentPlatform,
    WebInfo, WebSubPlatform,
};
pub use phone::{
    PeerDataOperationRequestMessage, PeerDataOperationRequestResponseMessage,
    PeerDataOperationRequestType, PeerDataOperationResult, PlaceholderMessageResendRequest,
    PlaceholderMessageResendResponse, WebMessageInfo,
};
pub use signal::{PreKeySignalMessage, SenderKeyDistribution, SenderKeyMessage, SignalMessage};

/// One field of a message as it is declared here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Field {
    /// Its number on the wire.
    pub number: u32,
    /// Its name in snake case.
    pub name: &'static str,
    /// `optional`, `repeated`, or `packed` for a repeated number that is written packed.
    pub label: &'static str,
    /// A scalar, `raw` for the encoded bytes of a message, or the schema path of a message or enum.
    pub kind: &'static str,
}

/// A message or enum of the schema that we have a type for.
pub trait Described {
    /// Its path in the schema, such as `CertChain.NoiseCertificate`.
    const PATH: &'static str;
}

/// Everything declared: messages with their fields, and enums with their values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Declared {
    /// A message.
    Message(&'static str, &'static [Field]),
    /// An enum: names and numbers.
    Codes(&'static str, &'static [(&'static str, i32)]),
}

/// All declarations of this module.
pub fn schema() -> impl Iterator<Item = &'static Declared> {
    [
        adv::DECLARED,
        appstate::DECLARED,
        content::DECLARED,
        handshake::DECLARED,
        history::DECLARED,
        media::DECLARED,
        message::DECLARED,
        passkey::DECLARED,
        payload::DECLARED,
        phone::DECLARED,
        signal::DECLARED,
    ]
    .into_iter()
    .flatten()
}
