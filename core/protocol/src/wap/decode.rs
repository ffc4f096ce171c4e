//! From bytes to [`Node`] (spec: section 3).
//!
//! ```text
//! frame  = flags body           flags & 2: body is a zlib stream; other bits mean nothing
//! node   = list(1 + 2·attrs + (content ? 1 : 0)) tag (key value)* content?
//! list   = 0 | 248 u8 | 249 u16
//! string = 1..=235 | 236..=239 u8 | 251 packed | 255 packed | 252 u8 .. | 253 u20 .. | 254 u32 ..
//! jid    = 250 user server | 247 domain device user | 246 user u16 "msgr"
//!        | 245 user u16 u16 "interop"
//! ```
//! Every limit bounds what a hostile or broken peer can make us do: nothing is allocated from a
//! length that the remaining bytes cannot back.

use core::mem;
use std::borrow::Cow;

use super::address::{AD_JID, FB_JID, INTEROP_JID, JID_PAIR};
use super::encode::{
    BINARY_8, BINARY_20, BINARY_32, HEX_8, HEX_ALPHABET, LIST_8, LIST_16, LIST_EMPTY, NIBBLE_8,
    NIBBLE_ALPHABET,
};
use super::inflate::inflate;
use super::tokens::{self, DICTIONARY_0, DICTIONARY_3};
use super::{Content, Node, STREAM_END, Text, Value};

/// Nodes within nodes. Real stanzas reach 6; each level costs a stack frame of the decoder.
pub const MAX_DEPTH: usize = 128;

/// Nodes and attributes of one frame together. Each takes two bytes on the wire and about 80 in
/// memory, so this caps a frame's tree near 40 MiB.
pub const MAX_ITEMS: usize = 1 << 19;

/// Attributes of one node; real ones have up to 30. Merging repeated keys is quadratic in it.
pub const MAX_ATTRS: usize = 512;

/// Why bytes are not a node. The frame is dropped; the connection lives on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WapError {
    /// A JID with a domain byte that names no server.
    #[error("JID domain byte {0} names no server")]
    Domain(u8),
    /// No bytes, or a node without even a tag.
    #[error("there is no node")]
    Empty,
    /// The zlib stream is damaged or not finished.
    #[error("the zlib stream is damaged or not finished")]
    Inflate,
    /// A JID without user or with a user, device or server that cannot be.
    #[error("a JID is malformed")]
    Jid,
    /// A tag or a key that is empty, an address or not UTF-8.
    #[error("a tag or an attribute key is not a name")]
    Name,
    /// A packed string with a code outside its alphabet.
    #[error("packed string holds the code {0}")]
    Packed(u8),
    /// More depth, nodes, attributes or bytes than a frame may have.
    #[error("the frame has more {0} than we accept")]
    TooMuch(&'static str),
    /// Bytes behind the node.
    #[error("{0} bytes follow the node")]
    Trailing(usize),
    /// The bytes end within the node.
    #[error("the bytes end within the node")]
    Truncated,
    /// A byte that starts nothing, or nothing that may stand there.
    #[error("unexpected tag byte {0}")]
    UnexpectedTag(u8),
}

/// Decodes a decrypted frame: flag byte and body. The end of the stream is a node with the tag
/// [`STREAM_END`] in each of its forms.
pub fn decode(frame: &[u8]) -> Result<Node, WapError> {
    const COMPRESSED: u8 = 2;
    match frame {
        [] => Err(WapError::Empty),
        [2] => Ok(Node::new(STREAM_END)),
        [flags, body @ ..] if flags & COMPRESSED != 0 => decode_body(&inflate(body)?),
        [_, body @ ..] => decode_body(body),
    }
}

/// Decodes a body without flag byte.
pub fn decode_body(body: &[u8]) -> Result<Node, WapError> {
    if body.is_empty() {
        return Err(WapError::Empty);
    }
    if body == [2] {
        return Ok(Node::new(STREAM_END));
    }
    let mut reader = Reader {
        rest: body,
        items: MAX_ITEMS,
    };
    let node = reader.node(MAX_DEPTH)?;
    match reader.rest.len() {
        0 => Ok(node),
        left => Err(WapError::Trailing(left)),
    }
}

pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// How many more nodes and attributes this frame may have.
    items: usize,
}

impl<'a> Reader<'a> {
    fn node(&mut self, depth: usize) -> Result<Node, WapError> {
        let depth = depth.checked_sub(1).ok_or(WapError::TooMuch("depth"))?;
        self.item()?;
        let size = self.list_size()?.checked_sub(1).ok_or(WapError::Empty)?;
        let mut node = Node::new(self.name()?);
        self.attrs(&mut node, size / 2)?;
        if size % 2 == 1 {
            node.content = self.content(depth)?;
        }
        Ok(node)
    }

    fn attrs(&mut self, node: &mut Node, count: usize) -> Result<(), WapError> {
        if count > MAX_ATTRS {
            return Err(WapError::TooMuch("attributes"));
        }
        node.attrs.reserve_exact(count.min(self.rest.len() / 2));
        for _ in 0..count {
            self.item()?;
            let key = self.name()?;
            node.attrs.push((key, self.value()?));
        }
        if has_repeated_key(&node.attrs) {
            for (key, value) in mem::take(&mut node.attrs) {
                node.set(key, value);
            }
        }
        Ok(())
    }

    fn content(&mut self, depth: usize) -> Result<Content, WapError> {
        match self.peek()? {
            LIST_EMPTY | LIST_8 | LIST_16 => {
                let count = self.list_size()?;
                if count == 0 {
                    return Ok(Content::None);
                }
                const SMALLEST_NODE: usize = 3;
                // Each open level may claim 65 535 children; so none gets its room in advance.
                const READY: usize = 64;
                let ready = count.min(READY).min(self.rest.len() / SMALLEST_NODE);
                let mut nodes = Vec::with_capacity(ready);
                for _ in 0..count {
                    nodes.push(self.node(depth)?);
                }
                Ok(Content::Nodes(nodes))
            }
            BINARY_8 | BINARY_20 | BINARY_32 => Ok(Content::Bytes(self.binary()?.to_vec())),
            _ => Ok(Content::Text(match self.value()? {
                Value::Jid(jid) => Text::Owned(jid.reveal()),
                Value::Text(text) => text,
            })),
        }
    }

    fn list_size(&mut self) -> Result<usize, WapError> {
        match self.u8()? {
            LIST_EMPTY => Ok(0),
            LIST_8 => self.u8().map(usize::from),
            LIST_16 => self.u16().map(usize::from),
            other => Err(WapError::UnexpectedTag(other)),
        }
    }

    pub(super) fn name(&mut self) -> Result<Text, WapError> {
        match self.string() {
            Ok(Some(name)) if !name.is_empty() => Ok(name),
            Ok(_) | Err(WapError::UnexpectedTag(_)) => Err(WapError::Name),
            Err(error) => Err(error),
        }
    }

    fn value(&mut self) -> Result<Value, WapError> {
        match self.peek()? {
            INTEROP_JID | FB_JID | AD_JID | JID_PAIR => self.jid().map(Value::Jid),
            BINARY_8 | BINARY_20 | BINARY_32 => {
                // A push name cut within a character must not cost us the stanza around it.
                let text = String::from_utf8_lossy(self.binary()?).into_owned();
                Ok(Value::Text(Cow::Owned(text)))
            }
            _ => Ok(Value::Text(self.string()?.unwrap_or_default())),
        }
    }

    /// `None` for LIST_EMPTY.
    fn string(&mut self) -> Result<Option<Text>, WapError> {
        let text = match self.peek()? {
            LIST_EMPTY => {
                self.u8()?;
                return Ok(None);
            }
            BINARY_8 | BINARY_20 | BINARY_32 => {
                let text = core::str::from_utf8(self.binary()?).map_err(|_| WapError::Name)?;
                Cow::Owned(text.to_owned())
            }
            HEX_8 => Cow::Owned(self.packed(HEX_ALPHABET)?),
            NIBBLE_8 => Cow::Owned(self.packed(NIBBLE_ALPHABET)?),
            _ => Cow::Borrowed(self.word()?),
        };
        Ok(Some(text))
    }

    fn word(&mut self) -> Result<&'static str, WapError> {
        let tag = self.u8()?;
        let word = match tag {
            DICTIONARY_0..=DICTIONARY_3 => tokens::double(tag, self.u8()?),
            _ => tokens::single(tag),
        };
        word.ok_or(WapError::UnexpectedTag(tag))
    }

    fn packed(&mut self, alphabet: &[u8]) -> Result<String, WapError> {
        const ODD: u8 = 0x80;
        self.u8()?;
        let head = self.u8()?;
        let packed = self.take(usize::from(head & !ODD))?;
        let mut text = String::with_capacity(packed.len() * 2);
        for code in packed.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
            let known = alphabet.get(usize::from(code)).copied();
            text.push(char::from(known.unwrap_or(PAD)));
            if known.is_none() && code != 15 {
                return Err(WapError::Packed(code));
            }
        }
        if head & ODD != 0 {
            text.pop();
        }
        if text.as_bytes().contains(&PAD) {
            return Err(WapError::Packed(15));
        }
        Ok(text)
    }

    fn binary(&mut self) -> Result<&'a [u8], WapError> {
        let len = match self.u8()? {
            BINARY_8 => u32::from(self.u8()?),
            BINARY_20 => {
                let [high, mid, low] = self.array()?;
                u32::from_be_bytes([0, high & 0x0f, mid, low])
            }
            BINARY_32 => u32::from_be_bytes(self.array()?),
            other => return Err(WapError::UnexpectedTag(other)),
        };
        self.take(usize::try_from(len).unwrap_or(usize::MAX))
    }

    fn item(&mut self) -> Result<(), WapError> {
        self.items = self
            .items
            .checked_sub(1)
            .ok_or(WapError::TooMuch("nodes and attributes"))?;
        Ok(())
    }

    pub(super) fn peek(&self) -> Result<u8, WapError> {
        self.rest.first().copied().ok_or(WapError::Truncated)
    }

    pub(super) fn u8(&mut self) -> Result<u8, WapError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, WapError> {
        self.array().map(u16::from_be_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WapError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(WapError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], WapError> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(WapError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }
}

fn has_repeated_key(attrs: &[(Text, Value)]) -> bool {
    /// Up to here comparing all pairs is faster than sorting, and it allocates nothing.
    const FEW: usize = 16;
    if attrs.len() <= FEW {
        let same = |at: usize, key: &Text| attrs.iter().skip(at + 1).any(|(other, _)| other == key);
        return attrs.iter().enumerate().any(|(at, (key, _))| same(at, key));
    }
    let mut keys: Vec<&str> = attrs.iter().map(|(key, _)| &**key).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair.first() == pair.last())
}

/// Stands for the padding code while a packed string is read; in no alphabet.
const PAD: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_stream_end_are_the_same_node() {
        for frame in [&[2][..], &[0, 2], &[0, LIST_8, 1, 2]] {
            assert_eq!(decode(frame).map(|node| node.tag == STREAM_END), Ok(true));
        }
    }

    #[test]
    fn nothing_is_no_node() {
        assert_eq!(decode(&[]), Err(WapError::Empty));
        assert_eq!(decode(&[0]), Err(WapError::Empty));
        assert_eq!(decode_body(&[LIST_8, 0]), Err(WapError::Empty));
        assert_eq!(decode_body(&[LIST_EMPTY]), Err(WapError::Empty));
    }

    #[test]
    fn bytes_behind_the_node_are_an_error() {
        assert_eq!(decode(&[0, LIST_8, 1, 25, 0]), Err(WapError::Trailing(1)));
    }

    #[test]
    fn undefined_tags_are_refused_where_a_value_is_read() {
        for tag in 240..=244 {
            let body = [LIST_8, 3, 25, 8, tag];
            assert_eq!(decode_body(&body), Err(WapError::UnexpectedTag(tag)));
        }
    }

    #[test]
    fn names_must_be_text() {
        let address = [JID_PAIR, LIST_EMPTY, 3];
        let tag = [&[LIST_8, 1][..], &address].concat();
        let key = [&[LIST_8, 3, 25][..], &address, &[4]].concat();
        for body in [
            &tag[..],
            &key,
            &[LIST_8, 1, LIST_EMPTY],
            &[LIST_8, 1, BINARY_8, 0],
        ] {
            assert_eq!(decode_body(body), Err(WapError::Name));
        }
    }

    #[test]
    fn codes_outside_a_packed_alphabet_are_refused() {
        for code in 12..=14 {
            let body = [LIST_8, 3, 25, 8, NIBBLE_8, 1, code];
            assert_eq!(decode_body(&body), Err(WapError::Packed(code)));
        }
        let padding_within = [LIST_8, 3, 25, 8, NIBBLE_8, 2, 0xf1, 0x11];
        assert_eq!(decode_body(&padding_within), Err(WapError::Packed(15)));
    }

    #[test]
    fn a_key_given_twice_keeps_the_last_value() {
        for others in [0, 20] {
            let mut body = vec![LIST_8, 5 + 2 * others, 25, 8, 4];
            body.extend((30..30 + others).flat_map(|key| [key, 9]));
            body.extend([8, 7]);
            let node = decode_body(&body).unwrap();
            assert_eq!(node.attrs.len(), 1 + usize::from(others));
            assert!(node.is("id", "receipt"));
        }
    }

    #[test]
    fn the_top_bits_of_a_20_bit_length_mean_nothing() {
        let node = decode_body(&[LIST_8, 2, 25, BINARY_20, 0xf0, 0, 1, 7]).unwrap();
        assert_eq!(node.payload(), Some(&[7][..]));
    }

    #[test]
    fn an_absent_value_is_empty_text() {
        let node = decode_body(&[LIST_8, 3, 25, 8, LIST_EMPTY]).unwrap();
        assert_eq!(node.value("id"), Some(&Value::Text("".into())));
    }

    #[test]
    fn a_cut_character_costs_the_value_and_not_the_stanza() {
        let node = decode_body(&[LIST_8, 3, 25, 8, BINARY_8, 2, b'a', 0xc3]).unwrap();
        assert!(node.is("id", "a\u{fffd}"));
    }

    #[test]
    fn dictionary_words_are_borrowed() {
        let node = decode_body(&[LIST_8, 3, 25, 8, 0xec, 239]).unwrap();
        let Value::Text(value) = &node.attrs[0].1 else {
            panic!("not text")
        };
        for text in [&node.tag, &node.attrs[0].0, value] {
            assert!(matches!(text, Cow::Borrowed(_)));
        }
    }

    #[test]
    fn depth_ends_at_the_limit() {
        let nested = |levels: usize| {
            let mut body = [LIST_8, 2, 25, LIST_8, 1].repeat(levels - 1);
            body.extend([LIST_8, 1, 25]);
            decode_body(&body)
        };
        assert!(nested(MAX_DEPTH).is_ok());
        assert_eq!(nested(MAX_DEPTH + 1), Err(WapError::TooMuch("depth")));
        assert_eq!(nested(1_000_000), Err(WapError::TooMuch("depth")));
    }

    #[test]
    fn counts_without_data_end_at_once() {
        let children = [LIST_8, 2, 25, LIST_16, 0xff, 0xff].repeat(MAX_DEPTH - 1);
        assert_eq!(decode_body(&children), Err(WapError::Truncated));
        assert_eq!(
            decode_body(&[LIST_16, 0x04, 0, 25]),
            Err(WapError::Truncated)
        );
        let attrs = [LIST_16, 0xff, 0xff, 25];
        assert_eq!(decode_body(&attrs), Err(WapError::TooMuch("attributes")));
        let bytes = [LIST_8, 2, 25, BINARY_32, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(decode_body(&bytes), Err(WapError::Truncated));
    }

    #[test]
    fn a_frame_of_too_many_small_nodes_is_refused() {
        let group = [
            &[LIST_8, 2, 25, LIST_16, 0xff, 0xff][..],
            &[LIST_8, 1, 25].repeat(0xffff),
        ]
        .concat();
        let body = [&[LIST_8, 2, 25, LIST_8, 9][..], &group.repeat(9)].concat();
        assert_eq!(
            decode_body(&body),
            Err(WapError::TooMuch("nodes and attributes"))
        );
    }
}
