//! An event as flat fields, for languages without sum types.

use sendpath_protocol::event::{
    DisconnectReason, Event, HistoryFailure, IncomingMessage, PairFailure, ReceiptKind,
};
use sendpath_protocol::peer::PeerKey;
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::verdict::MessageId;

use super::error::{Error, attached_word};
use super::event::{AccountEvent, Completion};
use super::json::Object;
use super::kind::{EventKind, Field};
use super::status::Status;

/// The flat view of one event. Fields that do not apply are absent.
#[derive(Clone, Debug)]
pub struct Fields {
    kind: EventKind,
    texts: Vec<(Field, String)>,
    numbers: Vec<(Field, i64)>,
    payload: Option<Vec<u8>>,
    error: Option<Error>,
}

impl Fields {
    /// Flattens `event`.
    pub fn of(event: AccountEvent) -> Self {
        match event {
            AccountEvent::Account(event) => account(event),
            AccountEvent::Outcome(completion) => outcome(completion),
            AccountEvent::Overflow { dropped } => {
                Self::new(EventKind::Overflow).number_of(Field::Dropped, count(dropped))
            }
            AccountEvent::Unknown => Self::new(EventKind::Other),
        }
    }

    /// What happened.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// The text under `field`; `index` counts repeated ones from 0.
    pub fn text(&self, field: Field, index: usize) -> Option<&str> {
        let mut texts = self.texts.iter().filter(|(name, _)| *name == field);
        texts.nth(index).map(|(_, text)| text.as_str())
    }

    /// The number or flag (0 or 1) under `field`.
    pub fn number(&self, field: Field) -> Option<i64> {
        let found = self.numbers.iter().find(|(name, _)| *name == field);
        found.map(|(_, number)| *number)
    }

    /// The `Message` protobuf of a message event.
    pub fn payload(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }

    /// Why a send did not end well.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// The fields as one JSON object, without the payload: `{"kind":"message","id":..}`.
    pub fn to_json(&self) -> String {
        let mut object = Object::new();
        object.text("kind", self.kind.as_str());
        for (field, text) in self.texts.iter().filter(|(field, _)| *field != Field::Ids) {
            object.text(field.as_str(), text);
        }
        let ids = || self.texts.iter().filter(|(field, _)| *field == Field::Ids);
        if ids().next().is_some() {
            object.texts(Field::Ids.as_str(), ids().map(|(_, text)| text.as_str()));
        }
        for (field, number) in &self.numbers {
            if field.is_flag() {
                object.flag(field.as_str(), *number != 0);
            } else {
                object.number(field.as_str(), *number);
            }
        }
        if let Some(error) = &self.error {
            object.raw("error", &error.to_json());
        }
        object.finish()
    }

    fn new(kind: EventKind) -> Self {
        Self {
            kind,
            texts: Vec::new(),
            numbers: Vec::new(),
            payload: None,
            error: None,
        }
    }

    fn text_of(mut self, field: Field, text: impl Into<String>) -> Self {
        self.texts.push((field, text.into()));
        self
    }

    fn number_of(mut self, field: Field, number: impl Into<i64>) -> Self {
        self.numbers.push((field, number.into()));
        self
    }

    fn maybe_text(self, field: Field, text: Option<impl Into<String>>) -> Self {
        match text {
            Some(text) => self.text_of(field, text),
            None => self,
        }
    }

    fn maybe_number(self, field: Field, number: Option<impl Into<i64>>) -> Self {
        match number {
            Some(number) => self.number_of(field, number),
            None => self,
        }
    }

    fn reason(self, reason: DisconnectReason) -> Self {
        let (word, code, detail, until, message) = match reason {
            DisconnectReason::Banned {
                code,
                detail,
                until,
            } => ("banned", Some(code), detail, until, None),
            DisconnectReason::Expelled { code } => ("expelled", Some(code), None, None, None),
            DisconnectReason::Fault(fault) => ("fault", None, None, None, Some(fault.to_string())),
            DisconnectReason::Handshake(error) => {
                ("handshake", None, None, None, Some(error.to_string()))
            }
            DisconnectReason::KeepAliveTimeout => ("keep_alive_timeout", None, None, None, None),
            DisconnectReason::Network(text) => ("network", None, None, None, Some(text)),
            DisconnectReason::NotMultiDevice => ("not_multi_device", None, None, None, None),
            DisconnectReason::OutdatedClient => ("outdated_client", None, None, None, None),
            DisconnectReason::Refused { code } => ("refused", code, None, None, None),
            DisconnectReason::Replaced => ("replaced", None, None, None, None),
            DisconnectReason::Restart => ("restart", None, None, None, None),
            DisconnectReason::Server { code } => ("server", code, None, None, None),
            DisconnectReason::Stopped => ("stopped", None, None, None, None),
            DisconnectReason::Unlinked { code } => ("unlinked", code, None, None, None),
            _ => ("other", None, None, None, None),
        };
        self.text_of(Field::Reason, word)
            .maybe_number(Field::Code, code)
            .maybe_number(Field::Detail, detail)
            .maybe_number(Field::Until, seconds(until))
            .maybe_text(Field::Message, message)
    }
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn seconds(t: Option<UnixSeconds>) -> Option<i64> {
    t.map(|t| t.0)
}

fn account(event: Event) -> Fields {
    use EventKind as Kind;
    match event {
        Event::CappingChanged {
            status,
            total,
            used,
            until,
        } => Fields::new(Kind::CappingChanged)
            .text_of(Field::What, status)
            .maybe_number(Field::Total, total)
            .maybe_number(Field::Used, used)
            .maybe_number(Field::Until, seconds(until)),
        Event::Connected => Fields::new(Kind::Connected),
        Event::Disconnected { reason } => Fields::new(Kind::Disconnected).reason(reason),
        Event::HistoryApplied {
            conversations,
            tokens,
            sender_times,
            mappings,
            salt,
        } => Fields::new(Kind::HistoryApplied)
            .number_of(Field::Conversations, count(conversations))
            .number_of(Field::Tokens, count(tokens))
            .number_of(Field::SenderTimes, count(sender_times))
            .number_of(Field::Mappings, count(mappings))
            .number_of(Field::Salt, salt),
        Event::HistoryFailed { reason } => Fields::new(Kind::HistoryFailed)
            .text_of(Field::Reason, history_failure(&reason))
            .text_of(Field::Message, reason.to_string()),
        Event::LoggedOut { reason } => Fields::new(Kind::LoggedOut).reason(reason),
        Event::TimelockChanged {
            active,
            until,
            kind,
        } => Fields::new(Kind::TimelockChanged)
            .number_of(Field::Active, active)
            .maybe_number(Field::Until, seconds(until))
            .maybe_text(Field::What, kind),
        other => pairing(other),
    }
}

fn pairing(event: Event) -> Fields {
    use EventKind as Kind;
    match event {
        Event::PairCode { code, seconds } => Fields::new(Kind::PairCode)
            .text_of(Field::PairCode, code)
            .number_of(Field::Seconds, seconds),
        Event::PairFailed { reason } => {
            let code = match reason {
                PairFailure::CodeRefused { code } => Some(code),
                _ => None,
            };
            Fields::new(Kind::PairFailed)
                .text_of(Field::Reason, pair_failure(reason))
                .maybe_number(Field::Code, code)
        }
        Event::PairQr { text, seconds } => Fields::new(Kind::PairQr)
            .text_of(Field::Qr, text)
            .number_of(Field::Seconds, seconds),
        Event::Paired { jid, lid } => Fields::new(Kind::Paired)
            .text_of(Field::Jid, jid.to_string())
            .maybe_text(Field::Lid, lid.map(|lid| lid.to_string())),
        other => contact(other),
    }
}

fn contact(event: Event) -> Fields {
    use EventKind as Kind;
    match event {
        Event::IdentityChanged { peer } => {
            Fields::new(Kind::IdentityChanged).text_of(Field::Peer, peer.jid().to_string())
        }
        Event::MayRetry { peer, ids } => messages(Kind::MayRetry, &peer, &ids),
        Event::Message(message) => incoming(*message),
        Event::Presence {
            from,
            available,
            last_seen,
        } => Fields::new(Kind::Presence)
            .text_of(Field::Peer, from.to_string())
            .number_of(Field::Available, available)
            .maybe_number(Field::LastSeen, seconds(last_seen)),
        Event::Receipt { ids, from, kind, t } => ids
            .iter()
            .fold(Fields::new(Kind::Receipt), |fields, id| {
                fields.text_of(Field::Ids, id.as_str())
            })
            .text_of(Field::Sender, from.to_string())
            .text_of(Field::What, receipt_kind(kind))
            .maybe_number(Field::Time, seconds(t)),
        Event::SilentDrop { peer, ids } => messages(Kind::SilentDrop, &peer, &ids),
        Event::TokenStored { peer, t, fresh } => Fields::new(Kind::TokenStored)
            .text_of(Field::Peer, peer.jid().to_string())
            .number_of(Field::Time, t.0)
            .number_of(Field::Fresh, fresh),
        _ => Fields::new(Kind::Other),
    }
}

/// Messages to one contact.
fn messages(kind: EventKind, peer: &PeerKey, ids: &[MessageId]) -> Fields {
    let fields = Fields::new(kind).text_of(Field::Peer, peer.jid().to_string());
    ids.iter()
        .fold(fields, |fields, id| fields.text_of(Field::Ids, id.as_str()))
}

fn incoming(message: IncomingMessage) -> Fields {
    let mut fields = Fields::new(EventKind::Message)
        .text_of(Field::Id, message.id.as_str())
        .text_of(Field::Chat, message.chat.to_string())
        .text_of(Field::Sender, message.sender.to_string())
        .number_of(Field::FromMe, message.from_me)
        .number_of(Field::Time, message.t.0)
        .maybe_text(Field::PushName, message.push_name)
        .maybe_text(Field::Text, message.text);
    fields.payload = Some(message.payload);
    fields
}

fn outcome(completion: Completion) -> Fields {
    let op = count(completion.op.0);
    let fields = Fields::new(EventKind::Outcome).number_of(Field::Op, op);
    match completion.result {
        Ok(receipt) => fields
            .number_of(Field::Status, Status::Ok.number())
            .text_of(Field::Id, receipt.id.as_str())
            .maybe_number(Field::Time, seconds(receipt.server_time))
            .maybe_text(Field::Attached, attached_word(receipt.attached)),
        Err(error) => {
            let id = error.message_id().map(|id| id.as_str().to_owned());
            let mut fields = fields
                .number_of(Field::Status, error.status().number())
                .maybe_text(Field::Id, id)
                .maybe_text(Field::Attached, error.attached());
            fields.error = Some(error);
            fields
        }
    }
}

fn pair_failure(reason: PairFailure) -> &'static str {
    match reason {
        PairFailure::AlreadyLinked => "already_linked",
        PairFailure::CodeRefused { .. } => "code_refused",
        PairFailure::CodeTimeout => "code_timeout",
        PairFailure::ConnectionLost => "connection_lost",
        PairFailure::HmacMismatch => "hmac_mismatch",
        PairFailure::Malformed => "malformed",
        PairFailure::QrTimeout => "qr_timeout",
        PairFailure::SignatureMismatch => "signature_mismatch",
        _ => "other",
    }
}

fn history_failure(reason: &HistoryFailure) -> &'static str {
    match reason {
        HistoryFailure::Content(_) => "content",
        HistoryFailure::Fetch(_) => "fetch",
        _ => "other",
    }
}

fn receipt_kind(kind: ReceiptKind) -> &'static str {
    match kind {
        ReceiptKind::Delivered => "delivered",
        ReceiptKind::Played => "played",
        ReceiptKind::Read => "read",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use sendpath_protocol::effect::OpId;
    use sendpath_protocol::verdict::{Attached, Cause, MessageId, Refusal, WhyNot};

    use super::*;

    #[test]
    fn a_refused_send_carries_its_error_in_fields_and_json() {
        let refusal = Refusal {
            id: MessageId::parse("3EB0"),
            cause: Cause::AccountTimelocked,
            code: Some(463),
            attached: Attached::Nothing(WhyNot::NeverReceived),
            until: Some(UnixSeconds(1_800_000_000)),
            evidence: None,
        };
        let fields = Fields::of(AccountEvent::Outcome(Completion {
            op: OpId(9),
            result: Err(refusal.into()),
        }));
        assert_eq!(fields.kind(), EventKind::Outcome);
        assert_eq!(fields.number(Field::Op), Some(9));
        assert_eq!(fields.number(Field::Status), Some(401));
        assert_eq!(fields.number(Field::Time), None);
        let json: serde_json::Value = serde_json::from_str(&fields.to_json()).unwrap();
        assert_eq!(json["kind"], "outcome");
        assert_eq!(json["error"]["cause"], "ACCOUNT_TIMELOCKED");
        assert_eq!(json["error"]["retry_at"], 1_800_000_000);
        assert_eq!(json["error"]["next"], "wait_until");
        assert_eq!(json["error"].get("retry_after_ms"), None);
    }

    #[test]
    fn repeated_ids_are_counted_from_zero_and_become_an_array() {
        let ids = ["A", "B"].map(|id| MessageId::parse(id).unwrap()).to_vec();
        let fields = Fields::of(AccountEvent::Account(Event::Receipt {
            ids,
            from: "49:2@s.whatsapp.net".parse().unwrap(),
            kind: ReceiptKind::Read,
            t: None,
        }));
        assert_eq!(fields.text(Field::Ids, 1), Some("B"));
        assert_eq!(fields.text(Field::Ids, 2), None);
        let json: serde_json::Value = serde_json::from_str(&fields.to_json()).unwrap();
        assert_eq!(json["ids"], serde_json::json!(["A", "B"]));
        assert_eq!(json["what"], "read");
        assert_eq!(json.get("time"), None);
    }

    #[test]
    fn a_presence_without_a_last_time_has_none() {
        let presence = |last_seen| {
            let event = Event::Presence {
                from: "1001@lid".parse().unwrap(),
                available: false,
                last_seen,
            };
            let json = Fields::of(AccountEvent::Account(event)).to_json();
            serde_json::from_str::<serde_json::Value>(&json).unwrap()
        };
        let expected = serde_json::json!({
            "kind": "presence", "peer": "1001@lid", "available": false
        });
        assert_eq!(presence(None), expected);
        assert_eq!(presence(Some(UnixSeconds(7)))["last_seen"], 7);
    }
}
