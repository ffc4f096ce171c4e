//! The small answers: AB props, media hosts.

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
