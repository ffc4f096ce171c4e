//! GraphQL in a stanza ("MEX"): questions about the account, and pushes in the same form.
//!
//! ```text
//! -> <iq xmlns="w:mex" type="get" to="s.whatsapp.net"><query query_id=doc>{"variables":{..}}</query></iq>
//! <- <iq type="result"><result [format]>{"data":{..},"errors":[..]}</result></iq>
//! <- <notification type="mex" [t]><update op_name=..>{"data":{..}}</update></notification>
//! ```
//!
//! Ids of the documents change with WhatsApp's releases; every question has a list of them, newest
//! first, that a host may replace (spec: "MEX transport").

use serde_json::{Map, Value};

use crate::jid::Jid;
use crate::time::UnixSeconds;
use crate::wap::Node;

/// Longest JSON that is read, in bytes; real answers have some hundred.
pub const MAX_JSON: usize = 64 * 1024;

/// A question.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Question {
    /// How many new chats are left.
    NewChatCapping,
    /// Whether the account may start chats.
    ReachoutTimelock,
}

/// Document ids by question, newest first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DocIds {
    /// For [`Question::NewChatCapping`].
    pub capping: Vec<String>,
    /// For [`Question::ReachoutTimelock`].
    pub timelock: Vec<String>,
}

impl Default for DocIds {
    /// Ids of the web client, as seen by whatsapp-rust (2026-08), zapo and Baileys (2026-03 on).
    fn default() -> Self {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).into()).collect();
        Self {
            capping: ids(&["27910975521856601", "24503548349331633"]),
            timelock: ids(&["23983697327930364"]),
        }
    }
}

impl DocIds {
    /// Whether there is any id to ask with.
    pub fn can_ask(&self, question: Question) -> bool {
        !self.of(question).is_empty()
    }

    fn of(&self, question: Question) -> &[String] {
        match question {
            Question::NewChatCapping => &self.capping,
            Question::ReachoutTimelock => &self.timelock,
        }
    }

    /// The IQ without its id, for the attempt of that number (from 0); `None` when there are no
    /// further ids to try.
    pub fn request(&self, question: Question, attempt: usize) -> Option<Node> {
        let variables = match question {
            Question::NewChatCapping => {
                r#"{"variables":{"input":{"type":"INDIVIDUAL_NEW_CHAT_THREAD"}}}"#
            }
            Question::ReachoutTimelock => r#"{"variables":{}}"#,
        };
        let query = Node::new("query")
            .attr("query_id", self.of(question).get(attempt)?.clone())
            .bytes(variables);
        let iq = Node::new("iq")
            .attr("xmlns", "w:mex")
            .attr("type", "get")
            .jid("to", Jid::whatsapp());
        Some(iq.child(query))
    }
}

/// Why an answer is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MexError {
    /// A binary form that only native clients get.
    #[error("the answer is in the native clients' format")]
    Argo,
    /// The question itself failed.
    #[error("the server answered the question with error {code}")]
    Failed {
        /// `error_code`, 500 when there is none.
        code: i64,
        /// The server says that asking again may help.
        retryable: bool,
    },
    /// The IQ failed.
    #[error("the server answered the IQ with error {0}")]
    Iq(u16),
    /// No JSON object, too long, or without data.
    #[error("the answer is not JSON of the known form")]
    Malformed,
    /// The document id is too old; try the next one.
    #[error("the server no longer knows the document id")]
    StaleDocId,
}

/// The object an answer or a push carries. Reads are lenient about how a value is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// A whole number, written as a number or as text.
    pub fn whole(&self, key: &str) -> Option<i64> {
        whole(self.0.get(key)?)
    }

    /// A time in Unix seconds; zero and below mean none.
    pub fn time(&self, key: &str) -> Option<UnixSeconds> {
        self.whole(key).filter(|t| *t > 0).map(UnixSeconds)
    }

    /// A word; `None` when it is missing, empty or over 100 bytes.
    pub fn word(&self, key: &str) -> Option<&str> {
        let word = self.0.get(key)?.as_str()?;
        (1..=100).contains(&word.len()).then_some(word)
    }

    /// Yes or no, written as a boolean, as text or as 1 and 0.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.0.get(key)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.trim().to_lowercase().parse().ok(),
            other => match whole(other)? {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            },
        }
    }
}

/// The value under `data` / `root` of the answer to an IQ.
///
/// # Errors
/// [`MexError`] for everything that is no answer.
pub fn answer(iq: &Node, root: &str) -> Result<Fields, MexError> {
    if iq.is("type", "error") {
        let code = iq.find("error").and_then(|error| error.number("code"));
        return Err(MexError::Iq(code.unwrap_or(0)));
    }
    let result = iq.find("result").ok_or(MexError::Malformed)?;
    if result.is("format", "argo") {
        return Err(MexError::Argo);
    }
    let answer = object(result).ok_or(MexError::Malformed)?;
    if let Some(error) = fatal(&answer) {
        return Err(error);
    }
    at(&answer, root).ok_or(MexError::Malformed)
}

/// A `mex` notification.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// `op_name`: what it is about.
    pub op: String,
    /// The server's time stamp of the notification, if it has one.
    pub t: Option<UnixSeconds>,
    body: Map<String, Value>,
}

impl Update {
    /// Reads a notification; `None` when it holds nothing of the known form.
    pub fn parse(notification: &Node) -> Option<Self> {
        let update = notification.find("update")?;
        Some(Self {
            op: update.text("op_name")?.into_owned(),
            t: notification
                .number("t")
                .filter(|t: &i64| *t > 0)
                .map(UnixSeconds),
            body: object(update)?,
        })
    }

    /// The value under `data` / `root`.
    pub fn data(&self, root: &str) -> Option<Fields> {
        at(&self.body, root)
    }
}

fn object(node: &Node) -> Option<Map<String, Value>> {
    let text = node.payload().filter(|text| text.len() <= MAX_JSON)?;
    match serde_json::from_slice(text).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

fn at(object: &Map<String, Value>, root: &str) -> Option<Fields> {
    let fields = object.get("data")?.get(root)?.as_object()?;
    Some(Fields(fields.clone()))
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The error that decides: the summary, else the first with a code, else the first.
fn fatal(answer: &Map<String, Value>) -> Option<MexError> {
    let errors = answer.get("errors")?.as_array()?;
    let extension = |error: &Value, key: &str| Some(error.get("extensions")?.get(key)?.clone());
    let truth = |error: &Value, key: &str| extension(error, key) == Some(Value::Bool(true));
    let code = |error: &Value| whole(&extension(error, "error_code")?);
    let error = errors
        .iter()
        .find(|error| truth(error, "is_summary"))
        .or_else(|| errors.iter().find(|error| code(error).is_some()))
        .or_else(|| errors.first())?;
    let message = error.get("message").and_then(Value::as_str).unwrap_or("");
    if says_unknown_document(message) {
        return Some(MexError::StaleDocId);
    }
    Some(MexError::Failed {
        code: code(error).unwrap_or(500),
        retryable: truth(error, "is_retryable"),
    })
}

fn says_unknown_document(message: &str) -> bool {
    let message = message.to_lowercase();
    let names_it = message.contains("persisted query") || message.contains("document");
    names_it && (message.contains("unknown") || message.contains("not found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "root";

    fn iq(json: &'static str) -> Node {
        Node::new("iq")
            .attr("type", "result")
            .child(Node::new("result").bytes(json))
    }

    #[test]
    fn a_question_tries_one_document_id_after_the_other() {
        let ids = DocIds::default();
        let sent = |question, attempt| {
            let iq = ids.request(question, attempt)?;
            let query = iq.find("query")?;
            let text = String::from_utf8(query.payload()?.to_vec()).ok()?;
            Some((query.text("query_id")?.into_owned(), text))
        };
        assert_eq!(
            sent(Question::ReachoutTimelock, 0),
            Some(("23983697327930364".into(), r#"{"variables":{}}"#.into()))
        );
        assert_eq!(sent(Question::ReachoutTimelock, 1), None);
        let variables = r#"{"variables":{"input":{"type":"INDIVIDUAL_NEW_CHAT_THREAD"}}}"#;
        for (attempt, id) in ["27910975521856601", "24503548349331633"]
            .iter()
            .enumerate()
        {
            assert_eq!(
                sent(Question::NewChatCapping, attempt),
                Some(((*id).into(), variables.into()))
            );
        }
    }

    #[test]
    fn answers_are_read_from_bytes_and_from_text() {
        let json = r#"{"data":{"root":{"n":"7"},"other":1},"extensions":{}}"#;
        let text = Node {
            content: crate::wap::Content::Text(json.into()),
            ..Node::new("result")
        };
        for node in [iq(json), Node::new("iq").child(text)] {
            assert_eq!(answer(&node, ROOT).unwrap().whole("n"), Some(7));
        }
    }

    #[test]
    fn values_are_read_however_they_are_written() {
        let json = r#"{"data":{"root":{"a":true,"b":"True","c":1,"d":2,"e":null,"f":"x","g":"","h":"-7","i":"0","j":5,"k":1.5}}}"#;
        let fields = answer(&iq(json), ROOT).unwrap();
        for (key, flag) in [("a", Some(true)), ("b", Some(true)), ("c", Some(true))] {
            assert_eq!(fields.flag(key), flag, "{key}");
        }
        for key in ["d", "e", "f", "g", "z"] {
            assert_eq!(fields.flag(key), None, "{key}");
        }
        assert_eq!((fields.word("f"), fields.word("g")), (Some("x"), None));
        assert_eq!((fields.whole("h"), fields.whole("k")), (Some(-7), None));
        assert_eq!((fields.time("i"), fields.time("h")), (None, None));
        assert_eq!(fields.time("j"), Some(UnixSeconds(5)));
    }

    #[test]
    fn an_answer_without_an_object_is_malformed() {
        for json in [
            "",
            "{",
            "[]",
            "null",
            r#"{"data":null}"#,
            r#"{"data":{"root":null}}"#,
            r#"{"data":{"root":[]}}"#,
            r#"{"data":{"root":{}}} x"#,
        ] {
            assert_eq!(answer(&iq(json), ROOT), Err(MexError::Malformed), "{json}");
        }
        let long = format!(
            r#"{{"data":{{"root":{{}}}},"x":"{}"}}"#,
            "y".repeat(MAX_JSON)
        );
        let node = Node::new("iq").child(Node::new("result").bytes(long));
        assert_eq!(answer(&node, ROOT), Err(MexError::Malformed));
        assert_eq!(answer(&Node::new("iq"), ROOT), Err(MexError::Malformed));
    }

    #[test]
    fn errors_are_typed() {
        let refused = Node::new("iq")
            .attr("type", "error")
            .child(Node::new("error").attr("code", "429"));
        assert_eq!(answer(&refused, ROOT), Err(MexError::Iq(429)));
        let argo = Node::new("iq").child(Node::new("result").attr("format", "argo").bytes(b"x"));
        assert_eq!(answer(&argo, ROOT), Err(MexError::Argo));
        for (json, error) in [
            (
                r#"{"data":null,"errors":[{"message":"a"},{"message":"b","extensions":{"error_code":"400"}},{"message":"c","extensions":{"is_summary":true,"is_retryable":true,"error_code":503}}]}"#,
                MexError::Failed {
                    code: 503,
                    retryable: true,
                },
            ),
            (
                r#"{"errors":[{"message":"a"},{"extensions":{"error_code":401}}]}"#,
                MexError::Failed {
                    code: 401,
                    retryable: false,
                },
            ),
            (
                r#"{"errors":[{"message":"a"}]}"#,
                MexError::Failed {
                    code: 500,
                    retryable: false,
                },
            ),
            (
                r#"{"errors":[{"message":"Unknown persisted query"}]}"#,
                MexError::StaleDocId,
            ),
            (
                r#"{"errors":[{"message":"The document was not found"}]}"#,
                MexError::StaleDocId,
            ),
        ] {
            assert_eq!(answer(&iq(json), ROOT), Err(error), "{json}");
        }
        assert!(answer(&iq(r#"{"data":{"root":{}},"errors":[]}"#), ROOT).is_ok());
    }

    #[test]
    fn a_push_has_a_name_a_time_and_data() {
        let push = Node::new("notification").attr("t", "1786000000").child(
            Node::new("update")
                .attr("op_name", "Op")
                .bytes(r#"{"data":{"root":{"a":1}}}"#),
        );
        let update = Update::parse(&push).unwrap();
        assert_eq!(
            (update.op.as_str(), update.t),
            ("Op", Some(UnixSeconds(1_786_000_000)))
        );
        assert!(update.data(ROOT).is_some() && update.data("x").is_none());
        assert_eq!(Update::parse(&Node::new("notification")), None);
    }
}
