//! The small answers: AB props, app state, media hosts.

use sendpath_protocol::crypto::symmetric::sha256;
use sendpath_protocol::wap::Node;

use super::Answer;
use crate::gate::Window;
use crate::world::World;

/// Codes of the receiver-side token window. Source: tokens spec 3.2.
const DURATION: u32 = 865;
const BUCKETS: u32 = 909;
const DEFAULT_DURATION: i64 = 604_800;
const DEFAULT_BUCKETS: i64 = 4;
const MAX_DURATION: i64 = 15_552_000;

impl World {
    /// All props, or an empty delta when the client has the newest.
    pub(super) fn ab_props(&self, node: &Node) -> Answer {
        let asked = node.find("props");
        let hash = self.props_hash();
        let current = asked.is_some_and(|props| props.is("hash", &hash));
        let props = Node::new("props")
            .attr("protocol", "1")
            .attr("ab_key", "model")
            .attr("hash", hash)
            .attr("refresh", "86400")
            .attr("refresh_id", "1");
        if current {
            return Answer::Result(vec![props.attr("delta_update", "true")]);
        }
        let values = self.props.iter().map(|(code, value)| {
            Node::new("prop")
                .num("config_code", code)
                .attr("config_value", value.clone())
        });
        Answer::Result(vec![props.children(values)])
    }

    fn props_hash(&self) -> String {
        let text = format!("{:?}", self.props);
        hex::encode(&sha256(text.as_bytes())[..5])
    }

    /// The window in which this server honours tokens.
    pub(crate) fn token_window(&self) -> Window {
        let number = |code| -> Option<i64> { self.props.get(&code)?.parse().ok() };
        Window {
            duration: number(DURATION)
                .filter(|d| *d > 0)
                .unwrap_or(DEFAULT_DURATION)
                .min(MAX_DURATION),
            buckets: number(BUCKETS)
                .filter(|n| *n > 0)
                .unwrap_or(DEFAULT_BUCKETS),
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
