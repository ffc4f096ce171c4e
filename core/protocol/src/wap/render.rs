//! A node as people read it. Redacted unless asked otherwise.
//!
//! ```text
//! <message id="…20" to=…:7@lid type="text">
//!   <enc v="2" type="msg">64 bytes</enc>
//! </message>
//! ```

use core::fmt::Write;

use super::{Content, Node, Text, Value};

/// Shows structure: tags, keys, protocol words, counts and lengths. Users, names, ids and content are
/// left out, so the result may go into a log.
pub fn render(node: &Node) -> String {
    let mut out = String::new();
    write_node(&mut out, node, 0, Show::Structure);
    out
}

/// Shows everything but bytes, of which it shows the hex of the first 32. Personal: for the eyes of
/// whoever owns the account.
pub fn render_revealing(node: &Node) -> String {
    let mut out = String::new();
    write_node(&mut out, node, 0, Show::Everything);
    out
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Show {
    Everything,
    Structure,
}

fn write_node(out: &mut String, node: &Node, depth: usize, show: Show) {
    let indent = "  ".repeat(depth);
    out.push_str(&indent);
    out.push('<');
    out.push_str(&name(&node.tag));
    for (key, value) in &node.attrs {
        out.push(' ');
        out.push_str(&name(key));
        out.push('=');
        match value {
            Value::Jid(jid) if show == Show::Everything => out.push_str(&jid.reveal()),
            Value::Jid(jid) => put(out, format_args!("{jid:?}")),
            Value::Text(text) => write_text(out, key, text, show),
        }
    }
    match &node.content {
        Content::None => {
            out.push_str("/>");
            return;
        }
        Content::Nodes(nodes) => {
            out.push_str(">\n");
            for node in nodes {
                write_node(out, node, depth + 1, show);
                out.push('\n');
            }
            out.push_str(&indent);
        }
        Content::Bytes(bytes) => {
            out.push('>');
            write_bytes(out, bytes, show);
        }
        Content::Text(text) => {
            out.push('>');
            write_text(out, "", text, show);
        }
    }
    put(out, format_args!("</{}>", name(&node.tag)));
}

fn write_text(out: &mut String, key: &str, text: &Text, show: Show) {
    if show == Show::Everything || is_structure(key, text) {
        put(out, format_args!("{text:?}"));
    } else {
        put(out, format_args!("\"…{}\"", text.len()));
    }
}

/// Values that say what kind of thing this is and never about whom.
fn is_structure(key: &str, text: &str) -> bool {
    const KEYS: &[&str] = &[
        "addressing_mode",
        "class",
        "code",
        "count",
        "decrypt-fail",
        "edit",
        "error",
        "mediatype",
        "mode",
        "offline",
        "op_name",
        "protocol",
        "reason",
        "t",
        "type",
        "v",
        "version",
        "xmlns",
    ];
    const LONGEST: usize = 48;
    KEYS.contains(&key)
        && text.len() <= LONGEST
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
}

fn write_bytes(out: &mut String, bytes: &[u8], show: Show) {
    const SHOWN: usize = 32;
    if show == Show::Everything {
        for byte in bytes.iter().take(SHOWN) {
            put(out, format_args!("{byte:02x}"));
        }
        if bytes.len() <= SHOWN {
            return;
        }
        out.push_str("… ");
    }
    put(out, format_args!("{} bytes", bytes.len()));
}

/// Tags and keys come from the peer as well: only plain ones are shown as they are.
fn name(text: &str) -> std::borrow::Cow<'_, str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_:.".contains(&b);
    match text.len() <= 64 && text.bytes().all(plain) {
        true => text.into(),
        false => format!("?{}", text.len()).into(),
    }
}

fn put(out: &mut String, text: core::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jid::{Jid, Server};

    fn message() -> Node {
        Node::new("message")
            .attr("id", "3EB0A1B2C3D4E5F60718")
            .jid("to", Jid::device("123456789012345", 7, Server::Lid))
            .attr("type", "text")
            .attr("notify", "Alice")
            .child(Node::new("enc").attr("v", "2").bytes([0xab; 40]))
            .child(Node::new("unavailable"))
    }

    #[test]
    fn the_default_shows_structure_and_no_person() {
        assert_eq!(
            render(&message()),
            "<message id=\"…20\" to=…:7@lid type=\"text\" notify=\"…5\">\n  \
               <enc v=\"2\">40 bytes</enc>\n  <unavailable/>\n</message>"
        );
    }

    #[test]
    fn revealing_shows_values_and_the_head_of_bytes() {
        let shown = render_revealing(&message());
        assert!(shown.contains("123456789012345:7@lid") && shown.contains("notify=\"Alice\""));
        assert!(shown.contains(&format!("{}… 40 bytes", "ab".repeat(32))));
    }

    #[test]
    fn an_odd_value_under_a_known_key_stays_hidden() {
        let node = Node::new("x").attr("type", "call me at +49 155");
        assert_eq!(render(&node), "<x type=\"…18\"/>");
    }

    #[test]
    fn text_content_and_odd_names_stay_hidden() {
        let mut node = Node::new("a\nb");
        node.content = Content::Text("secret".into());
        assert_eq!(render(&node), "<?3>\"…6\"</?3>");
    }
}
