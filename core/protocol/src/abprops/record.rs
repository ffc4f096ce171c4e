//! The stored set: values together with the hash that names them.
//!
//! ```text
//! <props protocol="1" [ab_key] [hash] [refresh="<s>"] [refresh_id] [delta_update="true"]>
//!   <prop config_code="909" config_value="26" [config_expo_key]/>
//!   <prop event_code sampling_weight/>                                             not ours
//! ```
//!
//! Hash and values live in one row: with a hash but without its values the server would answer with
//! changes to nothing (spec: "fetch"; one peer lost its set that way).

use std::collections::BTreeMap;

use prost::Message;

use super::codes::{Code, MAX_VALUE, REVISION, Values, truthy};
use crate::time::UnixSeconds;
use crate::wap::Node;

/// Longest `hash` and `refresh_id` that are kept, in bytes; seen ones have a dozen.
const MAX_MARK: usize = 128;

/// Seconds between fetches when the server does not say.
const REFRESH: i64 = 86_400;

/// Bounds of the seconds between fetches, as zapo has them: below, a wrong value would make us ask
/// all the time; above, we would miss a change for more than a week.
const REFRESH_BOUNDS: (i64, i64) = (600, 604_800);

/// The stored set.
#[derive(Clone, Eq, PartialEq, Message)]
pub struct PropsRecord {
    /// Raw values by code, ours only.
    #[prost(btree_map = "uint32, string", tag = "1")]
    pub values: BTreeMap<u32, String>,
    /// The server told the whole set once, so a missing code has its default.
    #[prost(bool, tag = "2")]
    pub complete: bool,
    /// The server's name for exactly these values; `None` when it gave none or they changed since.
    #[prost(string, optional, tag = "3")]
    pub hash: Option<String>,
    /// To be sent back with the next fetch.
    #[prost(string, optional, tag = "4")]
    pub refresh_id: Option<String>,
    /// Seconds between fetches as the server wrote them.
    #[prost(int64, optional, tag = "5")]
    pub refresh: Option<i64>,
    /// Server time of the last fetch.
    #[prost(int64, tag = "6")]
    pub fetched_at: i64,
    /// Which codes were looked for.
    #[prost(uint32, tag = "7")]
    pub revision: u32,
}

crate::prost_record!(PropsRecord, Props, version 1);

impl PropsRecord {
    /// Takes an answer: changes to the set, or a set that replaces it. Gives the number of values
    /// that were left out because they are too long.
    pub(super) fn take(&mut self, props: &Node, now: UnixSeconds) -> u64 {
        let (told, ignored) = told(props);
        let hash = mark(props, "hash");
        let same = told.is_empty() && hash.is_some() && hash == self.hash;
        if same || props.text("delta_update").is_some_and(|text| truthy(&text)) {
            self.values.extend(told);
        } else {
            self.values = told;
            self.complete = true;
            self.revision = REVISION;
        }
        self.hash = hash.filter(|_| self.complete);
        self.refresh_id = mark(props, "refresh_id").or(self.refresh_id.take());
        self.refresh = props.number("refresh");
        self.fetched_at = now.0;
        ignored
    }

    /// Takes values of a host. The server's hash does not name the set any more if it changed.
    pub(super) fn feed<'v>(
        &mut self,
        values: impl IntoIterator<Item = (u32, &'v str)>,
        now: UnixSeconds,
    ) -> u64 {
        let mut ignored = 0;
        for (code, value) in values {
            match kept(code, value) {
                Kept::Ours if self.values.get(&code).is_none_or(|known| known != value) => {
                    self.values.insert(code, value.to_owned());
                    self.hash = None;
                }
                Kept::Ours | Kept::NotOurs => {}
                Kept::TooLong => ignored += 1,
            }
        }
        self.fetched_at = now.0;
        ignored
    }

    /// The hash, if the values it names are all here.
    pub(super) fn sendable_hash(&self) -> Option<&str> {
        let whole = self.complete && !self.values.is_empty() && !self.outdated();
        self.hash.as_deref().filter(|_| whole)
    }

    /// Some codes we read now were not looked for when this was stored.
    pub(super) const fn outdated(&self) -> bool {
        self.complete && self.revision != REVISION
    }

    /// Seconds from `now` to the next fetch. After a clock that went back it is at most the whole
    /// time between fetches.
    pub(super) fn due_in(&self, now: UnixSeconds) -> i64 {
        let (least, most) = REFRESH_BOUNDS;
        let refresh = self.refresh.map_or(REFRESH, |s| s.clamp(least, most));
        refresh
            .saturating_sub(now.since(UnixSeconds(self.fetched_at)))
            .clamp(0, refresh)
    }

    pub(super) const fn read(&self) -> Values<'_> {
        Values {
            values: &self.values,
            complete: self.complete,
        }
    }
}

/// What becomes of a value.
enum Kept {
    NotOurs,
    Ours,
    TooLong,
}

fn kept(code: u32, value: &str) -> Kept {
    match Code::of(code) {
        Some(_) if value.len() <= MAX_VALUE => Kept::Ours,
        Some(_) => Kept::TooLong,
        None => Kept::NotOurs,
    }
}

/// Our values in an answer, and the number of ours that are too long.
fn told(props: &Node) -> (BTreeMap<u32, String>, u64) {
    let (mut values, mut ignored) = (BTreeMap::new(), 0);
    for prop in props.all("prop") {
        let (Some(code), Some(value)) = (prop.number("config_code"), prop.text("config_value"))
        else {
            continue;
        };
        match kept(code, &value) {
            Kept::NotOurs => {}
            Kept::Ours => {
                values.insert(code, value.into_owned());
            }
            Kept::TooLong => ignored += 1,
        }
    }
    (values, ignored)
}

fn mark(props: &Node, key: &str) -> Option<String> {
    let text = props.text(key)?;
    (1..=MAX_MARK)
        .contains(&text.len())
        .then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::txn::Record;

    const NOW: UnixSeconds = UnixSeconds(1_786_074_400);

    fn prop(code: &str, value: &str) -> Node {
        Node::new("prop")
            .attr("config_code", code.to_owned())
            .attr("config_value", value.to_owned())
    }

    fn fetched() -> PropsRecord {
        let props = Node::new("props")
            .attr("hash", "h1")
            .attr("refresh", "3600")
            .attr("refresh_id", "7")
            .children([prop("909", "26"), prop("14303", "1")]);
        let mut record = PropsRecord::default();
        assert_eq!(record.take(&props, NOW), 0);
        record
    }

    fn value(record: &PropsRecord, code: u32) -> Option<&str> {
        record.values.get(&code).map(String::as_str)
    }

    #[test]
    fn the_bytes_of_a_row_never_change() {
        assert_eq!(PropsRecord::from_row(&fetched().to_row()), Ok(fetched()));
        assert_eq!(
            hex::encode(fetched().to_row()),
            "010a07088d07120232360a0608df6f12013110011a02683122013728901c30a0aad5d3063801"
        );
    }

    #[test]
    fn a_full_answer_replaces_and_a_delta_merges() {
        let mut record = fetched();
        let delta = Node::new("props")
            .attr("hash", "h2")
            .attr("delta_update", "True")
            .child(prop("14303", "0"));
        record.take(&delta, NOW);
        assert_eq!(value(&record, 909), Some("26"));
        assert_eq!(value(&record, 14303), Some("0"));
        assert_eq!(record.sendable_hash(), Some("h2"));
        let full = Node::new("props").child(prop("14303", "1"));
        record.take(&full, NOW);
        assert_eq!((value(&record, 909), record.hash.as_deref()), (None, None));
        assert_eq!(record.refresh_id.as_deref(), Some("7"));
    }

    #[test]
    fn a_delta_to_nothing_is_no_set() {
        let mut record = PropsRecord::default();
        let delta = Node::new("props")
            .attr("hash", "h2")
            .attr("delta_update", "true")
            .child(prop("909", "26"));
        record.take(&delta, NOW);
        assert_eq!(value(&record, 909), Some("26"));
        assert_eq!((record.complete, record.hash.as_deref()), (false, None));
    }

    #[test]
    fn an_empty_answer_with_our_hash_says_that_nothing_changed() {
        let mut record = fetched();
        record.take(&Node::new("props").attr("hash", "h1"), NOW.plus(9));
        assert_eq!(value(&record, 909), Some("26"));
        assert_eq!(record.fetched_at, NOW.0 + 9);
        record.take(&Node::new("props").attr("hash", "h3"), NOW);
        assert!(record.complete && record.values.is_empty());
    }

    #[test]
    fn only_whole_values_of_our_codes_are_kept() {
        let mut record = PropsRecord::default();
        let long = "1".repeat(MAX_VALUE + 1);
        let props = Node::new("props").children([
            prop("910", "5"),
            prop("x", "5"),
            prop("-1", "5"),
            prop("997", &long),
            Node::new("prop")
                .attr("event_code", "909")
                .attr("sampling_weight", "3"),
            Node::new("prop").attr("config_code", "909"),
            Node::new("other").attr("config_code", "909"),
            prop("865", ""),
            prop("996", "1"),
            prop("996", "2"),
        ]);
        assert_eq!(record.take(&props, NOW), 1);
        let kept: Vec<_> = record.values.iter().map(|(c, v)| (*c, &**v)).collect();
        assert_eq!(kept, [(865, ""), (996, "2")]);
    }

    #[test]
    fn a_mark_that_is_too_long_is_none() {
        let long = "h".repeat(MAX_MARK + 1);
        let props = Node::new("props")
            .attr("hash", long.clone())
            .attr("refresh_id", long)
            .child(prop("909", "26"));
        let mut record = fetched();
        record.take(&props, NOW);
        assert_eq!(record.hash, None);
        assert_eq!(record.refresh_id.as_deref(), Some("7"));
    }

    #[test]
    fn a_hosts_values_take_the_name_off_a_set_they_change() {
        let mut record = fetched();
        record.feed([(909, "26"), (910, "1")], NOW);
        assert_eq!(record.sendable_hash(), Some("h1"));
        let long = "1".repeat(MAX_VALUE + 1);
        assert_eq!(record.feed([(909, "4"), (865, &long)], NOW.plus(5)), 1);
        assert_eq!(value(&record, 909), Some("4"));
        assert_eq!(value(&record, 865), None);
        assert_eq!(value(&record, 14303), Some("1"));
        assert_eq!((record.hash, record.fetched_at), (None, NOW.0 + 5));
    }

    #[test]
    fn a_set_of_other_codes_is_asked_for_as_a_whole() {
        let mut record = fetched();
        record.revision = REVISION + 1;
        assert!(record.outdated());
        assert_eq!(record.sendable_hash(), None);
    }

    #[test]
    fn the_time_between_fetches_is_the_servers_within_bounds() {
        for (refresh, seconds) in [
            (None, 86_400),
            (Some("x"), 86_400),
            (Some("3600"), 3_600),
            (Some("1"), 600),
            (Some("-9"), 600),
            (Some("9999999"), 604_800),
        ] {
            let mut record = PropsRecord::default();
            record.take(&Node::new("props").maybe("refresh", refresh), NOW);
            assert_eq!(record.due_in(NOW), seconds, "{refresh:?}");
            assert_eq!(record.due_in(NOW.plus(seconds - 1)), 1);
            assert_eq!(record.due_in(NOW.plus(seconds + 50)), 0);
            assert_eq!(record.due_in(UnixSeconds(i64::MIN)), seconds);
            assert_eq!(record.due_in(UnixSeconds(i64::MAX)), 0);
        }
    }
}
