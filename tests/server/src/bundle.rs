//! A prekey bundle as the server hands it out.

use sendpath_protocol::crypto::curve::PublicKey;
use sendpath_protocol::wap::Node;

use crate::people::SignedPreKey;

/// What is needed to write to a device for the first time.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    pub(crate) registration_id: u32,
    pub(crate) identity: PublicKey,
    pub(crate) signed_prekey: SignedPreKey,
    pub(crate) one_time: Option<(u32, [u8; 32])>,
    pub(crate) device_identity: Option<Vec<u8>>,
}

impl Bundle {
    /// The children of `<user>`.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        let mut nodes = vec![
            Node::new("registration").bytes(self.registration_id.to_be_bytes()),
            Node::new("type").bytes([5]),
            Node::new("identity").bytes(*self.identity.as_bytes()),
            signed_node(&self.signed_prekey),
        ];
        nodes.extend(self.one_time.map(|(id, key)| {
            Node::new("key").children([
                Node::new("id").bytes(id_bytes(id)),
                Node::new("value").bytes(key),
            ])
        }));
        nodes.extend(
            self.device_identity
                .as_ref()
                .map(|bytes| Node::new("device-identity").bytes(bytes.clone())),
        );
        nodes
    }
}

/// `<skey>`.
pub(crate) fn signed_node(signed: &SignedPreKey) -> Node {
    Node::new("skey").children([
        Node::new("id").bytes(id_bytes(signed.id)),
        Node::new("value").bytes(signed.key),
        Node::new("signature").bytes(signed.signature),
    ])
}

/// A prekey id as its three bytes.
pub(crate) const fn id_bytes(id: u32) -> [u8; 3] {
    let [_, a, b, c] = id.to_be_bytes();
    [a, b, c]
}
