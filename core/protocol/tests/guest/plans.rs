//! Plans of contacts asked about before are answered from memory; nothing may make them stale.

use sendpath_protocol::error::StoreError;
use sendpath_protocol::guest::{Fact, WorkEnd, WorkKind};
use sendpath_protocol::tctoken::Attach;
use sendpath_protocol::tctoken::policy::MessageKind;
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::verdict::WhyNot;
use sendpath_protocol::wap::Node;

use crate::world::{CUTOFF, Host, LID, NEXT_BUCKET, NOW, OTHER, PN, Seeded, jid, secret, timelock};

fn is_cstoken(attach: &Attach) -> bool {
    matches!(attach, Attach::Cstoken { .. })
}

#[test]
fn a_plan_is_repeated_without_the_store() {
    let mut host = Host::new();
    host.gives(LID, "token", NOW);
    let plan = host.plan(LID);
    host.store.fail_reads(Some(StoreError::Full));
    assert_eq!(host.plan(LID), plan);
    assert_eq!(host.plan_of(LID, MessageKind::Protocol), plan);
}

#[test]
fn the_end_of_an_issue_leaves_plans_in_memory() {
    let mut host = Host::new();
    host.gives(LID, "token", NOW);
    let plan = host.plan(LID);
    host.hand("A", LID);
    let issue = host.issues().remove(0);
    host.done(issue.id, WorkEnd::Taken);
    host.store.fail_reads(Some(StoreError::Full));
    assert_eq!(host.plan(LID), plan);
}

#[test]
fn a_store_that_cannot_be_read_is_asked_again_next_time() {
    let mut host = Host::new();
    host.gives(LID, "token", NOW);
    host.store.fail_reads(Some(StoreError::Full));
    let Attach::Nothing { token, .. } = host.plan(LID).attach else {
        panic!("it was never read");
    };
    assert_eq!(token, WhyNot::StoreError);
    host.store.fail_reads(None);
    assert_eq!(host.token(LID), Some(b"token".to_vec()));
}

#[test]
fn a_token_changes_the_next_plan_whoever_brings_it() {
    let mut host = Host::new();
    assert_eq!(host.token(LID), None);
    host.gives(LID, "typed", NOW - 3);
    assert_eq!(host.token(LID), Some(b"typed".to_vec()));
    let token = Node::new("token")
        .attr("type", "trusted_contact")
        .attr("t", (NOW - 2).to_string())
        .bytes("stanza");
    let notification = Node::new("notification")
        .attr("type", "privacy_token")
        .jid("from", jid(LID))
        .child(Node::new("tokens").child(token));
    host.tell(Fact::Stanza(Box::new(notification)));
    assert_eq!(host.token(LID), Some(b"stanza".to_vec()));
}

#[test]
fn a_mapping_changes_the_plans_of_both_names() {
    let mut host = Host::new();
    host.gives(PN, "token", NOW);
    assert_eq!(host.token(LID), None);
    host.tell(Fact::Mapping(jid(LID), jid(PN)));
    assert_eq!(host.token(LID), Some(b"token".to_vec()));
    assert_eq!(host.token(PN), Some(b"token".to_vec()));
}

#[test]
fn a_message_that_names_both_addresses_is_a_mapping() {
    let mut host = Host::new();
    host.gives(PN, "token", NOW);
    assert_eq!(host.token(LID), None);
    let message = Node::new("message")
        .attr("id", "1")
        .attr("type", "text")
        .jid("from", jid(LID))
        .jid("sender_pn", jid(PN))
        .attr("t", NOW.to_string());
    host.tell(Fact::Stanza(Box::new(message)));
    assert_eq!(host.token(LID), Some(b"token".to_vec()));
}

#[test]
fn the_salt_and_its_removal_change_plans() {
    let mut host = Host::new();
    assert!(!is_cstoken(&host.plan(LID).attach));
    host.tell(Fact::SaltFromHistory(secret("old")));
    let old = host.plan(LID).attach;
    host.tell(Fact::Salt(Some(secret("new"))));
    let new = host.plan(LID).attach;
    assert!(is_cstoken(&old) && is_cstoken(&new) && old != new);
    host.tell(Fact::Salt(None));
    assert!(!is_cstoken(&host.plan(LID).attach));
    host.tell(Fact::SaltFromHistory(secret("old")));
    assert!(
        !is_cstoken(&host.plan(LID).attach),
        "app state spoke and wins"
    );
}

#[test]
fn props_change_plans_whether_fed_or_fetched() {
    let mut host = Host::new();
    host.gives(LID, "token", CUTOFF - 1);
    assert!(host.token(LID).is_some(), "valid by the widest window");
    host.props(&[(865, "604800"), (909, "4")]);
    assert_eq!(host.token(LID), None);

    let mut host = Host::new();
    host.gives(LID, "token", CUTOFF - 1);
    assert!(host.token(LID).is_some());
    let work = host.work();
    let ask = work.iter().find(|work| work.kind == WorkKind::Props);
    let prop = |code: &'static str, value: &'static str| {
        let prop = Node::new("prop").attr("config_code", code);
        prop.attr("config_value", value)
    };
    let props = Node::new("props").children([prop("865", "604800"), prop("909", "4")]);
    let answer = Node::new("iq").attr("type", "result").child(props);
    host.done(ask.unwrap().id, WorkEnd::Result(Box::new(answer)));
    assert_eq!(host.token(LID), None);
}

#[test]
fn a_token_expires_at_the_edge_of_its_bucket_and_comes_back_with_the_clock() {
    let mut host = Host::new();
    host.props(&[(865, "604800"), (909, "4")]);
    host.gives(LID, "token", CUTOFF);
    assert!(host.token(LID).is_some());
    host.now = NEXT_BUCKET - 1;
    assert!(host.token(LID).is_some());
    host.now = NEXT_BUCKET;
    assert_eq!(host.token(LID), None);
    host.now = NEXT_BUCKET - 1;
    assert!(host.token(LID).is_some());
}

#[test]
fn the_servers_clock_decides_not_the_hosts() {
    let mut host = Host::new();
    host.props(&[(865, "604800"), (909, "4")]);
    host.gives(LID, "token", CUTOFF);
    assert!(host.token(LID).is_some());
    host.tell(Fact::ServerTime(UnixSeconds(NEXT_BUCKET)));
    assert_eq!(host.token(LID), None);
}

#[test]
fn a_lock_refuses_contacts_that_were_planned_before() {
    let mut host = Host::new();
    assert_eq!(host.plan(OTHER).refusal, None);
    host.hand("A", LID);
    host.ack("A", Some(463));
    let pull = host.pulls();
    host.done(pull[0].id, timelock(true, NOW + 1_000));
    let refusal = host.plan(OTHER).refusal.unwrap();
    assert_eq!(refusal.until, Some(UnixSeconds(NOW + 1_000)));
    host.now += 1_001;
    assert_eq!(host.plan(OTHER).refusal, None, "it is over");
}

#[test]
fn messages_to_own_devices_and_groups_carry_nothing() {
    let mut host = Host::new();
    host.tell(Fact::Salt(Some(secret("salt"))));
    host.gives(LID, "token", NOW);
    assert!(host.token(LID).is_some());
    let own = "4915559999:3@s.whatsapp.net";
    for (to, kind) in [
        (LID, MessageKind::Peer),
        (own, MessageKind::Content),
        ("120363@g.us", MessageKind::Content),
        ("status@broadcast", MessageKind::Content),
    ] {
        let attach = host.plan_of(to, kind).attach;
        let nothing = matches!(
            attach,
            Attach::Nothing {
                token: WhyNot::NotEligible,
                ..
            }
        );
        assert!(nothing, "{to}: {attach:?}");
    }
}

/// Whatever happens, in whatever order: a guest that remembers plans answers as one that has just
/// been opened on the same store.
#[test]
fn what_is_remembered_is_what_is_stored() {
    for seed in 0..40 {
        let (mut host, mut rng) = (Host::new(), Seeded::new(seed));
        host.props(&[(865, "604800"), (909, "4")]);
        for _ in 0..60 {
            let peer = [LID, PN, OTHER][usize::try_from(rng.below(3)).unwrap()];
            let t = CUTOFF - 3 + i64::try_from(rng.below(2_000_000)).unwrap();
            match rng.below(9) {
                0 => host.gives(peer, &format!("token {t}"), t),
                1 => host.tell(Fact::Salt(Some(secret(&t.to_string())))),
                2 => host.tell(Fact::Salt(None)),
                3 => host.tell(Fact::Mapping(jid(LID), jid(PN))),
                4 => host.props(&[(909, ["1", "4", "26"][usize::try_from(t).unwrap() % 3])]),
                5 => host.props(&[(24941, ["0", "1"][usize::try_from(t).unwrap() % 2])]),
                6 => host.now = NEXT_BUCKET - 1 + i64::try_from(rng.below(3)).unwrap(),
                7 => host.tell(Fact::IdentityChanged(jid(peer))),
                _ => host.now = NOW,
            }
            let remembered = [LID, PN, OTHER].map(|peer| host.plan(peer));
            let again = [LID, PN, OTHER].map(|peer| host.plan(peer));
            assert_eq!(remembered, again, "seed {seed}");
            let mut fresh = Host::new();
            (fresh.store, fresh.now) = (host.store.clone(), host.now);
            fresh.restart();
            let stored = [LID, PN, OTHER].map(|peer| fresh.plan(peer));
            assert_eq!(remembered, stored, "seed {seed}");
        }
    }
}
