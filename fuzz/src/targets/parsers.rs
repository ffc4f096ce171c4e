//! What reads one stanza or one answer: each of them is given the node.

use sendpath_protocol::abprops::{self, Props};
use sendpath_protocol::devices::{Notification as DeviceNotice, OwnList};
use sendpath_protocol::groups::Notice;
use sendpath_protocol::lidmap::Mapping;
use sendpath_protocol::stream::Ending;
use sendpath_protocol::stream::ack;
use sendpath_protocol::stream::offline::OfflineQueue;
use sendpath_protocol::{groups, mex, prekeys, usync, wap};

use crate::bench::NOW;

pub(crate) fn run(data: &[u8]) {
    let Ok(node) = wap::decode(data) else {
        return;
    };
    if let Some(written) = ack::ack(&node) {
        let frame = wap::encode(&written);
        assert!(
            wap::decode(&frame) == Ok(written),
            "an answer that cannot be read"
        );
    }
    let ids = ack::receipt_ids(&node);
    assert!(ids.len() <= data.len(), "more ids than bytes");
    let _ = (
        Ending::failure(&node, NOW.unix()),
        Ending::stream_error(&node),
    );
    let _ = OfflineQueue::default().announced(&node, NOW.mono);
    if let Some(answer) = usync::Answer::parse(&node) {
        let _ = (answer.lists().count(), answer.mappings().count());
        let _ = (answer.error("devices"), answer.by_number("4915550001"));
    }
    for root in ["xwa2_fetch_account_reachout_timelock", "data"] {
        let _ = mex::answer(&node, root);
    }
    if let Some(update) = mex::Update::parse(&node) {
        let _ = update.data("data");
    }
    let (_, mappings) = groups::parse(&node);
    assert!(mappings.len() <= data.len());
    if let Some(notice) = Notice::parse(&node) {
        let _ = (notice.somebody_left(), notice.added().count());
    }
    let _ = (DeviceNotice::parse(&node), OwnList::parse(&node));
    assert!(prekeys::fetch::parse(&node).len() <= data.len());
    let _ = prekeys::fetch::from_receipt(&node);
    let _ = prekeys::upload::count(&node);
    let _ = Mapping::all_in(&node);
    let _ = abprops::is_update(&node);
    props(&node);
}

fn props(node: &wap::Node) {
    let mut bench = crate::bench::Bench::new(1);
    let (props, _) = bench.step(|cx, slot| Ok(Props::load(&cx.txn, slot)?));
    let mut props = props;
    bench.step(|cx, _| {
        let _ = props.want(NOW.mono);
        props.answered(cx, Some(node), NOW.unix());
        Ok(())
    });
    let _ = (props.tokens(), props.capping(), props.gates());
}
