//! What a refusal of the server meant.
//!
//! | # | code and facts, first match wins | cause |
//! |---|---|---|
//! | 1 | 475; or 463 and the quota is used up | `NewChatCapped` |
//! | 2 | 463, not locked, a token came after the stanza was built | `TokenArrivedLate` |
//! | 3, 4 | 463, locked; nothing valid, or a token attached | `AccountTimelocked`, `TimelockedTokenRefused` |
//! | 5 | 463, not locked, nothing attached, a usable token was stored | `LocalTokenLost` |
//! | 6 | 463, not locked, nothing attached, the contact is not cold | `TokenMissingWarm` |
//! | 7, 8 | 463, not locked, a cstoken, or nothing attached | `ColdRefusedWithCstoken`, `ColdRefused` |
//! | 9 | 463, not locked, a token attached | `TokenRefused` |
//! | 10 | 463, nobody knows whether locked | `Undetermined463` |
//! | 11, 12 | 479; 400 | `StanzaInvalid`, `Addressing` |
//!
//! 463 is used for several things; neither the ack nor a push alone tells them apart. The state
//! must be asked for after the refusal (spec: "diagnosis").

use crate::tctoken::policy::Class;
use crate::time::UnixSeconds;
use crate::verdict::{Attached, Cause};

pub use crate::limits::evidence::{Evidence, Fact, Limit};

/// Nack codes of messages that decide here; all are decimal text in `ack@error`.
pub mod code {
    /// Bad stanza: an address form that does not fit the account.
    pub const BAD_STANZA: u16 = 400;
    /// The recipient does not exist.
    pub const NOT_FOUND: u16 = 404;
    /// The account may not start this chat (WhatsApp: `NackCallerReachoutTimelocked`).
    pub const REACHOUT: u16 = 463;
    /// No new chats in this cycle (`NewChatMessagesCapped`).
    pub const CAPPED: u16 = 475;
    /// The stanza's shape (`SmaxInvalid`).
    pub const STANZA_INVALID: u16 = 479;
}

/// Seconds to wait when it could not be found out whether the account is locked.
pub const UNDETERMINED_WAIT: i64 = 60;

/// A contact that wrote within this time, in seconds, is not cold: 30 days.
pub const WARM: i64 = 30 * 86_400;

/// For this long after pairing, in seconds, tokens may still be on their way: one day.
pub const SETTLING: i64 = 86_400;

/// Why, and until when.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Diagnosis {
    /// Why.
    pub cause: Cause,
    /// When it ends, if anybody knows.
    pub until: Option<UnixSeconds>,
}

/// The diagnosis of a refusal at server time `now`. Every code has one.
pub fn classify(evidence: &Evidence, now: UnixSeconds) -> Diagnosis {
    let cause = match evidence.code {
        code::CAPPED => return capped(evidence.capping),
        code::REACHOUT if evidence.class == Class::Contact => return reachout(evidence, now),
        code::STANZA_INVALID => Cause::StanzaInvalid,
        code::BAD_STANZA if evidence.address_fits != Fact::Yes => Cause::Addressing,
        401 | 403 | 405 | 406 => Cause::NotAllowed,
        code::NOT_FOUND => Cause::RecipientNotFound,
        408 | 429 | 500 | 503 => Cause::ServerBusy,
        _ => Cause::ServerRefused,
    };
    Diagnosis { cause, until: None }
}

fn reachout(evidence: &Evidence, now: UnixSeconds) -> Diagnosis {
    let token = matches!(evidence.carried.attached, Attached::Tctoken { .. });
    match (evidence.capping, evidence.timelock) {
        (Limit::Active(_), _) => capped(evidence.capping),
        (_, Limit::Active(until)) => Diagnosis {
            cause: if token {
                Cause::TimelockedTokenRefused
            } else {
                Cause::AccountTimelocked
            },
            until,
        },
        (_, Limit::Inactive) => Diagnosis {
            cause: unlocked(evidence),
            until: None,
        },
        (_, Limit::Unknown) => Diagnosis {
            cause: Cause::Undetermined463,
            until: Some(now.plus(UNDETERMINED_WAIT)),
        },
    }
}

/// 463 although the account is not locked: it is about this contact.
const fn unlocked(evidence: &Evidence) -> Cause {
    if evidence.token.arrived_late {
        return Cause::TokenArrivedLate;
    }
    match evidence.carried.attached {
        Attached::Tctoken { .. } => Cause::TokenRefused,
        Attached::Cstoken => Cause::ColdRefusedWithCstoken,
        Attached::Nothing(_) | Attached::Undecided if evidence.token.was_unused => {
            Cause::LocalTokenLost
        }
        Attached::Nothing(_) | Attached::Undecided if is_warm(evidence) => Cause::TokenMissingWarm,
        Attached::Nothing(_) | Attached::Undecided => Cause::ColdRefused,
    }
}

const fn is_warm(evidence: &Evidence) -> bool {
    matches!(evidence.wrote_recently, Fact::Yes)
        || matches!(evidence.history_complete, Fact::No)
        || matches!(evidence.paired_for, Some(seconds) if seconds < SETTLING)
}

const fn capped(capping: Limit) -> Diagnosis {
    Diagnosis {
        cause: Cause::NewChatCapped,
        until: match capping {
            Limit::Active(until) => until,
            Limit::Inactive | Limit::Unknown => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tctoken::TokenEvidence;
    use crate::verdict::{Refusal, WhyNot};

    const NOW: UnixSeconds = UnixSeconds(1_786_074_400);
    const END: UnixSeconds = UnixSeconds(1_786_218_427);
    const NOTHING: Attached = Attached::Nothing(WhyNot::NeverReceived);
    const TOKEN: Attached = Attached::Tctoken {
        t: UnixSeconds(1_786_000_000),
    };

    #[test]
    fn a_contact_is_warm_for_thirty_days() {
        assert_eq!((WARM, SETTLING), (2_592_000, 86_400));
    }

    /// A 463 to a cold contact without anything attached; the account is not locked.
    fn cold() -> Evidence {
        Evidence {
            timelock: Limit::Inactive,
            capping: Limit::Inactive,
            wrote_recently: Fact::No,
            history_complete: Fact::Yes,
            paired_for: Some(SETTLING),
            address_fits: Fact::Yes,
            ..Evidence::new(code::REACHOUT, Class::Contact, NOTHING)
        }
    }

    fn cause(evidence: Evidence) -> Cause {
        classify(&evidence, NOW).cause
    }

    #[test]
    fn row_1_the_quota_is_used_up() {
        let capping = Limit::Active(Some(END));
        for evidence in [
            Evidence {
                code: code::CAPPED,
                capping,
                ..cold()
            },
            Evidence {
                capping,
                timelock: Limit::Active(None),
                carried: TOKEN.into(),
                ..cold()
            },
        ] {
            let expected = Diagnosis {
                cause: Cause::NewChatCapped,
                until: Some(END),
            };
            assert_eq!(classify(&evidence, NOW), expected);
        }
        let unknown = Evidence {
            code: code::CAPPED,
            capping: Limit::Unknown,
            ..cold()
        };
        assert_eq!(classify(&unknown, NOW).until, None);
        assert_eq!(cause(unknown), Cause::NewChatCapped);
    }

    #[test]
    fn row_2_a_token_came_too_late_unless_the_account_is_locked() {
        let token = TokenEvidence {
            arrived_late: true,
            was_unused: false,
        };
        for attached in [NOTHING, TOKEN, Attached::Cstoken] {
            let evidence = Evidence {
                token,
                carried: attached.into(),
                ..cold()
            };
            assert_eq!(cause(evidence), Cause::TokenArrivedLate);
            let locked = Evidence {
                timelock: Limit::Active(None),
                ..evidence
            };
            assert_ne!(cause(locked), Cause::TokenArrivedLate);
            let unknown = Evidence {
                timelock: Limit::Unknown,
                ..evidence
            };
            assert_eq!(cause(unknown), Cause::Undetermined463);
        }
    }

    #[test]
    fn rows_3_and_4_the_account_is_locked() {
        let timelock = Limit::Active(Some(END));
        for (attached, cause) in [
            (NOTHING, Cause::AccountTimelocked),
            (Attached::Cstoken, Cause::AccountTimelocked),
            (TOKEN, Cause::TimelockedTokenRefused),
        ] {
            let evidence = Evidence {
                timelock,
                carried: attached.into(),
                ..cold()
            };
            let until = Some(END);
            assert_eq!(classify(&evidence, NOW), Diagnosis { cause, until });
        }
    }

    #[test]
    fn row_5_a_usable_token_lay_in_the_store() {
        let token = TokenEvidence {
            arrived_late: false,
            was_unused: true,
        };
        let evidence = Evidence {
            token,
            wrote_recently: Fact::Yes,
            ..cold()
        };
        assert_eq!(cause(evidence), Cause::LocalTokenLost);
    }

    #[test]
    fn row_6_the_contact_is_known_but_its_token_is_not_here_yet() {
        for evidence in [
            Evidence {
                wrote_recently: Fact::Yes,
                ..cold()
            },
            Evidence {
                history_complete: Fact::No,
                ..cold()
            },
            Evidence {
                paired_for: Some(SETTLING - 1),
                ..cold()
            },
        ] {
            assert_eq!(cause(evidence), Cause::TokenMissingWarm);
        }
    }

    #[test]
    fn rows_7_and_8_the_contact_is_cold() {
        let unknown = Evidence {
            wrote_recently: Fact::Unknown,
            history_complete: Fact::Unknown,
            paired_for: None,
            ..cold()
        };
        for evidence in [cold(), unknown] {
            assert_eq!(cause(evidence), Cause::ColdRefused);
            let attached = Attached::Cstoken;
            assert_eq!(
                cause(Evidence {
                    carried: attached.into(),
                    ..evidence
                }),
                Cause::ColdRefusedWithCstoken
            );
        }
    }

    #[test]
    fn row_9_the_token_was_not_taken() {
        let evidence = Evidence {
            carried: TOKEN.into(),
            wrote_recently: Fact::Yes,
            ..cold()
        };
        assert_eq!(cause(evidence), Cause::TokenRefused);
    }

    #[test]
    fn row_10_nobody_knows_so_wait_a_minute() {
        for attached in [NOTHING, TOKEN, Attached::Cstoken, Attached::Undecided] {
            let evidence = Evidence {
                timelock: Limit::Unknown,
                carried: attached.into(),
                ..cold()
            };
            let expected = Diagnosis {
                cause: Cause::Undetermined463,
                until: Some(NOW.plus(60)),
            };
            assert_eq!(classify(&evidence, NOW), expected);
        }
    }

    #[test]
    fn rows_11_and_12_and_other_codes_are_not_about_tokens() {
        for (code, expected) in [
            (479, Cause::StanzaInvalid),
            (401, Cause::NotAllowed),
            (404, Cause::RecipientNotFound),
            (429, Cause::ServerBusy),
            (503, Cause::ServerBusy),
            (400, Cause::ServerRefused),
            (4_631, Cause::ServerRefused),
            (0, Cause::ServerRefused),
        ] {
            assert_eq!(cause(Evidence { code, ..cold() }), expected, "{code}");
        }
        for address_fits in [Fact::No, Fact::Unknown] {
            let evidence = Evidence {
                code: 400,
                address_fits,
                ..cold()
            };
            assert_eq!(cause(evidence), Cause::Addressing);
        }
    }

    #[test]
    fn a_463_outside_of_direct_chats_is_not_explained_by_tokens() {
        let evidence = Evidence {
            class: Class::Group,
            timelock: Limit::Active(None),
            ..cold()
        };
        assert_eq!(cause(evidence), Cause::ServerRefused);
    }

    fn fact() -> impl Strategy<Value = Fact> {
        prop::sample::select(vec![Fact::No, Fact::Unknown, Fact::Yes])
    }

    fn limit() -> impl Strategy<Value = Limit> {
        prop::sample::select(vec![
            Limit::Active(None),
            Limit::Active(Some(END)),
            Limit::Inactive,
            Limit::Unknown,
        ])
    }

    fn any_evidence() -> impl Strategy<Value = Evidence> {
        let code = prop_oneof![4 => Just(463), 1 => Just(475), 2 => any::<u16>()];
        let class = prop::sample::select(vec![
            Class::Contact,
            Class::Contact,
            Class::Contact,
            Class::Group,
            Class::Own,
        ]);
        let carried = prop::sample::select(vec![
            TOKEN,
            NOTHING,
            Attached::Nothing(WhyNot::Expired { t: NOW }),
            Attached::Nothing(WhyNot::StoreError),
            Attached::Cstoken,
            Attached::Undecided,
        ]);
        let token = any::<(bool, bool)>();
        let paired = prop::option::of(0..2 * SETTLING);
        let stanza = (code, class, carried);
        let facts = (token, fact(), fact(), paired, fact());
        (stanza, (limit(), limit()), facts).prop_map(|(stanza, limits, facts)| {
            let (code, class, carried) = stanza;
            let (token, wrote_recently, history_complete, paired_for, address_fits) = facts;
            Evidence {
                timelock: limits.0,
                capping: limits.1,
                token: TokenEvidence {
                    arrived_late: token.0,
                    was_unused: token.1,
                },
                wrote_recently,
                history_complete,
                paired_for,
                address_fits,
                ..Evidence::new(code, class, carried)
            }
        })
    }

    /// The rows of the specification that explain a 463 to a contact, in their order.
    fn row_of_a_463(e: &Evidence) -> Option<(u8, Cause)> {
        let attached = e.carried.attached;
        let (tc, cs) = (attached == TOKEN, attached == Attached::Cstoken);
        let nothing = !tc && !cs;
        let locked = matches!(e.timelock, Limit::Active(_));
        let free = e.timelock == Limit::Inactive;
        let warm = e.wrote_recently == Fact::Yes
            || e.history_complete == Fact::No
            || e.paired_for.is_some_and(|seconds| seconds < SETTLING);
        let capped = matches!(e.capping, Limit::Active(_));
        let rows = [
            (1, capped, Cause::NewChatCapped),
            (2, free && e.token.arrived_late, Cause::TokenArrivedLate),
            (3, locked && !tc, Cause::AccountTimelocked),
            (4, locked && tc, Cause::TimelockedTokenRefused),
            (
                5,
                free && nothing && e.token.was_unused,
                Cause::LocalTokenLost,
            ),
            (6, free && nothing && warm, Cause::TokenMissingWarm),
            (7, free && cs, Cause::ColdRefusedWithCstoken),
            (8, free && nothing, Cause::ColdRefused),
            (9, free && tc, Cause::TokenRefused),
            (10, e.timelock == Limit::Unknown, Cause::Undetermined463),
        ];
        let first = rows.into_iter().find(|(_, holds, _)| *holds);
        first.map(|(row, _, cause)| (row, cause))
    }

    proptest! {
        #[test]
        fn a_463_to_a_contact_is_the_first_row_that_holds(e in any_evidence()) {
            let e = Evidence { code: code::REACHOUT, class: Class::Contact, ..e };
            let (row, expected) = row_of_a_463(&e).unwrap();
            let found = classify(&e, NOW);
            prop_assert_eq!(found.cause, expected);
            let end = match row {
                1 => e.capping,
                3 | 4 => e.timelock,
                10 => Limit::Active(Some(NOW.plus(UNDETERMINED_WAIT))),
                _ => Limit::Inactive,
            };
            let end = if let Limit::Active(until) = end { until } else { None };
            prop_assert_eq!(found.until, end);
        }

        #[test]
        fn every_evidence_has_a_cause_and_only_rows_2_and_5_resend_a_463(e in any_evidence()) {
            let found = classify(&e, NOW);
            let ours = found.cause.code() >= Cause::NotOnWhatsapp.code();
            prop_assert!(!ours, "a refusal of the server is none of ours");
            let refusal = Refusal { until: found.until, ..Refusal::local(None, found.cause) };
            if e.code == code::REACHOUT && refusal.may_retry() {
                let once = [Cause::TokenArrivedLate, Cause::LocalTokenLost];
                prop_assert!(once.contains(&found.cause));
            }
        }
    }
}
