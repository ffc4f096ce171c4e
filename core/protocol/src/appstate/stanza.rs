//! Asking for collections.
//!
//! ```text
//! <iq xmlns="w:sync:app:state" type="set"><sync><collection name return_snapshot [version]/>..</sync></iq>
//! <sync><collection name version has_more_patches [type="error"]>[<snapshot>reference</snapshot>]
//!       <patches><patch>SyncdPatch</patch>..</patches>[<error code/>]</collection>..</sync>
//! ```
//! `version` is absent when a snapshot is wanted.

use super::Collection;
use crate::jid::Jid;
use crate::wap::Node;

/// The question for these collections, each with the version that is here; 0 asks for a snapshot.
pub(super) fn query(collections: &[(Collection, u64)]) -> Node {
    let collections = collections.iter().map(|(collection, version)| {
        let node = Node::new("collection").attr("name", collection.name());
        match version {
            0 => node.attr("return_snapshot", "true"),
            version => node
                .attr("return_snapshot", "false")
                .num("version", *version),
        }
    });
    Node::new("iq")
        .attr("xmlns", "w:sync:app:state")
        .attr("type", "set")
        .jid("to", Jid::whatsapp())
        .child(Node::new("sync").children(collections))
}

/// What the server says of one collection; views into the answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Part<'a> {
    /// Why there is nothing; 0 for an error without a code.
    pub(super) error: Option<u16>,
    /// There are more patches than these.
    pub(super) more: bool,
    /// An `ExternalBlobReference`.
    pub(super) snapshot: Option<&'a [u8]>,
    /// `SyncdPatch`es in order.
    pub(super) patches: Vec<&'a [u8]>,
}

/// The parts of an answer. Collections that we do not know are passed by.
pub(super) fn parse(answer: &Node) -> impl Iterator<Item = (Collection, Part<'_>)> {
    let collections = answer
        .find("sync")
        .into_iter()
        .flat_map(|sync| sync.all("collection"));
    collections.filter_map(|node| {
        let collection = Collection::parse(&node.text("name")?)?;
        let code = node
            .find("error")
            .map(|error| error.number("code").unwrap_or(0));
        let patches = node
            .find("patches")
            .into_iter()
            .flat_map(|list| list.all("patch"));
        let part = Part {
            error: code.or(node.is("type", "error").then_some(0)),
            more: node.is("has_more_patches", "true"),
            snapshot: node.find("snapshot").and_then(Node::payload),
            patches: patches.filter_map(Node::payload).collect(),
        };
        Some((collection, part))
    })
}

/// The collections that a `server_sync` notification names, each with its newest version if it says.
pub(super) fn changed(notification: &Node) -> impl Iterator<Item = (Collection, Option<u64>)> {
    notification.all("collection").filter_map(|node| {
        let collection = Collection::parse(&node.text("name")?)?;
        Some((collection, node.number("version")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_named_or_a_snapshot_wanted() {
        let asked = query(&[(Collection::CriticalBlock, 0), (Collection::RegularHigh, 7)]);
        assert!(asked.is("type", "set") && asked.is("xmlns", "w:sync:app:state"));
        let sync = asked.find("sync").unwrap();
        let [first, second] = sync.nodes() else {
            panic!("two collections")
        };
        assert!(first.is("name", "critical_block") && first.is("return_snapshot", "true"));
        assert!(first.value("version").is_none());
        assert!(second.is("return_snapshot", "false") && second.is("version", "7"));
    }

    #[test]
    fn an_answer_is_read_by_collection() {
        let failed = Node::new("collection")
            .attr("name", "critical_block")
            .attr("type", "error")
            .child(Node::new("error").attr("code", "409"));
        let patches = [Node::new("patch").bytes([1]), Node::new("patch").bytes([2])];
        let good = Node::new("collection")
            .attr("name", "regular_high")
            .attr("has_more_patches", "true")
            .child(Node::new("snapshot").bytes([9]))
            .child(Node::new("patches").children(patches));
        let strange = Node::new("collection").attr("name", "irregular");
        let nameless = Node::new("collection")
            .attr("name", "regular")
            .attr("type", "error");
        let sync = Node::new("sync").children([failed, good, strange, nameless]);
        let answer = Node::new("iq").child(sync);
        let parts: Vec<_> = parse(&answer).collect();
        let error = |code| Part {
            error: Some(code),
            ..Part::default()
        };
        let whole = Part {
            error: None,
            more: true,
            snapshot: Some(&[9]),
            patches: vec![&[1], &[2]],
        };
        assert_eq!(
            parts,
            [
                (Collection::CriticalBlock, error(409)),
                (Collection::RegularHigh, whole),
                (Collection::Regular, error(0)),
            ]
        );
        assert_eq!(parse(&Node::new("iq")).count(), 0);
    }

    #[test]
    fn a_notification_names_collections() {
        let named = |name: &'static str| Node::new("collection").attr("name", name);
        let node = Node::new("notification").children([
            named("regular_high").attr("version", "8"),
            named("regular").attr("version", "x"),
            named("unheard_of"),
        ]);
        let changed: Vec<_> = changed(&node).collect();
        let expected = [
            (Collection::RegularHigh, Some(8)),
            (Collection::Regular, None),
        ];
        assert_eq!(changed, expected);
    }
}
