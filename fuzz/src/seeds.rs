//! Where a fuzzer begins: the known answers, and what our own side makes.

use std::path::PathBuf;

use prost::Message;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::pb;
use sendpath_protocol::signal::EncType;
use sendpath_protocol::wap::{self, Node};
use serde_json::Value;

use crate::bench::joined;
use crate::targets::noise::Known;
use crate::targets::pb::READERS;
use crate::targets::senderkey::Group;
use crate::targets::signal::Pair;

/// A target, and the bytes for it.
pub type Seed = (&'static str, Vec<u8>);

fn file(name: &str) -> Value {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../core/protocol/tests/vectors");
    let text = std::fs::read_to_string(folder.join(format!("{name}.json")));
    serde_json::from_str(&text.expect("the vectors are there")).expect("they are JSON")
}

fn cases(name: &str) -> Vec<Value> {
    let file = file(name);
    file["cases"].as_array().expect("a list of cases").clone()
}

/// A case of the vectors.
pub(crate) fn case(name: &str, at: usize) -> Value {
    cases(name).swap_remove(at)
}

/// A field of it that is written in hex.
pub(crate) fn bytes(case: &Value, field: &str) -> Vec<u8> {
    hex::decode(case[field].as_str().expect("text")).expect("hex")
}

fn hex_of(case: &Value, field: &str) -> Option<Vec<u8>> {
    hex::decode(case[field].as_str()?).ok()
}

fn with(first: u8, rest: &[u8]) -> Vec<u8> {
    [&[first], rest].concat()
}

/// All of them.
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    frames(&mut seeds);
    addresses(&mut seeds);
    messages(&mut seeds);
    signal(&mut seeds);
    files(&mut seeds);
    link(&mut seeds);
    linking(&mut seeds);
    seeds
}

fn frames(seeds: &mut Vec<Seed>) {
    let nodes = cases("wap_nodes").into_iter().chain(cases("wap_frames"));
    for frame in nodes.filter_map(|case| hex_of(&case, "hex")) {
        let frame = with(0, &frame);
        if frame.len() < 2_000 {
            seeds.push(("stanza", joined([&frame[..]])));
            seeds.push(("parsers", frame.clone()));
            seeds.push(("wap", frame));
        }
    }
    for case in cases("wap_strings").into_iter().chain(cases("wap_jids")) {
        if let Some(bytes) = hex_of(&case, "hex") {
            seeds.push(("wap", [&[0, 0xf8, 2], &bytes[..], &bytes[..]].concat()));
        }
    }
    let salt = br#"["nct_salt_sync"]"#;
    seeds.push(("stanza", joined([&with(0xff, salt)[..]])));
    let login = Node::new("success").attr("t", "1786074400");
    let notice = Node::new("notification")
        .attr("type", "privacy_token")
        .attr("from", "100000000000001@lid")
        .attr("id", "1")
        .child(
            Node::new("tokens").child(
                Node::new("token")
                    .attr("type", "trusted_contact")
                    .attr("t", "1786074000")
                    .bytes([1, 2, 3, 4, 5, 6, 7, 8, 9]),
            ),
        );
    let ack = Node::new("ack")
        .attr("class", "message")
        .attr("id", "3EB0")
        .attr("error", "463");
    let told = [login, notice, ack].map(|node| wap::encode(&node));
    seeds.push(("stanza", joined(told.iter().map(Vec::as_slice))));
}

fn addresses(seeds: &mut Vec<Seed>) {
    for text in [
        "4915551@s.whatsapp.net",
        "77:12@lid",
        "120363-14@g.us",
        "status@broadcast",
        "5:99@hosted.lid",
        "867051314767696@bot",
        "s.whatsapp.net",
        "3EB0C767D26A1B4F5E9A",
    ] {
        seeds.push(("jid", text.into()));
    }
}

fn messages(seeds: &mut Vec<Seed>) {
    for case in cases("proto_samples") {
        let kind = READERS.iter().position(|(name, _)| case["type"] == *name);
        let kind = kind.and_then(|at| u8::try_from(at).ok());
        if let (Some(kind), Some(bytes)) = (kind, hex_of(&case, "hex")) {
            seeds.push(("pb", with(kind, &bytes)));
        }
    }
    let patch = bytes(&case("app_state", 6), "hex");
    let action = pb::SyncActionData {
        index: Some(br#"["nct_salt_sync"]"#.to_vec()),
        value: Some(pb::SyncActionValue {
            timestamp: Some(1),
            nct_salt_sync_action: Some(pb::NctSaltSyncAction {
                salt: Some(vec![5; 32]),
            }),
            ..pb::SyncActionValue::default()
        }),
        padding: Some(Vec::new()),
        version: Some(1),
    };
    seeds.push(("appstate", with(0, &patch)));
    seeds.push(("appstate", with(1, &joined([&patch[..]]))));
    seeds.push(("appstate", with(2, &[0x0a, 2, 8, 3])));
    let action = joined([&action.encode_to_vec()[..]]);
    seeds.push(("appstate", with(4, &action)));
    for case in cases("history_sync_blob") {
        for name in ["protobuf", "zlib"] {
            seeds.extend(hex_of(&case, name).map(|bytes| ("history", bytes)));
        }
    }
}

fn signal(seeds: &mut Vec<Seed>) {
    let pair = Pair::get();
    for message in &pair.messages {
        let kind = u8::from(message.kind == EncType::Pkmsg);
        seeds.push(("signal_message", with(kind, &message.bytes)));
        seeds.push(("signal_message", with(kind | 2, &message.bytes)));
    }
    for (which, row) in (0..).zip(pair.rows()) {
        seeds.push(("signal_row", with(which, &row)));
    }
    let group = Group::get();
    for message in &group.messages {
        seeds.push(("senderkey", with(0, message)));
    }
    seeds.push(("senderkey", with(1, &group.distribution)));
    seeds.push(("senderkey", with(2, &group.peer_row)));
    seeds.push(("senderkey", with(3, &group.own_row)));
}

fn files(seeds: &mut Vec<Seed>) {
    for case in cases("media").into_iter().take(3) {
        seeds.extend(hex_of(&case, "encrypted").map(|file| ("media", with(0x38, &file))));
        seeds.extend(hex_of(&case, "plaintext").map(|file| ("media", with(0x39, &file))));
    }
    let hosts = [
        ("mmg.example.net", "primary"),
        ("b.example.net:80", "fallback"),
    ];
    let hosts = hosts.map(|(name, kind)| {
        Node::new("host")
            .attr("hostname", name)
            .attr("type", kind)
            .child(Node::new("upload"))
    });
    let conn = Node::new("media_conn")
        .attr("auth", "a&b")
        .attr("ttl", "300")
        .children(hosts);
    let conn = wap::encode(&Node::new("iq").child(conn));
    seeds.push(("media", with(2, &conn)));
    for body in [
        r#"{"url":"https://a/b","direct_path":"/v/b","handle":"h","object_id":"7"}"#,
        r#"{"resume":"complete","url":"https://a/b","direct_path":"/v/b"}"#,
        r#"{"resume":"4096"}"#,
    ] {
        seeds.push(("media", with(3, &[&[0, 200], body.as_bytes()].concat())));
    }
    seeds.push((
        "media",
        with(4, b"/v/t62.7118-24/a_b.enc?ccb=11-4&oh=01_Q5"),
    ));
}

fn link(seeds: &mut Vec<Seed>) {
    let known = Known::get();
    let (_, _, hello) = known.hello(&known.chain);
    seeds.push(("noise", with(0x7c, &crate::targets::noise::framed(&hello))));
    seeds.push(("noise", with(0xfd, &hello)));
    seeds.push((
        "noise",
        with(0x02, &crate::targets::noise::framed(&[0; 20])),
    ));
    seeds.push(("noise", with(0x7f, &joined([&b"one"[..], &[0; 40]]))));
    seeds.push(("certificate", known.chain));
}

fn linking(seeds: &mut Vec<Seed>) {
    seeds.push(("pairing", with(0, b"ABCD-1234")));
    seeds.push(("pairing", with(0, b"+49 (155) 500-01")));
    let adv = case("adv", 0);
    seeds.push((
        "pairing",
        with(1, &bytes(&adv, "pair_success_device_identity")),
    ));
    let stored = "stored_device_identity (device-identity node in pkmsg stanzas)";
    seeds.push(("pairing", with(2, &bytes(&adv, stored))));
    let offer = Node::new("iq").attr("type", "set").attr("id", "1").child(
        Node::new("pair-device").children([
            Node::new("ref").bytes("2@abc"),
            Node::new("ref").bytes("2@def"),
        ]),
    );
    let reference =
        Node::new("link_code_companion_reg").child(Node::new("link_code_pairing_ref").bytes("ref"));
    let answer = Node::new("iq").attr("type", "result").child(reference);
    let flow = case("pair_code", 1);
    let hello = Node::new("link_code_companion_reg")
        .attr("stage", "primary_hello")
        .children([
            Node::new("link_code_pairing_ref").bytes("ref"),
            Node::new("link_code_pairing_wrapped_primary_ephemeral_pub")
                .bytes(bytes(&flow, "wrapped_primary_ephemeral_pub")),
            Node::new("primary_identity_pub").bytes(bytes(&flow, "primary_identity_pub")),
        ]);
    let hello = Node::new("notification").child(hello);
    let success = Node::new("iq").attr("type", "set").attr("id", "2").child(
        Node::new("pair-success").children([
            Node::new("device-identity").bytes(bytes(&adv, "pair_success_device_identity")),
            Node::new("device")
                .attr("jid", "4915550001:3@s.whatsapp.net")
                .attr("lid", "100000000000001:3@lid"),
            Node::new("platform").attr("name", "android"),
        ]),
    );
    let [offer, answer, hello, success] =
        [offer, answer, hello, success].map(|node| wap::encode(&node));
    seeds.push(("pairing", with(3, &joined([&offer[..], &answer, &hello]))));
    seeds.push(("pairing", with(3, &joined([&offer[..], &success]))));
    passkey(seeds);
}

fn passkey(seeds: &mut Vec<Seed>) {
    let told = |kind: &'static str, child: Node| {
        let node = Node::new("notification")
            .jid("from", Jid::whatsapp())
            .attr("type", kind);
        wap::encode(&node.child(child))
    };
    let options = Node::new("passkey_request_options").bytes(r#"{"challenge":"AAEC"}"#);
    let wanted = told("passkey_prologue_request", options);
    let hello = told("crsc_continuation", Node::new("crsc").bytes([10, 2, 8, 1]));
    let (signed, confirmed) = (Node::new("signed"), Node::new("confirmed"));
    let (signed, confirmed) = (wap::encode(&signed), wap::encode(&confirmed));
    let result = wap::encode(&Node::new("iq").attr("type", "result"));
    let all = [&wanted[..], &signed, &result, &hello, &confirmed];
    seeds.push(("pairing", with(3, &joined(all))));
    let answer = r#"{"id":"_-8","rawId":"_-8=","response":{"signature":"AA"}}"#;
    seeds.push(("pairing", with(0, answer.as_bytes())));
}
