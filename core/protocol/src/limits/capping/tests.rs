use super::*;
use crate::testkit::Bench;
use crate::txn::Record;
use crate::wap::Node;

const NOW: UnixSeconds = UnixSeconds(1_786_074_400);
const END: UnixSeconds = UnixSeconds(1_787_000_000);
const USED_UP: &str = r#"{"capping_status":"CAPPED","total_quota":"50","used_quota":50,"cycle_end_timestamp":"1787000000","server_sent_timestamp":100}"#;

fn update(inner: &str) -> Update {
    let json = format!(r#"{{"data":{{"{PUSH_ROOT}":{inner}}}}}"#);
    let update = Node::new("update").attr("op_name", PUSH).bytes(json);
    Update::parse(&Node::new("notification").child(update)).unwrap()
}

fn capping(bench: &mut Bench) -> Capping {
    let account = bench.slot.clone();
    bench.step(|cx| Ok(Capping::load(&cx.txn, &account)?)).0
}

fn push(bench: &mut Bench, machine: &mut Capping, inner: &str) {
    bench.step(|cx| {
        machine.pushed(cx, &update(inner), NOW);
        Ok(())
    });
}

fn until(machine: &Capping, now: UnixSeconds) -> Option<UnixSeconds> {
    let capped = machine.capped(&CappingProps::default(), now)?;
    Some(capped.until)
}

#[test]
fn a_cap_holds_to_the_end_of_the_cycle_and_over_a_restart() {
    let mut bench = Bench::new(1);
    let mut machine = capping(&mut bench);
    push(&mut bench, &mut machine, USED_UP);
    let restarted = capping(&mut bench);
    assert_eq!(until(&restarted, END), Some(END));
    assert_eq!(until(&restarted, END.plus(1)), None);
    let capped = restarted.capped(&CappingProps::default(), NOW).unwrap();
    assert_eq!((capped.total, capped.used), (Some(50), Some(50)));
}

#[test]
fn an_answer_counts_when_it_was_asked_for() {
    let mut bench = Bench::new(1);
    let mut machine = capping(&mut bench);
    let fields = update(USED_UP).data(PUSH_ROOT).unwrap();
    for (asked, capped) in [(false, None), (true, Some(END))] {
        if asked {
            let asks = machine.pull(Reason::Connected, bench.now.mono);
            assert_eq!(asks, Pull::Ask);
        }
        bench.step(|cx| {
            machine.pulled(cx, Some(&fields), NOW);
            Ok(())
        });
        assert_eq!(until(&machine, NOW), capped);
    }
}

#[test]
fn known_props_can_switch_it_off() {
    let mut bench = Bench::new(1);
    let mut machine = capping(&mut bench);
    push(&mut bench, &mut machine, USED_UP);
    for (limit, kill_switch, on) in [
        (None, None, true),
        (Some(50), Some(false), true),
        (Some(0), None, false),
        (None, Some(true), false),
    ] {
        let props = CappingProps {
            limit,
            kill_switch,
            refresh: None,
        };
        assert_eq!(machine.capped(&props, NOW).is_some(), on, "{props:?}");
    }
}

#[test]
fn a_475_caps_until_the_known_end_or_for_an_hour() {
    let mut bench = Bench::new(1);
    let mut machine = capping(&mut bench);
    bench.step(|cx| {
        machine.refused(cx, NOW);
        Ok(())
    });
    assert_eq!(until(&machine, NOW), Some(NOW.plus(REFRESH)));
    let often = CappingProps {
        refresh: Some(60),
        ..CappingProps::default()
    };
    let capped = machine.capped(&often, NOW).unwrap();
    assert_eq!(capped.until, NOW.plus(60));
    push(
        &mut bench,
        &mut machine,
        r#"{"capping_status":"NONE","cycle_end_timestamp":1787000000}"#,
    );
    assert_eq!(until(&machine, NOW), None);
    bench.step(|cx| {
        machine.refused(cx, NOW);
        Ok(())
    });
    assert_eq!(until(&machine, NOW), Some(END));
    bench.step(|cx| {
        machine.refused(cx, END.plus(9));
        Ok(())
    });
    assert_eq!(until(&machine, END.plus(9)), Some(END.plus(9 + REFRESH)));
}

#[test]
fn quotas_are_numbers_text_or_missing() {
    let mut bench = Bench::new(1);
    let mut machine = capping(&mut bench);
    for (inner, total) in [
        (r#"{"total_quota":"50"}"#, Some(50)),
        (r#"{"total_quota":50}"#, Some(50)),
        (r#"{"total_quota":-1}"#, Some(-1)),
        (r#"{"total_quota":0,"capping_status":"NEW_ONE"}"#, Some(0)),
        ("{}", None),
    ] {
        push(&mut bench, &mut machine, inner);
        assert_eq!(machine.record().unwrap().total, total, "{inner}");
        assert_eq!(until(&machine, NOW), None);
    }
}

#[test]
fn an_older_word_of_the_server_is_dropped() {
    let mut bench = Bench::new(1);
    let mut machine = capping(&mut bench);
    push(&mut bench, &mut machine, USED_UP);
    let older = r#"{"capping_status":"NONE","server_sent_timestamp":"99"}"#;
    push(&mut bench, &mut machine, older);
    assert_eq!(until(&machine, NOW), Some(END));
}

#[test]
fn hosts_hear_of_real_changes_only() {
    let mut bench = Bench::new(1);
    let mut machine = capping(&mut bench);
    let mut heard = |inner: &str| {
        let push = |cx: &mut Cx<'_>| {
            machine.pushed(cx, &update(inner), NOW);
            Ok(())
        };
        bench.step(push).1
    };
    assert_eq!(heard(r#"{"capping_status":"NONE"}"#), []);
    let changed = Event::CappingChanged {
        status: CAPPED.into(),
        total: Some(50),
        used: Some(50),
        until: Some(END),
    };
    assert_eq!(heard(USED_UP), [changed.into()]);
    assert_eq!(heard(&USED_UP.replace(":100", ":101")), []);
    let raised = USED_UP
        .replace(":100", ":102")
        .replace(r#""50""#, r#""60""#);
    assert_eq!(heard(&raised).len(), 1);
}

#[test]
fn the_state_says_when_and_from_whom_we_know_it() {
    let mut bench = Bench::new(1);
    let mut machine = capping(&mut bench);
    let props = CappingProps::default();
    assert_eq!(machine.state(&props, NOW), CappingState::Unknown);
    push(&mut bench, &mut machine, USED_UP);
    let quota = Quota {
        status: CAPPED.into(),
        capped_until: Some(END),
        total: Some(50),
        used: Some(50),
        cycle_start: None,
        cycle_end: Some(END),
        ote: None,
        mv: None,
        checked_at: NOW,
        source: Some(Origin::Push),
    };
    assert_eq!(
        machine.state(&props, END),
        CappingState::Known(quota.clone())
    );
    let over = Quota {
        status: NONE.into(),
        capped_until: None,
        ..quota.clone()
    };
    assert_eq!(
        machine.state(&props, END.plus(1)),
        CappingState::Known(over)
    );
    bench.step(|cx| {
        machine.refused(cx, NOW.plus(1));
        Ok(())
    });
    let local = Quota {
        checked_at: NOW.plus(1),
        source: Some(Origin::Local),
        ..quota
    };
    assert_eq!(machine.state(&props, END), CappingState::Known(local));
}

#[test]
fn a_watched_quota_is_asked_for_again_each_hour_and_no_other() {
    let mut bench = Bench::new(1);
    let mut machine = capping(&mut bench);
    let props = CappingProps::default();
    let now = bench.now;
    let wait = |machine: &Capping, server, props: &CappingProps| {
        let at = machine.refresh_at(now, server, props)?;
        Some(at.since(now.mono))
    };
    assert!(!machine.is_stale(NOW, &props), "nothing is known");
    assert_eq!(wait(&machine, NOW, &props), None);
    push(&mut bench, &mut machine, r#"{"capping_status":"NONE"}"#);
    assert!(!machine.is_stale(NOW.plus(REFRESH), &props), "no quota");
    push(&mut bench, &mut machine, USED_UP);
    assert!(!machine.is_stale(NOW.plus(REFRESH - 1), &props));
    assert!(machine.is_stale(NOW.plus(REFRESH), &props));
    let ten = Some(Millis::from_secs(10));
    assert_eq!(wait(&machine, NOW.plus(REFRESH - 10), &props), ten);
    let overdue = wait(&machine, NOW.plus(REFRESH + 10), &props);
    assert_eq!(overdue, Some(Millis(0)));
    machine.refreshing(NOW.plus(REFRESH));
    assert!(!machine.is_stale(NOW.plus(2 * REFRESH - 1), &props));
    let off = CappingProps {
        limit: Some(0),
        ..props
    };
    assert!(!machine.is_stale(NOW.plus(9 * REFRESH), &off));
    assert_eq!(wait(&machine, NOW, &off), None);
}

#[test]
fn the_bytes_of_a_row_never_change() {
    let record = CappingRecord {
        status: "CAPPED".into(),
        total: Some(50),
        used: Some(0),
        cycle_end: Some(9),
        observed: 7,
        ..CappingRecord::default()
    };
    assert_eq!(
        hex::encode(record.to_row()),
        "010a064341505045441032180028094807"
    );
    let source = Origin::number(Some(Origin::Local));
    let heard = CappingRecord { source, ..record };
    assert_eq!(
        hex::encode(heard.to_row()),
        "010a0643415050454410321800280948075001"
    );
}
