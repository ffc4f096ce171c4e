//! Frames of the server: whatever decodes can be written, and reads the same again.

use sendpath_protocol::wap::{self, Content, MAX_DEPTH, MAX_ITEMS, Node};

pub(crate) fn run(data: &[u8]) {
    let Ok(node) = wap::decode(data) else {
        return;
    };
    let (mut items, depth) = (0, measure(&node));
    count(&node, &mut items);
    assert!(depth <= MAX_DEPTH + 1, "{depth} levels");
    assert!(items <= MAX_ITEMS + 1, "{items} items");
    let written = wap::encode(&node);
    let again = wap::decode(&written).expect("what we write we can read");
    assert!(same(&again, &node), "it reads differently");
    let _ = (wap::render(&node), wap::render_revealing(&node));
}

/// Equal, but that an address within an element is written as bytes.
fn same(one: &Node, other: &Node) -> bool {
    let inside = match (&one.content, &other.content) {
        (Content::Nodes(one), Content::Nodes(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Content::Bytes(_), Content::Text(_)) => one.payload() == other.payload(),
        (one, other) => one == other,
    };
    inside && one.tag == other.tag && one.attrs == other.attrs
}

fn measure(node: &Node) -> usize {
    1 + node.nodes().iter().map(measure).max().unwrap_or(0)
}

fn count(node: &Node, items: &mut usize) {
    *items += 1;
    if let Content::Nodes(nodes) = &node.content {
        nodes.iter().for_each(|node| count(node, items));
    }
}
