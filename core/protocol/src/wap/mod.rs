//! Binary nodes ("WAP"): the stanza tree and its readers and builders.
//!
//! ```text
//! <tag key="value" ..> child nodes | bytes | text </tag>
//! ```
//! [`decode`] and [`encode`] are the codec, [`render`] shows a node to people.

mod address;
mod decode;
mod dictionary;
mod encode;
mod inflate;
mod render;
mod tokens;

use std::borrow::Cow;

pub use self::decode::{MAX_ATTRS, MAX_DEPTH, MAX_ITEMS, WapError, decode, decode_body};
pub use self::encode::{encode, encode_body};
pub use self::inflate::MAX_BODY;
pub use self::render::{render, render_revealing};
use crate::jid::Jid;

/// Tag of the node that ends the stream.
pub const STREAM_END: &str = "xmlstreamend";

/// Text in a node: dictionary words are static, the rest is owned.
pub type Text = Cow<'static, str>;

/// A stanza or a part of one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Node {
    /// The element name.
    pub tag: Text,
    /// Attributes in wire order; keys are unique.
    pub attrs: Vec<(Text, Value)>,
    /// What is inside.
    pub content: Content,
}

/// An attribute value.
#[derive(Clone, Eq, PartialEq)]
pub enum Value {
    /// An address.
    Jid(Jid),
    /// Any other text.
    Text(Text),
}

impl core::fmt::Debug for Value {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Jid(jid) => jid.fmt(f),
            Self::Text(text) => write!(f, "text({})", text.len()),
        }
    }
}

/// What is inside a node.
#[derive(Clone, Default, Eq, PartialEq)]
pub enum Content {
    /// Raw bytes (BINARY_*).
    Bytes(Vec<u8>),
    /// Child nodes.
    Nodes(Vec<Node>),
    /// Nothing.
    #[default]
    None,
    /// Text that travels as a token or packed string.
    Text(Text),
}

impl core::fmt::Debug for Content {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "bytes({})", bytes.len()),
            Self::Nodes(nodes) => nodes.fmt(f),
            Self::None => f.write_str("-"),
            Self::Text(text) => write!(f, "text({})", text.len()),
        }
    }
}

impl Node {
    /// An element without attributes and content.
    pub fn new(tag: impl Into<Text>) -> Self {
        Self {
            tag: tag.into(),
            attrs: Vec::new(),
            content: Content::None,
        }
    }

    /// With a text attribute.
    #[must_use]
    pub fn attr(mut self, key: impl Into<Text>, value: impl Into<Text>) -> Self {
        self.set(key.into(), Value::Text(value.into()));
        self
    }

    /// With a text attribute, if there is a value.
    #[must_use]
    pub fn maybe(self, key: impl Into<Text>, value: Option<impl Into<Text>>) -> Self {
        match value {
            Some(value) => self.attr(key, value),
            None => self,
        }
    }

    /// With a number as a decimal text attribute.
    #[must_use]
    pub fn num(self, key: impl Into<Text>, value: impl core::fmt::Display) -> Self {
        self.attr(key, value.to_string())
    }

    /// With an address attribute.
    #[must_use]
    pub fn jid(mut self, key: impl Into<Text>, value: Jid) -> Self {
        self.set(key.into(), Value::Jid(value));
        self
    }

    /// With an address attribute, if there is one.
    #[must_use]
    pub fn maybe_jid(self, key: impl Into<Text>, value: Option<Jid>) -> Self {
        match value {
            Some(value) => self.jid(key, value),
            None => self,
        }
    }

    /// With these child nodes (replacing the content).
    #[must_use]
    pub fn children(mut self, nodes: impl IntoIterator<Item = Self>) -> Self {
        self.content = Content::Nodes(nodes.into_iter().collect());
        self
    }

    /// With one more child node behind those there are.
    #[must_use]
    pub fn child(mut self, node: Self) -> Self {
        self.push(node);
        self
    }

    /// With raw bytes as content.
    #[must_use]
    pub fn bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.content = Content::Bytes(bytes.into());
        self
    }

    /// Appends a child node; other content is replaced.
    pub fn push(&mut self, node: Self) {
        match &mut self.content {
            Content::Nodes(nodes) => nodes.push(node),
            other => *other = Content::Nodes(vec![node]),
        }
    }

    fn set(&mut self, key: Text, value: Value) {
        match self.attrs.iter_mut().find(|(k, _)| *k == key) {
            Some((_, slot)) => *slot = value,
            None => self.attrs.push((key, value)),
        }
    }

    /// The attribute as it is.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.attrs
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, value)| value)
    }

    /// The attribute as text; an address in its text form.
    pub fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        self.value(key).map(|value| match value {
            Value::Jid(jid) => Cow::Owned(jid.reveal()),
            Value::Text(text) => Cow::Borrowed(&**text),
        })
    }

    /// Whether the attribute is there and reads `expected`.
    pub fn is(&self, key: &str, expected: &str) -> bool {
        self.text(key).is_some_and(|text| text == expected)
    }

    /// The attribute as an address; text is parsed.
    pub fn address(&self, key: &str) -> Option<Jid> {
        match self.value(key)? {
            Value::Jid(jid) => Some(jid.clone()),
            Value::Text(text) => text.parse().ok(),
        }
    }

    /// The attribute as a number; `None` when absent or not one.
    pub fn number<T: core::str::FromStr>(&self, key: &str) -> Option<T> {
        self.text(key)?.parse().ok()
    }

    /// The child nodes; empty for other content.
    pub fn nodes(&self) -> &[Self] {
        match &self.content {
            Content::Nodes(nodes) => nodes,
            _ => &[],
        }
    }

    /// The first child with that tag.
    pub fn find(&self, tag: &str) -> Option<&Self> {
        self.nodes().iter().find(|node| node.tag == tag)
    }

    /// All children with that tag.
    pub fn all<'a>(&'a self, tag: &'a str) -> impl Iterator<Item = &'a Self> {
        self.nodes().iter().filter(move |node| node.tag == tag)
    }

    /// The content as bytes; text content counts as its UTF-8 bytes.
    pub fn payload(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Bytes(bytes) => Some(bytes),
            Content::Text(text) => Some(text.as_bytes()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_an_attribute_twice_keeps_the_last() {
        let node = Node::new("iq").attr("id", "1").attr("id", "2");
        assert_eq!((node.attrs.len(), node.is("id", "2")), (1, true));
    }

    #[test]
    fn debug_shows_no_values() {
        let node = Node::new("a")
            .attr("notify", "Alice")
            .jid("to", Jid::pn("4915551"))
            .bytes("hello");
        let shown = format!("{node:?}");
        assert!(!shown.contains("Alice") && !shown.contains("4915551") && !shown.contains("hello"));
    }
}
