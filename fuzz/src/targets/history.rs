//! Parts of the phone's history: a damaged one changes nothing, and compression says nothing.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use sendpath_protocol::history::{self, Blob, Limits, Part};
use sendpath_protocol::jid::Jid;
use sendpath_protocol::tctoken::Tokens;
use sendpath_protocol::tctoken::policy::{Own, TokenProps};

use crate::bench::{Bench, NOW, inflated};

const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    parts: 500,
};

pub(crate) fn run(data: &[u8]) {
    let told = survey(data);
    // By its first byte, as phones make them; other bytes are plain, whatever an inflater thinks.
    let is_packed = |bytes: &[u8]| bytes.first() == Some(&0x78);
    let plain = inflated(data, LIMITS.bytes).filter(|_| is_packed(data));
    let raw = plain.as_deref().unwrap_or(data);
    if plain.is_some() && told.is_some() && !is_packed(raw) {
        assert!(survey(raw) == told, "compression says something");
    }
    if raw.len() < 4096 {
        let mut writer = ZlibEncoder::new(Vec::new(), Compression::fast());
        writer.write_all(raw).expect("memory");
        let packed = writer.finish().expect("memory");
        if told.is_some() && !is_packed(data) && !raw.is_empty() {
            assert!(survey(&packed) == told, "compression says something");
        }
    }
    apply(data, told);
}

/// How many chats, pairs and salts there are; `None` when it cannot be read.
fn survey(data: &[u8]) -> Option<(u64, u64, u64)> {
    let (mut chats, mut pairs, mut salts) = (0, 0, 0);
    for part in Blob::limited(data, LIMITS).parts() {
        match part.ok()? {
            Part::Conversation(_) => chats += 1,
            Part::Mapping(_) => pairs += 1,
            Part::Salt(_) => salts += 1,
            // It says how the account is addressed, and is no part of the count.
            Part::Migrated => {}
        }
    }
    assert!(chats + pairs <= LIMITS.parts, "more than allowed");
    Some((chats, pairs, salts))
}

fn apply(data: &[u8], told: Option<(u64, u64, u64)>) {
    let mut bench = Bench::new(1);
    let own = Own::new(Some(&Jid::lid("900000000000009")), None).expect("a name");
    let mut tokens = Tokens::new(own, TokenProps::default()).expect("a name");
    let blob = Blob::limited(data, LIMITS);
    let (report, wrote) =
        bench.step(|cx, slot| history::apply(cx, &mut tokens, slot, &blob, NOW.unix()));
    match report {
        Ok(report) => {
            let (chats, ..) = told.expect("what was taken can be read");
            assert!(
                report.conversations + report.others == chats,
                "a chat is missing"
            );
        }
        Err(_) => assert!(told.is_none() && !wrote, "a damaged one changed something"),
    }
}
