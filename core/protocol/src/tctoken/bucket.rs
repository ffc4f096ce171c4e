//! The arithmetic of token windows, in whole seconds of server time.
//!
//! ```text
//! bucket(x)  = floor(x / span)
//! cutoff     = (bucket(now) - (count - 1)) * span        expired: t < cutoff
//! must issue = never issued, or bucket(now) > bucket(last issue)
//! ```
//!
//! Buckets are aligned to the epoch, so with the usual span of seven days one begins every
//! Thursday 00:00 UTC. whatsmeow, whatsapp-rust and Baileys agree on all three rules (spec:
//! "expiry mathematics").

use core::num::{NonZeroU16, NonZeroU32};

use crate::time::UnixSeconds;

/// Length of one bucket: 1 second to 180 days.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BucketSpan(NonZeroU32);

impl BucketSpan {
    /// Seven days, the default of AB props 865 and 996.
    pub const DEFAULT: Self = Self(nonzero_u32(604_800));

    /// 180 days: WhatsApp Web cuts longer spans to this.
    pub const MAX: Self = Self(nonzero_u32(15_552_000));

    /// `seconds` cut to [`BucketSpan::MAX`]; zero and negative numbers mean nothing and give the
    /// default.
    pub fn new(seconds: i64) -> Self {
        match u32::try_from(seconds.min(Self::MAX.seconds())).map(NonZeroU32::new) {
            Ok(Some(seconds)) => Self(seconds),
            Ok(None) | Err(_) => Self::DEFAULT,
        }
    }

    /// The value of an AB prop; text that is no number gives the default.
    pub fn from_prop(text: &str) -> Self {
        text.trim().parse().map_or(Self::DEFAULT, Self::new)
    }

    /// The length in seconds.
    pub const fn seconds(self) -> i64 {
        self.0.get() as i64
    }

    /// Number of the bucket that `t` lies in.
    pub const fn bucket(self, t: UnixSeconds) -> i64 {
        t.0.div_euclid(self.seconds())
    }

    /// The first second of the bucket after the one `t` lies in.
    pub const fn next(self, t: UnixSeconds) -> UnixSeconds {
        let next = self.bucket(t).saturating_add(1);
        UnixSeconds(next.saturating_mul(self.seconds()))
    }

    /// Whether a new issue is due at `now`, given the last one.
    ///
    /// Strictly later buckets only: a clock that went back must not cause an issue.
    pub const fn must_issue(self, last: Option<UnixSeconds>, now: UnixSeconds) -> bool {
        match last {
            Some(last) => self.bucket(now) > self.bucket(last),
            None => true,
        }
    }
}

/// How many buckets, the current one included, are valid: at least 1.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BucketCount(NonZeroU16);

impl BucketCount {
    /// The default of AB props 909 and 997.
    pub const DEFAULT: Self = Self(nonzero_u16(4));

    /// What the live server was seen to send for AB prop 909 (whatsapp-rust PR 473). Tokens older
    /// than this are never attached while the props are unknown.
    pub const WIDEST_SEEN: Self = Self(nonzero_u16(26));

    /// `count` cut to what is possible.
    pub fn new(count: i64) -> Self {
        let count = u16::try_from(count.max(1)).unwrap_or(u16::MAX);
        Self(NonZeroU16::new(count).unwrap_or(NonZeroU16::MIN))
    }

    /// The value of an AB prop; text that is no number gives the default.
    pub fn from_prop(text: &str) -> Self {
        text.trim().parse().map_or(Self::DEFAULT, Self::new)
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

/// How long a time stamp stays valid. The window for tokens we received and the one for tokens we
/// issued are configured apart.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Window {
    /// Length of a bucket.
    pub span: BucketSpan,
    /// Number of valid buckets.
    pub count: BucketCount,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            span: BucketSpan::DEFAULT,
            count: BucketCount::DEFAULT,
        }
    }
}

impl Window {
    /// The first second that is still valid at `now`.
    pub const fn cutoff(self, now: UnixSeconds) -> UnixSeconds {
        let first = self
            .span
            .bucket(now)
            .saturating_sub(self.count.get() as i64 - 1);
        UnixSeconds(first.saturating_mul(self.span.seconds()))
    }

    /// The first second at which a stamp `t` is past its window.
    pub const fn end(self, t: UnixSeconds) -> UnixSeconds {
        let bucket = self.span.bucket(t).saturating_add(self.count.get() as i64);
        UnixSeconds(bucket.saturating_mul(self.span.seconds()))
    }

    /// Whether a stamp `t` is past its window at `now`.
    pub const fn expired(self, t: UnixSeconds, now: UnixSeconds) -> bool {
        t.0 < self.cutoff(now).0
    }
}

const fn nonzero_u32(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

const fn nonzero_u16(number: u16) -> NonZeroU16 {
    match NonZeroU16::new(number) {
        Some(number) => number,
        None => NonZeroU16::MIN,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_786_074_400);

    fn cases(name: &str) -> Vec<Value> {
        let file: Value =
            serde_json::from_str(include_str!("../../tests/vectors/tokens.json")).unwrap();
        let group = file["cases"].as_array().unwrap().iter();
        let group = group.clone().find(|group| group["name"] == name).unwrap();
        group["cases"].as_array().unwrap().clone()
    }

    #[test]
    fn expiry_agrees_with_the_vectors() {
        let cases = cases("tctoken expiry");
        assert!(cases.len() > 30);
        for case in cases {
            let window = Window {
                span: BucketSpan::new(case["bucket_s"].as_i64().unwrap()),
                count: BucketCount::new(case["buckets"].as_i64().unwrap()),
            };
            let now = UnixSeconds(case["now"].as_i64().unwrap());
            let t = UnixSeconds(case["token_t"].as_i64().unwrap());
            assert_eq!(window.cutoff(now).0, case["cutoff"].as_i64().unwrap());
            assert_eq!(window.expired(t, now), case["expired"].as_bool().unwrap());
        }
    }

    #[test]
    fn issuing_agrees_with_the_vectors() {
        for case in cases("issue after send") {
            let span = BucketSpan::new(case["sender_bucket_s"].as_i64().unwrap());
            let now = UnixSeconds(case["now"].as_i64().unwrap());
            let last = case["sender_t"].as_i64().map(UnixSeconds);
            assert_eq!(span.must_issue(last, now), case["issue"].as_bool().unwrap());
        }
    }

    #[test]
    fn windows_of_one_four_and_twenty_six_buckets_begin_where_the_specification_says() {
        for (count, cutoff) in [(1, 1_785_974_400), (4, 1_784_160_000), (26, 1_770_854_400)] {
            let window = Window {
                span: BucketSpan::DEFAULT,
                count: BucketCount::new(count),
            };
            assert_eq!(window.cutoff(NOW), UnixSeconds(cutoff));
        }
    }

    #[test]
    fn odd_props_are_clamped_or_defaulted() {
        for (text, seconds) in [
            ("0", 604_800),
            ("-5", 604_800),
            ("x", 604_800),
            ("", 604_800),
            ("1", 1),
            ("20000000", 15_552_000),
            ("99999999999999999999", 604_800),
        ] {
            assert_eq!(BucketSpan::from_prop(text).seconds(), seconds, "{text}");
        }
        for (text, count) in [("0", 1), ("-1", 1), ("x", 4), ("26", 26), ("70000", 65_535)] {
            assert_eq!(BucketCount::from_prop(text).get(), count, "{text}");
        }
    }

    #[test]
    fn times_before_1970_lie_in_negative_buckets() {
        assert_eq!(BucketSpan::DEFAULT.bucket(UnixSeconds(-1)), -1);
    }

    proptest! {
        #[test]
        fn a_stamp_is_valid_until_the_second_before_its_end(
            t in 0i64..4_000_000_000, seconds in 1i64..20_000_000, count in 1i64..60,
        ) {
            let window = Window { span: BucketSpan::new(seconds), count: BucketCount::new(count) };
            let t = UnixSeconds(t);
            let end = window.end(t);
            prop_assert!(!window.expired(t, end.plus(-1)));
            prop_assert!(window.expired(t, end));
            let next = window.span.next(t);
            prop_assert!(!window.span.must_issue(Some(t), next.plus(-1)));
            prop_assert!(window.span.must_issue(Some(t), next));
        }

        #[test]
        fn a_stamp_stays_valid_for_count_minus_one_to_count_buckets(
            now in 0i64..4_000_000_000, count in 1i64..60,
        ) {
            let window = Window { span: BucketSpan::DEFAULT, count: BucketCount::new(count) };
            let age = now - window.cutoff(UnixSeconds(now)).0;
            prop_assert!(age >= (count - 1) * 604_800 && age < count * 604_800);
        }
    }
}
