//! The small answers: AB props, app state, media hosts.

use sendpath_protocol::wap::Node;

use super::Answer;
use crate::world::World;

impl World {
    pub(super) fn ab_props(&self, node: &Node) -> Answer {
        match node.find("props") {
            Some(asked) if asked.is("protocol", "1") && node.is("type", "get") => {
                let answer = self.props.answer(asked.text("hash").as_deref());
                Answer::Result(vec![answer])
            }
            _ => Answer::bad_request(),
        }
    }

    /// No collection has anything new.
    pub(super) fn app_state(node: &Node) -> Answer {
        let Some(sync) = node.find("sync") else {
            return Answer::bad_request();
        };
        let collections = sync.all("collection").map(|asked| {
            let version = asked.text("version").unwrap_or_default();
            let version = if version.is_empty() { "0" } else { &*version };
            Node::new("collection")
                .attr("name", asked.text("name").unwrap_or_default().into_owned())
                .attr("version", version.to_owned())
        });
        Answer::Result(vec![Node::new("sync").children(collections)])
    }

    /// Hosts that do not exist: nothing here uploads.
    pub(super) fn media_conn(&self) -> Node {
        let host = Node::new("host")
            .attr("hostname", "media.invalid")
            .attr("type", "primary")
            .children([Node::new("upload"), Node::new("download")]);
        Node::new("media_conn")
            .attr("auth", "model")
            .attr("ttl", "3600")
            .attr("auth_ttl", "3600")
            .attr("max_buckets", "12")
            .child(host)
    }
}
