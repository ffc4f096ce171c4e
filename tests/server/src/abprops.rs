//! The server's switches and numbers, and what a client is told about them.
//!
//! ```text
//! <props protocol="1" [hash] [refresh_id]/>                     asked
//! <props protocol="1" ab_key hash refresh refresh_id [delta_update="true"]>
//!   <prop config_code config_value/>*  <prop event_code sampling_weight/></props>
//! ```
//! Source: tokens spec 3.2 and 3.3. A client that names the set it has gets the changes since; one
//! that names none, or one this server never had, gets all.

use std::collections::BTreeMap;

use sendpath_protocol::crypto::symmetric::sha256;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::wap::Node;

use crate::gate::Window;
use crate::world::World;

/// Codes of the receiver-side token window, with the defaults of the registry.
const DURATION: u32 = 865;
const BUCKETS: u32 = 909;
const DEFAULT_DURATION: i64 = 604_800;
const DEFAULT_BUCKETS: i64 = 4;
const MAX_DURATION: i64 = 15_552_000;

/// Sets that are remembered for changes since.
const MAX_PAST: usize = 16;

type Values = BTreeMap<u32, String>;

/// The set of today and those before it.
#[derive(Clone, Debug)]
pub(crate) struct Props {
    values: Values,
    past: Vec<Values>,
}

impl Props {
    pub(crate) const fn new(values: Values) -> Self {
        Self {
            values,
            past: Vec::new(),
        }
    }

    /// Replaces the set.
    pub(crate) fn set(&mut self, values: Values) {
        self.past
            .insert(0, core::mem::replace(&mut self.values, values));
        self.past.truncate(MAX_PAST);
    }

    /// What a client with the set of that hash is told.
    pub(crate) fn answer(&self, has: Option<&str>) -> Node {
        let props = Node::new("props")
            .attr("protocol", "1")
            .attr("ab_key", "model")
            .attr("hash", hash(&self.values))
            .attr("refresh", "86400")
            .attr("refresh_id", "1");
        let sampling = Node::new("prop")
            .attr("event_code", "865")
            .attr("sampling_weight", "1000");
        match has.and_then(|has| self.since(has)) {
            Some(changes) => props.attr("delta_update", "true").children(nodes(changes)),
            None => props.children(nodes(self.values.clone())).child(sampling),
        }
    }

    /// What changed since the set of that hash; `None` when it cannot be told: the set is unknown,
    /// or a code is gone, for which changes have no form.
    fn since(&self, has: &str) -> Option<Values> {
        let sets = || core::iter::once(&self.values).chain(&self.past);
        let old = sets().find(|values| hash(values) == has)?;
        if old.keys().any(|code| !self.values.contains_key(code)) {
            return None;
        }
        let new = self.values.iter();
        let changed = new.filter(|(code, value)| old.get(code) != Some(value));
        Some(
            changed
                .map(|(code, value)| (*code, value.clone()))
                .collect(),
        )
    }

    /// The window in which this server honours tokens.
    fn window(&self) -> Window {
        let number = |code| -> Option<i64> { self.values.get(&code)?.parse().ok() };
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
}

impl World {
    /// The window in which this server honours tokens.
    pub(crate) fn token_window(&self) -> Window {
        self.props.window()
    }

    /// Tells every client that the set changed.
    pub(crate) fn push_props(&mut self) {
        let now = self.now();
        for person in 0..self.people.len() {
            self.post_all(person, |id| {
                Node::new("notification")
                    .attr("type", "server")
                    .attr("id", id)
                    .jid("from", Jid::whatsapp())
                    .num("t", now)
                    .child(Node::new("abprops"))
            });
        }
    }
}

fn hash(values: &Values) -> String {
    hex::encode(&sha256(format!("{values:?}").as_bytes())[..5])
}

fn nodes(values: Values) -> impl Iterator<Item = Node> {
    values.into_iter().map(|(code, value)| {
        Node::new("prop")
            .num("config_code", code)
            .attr("config_value", value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn props(values: &[(u32, &str)]) -> Props {
        Props::new(set(values))
    }

    fn set(values: &[(u32, &str)]) -> Values {
        let own = |(code, value): &(u32, &str)| (*code, (*value).to_owned());
        values.iter().map(own).collect()
    }

    /// Whether the answer lists changes, and the codes in it.
    fn told(answer: &Node) -> (bool, Vec<u32>) {
        let codes = answer.nodes().iter();
        let codes = codes.filter_map(|prop| prop.number("config_code"));
        (answer.is("delta_update", "true"), codes.collect())
    }

    #[test]
    fn a_client_is_told_what_changed_since_its_set() {
        let mut props = props(&[(865, "1"), (909, "4")]);
        let first = props.answer(None);
        assert_eq!(told(&first), (false, vec![865, 909]));
        let had = first.text("hash").unwrap().into_owned();
        assert_eq!(told(&props.answer(Some(&had))), (true, vec![]));
        props.set(set(&[(865, "1"), (909, "26"), (997, "4")]));
        assert_eq!(told(&props.answer(Some(&had))), (true, vec![909, 997]));
        assert_eq!(
            told(&props.answer(Some("0000000000"))),
            (false, vec![865, 909, 997])
        );
        props.set(set(&[(909, "26")]));
        assert_eq!(told(&props.answer(Some(&had))), (false, vec![909]));
    }

    #[test]
    fn tokens_live_as_long_as_the_props_say() {
        let window = |values| {
            let window = props(values).window();
            (window.duration, window.buckets)
        };
        assert_eq!(window(&[]), (604_800, 4));
        assert_eq!(window(&[(865, "0"), (909, "x")]), (604_800, 4));
        assert_eq!(window(&[(865, "20000000"), (909, "26")]), (15_552_000, 26));
    }
}
