//! IQ requests: ids, the pending table, and what an answer can be.
//!
//! ```text
//! <iq id to type="get|set" xmlns ..>child</iq>  ->  <iq id from type="result|error">child</iq>
//! ```
//! Answers are matched by id only; unknown ids are ignored. Nothing survives a connection: on
//! disconnect every waiting request ends with [`IqEnd::Disconnected`].

use std::collections::BTreeMap;

use crate::secret::{Entropy, EntropyExt};
use crate::time::{Millis, Mono};
use crate::wap::Node;

/// How long an answer may take (spec: 30 s recommended; peers use 15 to 75 s).
pub const IQ_TIMEOUT: Millis = Millis::from_secs(30);

/// How a request ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum IqEnd {
    /// The connection went away first.
    Disconnected,
    /// `type="error"`, with the code of its `<error>` child (0 when it had none).
    Error {
        /// The code.
        code: u16,
        /// For how many seconds not to ask again, if the server said so.
        backoff: Option<u32>,
    },
    /// `type="result"`: the whole answer.
    Result(Node),
    /// No answer in time.
    Timeout,
}

impl IqEnd {
    /// The answer, if it was a result.
    pub fn result(&self) -> Option<&Node> {
        match self {
            Self::Result(node) => Some(node),
            _ => None,
        }
    }
}

/// Requests waiting for an answer, each with what it was for.
#[derive(Debug)]
pub struct Pending<P> {
    prefix: String,
    next: u64,
    waiting: BTreeMap<String, (Mono, P)>,
}

impl<P> Pending<P> {
    /// An empty table whose ids no other connection of this process shares.
    pub fn new(rng: &mut dyn Entropy) -> Self {
        let [a, b] = [rng.below(1 << 16), rng.below(1 << 16)];
        Self {
            prefix: format!("{a}.{b}-"),
            next: 0,
            waiting: BTreeMap::new(),
        }
    }

    /// A fresh id for a stanza that expects no answer from this table.
    pub fn id(&mut self) -> String {
        self.next += 1;
        format!("{}{}", self.prefix, self.next)
    }

    /// Gives `request` an id and remembers `purpose` until `now + timeout`.
    pub fn add(&mut self, request: Node, purpose: P, now: Mono, timeout: Millis) -> Node {
        let id = self.id();
        self.waiting
            .insert(id.clone(), (now.plus(timeout), purpose));
        request.attr("id", id)
    }

    /// Takes out what `answer` was for; `None` for an answer to nothing we asked.
    pub fn take(&mut self, answer: Node) -> Option<(P, IqEnd)> {
        let (_, purpose) = self.waiting.remove(&*answer.text("id")?)?;
        let end = if answer.is("type", "error") {
            let error = answer.find("error");
            let code = error.and_then(|error| error.number("code"));
            IqEnd::Error {
                code: code.unwrap_or(0),
                backoff: error.and_then(|error| error.number("backoff")),
            }
        } else {
            IqEnd::Result(answer)
        };
        Some((purpose, end))
    }

    /// Takes out everything whose time is over.
    pub fn expired(&mut self, now: Mono) -> Vec<P> {
        let late: Vec<String> = self
            .waiting
            .iter()
            .filter(|(_, (deadline, _))| *deadline <= now)
            .map(|(id, _)| id.clone())
            .collect();
        late.iter()
            .filter_map(|id| Some(self.waiting.remove(id)?.1))
            .collect()
    }

    /// Takes out everything: the connection is gone.
    pub fn drain(&mut self) -> Vec<P> {
        std::mem::take(&mut self.waiting)
            .into_values()
            .map(|(_, purpose)| purpose)
            .collect()
    }

    /// The purposes that wait.
    pub fn purposes(&self) -> impl Iterator<Item = &P> {
        self.waiting.values().map(|(_, purpose)| purpose)
    }

    /// When the next one is over.
    pub fn deadline(&self) -> Option<Mono> {
        self.waiting.values().map(|(deadline, _)| *deadline).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zero;
    impl Entropy for Zero {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(0);
        }
    }

    fn table() -> Pending<u8> {
        Pending::new(&mut Zero)
    }

    fn answer(id: &str, kind: &'static str) -> Node {
        Node::new("iq").attr("id", id.to_owned()).attr("type", kind)
    }

    #[test]
    fn an_answer_is_matched_by_id_once() {
        let mut table = table();
        let asked = table.add(Node::new("iq"), 7, Mono(0), IQ_TIMEOUT);
        let id = asked.text("id").unwrap().into_owned();
        assert_eq!(table.take(answer("other", "result")), None);
        let (purpose, end) = table.take(answer(&id, "result")).unwrap();
        assert!(purpose == 7 && end.result().is_some());
        assert_eq!(table.take(answer(&id, "result")), None);
    }

    #[test]
    fn an_error_without_a_code_is_still_an_error() {
        let mut table = table();
        let id = table
            .add(Node::new("iq"), 1, Mono(0), IQ_TIMEOUT)
            .text("id")
            .unwrap()
            .into_owned();
        assert_eq!(
            table.take(answer(&id, "error")),
            Some((
                1,
                IqEnd::Error {
                    code: 0,
                    backoff: None
                }
            ))
        );
    }

    #[test]
    fn a_late_request_expires_at_its_deadline() {
        let mut table = table();
        table.add(Node::new("iq"), 1, Mono(0), Millis(10));
        table.add(Node::new("iq"), 2, Mono(5), Millis(10));
        assert_eq!(table.deadline(), Some(Mono(10)));
        assert_eq!(table.expired(Mono(9)), Vec::<u8>::new());
        assert_eq!(table.expired(Mono(10)), vec![1]);
        assert_eq!(table.drain(), vec![2]);
    }
}
