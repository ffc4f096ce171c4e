//! From [`Node`] to bytes (spec: section 3; the layout is drawn in `decode`).
//!
//! Text takes the shortest form there is, in the order every client uses:
//!
//! ```text
//! one-byte word, two-byte word, packed [0-9.-], packed [0-9A-F], UTF-8
//! ```

use super::address::write_jid;
use super::tokens::{self, Token};
use super::{Content, Node, Value};

pub(super) const LIST_EMPTY: u8 = 0;
pub(super) const LIST_8: u8 = 248;
pub(super) const LIST_16: u8 = 249;
pub(super) const HEX_8: u8 = 251;
pub(super) const BINARY_8: u8 = 252;
pub(super) const BINARY_20: u8 = 253;
pub(super) const BINARY_32: u8 = 254;
pub(super) const NIBBLE_8: u8 = 255;

/// Codes of [`NIBBLE_8`]; 12 to 14 mean nothing, 15 is padding.
pub(super) const NIBBLE_ALPHABET: &[u8] = b"0123456789-.";
/// Codes of [`HEX_8`]; 15 also pads.
pub(super) const HEX_ALPHABET: &[u8] = b"0123456789ABCDEF";

/// Encodes a frame: flag byte 0 and the body, never compressed.
///
/// A node beyond the format (over 65 535 entries in a list, or 4 GiB) gives no bytes at all, and
/// [`Link::seal`](crate::noise::Link::seal) refuses those: a list cut short would say something else.
pub fn encode(node: &Node) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.push(0);
    match write_node(&mut out, node) {
        Some(()) => out,
        None => Vec::new(),
    }
}

/// Encodes without flag byte; otherwise as [`encode`].
pub fn encode_body(node: &Node) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    match write_node(&mut out, node) {
        Some(()) => out,
        None => Vec::new(),
    }
}

fn write_node(out: &mut Vec<u8>, node: &Node) -> Option<()> {
    let has_content = usize::from(!matches!(node.content, Content::None));
    write_list(out, 1 + 2 * node.attrs.len() + has_content)?;
    write_text(out, &node.tag)?;
    for (key, value) in &node.attrs {
        write_text(out, key)?;
        match value {
            Value::Jid(jid) => write_jid(out, jid)?,
            Value::Text(text) => write_text(out, text)?,
        }
    }
    match &node.content {
        Content::Bytes(bytes) => write_bytes(out, bytes),
        Content::Nodes(nodes) => {
            write_list(out, nodes.len())?;
            nodes.iter().try_for_each(|node| write_node(out, node))
        }
        Content::None => Some(()),
        Content::Text(text) => write_text(out, text),
    }
}

fn write_list(out: &mut Vec<u8>, len: usize) -> Option<()> {
    if len == 0 {
        out.push(LIST_EMPTY);
    } else if let Ok(len) = u8::try_from(len) {
        out.extend([LIST_8, len]);
    } else {
        out.push(LIST_16);
        out.extend(u16::try_from(len).ok()?.to_be_bytes());
    }
    Some(())
}

pub(super) fn write_text(out: &mut Vec<u8>, text: &str) -> Option<()> {
    match tokens::lookup(text) {
        Some(Token::Single(byte)) => out.push(byte),
        Some(Token::Double(tag, index)) => out.extend([tag, index]),
        None => {
            if !write_packed(out, NIBBLE_8, text, nibble_code)
                && !write_packed(out, HEX_8, text, hex_code)
            {
                return write_bytes(out, text.as_bytes());
            }
        }
    }
    Some(())
}

/// Whether `text` fits the alphabet and was written.
fn write_packed(out: &mut Vec<u8>, tag: u8, text: &str, code: fn(u8) -> Option<u8>) -> bool {
    const LONGEST: usize = 127;
    const ODD: u8 = 0x80;
    const PAD: u8 = 15;
    let Ok(len) = u8::try_from(text.len()) else {
        return false;
    };
    if text.is_empty() || text.len() > LONGEST || !text.bytes().all(|byte| code(byte).is_some()) {
        return false;
    }
    let odd = if len % 2 == 1 { ODD } else { 0 };
    out.extend([tag, len.div_ceil(2) | odd]);
    out.extend(text.as_bytes().chunks(2).map(|pair| {
        let at = |index: usize| pair.get(index).and_then(|&byte| code(byte));
        at(0).unwrap_or(PAD) << 4 | at(1).unwrap_or(PAD)
    }));
    true
}

const fn nibble_code(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'-' => Some(10),
        b'.' => Some(11),
        _ => None,
    }
}

const fn hex_code(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    let len = u32::try_from(bytes.len()).ok()?;
    let [high, mid_high, mid, low] = len.to_be_bytes();
    if len < 1 << 8 {
        out.extend([BINARY_8, low]);
    } else if len < 1 << 20 {
        out.extend([BINARY_20, mid_high, mid, low]);
    } else {
        out.extend([BINARY_32, high, mid_high, mid, low]);
    }
    out.extend_from_slice(bytes);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wap::address::{AD_JID, FB_JID, INTEROP_JID, JID_PAIR};
    use crate::wap::decode_body;
    use crate::wap::tokens::{DICTIONARY_0, DICTIONARY_3};

    #[test]
    fn tag_bytes_are_those_of_the_data_file() {
        let data: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/data/wap_tags.json")).unwrap();
        for (name, tag) in [
            ("LIST_EMPTY", LIST_EMPTY),
            ("DICTIONARY_0", DICTIONARY_0),
            ("DICTIONARY_3", DICTIONARY_3),
            ("INTEROP_JID", INTEROP_JID),
            ("FB_JID", FB_JID),
            ("AD_JID", AD_JID),
            ("LIST_8", LIST_8),
            ("LIST_16", LIST_16),
            ("JID_PAIR", JID_PAIR),
            ("HEX_8", HEX_8),
            ("BINARY_8", BINARY_8),
            ("BINARY_20", BINARY_20),
            ("BINARY_32", BINARY_32),
            ("NIBBLE_8", NIBBLE_8),
        ] {
            assert_eq!(data["tags"][name], tag, "{name}");
        }
    }

    #[test]
    fn a_list_beyond_the_format_gives_no_bytes() {
        let list = |len| Node::new("list").children(vec![Node::new("item"); len]);
        assert!(encode(&list(65_536)).is_empty());
        assert!(encode_body(&list(65_536)).is_empty());
        assert_eq!(decode_body(&encode_body(&list(65_535))), Ok(list(65_535)));
    }

    #[test]
    fn lengths_take_the_shortest_form() {
        let head = |len: usize| encode_body(&Node::new("body").bytes(vec![7; len]))[4..9].to_vec();
        assert_eq!(head(255)[..2], [BINARY_8, 255]);
        assert_eq!(head(256)[..4], [BINARY_20, 0, 1, 0]);
        assert_eq!(head((1 << 20) - 1)[..4], [BINARY_20, 0x0f, 0xff, 0xff]);
        assert_eq!(head(1 << 20), [BINARY_32, 0, 0x10, 0, 0]);
    }

    #[test]
    fn a_frame_is_the_body_behind_flag_zero() {
        let node = Node::new("iq").attr("id", "1");
        assert_eq!(encode(&node), [&[0][..], &encode_body(&node)].concat());
    }
}
