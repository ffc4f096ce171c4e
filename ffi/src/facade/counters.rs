//! What was left aside, by reason, under the names that every language uses.

use sendpath_protocol::tctoken::Counters;

use super::json::Object;

/// The counters as one JSON object.
pub(super) fn to_json(counters: &Counters) -> String {
    let mut object = Object::new();
    for (name, count) in named(counters) {
        object.raw(name, &count.to_string());
    }
    object.finish()
}

fn named(counters: &Counters) -> [(&'static str, u64); 11] {
    let Counters {
        ignored,
        not_a_contact,
        older,
        from_the_future,
        damaged_rows,
        newer_rows,
        failed_reads,
        unknown_results,
    } = *counters;
    [
        ("bad_time", ignored.bad_time),
        ("empty", ignored.empty),
        ("too_much", ignored.too_much),
        ("unknown_type", ignored.unknown_type),
        ("not_a_contact", not_a_contact),
        ("older", older),
        ("from_the_future", from_the_future),
        ("damaged_rows", damaged_rows),
        ("newer_rows", newer_rows),
        ("failed_reads", failed_reads),
        ("unknown_results", unknown_results),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_own_name() {
        let mut counters = Counters::default();
        counters.ignored.too_much = 3;
        counters.unknown_results = u64::MAX;
        let json: serde_json::Value = serde_json::from_str(&to_json(&counters)).unwrap();
        assert_eq!(json["too_much"], 3);
        assert_eq!(json["unknown_results"], u64::MAX);
        assert_eq!(json.as_object().map(serde_json::Map::len), Some(11));
    }
}
