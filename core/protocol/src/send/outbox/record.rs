//! A message as it lies in the store until the server has said yes or no.

use crate::groups::marks::{DeviceSet, DeviceSetRow};
use crate::jid::Jid;
use crate::limits::gate::RecipientHint;
use crate::nct::NoCstoken;
use crate::prost_record;
use crate::tctoken::AttachRecord;
use crate::tctoken::bucket::{BucketCount, BucketSpan, Window};
use crate::tctoken::record::Source;
use crate::time::UnixSeconds;
use crate::verdict::{Attached, MessageId, WhyNot};

/// A sent message as it lies in the store.
#[derive(Clone, Eq, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct OutboxRecord {
    /// Message id.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The stanza, exactly as it was and will be written.
    #[prost(bytes = "vec", tag = "2")]
    pub stanza: Vec<u8>,
    /// Wire recipient.
    #[prost(string, tag = "3")]
    to: String,
    /// Server time when it was built, in seconds.
    #[prost(int64, tag = "4")]
    pub built: i64,
    /// What it carries: 0 undecided, 1 tctoken, 2 cstoken, 3 never received, 4 expired,
    /// 5 not eligible, 6 store error.
    #[prost(uint32, tag = "5")]
    attached: u32,
    /// Time stamp of the tctoken, attached or expired, in seconds.
    #[prost(int64, optional, tag = "6")]
    attached_t: Option<i64>,
    /// How that was decided; missing in records of older versions.
    #[prost(message, optional, tag = "7")]
    decision: Option<Decision>,
    /// What a group message spreads; missing for others.
    #[prost(message, optional, tag = "8")]
    spread: Option<SpreadRow>,
}

/// How it was decided what a message carries, for the diagnosis of a refusal.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
struct Decision {
    /// Why a cstoken instead of a tctoken: numbers of `attached`, 0 for nothing to say.
    #[prost(uint32, tag = "1")]
    instead_of: u32,
    /// Time stamp of the expired tctoken that a cstoken went instead of, in seconds.
    #[prost(int64, optional, tag = "2")]
    instead_of_t: Option<i64>,
    /// Why no cstoken: 0 nothing to say, 1 gate off, 2 no LID, 3 no salt, 4 not eligible,
    /// 5 store error.
    #[prost(uint32, tag = "3")]
    no_cstoken: u32,
    /// Where the tctoken came from, a number of its rows; missing without one.
    #[prost(uint32, optional, tag = "4")]
    source: Option<u32>,
    /// Age of the tctoken in buckets; missing without one.
    #[prost(uint32, optional, tag = "5")]
    age: Option<u32>,
    /// Seconds of a bucket.
    #[prost(int64, tag = "6")]
    span: i64,
    /// Valid buckets.
    #[prost(uint32, tag = "7")]
    count: u32,
    /// The server had told these two.
    #[prost(bool, tag = "8")]
    props_known: bool,
    /// What the host knew of the recipient: 0 nothing special, 1 enterprise, 2 support.
    #[prost(uint32, tag = "9")]
    hint: u32,
}

/// What the answer to a group message decides about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spread {
    /// Our key of the group.
    pub key: u32,
    /// The devices that get the key with this message.
    pub devices: DeviceSet,
    /// The short name of all devices, as the stanza says it.
    pub phash: String,
    /// The message was built anew because the group had changed.
    pub anew: bool,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
struct SpreadRow {
    #[prost(uint32, tag = "1")]
    key: u32,
    #[prost(message, optional, tag = "2")]
    devices: Option<DeviceSetRow>,
    #[prost(string, tag = "3")]
    phash: String,
    #[prost(bool, tag = "4")]
    anew: bool,
}

impl core::fmt::Debug for OutboxRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "OutboxRecord({} bytes)", self.stanza.len())
    }
}

prost_record!(OutboxRecord, Outbox, version 1);

impl OutboxRecord {
    /// A record of a message that is about to leave.
    pub fn new(
        id: &MessageId,
        to: &Jid,
        stanza: Vec<u8>,
        built: UnixSeconds,
        carried: impl Into<AttachRecord>,
    ) -> Self {
        let carried = carried.into();
        let (attached, t) = match carried.attached {
            Attached::Undecided => (0, None),
            Attached::Tctoken { t } => (1, Some(t)),
            Attached::Cstoken => (2, None),
            Attached::Nothing(why) => why_number(why),
        };
        Self {
            id: id.as_str().into(),
            stanza,
            to: to.reveal(),
            built: built.0,
            attached,
            attached_t: t.map(|t| t.0),
            decision: Some(Decision::of(&carried)),
            spread: None,
        }
    }

    /// With what a group message spreads.
    #[must_use]
    pub fn spreading(mut self, spread: &Spread) -> Self {
        self.spread = Some(SpreadRow {
            key: spread.key,
            devices: Some(DeviceSetRow::from(&spread.devices)),
            phash: spread.phash.clone(),
            anew: spread.anew,
        });
        self
    }

    /// What a group message spreads; `None` for others, and in a damaged record.
    pub fn spread(&self) -> Option<Spread> {
        let row = self.spread.clone()?;
        Some(Spread {
            key: row.key,
            devices: row.devices.unwrap_or_default().read()?,
            phash: row.phash,
            anew: row.anew,
        })
    }

    /// With what the host knows about the recipient.
    #[must_use]
    pub fn hinted(mut self, hint: RecipientHint) -> Self {
        self.decision.get_or_insert_default().hint = match hint {
            RecipientHint::Ordinary => 0,
            RecipientHint::Enterprise => 1,
            RecipientHint::Support => 2,
        };
        self
    }

    /// What the host knew about the recipient.
    pub fn hint(&self) -> RecipientHint {
        match self.decision.map(|decision| decision.hint) {
            Some(1) => RecipientHint::Enterprise,
            Some(2) => RecipientHint::Support,
            _ => RecipientHint::Ordinary,
        }
    }

    /// The wire recipient; `None` in a damaged record.
    pub fn recipient(&self) -> Option<Jid> {
        self.to.parse().ok()
    }

    /// What the stanza carries to open the chat.
    pub fn attached(&self) -> Attached {
        let t = self.attached_t.map(UnixSeconds);
        match (self.attached, t) {
            (1, Some(t)) => Attached::Tctoken { t },
            (2, _) => Attached::Cstoken,
            (number, t) => why(number, t).map_or(Attached::Undecided, Attached::Nothing),
        }
    }

    /// What the stanza carries and how that was decided.
    pub fn carried(&self) -> AttachRecord {
        let attached = AttachRecord::from(self.attached());
        match &self.decision {
            Some(decision) => AttachRecord {
                instead_of: why(decision.instead_of, decision.instead_of_t.map(UnixSeconds)),
                no_cstoken: no_cstoken(decision.no_cstoken),
                source: decision.source.map(Source::from_number),
                age: decision.age,
                window: Window {
                    span: BucketSpan::new(decision.span),
                    count: BucketCount::new(decision.count.into()),
                },
                props_known: decision.props_known,
                ..attached
            },
            None => attached,
        }
    }
}

impl Decision {
    fn of(carried: &AttachRecord) -> Self {
        let (instead_of, t) = carried.instead_of.map_or((0, None), why_number);
        Self {
            instead_of,
            instead_of_t: t.map(|t| t.0),
            no_cstoken: match carried.no_cstoken {
                None => 0,
                Some(NoCstoken::GateOff) => 1,
                Some(NoCstoken::NoLid) => 2,
                Some(NoCstoken::NoSalt) => 3,
                Some(NoCstoken::NotEligible) => 4,
                Some(NoCstoken::StoreError) => 5,
            },
            source: carried.source.map(Source::number),
            age: carried.age,
            span: carried.window.span.seconds(),
            count: carried.window.count.get().into(),
            props_known: carried.props_known,
            hint: 0,
        }
    }
}

/// The number of a reason in a record, and its time stamp.
const fn why_number(why: WhyNot) -> (u32, Option<UnixSeconds>) {
    match why {
        WhyNot::NeverReceived => (3, None),
        WhyNot::Expired { t } => (4, Some(t)),
        WhyNot::NotEligible => (5, None),
        WhyNot::StoreError => (6, None),
        WhyNot::GateOff => (7, None),
    }
}

const fn why(number: u32, t: Option<UnixSeconds>) -> Option<WhyNot> {
    match (number, t) {
        (3, _) => Some(WhyNot::NeverReceived),
        (4, Some(t)) => Some(WhyNot::Expired { t }),
        (5, _) => Some(WhyNot::NotEligible),
        (6, _) => Some(WhyNot::StoreError),
        (7, _) => Some(WhyNot::GateOff),
        _ => None,
    }
}

const fn no_cstoken(number: u32) -> Option<NoCstoken> {
    match number {
        1 => Some(NoCstoken::GateOff),
        2 => Some(NoCstoken::NoLid),
        3 => Some(NoCstoken::NoSalt),
        4 => Some(NoCstoken::NotEligible),
        5 => Some(NoCstoken::StoreError),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretBytes;
    use crate::tctoken::Attach;
    use crate::tctoken::policy::{Freshness, TokenProps};
    use crate::txn::Record as _;

    /// In bucket 2953; a week is a bucket.
    const NOW: UnixSeconds = UnixSeconds(1_786_074_400);

    fn record(carried: impl Into<AttachRecord>) -> OutboxRecord {
        let id = MessageId::parse("3EB0").unwrap();
        OutboxRecord::new(&id, &Jid::lid("7"), vec![1], NOW, carried)
    }

    fn kept(record: &OutboxRecord) -> OutboxRecord {
        OutboxRecord::from_row(&record.to_row()).unwrap()
    }

    fn known() -> TokenProps {
        let (span, count) = (BucketSpan::DEFAULT, BucketCount::new(26));
        TokenProps {
            receive: Some(Window { span, count }),
            ..TokenProps::default()
        }
    }

    #[test]
    fn a_token_is_kept_with_its_source_its_age_and_the_window() {
        let token = Attach::Tctoken {
            bytes: SecretBytes::new(vec![1]),
            t: NOW.plus(-3 * 604_800),
            freshness: Freshness::Fresh,
            source: Source::History,
        };
        let carried = token.record(&known(), NOW);
        assert_eq!(
            (carried.age, carried.source),
            (Some(3), Some(Source::History))
        );
        assert!(carried.props_known);
        assert_eq!(carried.window.count, BucketCount::new(26));
        assert_eq!(kept(&record(carried)).carried(), carried);
    }

    #[test]
    fn every_reason_for_nothing_and_for_a_cstoken_is_kept() {
        let reasons = [
            WhyNot::NeverReceived,
            WhyNot::Expired { t: UnixSeconds(9) },
            WhyNot::NotEligible,
            WhyNot::StoreError,
            WhyNot::GateOff,
        ];
        let no_cstoken = [
            NoCstoken::GateOff,
            NoCstoken::NoLid,
            NoCstoken::NoSalt,
            NoCstoken::NotEligible,
            NoCstoken::StoreError,
        ];
        for token in reasons {
            let cstoken = Attach::Cstoken {
                bytes: [0; 32],
                instead_of: token,
            };
            let carried = cstoken.record(&TokenProps::default(), NOW);
            assert_eq!(carried.instead_of, Some(token));
            assert_eq!(kept(&record(carried)).carried(), carried);
            for cstoken in no_cstoken {
                let carried = Attach::Nothing { token, cstoken }.record(&known(), NOW);
                assert_eq!(carried.no_cstoken, Some(cstoken));
                assert_eq!(kept(&record(carried)).carried(), carried);
            }
        }
    }

    #[test]
    fn what_the_host_knew_of_the_recipient_is_kept() {
        for hint in [
            RecipientHint::Enterprise,
            RecipientHint::Ordinary,
            RecipientHint::Support,
        ] {
            let record = record(Attached::Cstoken).hinted(hint);
            assert_eq!(kept(&record).hint(), hint);
        }
    }

    #[test]
    fn records_of_older_versions_are_read() {
        let older = OutboxRecord {
            decision: None,
            ..record(Attached::Nothing(WhyNot::Expired { t: NOW }))
        };
        assert_eq!(
            hex::encode(older.to_row()),
            "010a04334542301201011a0537406c696420a0aad5d306280430a0aad5d306"
        );
        assert_eq!(kept(&older).carried(), older.attached().into());
        assert_eq!(older.hint(), RecipientHint::Ordinary);
    }
}
