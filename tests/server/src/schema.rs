//! The protobuf messages that the server reads and writes, declared a second time.
//!
//! Source: spec 16. They are deliberately not those of the protocol crate: a wrong field number in
//! either place then shows as a failing test instead of cancelling out.

use prost::Message;

use crate::syncd::schema::{KeyRequest, KeyShare};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HandshakeMessage {
    #[prost(message, optional, tag = "2")]
    pub(crate) client_hello: Option<ClientHello>,
    #[prost(message, optional, tag = "3")]
    pub(crate) server_hello: Option<ServerHello>,
    #[prost(message, optional, tag = "4")]
    pub(crate) client_finish: Option<ClientFinish>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClientHello {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) ephemeral: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) r#static: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) payload: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ServerHello {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) ephemeral: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) r#static: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) payload: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClientFinish {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) r#static: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) payload: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CertChain {
    #[prost(message, optional, tag = "1")]
    pub(crate) leaf: Option<NoiseCertificate>,
    #[prost(message, optional, tag = "2")]
    pub(crate) intermediate: Option<NoiseCertificate>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NoiseCertificate {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) details: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) signature: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CertificateDetails {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) serial: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) issuer_serial: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) key: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) not_before: Option<u64>,
    #[prost(uint64, optional, tag = "5")]
    pub(crate) not_after: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClientPayload {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) username: Option<u64>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) passive: Option<bool>,
    #[prost(message, optional, tag = "5")]
    pub(crate) user_agent: Option<UserAgent>,
    #[prost(uint32, optional, tag = "18")]
    pub(crate) device: Option<u32>,
    #[prost(message, optional, tag = "19")]
    pub(crate) device_pairing_data: Option<DevicePairingData>,
    #[prost(int32, optional, tag = "24")]
    pub(crate) login_counter: Option<i32>,
    #[prost(bool, optional, tag = "33")]
    pub(crate) pull: Option<bool>,
    #[prost(bool, optional, tag = "41")]
    pub(crate) lid_db_migrated: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct UserAgent {
    #[prost(int32, optional, tag = "1")]
    pub(crate) platform: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) app_version: Option<AppVersion>,
    #[prost(string, optional, tag = "9")]
    pub(crate) phone_id: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AppVersion {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) primary: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) secondary: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    pub(crate) tertiary: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DevicePairingData {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) registration_id: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) key_type: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) identity: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) signed_prekey_id: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(crate) signed_prekey: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "6")]
    pub(crate) signed_prekey_signature: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "7")]
    pub(crate) build_hash: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "8")]
    pub(crate) device_props: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SignedDeviceIdentityHmac {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) details: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) hmac: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SignedDeviceIdentity {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) details: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) account_signature_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) account_signature: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) device_signature: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DeviceIdentity {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) raw_id: Option<u32>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) timestamp: Option<u64>,
    #[prost(uint32, optional, tag = "3")]
    pub(crate) key_index: Option<u32>,
    #[prost(int32, optional, tag = "4")]
    pub(crate) account_type: Option<i32>,
    #[prost(int32, optional, tag = "5")]
    pub(crate) device_type: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SignedKeyIndexList {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) details: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) account_signature: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) account_signature_key: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct KeyIndexList {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) raw_id: Option<u32>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) timestamp: Option<u64>,
    #[prost(uint32, optional, tag = "3")]
    pub(crate) current_index: Option<u32>,
    #[prost(uint32, repeated, tag = "4")]
    pub(crate) valid_indexes: Vec<u32>,
    #[prost(int32, optional, tag = "5")]
    pub(crate) account_type: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClientPairingProps {
    #[prost(bool, optional, tag = "1")]
    pub(crate) is_chat_db_lid_migrated: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SignalMessage {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) ratchet_key: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) counter: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PreKeySignalMessage {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) prekey_id: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) identity: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) message: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "5")]
    pub(crate) registration_id: Option<u32>,
}

/// The parts of a chat message that the model phones look at.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ChatMessage {
    #[prost(string, optional, tag = "1")]
    pub(crate) conversation: Option<String>,
    #[prost(message, optional, tag = "2")]
    pub(crate) key: Option<KeyOfGroup>,
    #[prost(message, optional, tag = "3")]
    pub(crate) picture: Option<Picture>,
    #[prost(message, optional, tag = "6")]
    pub(crate) extended_text: Option<ExtendedText>,
    #[prost(message, optional, tag = "12")]
    pub(crate) protocol: Option<ProtocolMessage>,
    #[prost(message, optional, boxed, tag = "31")]
    pub(crate) device_sent: Option<Box<DeviceSent>>,
}

impl ChatMessage {
    /// The text, whichever way it is carried.
    pub(crate) fn text(&self) -> Option<&str> {
        let extended = self
            .extended_text
            .as_ref()
            .and_then(|text| text.text.as_deref());
        self.conversation.as_deref().or(extended)
    }
}

/// A picture, as far as it takes to find it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Picture {
    #[prost(string, optional, tag = "2")]
    pub(crate) mimetype: Option<String>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) file_sha256: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "5")]
    pub(crate) file_length: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "8")]
    pub(crate) media_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "9")]
    pub(crate) file_enc_sha256: Option<Vec<u8>>,
    #[prost(string, optional, tag = "11")]
    pub(crate) direct_path: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct KeyOfGroup {
    #[prost(string, optional, tag = "1")]
    pub(crate) group: Option<String>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) key: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ExtendedText {
    #[prost(string, optional, tag = "1")]
    pub(crate) text: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ProtocolMessage {
    #[prost(int32, optional, tag = "2")]
    pub(crate) kind: Option<i32>,
    #[prost(message, optional, tag = "6")]
    pub(crate) history: Option<HistoryNotice>,
    #[prost(message, optional, tag = "7")]
    pub(crate) key_share: Option<KeyShare>,
    #[prost(message, optional, tag = "8")]
    pub(crate) key_request: Option<KeyRequest>,
    #[prost(message, optional, tag = "16")]
    pub(crate) phone_request: Option<PhoneRequest>,
    #[prost(message, optional, tag = "17")]
    pub(crate) phone_response: Option<PhoneResponse>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PhoneRequest {
    #[prost(int32, optional, tag = "1")]
    pub(crate) kind: Option<i32>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) resends: Vec<ResendRequest>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ResendRequest {
    #[prost(message, optional, tag = "1")]
    pub(crate) key: Option<Key>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Key {
    #[prost(string, optional, tag = "1")]
    pub(crate) chat: Option<String>,
    #[prost(bool, optional, tag = "2")]
    pub(crate) from_me: Option<bool>,
    #[prost(string, optional, tag = "3")]
    pub(crate) id: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) participant: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PhoneResponse {
    #[prost(int32, optional, tag = "1")]
    pub(crate) kind: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(crate) stanza: Option<String>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) results: Vec<PhoneResult>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PhoneResult {
    #[prost(message, optional, tag = "4")]
    pub(crate) resent: Option<Resent>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Resent {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) info: Option<Vec<u8>>,
}

/// `WebMessageInfo`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MessageInfo {
    #[prost(message, optional, tag = "1")]
    pub(crate) key: Option<Key>,
    #[prost(message, optional, tag = "2")]
    pub(crate) message: Option<ChatMessage>,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) t: Option<u64>,
    #[prost(string, optional, tag = "19")]
    pub(crate) push_name: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoryNotice {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) file_sha256: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) file_length: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) media_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) file_enc_sha256: Option<Vec<u8>>,
    #[prost(string, optional, tag = "5")]
    pub(crate) direct_path: Option<String>,
    #[prost(int32, optional, tag = "6")]
    pub(crate) sync_type: Option<i32>,
    #[prost(uint32, optional, tag = "7")]
    pub(crate) chunk_order: Option<u32>,
    #[prost(uint32, optional, tag = "9")]
    pub(crate) progress: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "11")]
    pub(crate) inline: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ServerError {
    #[prost(string, optional, tag = "1")]
    pub(crate) stanza_id: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MediaRetry {
    #[prost(string, optional, tag = "1")]
    pub(crate) stanza_id: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) direct_path: Option<String>,
    #[prost(int32, optional, tag = "3")]
    pub(crate) result: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct History {
    #[prost(int32, optional, tag = "1")]
    pub(crate) sync_type: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) chats: Vec<HistoryChat>,
    #[prost(message, optional, tag = "8")]
    pub(crate) settings: Option<GlobalSettings>,
    #[prost(message, repeated, tag = "15")]
    pub(crate) pairs: Vec<NumberAndLid>,
    #[prost(bytes = "vec", optional, tag = "19")]
    pub(crate) salt: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct GlobalSettings {
    #[prost(int64, optional, tag = "20")]
    pub(crate) lid_migration: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoryChat {
    #[prost(string, optional, tag = "1")]
    pub(crate) id: Option<String>,
    #[prost(bytes = "vec", optional, tag = "21")]
    pub(crate) token: Option<Vec<u8>>,
    #[prost(int64, optional, tag = "22")]
    pub(crate) t: Option<i64>,
    #[prost(int64, optional, tag = "28")]
    pub(crate) sender_t: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NumberAndLid {
    #[prost(string, optional, tag = "1")]
    pub(crate) pn: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) lid: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DeviceSent {
    #[prost(string, optional, tag = "1")]
    pub(crate) destination: Option<String>,
    #[prost(message, optional, boxed, tag = "2")]
    pub(crate) message: Option<Box<ChatMessage>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CompanionEphemeralIdentity {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) public_key: Option<Vec<u8>>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) device_type: Option<i32>,
    #[prost(string, optional, tag = "3")]
    pub(crate) reference: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CompanionCommitment {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) hash: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ProloguePayload {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) companion_ephemeral_identity: Option<Vec<u8>>,
    #[prost(message, optional, tag = "2")]
    pub(crate) commitment: Option<CompanionCommitment>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PrimaryEphemeralIdentity {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) public_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) nonce: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PairingRequest {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) companion_public_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) companion_identity_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) adv_secret: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct EncryptedPairingRequest {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) encrypted_payload: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) iv: Option<Vec<u8>>,
}
