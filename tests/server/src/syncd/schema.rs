//! The messages of app state. Source: spec 16.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Bytes {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) bytes: Option<Vec<u8>>,
}

impl Bytes {
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            bytes: Some(bytes.to_vec()),
        })
    }
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Version {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) number: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Row {
    #[prost(message, optional, tag = "1")]
    pub(crate) index: Option<Bytes>,
    #[prost(message, optional, tag = "2")]
    pub(crate) value: Option<Bytes>,
    #[prost(message, optional, tag = "3")]
    pub(crate) key: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Mutation {
    #[prost(int32, optional, tag = "1")]
    pub(crate) operation: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) row: Option<Row>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Patch {
    #[prost(message, optional, tag = "1")]
    pub(crate) version: Option<Version>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) mutations: Vec<Mutation>,
    #[prost(message, optional, tag = "3")]
    pub(crate) external: Option<FileReference>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) snapshot_mac: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(crate) patch_mac: Option<Vec<u8>>,
    #[prost(message, optional, tag = "6")]
    pub(crate) key: Option<Bytes>,
    #[prost(uint32, optional, tag = "8")]
    pub(crate) device_index: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Mutations {
    #[prost(message, repeated, tag = "1")]
    pub(crate) mutations: Vec<Mutation>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Snapshot {
    #[prost(message, optional, tag = "1")]
    pub(crate) version: Option<Version>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) rows: Vec<Row>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) mac: Option<Vec<u8>>,
    #[prost(message, optional, tag = "4")]
    pub(crate) key: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct FileReference {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) media_key: Option<Vec<u8>>,
    #[prost(string, optional, tag = "2")]
    pub(crate) direct_path: Option<String>,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) size: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(crate) sha256: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "6")]
    pub(crate) enc_sha256: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Action {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) index: Option<Vec<u8>>,
    #[prost(message, optional, tag = "2")]
    pub(crate) value: Option<Value>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) padding: Option<Vec<u8>>,
    #[prost(int32, optional, tag = "4")]
    pub(crate) version: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Value {
    #[prost(int64, optional, tag = "1")]
    pub(crate) timestamp: Option<i64>,
    #[prost(message, optional, tag = "7")]
    pub(crate) push_name: Option<PushName>,
    #[prost(message, optional, tag = "80")]
    pub(crate) salt: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PushName {
    #[prost(string, optional, tag = "1")]
    pub(crate) name: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct KeyShare {
    #[prost(message, repeated, tag = "1")]
    pub(crate) keys: Vec<SharedKey>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SharedKey {
    #[prost(message, optional, tag = "1")]
    pub(crate) id: Option<Bytes>,
    #[prost(message, optional, tag = "2")]
    pub(crate) data: Option<KeyData>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct KeyData {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) data: Option<Vec<u8>>,
    #[prost(message, optional, tag = "2")]
    pub(crate) fingerprint: Option<Fingerprint>,
    #[prost(int64, optional, tag = "3")]
    pub(crate) timestamp: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Fingerprint {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) raw_id: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) current_index: Option<u32>,
    #[prost(uint32, repeated, tag = "3")]
    pub(crate) device_indexes: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct KeyRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) ids: Vec<Bytes>,
}
