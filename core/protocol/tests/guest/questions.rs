//! What a host can ask without sending, and what a verdict makes the machine do.

use prost::Message;
use sendpath_protocol::account::{Answer, Background, Inquiry, MaySend};
use sendpath_protocol::event::Event;
use sendpath_protocol::guest::{Fact, WorkEnd, WorkKind};
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::limits::snapshot::{Limits, TimelockState};
use sendpath_protocol::pb::{Conversation, HistorySync};
use sendpath_protocol::tctoken::explain::Explanation;
use sendpath_protocol::tctoken::timeline::What;
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::verdict::{Attached, Cause};

use crate::world::{Host, LID, NOW, OTHER, PN, jid, timelock};

impl Host {
    fn ask(&mut self, inquiry: &Inquiry) -> Answer {
        let now = self.clock();
        self.guest.ask(now, &self.store, inquiry).unwrap()
    }

    fn may_send(&mut self, to: &str) -> MaySend {
        let inquiry = Inquiry::CanSend {
            to: vec![jid(to)],
            hint: RecipientHint::Ordinary,
        };
        match self.ask(&inquiry) {
            Answer::CanSend(mut answers) => answers.remove(0).answer,
            other => panic!("{other:?}"),
        }
    }

    fn explain(&mut self, to: &str) -> Explanation {
        match self.ask(&Inquiry::Explain(jid(to))) {
            Answer::Explanation { told, .. } => *told,
            other => panic!("{other:?}"),
        }
    }

    fn limits(&mut self) -> Limits {
        match self.ask(&Inquiry::Limits) {
            Answer::Limits(limits) => *limits,
            other => panic!("{other:?}"),
        }
    }

    /// Message `message` to `to` is refused with 463 while the account is not locked.
    fn refuse_cold(&mut self, message: &str, to: &str) -> Cause {
        self.hand(message, to);
        self.ack(message, Some(463));
        for pull in self.pulls() {
            self.done(pull.id, timelock(false, 0));
        }
        self.settled().remove(0).cause
    }

    fn sync(&mut self, chat: &str, token: &str, t: u64) {
        let conversation = Conversation {
            id: Some(chat.into()),
            tc_token: Some(token.into()),
            tc_token_timestamp: Some(t),
            ..Conversation::default()
        };
        let sync = HistorySync {
            conversations: vec![conversation],
            ..HistorySync::default()
        };
        self.tell(Fact::History(sync.encode_to_vec()));
    }

    fn named(&self) -> Vec<&str> {
        let named = self.events.iter().filter_map(|event| match event {
            Event::MayRetry { ids, .. } => Some(ids),
            _ => None,
        });
        named.flatten().map(|id| id.as_str()).collect()
    }
}

const THEN: u64 = 1_786_000_000;

#[test]
fn a_contact_that_refused_us_must_write_first_until_it_has() {
    let mut host = Host::new();
    assert!(matches!(host.may_send(LID), MaySend::Allowed(_)));
    assert_eq!(host.refuse_cold("A", LID), Cause::ColdRefused);
    assert!(matches!(host.may_send(LID), MaySend::ContactMustWrite(_)));
    host.pass(1);
    host.tell(Fact::Wrote(jid(LID)));
    assert!(matches!(host.may_send(LID), MaySend::Allowed(_)));
    host.pass(1);
    host.refuse_cold("B", LID);
    host.pass(90_000);
    host.tell(Fact::Wrote(jid(LID)));
    assert!(
        matches!(host.may_send(LID), MaySend::Allowed(_)),
        "also when an earlier entry says the same"
    );
}

#[test]
fn a_token_from_history_names_the_messages_it_may_help() {
    let mut host = Host::new();
    host.refuse_cold("A", LID);
    host.refuse_cold("B", OTHER);
    host.events.clear();
    host.pass(1);
    host.sync(LID, "token", THEN);
    assert_eq!(host.named(), ["A"]);
    assert_eq!(
        host.may_send(LID),
        MaySend::Allowed(Attached::Tctoken {
            t: UnixSeconds(1_786_000_000)
        })
    );
}

#[test]
fn a_known_token_that_history_repeats_names_nothing() {
    let mut host = Host::new();
    host.sync(LID, "token", THEN);
    assert_eq!(host.refuse_cold("A", LID), Cause::TokenRefused);
    host.events.clear();
    host.pass(1);
    host.sync(LID, "token", THEN);
    assert_eq!(host.named(), [""; 0]);
}

#[test]
fn a_message_by_number_is_named_when_the_token_comes_by_lid() {
    let mut host = Host::new();
    host.refuse_cold("A", PN);
    host.tell(Fact::Mapping(jid(PN), jid(LID)));
    host.events.clear();
    host.gives(LID, "token", NOW);
    assert_eq!(host.named(), ["A"]);
}

#[test]
fn an_open_cause_is_asked_for_again_after_a_minute() {
    let mut host = Host::new();
    host.hand("A", LID);
    host.ack("A", Some(463));
    let pull = host.pulls().remove(0);
    host.done(pull.id, WorkEnd::Lost);
    assert_eq!(host.settled()[0].cause, Cause::Undetermined463);
    host.pass(59);
    host.tell(Fact::Tick);
    assert_eq!(host.pulls(), []);
    host.pass(1);
    host.tell(Fact::Tick);
    assert!(!host.pulls().is_empty());
}

#[test]
fn a_token_outside_of_the_known_window_asks_for_the_window_again() {
    let mut host = Host::new();
    host.props(&[(865, "604800"), (909, "4"), (996, "604800"), (997, "4")]);
    let old: Vec<u64> = host.work().iter().map(|work| work.id).collect();
    for work in old {
        host.done(work, WorkEnd::Lost);
    }
    host.pass(3_600);
    host.gives(LID, "token", 1_771_000_000);
    host.pass(1);
    assert_eq!(host.refuse_cold("A", LID), Cause::LocalTokenLost);
    let props = |host: &Host| host.work().iter().any(|work| work.kind == WorkKind::Props);
    assert!(props(&host));
}

#[test]
fn limits_are_never_a_bare_nothing() {
    let mut host = Host::new();
    assert_eq!(host.limits().timelock, TimelockState::Unknown);
    host.hand("A", LID);
    host.ack("A", Some(463));
    let pull = host.pulls().remove(0);
    host.done(pull.id, timelock(true, NOW + 500));
    match host.limits().timelock {
        TimelockState::Active {
            until, checked_at, ..
        } => assert_eq!(
            (until, checked_at),
            (UnixSeconds(NOW + 500), UnixSeconds(NOW))
        ),
        other => panic!("{other:?}"),
    }
    match host.may_send(OTHER) {
        MaySend::Blocked(refusal) => {
            assert_eq!(refusal.cause, Cause::AccountTimelocked);
            assert_eq!(refusal.until, Some(UnixSeconds(NOW + 500)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(host.may_send("s.whatsapp.net"), MaySend::NotResolvable);
}

#[test]
fn an_explanation_tells_the_story_and_names_nobody() {
    let mut host = Host::new();
    host.refuse_cold("A", LID);
    host.pass(10);
    host.gives(LID, "secret-token", NOW);
    host.hand("B", LID);
    host.ack("B", None);
    host.pass(1);
    host.tell(Fact::IdentityChanged(jid(LID)));
    let told = host.explain(LID);
    let story: Vec<_> = told.timeline.iter().map(|entry| entry.what).collect();
    assert!(matches!(
        story[..],
        [
            What::Attached(Attached::Nothing(_)),
            What::Refused {
                code: Some(463),
                cause: Cause::ColdRefused
            },
            What::Received { fresh: true, .. },
            What::Attached(Attached::Tctoken { .. }),
            What::Accepted,
            What::IdentityChanged,
        ]
    ));
    let text = told.render(UnixSeconds(host.now));
    assert!(text.contains("COLD_REFUSED"), "{text}");
    for secret in ["100000000000001", "4915550001", "secret-token"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn what_is_known_of_the_link_makes_a_refusal_warm() {
    let background = |linked_at, history_complete| {
        Fact::Background(Background {
            linked_at,
            history_complete,
            lid_migrated: None,
        })
    };
    for (fact, cause) in [
        (
            background(Some(UnixSeconds(NOW - 60)), None),
            Cause::TokenMissingWarm,
        ),
        (background(None, Some(false)), Cause::TokenMissingWarm),
        (
            background(Some(UnixSeconds(NOW - 90_000)), Some(true)),
            Cause::ColdRefused,
        ),
    ] {
        let mut host = Host::new();
        host.tell(fact);
        assert_eq!(host.refuse_cold("A", LID), cause);
    }
    let mut host = Host::new();
    host.tell(Fact::Wrote(jid(LID)));
    host.restart();
    assert_eq!(host.refuse_cold("A", LID), Cause::TokenMissingWarm);
}

#[test]
fn a_forgotten_account_knows_nothing_but_that() {
    let mut host = Host::new();
    host.gives(LID, "token", NOW);
    host.tell(Fact::Forget);
    assert_eq!(host.token(LID), None);
    let told = host.explain(LID);
    let story: Vec<_> = told.timeline.iter().map(|entry| entry.what).collect();
    assert_eq!(story, [What::Forgotten]);
    assert!(!host.work().is_empty(), "it asks anew");
}

#[test]
fn tokens_are_withheld_only_if_the_server_says_so_and_the_host_agrees() {
    for (strict, value, expected) in [
        (false, "0", Some(b"token".to_vec())),
        (true, "1", Some(b"token".to_vec())),
        (true, "0", None),
    ] {
        let mut host = if strict { Host::strict() } else { Host::new() };
        host.gives(LID, "token", NOW);
        host.props(&[(10_518, value)]);
        assert_eq!(host.token(LID), expected, "{strict} {value}");
    }
}
