//! Stanzas as JSON, for tests that look at them or push their own.
//!
//! ```text
//! {"tag": "iq", "attrs": {"to": "s.whatsapp.net"}, "children": [..] | "hex": ".." | "text": ".."}
//! ```
//! An attribute whose text is an address with a user, or the server itself, becomes an address.

use std::collections::BTreeMap;

use sendpath_protocol::jid::Jid;
use sendpath_protocol::wap::{Content, Node};
use serde::{Deserialize, Serialize};

/// A stanza or a part of one.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct NodeJson {
    /// Element name.
    pub tag: String,
    /// Attributes; addresses in their text form.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attrs: BTreeMap<String, String>,
    /// Child nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Self>,
    /// Content bytes in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
    /// Content text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl NodeJson {
    /// The stanza in this form.
    pub(crate) fn of(node: &Node) -> Self {
        let attrs = node.attrs.iter().map(|(key, _)| {
            let value = node.text(key).unwrap_or_default();
            (key.to_string(), value.into_owned())
        });
        let mut json = Self {
            tag: node.tag.to_string(),
            attrs: attrs.collect(),
            ..Self::default()
        };
        match &node.content {
            Content::Bytes(bytes) => json.hex = Some(hex::encode(bytes)),
            Content::Nodes(nodes) => json.children = nodes.iter().map(Self::of).collect(),
            Content::None => {}
            Content::Text(text) => json.text = Some(text.to_string()),
        }
        json
    }

    /// The stanza itself.
    pub(crate) fn node(self) -> Result<Node, String> {
        let mut node = Node::new(self.tag);
        for (key, value) in self.attrs {
            node = match address(&value) {
                Some(jid) => node.jid(key, jid),
                None => node.attr(key, value),
            };
        }
        if let Some(bytes) = self.hex {
            return Ok(node.bytes(hex::decode(bytes).map_err(|error| error.to_string())?));
        }
        if let Some(text) = self.text {
            return Ok(node.bytes(text));
        }
        for child in self.children {
            node.push(child.node()?);
        }
        Ok(node)
    }
}

fn address(text: &str) -> Option<Jid> {
    let jid: Jid = text.parse().ok()?;
    (text.contains('@') || jid == Jid::whatsapp()).then_some(jid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stanza_survives_the_way_through_json() {
        let node = Node::new("iq")
            .attr("id", "1")
            .jid("to", Jid::whatsapp())
            .child(Node::new("a").jid("jid", Jid::lid("7")))
            .child(Node::new("b").bytes([1, 2]));
        let json = NodeJson::of(&node);
        let text = serde_json::to_string(&json).unwrap();
        let back: NodeJson = serde_json::from_str(&text).unwrap();
        assert_eq!(NodeJson::of(&back.node().unwrap()), json);
    }
}
