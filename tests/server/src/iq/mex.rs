//! GraphQL questions about limits.
//!
//! Source: tokens spec 6.1; document ids rotate, so an unknown one is answered as the server does.

use sendpath_protocol::wap::Node;
use serde_json::{Value, json};

use super::Answer;
use crate::people::ClientId;
use crate::world::World;

const TIMELOCK: &str = "23983697327930364";
const CAPPING: [&str; 2] = ["27910975521856601", "24503548349331633"];

impl World {
    pub(super) fn mex(&mut self, client: ClientId, node: &Node) -> Answer {
        let Some(query) = node.find("query") else {
            return Answer::bad_request();
        };
        let id = query.text("query_id").unwrap_or_default().into_owned();
        let variables = query
            .payload()
            .and_then(|json| serde_json::from_slice::<Value>(json).ok())
            .and_then(|body| body.get("variables").cloned());
        if variables.is_none() {
            return Answer::bad_request();
        }
        let (person, now) = (&self.people[client.person], self.now());
        let body = if id == TIMELOCK {
            json!({"data": {"xwa2_fetch_account_reachout_timelock": person.timelock.json(now)}})
        } else if CAPPING.contains(&&*id) {
            json!({"data": {"xwa2_message_capping_info": person.capping.json(now)}})
        } else {
            self.journal.unexpected.push(format!("mex {id}"));
            json!({"data": null, "errors": [{
                "message": format!("The GraphQL document with ID {id} was not found."),
                "extensions": {"error_code": 400, "is_summary": true, "severity": "CRITICAL"},
            }]})
        };
        let result = Node::new("result").bytes(body.to_string().into_bytes());
        Answer::Result(vec![result])
    }
}
