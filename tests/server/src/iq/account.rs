//! The small answers: AB props.

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
}
