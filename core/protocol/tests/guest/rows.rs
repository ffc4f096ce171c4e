//! A host whose library reads a row before a send, attaches its token when the row's time is within
//! four weeks, issues when the row's sender time lies in an earlier week, and writes back what it
//! read with the time of its issue.

use sendpath_protocol::guest::{Fact, PLACEHOLDER, Row};
use sendpath_protocol::time::UnixSeconds;

use crate::world::{CUTOFF, Host, LID, NEXT_BUCKET, NOW, PN, jid, secret};

const WEEK: i64 = 604_800;

/// Whether such a library issues after a send with that row.
fn issues(row: &Row, now: i64) -> bool {
    row.sender_t.is_none_or(|t| t.0 / WEEK < now / WEEK)
}

/// The token such a library attaches.
fn attaches(row: &Row, now: i64) -> Option<&[u8]> {
    let t = row.t.filter(|t| t.0 / WEEK > now / WEEK - 4)?;
    (t.0 > 0).then_some(row.token.expose())
}

#[test]
fn a_row_makes_the_library_attach_what_the_plan_says() {
    let mut host = Host::new();
    let row = host.row(LID).unwrap();
    assert_eq!(row.token.expose(), PLACEHOLDER);
    assert_eq!(attaches(&row, host.now), None);
    // Old by the library's rule, valid by ours.
    host.props(&[(865, "604800"), (909, "26")]);
    host.gives(LID, "token", CUTOFF - 1);
    let row = host.row(LID).unwrap();
    assert_eq!(attaches(&row, host.now), Some(&b"token"[..]));
    // Valid by the library's rule, too old by ours.
    host.props(&[(909, "1")]);
    host.gives(LID, "younger", NOW - WEEK);
    assert_eq!(attaches(&host.row(LID).unwrap(), host.now), None);
}

#[test]
fn a_row_that_is_written_back_says_nothing_about_the_token() {
    let mut host = Host::issuing();
    host.props(&[(865, "604800"), (909, "4")]);
    host.gives(LID, "token", CUTOFF);
    let early = host.row(LID).unwrap();
    host.pass(40);
    let late = host.row(LID).unwrap();
    assert_ne!(early.t, late.t, "each is the time of its reading");
    for row in [early, late] {
        let sender_t = Some(UnixSeconds(host.now));
        host.put(LID, Row { sender_t, ..row });
    }
    assert_eq!(host.row(LID).unwrap().sender_t, Some(UnixSeconds(host.now)));
    host.now = NEXT_BUCKET;
    assert_eq!(host.token(LID), None, "the token's own time has not moved");
}

#[test]
fn a_row_read_under_one_name_is_known_under_the_other() {
    let mut host = Host::new();
    host.props(&[(865, "604800"), (909, "4")]);
    host.gives(PN, "token", CUTOFF);
    let row = host.row(PN).unwrap();
    host.tell(Fact::Mapping(jid(PN), jid(LID)));
    host.pass(2);
    host.row(LID).unwrap();
    host.put(LID, row);
    host.now = NEXT_BUCKET;
    assert_eq!(host.token(LID), None);
}

#[test]
fn a_placeholder_never_becomes_a_token() {
    let mut host = Host::new();
    let row = host.row(LID).unwrap();
    host.put(LID, row.clone());
    let t = Some(UnixSeconds(NOW));
    host.put(LID, Row { t, ..row });
    assert_eq!(host.token(LID), None);
    assert_eq!(host.row(LID).unwrap().token.expose(), PLACEHOLDER);
}

#[test]
fn a_new_token_is_taken_also_in_the_second_of_a_reading() {
    let mut host = Host::new();
    host.gives(LID, "token", NOW - 100);
    let row = host.row(LID).unwrap();
    let token = secret("newer");
    host.put(LID, Row { token, ..row });
    assert_eq!(host.token(LID), Some(b"newer".to_vec()));
}

#[test]
fn the_same_token_with_a_later_time_of_its_own_lasts_longer() {
    let mut host = Host::new();
    host.props(&[(865, "604800"), (909, "4")]);
    host.gives(LID, "token", CUTOFF);
    let again = Row {
        token: secret("token"),
        t: Some(UnixSeconds(NOW)),
        sender_t: None,
    };
    host.put(LID, again);
    host.now = NEXT_BUCKET;
    assert!(host.token(LID).is_some());
}

#[test]
fn a_library_that_puts_a_token_it_received_is_believed() {
    let mut host = Host::new();
    let row = Row {
        token: secret("token"),
        t: Some(UnixSeconds(NOW)),
        sender_t: None,
    };
    host.put(LID, row.clone());
    assert_eq!(host.token(LID), Some(b"token".to_vec()));
    let bad = [
        Row {
            token: secret(""),
            t: Some(UnixSeconds(NOW + 1)),
            sender_t: None,
        },
        Row {
            token: secret("x"),
            t: None,
            sender_t: None,
        },
        Row {
            token: secret("x"),
            t: Some(UnixSeconds(0)),
            sender_t: None,
        },
    ];
    for row in bad {
        host.put(LID, row);
    }
    host.put("120363@g.us", row);
    assert_eq!(host.token(LID), Some(b"token".to_vec()));
    assert_eq!(host.row("120363@g.us"), None);
    assert_eq!(host.row("4915559999@s.whatsapp.net"), None, "ourselves");
}

#[test]
fn fifty_sends_of_an_issuing_host_issue_once() {
    let mut host = Host::issuing();
    let rows: Vec<_> = (0..50).map(|_| host.row(LID).unwrap()).collect();
    let issuing: Vec<_> = rows.into_iter().filter(|row| issues(row, NOW)).collect();
    assert_eq!(issuing.len(), 1);
    // The answer of the server, in the same second.
    let row = host.row(LID).unwrap();
    assert!(!issues(&row, NOW));
    let sender_t = Some(UnixSeconds(NOW));
    host.put(LID, Row { sender_t, ..row });
    host.pass(3_600);
    assert!(!issues(&host.row(LID).unwrap(), host.now), "it is stored");
    host.restart();
    assert!(!issues(&host.row(LID).unwrap(), host.now));
    host.now = NEXT_BUCKET;
    assert!(issues(&host.row(LID).unwrap(), host.now));
    assert!(!issues(&host.row(LID).unwrap(), host.now));
}

#[test]
fn an_issue_that_never_came_back_is_expected_anew_after_a_minute() {
    let mut host = Host::issuing();
    assert!(issues(&host.row(LID).unwrap(), host.now));
    host.pass(59);
    assert!(!issues(&host.row(LID).unwrap(), host.now));
    host.pass(2);
    assert!(issues(&host.row(LID).unwrap(), host.now));
}

#[test]
fn a_token_put_while_an_issue_is_under_way_does_not_cause_another() {
    let mut host = Host::issuing();
    host.put(LID, issued(NOW - WEEK));
    let row = host.row(LID).unwrap();
    assert!(issues(&row, host.now));
    let token = Row {
        token: secret("token"),
        t: Some(UnixSeconds(NOW)),
        ..row
    };
    host.put(LID, token);
    assert!(!issues(&host.row(LID).unwrap(), host.now));
}

#[test]
fn a_library_beside_a_guest_that_issues_never_issues() {
    let mut host = Host::new();
    for _ in 0..50 {
        assert!(!issues(&host.row(LID).unwrap(), host.now));
    }
    let row = host.row(LID).unwrap();
    host.pass(1);
    host.row(LID).unwrap();
    host.put(LID, row);
    host.hand("A", LID);
    assert_eq!(host.issues().len(), 1, "made-up times are not issues");
}

#[test]
fn the_salt_is_hidden_while_cstokens_are_off() {
    let mut host = Host::new();
    let salt = |host: &Host| host.guest.salt_row(&host.store).unwrap();
    assert_eq!(salt(&host), None);
    host.tell(Fact::Salt(Some(secret("salt"))));
    assert_eq!(salt(&host), Some(secret("salt")));
    host.props(&[(24941, "0")]);
    assert_eq!(salt(&host), None);
}

fn issued(t: i64) -> Row {
    Row {
        token: secret(std::str::from_utf8(PLACEHOLDER).unwrap()),
        t: None,
        sender_t: Some(UnixSeconds(t)),
    }
}
