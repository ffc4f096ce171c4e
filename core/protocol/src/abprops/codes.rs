//! The AB props we read, and what their values mean.
//!
//! Numbers, types and defaults as in WhatsApp Web's registry (whatsapp-rust and zapo agree; spec: "AB
//! props"). Values travel and are stored as text, so a value we cannot read is still the server's.

use std::collections::BTreeMap;

use crate::limits::capping::CappingProps;
use crate::tctoken::bucket::{BucketCount, BucketSpan, Window};
use crate::tctoken::policy::TokenProps;

/// Longest value that is kept, in bytes; ours are numbers and booleans.
pub const MAX_VALUE: usize = 32;

/// Counts changes of [`Code::ALL`]. A stored set of another revision may lack a code because nobody
/// looked for it, so its hash must not be sent.
pub(super) const REVISION: u32 = 1;

/// A code we read.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
#[repr(u32)]
pub enum Code {
    /// `tctoken_duration`, seconds.
    TctokenDuration = 865,
    /// `tctoken_num_buckets`.
    TctokenNumBuckets = 909,
    /// `tctoken_duration_sender`, seconds.
    TctokenDurationSender = 996,
    /// `tctoken_num_buckets_sender`.
    TctokenNumBucketsSender = 997,
    /// `enable_spam_report_iq_with_privacy_token`.
    SpamReport = 4_991,
    /// `profile_scraping_privacy_token_in_photo_iq`.
    Picture = 9_666,
    /// `profile_scraping_privacy_token_in_about_iq`.
    About = 9_668,
    /// `privacy_token_sending_on_all_1_on_1_messages`.
    Messages = 10_518,
    /// `privacy_token_sending_on_group_create`.
    GroupCreate = 11_261,
    /// `privacy_token_sending_on_group_participant_add`.
    GroupAdd = 11_262,
    /// `lid_trusted_token_issue_to_lid`.
    IssueToLid = 14_303,
    /// `wa_individual_new_chat_msg_capping_limit`, of older releases.
    CappingLimit = 17_845,
    /// `wa_individual_new_chat_msg_capping_fetch_ttl_seconds`.
    CappingTtl = 20_649,
    /// `profile_scraping_privacy_token_in_about_usync`.
    AboutUsync = 20_798,
    /// `wa_nct_token_send_enabled`.
    Cstoken = 24_941,
    /// `wa_individual_new_chat_thread_capping_limit`, of newer releases.
    CappingThreadLimit = 29_369,
    /// `wa_nct_capping_kill_switch_enabled`.
    CappingKillSwitch = 34_795,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::TctokenDuration,
        Self::TctokenNumBuckets,
        Self::TctokenDurationSender,
        Self::TctokenNumBucketsSender,
        Self::SpamReport,
        Self::Picture,
        Self::About,
        Self::Messages,
        Self::GroupCreate,
        Self::GroupAdd,
        Self::IssueToLid,
        Self::CappingLimit,
        Self::CappingTtl,
        Self::AboutUsync,
        Self::Cstoken,
        Self::CappingThreadLimit,
        Self::CappingKillSwitch,
    ];

    /// The code with that number; `None` when we do not read it.
    pub fn of(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// The number on the wire and in the store.
    pub const fn number(self) -> u32 {
        self as u32
    }
}

/// Which stanzas other than messages carry a token (spec: "everywhere else"). While the server said
/// nothing a gate has its default.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gates {
    /// 9668: the request for a contact's about text.
    pub about: bool,
    /// 20798: user synchronisation that asks for status texts.
    pub about_usync: bool,
    /// 11262: adding people to a group.
    pub group_add: bool,
    /// 11261: creating a group.
    pub group_create: bool,
    /// 10518: messages. `None` when the server does not mention it, as it does for newer clients,
    /// which attach always.
    pub messages: Option<bool>,
    /// 9666: the request for a contact's picture. Gone from newer registries; on by default.
    pub picture: bool,
    /// 4991: the report of spam.
    pub spam_report: bool,
}

/// Values by code, and whether a missing one has its default.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    pub(super) values: &'a BTreeMap<u32, String>,
    /// The server told the whole set, so what is missing has its default. Otherwise it is unknown.
    pub(super) complete: bool,
}

impl<'a> Values<'a> {
    pub(super) fn tokens(self) -> TokenProps {
        let receive = [Code::TctokenDuration, Code::TctokenNumBuckets];
        let send = [Code::TctokenDurationSender, Code::TctokenNumBucketsSender];
        TokenProps {
            // A length alone would make the default number of buckets a fact, and expire tokens by it.
            receive: self.window(receive, self.knows(Code::TctokenNumBuckets)),
            send: self.window(send, send.into_iter().any(|code| self.knows(code))),
            issue_to_lid: self.flag(Code::IssueToLid, false),
            cstoken: self.flag(Code::Cstoken, false),
        }
    }

    pub(super) fn capping(self) -> CappingProps {
        let limit = match self.raw(Code::CappingThreadLimit) {
            Some(_) => Code::CappingThreadLimit,
            None => Code::CappingLimit,
        };
        let number = |code| self.raw(code).and_then(|raw| raw.parse().ok());
        CappingProps {
            limit: self.knows(limit).then(|| number(limit).unwrap_or(0)),
            kill_switch: self.flag(Code::CappingKillSwitch, false),
            refresh: number(Code::CappingTtl).and_then(CappingProps::refresh_of),
        }
    }

    pub(super) fn gates(self) -> Gates {
        let gate = |code, default| self.raw(code).map_or(default, truthy);
        Gates {
            about: gate(Code::About, false),
            about_usync: gate(Code::AboutUsync, false),
            group_add: gate(Code::GroupAdd, false),
            group_create: gate(Code::GroupCreate, false),
            messages: self.raw(Code::Messages).map(truthy),
            picture: gate(Code::Picture, true),
            spam_report: gate(Code::SpamReport, false),
        }
    }

    fn window(self, [span, count]: [Code; 2], known: bool) -> Option<Window> {
        known.then(|| Window {
            span: self
                .raw(span)
                .map_or(BucketSpan::DEFAULT, BucketSpan::from_prop),
            count: self
                .raw(count)
                .map_or(BucketCount::DEFAULT, BucketCount::from_prop),
        })
    }

    fn flag(self, code: Code, default: bool) -> Option<bool> {
        self.knows(code)
            .then(|| self.raw(code).map_or(default, truthy))
    }

    fn knows(self, code: Code) -> bool {
        self.complete || self.raw(code).is_some()
    }

    fn raw(self, code: Code) -> Option<&'a str> {
        self.values.get(&code.number()).map(|text| text.trim())
    }
}

/// Whether a boolean prop is on.
pub(super) fn truthy(text: &str) -> bool {
    ["1", "true", "enabled"]
        .iter()
        .any(|yes| text.trim().eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixSeconds;

    const NOW: UnixSeconds = UnixSeconds(1_786_074_400);

    fn set(values: &[(u32, &str)]) -> BTreeMap<u32, String> {
        let own = |(code, value): &(u32, &str)| (*code, (*value).to_owned());
        values.iter().map(own).collect()
    }

    fn tokens(complete: bool, values: &[(u32, &str)]) -> TokenProps {
        let values = &set(values);
        Values { values, complete }.tokens()
    }

    fn capping(complete: bool, values: &[(u32, &str)]) -> CappingProps {
        let values = &set(values);
        Values { values, complete }.capping()
    }

    fn gates(values: &[(u32, &str)]) -> Gates {
        let (values, complete) = (&set(values), true);
        Values { values, complete }.gates()
    }

    #[test]
    fn a_change_of_the_codes_is_a_new_revision() {
        let numbers = Code::ALL.map(Code::number);
        assert!(numbers.is_sorted());
        assert_eq!(
            (REVISION, numbers),
            (
                1,
                [
                    865, 909, 996, 997, 4_991, 9_666, 9_668, 10_518, 11_261, 11_262, 14_303,
                    17_845, 20_649, 20_798, 24_941, 29_369, 34_795
                ]
            )
        );
        assert_eq!(Code::of(909), Some(Code::TctokenNumBuckets));
        assert_eq!(Code::of(910), None);
    }

    #[test]
    fn what_the_server_did_not_mention_has_its_default() {
        let expected = TokenProps {
            receive: Some(Window::default()),
            send: Some(Window::default()),
            issue_to_lid: Some(false),
            cstoken: Some(false),
        };
        assert_eq!(tokens(true, &[]), expected);
        let off = capping(true, &[]);
        assert_eq!((off.limit, off.kill_switch), (Some(0), Some(false)));
    }

    #[test]
    fn what_nobody_told_is_unknown() {
        assert_eq!(tokens(false, &[]), TokenProps::default());
        assert_eq!(capping(false, &[]), CappingProps::default());
        let fed = tokens(false, &[(865, "604800"), (14303, "1")]);
        assert_eq!((fed.receive, fed.cstoken), (None, None));
        assert_eq!(fed.issue_to_lid, Some(true));
        let fed = tokens(false, &[(909, "26"), (996, "86400")]);
        assert_eq!(fed.receive.unwrap().cutoff(NOW).0, 1_770_854_400);
        assert_eq!(fed.send.unwrap().span.seconds(), 86_400);
    }

    #[test]
    fn each_window_has_its_own_codes() {
        let props = tokens(true, &[(865, "10"), (909, "2"), (996, "30"), (997, "4")]);
        let numbers = |window: Window| (window.span.seconds(), window.count.get());
        assert_eq!(props.receive.map(numbers), Some((10, 2)));
        assert_eq!(props.send.map(numbers), Some((30, 4)));
    }

    #[test]
    fn booleans_are_read_in_every_spelling() {
        for (text, on) in [
            ("1", true),
            ("true", true),
            ("True", true),
            (" ENABLED ", true),
            ("0", false),
            ("", false),
            ("yes", false),
            ("2", false),
        ] {
            assert_eq!(truthy(text), on, "{text}");
            assert_eq!(tokens(false, &[(24941, text)]).cstoken, Some(on), "{text}");
        }
    }

    #[test]
    fn the_newer_limit_of_new_chats_counts() {
        for (values, limit) in [
            (&[(17845, " 50 ")][..], 50),
            (&[(17845, "50"), (29369, "0")], 0),
            (&[(17845, "0"), (29369, "20")], 20),
            (&[(29369, "x")], 0),
        ] {
            assert_eq!(capping(true, values).limit, Some(limit), "{values:?}");
            assert_eq!(capping(false, values).limit, Some(limit), "{values:?}");
        }
        assert_eq!(capping(true, &[(34795, "1")]).kill_switch, Some(true));
    }

    #[test]
    fn the_age_of_the_quota_is_clamped() {
        for (text, seconds) in [
            ("1800", Some(1_800)),
            ("1", Some(60)),
            ("999999999", Some(86_400)),
            ("0", None),
            ("-5", None),
            ("x", None),
        ] {
            assert_eq!(capping(true, &[(20649, text)]).refresh, seconds, "{text}");
        }
    }

    #[test]
    fn every_gate_reads_its_own_code() {
        let default = Gates {
            about: false,
            about_usync: false,
            group_add: false,
            group_create: false,
            messages: None,
            picture: true,
            spam_report: false,
        };
        assert_eq!(gates(&[]), default);
        for (value, expected) in [
            (
                (9668, "1"),
                Gates {
                    about: true,
                    ..default
                },
            ),
            (
                (20798, "1"),
                Gates {
                    about_usync: true,
                    ..default
                },
            ),
            (
                (11262, "1"),
                Gates {
                    group_add: true,
                    ..default
                },
            ),
            (
                (11261, "1"),
                Gates {
                    group_create: true,
                    ..default
                },
            ),
            (
                (10518, "0"),
                Gates {
                    messages: Some(false),
                    ..default
                },
            ),
            (
                (10518, "1"),
                Gates {
                    messages: Some(true),
                    ..default
                },
            ),
            (
                (9666, "0"),
                Gates {
                    picture: false,
                    ..default
                },
            ),
            (
                (4991, "1"),
                Gates {
                    spam_report: true,
                    ..default
                },
            ),
        ] {
            assert_eq!(gates(&[value]), expected, "{value:?}");
        }
    }
}
