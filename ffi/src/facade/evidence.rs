//! The evidence of a refusal as JSON, for reports: no addresses, no bytes.

use sendpath_protocol::limits::classify::{Evidence, Fact, Limit};
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::nct::NoCstoken;
use sendpath_protocol::tctoken::policy::Class;
use sendpath_protocol::tctoken::record::Source;
use sendpath_protocol::verdict::{Attached, WhyNot};

use super::error::attached_word;
use super::json::Object;

/// One JSON object; what is not known or does not apply is absent.
pub(super) fn to_json(evidence: &Evidence) -> String {
    let Evidence {
        code,
        class,
        hint,
        carried,
        timelock,
        capping,
        token,
        wrote_recently,
        history_complete,
        paired_for,
        address_fits,
    } = evidence;
    let mut object = Object::new();
    object.number("code", (*code).into());
    let instead_of = carried.instead_of.map(Attached::Nothing);
    for (name, word) in [
        ("class", class_word(*class)),
        ("hint", hint_word(*hint)),
        ("attached", attached_word(carried.attached)),
        ("no_tctoken", instead_of.and_then(attached_word)),
        ("no_cstoken", carried.no_cstoken.and_then(no_cstoken_word)),
        ("token_source", carried.source.and_then(source_word)),
        ("timelock", limit_word(*timelock)),
        ("capping", limit_word(*capping)),
        ("wrote_recently", fact_word(*wrote_recently)),
        ("history_complete", fact_word(*history_complete)),
        ("address_fits", fact_word(*address_fits)),
    ] {
        if let Some(word) = word {
            object.text(name, word);
        }
    }
    for (name, number) in [
        ("token_t", token_time(carried.attached)),
        ("token_age_buckets", carried.age.map(i64::from)),
        ("timelock_until", limit_end(*timelock)),
        ("capping_until", limit_end(*capping)),
        ("paired_for", *paired_for),
        ("bucket_seconds", Some(carried.window.span.seconds())),
        ("buckets", Some(carried.window.count.get().into())),
    ] {
        if let Some(number) = number {
            object.number(name, number);
        }
    }
    object.flag("props_known", carried.props_known);
    object.flag("token_arrived_late", token.arrived_late);
    object.flag("token_was_unused", token.was_unused);
    object.finish()
}

const fn class_word(class: Class) -> Option<&'static str> {
    Some(match class {
        Class::Bot => "bot",
        Class::Broadcast => "broadcast",
        Class::Contact => "contact",
        Class::Group => "group",
        Class::Newsletter => "newsletter",
        Class::Other => "other",
        Class::Own => "own",
        Class::Psa => "psa",
    })
}

const fn hint_word(hint: RecipientHint) -> Option<&'static str> {
    match hint {
        RecipientHint::Enterprise => Some("enterprise"),
        RecipientHint::Ordinary => None,
        RecipientHint::Support => Some("support"),
    }
}

const fn no_cstoken_word(why: NoCstoken) -> Option<&'static str> {
    match why {
        NoCstoken::GateOff => Some("gate_off"),
        NoCstoken::NoLid => Some("no_lid"),
        NoCstoken::NoSalt => Some("no_salt"),
        NoCstoken::NotEligible => Some("not_eligible"),
        NoCstoken::StoreError => Some("store_error"),
        _ => None,
    }
}

const fn source_word(source: Source) -> Option<&'static str> {
    match source {
        Source::History => Some("history"),
        Source::Host => Some("host"),
        Source::Import => Some("import"),
        Source::Notification => Some("notification"),
        _ => None,
    }
}

const fn limit_word(limit: Limit) -> Option<&'static str> {
    Some(match limit {
        Limit::Active(_) => "active",
        Limit::Inactive => "inactive",
        Limit::Unknown => "unknown",
    })
}

const fn fact_word(fact: Fact) -> Option<&'static str> {
    match fact {
        Fact::No => Some("no"),
        Fact::Unknown => None,
        Fact::Yes => Some("yes"),
    }
}

fn limit_end(limit: Limit) -> Option<i64> {
    match limit {
        Limit::Active(until) => until.map(|t| t.0),
        Limit::Inactive | Limit::Unknown => None,
    }
}

const fn token_time(attached: Attached) -> Option<i64> {
    match attached {
        Attached::Tctoken { t } | Attached::Nothing(WhyNot::Expired { t }) => Some(t.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use sendpath_protocol::tctoken::AttachRecord;
    use sendpath_protocol::time::UnixSeconds;

    use super::*;

    #[test]
    fn a_report_tells_what_was_attached_and_why_nothing_else() {
        let carried = AttachRecord {
            no_cstoken: Some(NoCstoken::NoSalt),
            ..Attached::Nothing(WhyNot::Expired { t: UnixSeconds(5) }).into()
        };
        let evidence = Evidence {
            timelock: Limit::Active(Some(UnixSeconds(9))),
            wrote_recently: Fact::Yes,
            ..Evidence::new(463, Class::Contact, carried)
        };
        assert_eq!(
            to_json(&evidence),
            concat!(
                r#"{"code":463,"class":"contact","attached":"nothing_expired","#,
                r#""no_cstoken":"no_salt","timelock":"active","capping":"unknown","#,
                r#""wrote_recently":"yes","token_t":5,"timelock_until":9,"#,
                r#""bucket_seconds":604800,"buckets":4,"props_known":false,"#,
                r#""token_arrived_late":false,"token_was_unused":false}"#
            )
        );
    }

    #[test]
    fn an_attached_token_tells_its_age_and_where_it_came_from() {
        let t = UnixSeconds(1_786_000_000);
        let carried = AttachRecord {
            source: Some(Source::History),
            age: Some(2),
            props_known: true,
            ..Attached::Tctoken { t }.into()
        };
        let json = to_json(&Evidence::new(463, Class::Contact, carried));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["attached"], "tctoken");
        assert_eq!(json["token_t"], 1_786_000_000);
        assert_eq!(json["token_age_buckets"], 2);
        assert_eq!(json["token_source"], "history");
        assert_eq!(json["props_known"], true);
        let cstoken = AttachRecord {
            instead_of: Some(WhyNot::NeverReceived),
            ..Attached::Cstoken.into()
        };
        let json = to_json(&Evidence::new(463, Class::Contact, cstoken));
        assert!(json.contains(r#""no_tctoken":"nothing_never_received""#));
    }
}
