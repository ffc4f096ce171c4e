//! What a host can ask without sending, flat and as JSON.
//!
//! ```text
//! can_send  [{"to","answer","attached"?,"error"?}]        answer: allowed, blocked, ..
//! explain   {"class","token"?,"issued"?,"timeline":[{"what","at","last","count",..}]}
//! ```
//! Times are Unix seconds; what does not apply is absent. The JSON of an explanation names nobody.

use sendpath_protocol::account::{self, Inquiry};
use sendpath_protocol::error::ApiMisuse;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::tctoken::explain;
use sendpath_protocol::tctoken::policy::Freshness;
use sendpath_protocol::tctoken::timeline::{Entry, What};
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::verdict::Attached;

use super::error::{Error, attached_word};
use super::json::Object;
use super::limits::Limits;
use super::status::Status;

/// One of the questions, asked and its answer read.
pub(super) trait Asked: Sized {
    /// Takes its own answer; `None` for the answer to another question.
    fn read(answer: account::Answer) -> Option<Self>;

    /// [`Asked::read`] as an error of ours.
    fn of(answer: account::Answer) -> Result<Self, Error> {
        let wrong = || Error::new(Status::Bug, "the answer to another question");
        Self::read(answer).ok_or_else(wrong)
    }
}

impl Asked for Vec<CanSend> {
    fn read(answer: account::Answer) -> Option<Self> {
        match answer {
            account::Answer::CanSend(answers) => {
                Some(answers.into_iter().map(Into::into).collect())
            }
            _ => None,
        }
    }
}

impl Asked for Explanation {
    fn read(answer: account::Answer) -> Option<Self> {
        match answer {
            account::Answer::Explanation { told, now } => Some(Self::new(*told, now)),
            _ => None,
        }
    }
}

impl Asked for Limits {
    fn read(answer: account::Answer) -> Option<Self> {
        match answer {
            account::Answer::Limits(limits) => Some((*limits).into()),
            _ => None,
        }
    }
}

/// The question whether messages to these may be sent; each as in a send.
pub(super) fn can_send(to: &[&str], hint: RecipientHint) -> Result<Inquiry, Error> {
    let parse = |to: &&str| Jid::recipient(to).ok_or(ApiMisuse::BadAddress);
    let to = to.iter().map(parse).collect::<Result<_, _>>()?;
    Ok(Inquiry::CanSend { to, hint })
}

/// The question what happened with a contact.
pub(super) fn explain(to: &str) -> Result<Inquiry, Error> {
    let to = Jid::recipient(to).ok_or(ApiMisuse::BadAddress)?;
    Ok(Inquiry::Explain(to))
}

/// Whether a message to a contact may be sent.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u32)]
pub enum MaySend {
    /// It would be sent.
    Allowed = 1,
    /// It would be refused here, for now.
    Blocked = 2,
    /// It would be sent, but the server refused the last one: the contact has to write first.
    ContactMustWrite = 3,
    /// Nothing can be sent to that address.
    NotResolvable = 4,
    /// An answer of a newer core.
    Other = 5,
}

impl MaySend {
    /// A stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Blocked => "blocked",
            Self::ContactMustWrite => "contact_must_write",
            Self::NotResolvable => "not_resolvable",
            Self::Other => "other",
        }
    }
}

/// The answer about one address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CanSend {
    /// The address, as JID.
    pub to: String,
    /// The answer.
    pub answer: MaySend,
    /// What the message would carry.
    pub attached: Option<Attached>,
    /// Why not, and until when; only with [`MaySend::Blocked`].
    pub error: Option<Error>,
}

impl From<account::CanSend> for CanSend {
    fn from(told: account::CanSend) -> Self {
        let (answer, attached, error) = match told.answer {
            account::MaySend::Allowed(attached) => (MaySend::Allowed, Some(attached), None),
            account::MaySend::Blocked(refusal) => {
                let attached = Some(refusal.attached);
                (MaySend::Blocked, attached, Some(refusal.into()))
            }
            account::MaySend::ContactMustWrite(attached) => {
                (MaySend::ContactMustWrite, Some(attached), None)
            }
            account::MaySend::NotResolvable => (MaySend::NotResolvable, None, None),
            _ => (MaySend::Other, None, None),
        };
        Self {
            to: told.to.reveal(),
            answer,
            attached,
            error,
        }
    }
}

impl CanSend {
    /// What the message would carry, as a stable word: `tctoken`, `cstoken`, or why nothing.
    pub fn attached_word(&self) -> Option<&'static str> {
        self.attached.and_then(attached_word)
    }

    /// The answer as one JSON object.
    pub fn to_json(&self) -> String {
        let mut object = Object::new();
        object.text("to", &self.to);
        object.text("answer", self.answer.as_str());
        if let Some(attached) = self.attached_word() {
            object.text("attached", attached);
        }
        if let Some(error) = &self.error {
            object.raw("error", &error.to_json());
        }
        object.finish()
    }

    /// Answers as one JSON array.
    pub fn all_to_json(answers: &[Self]) -> String {
        array(answers.iter().map(Self::to_json))
    }
}

/// What is known about a contact, and what happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explanation {
    told: explain::Explanation,
    now: UnixSeconds,
}

impl Explanation {
    /// What was told at server time `now`.
    pub fn new(told: explain::Explanation, now: UnixSeconds) -> Self {
        Self { told, now }
    }

    /// The data behind it.
    pub fn data(&self) -> &explain::Explanation {
        &self.told
    }

    /// For people. It names nobody and may go into a bug report; `reveal` adds the contact's
    /// addresses.
    pub fn text(&self, reveal: bool) -> String {
        match reveal {
            true => self.told.render_revealing(self.now),
            false => self.told.render(self.now),
        }
    }

    /// The data as one JSON object.
    pub fn to_json(&self) -> String {
        let told = &self.told;
        let mut object = Object::new();
        object.text("class", &word(&told.class));
        object.flag("lid_known", told.names.lid.is_some());
        object.flag("pn_known", told.names.pn.is_some());
        object.flag("salt", told.salt);
        object.flag("props_known", told.props_known);
        if let Some(reason) = &told.no_cstoken {
            object.text("no_cstoken", &word(reason));
        }
        if let Some(token) = &told.token {
            let mut json = Object::new();
            json.number("t", token.t.0);
            json.text("source", &word(&token.source));
            json.number("seen", token.seen.0);
            json.flag("suspect", token.suspect);
            json.flag("attachable", token.freshness != Freshness::Expired);
            json.number("expires_at", token.expires_at.0);
            object.raw("token", &json.finish());
        }
        if let Some(sender) = &told.sender {
            let mut json = Object::new();
            json.number("t", sender.t.0);
            json.number("next_due", sender.next_due.0);
            object.raw("issued", &json.finish());
        }
        object.flag("timeline_cut", told.timeline_cut);
        object.raw("timeline", &array(told.timeline.iter().map(entry)));
        object.finish()
    }
}

fn entry(entry: &Entry) -> String {
    let mut json = Object::new();
    let mut t = None;
    let mut code = None;
    match &entry.what {
        What::Attached(attached) => {
            json.text("what", "attached");
            json.text("attached", attached_word(*attached).unwrap_or("unknown"));
        }
        What::Issued { t: issued, here } => {
            json.text("what", "issued");
            json.flag("here", *here);
            t = Some(*issued);
        }
        What::IssueFailed { code: told } => {
            json.text("what", "issue_failed");
            code = *told;
        }
        What::Pruned { t: token } => {
            json.text("what", "pruned");
            t = Some(*token);
        }
        What::Received {
            source: from,
            t: token,
            fresh,
        } => {
            json.text("what", "received");
            json.text("source", &word(from));
            json.flag("fresh", *fresh);
            t = Some(*token);
        }
        What::Refused { code: told, cause } => {
            json.text("what", "refused");
            json.text("cause", cause.as_str());
            code = *told;
        }
        plain => json.text("what", &word(plain)),
    }
    for (name, number) in [("t", t.map(|t| t.0)), ("code", code.map(i64::from))] {
        if let Some(number) = number {
            json.number(name, number);
        }
    }
    json.number("at", entry.at.0);
    json.number("last", entry.last.0);
    json.number("count", entry.count.into());
    json.finish()
}

/// The name of a variant without fields, in snake case.
fn word(variant: &impl core::fmt::Debug) -> String {
    let name = format!("{variant:?}");
    let mut word = String::new();
    for (place, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && place > 0 {
            word.push('_');
        }
        word.push(c.to_ascii_lowercase());
    }
    word
}

fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sendpath_protocol::jid::Jid;
    use sendpath_protocol::verdict::{Cause, Refusal};

    #[test]
    fn a_blocked_contact_says_until_when() {
        let refusal = Refusal {
            until: Some(UnixSeconds(9)),
            ..Refusal::local(None, Cause::AccountTimelocked)
        };
        let told = account::CanSend {
            to: Jid::pn("4915550001"),
            answer: account::MaySend::Blocked(refusal),
        };
        let json = CanSend::all_to_json(&[told.into()]);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value[0]["answer"], "blocked");
        assert_eq!(value[0]["to"], "4915550001@s.whatsapp.net");
        assert_eq!(value[0]["error"]["until"], 9);
        assert_eq!(value[0]["error"]["cause"], "ACCOUNT_TIMELOCKED");
    }

    #[test]
    fn an_entry_is_flat() {
        let what = What::Refused {
            code: Some(463),
            cause: Cause::ColdRefused,
        };
        let value: serde_json::Value =
            serde_json::from_str(&entry(&Entry::once(what, UnixSeconds(7)))).unwrap();
        let expected = serde_json::json!({
            "what": "refused", "cause": "COLD_REFUSED", "code": 463, "at": 7, "last": 7, "count": 1
        });
        assert_eq!(value, expected);
        let value: serde_json::Value =
            serde_json::from_str(&entry(&Entry::once(What::IdentityChanged, UnixSeconds(7))))
                .unwrap();
        assert_eq!(value["what"], "identity_changed");
    }
}
