//! The laws of the token rules, over random values and at every edge.
//!
//! ```text
//! receive   the last of the tokens with the greatest stamp     ties: the order counts, by rule
//! touch     the greatest time                                  any order, any repetition
//! merge     the first of the rows with the greatest stamp      ties: the LID row, by rule
//! buckets   floor division without bounds (i128)
//! ```
// Marks the helpers as test code for the lints.
#![cfg(test)]

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use sendpath_protocol::secret::SecretBytes;
use sendpath_protocol::tctoken::bucket::{BucketCount, BucketSpan, Window};
use sendpath_protocol::tctoken::record::{Change, Issued, Source, Theirs, TokenRecord};
use sendpath_protocol::time::UnixSeconds;

/// What the laws are about: the bytes, shortened to one, and the stamp.
type Token = (u8, i64);

fn theirs((byte, t): Token) -> Theirs {
    Theirs {
        bytes: SecretBytes::new(vec![byte]),
        t: UnixSeconds(t),
        source: Source::Notification,
        seen: UnixSeconds(t),
        suspect: false,
    }
}

fn row(token: Option<Token>, issued: Option<i64>) -> TokenRecord {
    TokenRecord {
        theirs: token.map(theirs),
        ours: issued.map(|t| Issued { t: UnixSeconds(t) }),
    }
}

fn token_of(row: &TokenRecord) -> Option<Token> {
    let theirs = row.theirs.as_ref()?;
    Some((theirs.bytes.expose()[0], theirs.t.0))
}

fn issued_of(row: &TokenRecord) -> Option<i64> {
    row.ours.map(|ours| ours.t.0)
}

fn receive_all(tokens: &[Token]) -> TokenRecord {
    let mut row = TokenRecord::default();
    for token in tokens {
        row.receive(theirs(*token));
    }
    row
}

fn merge_all(rows: &[TokenRecord]) -> TokenRecord {
    rows.iter().cloned().reduce(TokenRecord::merged).unwrap()
}

/// Few bytes and few stamps, so that repetitions and ties are common.
fn any_token() -> impl Strategy<Value = Token> {
    (0u8..3, 1i64..6)
}

/// One stamp, one token: as the server does it.
fn untied_token() -> impl Strategy<Value = Token> {
    (1i64..9).prop_map(|t| (u8::try_from(t % 4).unwrap(), t))
}

fn any_row() -> impl Strategy<Value = TokenRecord> {
    (option::of(any_token()), option::of(0i64..6)).prop_map(|(token, issued)| row(token, issued))
}

fn untied_row() -> impl Strategy<Value = TokenRecord> {
    (option::of(untied_token()), option::of(0i64..6)).prop_map(|(token, issued)| row(token, issued))
}

/// Values in any order, some of them more than once, and the same in another order.
fn shuffled<S>(values: S) -> impl Strategy<Value = (Vec<S::Value>, Vec<S::Value>)>
where
    S: Strategy,
    S::Value: Clone,
{
    vec(values, 1..10).prop_flat_map(|values| {
        let repeated = [values.clone(), values.clone()].concat();
        (Just(values), Just(repeated).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn the_last_of_the_newest_tokens_stays(tokens in vec(any_token(), 0..12)) {
        // `max_by_key` gives the last of several maxima.
        let newest = tokens.iter().copied().max_by_key(|(_, t)| *t);
        prop_assert_eq!(token_of(&receive_all(&tokens)), newest);
    }

    #[test]
    fn without_ties_tokens_come_in_any_order_and_any_number(
        (tokens, repeated) in shuffled(untied_token()),
    ) {
        prop_assert_eq!(token_of(&receive_all(&tokens)), token_of(&receive_all(&repeated)));
    }

    #[test]
    fn tokens_delivered_again_change_nothing(tokens in vec(any_token(), 1..10)) {
        let once = receive_all(&tokens);
        let mut again = once.clone();
        let newest = theirs(token_of(&once).unwrap());
        prop_assert_eq!(again.receive(newest), Change::None);
        prop_assert_eq!(&again, &once);
        for token in &tokens {
            again.receive(theirs(*token));
        }
        prop_assert_eq!(token_of(&again), token_of(&once));
    }

    #[test]
    fn a_change_is_named_as_what_it_is(tokens in vec(any_token(), 0..8), next in any_token()) {
        let mut row = receive_all(&tokens);
        let before = token_of(&row);
        let change = row.receive(theirs(next));
        let expected = match before {
            Some((byte, t)) if byte == next.0 && next.1 > t => Change::Advanced,
            Some((byte, _)) if byte == next.0 => Change::None,
            Some((_, t)) if next.1 < t => Change::Older,
            _ => Change::Stored,
        };
        prop_assert_eq!(change, expected);
        let changed = matches!(change, Change::Advanced | Change::Stored);
        prop_assert_eq!(token_of(&row) != before, changed);
    }

    #[test]
    fn the_greatest_issue_stays((times, repeated) in shuffled(any::<i64>())) {
        let touch_all = |times: &[i64]| {
            let mut row = TokenRecord::default();
            for t in times {
                let before = row.ours;
                let moved = row.touch_sender(UnixSeconds(*t));
                assert_eq!(moved, row.ours != before);
            }
            issued_of(&row)
        };
        prop_assert_eq!(touch_all(&times), times.iter().copied().max());
        prop_assert_eq!(touch_all(&repeated), times.iter().copied().max());
    }

    #[test]
    fn tokens_and_issues_do_not_see_each_other(
        events in vec(prop_oneof![
            any_token().prop_map(Ok),
            (0i64..9).prop_map(Err),
        ], 0..14),
    ) {
        let mut mixed = TokenRecord::default();
        for event in &events {
            match event {
                Ok(token) => { mixed.receive(theirs(*token)); }
                Err(t) => { mixed.touch_sender(UnixSeconds(*t)); }
            }
        }
        let tokens: Vec<_> = events.iter().filter_map(|event| event.ok()).collect();
        prop_assert_eq!(token_of(&mixed), token_of(&receive_all(&tokens)));
        prop_assert_eq!(issued_of(&mixed), events.iter().filter_map(|event| event.err()).max());
    }

    #[test]
    fn merged_rows_hold_the_first_newest_token_and_the_last_issue(rows in vec(any_row(), 1..8)) {
        let merged = merge_all(&rows);
        // The first of several maxima: the LID row stands in front.
        let newest = rows.iter().filter_map(token_of).rev().max_by_key(|(_, t)| *t);
        prop_assert_eq!(token_of(&merged), newest);
        prop_assert_eq!(issued_of(&merged), rows.iter().filter_map(issued_of).max());
    }

    #[test]
    fn merging_is_associative_and_idempotent(a in any_row(), b in any_row(), c in any_row()) {
        let merged = TokenRecord::merged;
        prop_assert_eq!(&merged(a.clone(), a.clone()), &a);
        let left = merged(merged(a.clone(), b.clone()), c.clone());
        let right = merged(a.clone(), merged(b.clone(), c.clone()));
        prop_assert_eq!(&left, &right);
        for row in [a, b, c] {
            prop_assert_eq!(&merged(left.clone(), row), &left, "merged once more");
        }
    }

    #[test]
    fn without_ties_rows_merge_in_any_order_and_any_number(
        (rows, repeated) in shuffled(untied_row()),
    ) {
        prop_assert_eq!(merge_all(&rows), merge_all(&repeated));
    }

    #[test]
    fn a_tie_is_decided_for_the_lid_and_nothing_else_is(a in any_row(), b in any_row()) {
        let (ab, ba) = (
            TokenRecord::merged(a.clone(), b.clone()),
            TokenRecord::merged(b.clone(), a.clone()),
        );
        prop_assert_eq!(ab.ours, ba.ours);
        if let (Some(of_a), Some(of_b)) = (token_of(&a), token_of(&b))
            && of_a.1 == of_b.1
        {
            prop_assert_eq!((token_of(&ab), token_of(&ba)), (Some(of_a), Some(of_b)));
        } else {
            prop_assert_eq!(ab, ba);
        }
    }

    #[test]
    fn it_does_not_matter_when_the_mapping_is_learned(
        by_lid in vec(untied_token(), 0..6), by_pn in vec(untied_token(), 0..6),
    ) {
        let late = TokenRecord::merged(receive_all(&by_lid), receive_all(&by_pn));
        let early = receive_all(&[by_lid, by_pn].concat());
        prop_assert_eq!(token_of(&late), token_of(&early));
    }
}

const WEEK: i64 = 604_800;
const HALF_YEAR: i64 = 15_552_000;

/// Any number, with every edge of the arithmetic and its neighbours.
fn number() -> impl Strategy<Value = i64> {
    let edges = [
        i64::MIN,
        i64::MIN + WEEK,
        -WEEK,
        0,
        1,
        4,
        26,
        i64::from(u16::MAX),
        WEEK,
        HALF_YEAR,
        i64::from(u32::MAX),
        1_785_974_400,
        i64::MAX - WEEK,
        i64::MAX,
    ];
    let near = (prop::sample::select(edges.to_vec()), -1i64..=1)
        .prop_map(|(edge, step)| edge.saturating_add(step));
    prop_oneof![near, any::<i64>(), -3 * WEEK..3 * WEEK]
}

fn reference_span(seconds: i64) -> i128 {
    match seconds {
        i64::MIN..=0 => i128::from(WEEK),
        _ => i128::from(seconds.min(HALF_YEAR)),
    }
}

fn reference_count(count: i64) -> i128 {
    i128::from(count.clamp(1, i64::from(u16::MAX)))
}

fn reference_bucket(t: i64, span: i128) -> i128 {
    let t = i128::from(t);
    // Division of i128 rounds towards zero.
    t / span - i128::from(t % span < 0)
}

fn window(span: i64, count: i64) -> Window {
    Window {
        span: BucketSpan::new(span),
        count: BucketCount::new(count),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn numbers_of_the_server_are_cut_to_what_is_possible(number in number()) {
        let (span, count) = (BucketSpan::new(number), BucketCount::new(number));
        prop_assert_eq!(i128::from(span.seconds()), reference_span(number));
        prop_assert_eq!(i128::from(count.get()), reference_count(number));
        prop_assert_eq!(BucketSpan::from_prop(&number.to_string()), span);
        prop_assert_eq!(BucketCount::from_prop(&format!(" {number}\n")), count);
    }

    #[test]
    fn windows_agree_with_unbounded_arithmetic(
        now in number(), t in number(), span in number(), count in number(),
    ) {
        let wide = reference_span(span);
        let cutoff = (reference_bucket(now, wide) - (reference_count(count) - 1)) * wide;
        let window = window(span, count);
        let bounded = i64::try_from(cutoff).unwrap_or(i64::MIN);
        prop_assert_eq!(window.cutoff(UnixSeconds(now)).0, bounded);
        for t in [t, bounded.saturating_sub(1), bounded] {
            prop_assert_eq!(
                window.expired(UnixSeconds(t), UnixSeconds(now)),
                i128::from(t) < cutoff
            );
        }
    }

    #[test]
    fn issues_agree_with_unbounded_arithmetic(now in number(), last in number(), span in number()) {
        let (wide, narrow) = (reference_span(span), BucketSpan::new(span));
        let (now_bucket, last_bucket) = (reference_bucket(now, wide), reference_bucket(last, wide));
        let (now, last) = (UnixSeconds(now), UnixSeconds(last));
        prop_assert_eq!(i128::from(narrow.bucket(now)), now_bucket);
        prop_assert_eq!(narrow.must_issue(Some(last), now), now_bucket > last_bucket);
        prop_assert!(narrow.must_issue(None, now));
    }
}
